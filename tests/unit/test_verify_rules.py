"""Each check of an image: one image that passes, and the near one that breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kubekit.errors import UsageError
from kubekit.verify.judge import CHECKS, chosen, judge, scenes
from kubekit.verify.model import Checked, Known
from tests.unit.images import File, subject

METADATA = "Metadata-Version: 2.4\nName: {}\nVersion: 1.0\n"
SITE = "opt/venv/lib/python3.13/site-packages"
GOOD: dict[str, Any] = {
    "User": "10001:10001",
    "Cmd": ["python", "-m", "app"],
    "Env": [
        "PATH=/opt/venv/bin:/usr/local/bin:/usr/bin",
        "PYTHONUNBUFFERED=1",
        "PYTHONDONTWRITEBYTECODE=1",
        "GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305",
    ],
    "ExposedPorts": {"8000/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "python", "-m", "app.healthcheck"]},
    "WorkingDir": "/app",
}
FILES: dict[str, File] = {
    "usr/bin/python3": "",
    "usr/share/doc/x/README.md": "of the system",
    "var/lib/apt/lists/lock": "",
    "opt/venv/pyvenv.cfg": "",
    "opt/venv/bin/python": ("link", "/usr/bin/python3"),
    f"{SITE}/tests/test_x.py": "of a package",
    f"{SITE}/x/README.md": "of a package",
    f"{SITE}/x/__pycache__/a.pyc": "compiled",
    f"{SITE}/fastapi-1.0.dist-info/METADATA": METADATA.format("fastapi"),
    "app/src/app/main.py": "app = 1",
}


def check(
    id_: str,
    *layers: Mapping[str, File],
    config: Mapping[str, Any] | None = None,
    known: Known | None = None,
    **more: Any,
) -> Checked:
    """What the check says of the good image with these layers and this config."""
    given = subject(FILES, *layers, config={**GOOD, **(config or {})}, known=known, **more)
    (found,) = judge(chosen(only=[id_]), given)
    return found


STATIC = [one.id for one in CHECKS if one.scene is None]


@pytest.mark.parametrize("id_", STATIC)
def test_the_good_image_fails_nothing(id_: str) -> None:
    assert check(id_).status in ("passed", "told")


@pytest.mark.parametrize(
    ("id_", "config"),
    [
        ("user-not-root", {"User": ""}),
        ("user-not-root", {"User": "0:0"}),
        ("user-not-root", {"User": "root"}),
        ("user-numeric", {"User": "appuser"}),
        ("command-exec", {"Cmd": []}),
        ("command-exec", {"Cmd": ["/bin/sh", "-c", "uvicorn app.main:app --port $PORT"]}),
        ("command-exec", {"Cmd": ["bash", "-ec", "uvicorn app.main:app"]}),
        ("port-exposed", {"ExposedPorts": None}),
        ("port-exposed", {"ExposedPorts": {"8000/udp": {}}}),
        ("healthcheck", {"Healthcheck": None}),
        ("healthcheck", {"Healthcheck": {"Test": ["NONE"]}}),
        ("env-path", {"Env": ["PATH=/usr/bin:/opt/venv/bin"]}),
        ("env-path", {"Env": ["PATH=/nowhere"]}),
        ("env-unbuffered", {"Env": []}),
        ("env-no-bytecode", {"Env": ["PYTHONDONTWRITEBYTECODE="]}),
        ("secrets-env", {"Env": ["API_TOKEN=abcdef"]}),
        ("secrets-env", {"Env": ["DATABASE_URL=postgresql://app:pass@db/x"]}),
    ],
)
def test_a_config_that_breaks_one(id_: str, config: dict[str, Any]) -> None:
    found = check(id_, config=config)
    assert found.status == "failed"
    assert found.fix


@pytest.mark.parametrize(
    "config",
    [
        {"Cmd": ["/bin/sh", "-c", 'exec uvicorn app.main:app --port "$PORT"']},
        {"Entrypoint": ["tini", "--"], "Cmd": ["python", "-m", "app"]},
    ],
)
def test_a_command_whose_process_gets_the_signal(config: dict[str, Any]) -> None:
    assert check("command-exec", config=config).status == "passed"


@pytest.mark.parametrize(
    ("id_", "path"),
    [
        ("no-compilers", "usr/bin/gcc"),
        ("no-compilers", "usr/bin/x86_64-linux-gnu-gcc-14"),
        ("no-compilers", "usr/bin/g++"),
        ("no-downloaders", "usr/bin/curl"),
        ("no-package-caches", "var/lib/apt/lists/deb.debian.org_main_Packages"),
        ("no-package-caches", "var/cache/apt/archives/gcc_14.deb"),
        ("no-package-caches", "root/.cache/pip/http/a"),
        ("no-tests", "app/tests/test_main.py"),
        ("no-tests", "app/src/conftest.py"),
        ("no-env-files", "app/.env"),
        ("no-env-files", "app/src/.env.production"),
        ("no-git", "app/.git/config"),
        ("no-requirements", "tmp/requirements.txt"),
        ("no-requirements", "app/requirements-dev.txt"),
        ("no-markdown", "app/README.md"),
        ("no-app-bytecode", "app/src/app/__pycache__/main.cpython-313.pyc"),
    ],
)
def test_a_file_that_breaks_one(id_: str, path: str) -> None:
    found = check(id_, {path: "x"})
    assert found.status == "failed"
    assert found.details == (f"/{path}",)
    assert found.fix


@pytest.mark.parametrize(
    ("id_", "path", "broken"),
    [
        ("no-env-files", "app/.env", True),
        ("no-git", "app/.git/HEAD", True),
        ("no-package-caches", "root/.cache/uv/a", True),
        ("no-tests", "app/tests/a.py", False),
    ],
)
def test_what_is_deleted_later_counts_where_it_is_read_or_weighs(
    id_: str, path: str, broken: bool
) -> None:
    folder, _, name = path.rpartition("/")
    found = check(id_, {path: "x"}, {f"{folder}/.wh.{name}": ""})
    assert (found.status == "failed") is broken
    assert not broken or "deleted later" in found.details[0]


PROJECT = '[project]\nname = "app"\nreadme = "README.md"\n'


@pytest.mark.parametrize(
    ("files", "about"),
    [
        ({"app/README.md": "", "app/pyproject.toml": PROJECT}, ()),
        ({"app/README.md": "", "app/setup.py": 'open("README.md")'}, ()),
        ({"app/README.md": "", "app/pyproject.toml": '[project]\nname = "app"\n'}, ("README",)),
        ({"app/CHANGELOG.md": "", "app/pyproject.toml": PROJECT}, ("CHANGELOG",)),
        ({"app/src/app/prompts/system.md": "", "app/src/app/prompts/README.md": ""}, ()),
        ({"app/src/app/prompts/system.md": "", "app/README.md": ""}, ("README",)),
        ({"app/LICENSE.md": ""}, ()),
        ({"app/lib/x/README.md": "", "app/lib/x-1.0.dist-info/METADATA": ""}, ()),
        ({"app/lib/x-1.0.dist-info/licenses/AUTHORS.md": "", "app/lib/x-1.0.dist-info/RECORD": ""},
         ()),
    ],
)  # fmt: skip
def test_markdown_that_the_app_or_its_build_may_read_stays(
    files: dict[str, File], about: tuple[str, ...]
) -> None:
    found = check("no-markdown", files)
    assert found.details == tuple(f"/app/{name}.md" for name in about)
    assert (found.status == "failed") == bool(about)


def test_headers_of_debian_are_for_compiling() -> None:
    status = (
        "Package: libffi-dev\nStatus: install ok installed\nVersion: 3.4\nArchitecture: amd64\n"
    )
    found = check("no-compilers", {"var/lib/dpkg/status": status})
    assert found.details == ("libffi-dev",)
    removed = status.replace("install ok installed", "deinstall ok config-files")
    assert check("no-compilers", {"var/lib/dpkg/status": removed}).status == "passed"


def test_packages_for_development_are_those_of_the_project_too() -> None:
    httpx = {f"{SITE}/httpx-1.0.dist-info/METADATA": METADATA.format("HTTPX")}
    assert check("no-dev-packages", httpx).status == "passed"
    split = Known(development=frozenset({"httpx"}))
    assert check("no-dev-packages", httpx, known=split).text.endswith("httpx")
    pytest_ = {f"{SITE}/pytest-1.0.dist-info/METADATA": METADATA.format("pytest")}
    assert check("no-dev-packages", pytest_).status == "failed"


def test_bytecode_counts_only_where_none_is_to_be_written() -> None:
    pyc = {"app/src/app/__pycache__/main.cpython-313.pyc": "x"}
    assert check("no-app-bytecode", pyc, config={"Env": []}).status == "skipped"


@pytest.mark.parametrize(("size", "status"), [(200_000_000, "passed"), (200_000_001, "failed")])
def test_a_budget_is_in_decimal_bytes(size: int, status: str) -> None:
    assert check("size", known=Known(max_size=200_000_000), size=size).status == status


@pytest.mark.parametrize(
    "step",
    [
        "ENV BETTER_AUTH_SECRET=abcdefgh",
        "|1 API_TOKEN=abcdefgh /bin/sh -c pip install x",
        "RUN |2 UV_INDEX_PASSWORD=abcdefgh X=1 /bin/sh -c uv sync",
        "ENV INDEX=https://user:abcdefgh@pypi.example.com/",
    ],
)
def test_a_secret_in_the_history_is_told_by_its_name(step: str) -> None:
    found = check("secrets-history", history=({"CreatedBy": step},))
    assert found.status == "failed"
    assert "abcdefgh" not in found.text + "".join(found.details)


@pytest.mark.parametrize(
    "step",
    [
        "ENV GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305",
        "RUN API_TOKEN=$(cat /run/secrets/token) pip install x",
        "RUN --mount=type=secret,id=token pip install x",
        "ARG API_TOKEN",
        "ENV TOKEN_FILE=/run/secrets/token",
        "RUN useradd --password= app",
    ],
)
def test_what_only_looks_like_a_secret_in_the_history(step: str) -> None:
    assert check("secrets-history", history=({"CreatedBy": step},)).status == "passed"


def test_the_values_of_the_env_file_are_looked_for_everywhere() -> None:
    known = Known(env={"OPENAI_API_KEY": "sk-correct-horse", "PORT": "8000"})
    leaked = {"app/settings.py": "KEY = 'sk-correct-horse'"}
    found = check("secrets-layers", leaked, known=known)
    assert found.details == ("OPENAI_API_KEY in /app/settings.py",)
    step = {"CreatedBy": "RUN curl -H sk-correct-horse"}
    assert "OPENAI_API_KEY" in check("secrets-history", known=known, history=(step,)).text
    env = {"Env": ["ANYTHING=sk-correct-horse"]}
    assert "OPENAI_API_KEY" in check("secrets-env", known=known, config=env).text
    assert check("secrets-layers", known=known).status == "passed"


def test_setuid_files_are_information() -> None:
    found = check("setuid-files", {"usr/bin/su": ("setuid", "x")})
    assert (found.status, found.details) == ("told", ("/usr/bin/su",))


def test_ids_are_unique_and_every_check_that_can_fail_has_a_fix() -> None:
    ids = [one.id for one in CHECKS]
    assert len(ids) == len(set(ids))
    without = {one.id for one in CHECKS if not one.fix}
    assert without == {"layers", "setuid-files", "sqlite-written", "memory"}


def test_only_and_skip_take_ids_and_nothing_else() -> None:
    assert [one.id for one in chosen(only=["stops", "size"])] == ["size", "stops"]
    assert len(chosen(skip=["stops"])) == len(CHECKS) - 1
    assert scenes(chosen(only=["size", "read-only-root"])) == {"locked"}
    with pytest.raises(UsageError) as caught:
        chosen(only=["stop"])
    assert caught.value.hints == ("did you mean `stops`?",)


def test_what_may_be_a_secret_is_masked_though_no_check_calls_it_one() -> None:
    command = ["/bin/sh", "-c", "uvicorn app.main:app --header hunter22"]
    config = {"Cmd": command, "Env": ["AUTH_HEADER=hunter22"]}
    assert "--header ***" in str(check("command-exec", config=config))
    assert check("secrets-env", config=config).status == "passed"
