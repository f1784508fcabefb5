"""`dev --debug`: what a pod needs so that an editor attaches to the app in it.

debugpy goes into the pod as a ConfigMap, which is as it lies here but for what is compiled: its
Python files alone work on every Python from 3.10 on, and are 0.65 MiB as a zip file.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from kubekit.api.ownership import MANAGED_BY_LABEL, MANAGER, PART_OF_LABEL
from kubekit.errors import MissingError, Place
from kubekit.events import Debugging
from kubekit.manifests.objects import mapping
from kubekit.manifests.workloads import whole
from kubekit.model import Manifest, Object, Settings, SyncRule

PORT = 5678
"""Where the supervisor leads a debugger to the program, inside the pod and, if it is free, here."""

FOLDER = "/.kubekit-debug"
_VOLUME = "kubekit-debug"
_ZIP = f"{_VOLUME}-zip"
_KILLING = {"livenessProbe": "liveness", "startupProbe": "startup"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_WITHOUT = "pydevd_attach_to_process"
"""Of a megabyte and for processes that do not ask for a debugger, which ours do."""


def zipped() -> bytes:
    """The Python files of this machine's debugpy, always in the same bytes.

    Raises:
        MissingError: there is none.
    """
    spec = importlib.util.find_spec("debugpy")
    if spec is None or spec.origin is None:
        raise MissingError(
            "`--debug` needs debugpy, which is not installed beside kubekit",
            hints=(
                "install it: `uv tool install 'kubekit[debug]'`, or `pip install 'kubekit[debug]'`",
            ),
            id="debugpy-missing",
        )
    folder = Path(spec.origin).parent
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in sorted(folder.rglob("*.py")):
            if _WITHOUT not in path.parts:
                name = path.relative_to(folder.parent).as_posix()
                file.writestr(zipfile.ZipInfo(name, _EPOCH), path.read_bytes(), file.compression)
    return packed.getvalue()


def config_map(debugger: bytes, settings: Settings) -> Manifest:
    """What carries debugpy into the pods."""
    labels = {MANAGED_BY_LABEL: MANAGER, PART_OF_LABEL: settings.name}
    name = _name(debugger)
    data = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": settings.namespace, "labels": labels},
        "immutable": True,
        "binaryData": {"debugpy.zip": base64.b64encode(debugger).decode()},
    }
    return Manifest(data=data, origin=Place(file=settings.file))


def arm(spec: Object, container: Object, debugger: bytes) -> list[str]:
    """Mount debugpy, and leave out the probes that would kill the container at a breakpoint.

    Args:
        spec: of the pod; it is changed.
        container: the one of it that is to be debugged.
        debugger: as `zipped` has it.

    Returns:
        What to tell the supervisor.
    """
    spec["volumes"] = [
        *(spec.get("volumes") or ()),
        {"name": _VOLUME, "emptyDir": {}},
        {"name": _ZIP, "configMap": {"name": _name(debugger)}},
    ]
    container["volumeMounts"] = [
        *(container.get("volumeMounts") or ()),
        {"name": _VOLUME, "mountPath": FOLDER},
        {"name": _ZIP, "mountPath": f"{FOLDER}/zip", "readOnly": True},
    ]
    for key in _KILLING:
        container.pop(key, None)
    return ["--debug", str(PORT), FOLDER]


def alone(data: Object) -> Object:
    """A workload with one pod, so that every request comes by the debugger."""
    if _replicas(data) == 1:
        return data
    one = copy.deepcopy(data)
    one["spec"]["replicas"] = 1
    return one


def differences(ref: str, data: Object, containers: Sequence[Object]) -> list[str]:
    """What `--debug` runs otherwise than the manifest has it, in words.

    Args:
        ref: the workload, ``Deployment/tasks``.
        data: as it was.
        containers: those of it that are debugged, as they were.
    """
    told = []
    replicas = _replicas(data)
    if replicas > 1:
        told.append(f"{ref} runs 1 pod instead of {replicas}: every request meets the debugger")
    for one in containers:
        probes = [word for key, word in _KILLING.items() if key in one]
        if probes:
            what = f"{' and '.join(probes)} probe{'s' if len(probes) > 1 else ''}"
            told.append(
                f"{ref} runs without the {what} of container `{one['name']}`:"
                " a breakpoint would be taken for a hang"
            )
    return told


def _replicas(data: Object) -> int:
    return whole(mapping(data, "spec"), "replicas", 1) or 1


def debugging(settings: Settings, port: int) -> Debugging:
    """What is told of the port on this machine."""
    text = (
        f"a debugger attaches at localhost:{port}, and VS Code again by itself after a reload; its"
        " entry in .vscode/launch.json:"
    )
    return Debugging(port=port, launch=launch(settings.dev.sync, settings.root, port), text=text)


def launch(rules: Sequence[SyncRule], root: Path, port: int) -> Object:
    """The entry for VS Code's `launch.json`.

    Args:
        rules: what lies where in the container.
        root: the folder that is open in the editor, as far as we know: the project's.
        port: on this machine.
    """
    mappings = [{"localRoot": _local(rule.src, root), "remoteRoot": rule.dest} for rule in rules]
    return {
        "name": "kubekit dev",
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": "localhost", "port": port},
        "pathMappings": mappings,
        "justMyCode": True,
    }


def _local(folder: Path, root: Path) -> str:
    if not folder.is_relative_to(root):
        return str(folder)
    below = folder.relative_to(root).as_posix()
    return "${workspaceFolder}" + ("" if below == "." else f"/{below}")


def _name(debugger: bytes) -> str:
    return f"{_VOLUME}-{hashlib.sha256(debugger).hexdigest()[:10]}"
