"""Tests beside each other: what one worker of xdist keeps to itself, and what must be alone.

Most of a test on the cluster is waiting, so `make test` has several workers. Each takes a whole
module at a time, for its fixtures; a profile beside the lab's is there once at a time, so whatever
needs one is left to one worker. Two use the cluster: with a third, what a scenario must tell within
seconds is told too late. Any more take what needs no cluster, and step back behind those two; once
all scenarios are played, they help with the rest.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from lab import paths

_WORKS = "PYTEST_XDIST_WORKER" in os.environ
"""Whether this is one of several workers."""

_ON_CLUSTER = 2
"""How many of them take tests on the cluster from the beginning: the first of those alive."""

_MODEST = 5
"""By how much the others step back behind all else that runs here."""

_OWN_PROFILE = re.compile(r"/cluster/.*[\[-](containerd|two-node)\]|/test_profiles\.py::")
_SCENARIOS = re.compile("/scenarios/test_scenarios.py::")
_LONG = re.compile(
    r"/cluster/(dev|projects)/"
    r"|/cluster/test_(chaos|faults|images|postgres|push|rollback|secrets|teardown|turns|verify)\.py"
)
"""Modules of minutes: one that is begun last keeps the others waiting."""
_ORDER = (_SCENARIOS, _OWN_PROFILE, _LONG, re.compile("/cluster/"), re.compile("/cli/"))
_ELSEWHERE = re.compile("/scenarios/|/test_(profiles|lab_profiles|nodes).py::")
"""On profiles of their own; and scenarios, played before their tests look at them, see to it."""


def rank(nodeid: str) -> int:
    """Its place among all tests: first what takes longest, so that at the end nobody waits."""
    found = (place for place, kind in enumerate(_ORDER) if kind.search(nodeid))
    return next(found, len(_ORDER))


class Scheduling(LoadScopeScheduling):
    """A module at a time, in the order of the tests; those of further profiles as one module."""

    def _split_scope(self, nodeid: str) -> str:
        return "profiles" if _OWN_PROFILE.search(nodeid) else nodeid.partition("::")[0]

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        super().add_node_collection(node, collection)
        if node not in self.registered_collections:
            node.shutdown()  # it has other tests than the one it came for: nothing can be given it

    def remove_node(self, node: WorkerController) -> str | None:
        crashed = super().remove_node(node)
        self._ask(self.nodes)  # some have moved up
        return crashed

    def _assign_work_unit(self, node: WorkerController) -> None:
        if node not in self.registered_collections:
            return  # one that replaces another is asked when it knows its tests
        if self._off_cluster(node):
            known = (scope for scope in self.workqueue if _needs_none(self.config.rootpath / scope))
            scope = next(known, None)
            if scope is not None:
                self.workqueue.move_to_end(scope, last=False)
            elif self._plays():
                return  # asked again after each test that ends
        with contextlib.suppress(OSError):  # of a crash that is still to be told: it is given back
            super()._assign_work_unit(node)

    def _off_cluster(self, node: WorkerController) -> bool:
        """Whether it leaves the cluster to others, of whom there are enough that work."""
        alive = (_number(other.gateway.id) for other in self.nodes if not other.shutting_down)
        mine = _number(node.gateway.id)
        return sum(other < mine for other in alive) >= _ON_CLUSTER

    def _plays(self) -> bool:
        """Whether there are scenarios that have not been played."""
        begun = (unit for units in self.assigned_work.values() for unit in units.values())
        return any(
            _SCENARIOS.search(nodeid) and not over
            for unit in (*self.workqueue.values(), *begun)
            for nodeid, over in unit.items()
        )

    def mark_test_complete(
        self, node: WorkerController, item_index: int, duration: float = 0
    ) -> None:
        super().mark_test_complete(node, item_index, duration)
        self._ask(other for other in self.nodes if other is not node and self._off_cluster(other))

    def _ask(self, nodes: Iterable[WorkerController]) -> None:
        for node in nodes:
            if self.workqueue:
                self._reschedule(node)


@functools.cache
def _needs_none(module: Path) -> bool:
    """Whether no test of it is on the cluster; a profile's are many modules, and all are."""
    return module.is_file() and "mark.cluster" not in module.read_text("utf-8")


def _number(worker: str) -> int:
    return int(worker.removeprefix("gw"))


def pytest_configure() -> None:
    # Who moves up when another crashes cannot take it back, in a run that has failed by then.
    if _WORKS and _number(os.environ["PYTEST_XDIST_WORKER"]) >= _ON_CLUSTER:
        os.nice(_MODEST)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    config.option.loadscopereorder = False
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Those of one further profile together, at the end: each is started once, one at a time.
    items.sort(key=further_of)
    if _WORKS:
        items.sort(key=lambda item: rank(item.nodeid))


def further_of(item: pytest.Item) -> str:
    """The further profile of the lab that a test is for, if there is one."""
    called = getattr(item, "callspec", None)
    return str(called.params.get("further", "")) if called else ""


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around the time limit of the test, too
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if item.get_closest_marker("cluster") is None or _ELSEWHERE.search(item.nodeid):
        return (yield)
    with beside():
        return (yield)


@contextlib.contextmanager
def beside() -> Iterator[None]:
    """Use the lab's cluster beside other workers: while none has it or wants it alone."""
    with _locked("gate", fcntl.LOCK_SH), contextlib.ExitStack() as stack:
        stack.enter_context(_locked("cluster", fcntl.LOCK_SH))
        keep = stack.pop_all()
    with keep:
        yield


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Have the lab's cluster to oneself: nobody new comes in, and those who are in go out first."""
    with _locked("gate", fcntl.LOCK_EX), _locked("cluster", fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def _locked(name: str, how: int) -> Iterator[None]:
    """Hold a lock among the workers of this machine; it ends with its holder."""
    if not _WORKS:
        yield
        return
    folder = paths.places().state
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"tests-{name}.lock").open("a") as file:
        fcntl.flock(file, how)
        yield
