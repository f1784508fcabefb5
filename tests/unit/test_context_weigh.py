"""What is warned of in a build context, and what is not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.events import Warned
from kubekit.image.files import context, weigh
from kubekit.model import BuildPlan, BuildSettings, ContextFile


def of(root: Path, files: dict[str, str | int]) -> BuildPlan:
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /x\n")
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            with file.open("wb") as stream:
                stream.truncate(content)
        else:
            file.write_text(content)
    settings = BuildSettings(context=root, dockerfile=root / "Dockerfile")
    return context.plan(settings, name="tasks")


def told(warnings: list[Warned]) -> list[tuple[str, str]]:
    return [(warning.text, *warning.hints) for warning in warnings]  # type: ignore[misc]


KEY = "-----BEGIN EC PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "name",
    [".env", "app/.env", ".env.production", "prod.env", "settings.conf"],
)
def test_env_files(tmp_path: Path, name: str) -> None:
    plan = of(tmp_path, {name: "A=1"})
    assert told(weigh.secrets(plan, env_file=tmp_path / "settings.conf")) == [
        (
            f"`{name}` goes into the build, and by a `COPY` its secrets into the image",
            f"add to `.dockerignore`: `{name}`",
        )
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("id_rsa", "x"),
        ("keys/id_ed25519", "x"),
        ("tls.key", KEY),
        ("tls.pem", f"{'certificate ' * 100}\n{KEY}"),
        ("store.p12", "x"),
        (".netrc", "x"),
        (".pypirc", "x"),
        (".pgpass", "x"),
        (".aws/credentials", "x"),
        ("home/.kube/config", "x"),
        ("kubeconfig", "x"),
        ("dev.kubeconfig", "x"),
    ],
)
def test_keys_and_passwords(tmp_path: Path, name: str, content: str) -> None:
    assert told(weigh.secrets(of(tmp_path, {name: content}))) == [
        (
            f"what proves who you are goes into the build: `{name}`",
            f"add to `.dockerignore`: `{name}`",
        )
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.example", "x"),
        ("example.env", "x"),
        ("aws/credentials", "x"),
        ("credentials", "x"),
        (".environment", "x"),
        ("ca.pem", "-----BEGIN CERTIFICATE-----"),
        ("api.key", "no key"),
        ("id_rsa.pub", "x"),
        ("netrc.py", "x"),
        (".venv/lib/test.pem", KEY),
    ],
)
def test_what_is_no_secret(tmp_path: Path, name: str, content: str) -> None:
    plan = of(tmp_path, {name: content, ".venv/pyvenv.cfg": ""})
    assert weigh.secrets(plan, env_file=tmp_path / "elsewhere") == []


def test_many_are_told_in_one_line(tmp_path: Path) -> None:
    plan = of(tmp_path, {f"{name}/id_rsa": "x" for name in "abcde"})
    [warning] = weigh.secrets(plan)
    assert warning.text.endswith("`a/id_rsa`, `b/id_rsa`, `c/id_rsa` and 2 more")
    assert warning.details == tuple(f"{name}/id_rsa" for name in "abcde")


def test_what_is_excluded_or_not_copied_is_not_told(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text(".env\n")
    assert weigh.secrets(of(tmp_path, {".env": "A=1"})) == []
    (tmp_path / ".dockerignore").unlink()
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /x\n")
    settings = BuildSettings(context=tmp_path, dockerfile=tmp_path / "Dockerfile")
    assert weigh.secrets(context.plan(settings, name="tasks")) == []


@pytest.mark.parametrize(
    ("files", "text", "hint"),
    [
        ({".git/HEAD": "x"}, "the history in `.git` is sent to the build", "`.git`"),
        ({"sub/.git": "gitdir: x"}, "the history in `sub/.git` is sent to the build", "`**/.git`"),
        (
            {"env3/pyvenv.cfg": "x", "env3/lib/a/__pycache__/a.pyc": "x"},
            (
                "the virtual environment `env3` is sent to the build: its programs fit only this "
                "machine"
            ),
            "`env3`",
        ),
        (
            {"web/node_modules/a/node_modules/b/i.js": "x"},
            "`web/node_modules` is sent to the build",
            "`**/node_modules`",
        ),
        (
            {"a/__pycache__/a.pyc": "x", "b/__pycache__/b.pyc": "x"},
            (
                "compiled Python in `a/__pycache__`, `b/__pycache__` is sent to the build: "
                "it makes another image without a change of yours"
            ),
            "`**/__pycache__`",
        ),
    ],
)
def test_what_belongs_in_no_image(
    tmp_path: Path, files: dict[str, str | int], text: str, hint: str
) -> None:
    assert told(weigh.bulk(of(tmp_path, files))) == [(text, f"add to `.dockerignore`: {hint}")]


def test_the_file_with_the_rules_is_named(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile.dockerignore").write_text("")
    [(_, hint)] = told(weigh.bulk(of(tmp_path, {".git/HEAD": "x"})))
    assert hint == "add to `Dockerfile.dockerignore`: `.git`"


def test_a_large_context_tells_what_makes_it_large(tmp_path: Path) -> None:
    mb = 1_000_000
    plan = of(
        tmp_path,
        {
            "data/raw/big.bin": 40 * mb,
            "data/small.txt": 1 * mb,
            "models/a.bin": 6 * mb,
            "models/b.bin": 5 * mb,
            "c.bin": 4 * mb,
            "d.bin": 3 * mb,
            "e.bin": 2 * mb,
            "f.bin": 1 * mb,
        },
    )
    [(text, hint)] = told(weigh.bulk(plan))
    assert text.startswith("the build context has 62.0 MB in 9 files: `data/raw/big.bin` 40.0 MB")
    assert text.endswith(", `models` 11.0 MB, `c.bin` 4.0 MB, `d.bin` 3.0 MB, `e.bin` 2.0 MB")
    assert "does not need" in hint


def test_a_usual_context_is_not_warned_of(tmp_path: Path) -> None:
    assert weigh.bulk(of(tmp_path, {"app/main.py": "x", "big.bin": weigh.LARGE - 100})) == []


parts = st.sampled_from(["a", "a-", "a0", "env", ".env", "node_modules", "__pycache__", ".git"])


@given(st.sets(st.lists(parts, min_size=1, max_size=4).map("/".join), max_size=12))
def test_what_is_below_clutter_and_nothing_else_is_passed_over(paths: set[str]) -> None:
    """Beside it there may be names that sort between a folder and what is in it."""
    folders = {path.rpartition("/")[0] for path in paths} - {""}
    folders |= {above for path in folders for above in _above(path)}
    venvs = {"a-", "env/a"} & folders
    every = dict.fromkeys(paths | {f"{one}/pyvenv.cfg" for one in venvs}, stat.S_IFREG)
    every |= dict.fromkeys(folders, stat.S_IFDIR)
    files = [ContextFile(path, path, mode, 0) for path, mode in sorted(every.items())]
    clutter = {one for one in folders if one.rpartition("/")[2] in weigh._FOLDERS} | venvs
    clutter |= {path for path in every if path.rpartition("/")[2] == ".git"}
    found = weigh._clutter(files)
    assert set(found) == {one for one in clutter if not clutter & _above(one)}
    assert [file.path for file in weigh._apart(files, found)] == [
        file.path for file in files if not clutter & _above(file.path)
    ]


def _above(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:depth]) for depth in range(1, len(parts))}


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("token", True),
        ("api_token.json", True),
        ("tokens.json", True),
        ("tokenizer.json", False),
        ("tokenization.py", False),
        ("home/.kube/config", True),
        ("config", False),
    ],
)
def test_what_sounds_like_a_secret(path: str, *, is_one: bool) -> None:
    assert weigh.may_hold_secrets(path) is is_one
