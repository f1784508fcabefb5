"""Which nodes a pod may be on by their labels: `nodeSelector` and required node affinity. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kubekit.model import Object

FieldPath = tuple[str | int, ...]

_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_AFFINITY = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")


def selects(spec: Object, node: Object) -> bool:
    """Whether a pod of this spec may be on the node; what is not understood does not forbid it."""
    has = _labels(node)
    if any(has.get(key) != value for key, value in _selector(spec).items()):
        return False
    terms = _terms(spec)
    return terms is None or any(_meets(term, node) for term in terms)


def lacking(spec: Object, nodes: Sequence[Object]) -> tuple[str, FieldPath]:
    """In words what no node has, and where below the pod spec it is asked for."""
    pairs = _selector(spec).items()
    nowhere = [
        (key, value) for key, value in pairs if all(_labels(n).get(key) != value for n in nodes)
    ]
    if nowhere:
        key = nowhere[0][0]
        return f"no node has {_listed(nowhere)}", ("nodeSelector", key)
    if pairs and not any(pairs <= _labels(node).items() for node in nodes):
        return f"no node has all of {_listed(list(pairs))}", ("nodeSelector",)
    terms = " or ".join(f"`{_said(term)}`" for term in _terms(spec) or () if _rules(term))
    also = f" and {_listed(list(pairs))}" if pairs else ""
    return f"no node meets its node affinity {terms or '(empty)'}{also}", (
        *_AFFINITY,
        "nodeSelectorTerms",
    )


def _selector(spec: Object) -> Mapping[str, str]:
    return spec.get("nodeSelector") or {}


def _labels(node: Object) -> Mapping[str, str]:
    return node["metadata"].get("labels") or {}


def _terms(spec: Object) -> Sequence[Object] | None:
    """The terms of which one must be met; None where there is no such rule."""
    found: Object | None = spec
    for key in _AFFINITY:
        found = (found or {}).get(key)
    return None if found is None else found.get("nodeSelectorTerms") or ()


def _rules(term: Object) -> list[tuple[bool, Object]]:
    """The rules of a term, each with whether it is about a field of the node, not a label."""
    expressions = [(False, rule) for rule in term.get("matchExpressions") or ()]
    return [*expressions, *((True, rule) for rule in term.get("matchFields") or ())]


def _meets(term: Object, node: Object) -> bool:
    rules = _rules(term)
    fields = {"metadata.name": str(node["metadata"]["name"])}
    return bool(rules) and all(_holds(rule, fields if f else _labels(node)) for f, rule in rules)


def _holds(rule: Object, has: Mapping[str, str]) -> bool:
    value = has.get(str(rule.get("key")))
    values = rule.get("values") or ()
    match rule.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            return _compares(operator, value, values)
        case _:
            return True


def _compares(operator: str, value: str | None, values: Sequence[str]) -> bool:
    texts = [str(text) for text in (value, *values)]
    numbers = [int(text) for text in texts if _WHOLE.fullmatch(text)]
    if len(numbers) != 2:  # noqa: PLR2004
        return False
    return numbers[0] > numbers[1] if operator == "Gt" else numbers[0] < numbers[1]


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    word = "the label" if len(pairs) == 1 else "the labels"
    return f"{word} {', '.join(f'`{key}={value}`' for key, value in pairs)}"


def _said(term: Object) -> str:
    return ", ".join(_said_rule(rule) for _, rule in _rules(term))


def _said_rule(rule: Object) -> str:
    values = rule.get("values") or ()
    shown = f" ({', '.join(values)})" if values else ""
    return f"{rule.get('key')} {rule.get('operator')}{shown}"
