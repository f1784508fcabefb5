"""Which pods of the project there are, which of them serve, and which of their containers run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kubekit.api.follow import Changed, Listed, Update
from kubekit.api.resources import ref
from kubekit.dev.adapt import FOLDER, LASTING, Container
from kubekit.dev.probe import Probe, named_ports, probe
from kubekit.manifests.objects import mapping, mappings
from kubekit.model import Manifests, Object
from kubekit.rollout.reading import is_ready
from kubekit.streams.targets import target_port

_PERIOD_SECONDS = 10.0
"""Of a probe that says none, as Kubernetes has it."""

_LATE_SECONDS = 3.0
"""The kubelet looks once a second at what runs, and its word takes its time."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A container that runs and that files are synced into.

    Attributes:
        pod: the pod's name.
        id: the container's own ID: after a restart it is another one.
        image: the reference it was made from.
        fresh: it is the first of its pod: in a volume there is only what its image has put there.
    """

    pod: str
    container: Container
    id: str
    image: str
    fresh: bool = False


@dataclass(frozen=True, kw_only=True)
class New:
    """A pod with one container, which is its first, and not ready yet as far as is known.

    Attributes:
        name: its own.
        image: the reference it is made from.
        probe: what is asked to know that it is ready.
        seconds: once it is, Kubernetes has asked and says so within these.
    """

    name: str
    image: str
    probe: Probe
    seconds: float


class Pods:
    """The pods of a namespace as they change, asked by several threads.

    Attributes:
        workloads: that the project's pods are of, as applied.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Object] = {}
        self._selectors: list[Mapping[str, str]] = []
        self._service: Object | None = None
        self._apps: list[Object] = []
        self._containers: tuple[Container, ...] = ()
        self._current: frozenset[str] = frozenset()
        self._answering: dict[str, float] = {}
        self.workloads: tuple[Object, ...] = ()

    def expect(self, manifests: Manifests, containers: tuple[Container, ...]) -> None:
        """What was applied: its pods are the project's."""
        items = [item.data for item in manifests.items]
        services = [one for one in items if one["kind"] == "Service" and _ports(one)]
        synced = {one.ref for one in containers}
        apps = [own for one in items if ref(one) in synced and (own := _labels(one))]
        if apps:  # a database's Service may stand before the app's
            services = [one for one in services if any(_selects(_selector(one), a) for a in apps)]
        with self._lock:
            self._selectors = list(_selectors(items))
            self._service = services[0] if services else None
            self._apps = apps
            self._containers = containers
            self.workloads = tuple(one for one in items if one["kind"] in LASTING)

    def take(self, update: Update) -> None:
        """One change of the namespace's pods."""
        with self._lock:
            if isinstance(update, Listed):
                self._known = {one["metadata"]["uid"]: one for one in update.items}
            elif isinstance(update, Changed):
                uid = update.item["metadata"]["uid"]
                if update.gone:
                    self._known.pop(uid, None)
                else:
                    self._known[uid] = update.item
            for uid in [*self._answering]:
                # Once Kubernetes has said so, it is for Kubernetes to say whether it still is.
                if uid not in self._known or is_ready(self._known[uid]):
                    del self._answering[uid]

    def present(self) -> list[Object]:
        """The project's pods, the newest last."""
        with self._lock:
            pods = [pod for pod in self._known.values() if self._is_ours(pod)]
        return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def ours(self) -> list[Object]:
        """Those of them that are not being deleted."""
        return [pod for pod in self.present() if "deletionTimestamp" not in pod["metadata"]]

    def has(self, name: str) -> bool:
        """Whether there is such a pod, and it is not being deleted."""
        return any(pod["metadata"]["name"] == name for pod in self.ours())

    @property
    def are_ready(self) -> bool:
        """Whether there are any, and each of them is ready."""
        ours = self.ours()
        return bool(ours) and all(map(is_ready, ours))

    def probes(self) -> tuple[str, ...]:
        """The paths that the kubelet asks the pods' containers for."""
        found = {
            str(probe["httpGet"]["path"])
            for pod in self.present()
            for container in pod["spec"]["containers"]
            for kind in ("readinessProbe", "livenessProbe", "startupProbe")
            if (probe := container.get(kind)) and (probe.get("httpGet") or {}).get("path")
        }
        return tuple(sorted(found))

    def running(self) -> list[Running]:
        """The containers that run now and that files are synced into."""
        named = {one.name: one for one in self._containers}
        return [
            Running(
                pod=pod["metadata"]["name"],
                container=named[status["name"]],
                id=status.get("containerID", ""),
                image=image,
                fresh=status.get("restartCount") == 0,
            )
            for pod in self.ours()
            for status, image in _running(pod)
            if status["name"] in named
        ]

    def serve(self, current: Iterable[str]) -> None:
        """These containers, by ID, have the files as they are on this machine."""
        with self._lock:
            self._current = frozenset(current)

    def new(self, uid: str) -> New | None:
        """The pod of this uid, if it is new and whether it is ready can be asked by HTTP."""
        pod = next((one for one in self._led_to() if one["metadata"]["uid"] == uid), None)
        if pod is None or not _is_new(pod):
            return None
        spec = pod["spec"]["containers"][0]
        asked = probe(spec.get("readinessProbe"), named_ports(spec))
        plain = asked and asked.path and asked.scheme == "HTTP" and not asked.host
        if asked is None or not plain or not _ours(spec):
            return None
        name = str(pod["metadata"]["name"])
        return New(name=name, image=spec.get("image", ""), probe=asked, seconds=_within(spec))

    def answers(self, uid: str, seconds: float) -> None:
        """The app of this new pod answers its probe, with the files as they are.

        That counts for so many seconds, unless Kubernetes says so, too.
        """
        with self._lock:
            self._answering[uid] = time.monotonic() + seconds

    def doubt(self) -> None:
        """Files have changed: a pod that is not known to be ready may not have them."""
        with self._lock:
            self._answering.clear()

    def choose(self, turn: int) -> tuple[str, int] | None:
        """A pod that is ready and has the files of now, and its port; None where there is none.

        One that is new is ready once it `answers`. Of several revisions the newest; of several pods
        another one at each turn.
        """
        ready = [pod for pod in self._led_to() if self._serves(pod)]
        revision = ready[-1]["metadata"].get("ownerReferences") if ready else None
        same = [pod for pod in ready if pod["metadata"].get("ownerReferences") == revision]
        ways = [(pod, port) for pod in same if (port := target_port(self._service, pod))]
        if not ways:
            return None
        pod, port = ways[turn % len(ways)]
        return str(pod["metadata"]["name"]), port

    def newest(self) -> str | None:
        """The newest pod in which the app runs, be it ready or not; None where there is none.

        Of several workloads, the one that the Service leads to.
        """
        runs = {one.pod for one in self.running()}
        found = [name for pod in self._led_to() if (name := str(pod["metadata"]["name"])) in runs]
        return found[-1] if found else None

    def _led_to(self) -> list[Object]:
        """The pods that the app's Service leads to; without one, those that files are synced into.

        All of the project's where files are synced into none.
        """
        service = self._service
        ours, wanted = self.ours(), self._apps
        if not wanted:
            return ours
        if service:
            wanted = [_selector(service)]
        return [pod for pod in ours if any(_selects(one, _own_labels(pod)) for one in wanted)]

    def _serves(self, pod: Object) -> bool:
        if is_ready(pod):
            return self._is_current(pod)
        return time.monotonic() < self._answering.get(pod["metadata"]["uid"], 0.0) and _is_new(pod)

    def _is_ours(self, pod: Object) -> bool:
        return any(_selects(one, _own_labels(pod)) for one in self._selectors)

    def _is_current(self, pod: Object) -> bool:
        expected = {one.name for one in self._containers}
        named = {one["name"] for one in pod["spec"]["containers"]} & expected
        ids = {status["name"]: status.get("containerID", "") for status, _ in _running(pod)}
        return all(ids.get(name) in self._current for name in named)


