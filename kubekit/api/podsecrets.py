"""Values of the Secrets that pods use: what their logs may hold and nobody should be shown."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable, Iterator, Mapping

from kubekit.api.kube import ApiError, Kube
from kubekit.api.ownership import OwnedSet
from kubekit.api.references import references
from kubekit.api.resources import KNOWN
from kubekit.errors import KubekitError
from kubekit.model import Object, Settings
from kubekit.redact import Redactor, hidden
from kubekit.text import envfile

_SECRETS = KNOWN["v1", "Secret"]
_TEMPLATED = ("Deployment", "StatefulSet", "DaemonSet")


class PodSecrets:
    """Reads each Secret once, as far as this user may.

    Who may not read them sees of them in a log what `kubectl logs` shows.
    """

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._values: dict[tuple[str, str], frozenset[str]] = {}

    def hidden(self, namespace: str, template: Object, *, name: str) -> Iterator[str]:
        """What to keep out of every output about these pods.

        Args:
            namespace: theirs.
            template: with the ``spec`` of the pods.
            name: what they are called; it is no secret, nor are their images.
        """
        images = [item["image"] for item in template["spec"].get("containers") or ()]
        public = " ".join([namespace, name, *images])
        for reference in references(template):
            if reference.kind == "Secret":
                yield from hidden(self._of(namespace, reference.name), public=public)

    def _of(self, namespace: str, name: str) -> frozenset[str]:
        if (namespace, name) not in self._values:
            live = None
            with contextlib.suppress(ApiError):
                live = self._kube.get(_SECRETS.path(namespace, name), patience=0)
            self._values[namespace, name] = frozenset(_decoded((live or {}).get("data") or {}))
        return self._values[namespace, name]


def of_env(settings: Settings) -> Iterator[str]:
    """What the project's `.env` holds; nothing where it cannot be read."""
    if settings.env_file is None:
        return
    with contextlib.suppress(KubekitError):  # what is there can be looked at without it
        values = envfile.load(settings.env_file).values
        yield from hidden(values.values(), public=f"{settings.namespace} {settings.name}")


def of_set(kube: Kube, owned: OwnedSet) -> Iterator[str]:
    """What every Secret of the project holds in the cluster, of earlier releases too.

    Of those that this user may not list, nothing.
    """
    public = f"{owned.project} {owned.namespace}"
    with contextlib.suppress(ApiError):
        for secret in kube.list(_SECRETS.path(owned.namespace), selector=owned.selector):
            yield from hidden(_decoded(secret.get("data") or {}), public=public)


def of_templates(kube: Kube, namespace: str, objects: Iterable[Object]) -> Iterator[str]:
    """What the Secrets hold, whosever they are, that the pods of these objects use."""
    secrets = PodSecrets(kube)
    for obj in objects:
        template = (obj.get("spec") or {}).get("template") if obj["kind"] in _TEMPLATED else None
        if template:
            yield from secrets.hidden(namespace, template, name=obj["metadata"]["name"])


class Masks:
    """Takes secret values out of logs: those of the project's `.env`, and of the pods' Secrets."""

    def __init__(self, kube: Kube, namespace: str, settings: Settings | None) -> None:
        self._namespace = namespace
        self._secrets = PodSecrets(kube)
        self._values: set[str] = set(of_env(settings) if settings is not None else ())
        self._redactor = Redactor(self._values)

    def learn(self, pod: Object) -> None:
        """Take note of the Secrets this pod uses, before any of its lines is read."""
        name = str(pod["metadata"]["name"])
        self._values.update(self._secrets.hidden(self._namespace, pod, name=name))
        self._redactor = Redactor(self._values)

    def clean(self, line: str) -> str:
        """The line without them."""
        return self._redactor.clean(line)


def _decoded(data: Mapping[str, str]) -> Iterable[str]:
    for encoded in data.values():
        yield base64.b64decode(encoded).decode(errors="replace")
