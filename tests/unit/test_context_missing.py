"""What is to be copied and does not exist is told before anything is pulled or built."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.errors import BuildError
from kubekit.image.files import context, missing
from kubekit.model import BuildSettings

HEAD = "FROM python:3.13-slim AS a\n"


def check(folder: Path, text: str, **more: str) -> BuildError | None:
    for name in ("shop/main.py", "hidden", "first/two"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / ".dockerignore").write_text("hidden\n")
    file = folder / "Dockerfile"
    file.write_text(text)
    settings = BuildSettings(context=folder, dockerfile=file, target=more.pop("target", None))
    try:
        missing.check(context.plan(settings, name="shop"))
    except BuildError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("line", "path", "hint"),
    [
        ("COPY shop/mian.py /", "shop/mian.py", "did you mean `shop/main.py`?"),
        ("COPY shpo /app", "shpo", "did you mean `shop`?"),
        ("COPY --chown=1:1 none /", "none", "paths start at `build.context`"),
        ("COPY shop /none none /", "none", "paths start at `build.context`"),
        ('COPY ["shop", "no such", "/"]', "no such", "paths start at `build.context`"),
        ("ADD none /", "none", "paths start at `build.context`"),
        ("COPY hidden/x /", "hidden/x", "paths start at `build.context`"),
    ],
)
def test_what_is_not_there(tmp_path: Path, line: str, path: str, hint: str) -> None:
    error = check(tmp_path, f"{HEAD}{line}\n")
    assert error is not None
    assert error.message == f"`{line}` failed: `{path}` is not in the build context"
    assert error.hints == (hint,)
    assert (error.place.line if error.place else None, error.id) == (2, "copy-source")


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}COPY shop first/two . /\n",
        f"{HEAD}COPY none* /\n",
        f"{HEAD}COPY none/**/x /\n",
        f"{HEAD}COPY $NONE /\n",
        f"{HEAD}COPY --from=python:3.13 /none /\n",
        f"{HEAD}ADD https://example.com/none /\n",
        f"{HEAD}ADD git@example.com:none /\n",
        f"{HEAD}COPY <<EOF /x\nnone\nEOF\n",
        f"{HEAD}COPY link/none /\n",
        f"{HEAD}COPY ../shop /\n",
        f"# syntax=example.com/other\n{HEAD}COPY none /\n",
        # The daemon says that of what is kept out, and knows better what is let in again.
        f"{HEAD}COPY hidden /\n",
    ],
)
def test_what_may_be_there_is_the_builders_to_judge(tmp_path: Path, text: str) -> None:
    (tmp_path / "link").symlink_to("shop")
    assert check(tmp_path, text) is None


def test_a_stage_that_is_not_built_misses_nothing(tmp_path: Path) -> None:
    text = f"{HEAD}COPY shop /\nFROM a AS b\nCOPY none /\n"
    assert check(tmp_path, text, target="a") is None
    assert check(tmp_path, text) is not None
