"""How a rollout would end, told before anything is written, where that is certain.

The API server is asked whether it would take the pods, and the nodes whether one could ever run
them. What might pass is left to the wait.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from kubekit.api.apply import Step, together
from kubekit.api.kube import Kube
from kubekit.api.preflight import Refusal, nodes, refusal
from kubekit.api.workers import each
from kubekit.errors import KubekitError, RefusedError, WorkloadError
from kubekit.model import Object
from kubekit.rollout import kinds
from kubekit.rollout.catalogue import CAUSES
from kubekit.rollout.catalogue.admission import ADMISSION
from kubekit.rollout.cause import Cause
from kubekit.rollout.finders.hits import Hit, pod_field
from kubekit.rollout.finders.placement import never_fits, words_of
from kubekit.rollout.finders.refusals import Refused
from kubekit.rollout.telling import field_in

_THREADS = 4
_MISFITS = {
    "resources": "insufficient-resources",
    "selector": "node-selector",
    "taint": "node-tainted",
}


def foresee(
    kube: Kube, steps: Iterable[Step], *, namespace: str, tolerate: AbstractSet[str] = frozenset()
) -> None:
    """Make sure that nothing which would be written is certain to fail; nothing new asks nothing.

    Raises:
        RefusedError: the API server would not take the pods of at least one workload.
        WorkloadError: no node will ever take them.
    """
    coming = [step for step in steps if step.action != "unchanged"]
    asked = [step for step in coming if _makes_pods(step.sent)]
    if not asked:
        return
    names = {step.manifest.ref for step in coming}
    known: Sequence[Object] | None = None

    def ask(step: Step | None) -> Refusal | None:
        nonlocal known
        if step is None:
            known = nodes(kube)
            return None
        return _asked(kube, namespace, step, names)

    _, *said = each(ask, [None, *asked], at_once=_THREADS)
    errors = [
        _error(cause, hit, step)
        for step, refused in zip(asked, said, strict=True)
        for cause, hit in _found(step, refused, known)
        if cause.id not in tolerate
    ]
    if errors:
        raise together(errors)


def named(message: str) -> tuple[Cause, Hit]:
    """The cause that a refusal of the API server has, and what fills its texts."""
    for cause in ADMISSION:
        words = cause.find.words(message) if isinstance(cause.find, Refused) else None
        if words is not None and isinstance(cause.find, Refused):
            return cause, Hit(where="", since=0.0, words=words, field=pod_field(cause.find.field))
    raise AssertionError("the last refusal of the catalogue takes every message")


def _makes_pods(workload: Object) -> bool:
    spec = workload.get("spec") or {}
    idle = spec.get("replicas") == 0 or spec.get("suspend") or spec.get("paused")
    return workload["kind"] in kinds.WORKLOADS and not idle


def _asked(kube: Kube, namespace: str, step: Step, coming: Collection[str]) -> Refusal | None:
    """A Pod itself was tried already."""
    if step.manifest.kind == "Pod":
        return None
    return refusal(kube, namespace, step.sent, coming=coming)


def _found(
    step: Step, refused: Refusal | None, known: Sequence[Object] | None
) -> Iterator[tuple[Cause, Hit]]:
    if refused is not None and refused.certain:
        yield named(refused.message)
    spec = kinds.template(step.sent).get("spec") or {}
    never = never_fits(spec, known)
    # A DaemonSet only runs where it may: that no node is such a one is no failure.
    if never is not None and (step.manifest.kind != "DaemonSet" or never.kind == "resources"):
        words = words_of(spec, known, never, "")
        field = (*pod_field(""), *never.field)
        yield CAUSES[_MISFITS[never.kind]], Hit(where="", since=0.0, words=words, field=field)


def _error(cause: Cause, hit: Hit, step: Step) -> KubekitError:
    finding = cause.finding(hit)
    kind = RefusedError if finding.exit_code == RefusedError.exit_code else WorkloadError
    return kind(
        finding.cause,
        hints=(finding.fix,),
        details=("asked beforehand: nothing was written",),
        place=step.manifest.place(field_in(step.manifest.kind, finding.field)),
        id=finding.id,
    )
