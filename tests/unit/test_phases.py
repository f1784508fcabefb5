"""What is to run before the rest: told from the manifests, and put in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.errors import FilesError, Place
from kubekit.manifests.phases import ANNOTATION, check_phases, is_before
from kubekit.model import Manifest


def manifest(kind: str, value: str | None) -> Manifest:
    metadata = {"name": "a", **({"annotations": {ANNOTATION: value}} if value else {})}
    data = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
    return Manifest(data=data, origin=Place(file=Path("a.yaml"), line=1))


def test_a_phase_that_is_none_is_refused() -> None:
    good = [manifest("Job", "before"), manifest("Deployment", None)]
    check_phases(good)
    assert [is_before(item) for item in good] == [True, False]
    with pytest.raises(FilesError) as caught:
        check_phases([*good, manifest("Job", "after"), manifest("ConfigMap", "before")])
    assert "must be `before`, got `after`" in caught.value.message
    assert "`ConfigMap/a` runs nothing" in caught.value.details[0]
