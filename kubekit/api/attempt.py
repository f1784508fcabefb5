"""The trial of one object, and what gives way so that it is taken: only what a person has allowed.

A field of another manager is taken with `--take-ownership`, and an object one field of which cannot
be changed is made anew with `--recreate`. A Job of which nothing runs is made anew by itself: it is
one of kubekit's, and nothing is cut off that was seen to run; a pod that waits may begin just then.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass

from kubekit.api import autoscaled, handover, jobs
from kubekit.api.conflicts import REPLICAS, Conflict, conflicts, told
from kubekit.api.immutable import RECREATED, fixed, is_all_immutable
from kubekit.api.kube import Answer, ApiError, Kube
from kubekit.api.ownership import OwnedSet
from kubekit.api.resources import Resource
from kubekit.events import Emit, Warned
from kubekit.model import Consent, Manifest, Object

_GIVES_WAY = 3


@dataclass(kw_only=True)
class Attempt:
    """One object that is tried.

    Attributes:
        sent: the object as it is sent.
        live: what is there by its name.
        force: fields of other managers are taken.
        anew: why it is deleted and made anew; empty where it is not.
        rehearses: nothing is to be written afterwards, so nothing is waited for.
    """

    kube: Kube
    owned: OwnedSet
    manifest: Manifest
    resource: Resource
    sent: Object
    live: Object | None
    consent: Consent
    emit: Emit
    force: bool = False
    anew: str = ""
    rehearses: bool = False

    def ask(self) -> Answer:
        """What the API server would make of it.

        Raises:
            ApiError: it refuses it, and nothing may give way.
        """
        if self.live is not None and jobs.end_of(self.live) == "Failed":
            self.anew = "it had failed"
        for _ in range(_GIVES_WAY):
            try:
                return self._answer()
            except ApiError as error:
                if not self._gives_way(error):
                    raise
        return self._answer()

    @property
    def path(self) -> str:
        """Where the object is."""
        return self.resource.path(self.owned.namespace, self.manifest.name)

    def _answer(self) -> Answer:
        sent = _under_another_name(self.sent) if self.anew else self.sent
        path = self.resource.path(self.owned.namespace, sent["metadata"]["name"])
        return self.kube.apply(path, sent, dry_run=True, force=self.force)

    def _gives_way(self, error: ApiError) -> bool:
        """Whether the next trial is another one."""
        found = conflicts(error)
        if found:
            return self._leaves_replicas(found) or self._takes(found)
        return self._starts_anew(error)

    def _leaves_replicas(self, found: tuple[Conflict, ...]) -> bool:
        """An autoscaler, whoever has made it, would only change them again."""
        mine = "replicas" in (self.sent.get("spec") or {})
        if not mine or all(one.field != REPLICAS for one in found):
            return False
        if not self._is_scaled():
            return False
        self.sent = autoscaled.left_alone(self.sent, self.live)
        self.emit(
            Warned(
                text=f"{self.manifest.place(('spec', 'replicas'))}: `spec.replicas` of "
                f"`{self.manifest.ref}` is left to its autoscaler",
                hints=("leave it out of the manifest",),
            )
        )
        return True

    def _takes(self, found: tuple[Conflict, ...]) -> bool:
        if self.force:
            return False
        given = handover.CLIENT_SIDE if handover.pending(self.live) else frozenset()
        others = [one for one in found if not one.own and one.manager not in given]
        asked = [one for one in others if not self._is_left_over(one)]
        if asked and not self.consent.take_ownership:
            return False
        if others:
            text = f"`{self.manifest.ref}`: {told(others)}; kubekit takes over"
            self.emit(Warned(text=text))
        self.force = True
        return True

    def _is_left_over(self, conflict: Conflict) -> bool:
        """Whether it is the last word of an autoscaler that is no more."""
        return conflict.autoscaled and self._is_scaled() is False

    def _is_scaled(self) -> bool | None:
        return autoscaled.is_scaled(self.kube, self.owned.namespace, self.manifest.ref)

    def _starts_anew(self, error: ApiError) -> bool:
        kind, live = self.manifest.kind, self.live
        if self.anew or live is None or kind not in RECREATED or not is_all_immutable(error):
            return False
        fields = ", ".join(fixed(error, self.sent, live).values())
        if self.consent.recreate:
            self.anew = fields
            text = f"`{self.manifest.ref}` is to be deleted and made anew, since {fields}"
            self.emit(Warned(text=f"{text}: {RECREATED[kind]}"))
        elif kind == "Job" and self.rehearses and not jobs.is_at_rest(self.kube, live):
            self.anew = f"{fields}; it runs still, and its end would be waited for"
        elif kind == "Job" and jobs.at_rest(self.kube, self.path, live, emit=self.emit):
            self.anew = f"nothing of it runs, and {fields}"
        return bool(self.anew)


def _under_another_name(obj: Object) -> Object:
    """The object as one that is not there yet; its ports of the node and address are taken."""
    trial = copy.deepcopy(obj)
    name = hashlib.sha256(obj["metadata"]["name"].encode()).hexdigest()[:12]
    trial["metadata"]["name"] = f"kubekit-trial-{name}"
    if obj["kind"] == "Service":
        spec = trial.get("spec") or {}
        if spec.get("clusterIP") != "None":
            spec.pop("clusterIP", None)
            spec.pop("clusterIPs", None)
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
    return trial
