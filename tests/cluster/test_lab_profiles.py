"""The lab's further profiles are what other tests take them for; what they can do, those show."""

from __future__ import annotations

import json
import subprocess

import pytest

from lab.paths import FURTHER

NODES = {
    "containerd": {FURTHER["containerd"]: "containerd"},
    "two-node": {FURTHER["two-node"]: "docker", f"{FURTHER['two-node']}-m02": "docker"},
}


@pytest.mark.cluster
@pytest.mark.parametrize(("further", "nodes"), NODES.items(), indirect=["further"], ids=NODES)
def test_its_nodes_are_ready_and_its_context_is_not_chosen(
    further: dict[str, str], nodes: dict[str, str]
) -> None:
    def kubectl(*arguments: str) -> str:
        done = subprocess.run(
            ["kubectl", *arguments], env=further, capture_output=True, text=True, check=True
        )
        return done.stdout

    listed = kubectl("--context", further["KUBEKIT_PROFILE"], "get", "nodes", "-o", "json")
    ready = {}
    for node in json.loads(listed)["items"]:
        status = node["status"]
        (condition,) = (one for one in status["conditions"] if one["type"] == "Ready")
        assert condition["status"] == "True", condition
        version = status["nodeInfo"]["containerRuntimeVersion"]
        ready[node["metadata"]["name"]] = version.partition(":")[0]
    assert ready == nodes
    # None may be chosen: Minikube forgets the one that it deletes.
    chosen = kubectl("config", "view", "-o", "jsonpath={.current-context}")
    assert chosen not in FURTHER.values()
