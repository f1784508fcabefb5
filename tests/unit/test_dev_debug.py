"""What `dev --debug` changes in the objects, what it sends into pods, and what it says."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.console import TextView
from kubekit.dev import debug
from kubekit.dev.adapt import Adapted, adapt
from kubekit.errors import MissingError
from kubekit.model import Manifest, Manifests, Object, SyncRule
from kubekit.pod.debugging import framed, messages
from tests.unit.test_dev_adapt import IMAGE, ROOT, settings, workload

CONFIG_MAP_BYTES = 1 << 20
PROBE = {"httpGet": {"path": "/", "port": 80}}


def adapted(manifest: Manifest, debugger: bytes | None = b"debugger") -> Adapted:
    items = Manifests(items=(manifest,))
    return adapt(items, settings("/app/src"), image=IMAGE, config=ROOT, debugger=debugger)


def pod_of(found: Adapted) -> Object:
    spec: Object = found.manifests.items[-1].data["spec"]["template"]["spec"]
    return spec


def test_debugpy_is_mounted_and_the_supervisor_told_of_it() -> None:
    found = adapted(workload({}))
    (config_map, *_) = found.manifests.items
    (volume,) = [one for one in pod_of(found)["volumes"] if one["name"] == "kubekit-debug-zip"]
    assert volume["configMap"] == {"name": config_map.name}
    assert base64.b64decode(config_map.data["binaryData"]["debugpy.zip"]) == b"debugger"
    (container,) = pod_of(found)["containers"]
    mounts = [one["mountPath"] for one in container["volumeMounts"]]
    assert mounts[-2:] == [debug.FOLDER, f"{debug.FOLDER}/zip"]
    command = container["command"]
    at = command.index("--debug")
    assert command[at : at + 3] == ["--debug", str(debug.PORT), debug.FOLDER]
    assert at < command.index("--")
    assert found.told == ()


def test_nothing_kills_the_container_at_a_breakpoint_and_that_is_said() -> None:
    probes = {"livenessProbe": PROBE, "startupProbe": PROBE, "readinessProbe": PROBE}
    found = adapted(workload(dict(probes)))
    (container,) = pod_of(found)["containers"]
    assert {key for key in probes if key in container} == {"readinessProbe"}
    (told,) = found.told
    assert "without the liveness and startup probes of container `api`" in told
    kept = adapted(workload(dict(probes)), debugger=None)
    assert kept.told == ()
    assert set(probes) <= set(pod_of(kept)["containers"][0])


def test_one_pod_meets_every_request_and_that_is_said() -> None:
    manifest = workload({})
    manifest.data["spec"]["replicas"] = 3
    found = adapted(manifest)
    assert found.manifests.items[-1].data["spec"]["replicas"] == 1
    assert found.told == (
        "Deployment/tasks runs 1 pod instead of 3: every request meets the debugger",
    )
    assert manifest.data["spec"]["replicas"] == 3
    plain = adapted(manifest, debugger=None).manifests.items[-1]
    assert plain.data["spec"]["replicas"] == 3


def test_of_two_containers_in_a_pod_one_has_the_port() -> None:
    second = {"name": "second", "image": IMAGE, "livenessProbe": PROBE}
    manifest = workload({})
    manifest.data["spec"]["template"]["spec"]["containers"].append(second)
    first, other = pod_of(adapted(manifest))["containers"]
    assert "--debug" in first["command"]
    assert "--debug" not in other["command"]
    assert other["livenessProbe"] == PROBE


def test_what_goes_into_pods_is_python_alone_and_fits_a_config_map() -> None:
    packed = debug.zipped()
    assert packed == debug.zipped()
    assert len(packed) < CONFIG_MAP_BYTES * 0.9
    names = zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert {name.rpartition(".")[2] for name in names} == {"py"}
    assert {"debugpy/__init__.py", "debugpy/adapter/__main__.py"} <= set(names)


def test_without_debugpy_it_is_said_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "debugpy" else find(name)
    )
    with pytest.raises(MissingError) as raised:
        debug.zipped()
    assert raised.value.exit_code == 9
    assert "kubekit[debug]" in raised.value.hints[0]


def test_the_entry_maps_each_rule_from_the_open_folder() -> None:
    rules = (
        SyncRule(src=Path("/p/src"), dest="/app/src"),
        SyncRule(src=Path("/p"), dest="/all"),
        SyncRule(src=Path("/elsewhere/lib"), dest="/lib"),
    )
    assert debug.launch(rules, Path("/p"), 5679) == {
        "name": "kubekit dev",
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": "localhost", "port": 5679},
        "pathMappings": [
            {"localRoot": "${workspaceFolder}/src", "remoteRoot": "/app/src"},
            {"localRoot": "${workspaceFolder}", "remoteRoot": "/all"},
            {"localRoot": "/elsewhere/lib", "remoteRoot": "/lib"},
        ],
        "justMyCode": True,
    }


def test_the_entry_is_shown_as_it_is_to_be_pasted() -> None:
    event = debug.debugging(settings("/app/src"), 5678)
    out, err = io.StringIO(), io.StringIO()
    view = TextView(out, err, verbosity=0)
    view(event)
    view.close()
    text = err.getvalue()
    assert json.loads(text[text.index("{\n") :]) == event.launch
    assert "localhost:5678" in text


@given(st.lists(st.text(), max_size=5), st.integers(1, 50))
def test_messages_are_whole_however_they_come(texts: list[str], size: int) -> None:
    sent = [framed({"text": text}) for text in texts]
    stream = b"".join(sent)
    found: list[bytes] = []
    rest = b""
    for at in range(0, len(stream), size):
        whole, rest = messages(rest + stream[at : at + size])
        found += whole
    assert (found, rest) == (sent, b"")


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"x" * 5000])
def test_what_is_no_debugger_is_refused(said: bytes) -> None:
    with pytest.raises(ValueError):
        messages(said)
