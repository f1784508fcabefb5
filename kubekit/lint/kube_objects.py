"""Rules about objects that are no pods, and about what all objects should have.

Ids of others: Checkov CKV_K8S, Trivy KSV, Kubescape C-, kube-score, kube-linter, Polaris.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kubekit.lint.objects import LONG_RUNNING, Objects, at, hit, selects
from kubekit.lint.rule import Book, Hit
from kubekit.lint.secrets import is_secret
from kubekit.manifests.objects import mapping, mappings
from kubekit.model import Manifest

_LABELS = ("name", "instance", "component", "part-of")
_PREFIX = "app.kubernetes.io"

Check = Callable[[Manifest, Objects], Iterator[Hit]]
BOOK: Book[Check] = Book()
_rule = BOOK.rule


@_rule("namespace-default", "CKV_K8S_21", "KSV-0110", "C-0061", "use-namespace", extra=True)
def _default(item: Manifest, _: Objects) -> Iterator[Hit]:
    """An object in the namespace `default`. kubekit puts each project into its own."""
    if item.kind in {*LONG_RUNNING, "Pod", "Service", "Job", "CronJob", "ConfigMap", "Secret"} and (
        at(item.data, "metadata", "namespace") in (None, "default")
    ):
        text = f"`{item.ref}` is in no namespace of its own"
        yield hit(item, ("metadata",), text, "name one, or let `kubekit` do it")


@_rule("labels-missing", "C-0076", "C-0077", extra=True)
def _labels(item: Manifest, _: Objects) -> Iterator[Hit]:
    """The labels that all tools know an app by are not there.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
    """
    labels = mapping(item.data, "metadata", "labels")
    lacking = [name for name in _LABELS if f"{_PREFIX}/{name}" not in labels]
    if item.kind in LONG_RUNNING and lacking:
        text = f"`{item.ref}` has no label `{_PREFIX}/{lacking[0]}`"
        yield hit(item, ("metadata", "labels"), text, f"write `{_PREFIX}/{lacking[0]}`")


@_rule("instance-mismatch", "metadataAndInstanceMismatched", extra=True)
def _instance(item: Manifest, _: Objects) -> Iterator[Hit]:
    """The label `instance` is not the object's name, which Polaris wants to be one."""
    label = f"{_PREFIX}/instance"
    value = mapping(item.data, "metadata", "labels").get(label)
    if item.kind in LONG_RUNNING and value is not None and value != item.name:
        text = f"`{label}` of `{item.ref}` is `{value}`"
        yield hit(item, ("metadata", "labels", label), text, f"write `{item.name}`")


@_rule("budget-blocks", "pdb-max-unavailable", "pdb-min-available", "pdbDisruptionsIsZero",
       error=True)  # fmt: skip
def _blocks(item: Manifest, objects: Objects) -> Iterator[Hit]:
    """A PodDisruptionBudget that lets no pod go: no node can be drained."""
    if item.kind != "PodDisruptionBudget":
        return
    spec = mapping(item.data, "spec")
    replicas = [one.replicas for one in objects.workloads if selects(item, one)]
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    whole = isinstance(least, int) and bool(replicas) and least >= max(replicas)
    if most in (0, "0%") or least == "100%" or whole:
        field = "maxUnavailable" if most in (0, "0%") else "minAvailable"
        text = f"`{item.ref}` lets no pod go, so no node can be drained"
        yield hit(item, ("spec", field), text, "write `maxUnavailable: 1`")


@_rule("budget-unhealthy", "pdb-unhealthy-pod-eviction-policy")
def _unhealthy(item: Manifest, _: Objects) -> Iterator[Hit]:
    """A budget by which a pod that never gets ready keeps its node from being drained."""
    policy = at(item.data, "spec", "unhealthyPodEvictionPolicy")
    if item.kind == "PodDisruptionBudget" and policy != "AlwaysAllow":
        text = f"`{item.ref}` protects pods that do not work"
        hint = "write `unhealthyPodEvictionPolicy: AlwaysAllow`"
        yield hit(item, ("spec",), text, hint)


@_rule("network-policy-open")
def _open(item: Manifest, _: Objects) -> Iterator[Hit]:
    """A NetworkPolicy that lets everybody in. That everything may go out is often meant so."""
    rules = at(item.data, "spec", "ingress") if item.kind == "NetworkPolicy" else None
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not rule:
            text = f"`{item.ref}` lets everybody in"
            yield hit(item, ("spec", "ingress", index), text, "name who may: `from` and `ports`")


@_rule("service-external", "KSV-0108", "C-0293")
def _external(item: Manifest, _: Objects) -> Iterator[Hit]:
    """`externalIPs`: who may write Services can take the traffic of others (CVE-2020-8554)."""
    if item.kind == "Service" and at(item.data, "spec", "externalIPs"):
        text = f"`{item.ref}` takes addresses that nobody gave it"
        yield hit(item, ("spec", "externalIPs"), text, "use an Ingress, or a LoadBalancer")


@_rule("service-on-node", "service-type", "exposed-services", extra=True)
def _node_port(item: Manifest, _: Objects) -> Iterator[Hit]:
    """A Service of type NodePort: whoever reaches a node reaches the app."""
    if item.kind == "Service" and at(item.data, "spec", "type") == "NodePort":
        text = f"`{item.ref}` opens a port of every node"
        yield hit(item, ("spec", "type"), text, "use ClusterIP; `kubekit dev` forwards its port")


@_rule("ingress-without-tls", "C-0263", "tlsSettingsMissing", extra=True)
def _tls(item: Manifest, _: Objects) -> Iterator[Hit]:
    """An Ingress without TLS: passwords and tokens go in the open."""
    if item.kind == "Ingress" and not at(item.data, "spec", "tls"):
        yield hit(item, ("spec",), f"`{item.ref}` has no TLS", "name a certificate under `tls`")


@_rule(
    "secret-in-configmap",
    "KSV-0109",
    "KSV-01010",
    "C-0012",
    "sensitiveConfigmapContent",
    error=True,
)
def _config(item: Manifest, _: Objects) -> Iterator[Hit]:
    """A ConfigMap with what is a secret by its name, or a URL with a password in it."""
    if item.kind != "ConfigMap":
        return
    for key, value in mapping(item.data, "data").items():
        if isinstance(value, str) and value and is_secret(str(key), value):
            text = f"`{key}` in `{item.ref}` is a secret, and a ConfigMap is for all to read"
            yield hit(item, ("data", str(key)), text, "put it into a Secret, or `.env`")


@_rule("account-token", "KSV-0036", "C-0034", extra=True)
def _account(item: Manifest, _: Objects) -> Iterator[Hit]:
    """A ServiceAccount whose token every pod gets that does not refuse it."""
    if item.kind == "ServiceAccount" and item.data.get("automountServiceAccountToken") is not False:
        text = f"each pod of `{item.ref}` gets its token unless it refuses it"
        yield hit(item, (), text, "write `automountServiceAccountToken: false`")


@_rule("role-of-everything", "CKV_K8S_49", "KSV-0046", "C-0187", "wildcard-in-rules", error=False)
def _wildcard(item: Manifest, _: Objects) -> Iterator[Hit]:
    """A Role with `*`: whoever has it may do everything in the namespace."""
    if item.kind not in {"Role", "ClusterRole"}:
        return
    for index, rule in enumerate(mappings(item.data.get("rules"))):
        for field in ("verbs", "resources", "apiGroups"):
            if isinstance(rule.get(field), list) and "*" in rule[field]:
                text = f"`{item.ref}` allows every one of the `{field}`"
                yield hit(item, ("rules", index, field), text, "name those that are used")
