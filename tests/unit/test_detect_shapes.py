"""Twelve shapes of a project: each is understood, or leads to a clear question."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.detect.look import look
from kubekit.errors import FilesError
from tests.unit.detected import APP, HEALTH, PINNED, backend, looked, notes, uv_lock, write

PYPROJECT = """
[project]
name = "Todo_API"
version = "0.1.0"
requires-python = ">=3.12"
readme = "README.md"
dependencies = ["fastapi", "uvicorn"]

[dependency-groups]
dev = ["pytest>=8", "httpx"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""


def test_src_layout(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "README.md": "x",
        ".python-version": "3.12.4\n",
        "uv.lock": uv_lock("todo-api", "fastapi", "uvicorn"),
        "src/todo/__init__.py": "",
        "src/todo/main.py": f"from todo import db\n{APP}{HEALTH}",
        "src/todo/db.py": "import os\nURL = os.environ['DATABASE_URL']\n",
        "tests/test_main.py": APP,
    }
    found = backend(tmp_path, files)
    assert (found.name, found.python, found.packaging) == ("todo-api", "3.12", "uv-sync")
    assert (found.app, found.source, found.packages) == ("todo.main:app", "src", ("todo",))
    assert found.manifests == ("pyproject.toml", "uv.lock", ".python-version", "README.md")
    assert found.installed
    assert found.development == ("httpx", "pytest")
    assert found.health.plain == "/health"
    assert [(one.name, one.secret) for one in found.env] == [("DATABASE_URL", True)]
    assert found.imports == ("fastapi",)


def test_flat(tmp_path: Path) -> None:
    files = {
        "requirements.txt": PINNED,
        "main.py": f"import models\nfrom routers.users import r\n{APP}app.include_router(r)\n",
        "models.py": "",
        "routers/users.py": "from fastapi import APIRouter\nimport models\nr = APIRouter()\n",
        "scripts/seed.py": "import models\n",
        "test_main.py": "",
        "setup.py": "",
    }
    found = backend(tmp_path, files)
    assert (found.app, found.source) == ("main:app", ".")
    assert found.packages == ("main.py", "models.py", "routers")
    assert found.packaging == "pip-venv"
    assert found.requirements == ("requirements.txt",)


def test_monorepo_folder(tmp_path: Path) -> None:
    files = {
        "package.json": "{}",
        "services/api/requirements.txt": PINNED,
        "services/api/app/main.py": APP,
        "web/requirements.txt": "mkdocs\n",
        "web/node_modules/x/requirements.txt": "flask\n",
    }
    found = looked(tmp_path, files)
    assert found.backend is not None
    assert (found.backend.folder, found.backend.app) == ("services/api", "app.main:app")
    assert notes(found)["the backend is in services/api/"] == "services/api"
    assert look(tmp_path / "services/api", root=tmp_path).backend == found.backend
    assert "services/api/app/main.py:3" in notes(found).values()


def test_monorepo_whose_own_pyproject_is_of_tools(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": "[project]\nname = 'all'\nkeywords = ['fastapi']\n[tool.ruff]\n",
        "noxfile.py": "import nox\n",
        "backend/requirements.txt": PINNED,
        "backend/src/app/main.py": APP,
    }
    found = backend(tmp_path, files)
    assert (found.folder, found.app, found.source) == ("backend", "app.main:app", "src")


@pytest.mark.parametrize(
    "lists",
    [
        "[project]\nname = 'x'\n[project.optional-dependencies]\nweb = ['fastapi', 'uvicorn']\n",
        "[tool.poetry]\nname = 'x'\n[tool.poetry.group.web.dependencies]\nfastapi = '*'\n",
    ],
)
def test_a_framework_that_an_extra_or_a_group_asks_for(tmp_path: Path, lists: str) -> None:
    files = {"api/pyproject.toml": lists, "api/requirements.txt": "-e git+https://x/y\n"}
    found = looked(tmp_path, {**files, "api/app/main.py": APP})
    assert notes(found)["the backend is in api/"] == "api"


def test_monorepo_of_two_backends(tmp_path: Path) -> None:
    files = {
        "api/requirements.txt": PINNED,
        "api/main.py": APP,
        "admin/requirements.txt": PINNED,
        "admin/main.py": APP,
    }
    found = looked(tmp_path, files)
    assert found.backend is None
    (question,) = found.questions
    assert (question.key, question.choices, question.default) == ("folder", ("admin", "api"), None)
    chosen = look(tmp_path, root=tmp_path, answers={"folder": "api"}).backend
    assert chosen is not None
    assert chosen.folder == "api"


def test_two_apps(tmp_path: Path) -> None:
    files = {
        "requirements.txt": PINNED,
        "shop/__init__.py": "",
        "shop/public.py": APP,
        "shop/admin.py": APP,
    }
    found = looked(tmp_path, files)
    assert found.backend is None
    (question,) = found.questions
    assert question.key == "app"
    assert question.choices == ("shop.admin:app", "shop.public:app")
    assert question.default is None
    chosen = look(tmp_path, root=tmp_path, answers={"app": "shop.public:app"})
    assert chosen.backend is not None
    assert chosen.backend.app == "shop.public:app"
    assert chosen.questions == ()


def test_two_apps_of_which_one_was_served(tmp_path: Path) -> None:
    files = {
        "requirements.txt": PINNED,
        "shop/public.py": APP,
        "shop/admin.py": APP,
        "Procfile": "web: uvicorn shop.admin:app --port $PORT\n",
    }
    found = looked(tmp_path, files)
    assert found.backend is not None
    assert found.backend.app == "shop.admin:app"
    assert notes(found)["served so far: shop.admin:app"] == "Procfile:1"


def test_two_apps_of_which_fastapi_run_serves_one(tmp_path: Path) -> None:
    files = {
        "requirements.txt": PINNED,
        "pyproject.toml": "[tool.fastapi]\nentrypoint = 'shop.public:app'\n",
        "shop/public.py": APP,
        "shop/admin.py": APP,
    }
    found = looked(tmp_path, files)
    assert found.backend is not None
    assert found.backend.app == "shop.public:app"
    assert notes(found)["served so far: shop.public:app"] == "pyproject.toml:2"


def test_no_app(tmp_path: Path) -> None:
    files = {"requirements.txt": PINNED, "tool/run.py": "print()\n", "tests/test_x.py": APP}
    with pytest.raises(FilesError, match="no application was found") as caught:
        looked(tmp_path, files)
    assert any("FastAPI()" in line and "Flask()" in line for line in caught.value.details)
    assert any("tests" in line for line in caught.value.details)
    assert "--app" in caught.value.hints[0]


POETRY = """
[tool.poetry]
name = "orders"
version = "0.1.0"
packages = [{ include = "orders", from = "src" }]

[tool.poetry.dependencies]
python = "^3.11"
fastapi = "^0.115"

[tool.poetry.group.dev.dependencies]
pytest = "^8"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""


def test_poetry(tmp_path: Path) -> None:
    files = {"pyproject.toml": POETRY, "poetry.lock": "", "src/orders/main.py": APP}
    with pytest.raises(FilesError, match="Poetry") as caught:
        looked(tmp_path, files)
    assert "`poetry export --only main --output requirements.txt`" in caught.value.hints[0]
    assert str(caught.value.place).endswith("pyproject.toml:3")
    found = looked(tmp_path, {"requirements.txt": PINNED}).backend
    assert found is not None
    assert (found.name, found.packaging, found.python) == ("orders", "pip-venv", "3.13")
    assert (found.app, found.source) == ("orders.main:app", "src")
    assert found.development == ("pytest",)


PDM = """
[project]
name = "orders"
dependencies = ["fastapi"]
requires-python = "==3.12.*"

[tool.pdm]
distribution = false

[tool.pdm.dev-dependencies]
test = ["pytest"]
"""


def test_pdm(tmp_path: Path) -> None:
    files = {"pyproject.toml": PDM, "pdm.lock": "", "orders/main.py": APP}
    with pytest.raises(FilesError, match="PDM") as caught:
        looked(tmp_path, files)
    assert (
        "`pdm export --prod --format requirements --output requirements.txt`"
        in (caught.value.hints[0])
    )
    found = looked(tmp_path, {"requirements.txt": PINNED}).backend
    assert found is not None
    assert (found.python, found.app, found.development) == ("3.12", "orders.main:app", ("pytest",))


SETUP_CFG = """[metadata]
name = orders
version = 1.0

[options]
package_dir =
    = lib
packages = find:
python_requires = >=3.10,<3.13
install_requires =
    flask>=3
    gunicorn

[options.packages.find]
where = lib

[options.extras_require]
test =
    pytest
"""


def test_setup_cfg(tmp_path: Path) -> None:
    files = {
        "setup.cfg": SETUP_CFG,
        "setup.py": "from setuptools import setup\nsetup()\n",
        "lib/orders/__init__.py": "",
        "lib/orders/web.py": "from flask import Flask\napp = Flask(__name__)\n",
    }
    with pytest.raises(FilesError) as caught:
        looked(tmp_path, files)
    assert "`uv pip compile setup.cfg --output-file requirements.txt`" in caught.value.hints[0]
    found = looked(tmp_path, {"requirements.txt": "flask==3.1\ngunicorn==23.0\n"}).backend
    assert found is not None
    assert (found.name, found.python, found.source) == ("orders", "3.12", "lib")
    assert (found.app, found.framework, found.server) == ("orders.web:app", "flask", "gunicorn")
    assert found.development == ("pytest",)


HASHED = """# comment
fastapi==0.165.0 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
    # via -r requirements.in
uvicorn[standard]==0.54.0 ; python_version >= "3.8" --hash=sha256:cccc
"""


def test_requirements_with_hashes(tmp_path: Path) -> None:
    files = {
        "requirements.txt": HASHED,
        "requirements-dev.txt": "-r requirements.txt\npytest\n",
        "app/main.py": APP,
    }
    found = looked(tmp_path, files)
    assert found.backend is not None
    assert found.backend.requirements == ("requirements.txt",)
    assert found.backend.development == ("pytest",)
    assert not any("no version" in text for text in notes(found))


def test_c_extension_of_its_own(tmp_path: Path) -> None:
    setup = (
        "from setuptools import Extension, setup\n"
        "setup(name='fast', ext_modules=[Extension('fast._c', ['fast/_c.c'])])\n"
    )
    files = {
        "setup.py": setup,
        "pyproject.toml": "[build-system]\nrequires = ['setuptools']\n",
        "requirements.txt": PINNED,
        "fast/__init__.py": "",
        "fast/_c.c": "",
        "fast/main.py": APP,
    }
    found = looked(tmp_path, files)
    assert found.backend is not None
    assert found.backend.native == ("gcc", "libc6-dev")
    assert found.backend.installed
    assert found.backend.manifests == ("pyproject.toml", "setup.py")
    assert notes(found)["code that is compiled, by setuptools"] == "setup.py:2"


def test_c_extension_of_a_dependency(tmp_path: Path) -> None:
    sdist = '\n[[package]]\nname = "psycopg2"\nsource = { registry = "https://x" }\nsdist = {}\n'
    files = {
        "pyproject.toml": PYPROJECT,
        "uv.lock": uv_lock("todo-api", "fastapi", "uvicorn", extra=sdist).replace(
            '[{ name = "fastapi" }', '[{ name = "psycopg2" }, { name = "fastapi" }'
        ),
        "app/main.py": APP,
    }
    found = backend(tmp_path, files)
    assert found.native == ("gcc", "libc6-dev", "libpq-dev")
    assert found.libraries == ("libpq5",)
    assert found.database == "postgresql"


def test_python_3_14(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT.replace(">=3.12", ">=3.14"),
        "uv.lock": uv_lock("todo-api", "fastapi", "uvicorn", kind="virtual"),
        "app/main.py": APP,
        "app/new.py": "try:\n    pass\nexcept ValueError, TypeError:\n    pass\nx = t'{1}'\n",
    }
    found = looked(tmp_path, files)
    assert found.backend is not None
    assert found.backend.python == "3.14"
    assert not found.backend.installed
    assert notes(found)["Python 3.14, by `>=3.14`"] == "pyproject.toml:5"


def test_windows_line_ends(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "uv.lock": uv_lock("todo-api", "fastapi", "uvicorn"),
        ".python-version": "3.12\n",
        "src/todo/main.py": f"from todo import db\n{APP}{HEALTH}",
        "src/todo/db.py": "",
    }
    for folder, end in (("unix", b"\n"), ("windows", b"\r\n")):
        write(
            tmp_path / folder / "x",
            {name: text.encode().replace(b"\n", end) for name, text in files.items()},
        )
    unix, windows = (
        look(tmp_path / one / "x", root=tmp_path / one / "x") for one in ("unix", "windows")
    )
    assert windows == unix
    assert windows.backend is not None


def test_windows_line_ends_and_a_byte_order_mark_in_requirements(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + HASHED.replace("\n", "\r\n").encode()
    found = backend(tmp_path, {"requirements.txt": text, "main.py": APP})
    assert found.requirements == ("requirements.txt",)


@pytest.mark.parametrize("bind", ["--bind 0.0.0.0:$PORT", "--bind :${PORT}", "--port $PORT"])
def test_a_procfile_that_leaves_the_port_to_the_platform(tmp_path: Path, bind: str) -> None:
    files = {
        "requirements.txt": PINNED,
        "main.py": APP,
        "Procfile": f"web: gunicorn main:app {bind}\n",
    }
    found = looked(tmp_path, files)
    assert found.backend is not None
    assert found.backend.port == 8000
    assert notes(found)["port 8000"] == "Procfile:1 leaves it to PORT"
