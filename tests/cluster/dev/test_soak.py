"""Random edits under `kubekit dev`: at every quiet point all is equal, and nothing grows.

Twelve edits, each of another kind; with `--rounds 3`, as in `make soak`, ten parts of fifty, but
for those that have passed since anything was changed. A part's id is its seed: one is played with
`pytest "tests/cluster/dev/test_soak.py::test_a_part[3]" --rounds 3`.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.cluster.conftest import Project
from tests.cluster.dev import harness, soaked
from tests.cluster.dev.growth import grown, held
from tests.cluster.dev.hand import Hand
from tests.cluster.dev.harness import Dev, waited
from tests.cluster.dev.project import root_project
from tests.cluster.dev.soaked import Part
from tests.cluster.dev.test_minikube_restart import minikube, server_of
from tests.cluster.faultproxy import FaultProxy, in_front_of

pytestmark = pytest.mark.cluster

SAMPLE, WHOLE = 12, 50
PARTS = range(1, 9)
RESTARTED = (9, 10)
RESTARTS = 2
PATIENCE = 3000
MANIFEST = "manifests/app.yaml.j2"
_Test = TypeVar("_Test", bound=Callable[..., None])


def whole(test: _Test) -> _Test:
    """Of `make soak` alone; what has failed once has failed."""
    is_sample = "config.getoption('--rounds', default=1) == 1"
    for mark in (
        pytest.mark.skipif(is_sample, reason="for `make soak`: minutes for each"),
        pytest.mark.timeout(PATIENCE),
        pytest.mark.flaky(reruns=0),
    ):
        test = mark(test)
    return test


@pytest.mark.skipif("config.getoption('--rounds', default=1) > 1", reason="part of the whole")
def test_twelve_edits(cluster: dict[str, str], tmp_path: Path) -> None:
    play(root_project(tmp_path, cluster), Part(seed=0, commit=""), SAMPLE)


@whole
@pytest.mark.parametrize("seed", PARTS)
def test_a_part(cluster: dict[str, str], tmp_path: Path, seed: int) -> None:
    with part_of(seed) as part:
        play(root_project(tmp_path, cluster), part, WHOLE)


@whole
@pytest.mark.parametrize("further", ["containerd"], indirect=True)
@pytest.mark.parametrize("seed", RESTARTED)
def test_a_part_with_restarts_of_minikube(
    further: dict[str, str], tmp_path: Path, seed: int
) -> None:
    # Of a profile of its own: it chooses a context for its user, whom the other tests are, and
    # their API server would be on another port.
    own = shutil.copy(further["KUBECONFIG"], tmp_path / "kubeconfig-of-minikube")
    with part_of(seed) as part:
        project = root_project(tmp_path, {**further, "KUBECONFIG": str(own)})
        play(project, part, WHOLE, restarts=RESTARTS)


@contextlib.contextmanager
def part_of(seed: int) -> Iterator[Part]:
    """A part that is kept, however it ends; none if there is nothing new to be seen of it."""
    if soaked.has_passed(seed):
        pytest.skip("passed, and nothing has changed since")
    part = Part(seed=seed, commit=soaked.commit())
    began = time.monotonic()
    try:
        yield part
    except BaseException as error:
        part.failed = str(error).partition("\n")[0][:200] or type(error).__name__
        raise
    finally:
        part.seconds = time.monotonic() - began
        soaked.keep(part)


def play(project: Project, part: Part, count: int, *, restarts: int = 0) -> None:
    """Edit the project as often, and look at each quiet point."""
    dice = random.Random(part.seed)
    # Of the revisions before, each of which names a Secret, not the ten that a Deployment keeps.
    project.edit(MANIFEST, "  selector: {m", "  revisionHistoryLimit: 2\n  selector: {m")
    # How soon a rollout is given up is not the question here, and the machine may be busy.
    project.edit("kubekit.yaml", "timeout: 120s", "timeout: 120s\npatience: 5")
    original = Path(project.env["KUBECONFIG"])
    with in_front_of(server_of(project)) as proxy:
        config = proxy.kubeconfig(original, project.folder.parent / "proxied", project.context)
        project.edit("Dockerfile", "COPY src", "RUN exit 3\nCOPY src")
        with harness.dev(project, kubeconfig=config, begun=mended) as dev:
            hand = Hand(dev, proxy, dice)
            deeds = dealt(hand, dice, count)
            for at in dice.sample(range(count), restarts):
                deeds[at] = restarting(dev, hand, proxy)
            quiet(dev, hand.said)
            for number, deed in enumerate(deeds):
                done(dev, hand, deed, part)
                if number + 1 == count // 2:
                    part.before = held(dev)
            ended(dev, part)


def mended(dev: Dev) -> None:
    """Repair the Dockerfile that it began with."""
    dev.until("report")
    dev.edit("Dockerfile", "RUN exit 3\n", "")
    dev.calm()


def dealt(hand: Hand, dice: random.Random, count: int) -> list[Callable[[], None]]:
    """Edits of each kind, before any comes again."""
    decks = (dice.sample(hand.deeds, len(hand.deeds)) for _ in itertools.count())
    return list(itertools.islice(itertools.chain.from_iterable(decks), count))


def done(dev: Dev, hand: Hand, deed: Callable[[], None], part: Part) -> None:
    """Do one thing, and wait until all is quiet."""
    dev.mark()
    name = deed.__name__
    number = sum(part.edits.values()) + 1
    try:
        deed()
        quiet(dev, hand.said)
    except AssertionError as error:
        told = f"{dev.told()[-5000:]}\n{dev.err()[-2000:]}"
        raise AssertionError(f"edit {number}, `{name}`: {error}\n{told}") from error
    part.edits[name] = part.edits.get(name, 0) + 1
    part.quiet += 1


def quiet(dev: Dev, said: str) -> None:
    """Every replica has the files and runs them, and `dev` says so."""
    dev.everywhere(text=said)
    waited(lambda: dev.is_quiet and not dev.differing(), "all to be quiet, and the files there")
    dev.everywhere(text=said)


def restarting(dev: Dev, hand: Hand, proxy: FaultProxy) -> Callable[[], None]:
    """Stops Minikube and starts it again, with a save meanwhile."""

    def restart() -> None:
        minikube(dev.project, "stop")
        dev.until("watching", lambda event: "does not answer" in event["text"])
        hand.say()
        minikube(dev.project, "start")
        proxy.lead_to(server_of(dev.project))
        dev.until("files-changed", lambda event: "answers again" in event["text"])

    return restart


def ended(dev: Dev, part: Part) -> None:
    """Nothing has grown, and nothing went wrong that only stderr tells."""

    def is_as_before() -> bool:
        part.after = held(dev)
        more = grown(part.before, part.after)
        assert not more, more
        return True

    waited(is_as_before, "it to hold as little as before")
    assert dev.err() == ""
