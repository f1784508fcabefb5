"""What `init` tells of where a file of sqlite lies in a pod, and of what is to be mended there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubekit.detect.backend import Backend, Stored
from kubekit.events import Event, Noted
from kubekit.init.storing import tell_of_sqlite, to_mend
from tests.unit.backends import SHAPES

OWN = Stored(path="site/settings.py", line=9, written="DB / 'x'")
AT = "site/settings.py:9"
HAS_TO = "a file of sqlite has to lie in /app/data"
LIES = "the file of sqlite lies in /app/data"
UNKNOWN = (
    "it is not known where the file of sqlite, `DB / 'x'`, lies in a pod: only /app/data will do"
)
WHY = "the only folder that can be written to, and a volume keeps it"


def with_file(own: Stored | None, *, installed: bool = False) -> Backend:
    return replace(SHAPES["django, sqlite"], stored=own, installed=installed)


def told(backend: Backend) -> list[tuple[str, str]]:
    events: list[Event] = []
    tell_of_sqlite(backend, events.append)
    return [(one.text, one.where) for one in events if isinstance(one, Noted)]


def would_lie(path: str) -> str:
    return f"the file of sqlite would lie at `{path}`, where nothing can be written"


@pytest.mark.parametrize(
    ("own", "text", "where"),
    [
        (None, HAS_TO, WHY),
        (replace(OWN, text="./data/x"), LIES, WHY),
        (replace(OWN, text="shop/../data/x"), LIES, WHY),
        (replace(OWN, text="/app/data/x"), LIES, WHY),
        (replace(OWN, text="./x"), would_lie("/app/x"), AT),
        (replace(OWN, text="src/data/x"), would_lie("/app/src/data/x"), AT),
        (replace(OWN, text="../data/x"), would_lie("/data/x"), AT),
        (replace(OWN, text="data/../x"), would_lie("/app/x"), AT),
        (OWN, UNKNOWN, AT),
        (replace(OWN, variable="HOME", below="/x"), UNKNOWN, AT),
        (replace(OWN, variable="DATA", below="/db/x"), UNKNOWN, AT),
        (replace(OWN, variable="DATA", below="/x"), f"{LIES}: the image sets DATA=/app/data", AT),
    ],
)
def test_where_the_file_lies_in_a_pod(own: Stored | None, text: str, where: str) -> None:
    backend = with_file(own)
    assert told(backend) == [(text, where)]
    mended = to_mend(backend)
    assert bool(mended) == (text == UNKNOWN or "would lie" in text)
    if mended:
        read = "os.environ.get(\"SQLITE_PATH\", DB / 'x')"
        assert mended[0] == f"{AT}: `import os`, and let `NAME` be `{read}`"


def test_what_is_installed_does_not_lie_where_its_source_does() -> None:
    assert told(with_file(replace(OWN, text="./data/x"), installed=True)) == [(UNKNOWN, AT)]
    assert told(with_file(replace(OWN, text="/app/data/x"), installed=True)) == [(LIES, WHY)]


@pytest.mark.parametrize("own", [OWN, replace(OWN, text="./x"), None])
def test_nothing_is_told_of_a_file_where_the_database_is_a_server(own: Stored | None) -> None:
    backend = replace(with_file(own), database="postgresql", data=("data",))
    assert told(backend) == []
    assert to_mend(backend) == ()
