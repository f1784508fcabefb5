"""Awkward, but healthy: each must end Ready."""

from __future__ import annotations

import time

from tests.cluster.conftest import Project
from tests.cluster.scenarios.actions import mode
from tests.cluster.scenarios.running import Running
from tests.cluster.scenarios.scenario import Scenario, env
from tests.cluster.scenarios.start import KEY_REF


def late_secret(project: Project, run: Running) -> None:
    """The Secret comes eight seconds after it was missed first: kubectl takes one of them."""
    run.until("Secret `keys` does not exist")
    time.sleep(7)
    project.kubectl("create", "secret", "generic", "keys", "--from-literal=TOKEN=b")


SCENARIOS = {
    "ready": Scenario(title="All is well.", code=0, says=("is live",)),
    "crashes-once": Scenario(title="The app crashes once, then starts.", code=0, mode="once"),
    "secret-comes-late": Scenario(
        title="A Secret that somebody else makes comes 8 s late.",
        code=0,
        edits=env(KEY_REF),
        meddle=late_secret,
    ),
    "old-revision-crashes": Scenario(
        title="The revision before was crashing; the new one is fine.",
        rows=(71,),
        code=0,
        mode="raise",
        prepare=mode("raise", "fine"),
    ),
}
