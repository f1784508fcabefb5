"""Templates and plain YAML -> the objects to apply, in order, each field with its place.

What kubekit adds: the image that was built, the namespace, its labels, and the environment's
Secret under a name that follows from its content. Pure: files in, objects out, no cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kubekit.errors import FilesError
from kubekit.events import Warned
from kubekit.manifests.hashed import decoded, encoded, hashed_name, rename, wants_hash
from kubekit.manifests.objects import check, mapping
from kubekit.manifests.phases import check_phases, is_before
from kubekit.manifests.podspec import claim, set_image, set_protocols
from kubekit.manifests.sources import Sources
from kubekit.model import Manifest, Manifests, Object, Settings
from kubekit.redact import MASK, Redactor, hidden
from kubekit.text.envfile import EnvFile
from kubekit.text.strictyaml import FieldPath, dotted

_BEFORE = "what runs before the rest"
# Every object after those it needs; a kind that is not named comes last, as its CRD is not ours.
_ORDER = (
    ("Namespace",),
    ("ResourceQuota", "LimitRange", "NetworkPolicy", "PodDisruptionBudget"),
    ("ServiceAccount", "Role"),
    ("RoleBinding",),
    ("Secret", "ConfigMap"),
    ("PersistentVolumeClaim",),
    ("Service",),
    (_BEFORE,),
    ("Pod", "ReplicationController", "ReplicaSet", "DaemonSet", "StatefulSet", "Deployment"),
    ("Job", "CronJob"),
    ("HorizontalPodAutoscaler", "Ingress"),
)
_RANKS = {kind: rank for rank, kinds in enumerate(_ORDER) for kind in kinds}
_SHORTEST_EXPOSED = 8


def render(settings: Settings, *, image: str | None, env: EnvFile | None) -> Manifests:
    """Make the objects of the project from its files.

    Args:
        image: the reference our containers shall run; None when nothing is built.
        env: the `.env`; None when there is none.

    Raises:
        FilesError: a file, a template or an object is wrong by itself. Shows no secret value.
    """
    values = [] if env is None else env.values.values()
    try:
        return _render(settings, image, env)
    except FilesError as error:
        raise Redactor(_hidden(values, settings)).error(error) from None


def masked(manifests: Manifests) -> list[Object]:
    """The objects for people to see: no value of a Secret, wherever it stands."""
    redactor = Redactor(manifests.secret_values)
    objects = []
    for manifest in manifests.items:
        data = manifest.data
        if manifest.kind == "Secret":
            data = data | {"data": dict.fromkeys(mapping(data, "data"), MASK)}
        objects.append(redactor.clean(data))
    return objects


def _render(settings: Settings, image: str | None, env: EnvFile | None) -> Manifests:
    manifests, environment = Sources(settings, image, env).objects()
    check(manifests, namespace=settings.namespace)
    check_phases(manifests)
    manifests = encoded(manifests)
    renames = {(item.kind, item.name): hashed_name(item) for item in manifests if wants_hash(item)}
    rename(manifests, renames | environment)
    warnings = []
    used = False
    for manifest in manifests:
        warnings += claim(manifest, settings)
        set_protocols(manifest)
        if image is not None:
            ours, notes = set_image(manifest, settings, image)
            used |= ours
            warnings += notes
    if image is not None and not used:
        hint = f"write `image: {settings.name}`, or `image: {{{{ image }}}}` in a template"
        warnings.append(Warned(text=f"no container runs `{image}`", hints=(hint,)))
    secrets = [item for item in manifests if item.kind == "Secret"]
    values = [value for secret in secrets for _, value in decoded(secret)]
    return Manifests(
        items=tuple(sorted(manifests, key=_rank)),
        secret_values=frozenset(
            _hidden([*values, *(env.values.values() if env else ())], settings)
        ),
        warnings=(*warnings, *_exposed(manifests, env, settings)),
    )


def _rank(manifest: Manifest) -> int:
    if is_before(manifest):
        return _RANKS[_BEFORE]
    return _RANKS.get(manifest.kind, len(_ORDER))


def _hidden(values: Iterable[str], settings: Settings) -> Iterator[str]:
    return hidden(values, public=f"{settings.image_name} {settings.namespace}")


def _exposed(
    manifests: Iterable[Manifest], env: EnvFile | None, settings: Settings
) -> Iterator[Warned]:
    """Warn of values of the `.env` that stand in the open, outside of Secrets."""
    if env is None:
        return
    values = {
        name: value
        for name, value in env.values.items()
        if len(value) >= _SHORTEST_EXPOSED and value in _hidden([value], settings)
    }
    for manifest in manifests:
        texts = [] if manifest.kind == "Secret" else list(_texts(manifest.data, ()))
        for name, value in values.items():
            path = next((path for path, text in texts if value in text), None)
            if path is not None:
                where = f"{manifest.place(path)}: `{manifest.ref}`"
                text = f"{where} has the value of `{name}` in the open at `{dotted(path)}`"
                hint = f"take it from the Secret: `secretKeyRef` with the key `{name}`"
                yield Warned(text=text, hints=(hint,))


def _texts(node: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict | list):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            yield from _texts(value, (*path, key))
