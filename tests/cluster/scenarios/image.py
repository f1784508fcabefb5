"""Rows 1 to 10: images."""

from __future__ import annotations

from tests.cluster.scenarios.evidence import waits
from tests.cluster.scenarios.scenario import REGISTRY, Scenario, image

PULL = ("ErrImagePull", "ImagePullBackOff")

SCENARIOS = {
    "image-never-pulled": Scenario(
        title="`imagePullPolicy: Never`, and no such image in the node.",
        rows=(1,),
        cause="image-never-pulled",
        says=("`shop:v7`", "minikube image load"),
        at="image:",
        edits=image("shop:v7\n          imagePullPolicy: Never"),
        tier="A",
        evidence=waits("ErrImageNeverPull"),
    ),
    "image-not-found": Scenario(
        title="A registry that answers, but has no such image.",
        rows=(3,),
        cause="image-not-found",
        says=(f"`{REGISTRY}/nothing:1`", "check name and tag"),
        at="image:",
        edits=image(f'"{REGISTRY}/nothing:1"'),
        tier="A",
        evidence=waits(*PULL),
    ),
    "image-denied": Scenario(
        title="A registry that wants to know who asks.",
        rows=(4,),
        cause="image-denied",
        says=(f"`{REGISTRY}/private/tasks:1`", "imagePullSecrets"),
        at="image:",
        edits=image(f'"{REGISTRY}/private/tasks:1"'),
        tier="A",
        evidence=waits(*PULL),
    ),
    "image-registry-unreachable": Scenario(
        title="An image of a registry that cannot be reached.",
        rows=(5,),
        cause="image-registry-unreachable",
        says=("registry.invalid", "network"),
        at="image:",
        edits=image("registry.invalid/tasks:1"),
        within=90,
        tier="B",
        evidence=waits(*PULL),
    ),
    "image-invalid-name": Scenario(
        title="A name that no image can have.",
        rows=(6,),
        cause="image-invalid-name",
        says=("`Tasks:V1`", "lower case"),
        at="image:",
        edits=image("Tasks:V1"),
        tier="A",
        evidence=waits("InvalidImageName"),
    ),
}
