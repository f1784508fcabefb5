"""What `dev` changes in the objects before they are applied, so that no image has to. Pure.

Containers that run the project's image start our supervisor, which runs their own program; where
the program's user may not write, a volume that is filled from the image lies over the code.
"""

from __future__ import annotations

import copy
import hashlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from kubekit.api.ownership import MANAGED_BY_LABEL, MANAGER, PART_OF_LABEL
from kubekit.dev import debug
from kubekit.dev.probe import named_ports
from kubekit.dev.shape import understood
from kubekit.errors import Place
from kubekit.manifests.objects import mapping, mappings
from kubekit.manifests.podspec import POD_SPECS
from kubekit.model import ImageConfig, Manifest, Manifests, Object, Settings
from kubekit.rollout.revisions import DEV_VOLUME

FOLDER = "/.kubekit"
"""Where the programs of `kubekit.pod` lie in a container."""

SOCKET_VARIABLE = "KUBEKIT_DEV"
"""What names the supervisor's socket."""

LASTING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")
"""The kinds whose pods go on until they are ended."""

_FILES = "kubekit-files"
_GRACE_SECONDS = 5
_DRAIN_SECONDS = 3.0
_EARLY_SECONDS = 5.0
_DEFAULT_GRACE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container that runs the project's image and that files are synced into.

    Attributes:
        ref: the workload it is of, ``Deployment/tasks``.
        name: its own.
        python: what runs a Python program in it.
        probe: its readiness probe, None without one.
        ports: name -> number of its ports.
    """

    ref: str
    name: str
    python: str
    probe: Object | None
    ports: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """The objects as `dev` applies them, and the containers in them that it syncs into.

    Attributes:
        told: what runs otherwise than a person may expect, in words.
    """

    manifests: Manifests
    containers: tuple[Container, ...]
    told: tuple[str, ...] = ()


def adapt(
    manifests: Manifests,
    settings: Settings,
    *,
    image: str,
    config: ImageConfig,
    debugger: bytes | None = None,
) -> Adapted:
    """Let the containers of this image run under the supervisor.

    An object in another shape than the API server takes stays as it is, to be refused by it.

    Args:
        manifests: as `build-and-apply` would apply them.
        settings: of the project; without `dev.sync` nothing is changed.
        image: the reference of the project's image.
        config: what it runs, and as whom.
        debugger: what `kubekit.dev.debug.zipped` has, for programs that are to be debugged.
    """
    told: list[str] = []
    found: list[Container] = []
    items = []
    dests = [posixpath.normpath(rule.dest) for rule in settings.dev.sync]
    programs = _programs()
    volume = f"kubekit-dev-{_digest(programs)}"
    for manifest in manifests.items:
        path = POD_SPECS.get(manifest.kind, ())
        spec = mapping(manifest.data, *path)
        mine = [one for one in mappings(spec.get("containers")) if one.get("image") == image]
        lasts = manifest.kind in LASTING
        if not dests or not mine or not lasts or not understood(spec):
            items.append(manifest)
            continue
        data = copy.deepcopy(manifest.data)
        if debugger:
            told += debug.differences(manifest.ref, data, mine[:1])
            data = debug.alone(data)
        pod = _Pod(mapping(data, *path), config, dests, volume, drain=_drain_seconds(data))
        for one in mine:
            # Containers of a pod share its ports: only one of them can have the debugger's.
            own = debugger if one is mine[0] else None
            found.append(pod.supervise(one["name"], ref=manifest.ref, debugger=own))
        items.append(replace(manifest, data=data))
    if found:
        items.insert(0, _config_map(volume, programs, settings))
        if debugger:
            items.insert(0, debug.config_map(debugger, settings))
    return Adapted(
        manifests=replace(manifests, items=tuple(items)), containers=tuple(found), told=tuple(told)
    )


class _Pod:
    """The spec of a pod while it is changed."""

    def __init__(
        self,
        spec: Object,
        config: ImageConfig,
        dests: Sequence[str],
        programs: str,
        *,
        drain: float,
    ) -> None:
        self._spec = spec
        self._drain = drain
        self._config = config
        self._dests = dests
        self._add("volumes", {"name": DEV_VOLUME, "configMap": {"name": programs}})

    def supervise(self, name: str, *, ref: str, debugger: bytes | None) -> Container:
        """Let the supervisor run this container's program."""
        container = next(one for one in self._spec["containers"] if one["name"] == name)
        command = self._command(container)
        python = _python(command)
        container["volumeMounts"] = [*_mounts(container), self._mounted()]
        if not self._may_write(container):
            self._lay_over(container, python)
        synced = [part for dest in self._dests for part in ("--synced", dest)]
        supervisor = [python, f"{FOLDER}/supervisor.py", *synced, "--grace", str(_GRACE_SECONDS)]
        if self._drain and not (container.get("lifecycle") or {}).get("preStop"):
            supervisor += ["--drain", f"{self._drain:g}"]
        if _asks_http(container):
            supervisor += ["--early", f"{_EARLY_SECONDS:g}"]
        if debugger:
            supervisor += debug.arm(self._spec, container, debugger)
        container["command"] = [*supervisor, "--", *command]
        container.pop("args", None)
        variable = {"name": SOCKET_VARIABLE, "value": f"{ref.rpartition('/')[2]}-{name}"}
        container["env"] = [*(container.get("env") or ()), variable]
        return Container(
            ref=ref,
            name=name,
            python=python,
            probe=container.get("readinessProbe"),
            ports=named_ports(container),
        )

    def _command(self, container: Object) -> list[str]:
        """What the container runs: as the API has it, `command` replaces the image's own `CMD`."""
        command, args = container.get("command"), container.get("args")
        if command:
            return [*command, *(args or ())]
        return [*self._config.entrypoint, *(args or self._config.cmd)]

    def _may_write(self, container: Object) -> bool:
        """Whether its program surely may write where the code lies: as root, on a disk of its own.

        What is to be laid over a volume is left alone: it is there to be written.
        """
        if all(
            any(one.get("mountPath") == dest for one in _mounts(container)) for dest in self._dests
        ):
            return True
        given = {
            **(self._spec.get("securityContext") or {}),
            **(container.get("securityContext") or {}),
        }
        user = given.get("runAsUser")
        is_root = user == 0 if user is not None else self._config.is_root
        return is_root and not given.get("runAsNonRoot") and not given.get("readOnlyRootFilesystem")

    def _lay_over(self, container: Object, python: str) -> None:
        """Mount a volume over each folder of code, and fill it before anything starts."""
        taken = {one.get("mountPath") for one in _mounts(container)}
        dests = [dest for dest in self._dests if dest not in taken]
        volumes = [f"{_FILES}-{container['name']}-{number}"[:63] for number in range(len(dests))]
        mounts = [
            {"name": volume, "mountPath": dest} for volume, dest in zip(volumes, dests, strict=True)
        ]
        for volume in volumes:
            self._add("volumes", {"name": volume, "emptyDir": {}})
        container["volumeMounts"] = [*_mounts(container), *mounts]
        fills = [f"{FOLDER}-files/{number}" for number in range(len(dests))]
        kept = ("image", "imagePullPolicy", "securityContext", "resources")
        filling = {
            "name": f"{_FILES}-{container['name']}"[:63],
            "command": [
                python,
                f"{FOLDER}/fill.py",
                *(part for pair in zip(dests, fills, strict=True) for part in pair),
            ],
            **{key: copy.deepcopy(container[key]) for key in kept if key in container},
            "volumeMounts": [
                self._mounted(),
                *(
                    {"name": volume, "mountPath": fill}
                    for volume, fill in zip(volumes, fills, strict=True)
                ),
            ],
        }
        # First, because another one may run the code, as a migration does.
        self._spec["initContainers"] = [filling, *(self._spec.get("initContainers") or ())]

    def _add(self, field: str, value: Object) -> None:
        self._spec[field] = [*(self._spec.get(field) or ()), value]

    @staticmethod
    def _mounted() -> Object:
        return {"name": DEV_VOLUME, "mountPath": FOLDER, "readOnly": True}


