"""What a container's session makes of failures: tried again, told once, and never called live."""

from __future__ import annotations

import contextlib
import queue
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from kubekit.api.kube import Kube
from kubekit.dev.adapt import Container
from kubekit.dev.agent import Agent
from kubekit.dev.pods import Running
from kubekit.dev.podsync import PodSync
from kubekit.dev.probe import probe
from kubekit.dev.sessions import Brought, Sessions
from kubekit.dev.syncerrors import ChangedError, OvertakenError
from kubekit.dev.tree import Tree, read
from kubekit.model import Cancel, Object, SyncRule
from kubekit.streams.exec import EndedError, GoneError
from tests.unit.agents import AGENT, FLAGS, Local
from tests.unit.test_sync_agent import Supervisor

PATIENCE = 30.0
NO_KUBE = cast("Kube", None)
READY = {"state": "ready", "mode": "warm", "seconds": 0.1, "why": ""}
WAITING = {"state": "waiting", "seconds": 3.0, "text": "here"}
FAILED = {"state": "failed", "kept": True, "text": "Traceback ...\nImportError: boom"}


class Here(PodSync):
    """A container that is a folder of this machine, under a supervisor that answers as told."""

    def __init__(self, dest: Path, supervisor: Supervisor) -> None:
        rules = (SyncRule(src=dest, dest=str(dest)),)
        super().__init__(NO_KUBE, "n", "p", "c", python=sys.executable, rules=rules)
        self._supervisor = supervisor

    def _opened(self, cancel: Cancel | None) -> Agent:
        program = Local(sys.executable, *FLAGS, str(AGENT), env=self._supervisor.env)
        return Agent(program, dests=self._dests, cancel=cancel)


class Saving:
    """A folder of this machine that is brought into a container."""

    def __init__(self, folder: Path) -> None:
        self.src, self.dest = folder / "src", folder / "dest"
        self.src.mkdir()

    def save(self, text: str) -> Tree:
        (self.src / "a.py").write_text(text)
        return read([SyncRule(src=self.src, dest=str(self.dest))], None)

    @contextlib.contextmanager
    def under(self, *answers: Object) -> Iterator[tuple[PodSync, Supervisor]]:
        with (
            Supervisor(*answers) as supervisor,
            contextlib.closing(Here(self.dest, supervisor)) as sync,
        ):
            yield sync, supervisor


@pytest.fixture
def saving(tmp_path: Path) -> Saving:
    return Saving(tmp_path)


def test_whether_a_container_had_all_by_itself_is_told_when_it_is_first_asked(
    saving: Saving,
) -> None:
    for had in (False, True):
        with saving.under(*[READY] * (3 - had)) as (sync, _):
            assert sync.bring(saving.save("1\n"), reload=True).exact is had
            assert sync.bring(saving.save("2\n"), reload=True).exact is None
            assert sync.bring(saving.save("1\n"), reload=True).exact is None


def test_a_reload_that_failed_is_tried_again_by_a_save_of_nothing_new(saving: Saving) -> None:
    with saving.under(FAILED, FAILED, READY) as (sync, supervisor):
        tree = saving.save("boom\n")
        assert not sync.bring(tree, reload=True).well
        again = sync.bring(tree, reload=True)
        assert (again.well, again.failed) == (False, FAILED["text"])
        assert sync.bring(tree, reload=True).mode == "warm"
        assert sync.bring(tree, reload=True).mode == "none"
    assert len(supervisor.asked) == 3


def test_a_syntax_error_that_is_taken_back_reloads_nothing(saving: Saving) -> None:
    with saving.under(READY) as (sync, supervisor):
        assert sync.bring(saving.save("x = 1\n"), reload=True).well
        assert sync.bring(saving.save("x = (\n"), reload=True).faults
        taken_back = sync.bring(saving.save("x = 1\n"), reload=True)
    assert (taken_back.well, taken_back.mode) == (True, "none")
    assert len(supervisor.asked) == 1


