"""The images of one project in a Docker daemon: what there is, and taking it away."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from kubekit.image.store import PROJECT_LABEL, StoredImage
from kubekit.model import ImageConfig

if TYPE_CHECKING:
    import docker

_ENDED = frozenset({"exited", "dead"})
_NAMES = ("RepoTags", "RepoDigests")
_NO_NAMES = frozenset({"<none>:<none>", "<none>@<none>"})


def stored(api: docker.APIClient, project: str) -> list[StoredImage]:
    """The images that kubekit built for the project, the one named last first.

    The age of an image is when it got its name in this daemon: what comes from the cache of
    builds keeps the time of its first build, so that `Created` says nothing.
    """
    import docker.errors

    containers = api.containers(all=True)
    used = {item["ImageID"] for item in containers if item["State"] not in _ENDED}
    found: list[tuple[tuple[str, str], StoredImage]] = []
    for image in _listed(api, project):
        try:
            about = api.inspect_image(image["Id"])  # type: ignore[no-untyped-call]
        except docker.errors.NotFound:
            continue  # another run has just deleted it
        names = tuple(name for key in _NAMES for name in image[key] or () if name not in _NO_NAMES)
        one = StoredImage(
            id=image["Id"], names=names, used=image["Id"] in used, size=_own_size(image)
        )
        found.append((_named_at(about), one))
    return [one for _, one in sorted(found, key=lambda pair: pair[0], reverse=True)]


def inspected(api: docker.APIClient, *, reference: str) -> dict[str, Any] | None:
    """What the daemon says of an image; None if it is not there."""
    import docker.errors

    try:
        return dict(api.inspect_image(reference))  # type: ignore[no-untyped-call]
    except docker.errors.NotFound:
        return None
    except docker.errors.APIError as error:
        # What is no name of an image is none of an image that is there.
        if error.status_code == HTTPStatus.BAD_REQUEST:
            return None
        raise


def config(api: docker.APIClient, *, reference: str) -> ImageConfig:
    """What an image that is there runs, and as whom."""
    return ImageConfig.of(api.inspect_image(reference).get("Config") or {})  # type: ignore[no-untyped-call]


def removed(api: docker.APIClient, name: str) -> bool:
    """Delete a name, and with its last one the image; whether it was there and could be."""
    import docker.errors

    try:
        # Kubernetes keeps ended containers for a while, which without force would hold the image.
        api.remove_image(name, force=True)
    except docker.errors.NotFound:
        return False
    except docker.errors.APIError as error:
        if error.status_code == HTTPStatus.CONFLICT:
            return False
        raise
    return True


def _listed(api: docker.APIClient, project: str) -> list[dict[str, Any]]:
    """As `api.images` lists them, with what of its size an image shares with others."""
    import json

    filters = json.dumps({"label": [f"{PROJECT_LABEL}={project}"]})
    answer = api.get(
        f"{api.base_url}/v{api.api_version}/images/json",
        params={"filters": filters, "shared-size": "1"},
        timeout=api.timeout,
    )
    answer.raise_for_status()
    return list(answer.json())


def _named_at(about: dict[str, Any]) -> tuple[str, str]:
    """When an image got its last name, so that a later time is more: Go cuts zeros at the end."""
    time = about.get("Metadata", {}).get("LastTagTime") or about["Created"]
    seconds, _, fraction = str(time).rstrip("Z").partition(".")
    return seconds, fraction.ljust(9, "0")


def _own_size(image: dict[str, Any]) -> int | None:
    # Docker before 23 does not tell, and says so by -1.
    shared = int(image.get("SharedSize", -1))
    return int(image["Size"]) - shared if shared >= 0 else None
