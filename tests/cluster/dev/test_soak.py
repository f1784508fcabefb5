"""Random edits under `kubekit dev`: at every quiet point all is equal, and nothing grows.

Twelve edits, one of each kind; with `--rounds 3`, as in `make soak`, five hundred.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import PROFILE
from tests.cluster.dev import harness
from tests.cluster.dev.harness import KILL, Dev, waited
from tests.cluster.dev.project import root_project
from tests.cluster.dev.test_dev_breaks import ANSWER, api_server
from tests.cluster.faultproxy import FaultProxy, in_front_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(7200)]

SEED = 20261121
SAMPLE, WHOLE = 12, 500
MORE_MEMORY = 30 << 20
MORE_THREADS, MORE_FILES = 6, 8


class Hand:
    """Edits a project at random; knows what the app has to say."""

    def __init__(self, dev: Dev, proxy: FaultProxy, dice: random.Random) -> None:
        self._dev = dev
        self._proxy = proxy
        self._dice = dice
        self._count = 0
        self._src = dev.project.folder / "src"
        self.said = ""
        self.say()

    @property
    def deeds(self) -> list[Callable[[], None]]:
        """One of each kind."""
        names = "say add change delete rename mode link checkout mistake rebuild kill cut"
        return [getattr(self, name) for name in names.split()]

    def say(self) -> None:
        """The app's own answer."""
        self._count += 1
        self.said = f"edit {self._count}"
        self._dev.say(self.said)

    def add(self) -> None:
        """A new file."""
        self._count += 1
        folder = self._src / f"extra/{self._dice.choice('abc')}"
        folder.mkdir(parents=True, exist_ok=True)
        suffix = self._dice.choice((".py", ".html", ".bin"))
        self._fill(folder / f"file{self._count}{suffix}")

    def change(self) -> None:
        """Another content."""
        self._fill(self._file())

    def delete(self) -> None:
        """A file that is gone."""
        self._file().unlink()

    def rename(self) -> None:
        """The same content under another name."""
        self._count += 1
        file = self._file()
        file.rename(file.with_name(f"renamed{self._count}{file.suffix}"))

    def mode(self) -> None:
        """A permission."""
        file = self._file()
        file.chmod(file.stat().st_mode ^ 0o100)

    def link(self) -> None:
        """A link where a file was."""
        file = self._file()
        file.unlink()
        file.symlink_to("../../app/main.py")

    def checkout(self) -> None:
        """Many files at once, and a new answer."""
        self._count += 1
        for number in self._dice.sample(range(60), 40):
            file = self._src / f"branch/p{number % 7}/m{number}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"X = {self._count}\n")
        for file in sorted(self._src.glob("branch/p*/*.py")):
            if self._dice.random() < 0.2:
                file.unlink()
        self.say()

    def mistake(self) -> None:
        """A syntax error, told, and repaired."""
        self._dev.save(ANSWER, "TEXT = (\n")
        self._dev.report("syntax-error")
        assert json.loads(self._dev.get())["text"] == self.said
        self.say()

    def rebuild(self) -> None:
        """A change of the dependencies, and one of the code while it is built."""
        self._count += 1
        self._dev.save("requirements.txt", f"# {self._count}\n")
        if self._dice.random() < 0.5:
            self._count += 1
            self.said = f"edit {self._count}"
            self._dev.project.write(ANSWER, f'TEXT = "{self.said}"\n')
        self._dev.until("stage-done", lambda event: event["stage"] == "rollout")

    def kill(self) -> None:
        """A pod, or what runs in it, is ended by somebody else, and then a save."""
        pod = self._dice.choice(sorted(one["metadata"]["name"] for one in self._dev.pods()))
        if self._dice.random() < 0.5:
            self._dev.project.kubectl("delete", "pod", pod, "--wait=false")
        else:
            self._dev.inside(pod, KILL, check=False)
        self.say()

    def cut(self) -> None:
        """The API server is away for a while, or only for a moment."""
        if self._dice.random() < 0.5:
            self._proxy.drop()
            self.say()
            return
        self._proxy.cut()
        self.say()
        time.sleep(self._dice.uniform(0, 3))
        self._proxy.restore()

    def _file(self) -> Path:
        files = [one for one in sorted(self._src.glob("extra/*/*")) if not one.is_symlink()]
        if not files:
            self.add()
            return self._file()
        return self._dice.choice(files)

    def _fill(self, file: Path) -> None:
        if file.suffix == ".py":
            file.write_text(f"X = {self._dice.random()}\n")
        else:
            file.write_bytes(self._dice.randbytes(self._dice.choice((0, 10, 100_000))))


class Use:
    """What a process holds."""

    def __init__(self, pid: int) -> None:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        self.memory = int(status["VmRSS"].split()[0]) << 10
        self.threads = int(status["Threads"])
        self.files = len(list(Path(f"/proc/{pid}/fd").iterdir()))

    def is_like(self, other: Use) -> bool:
        """Whether it has not grown since."""
        return (
            self.memory < other.memory + MORE_MEMORY
            and self.threads <= other.threads + MORE_THREADS
            and self.files <= other.files + MORE_FILES
        )


@pytest.fixture
def proxy(cluster: dict[str, str]) -> Iterator[FaultProxy]:
    with in_front_of(api_server(cluster)) as proxy:
        yield proxy


def test_at_every_quiet_point_all_is_equal_and_nothing_grows(
    cluster: dict[str, str], tmp_path: Path, proxy: FaultProxy, request: pytest.FixtureRequest
) -> None:
    count = WHOLE if request.config.getoption("--rounds") > 1 else SAMPLE
    config = proxy.kubeconfig(Path(cluster["KUBECONFIG"]), tmp_path / "kubeconfig", PROFILE)
    dice = random.Random(SEED)
    with harness.dev(root_project(tmp_path, cluster), kubeconfig=config) as dev:
        hand = Hand(dev, proxy, dice)
        quiet(dev, hand.said)
        done: list[str] = []
        before: Use | None = None
        decks = (dice.sample(hand.deeds, len(hand.deeds)) for _ in itertools.count())
        for deed in itertools.islice(itertools.chain.from_iterable(decks), count):
            dev.mark()
            done.append(deed.__name__)
            deed()
            try:
                quiet(dev, hand.said)
            except AssertionError as error:
                raise AssertionError(
                    f"after {done[-12:]}: {error}\n{dev.told()[-5000:]}\n{dev.err()[-2000:]}"
                ) from error
            if len(done) == SAMPLE // 2:
                before = Use(dev.process.pid)
        assert before is not None
        waited(lambda: Use(dev.process.pid).is_like(before), "it to hold as little as before")
        assert dev.err() == ""


def quiet(dev: Dev, said: str) -> None:
    """Every replica has the files and runs them, and `dev` says so."""
    dev.everywhere(text=said)
    waited(lambda: dev.same() is None, "the containers to have the files")
    waited(lambda: dev.is_well, "it to say that all is well")
    dev.everywhere(text=said)
    dev.same()
