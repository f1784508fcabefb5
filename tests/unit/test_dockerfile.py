"""What kubekit reads of a Dockerfile: the images it starts from, and where its steps stand."""

from __future__ import annotations

import pytest

from kubekit.image.files import dockerfile
from kubekit.image.files.located import locate


def images(text: str, target: str | None = None, **given: str) -> list[str]:
    found = dockerfile.parse(text).images(target, given)
    return [image.reference for image in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a", ["a"]),
        ("from a as b", ["a"]),
        ("\ufeffFROM a", ["a"]),
        ("FROM a\r\nRUN x\r\n", ["a"]),
        ("FROM scratch", []),
        ("FROM r.io:5000/a/b:1@sha256:0 AS x", ["r.io:5000/a/b:1@sha256:0"]),
        ("FROM --platform=linux/arm64 a AS b", ["a"]),
        ("FROM a AS one\nFROM one", ["a"]),
        ("FROM a AS one\nFROM ONE", ["a"]),
        ("FROM a AS one\nFROM b\nCOPY --from=one /x /x", ["a", "b"]),
        ("FROM a\nFROM b\nCOPY --from=0 /x /x", ["a", "b"]),
        ("FROM a\nFROM b", ["b"]),
        ("FROM a\nCOPY --chown=1:1 --from=c:1 /x /x", ["a", "c:1"]),
        ("FROM a\nRUN --mount=type=bind,from=c,target=/c true", ["a", "c"]),
        ("FROM a AS a", ["a"]),
        ('FROM "a" AS b', ["a"]),
        ("FROM a AS one\nFROM 'one'", ["a"]),
        ("FROM \\\n  # why\n\n  a \\\n  AS b\n", ["a"]),
        ("# escape=`\nFROM `\n a", ["a"]),
        ("FROM a\nRUN <<EOF\nFROM not\nEOF\nCOPY --from=c /x /x", ["a", "c"]),
        ("FROM a\nRUN cat <<-'EOF'\n\tFROM not\n\tEOF\nCOPY --from=c /x /x", ["a", "c"]),
        ("FROM a\nRUN echo \\\nFROM b", ["a"]),
        ("FROM\ta\tAS\tb", ["a"]),
        ("FROM a\\\n  AS b", ["a"]),
        ("# key1=x\n# escape=`\nFROM `\n a", ["a"]),
        ("FROM a\nRUN cat <<EOF\nCOPY --from=c /x /x", ["a", "c"]),
        ("FROM a\nCOPY <<robots.txt /x\nFROM not\nrobots.txt\nCOPY --from=c /x /x", ["a", "c"]),
        ("FROM a\nRUN cat <<'END-FILE' > /x\nFROM not\nEND-FILE\nCOPY --from=c /x /x", ["a", "c"]),
        ('FROM a\nRUN cat 3<<-"E"OF\nFROM not\n\tEOF\nCOPY --from=c /x /x', ["a", "c"]),
        ("FROM a\nRUN cat <<\\EOF\nFROM not\nEOF\nCOPY --from=c /x /x", ["a", "c"]),
        ("FROM a\nRUN <<A <<B\nFROM not\nA\nFROM not\nB\nCOPY --from=c /x /x", ["a", "c"]),
        # No word of its own, and none at all.
        ("FROM a\nRUN cat '<<EOF'\nFROM b\nEOF", ["b"]),
        ("FROM a\nRUN cat 'x <<EOF '\nFROM b\nEOF", ["b"]),
        ("FROM a\nRUN echo it's <<EOF\nFROM b\nEOF", ["b"]),
        ("FROM a\nRUN cat <<<EOF\nFROM b\nEOF", ["b"]),
        ("FROM a\nRUN echo $((1<<c))\nCOPY --from=c /x /x\nc", ["a", "c"]),
        ("FROM a\nCOPY --from='c' /x /x", ["a", "c"]),
        ("FROM a\nRUN --mount=Type=bind,From=c true", ["a", "c"]),
        ("FROM a\n\\", ["a"]),
        ("RUN before\nFROM a", ["a"]),
        ("", []),
        ("FROM", [""]),
    ],
)
def test_images(text: str, expected: list[str]) -> None:
    assert images(text) == expected


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("ARG V=1\nFROM a:$V", {}, "a:1"),
        ("ARG V\nFROM a:$V", {}, ""),
        ("ARG V\nFROM a:$V-slim", {}, ""),
        ("ARG V\nFROM a:1-$V", {}, ""),
        ("ARG R\nFROM $R/a", {}, ""),
        ("ARG R\nFROM r.io/$R/a", {}, ""),
        ("ARG D\nFROM a@$D", {}, ""),
        ("ARG V\nFROM a:1$V", {}, "a:1"),
        ("ARG R\nFROM ${R}r.io:5000/a-b/c:1.0", {}, "r.io:5000/a-b/c:1.0"),
        ("ARG V=1\nFROM a:${V}", {"V": "2"}, "a:2"),
        ("ARG V\nFROM a:${V:-3}", {}, "a:3"),
        ("ARG V\nFROM a:${V-3}", {"V": ""}, ""),
        ("ARG V\nFROM a:${V:-3}", {"V": ""}, "a:3"),
        ("ARG V=1\nFROM a${V:+:5}", {}, "a:5"),
        ("ARG V\nFROM a${V:+:5}", {}, "a"),
        ("ARG V\nFROM a${V+:5}", {"V": ""}, "a:5"),
        ("ARG A=x B='y'\nARG C=\"$A-$B\"\nFROM $C", {}, "x-y"),
        ("ARG V\nFROM $V", {}, ""),
        ("FROM a\\$b", {}, "a$b"),
        ("FROM a-$TARGETARCH", {"TARGETARCH": "amd64"}, "a-amd64"),
    ],
)
def test_variables(text: str, given: dict[str, str], expected: str) -> None:
    assert images(text, None, **given) == [expected]


