"""What is to be copied and does not exist is told before anything is pulled or built."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.errors import BuildError
from kubekit.image.files import context, missing
from kubekit.model import BuildSettings

HEAD = "FROM python:3.13-slim AS a\n"


def check(
    folder: Path, text: str, *, target: str | None = None, args: dict[str, str] | None = None
) -> BuildError | None:
    for name in ("shop/main.py", "hidden", "first/two", ".env", "id_rsa"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / ".dockerignore").write_text("hidden\n")
    file = folder / "Dockerfile"
    file.write_text(text)
    settings = BuildSettings(context=folder, dockerfile=file, target=target, args=args or {})
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
        # Not to be proposed: what is secret, and what the build does not get.
        ("COPY env /", "env", "paths start at `build.context`"),
        ("COPY id_rs /", "id_rs", "paths start at `build.context`"),
        ("COPY hiden /", "hiden", "paths start at `build.context`"),
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
        f"{HEAD}COPY <<robots.txt /x\nCOPY none /\nrobots.txt\n",
        f"{HEAD}RUN cat <<'END-FILE' > /x\nCOPY none /\nEND-FILE\n",
        f'{HEAD}RUN <<"E"OF\nCOPY none /\nEOF\n',
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


def test_a_name_that_no_disk_takes(tmp_path: Path) -> None:
    error = check(tmp_path, f"{HEAD}COPY {'n' * 300} /\n")
    assert error is not None
    assert error.message.endswith("is not in the build context")


STAGES = (
    "ARG V=prod\nFROM scratch AS base-dev\nCOPY none /\nFROM scratch AS base-prod\nCOPY shop /\n"
)


@pytest.mark.parametrize(
    ("text", "args", "misses"),
    [
        (f"{STAGES}FROM base-${{V}}\n", {}, False),
        (f"{STAGES}FROM base-$V\n", {"V": "dev"}, True),
        (f'{STAGES}FROM "base-prod"\n', {}, False),
        (f'{STAGES}FROM "base-dev"\n', {}, True),
        (f"{STAGES}FROM base-${{NONE}}\n", {}, False),
        # Only the builder knows what these are.
        ("FROM scratch AS a\nCOPY none /\nFROM a${TARGETARCH}\n", {}, False),
        ("FROM scratch AS a\nCOPY none /\nFROM ${TARGETARCH:-a}\n", {}, False),
        ("ARG V=$BUILDOS\nFROM scratch AS a\nCOPY none /\nFROM a$V\n", {}, False),
    ],
)
def test_a_stage_that_a_variable_names(
    tmp_path: Path, text: str, args: dict[str, str], misses: bool
) -> None:
    assert (check(tmp_path, text, args=args) is not None) == misses
