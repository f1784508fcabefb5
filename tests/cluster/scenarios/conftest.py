"""What the scenarios share: the recorder, the registry in the node, and the plays themselves."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from tests.cluster.conftest import PROFILE
from tests.cluster.scenarios import documents
from tests.cluster.scenarios.actions import REGISTRY_CERTIFICATE
from tests.cluster.scenarios.harness import HERE, Played, Stage, make
from tests.cluster.scenarios.recorder import Recorder
from tests.cluster.scenarios.scenario import FILE, Scenario, container, pod, replaced
from tests.cluster.scenarios.tables import SCENARIOS
from tests.steady import attempt

WORKERS = 5
"""As many as two cores bear without the waits becoming longer than what is waited for."""

Key = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Plays:
    """Every scenario that was asked for, as they come in."""

    stage: Stage
    found: dict[Key, Future[Played]]

    def again(self, key: Key) -> None:
        """Play it anew: its test has failed, and is run once more."""
        self.found[key] = self.stage.add(SCENARIOS[key[0]])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each scenario once, the healthy ones as often as was asked for."""
    if "played" not in metafunc.fixturenames:
        return
    rounds = metafunc.config.getoption("--rounds", default=1)
    cases = [
        pytest.param((name, number), id=name if number == 0 else f"{name}-again-{number}")
        for name, scenario in SCENARIOS.items()
        for number in range(1 if scenario.code else rounds)
    ]
    metafunc.parametrize("played", cases, indirect=True)


@pytest.fixture
def played(request: pytest.FixtureRequest, plays: Plays) -> Played:
    """How one scenario went."""
    if attempt(request.node) > 1:
        plays.again(request.param)
    return plays.found[request.param].result()


@pytest.fixture(scope="session")
def recorder(cluster: dict[str, str]) -> Iterator[Recorder]:
    """The witness of all that happens in the cluster meanwhile."""
    with Recorder(cluster["KUBECONFIG"], PROFILE).recording() as recorder:
        yield recorder


@pytest.fixture(scope="session")
def registry(cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A registry in the node: see registry.py."""
    source = (HERE / "registry.py").read_text()
    edits = (
        *container(f"command: [python, -u, -c, {json.dumps(source)}]"),
        *pod("hostNetwork: true"),
        *replaced("          ports: [{name: http, containerPort: 8000}]\n", ""),
        *replaced("httpGet:\n", "httpGet:\n              host: 127.0.0.1\n"),
        *replaced("path: /ready", "path: /v2/"),
        *replaced("port: http", "port: 5077"),
    )
    parent = tmp_path_factory.mktemp("registry")
    project = make(parent, cluster, Scenario(title="A registry.", edits=edits))
    # What stands in braces twice would be the template's own.
    text = (project.folder / FILE).read_text()
    project.write(
        FILE, text.replace(json.dumps(source), f"{{% raw %}}{json.dumps(source)}{{% endraw %}}")
    )
    try:
        project.apply()
        pem = project.kubectl("exec", "deploy/web", "--", "cat", "/state/certificate.pem")
        REGISTRY_CERTIFICATE[:] = [base64.b64encode(pem.encode()).decode()]
        yield
    finally:
        # Waited for: the pod holds a port of the node, which the next run needs.
        project.kubectl("delete", "namespace", project.name, check=False)


@pytest.fixture(scope="session")
def plays(
    request: pytest.FixtureRequest,
    cluster: dict[str, str],
    registry: None,
    recorder: Recorder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Plays]:
    """All of them begun; with `--write-docs`, the documents at the end."""
    wanted = [
        item.callspec.params["played"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and "played" in item.callspec.params
    ]
    wanted.sort(key=lambda key: -SCENARIOS[key[0]].within)  # the longest first
    writes = request.config.getoption("--write-docs", default=False)
    stage = Stage(
        tmp_path_factory.mktemp("scenarios"),
        cluster,
        recorder=recorder,
        workers=WORKERS,
        beside=writes,
    )
    found = {key: stage.add(SCENARIOS[key[0]]) for key in wanted}
    try:
        yield Plays(stage=stage, found=found)
    finally:
        stage.close()
    if writes and {name for name, _ in found} == set(SCENARIOS):
        documents.write({name: found[name, 0].result() for name in SCENARIOS})
