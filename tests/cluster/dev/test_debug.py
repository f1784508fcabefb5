"""`kubekit dev --debug`: a breakpoint stops the app in its pod, and the next code after a save."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.dev import harness
from tests.cluster.dev.harness import PATIENCE, Dev, waited
from tests.cluster.dev.project import MAIN, locked_project
from tests.dap import Debugger

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

HELLO = """

@app.get("/hello/{word}")
def hello(word: str) -> str:
    said = word.VERB()
    return said
"""
CODE = MAIN + HELLO
LINE = CODE.splitlines().index("    return said") + 1
LIVENESS = """\
          livenessProbe:
            httpGet: {path: /ready, port: http}
            periodSeconds: 1
            failureThreshold: 1
          readinessProbe:
"""


@pytest.fixture
def dev(cluster: dict[str, str], tmp_path: Path) -> Iterator[Dev]:
    project = locked_project(tmp_path, cluster)
    project.edit("kubekit.yaml", "replicas: 1", "replicas: 2")
    project.edit("manifests/app.yaml.j2", "          readinessProbe:\n", LIVENESS)
    project.write("src/app/main.py", CODE.replace("VERB", "upper"))
    with harness.dev(project, "--debug") as run:
        yield run


@pytest.fixture
def entry(dev: Dev) -> dict[str, Any]:
    """What VS Code would be given, as it makes of it what it sends."""
    told = dev.past("debugging")[0]["launch"]
    folder = str(dev.project.folder)
    return json.loads(json.dumps(told).replace("${workspaceFolder}", folder))


class Asking:
    """A request that waits for a breakpoint."""

    def __init__(self, dev: Dev, path: str) -> None:
        self._answer: Any = None
        self._thread = threading.Thread(target=self._ask, args=(dev, path), daemon=True)
        self._thread.start()

    def _ask(self, dev: Dev, path: str) -> None:
        try:
            self._answer = json.loads(dev.get(path))
        except (OSError, ValueError) as error:
            self._answer = error

    @property
    def so_far(self) -> Any:
        """What has come, None yet."""
        return self._answer

    def result(self) -> Any:
        self._thread.join(PATIENCE)
        return self._answer


def stopped(
    dev: Dev, entry: dict[str, Any], word: str
) -> tuple[Debugger, int, dict[str, str], Asking]:
    """Attach as the entry says, ask, and wait for the breakpoint."""
    here = dev.project.folder / "src/app/main.py"
    debugger = Debugger(entry["connect"]["port"])
    debugger.attach(here, LINE, **entry)
    asking = Asking(dev, f"/hello/{word}")
    try:
        thread, frame = debugger.stopped()
    except TimeoutError as error:
        told = f"{asking.so_far!r}\n{debugger.heard}\n{dev.told()[-3000:]}"
        raise AssertionError(told) from error
    assert (frame["source"]["path"], frame["line"]) == (str(here), LINE)
    return debugger, thread, debugger.variables(frame), asking


def test_a_breakpoint_stops_the_app_and_after_a_save_the_new_one(
    dev: Dev, entry: dict[str, Any]
) -> None:
    pods = {pod["metadata"]["uid"] for pod in dev.pods()}
    assert len(pods) == 1
    debugger, thread, variables, asking = stopped(dev, entry, "one")
    assert (variables["word"], variables["said"]) == ("'one'", "'ONE'")

    def unready() -> bool:
        (pod,) = dev.pods()
        return not pod["status"]["containerStatuses"][0]["ready"]

    waited(unready, "the readiness probe to fail, so that a liveness probe would have, too")
    debugger.go_on(thread)
    assert asking.result() == "ONE"

    dev.save("src/app/main.py", CODE.replace("VERB", "title"))
    assert dev.until("synced")["mode"] == "warm"
    assert debugger.event("terminated") == {"restart": True}
    debugger.ask("disconnect", restart=True)
    debugger.close()
    debugger, thread, variables, asking = stopped(dev, entry, "two")
    assert variables["said"] == "'Two'"
    debugger.go_on(thread)
    assert asking.result() == "Two"
    debugger.close()
    (pod,) = dev.pods()
    assert pod["metadata"]["uid"] in pods
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    assert not dev.of("report")
