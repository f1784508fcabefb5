"""Every row of docs/requirements.md, looked at again: E's in `make test`, all with `--rounds 3`."""

from __future__ import annotations

import pytest

from kubekit.model import DockerEndpoint
from tests.requirements import ROWS, looked

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rounds = metafunc.config.getoption("--rounds")
    metafunc.parametrize("letter", list(ROWS) if rounds > 1 else ["e"])


def test_what_was_asked_for_is_so(
    letter: str, endpoint: DockerEndpoint, bases: frozenset[str]
) -> None:
    found = looked(letter, endpoint, bases)[letter]
    assert not [(one.row.id, one.wrong) for one in found if one.wrong]