def test_only_what_the_target_needs() -> None:
    text = "FROM a AS one\nFROM b AS two\nFROM two AS three\nFROM c"
    assert images(text, "three") == ["b"]
    assert images(text, "ONE") == ["a"]
    assert images(text, "1") == ["b"]
    assert images(text, "nowhere") == []


def test_platforms() -> None:
    parsed = dockerfile.parse("FROM --platform=$BUILDPLATFORM a AS x\nFROM b\nCOPY --from=x / /")
    assert parsed.asks_for_platform
    found = parsed.images(None, {"BUILDPLATFORM": "linux/amd64"})
    assert [(image.reference, image.platform, image.line) for image in found] == [
        ("a", "linux/amd64", 1),
        ("b", None, 2),
    ]
    assert not dockerfile.parse("ARG V=1\nFROM a:$V").asks_for_platform


STAGES = """\
# syntax=docker/dockerfile:1
ARG V=1
FROM a AS builder
ENV X=1
WORKDIR /srv
# a comment
RUN one && \\
    two
COPY . .

FROM builder AS tested
RUN three
FROM scratch
COPY --from=builder /srv /srv
FROM b
ADD x y
"""


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ("[builder 1/4] FROM docker.io/library/a", 3),
        ("[builder 2/4] WORKDIR /srv", 5),
        ("[builder 3/4] RUN one &&     two", 7),
        ("[linux/amd64 builder 4/4] COPY . .", 9),
        ("[tested 1/1] RUN three", 12),
        ("[stage-2 1/1] COPY --from=builder /srv /srv", 14),
        ("[stage-3 2/2] ADD x y", 16),
        ("[2/2] ADD x y", 16),
        ("[stage-3 2/2] RUN something else", None),
        ("[stage-3 9/9] ADD x y", None),
        ("[unknown 1/1] RUN x", None),
        ("exporting to image", None),
        ("", None),
    ],
)
def test_steps_have_a_line(step: str, line: int | None) -> None:
    found = locate(dockerfile.parse(STAGES), step)
    assert (found.line if found else None) == line


def test_a_from_that_names_a_stage_by_a_variable_is_not_counted() -> None:
    parsed = dockerfile.parse("ARG V=a\nFROM x AS base-a\nFROM base-${V}\nRUN one\nRUN two\n")
    found = locate(parsed, "[stage-1 2/2] RUN two")
    assert found is not None
    assert found.line == 5


def test_directives() -> None:
    assert dockerfile.parse(STAGES).directives == {"syntax": "docker/dockerfile:1"}
    assert dockerfile.parse("\n# syntax=x\nFROM a").directives == {}
    assert dockerfile.parse("# just words\n# syntax=x\nFROM a").directives == {}


def test_mounts() -> None:
    parsed = dockerfile.parse("FROM a\nRUN --mount=type=secret,id=x --mount=type=cache,ro true")
    mounts = parsed.stages[0].body[0].mounts
    assert mounts == ({"type": "secret", "id": "x"}, {"type": "cache", "ro": ""})
