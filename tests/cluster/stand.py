"""One play of a run with a fault: the project, the API server's proxy, and what is there of it."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from kubekit import workflow
from kubekit.api.kube import Kube
from kubekit.api.ownership import KINDS_ANNOTATION, MEMBER_LABEL, OwnedSet
from kubekit.api.resources import KNOWN, NAMESPACE, ref
from kubekit.config.load import load
from kubekit.events import Event, Warned
from kubekit.model import Cancel, Consent, Object, Settings
from kubekit.session import Run
from tests.cluster.busyproxy import BusyProxy
from tests.cluster.conftest import PROFILE, Project

CHANGE, TRIAL = "change", "trial"
"""What the names of requests begin with."""

KINDS = [
    KNOWN[api, kind]
    for api, kind in (
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "Service"),
        ("apps/v1", "Deployment"),
    )
]


@dataclass(kw_only=True)
class Stand:
    """One play: a project in a namespace of its own, and what is said and left of it."""

    project: Project
    proxy: BusyProxy
    namespace: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:8]}")
    told: list[Event] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def owned(self) -> OwnedSet:
        return OwnedSet(project=self.project.name, namespace=self.namespace)

    @contextlib.contextmanager
    def failing(self, kind: str, which: str) -> Iterator[None]:
        """The request of this name goes wrong."""
        for seen in (self.told, self.names, self.counted, self.proxy.answered):
            seen.clear()

        def fault(method: str, path: str) -> str:
            with self.lock:
                name = self.named(method, path)
                self.names.append(name)
            return kind if name and name == which else ""

        self.proxy.fault = fault
        yield
        self.proxy.fault = lambda _method, _path: ""
        self.proxy.back()

    def named(self, method: str, path: str) -> str:
        """A name for a request, the same in each play; empty for one that is left alone.

        What changes something comes one after the other, what asks does not, and not always as
        often: so that is counted for each path.
        """
        bare, _, query = path.partition("?")
        # A watch ends whenever it likes; and whether there is a cluster at all is asked just once.
        if "watch=" in query or bare == "/version":
            return ""
        asks = "GET" if method == "GET" else TRIAL if "dryRun" in query else ""
        where = bare.replace(self.namespace, "NAMESPACE").replace(self.project.name, "PROJECT")
        what = f"{asks} {where}" if asks else CHANGE
        self.counted[what] += 1
        return f"{what} {self.counted[what]}"

    @property
    def warned(self) -> bool:
        """Whether it was told that something was not done."""
        return any(isinstance(event, Warned) for event in self.told)

    def settings(self, *, recreate: bool = False) -> Settings:
        given = load(
            flags={"namespace": self.namespace, "profile": PROFILE},
            environ={},
            cwd=self.project.folder,
            active_profile=lambda: None,
        )
        return replace(given, consent=Consent(recreate=recreate))

    def files(self, **texts: str) -> None:
        """These manifests and no others."""
        for old in (self.project.folder / "manifests").iterdir():
            old.unlink()
        for name, text in texts.items():
            self.project.write(f"manifests/{name}.yaml", text)

    def apply(self, *, recreate: bool = False) -> None:
        workflow.build_and_apply(self.settings(recreate=recreate), Run(emit=self.told.append))

    def kube(self) -> Kube:
        return Kube(context=PROFILE, cancel=Cancel())

    def seen(self) -> dict[str, Any]:
        """What is there of anybody, as far as it is the same each time."""
        kube, found = self.kube(), {}
        for kind in KINDS:
            for item in kube.list(kind.path(self.namespace)):
                if item["metadata"]["name"] != "kube-root-ca.crt":
                    obj = {"kind": kind.kind, **item}
                    found[ref(obj)] = told(obj)
        if kube.get(NAMESPACE.path("", self.namespace)):
            found["Namespace"] = None
        return found

    def created_twice(self, runs: int) -> list[str]:
        """What the API server has made more than once: of the Leases, than once for each run."""
        made = Counter(
            path.partition("?")[0]
            for _, path, status in self.proxy.answered
            if status == 201 and "dryRun" not in path
        )
        return [path for path, count in made.items() if count > (runs if "/leases" in path else 1)]


def told(obj: Object) -> Any:
    if obj["kind"] == "Deployment":
        return obj["spec"]["template"]["spec"]["containers"][0]["args"]
    if obj["kind"] == "Service":
        return obj["spec"]["clusterIP"] == "None"
    kinds = (obj["metadata"].get("annotations") or {}).get(KINDS_ANNOTATION)
    member = (obj["metadata"].get("labels") or {}).get(MEMBER_LABEL)
    return obj.get("data"), kinds, member is not None, obj["metadata"].get("deletionTimestamp")
