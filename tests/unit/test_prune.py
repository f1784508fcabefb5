"""The parent names the kinds that have members, also after a prune that was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubekit.api import removal
from kubekit.api.ownership import OwnedSet
from kubekit.api.resources import KNOWN
from kubekit.errors import Place
from kubekit.model import Applied, AppliedObject, Manifest, Object

OWNED = OwnedSet(project="x", namespace="x")
CONFIG: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "uid": "a"}}


@pytest.mark.parametrize(
    ("named", "written"),
    [
        ({"ConfigMap"}, []),
        ({"ConfigMap", "Service"}, [{"ConfigMap"}]),
        ({"ConfigMap", "Thing.of.a.crd.that.was.deleted"}, [{"ConfigMap"}]),
        (None, []),
    ],
)
def test_a_run_that_prunes_nothing_shrinks_what_the_one_before_did_not(
    named: set[str] | None, written: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote: list[set[str]] = []
    there = [(KNOWN["v1", "ConfigMap"], CONFIG)] if named else []
    monkeypatch.setattr(removal, "read_kinds", lambda *_: named and frozenset(named))
    monkeypatch.setattr(removal, "members", lambda *_: there)
    monkeypatch.setattr(removal, "write_kinds", lambda *given: wrote.append(set(given[2])))
    manifest = Manifest(data=CONFIG, origin=Place(file=Path("/app.yaml")))
    done = AppliedObject(manifest=manifest, action="unchanged", live=CONFIG)
    kube: Any = None
    applied = Applied(objects=(done,), since=0)
    assert removal.prune(kube, applied, owned=OWNED, emit=lambda _: None) == 0
    assert wrote == written


def test_claims_that_are_not_yet_there_are_named_still(monkeypatch: pytest.MonkeyPatch) -> None:
    wrote: list[set[str]] = []
    stateful: Object = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "uid": "db"},
        "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
    }
    kinds = frozenset({"StatefulSet.apps", "PersistentVolumeClaim"})
    there = [(KNOWN["apps/v1", "StatefulSet"], stateful)]
    monkeypatch.setattr(removal, "read_kinds", lambda *_: kinds)
    monkeypatch.setattr(removal, "members", lambda *_: there)
    monkeypatch.setattr(removal, "write_kinds", lambda *given: wrote.append(set(given[2])))
    manifest = Manifest(data=stateful, origin=Place(file=Path("/db.yaml")))
    done = AppliedObject(manifest=manifest, action="unchanged", live=stateful)
    kube: Any = None
    removal.prune(kube, Applied(objects=(done,), since=0), owned=OWNED, emit=lambda _: None)
    assert wrote == []
