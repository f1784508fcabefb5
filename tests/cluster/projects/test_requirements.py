"""Every row of docs/requirements.md, looked at again: in `make test` those of one, drawn by lot."""

from __future__ import annotations

import pytest

from kubekit.model import DockerEndpoint
from tests.requirements import ROWS, looked

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("letter", ROWS)
def test_what_was_asked_for_is_so(
    letter: str, endpoint: DockerEndpoint, bases: frozenset[str]
) -> None:
    found = looked(letter, endpoint, bases)[letter]
    assert not [(one.row.id, one.wrong) for one in found if one.wrong]
