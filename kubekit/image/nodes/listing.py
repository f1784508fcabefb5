"""What a node's container runtime says of its images, read. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubekit.image.nodes.script import full
from kubekit.image.store import PROJECT_LABEL, StoredImage
from kubekit.model import ImageConfig

_ENDED = "CONTAINER_EXITED"
_DOCKER = "docker.io/"
_LIBRARY = f"{_DOCKER}library/"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The images of one node.

    Attributes:
        ids: full name -> ID, ``sha256:...``.
    """

    ids: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Listed:
        """Read `crictl images -o json`.

        Raises:
            ValueError: it is not what crictl prints.
        """
        images = documents(text)[0]["images"] or []
        named = {image_id(image["id"]): _names(image) for image in images}
        return cls(ids={full(name): id_ for id_, names in named.items() for name in names})

    def image(self, reference: str) -> str | None:
        """The ID of an image; None if it is not there."""
        return self.ids.get(full(reference))

    def names(self, reference: str) -> tuple[str, ...]:
        """All full names of the image."""
        return tuple(name for name, id_ in self.ids.items() if id_ == self.image(reference))

    def of(self, project: str) -> tuple[str, ...]:
        """The IDs of what may be images kubekit built for the project: their labels decide."""
        start = full(f"{project}:kk-")
        return tuple({id_: None for name, id_ in self.ids.items() if name.startswith(start)})


@dataclass(frozen=True, kw_only=True)
class Held:
    """An image kubekit built for a project as one node has it, and when it was made."""

    image: StoredImage
    created: str


def documents(text: str) -> list[dict[str, Any]]:
    """All JSON objects in a text, whatever warnings stand around them; at least one.

    Raises:
        ValueError: there is none.
    """
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            end = at + 1
        else:
            found.append(value)
        at = text.find("{", end)
    if not found:
        raise ValueError(text.strip()[-500:])
    return found


def image_id(text: str) -> str:
    """An image's ID as ``sha256:...``; cri-o leaves that out."""
    return text if ":" in text else f"sha256:{text}"


def short(name: str) -> str:
    """A name as a manifest writes it: without what Docker Hub's names may leave out."""
    return name.removeprefix(_LIBRARY).removeprefix(_DOCKER)


def held(text: str, project: str) -> list[Held]:
    """The images of a project, in `crictl ps -a -o json` with `crictl inspecti -o json` below it.

    Raises:
        ValueError: it is not what crictl prints.
    """
    containers, *inspected = documents(text)
    used, found = _used(containers), []
    for one in inspected:
        status, config = one["status"], one["info"]["imageSpec"]
        if (config.get("config", {}).get("Labels") or {}).get(PROJECT_LABEL) != project:
            continue
        id_ = image_id(status["id"])
        names = tuple(map(short, _names(status)))
        image = StoredImage(id=id_, names=names, used=id_ in used)
        found.append(Held(image=image, created=str(config.get("created", ""))))
    return found


def triggers(text: str) -> bool:
    """Whether an image has ONBUILD instructions, by its config as the runtime's client shows it.

    Raises:
        ValueError: it is no config of an image.
    """
    about = documents(text)[0]
    return bool((about.get("Config") or about["config"]).get("OnBuild"))


def config(text: str) -> ImageConfig:
    """What an image runs, by its config as the runtime's client shows it.

    Raises:
        ValueError: it is no config of an image.
    """
    about = documents(text)[0]
    return ImageConfig.of(about.get("Config") or about["config"])


def in_use(text: str) -> frozenset[str]:
    """The IDs of the images of containers that have not ended, in `crictl ps -a -o json`.

    Raises:
        ValueError: it is not what crictl prints.
    """
    return _used(documents(text)[0])


def merged(nodes: Iterable[Iterable[Held]]) -> list[StoredImage]:
    """The images of several nodes, each once, the one made last first."""
    found: dict[str, Held] = {}
    for one in (one for node in nodes for one in node):
        before = found.setdefault(one.image.id, one)
        names = tuple(dict.fromkeys((*before.image.names, *one.image.names)))
        used = before.image.used or one.image.used
        image = StoredImage(id=one.image.id, names=names, used=used)
        found[one.image.id] = Held(image=image, created=before.created)
    newest = sorted(found.values(), key=lambda one: one.created, reverse=True)
    return [one.image for one in newest]


def _names(image: Mapping[str, Any]) -> tuple[str, ...]:
    return (*(image.get("repoTags") or ()), *(image.get("repoDigests") or ()))


def _used(containers: Mapping[str, Any]) -> frozenset[str]:
    living = [item for item in containers["containers"] or () if item["state"] != _ENDED]
    fields = [(item.get("imageId"), item["imageRef"], item["image"]["image"]) for item in living]
    return frozenset(image_id(id_) for field in fields for id_ in field if id_)