def _ports(service: Object) -> list[Object]:
    return mappings(mapping(service, "spec").get("ports"))


def _selector(service: Object) -> Object:
    return mapping(service, "spec", "selector")


def _selects(selector: Mapping[str, str], labels: Object) -> bool:
    """An empty one selects nothing: it is no selector."""
    return bool(selector) and selector.items() <= labels.items()


def _own_labels(pod: Object) -> Object:
    return pod["metadata"].get("labels") or {}


def _labels(workload: Object) -> Object:
    """Of its pods."""
    above = () if workload["kind"] == "Pod" else ("spec", "template")
    return mapping(workload, *above, "metadata", "labels")


def _selectors(items: Iterable[Object]) -> Iterator[Mapping[str, str]]:
    for item in items:
        if item["kind"] == "Pod":
            yield mapping(item, "metadata", "labels")
        elif item["kind"] in LASTING:
            yield mapping(item, "spec", "selector", "matchLabels")


def _running(pod: Object) -> Iterator[tuple[Object, str]]:
    """Status and image of each container that runs with our programs in it.

    Those of a plain `build-and-apply`, which a rollout of `dev` is about to replace, have none.
    """
    images = {one["name"]: one.get("image", "") for one in pod["spec"]["containers"] if _ours(one)}
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status["name"] in images and "running" in (status.get("state") or {}):
            yield status, images[status["name"]]


def _is_new(pod: Object) -> bool:
    """Nothing of it has ended yet, and that its app answers is all that it takes to be ready."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    first = all(
        not one.get("restartCount") and "terminated" not in (one.get("state") or {})
        for one in statuses
    )
    spec = pod["spec"]
    beside = [one for one in spec.get("initContainers") or () if one.get("restartPolicy")]
    alone = len(spec["containers"]) == 1 and not beside and not spec.get("readinessGates")
    return first and alone and not is_ready(pod)


def _within(spec: Object) -> float:
    """How long the kubelet may take to see that a container is ready, by its probes' fields."""
    probes = [one for kind in ("startupProbe", "readinessProbe") if (one := spec.get(kind))]
    waits = (
        float(one.get("initialDelaySeconds", 0))
        + float(one.get("periodSeconds", _PERIOD_SECONDS)) * float(one.get("successThreshold", 1))
        for one in probes
    )
    return sum(waits) + _LATE_SECONDS


def _ours(container: Object) -> bool:
    mounts = container.get("volumeMounts") or ()
    return any(one.get("mountPath") == FOLDER for one in mounts)
