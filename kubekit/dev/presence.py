"""Whether as many pods serve as should, while no release goes on: a pod may go by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubekit.api.kube import Kube
from kubekit.api.resources import NAMESPACE, find, ref
from kubekit.dev.voice import Voice
from kubekit.errors import KubekitError
from kubekit.model import Object
from kubekit.rollout.reading import is_ready

_PATIENCE = 1.0


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What there is of the workloads: those that are gone, and how many pods the others want."""

    gone: tuple[str, ...]
    pods: int


class Presence:
    """Follows the pods that run, and tells when one goes, and when as many serve again."""

    def __init__(self, kube: Kube, namespace: str, voice: Voice) -> None:
        self._kube = kube
        self._namespace = namespace
        self._voice = voice
        self._up: frozenset[str] = frozenset()
        self._serving = 0
        self._missing: Standing | None = None

    def take(self, pods: Sequence[Object], workloads: Iterable[Object], *, quiet: bool) -> bool:
        """The pods as they are now; whether that is news.

        Args:
            pods: of the project, without those that are being deleted.
            workloads: that they are of, as applied.
            quiet: a release or a sync goes on, which tells by itself how it ends.
        """
        before, was = self._up, (self._serving, self._missing)
        self._up = frozenset(str(pod["metadata"]["name"]) for pod in pods if _is_up(pod))
        self._serving = sum(is_ready(pod) for pod in pods)
        lost = before - self._up
        if quiet:
            self._missing = None
            return False
        if not lost and self._missing is None:
            return False
        there = {str(pod["metadata"]["name"]) for pod in pods}
        self._missing = self._standing(workloads, len(before))
        self._tell(lost, there, was[1])
        if self._missing.pods <= self._serving and not self._missing.gone:
            self._missing = None
        return was != (self._serving, self._missing)

    @property
    def well(self) -> bool:
        """Whether a pod serves, as far as it is known that one is missing."""
        return self._missing is None or (self._serving > 0 and not self._missing.gone)

    @property
    def waits(self) -> bool:
        """Whether nothing serves until a pod has started that starts by itself."""
        return not self.well and self._missing is not None and not self._missing.gone

    def text(self, pods: int) -> str:
        """How it stands; with so many pods where none is missing."""
        if self._missing is None:
            return _count(pods)
        if self._missing.gone:
            return _gone(self._missing.gone)
        text = f"{self._serving} of {self._missing.pods} pods"
        return text if self.well else f"waiting: {text}"

    def _standing(self, workloads: Iterable[Object], before: int) -> Standing:
        """Asked of the cluster: somebody else may have scaled or deleted them."""
        gone, pods = [], 0
        try:
            path = NAMESPACE.path("", self._namespace)
            if _is_gone(self._kube.get(path, patience=_PATIENCE)):
                # What is in it goes a little later, and maybe after its last pod.
                return Standing(gone=(f"Namespace/{self._namespace}",), pods=0)
            for one in workloads:
                name = str(one["metadata"]["name"])
                path = find(self._kube, one["apiVersion"], one["kind"]).path(self._namespace, name)
                live = self._kube.get(path, patience=_PATIENCE)
                if live is None or _is_gone(live):
                    gone.append(ref(one))
                else:
                    pods += _wanted(live)
        except KubekitError:  # what cannot be asked is as it was
            return self._missing or Standing(gone=(), pods=before)
        return Standing(gone=tuple(gone), pods=pods)

    def _tell(self, lost: frozenset[str], there: set[str], before: Standing | None) -> None:
        now = self._missing
        if now is None:
            return
        if now.gone:
            if before is None or before.gone != now.gone:
                self._voice.doing("none", _gone(now.gone))
            return
        for name in sorted(lost):
            starts = "; it starts again" if name in there else "; a new one starts"
            what = "has stopped" if name in there else "is gone"
            more = starts if now.pods > self._serving else ""
            self._voice.doing("none", f"Pod `{name}` {what}{more}")
        if before is not None and now.pods <= self._serving:
            self._voice.doing("none", f"live again: {_count(self._serving)}")


def _is_up(pod: Object) -> bool:
    """All its containers run."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return bool(statuses) and all("running" in (one.get("state") or {}) for one in statuses)


def _is_gone(live: Object | None) -> bool:
    return live is None or "deletionTimestamp" in live["metadata"]


def _wanted(workload: Object) -> int:
    if workload["kind"] == "DaemonSet":
        return int((workload.get("status") or {}).get("desiredNumberScheduled") or 0)
    return int((workload.get("spec") or {}).get("replicas", 1))


def _count(pods: int) -> str:
    return f"{pods} pod{'' if pods == 1 else 's'}"


def _gone(refs: tuple[str, ...]) -> str:
    verb, it = ("are", "them") if len(refs) > 1 else ("is", "it")
    return f"{', '.join(refs)} {verb} gone: `r` applies {it} again"