def test_a_syntax_error_does_not_make_a_failed_reload_good(saving: Saving) -> None:
    with saving.under(FAILED, FAILED, FAILED) as (sync, supervisor):
        sync.bring(saving.save("boom\n"), reload=True)
        broken = sync.bring(saving.save("x = (\n"), reload=True)
        assert (len(broken.faults), broken.kept) == (1, True)
        assert not sync.bring(saving.save("boom\n"), reload=True).well
    assert supervisor.asked == [{"do": "reload"}, {"do": "state"}, {"do": "reload"}]


def test_a_container_that_is_about_to_end_is_gone(saving: Saving) -> None:
    with (
        saving.under({"state": "stopping"}) as (sync, _),
        pytest.raises(GoneError, match="about to end"),
    ):
        sync.bring(saving.save("x = 1\n"), reload=True)


def test_an_app_that_hangs_is_not_waited_for_when_something_newer_comes(saving: Saving) -> None:
    with saving.under(WAITING, READY) as (sync, supervisor):
        lines: list[str] = []

        def newer() -> bool:
            return bool(lines)

        with pytest.raises(OvertakenError):
            sync.bring(saving.save("1\n"), reload=True, newer=newer, waits=lines.append)
        assert lines == ["here"]
        assert (saving.dest / "a.py").read_text() == "1\n"
        # The next one has it reloaded, also if nothing is left to write.
        again = sync.bring(saving.save("1\n"), reload=True, newer=lambda: False)
        assert (again.mode, again.files) == ("warm", 0)
        # It is the first outcome: what the container had by itself is told with it.
        assert again.exact is False
    assert supervisor.asked == [{"do": "reload"}] * 2


class Failing:
    """A session with an agent that never gets to its first answer."""

    mounts: tuple[str, ...] = ()
    states: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, error: Exception) -> None:
        self.error = error

    def use(self, cancel: Cancel | None) -> None:
        pass

    def find(self, _: Sequence[str]) -> None:
        raise self.error

    def close(self) -> None:
        pass


@contextlib.contextmanager
def sessions(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Sessions, queue.SimpleQueue[Brought]]]:
    """One container whose agent fails in this way."""
    monkeypatch.setattr(PodSync, "_opened", lambda *_: Failing(error))
    monkeypatch.setattr("kubekit.dev.sessions._AGAIN_SECONDS", 0.01)
    monkeypatch.setattr("kubekit.dev.sessions._LONGEST_SECONDS", 0.02)
    told: queue.SimpleQueue[Brought] = queue.SimpleQueue()
    made = Sessions(NO_KUBE, "n", deliver=told.put)
    with contextlib.closing(made):
        made.want(Tree(), 1, ())
        shop = Container(ref="Deployment/a", name="a", python="python", probe=None, ports={})
        made.follow([Running(pod="p", container=shop, id="1", image="i")])
        yield made, told


def test_an_agent_that_cannot_live_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    error = EndedError("it ended with code 1", code=1, text="Traceback ...\nKeyError: 'x'")
    with sessions(error, monkeypatch) as (made, told):
        first = told.get(timeout=PATIENCE)
        assert first.error is not None
        assert "Pod `p`" in first.error.message
        assert first.error.details == ("Traceback ...", "KeyError: 'x'")
        assert not made.settled
        with pytest.raises(queue.Empty):
            told.get(timeout=0.5)


def test_a_file_that_is_always_written_is_named_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ChangedError("the file of `/app/db` changed while it was sent")
    with sessions(error, monkeypatch) as (made, told):
        kinds: list[type[Any]] = []
        for version in range(2, 8):
            kinds.append(type(told.get(timeout=PATIENCE).error))
            made.want(Tree(), version, ())
    assert kinds[:3] == [ChangedError] * 3
    assert len(set(kinds)) == 2
    assert kinds.count(ChangedError) == 5


def test_a_probe_of_a_port_that_is_not_there_is_not_asked() -> None:
    get = {"httpGet": {"path": "/", "port": "http"}}
    assert probe(get, {"web": 8000}) is None
    assert probe({"tcpSocket": {"port": "http"}}, {}) is None
    found = probe(get, {"http": 8000})
    assert found
    assert found.port == 8000
