"""Lint rules about one container: its probes, its image, what stands in it twice.

Defaults of the fields are those of the API reference:
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from kubekit.manifests.objects import mapping
from kubekit.manifests.workloads import Container, Finding, Workload, items, port_number, whole
from kubekit.model import Object
from kubekit.text.strictyaml import FieldPath

PORT_HINT = "name a port that stands under `ports` of the container, or write the number"
_PERIOD = 10
_TIMEOUT = 1
_FAILURES = 3
_WORDS = {"readinessProbe": "readiness", "livenessProbe": "liveness", "startupProbe": "startup"}
_HUB = ("docker.io/library/", "index.docker.io/library/", "docker.io/", "library/", "localhost/")
_SLIP = 0.75  # of the likeness of difflib: one letter of five may be another

_Entries = list[tuple[FieldPath, object]]


def probe_ports(workload: Workload) -> Iterator[Finding]:
    """A probe asks a port that its container does not declare.

    A name is looked up in the probe's own container only, and is an error of the kubelet each time
    it is not there: such an answer counts as neither success nor failure, so readiness and startup
    never come, and liveness never restarts anything. A number works without being declared.
    https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
    """
    numbers = {
        port_number(port.get("containerPort"))
        for one in workload.containers()
        for _, port in one.ports()
    }
    for container in workload.containers():
        for kind, path, probe in container.probes():
            for action in ("httpGet", "tcpSocket"):
                asked = mapping(probe, action)
                if "port" not in asked:
                    continue
                at = (*path, action, "port")
                number = port_number(asked["port"])
                if number is None:
                    yield from _unknown_name(workload, container, kind, at, asked["port"])
                elif numbers and number not in numbers and not asked.get("host"):
                    shown = ", ".join(sorted(f"`{port}`" for port in numbers))
                    yield Finding(
                        id="probe-port-undeclared",
                        place=workload.place(at),
                        text=f"the {_WORDS[kind]} probe of {workload.named(container)} asks port "
                        f"`{number}`, but the ports it declares are {shown}",
                        hints=("name the port the app listens on in both places",),
                    )


def _unknown_name(
    workload: Workload, container: Container, kind: str, at: FieldPath, name: object
) -> Iterator[Finding]:
    names = [str(port["name"]) for _, port in container.ports() if port.get("name")]
    if not isinstance(name, str) or name in names:
        return
    effect = "it never restarts anything" if kind == "livenessProbe" else "it can never succeed"
    yield Finding(
        id="probe-port-name",
        place=workload.place(at),
        text=f"the {_WORDS[kind]} probe of {workload.named(container)} asks the port `{name}`, "
        f"which the container does not declare, so {effect}{did_you_mean(name, names)}",
        hints=(PORT_HINT,),
        error=kind != "livenessProbe" and container.runs_on,
    )


def probe_times(workload: Workload) -> Iterator[Finding]:
    """A liveness probe that kills before readiness is asked, and probes slower than their period.

    The kubelet asks each probe one time after the other, so that a longer `timeoutSeconds` only
    stretches the period. That is how a readiness probe waits for a slow answer on purpose, so only
    the two whose failures kill are told of.
    """
    for container in workload.containers():
        probes = {kind: (path, probe) for kind, path, probe in container.probes()}
        yield from _kills_first(workload, container, probes)
        for kind in ("livenessProbe", "startupProbe"):
            path, probe = probes.get(kind, ((), {}))
            timeout = whole(probe, "timeoutSeconds", _TIMEOUT)
            period = whole(probe, "periodSeconds", _PERIOD)
            if timeout > period:
                yield Finding(
                    id="probe-timeout",
                    place=workload.place((*path, "timeoutSeconds")),
                    text=f"the {_WORDS[kind]} probe of {workload.named(container)} may take "
                    f"{timeout} s, but is asked every {period} s",
                    hints=("make `periodSeconds` at least as long as `timeoutSeconds`",),
                )


def _kills_first(
    workload: Workload, container: Container, probes: dict[str, tuple[FieldPath, Object]]
) -> Iterator[Finding]:
    if "startupProbe" in probes or not {"livenessProbe", "readinessProbe"} <= probes.keys():
        return
    path, live = probes["livenessProbe"]
    ready = whole(probes["readinessProbe"][1], "initialDelaySeconds", 0)
    kills = whole(live, "initialDelaySeconds", 0) + (
        whole(live, "periodSeconds", _PERIOD) * whole(live, "failureThreshold", _FAILURES)
    )
    if 0 < kills < ready:
        yield Finding(
            id="liveness-before-readiness",
            place=workload.place(path),
            text=f"the liveness probe of {workload.named(container)} may kill it after {kills} s, "
            f"before its readiness is asked the first time after {ready} s",
            hints=("give it a `startupProbe` for the start, or a longer `initialDelaySeconds`",),
        )


def duplicates(workload: Workload) -> Iterator[Finding]:
    """The same variable or port twice, which a server-side apply refuses.

    They are the keys of their lists there, `name` and `containerPort` with `protocol`; a port's
    name has to be its container's only one.
    https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
    """
    for container in workload.containers():
        env = items(container.data.get("env"), (*container.path, "env"))
        names: _Entries = [((*path, "name"), item.get("name")) for path, item in env]
        numbers: _Entries = [
            ((*path, "containerPort"), (port["containerPort"], port.get("protocol", "TCP")))
            for path, port in container.ports()
            if "containerPort" in port
        ]
        called: _Entries = [((*path, "name"), port.get("name")) for path, port in container.ports()]
        for id_, what, entries in (
            ("duplicate-env", "variable", names),
            ("duplicate-port", "port", numbers),
            ("duplicate-port", "port", called),
        ):
            yield from _twice(workload, container, id_, what, entries)


def _twice(
    workload: Workload,
    container: Container,
    id_: str,
    what: str,
    entries: _Entries,
) -> Iterator[Finding]:
    first: dict[str, FieldPath] = {}
    for path, key in entries:
        if key is None:
            continue
        shown = f"{key[0]}/{key[1]}" if isinstance(key, tuple) else str(key)
        other = first.setdefault(shown, path)
        if other is not path:
            yield Finding(
                id=id_,
                place=workload.place(path),
                text=f"{workload.named(container)} has the {what} `{shown}` twice, first at "
                f"{workload.place(other)}",
                hints=(f"keep one `{shown}`",),
                error=True,
            )


def never_latest(workload: Workload) -> Iterator[Finding]:
    """An image that nobody pulls, under a tag that says nothing about what is in the node.

    https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
    """
    for container in workload.containers():
        image = container.data.get("image")
        if not isinstance(image, str) or container.data.get("imagePullPolicy") != "Never":
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@" not in image and tag in {"", "latest"}:
            yield Finding(
                id="never-latest",
                place=workload.place((*container.path, "image")),
                text=f"{workload.named(container)} runs whatever `{image}` is in the node: with "
                "`imagePullPolicy: Never` nobody ever pulls it anew",
                hints=("name a tag that changes with the content, or use `IfNotPresent`",),
            )


def other_image(workload: Workload, name: str, image: str) -> Iterator[Finding]:
    """An image that looks like the project's own, but is not the one that was built.

    Args:
        name: what kubekit calls the project's image.
        image: the reference it builds.
    """
    for container in workload.containers():
        found = container.data.get("image")
        if not isinstance(found, str) or found == image:
            continue
        repository = _repository(found)
        same_length = abs(len(repository) - len(name)) <= 1
        if same_length and difflib.get_close_matches(repository, [name], cutoff=_SLIP):
            yield Finding(
                id="other-image",
                place=workload.place((*container.path, "image")),
                text=f"image `{found}` of {workload.named(container)} is not the one kubekit "
                f"builds (`{image}`)",
                hints=(f"if it is meant, write `image: {{{{ image }}}}` or `image: {name}`",),
            )


def did_you_mean(name: str, known: list[str]) -> str:
    """The end of a sentence about a port that is not there: the nearest one, or all there are."""
    if close := difflib.get_close_matches(name, known, n=1):
        return f"; did you mean `{close[0]}`?"
    shown = " and ".join(f"`{one}`" for one in known)
    return f"; there is {shown}" if known else ""


def _repository(image: str) -> str:
    """The name without tag and digest, and without the prefix Docker itself adds."""
    path, slash, last = image.partition("@")[0].rpartition("/")
    whole_name = path + slash + last.partition(":")[0]
    for prefix in _HUB:
        if whole_name.startswith(prefix):
            return whole_name.removeprefix(prefix)
    return whole_name
