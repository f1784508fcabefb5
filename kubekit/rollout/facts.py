"""Facts the judge asks for: logs, keys of Secrets and ConfigMaps, whether a namespace stays."""

from __future__ import annotations

import contextlib

from kubekit.api.kube import ApiError, Kube
from kubekit.api.resources import CONFIG_MAP, KNOWN, NAMESPACE, PODS
from kubekit.errors import UnreachableError
from kubekit.model import Clock
from kubekit.rollout.evidence import LOG_LINES
from kubekit.rollout.snapshot import KeysOf, LogOf, NamespaceOf, Want, containers_of

_REFRESH_SECONDS = 2.0
_SECRETS = KNOWN["v1", "Secret"]


class Facts:
    """What was read of the API because the judge asked for it; see `Snapshot`."""

    def __init__(self, kube: Kube, namespace: str, clock: Clock) -> None:
        self._kube = kube
        self._namespace = namespace
        self._clock = clock
        self._fetched: dict[Want, float] = {}
        self.logs: dict[LogOf, str | None] = {}
        self.configs: dict[KeysOf, tuple[str, ...] | None] = {}
        self.namespaces: dict[NamespaceOf, bool] = {}

    def fetch(self, wants: frozenset[Want]) -> bool:
        """Read the facts asked for; each again only after a while. Whether anything was read."""
        now = self._clock.now()
        due = [want for want in wants if now - self._fetched.get(want, -1e9) > _REFRESH_SECONDS]
        for want in due:
            self._fetched[want] = now
            # Out of reach says nothing about the fact: it is asked for again.
            with contextlib.suppress(UnreachableError):
                match want:
                    case LogOf():
                        self.logs[want] = self._read_log(want)
                    case KeysOf():
                        self.configs[want] = self._read_keys(want)
                    case NamespaceOf():
                        self.namespaces[want] = self._stays(want)
        return bool(due)

    def forget(self, running: frozenset[LogOf]) -> None:
        """Look again and again for a Secret others may bring, and at a log that goes on."""
        now = self._clock.now()
        for want, when in self._fetched.items():
            if now - when <= _REFRESH_SECONDS:
                continue
            if isinstance(want, KeysOf):
                self.configs.pop(want, None)
            elif isinstance(want, LogOf) and want in running:
                self.logs.pop(want, None)

    def _read_log(self, want: LogOf) -> str | None:
        """The log of this very attempt: the container may start again while it is read."""
        previous = self._is_previous(want)
        for _ in range(3):
            if previous is None:
                return None
            text = _log_text(self._kube, self._namespace, want, previous=previous)
            before, previous = previous, self._is_previous(want)
            if previous == before:
                return text
        return None

    def _is_previous(self, want: LogOf) -> bool | None:
        """Whether the API calls this log the previous one by now; None where it has it no more."""
        try:
            pod = self._kube.get(PODS.path(self._namespace, want.pod), patience=0)
        except ApiError:
            return None
        for container in containers_of(pod) if pod else ():
            if container.name == want.container and container.status:
                if want.attempt == container.restarts:
                    return False
                running = container.running is not None
                return True if running and want.attempt == container.restarts - 1 else None
        return None

    def _read_keys(self, want: KeysOf) -> tuple[str, ...] | None:
        resource = _SECRETS if want.kind == "Secret" else CONFIG_MAP
        try:
            live = self._kube.get(resource.path(self._namespace, want.name), patience=0)
        except ApiError:  # not allowed to look: take the kubelet's word
            return None
        return None if live is None else tuple(sorted(live.get("data") or {}))

    def _stays(self, want: NamespaceOf) -> bool:
        try:
            live = self._kube.get(NAMESPACE.path("", want.name), patience=0)
        except ApiError:  # not allowed to look
            return True
        return live is not None and not live["metadata"].get("deletionTimestamp")


def _log_text(kube: Kube, namespace: str, want: LogOf, *, previous: bool) -> str | None:
    """The end of a container's log, or None where it cannot be read."""
    query = {"container": want.container, "tailLines": str(4 * LOG_LINES), "limitBytes": "262144"}
    if previous:
        query["previous"] = "true"
    try:
        return kube.text(f"{PODS.path(namespace, want.pod)}/log", query=query)
    except ApiError:
        return None
