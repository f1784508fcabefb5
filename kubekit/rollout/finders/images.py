"""Finders about images that cannot be had, and what is there in their place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from kubekit.model import Object
from kubekit.rollout.finders.findings import waiting
from kubekit.rollout.finders.hits import Finder, Hit, container_hit
from kubekit.rollout.reading import event_time, is_about
from kubekit.rollout.snapshot import Snapshot
from kubekit.rollout.wants import KeysOf, NodesOf, OnHost, Want

PULL = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable")
NEVER = "ErrImageNeverPull"
UNREACHABLE_SECONDS = 45.0
"""How long a registry may be out of reach before it decides."""

_ONE_TRY = 2.0
"""Seconds between what belongs to one try to pull: events have whole seconds."""
_SYSTEM = ("registry.k8s.io/", "gcr.io/k8s-minikube/")
_LIKE = 0.65
_SHOWN_AFTER = 5.0
_STEP = 10
_VERIFIES = (1, 35)
"""The first Kubernetes whose kubelet asks for the credentials an image was pulled with."""


def absent(*reasons: str, text: str = "") -> Finder:
    """Containers whose image is nowhere the node looks; what is there instead is told."""
    base = waiting(*reasons, text=text)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for hit in base(snapshot, now):
            image = str(hit.words["image"])
            told = {"absence": _absence(snapshot, image), **_instead(snapshot, image)}
            wants: frozenset[Want] = frozenset({OnHost(image=image), NodesOf()})
            yield replace(hit, words={**hit.words, **told}, wants=wants)

    return find


def only_on_host(not_found: str, unreachable: str) -> Finder:
    """The same, where this machine's own Docker has the image.

    A registry out of reach is no proof that it lacks the image: that must stand for a while.
    """
    absences = (absent(NEVER), absent(*PULL, text=not_found))
    unclear = absent(*PULL, text=unreachable)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        late = UNREACHABLE_SECONDS * snapshot.patience
        hits = [hit for finder in absences for hit in finder(snapshot, now)]
        hits += [replace(hit, since=hit.since + late) for hit in unclear(snapshot, now)]
        for hit in hits:
            image = str(hit.words["image"])
            if snapshot.facts.get(OnHost(image=image)) and not _is_there(snapshot, image):
                yield hit

    return find


def held_back(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Containers that may not use an image which is in the node.

    The kubelet says the same as of an image that is not there; older ones than `_VERIFIES` may just
    not have looked again.
    """
    nodes = snapshot.facts.get(NodesOf()) or ()
    for hit in absent(NEVER)(snapshot, now):
        if any(map(_verifies, nodes)) and _is_there(snapshot, str(hit.words["image"])):
            yield hit


def denied(text: str) -> Finder:
    """Containers whose registry does not let the node in; of what a pod has to log in with.

    A pull secret that has come since the last try is used by the next one.
    """
    base = waiting(*PULL, text=text)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for hit in base(snapshot, now):
            pod = next(
                pod for pod in snapshot.new_pods if hit.where == f"Pod/{pod['metadata']['name']}"
            )
            named = [str(item.get("name")) for item in pod["spec"].get("imagePullSecrets") or ()]
            wants = frozenset(KeysOf(kind="Secret", name=name) for name in named)
            absent = sorted(want.name for want in wants if snapshot.facts.get(want) is None)
            lacked = _tried_without(snapshot, pod)
            if lacked and not absent:
                continue
            # To who may not read Secrets none is there: the kubelet must have missed it, too.
            words = {**hit.words, **_login(named, absent if lacked else [])}
            yield replace(hit, words=words, wants=wants)

    return find


def _login(named: list[str], absent: list[str]) -> Mapping[str, str]:
    """What a pod has to log in with, ``because`` for the cause and ``advice`` for the fix."""
    if not named:
        advice = "create a pull secret and name it in `imagePullSecrets`"
        return {"because": "", "advice": advice}
    if absent:
        because = f": Secret `{absent[0]}`, which `imagePullSecrets` names, is not there"
        return {
            "because": because,
            "advice": f"create `{absent[0]}`, or name the one that is there",
        }
    advice = f"put a login into Secret `{named[0]}` that may pull it, for the host it is named by"
    return {"because": f" with the login in Secret `{named[0]}`", "advice": advice}


def _tried_without(snapshot: Snapshot, pod: Object) -> bool:
    """Whether the last try to pull that has ended lacked a pull secret which was not there then."""
    uid = pod["metadata"]["uid"]
    lacked = snapshot.events_of(uid, "FailedToRetrieveImagePullSecret")
    ended = [
        event_time(event)
        for event in snapshot.events_of(uid, "Failed")
        if str(event.get("message")).startswith("Failed to pull image")
    ]
    last = max(ended, default=0.0)
    return bool(lacked) and event_time(lacked[-1]) >= last - _ONE_TRY


