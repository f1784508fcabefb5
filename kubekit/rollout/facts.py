"""Facts the judge asks for, read of the API; `wants` says what each of them is."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from kubekit.api.forward import listening, pod_answers, service_answers
from kubekit.api.kube import ApiError, Kube
from kubekit.api.resources import CONFIG_MAP, KNOWN, NAMESPACE, NODES, PODS, SERVICES
from kubekit.errors import UnreachableError
from kubekit.model import Cancel, Clock, Object
from kubekit.rollout import logtimes
from kubekit.rollout.evidence import LOG_LINES
from kubekit.rollout.reading import containers_of, epoch
from kubekit.rollout.verdict import FAILED, Verdict
from kubekit.rollout.wants import (
    AnswerOf,
    BalancerOf,
    ClaimOf,
    KeysOf,
    LogOf,
    NamespaceOf,
    NodesOf,
    OnHost,
    OpenPorts,
    ReplyOf,
    Want,
)

_REFRESH_SECONDS = 2.0
_ROUNDS = 3
# All else waits meanwhile; the ports of a pod on an idle node are known after 0.1 to 0.4 s.
_PORTS_SECONDS = 2.0
_SCAN_SECONDS = 5.0
_FRESH_SECONDS = 1.0
_KEPT_SECONDS = 2 * _SCAN_SECONDS
_ANSWER_SECONDS = 1.0
_SECRETS = KNOWN["v1", "Secret"]
# What the kubelet answers in place of a log that is gone, or not there yet.
_NO_LOG = re.compile(r"unable to retrieve container logs for |failed to try resolving symlinks ")
_CLAIMS = KNOWN["v1", "PersistentVolumeClaim"]
# These take a while, and of these "not known" is an answer, too.
_SLOW = (OpenPorts, ReplyOf, AnswerOf, OnHost)
_MAY_STAY_UNKNOWN = (*_SLOW, LogOf, NodesOf)
_TRIES = 3
# A kubelet that has started a container again says so a moment later, and a busy one later still.
_BEHIND_SECONDS = 1.0
# These may be another answer a moment later; all others stay as they are.
_PASSING = (KeysOf, NodesOf, ClaimOf, OpenPorts, ReplyOf, AnswerOf)
# The only ways to these facts, as a person is told who may not go them.
_WAYS: Mapping[type, str] = {
    OpenPorts: "open ports (port-forward)",
    ReplyOf: "answers of pods (proxy)",
    AnswerOf: "answers of Services (proxy)",
}


class _LogPlace(NamedTuple):
    """Where the API has the log of one attempt, and when that ended: 0 while it runs."""

    previous: bool
    ended: float


class Facts:
    """What was read of the API because the judge asked for it.

    Args:
        on_host: whether this machine's own Docker has an image.
        server_now: the API server's time; who looks only once leaves it out, so that what is open
            counts as open since the container started.

    Attributes:
        known: the answers so far.
        unseen: what this user may not read, in words.
    """

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        clock: Clock,
        on_host: Callable[[str], bool],
        server_now: Callable[[], float] = lambda: 0.0,
        *,
        cancel: Cancel,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._clock = clock
        self._on_host = on_host
        self._server_now = server_now
        self._cancel = cancel
        self._opened: dict[tuple[str, int], tuple[float, dict[int, float]]] = {}
        self._fetched: dict[Want, float] = {}
        self._failures: Counter[Want] = Counter()
        self._scans: Counter[Want] = Counter()
        self.known: dict[Want, Any] = {}
        self.unseen: set[str] = set()

    def fetch(self, wants: frozenset[Want]) -> bool:
        """Read the facts asked for; each again only after a while. Whether anything was read."""
        now = self._clock.now()
        due = [want for want in wants if now - self._fetched.get(want, -1e9) > self._rest(want)]
        for want in sorted(due, key=lambda want: isinstance(want, _SLOW)):
            self._fetched[want] = now
            try:
                self.known[want] = self._read(want)
            except UnreachableError:
                # Out of reach says nothing about the fact: it is asked for again.
                self._failures[want] += 1
                if self._failures[want] >= _TRIES and isinstance(want, _MAY_STAY_UNKNOWN):
                    self.known[want] = None
            if isinstance(want, _SLOW):
                break  # all else waits meanwhile; the others have their turn next time
        return bool(due)

    def informed(self, look: Callable[[], Verdict]) -> Verdict:
        """A verdict with the facts it asks for: what one shows may ask for another."""
        verdict = look()
        for _ in range(_ROUNDS):
            if not verdict.wants or not self.fetch(verdict.wants):
                break
            verdict = look()
        if verdict.state == FAILED and self._look_again():
            verdict = look()
        return verdict

    def forget(self, running: frozenset[LogOf]) -> None:
        """Look again and again for a Secret others may bring, and at a log that goes on."""
        now = self._clock.now()
        for want, when in self._fetched.items():
            passing = isinstance(want, _PASSING) or want in running
            if passing and now - when > self._rest(want):
                self.known.pop(want, None)

    def _read(self, want: Want) -> object:
        read: Any = self._READERS[type(want)]
        way = _WAYS.get(type(want))
        if way in self.unseen:
            return None  # a right that is missing is asked for once
        try:
            return read(self, want)
        except ApiError:
            if way is None:
                raise
            self.unseen.add(way)
            return None

    def _rest(self, want: Want) -> float:
        """How long an answer is left as it is; a look at ports costs the node some work."""
        scanned = isinstance(want, OpenPorts) and self._scans[want] > 1
        return _SCAN_SECONDS if scanned else _REFRESH_SECONDS

    def _look_again(self) -> bool:
        """Nothing fails by ports that were looked at a while ago: one may be open by now."""
        now = self._clock.now()
        old = [
            want
            for want in self.known
            if isinstance(want, OpenPorts) and now - self._fetched[want] > _FRESH_SECONDS
        ]
        for want in old:
            self._fetched[want] = now
            with contextlib.suppress(UnreachableError):
                self.known[want] = self._read(want)
        return bool(old)

    def _nodes(self, _want: NodesOf) -> tuple[Object, ...] | None:
        try:
            return tuple(self._kube.list(NODES.path(""), patience=0))
        except ApiError:
            self.unseen.add("nodes")
            return None

    def _claim(self, want: ClaimOf) -> Object | None:
        try:
            return self._kube.get(_CLAIMS.path(self._namespace, want.name), patience=0)
        except ApiError:
            self.unseen.add("PersistentVolumeClaims")
            return {}

    def _read_log(self, want: LogOf) -> str | None:
        """The log of this very attempt: the container may start again while it is read."""
        place = self._log_place(want)
        for look in range(_TRIES):
            if place is None or (look and self._cancel.wait(_BEHIND_SECONDS)):
                return None
            text = self._log_text(want, previous=place.previous)
            before, place = place, self._log_place(want)
            if place == before and (text is None or look or logtimes.is_of(text, place.ended)):
                return None if text is None else logtimes.without(text)
        return None

    def _log_place(self, want: LogOf) -> _LogPlace | None:
        """How the API calls this log by now; None where it has it no more."""
        try:
            pod = self._kube.get(PODS.path(self._namespace, want.pod), patience=0)
        except ApiError:
            return None
        for container in containers_of(pod) if pod else ():
            if container.name != want.container or not container.status:
                continue
            ended = epoch((container.exited or {}).get("finishedAt"))
            if want.attempt == container.restarts:
                return _LogPlace(previous=False, ended=0.0 if container.running else ended)
            if container.running and want.attempt == container.restarts - 1:
                return _LogPlace(previous=True, ended=ended)
        return None

    def _read_keys(self, want: KeysOf) -> tuple[str, ...] | None:
        resource = _SECRETS if want.kind == "Secret" else CONFIG_MAP
        try:
            live = self._kube.get(resource.path(self._namespace, want.name), patience=0)
        except ApiError:  # not allowed to look: take the kubelet's word
            self.unseen.add(f"{want.kind}s")
            return None
        return None if live is None else tuple(sorted(live.get("data") or {}))

    def _stays(self, want: NamespaceOf) -> bool:
        try:
            live = self._kube.get(NAMESPACE.path("", want.name), patience=0)
        except ApiError:  # not allowed to look
            return True
        return live is not None and not live["metadata"].get("deletionTimestamp")

    def _log_text(self, want: LogOf, *, previous: bool) -> str | None:
        """The end of a container's log, or None where it cannot be read."""
        query = {
            "container": want.container,
            "tailLines": str(4 * LOG_LINES),
            "limitBytes": "262144",
            "timestamps": "true",
            **({"previous": "true"} if previous else {}),
        }
        try:
            text = self._kube.text(f"{PODS.path(self._namespace, want.pod)}/log", query=query)
            return None if _NO_LOG.match(text) else text
        except ApiError as error:
            if error.reason == "Forbidden":
                self.unseen.add("logs")
            return None

    def _ask_host(self, want: OnHost) -> bool:
        return self._on_host(want.image)

    def _open_ports(self, want: OpenPorts) -> dict[int, float] | None:
        """Those open now, each since the first of the looks that all found it open.

        A busy node does not always answer in time; what was found shortly before is kept then.
        """
        here = (want.pod, want.restarts)
        self._scans[want] += 1
        found = listening(self._kube, self._namespace, want.pod, want.ports, _PORTS_SECONDS)
        looked, before = self._opened.get(here, (-1e9, {}))
        now = self._server_now()
        if found is None:
            return before or None if now - looked < _KEPT_SECONDS else None
        opened = {port: before.get(port, now) for port in sorted(found)}
        self._opened[here] = (now, opened)
        return opened

    def _reply(self, want: ReplyOf) -> tuple[float, int | str | None]:
        asked = self._server_now()
        answer = pod_answers(
            self._kube,
            self._namespace,
            want.pod,
            want.port,
            want.path,
            want.scheme,
            seconds=_ANSWER_SECONDS,
        )
        return asked, answer

    def _answer(self, want: AnswerOf) -> int | str | None:
        return service_answers(
            self._kube,
            self._namespace,
            want.service,
            want.port,
            seconds=_ANSWER_SECONDS,
        )

    def _balanced(self, want: BalancerOf) -> bool:
        try:
            live = self._kube.get(SERVICES.path(self._namespace, want.service), patience=0)
        except ApiError:  # not allowed to look: nothing to warn of
            return True
        return bool((((live or {}).get("status") or {}).get("loadBalancer") or {}).get("ingress"))

    _READERS: ClassVar = {
        LogOf: _read_log,
        KeysOf: _read_keys,
        NamespaceOf: _stays,
        NodesOf: _nodes,
        ClaimOf: _claim,
        OnHost: _ask_host,
        OpenPorts: _open_ports,
        ReplyOf: _reply,
        AnswerOf: _answer,
        BalancerOf: _balanced,
    }