def _drain_seconds(data: Object) -> float:
    """For how long a pod that ends serves on; 0 where no other one takes its place before."""
    recreates = mapping(data, "spec", "strategy").get("type") == "Recreate"
    if data["kind"] != "Deployment" or recreates:
        return 0.0
    spec = mapping(data, *POD_SPECS["Deployment"])
    given = spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_SECONDS)
    # What is no number of seconds the API server refuses, in its own words.
    return min(_DRAIN_SECONDS * 3, max(0, given)) / 3 if isinstance(given, int) else 0.0


def _asks_http(container: Object) -> bool:
    """Whether nobody takes a program that only listens for one that is ready."""
    kinds = ("readinessProbe", "livenessProbe", "startupProbe")
    probes = [probe for kind in kinds if (probe := container.get(kind))]
    return bool(container.get("readinessProbe")) and all("httpGet" in probe for probe in probes)


def _mounts(container: Object) -> list[Object]:
    return list(container.get("volumeMounts") or ())


def _python(command: Sequence[str]) -> str:
    """What runs a Python program beside this command: its own interpreter, as far as it shows."""
    program = PurePosixPath(command[0]) if command else PurePosixPath("python3")
    if program.name.startswith("python"):
        return str(program)
    if (
        program.is_absolute()
        and program.parent.name == "bin"
        and program.parts[1] not in ("bin", "usr")
    ):
        return str(program.parent / "python")
    return "python3"


def _programs() -> dict[str, str]:
    """The files of `kubekit.pod`, name -> text."""
    folder = resources.files("kubekit.pod")
    files: Iterator[Any] = (one for one in folder.iterdir() if one.name.endswith(".py"))
    return {one.name: one.read_text("utf-8") for one in files if one.name != "__init__.py"}


def _digest(programs: Mapping[str, str]) -> str:
    text = "\0".join(f"{name}\0{programs[name]}" for name in sorted(programs))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _config_map(name: str, programs: Mapping[str, str], settings: Settings) -> Manifest:
    labels = {MANAGED_BY_LABEL: MANAGER, PART_OF_LABEL: settings.name}
    data = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": settings.namespace, "labels": labels},
        "immutable": True,
        "data": dict(programs),
    }
    return Manifest(data=data, origin=Place(file=settings.file))