def wrong_platform(text: str) -> Finder:
    """Images that were not made for the node; the group ``platform`` of `text` may be missing."""
    base = waiting(*PULL, text=text)

    def find(snapshot: Snapshot, now: float) -> Iterator[Hit]:
        for hit in base(snapshot, now):
            named = hit.words.get("platform")
            platform = f"`{named}`" if named else "the node's processor"
            yield replace(hit, words={**hit.words, "platform": platform})

    return find


def pulling(snapshot: Snapshot, now: float) -> Iterator[Hit]:
    """Containers whose image is on its way: no news since the pull began."""
    for container in snapshot.containers:
        reasons = ("Pulling", "Pulled", "Failed", "BackOff", "Created")
        events = [
            event
            for event in snapshot.events_of(container.pod_uid, *reasons)
            if is_about(event, container)
        ]
        began = max((event_time(it) for it in events if it["reason"] == "Pulling"), default=None)
        if began is None or container.running or container.exited:
            continue
        over = any(event_time(it) >= began for it in events if it["reason"] != "Pulling")
        if not over and now - began >= _SHOWN_AFTER:
            # In steps, or each second would be a line of its own.
            steps = int(now - began) // _STEP * _STEP
            words = {"so_far": f" for more than {steps} s" if steps else ""}
            hit = container_hit(snapshot, container, now, words=words, field="image")
            yield replace(hit, since=began)


def _absence(snapshot: Snapshot, image: str) -> str:
    """Where a pull that found nothing has looked."""
    if _is_there(snapshot, image):
        return "not in its registry, and its `imagePullPolicy` is Always, as for `:latest`"
    return "neither in the node nor in its registry"


def _instead(snapshot: Snapshot, image: str) -> Mapping[str, object]:
    """What is there in place of an image: ``instead`` for the cause, ``advice`` for the fix."""
    if _is_there(snapshot, image):
        return {
            "instead": "; a node has it",
            "advice": "set `imagePullPolicy: IfNotPresent`",
        }
    # What was built a moment ago is not in the node's status yet.
    near = nearest(image, [*snapshot.target.images, *_known(snapshot)])
    if near in snapshot.target.images:
        return {
            "instead": f"; this run built `{near}`",
            "advice": 'write `image: "{{ image }}"`, which names what this run has built',
        }
    load = f"load it: `minikube image load --daemon {image}`"
    if near:
        return {"instead": f"; `{near}` is there", "advice": f"did you mean `{near}`? Or {load}"}
    return {
        "instead": "",
        "advice": f"check name and tag; an image of yours must be built by kubekit, or {load}",
    }


def _known(snapshot: Snapshot) -> list[str]:
    """The names of the images in the nodes, without those of the cluster itself."""
    nodes = snapshot.facts.get(NodesOf()) or ()
    names = {name for node in nodes for name in _names(node)}
    return sorted(name for name in names if not name.startswith(_SYSTEM))


def _is_there(snapshot: Snapshot, image: str) -> bool:
    return any(_split(name) == _split(image) for name in _known(snapshot))


def nearest(image: str, known: list[str]) -> str | None:
    """What is most like it: the nearest tag of the same image, else of one with a like name."""
    name, tag = _split(image)
    tags: dict[str, list[str]] = {}
    for other in known:
        tags.setdefault(_split(other)[0], []).append(_split(other)[1])
    # A registry they share makes no two images alike: their own names must be, too.
    own = name.rpartition("/")[2]
    like = [
        other
        for other in difflib.get_close_matches(name, tags, 5, _LIKE)
        if difflib.get_close_matches(own, [other.rpartition("/")[2]], 1, _LIKE)
    ]
    if not like:
        return None
    return f"{like[0]}:{difflib.get_close_matches(tag, tags[like[0]], 1, 0.0)[0]}"


def _split(image: str) -> tuple[str, str]:
    """Name and tag, as people write them: without Docker Hub's own host."""
    short = re.sub(r"^(?:docker\.io/)?(?:library/)?", "", image)
    name, colon, tag = short.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (short, "latest")


def _names(node: Object) -> Iterator[str]:
    for image in (node.get("status") or {}).get("images") or ():
        for name in image.get("names") or ():
            if "@" not in name:
                yield re.sub(r"^docker\.io/(?:library/)?", "", name)


def _verifies(node: Object) -> bool:
    version = ((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") or ""
    match = re.match(r"v(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= _VERIFIES
