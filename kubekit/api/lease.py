"""A Lease in the namespace while a run writes there, so that one on another machine keeps off.

It is made with the first write, never before; renewed while the run lasts; and deleted at its end.
One that was left behind by a run that was killed is taken over: at once by whoever holds the same
lock of the same machine, by others when it has expired. It is no fence: a run that was silent for
so long, as on a machine that slept, may write until it looks at it again.
"""

from __future__ import annotations

import contextlib
import getpass
import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from kubekit.api.kube import ApiError, Kube
from kubekit.api.ownership import MANAGED_BY_LABEL, MANAGER, PART_OF_LABEL, OwnedSet
from kubekit.api.resources import LEASES
from kubekit.errors import KubekitError, SupersededError, UnreachableError, UsageError
from kubekit.model import Cancel, Object

SECONDS = 30
"""How long after its last renewal a Lease still counts."""

COMMAND_ANNOTATION = "kubekit.dev/command"
LOCK_ANNOTATION = "kubekit.dev/lock"

_RENEW_SECONDS = 10.0
_LAST_SECONDS = 2.0
"""How long the end of a run may wait for a renewal, and try each request: it expires anyway."""

_FORBIDDEN = 403
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Who holds it: the command of the run, and the mark of its lock on its machine."""

    command: str
    mark: str


class Lease:
    """The Lease of one project in one namespace, held from the first write to `close`."""

    def __init__(self, kube: Kube, owned: OwnedSet, signature: Signature) -> None:
        # Deleting it is the last thing that a run does, also one that was interrupted.
        self._kube = kube.until(Cancel())
        self._owned = owned
        self._signature = signature
        self._live: Object | None = None
        self._may = True
        self._lost: SupersededError | None = None
        self._on_lost: Callable[[SupersededError], None] = lambda _: None
        self._lock = threading.Lock()
        self._end = Cancel()
        self._thread: threading.Thread | None = None

    @property
    def path(self) -> str:
        """Where it is."""
        return LEASES.path(self._owned.namespace, self._owned.parent)

    def guard(self, kube: Kube) -> Kube:
        """The same API, which takes the Lease before it changes anything in the namespace."""
        inside = f"/namespaces/{self._owned.namespace}/"
        return kube.guarded(lambda plain, path: self.take(plain) if inside in path else None)

    def take(self, kube: Kube) -> None:
        """Hold it from now on.

        Where there is no such namespace, or this user may write no Leases, it goes without.

        Raises:
            UsageError: a run on another machine holds it.
            SupersededError: this run held it, fell silent, and another one has taken it over.
        """
        with self._lock:
            if self._lost is not None:
                raise _copied(self._lost)
            if self._live is None and self._may:
                self._live = self._made(kube) or self._taken_over(kube)
                # It is renewed and deleted where it was made: the cluster may have moved since.
                self._kube = kube.until(Cancel())
            if self._live is not None and self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
                self._thread.start()

    def on_lost(self, tell: Callable[[SupersededError], None]) -> None:
        """Call this once another run is seen to have taken it over, before any write is refused.

        That is seen with the next renewal: what is written until then, nothing holds up.
        """
        with self._lock:
            self._on_lost = tell
            if self._lost is not None:
                tell(_copied(self._lost))

    def clear(self, kube: Kube) -> None:
        """Take one that was left behind, so that it goes with the end of this run.

        Raises:
            UsageError: it is not left behind.
        """
        with contextlib.suppress(ApiError):
            if kube.get(self.path) is not None:
                self.take(kube)

    def close(self) -> None:
        """Delete it, if this run holds it."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(_LAST_SECONDS)
        if self._live is None:
            return
        with contextlib.suppress(KubekitError):
            # A renewal that is under way still may come in between, but no more than one.
            if not self._is_deleted():
                self._is_deleted()
        self._live = None

    def _is_deleted(self) -> bool:
        """Delete it, if it is ours; False if it was written just then."""
        last = _LAST_SECONDS
        there = self._kube.get(self.path, patience=last, read_seconds=last)
        if there is None or not self._is_ours(there):
            return True
        # Whoever has taken it over since has left it its uid.
        known = {key: there["metadata"][key] for key in ("uid", "resourceVersion")}
        body = {"preconditions": known}
        try:
            self._kube.request("DELETE", self.path, body=body, patience=last, read_seconds=last)
        except ApiError as error:
            if error.status != 409:  # noqa: PLR2004
                raise
            return False
        return True

    def _made(self, kube: Kube) -> Object | None:
        """The new Lease; None if there is one, or can be none."""
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._owned.parent, "namespace": self._owned.namespace},
        }
        try:
            return kube.request(
                "POST", LEASES.path(self._owned.namespace), body=self._signed(kube, body)
            ).data
        except ApiError as error:
            if error.status in (403, 404, 409):
                # A namespace that ends refuses in the same way, and may be made anew.
                causes = {cause.get("reason") for cause in error.causes}
                self._may = error.status != _FORBIDDEN or "NamespaceTerminating" in causes
                return None
            raise

    def _taken_over(self, kube: Kube) -> Object | None:
        """The Lease that was left behind; None if there is none, or can be none."""
        there: Object | None = None
        try:
            there = kube.get(self.path)
            if there is None:
                return None
            if not self._is_left(kube, there):
                raise self._busy(there)
            return kube.request("PUT", self.path, body=self._signed(kube, there)).data
        except ApiError as error:
            if error.status == 409 and there:  # noqa: PLR2004
                now = kube.get(self.path) or there
                if self._is_ours(now):  # it was sent again, as the answer was lost
                    return now
                raise self._busy(now) from error  # another one was quicker
            if error.status in (403, 404):
                return None
            raise

    def _signed(self, kube: Kube, lease: Object) -> Object:
        now = datetime.fromtimestamp(kube.server_now(), tz=UTC).strftime(_FORMAT)
        labels = {MANAGED_BY_LABEL: MANAGER, PART_OF_LABEL: self._owned.project}
        annotations = {
            COMMAND_ANNOTATION: self._signature.command,
            LOCK_ANNOTATION: self._signature.mark,
        }
        spec = {
            "holderIdentity": _identity(),
            "leaseDurationSeconds": SECONDS,
            "acquireTime": now,
            "renewTime": now,
        }
        metadata = {**lease["metadata"], "labels": labels, "annotations": annotations}
        return {**lease, "metadata": metadata, "spec": spec}

    def _is_left(self, kube: Kube, there: Object) -> bool:
        """Whether the run that made it is over."""
        if self._is_ours(there):
            return True
        spec = there.get("spec") or {}
        renewed = _moment(spec.get("renewTime"))
        return kube.server_now() > renewed + int(spec.get("leaseDurationSeconds") or 0)

    def _is_ours(self, there: Object) -> bool:
        """Whether it is of this run, or of one before it that had the same lock."""
        annotations = there["metadata"].get("annotations") or {}
        return annotations.get(LOCK_ANNOTATION) == self._signature.mark

    def _busy(self, there: Object) -> UsageError:
        annotations = there["metadata"].get("annotations") or {}
        spec = there.get("spec") or {}
        command = annotations.get(COMMAND_ANNOTATION, "")
        since = str(spec.get("acquireTime", "")).partition(".")[0]
        return UsageError(
            f"`{spec.get('holderIdentity', 'another machine')}` runs `kubekit {command}` for "
            f"`{self._owned.project}` in namespace `{self._owned.namespace}`, since {since}Z",
            hints=(
                "wait for its end, or use a namespace of your own: `--namespace`",
                f"if that machine is gone, it may be taken over {SECONDS} s after its last sign",
            ),
            id="busy",
        )

    def _superseded(self, there: Object) -> SupersededError:
        annotations = there["metadata"].get("annotations") or {}
        who = (there.get("spec") or {}).get("holderIdentity") or "another machine"
        return SupersededError(
            f"`{who}` has taken over `{self._owned.project}` in namespace "
            f"`{self._owned.namespace}` with `kubekit {annotations.get(COMMAND_ANNOTATION, '')}`: "
            f"nothing was heard of this run for {SECONDS} s",
            hints=("what runs there is theirs now; begin again once they have ended",),
        )

    def _renew(self) -> None:
        while not self._end.wait(_RENEW_SECONDS):
            with self._lock:
                if self._live is not None:
                    self._live = self._renewed(self._live)

    def _renewed(self, live: Object) -> Object | None:
        """What is there now, if it is ours still.

        It is looked at first: where the answer of the last renewal was lost, the one that is known
        is not the present one, and would be refused like that of a run that has lost it.
        """
        try:
            there = self._kube.get(self.path, patience=0)
            if there is None:  # with its namespace, or by hand: the next write makes it anew
                return None
            if not self._is_ours(there):
                self._lost = self._superseded(there)
                self._on_lost(_copied(self._lost))
                return None
            now = datetime.fromtimestamp(self._kube.server_now(), tz=UTC).strftime(_FORMAT)
            body = {**there, "spec": {**there["spec"], "renewTime": now}}
            return self._kube.request("PUT", self.path, body=body, patience=0).data
        except ApiError:  # somebody was quicker: that is seen the next time
            return live
        except UnreachableError:
            with contextlib.suppress(KubekitError):
                self._kube.renew()
            return live


def _copied(error: SupersededError) -> SupersededError:
    """One to raise: it may be raised in several threads, and each adds to its own."""
    return SupersededError(error.message, hints=error.hints)


def _identity() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        user = "someone"
    return f"{user}@{platform.node()}"


def _moment(stamp: str | None) -> float:
    try:
        return datetime.strptime(stamp or "", _FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
