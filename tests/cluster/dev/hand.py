"""Somebody who works on an app under `kubekit dev`, and whom nothing is spared."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

from tests.cluster.dev.files import Files
from tests.cluster.dev.harness import KILL, Dev
from tests.cluster.faultproxy import FaultProxy

ANSWER = "src/app/answer.py"
FAILS = "RUN exit 3\n"
COPIES = "COPY src"


class Hand:
    """Edits a project at random; knows what the app has to say.

    Attributes:
        files: the part of the project that does not matter for that.
        said: what it has to say.
    """

    def __init__(self, dev: Dev, proxy: FaultProxy, dice: random.Random) -> None:
        self._dev = dev
        self._project = dev.project
        self._proxy = proxy
        self._dice = dice
        self._count = 0
        self.files = Files(dev.project.folder / "src/extra", dev.project.folder / "aside", dice)
        self.said = ""
        self.say()

    @property
    def deeds(self) -> list[Callable[[], None]]:
        """One of each kind."""
        names = (
            "say branch mistake crash vanish rebuild build_meanwhile release_meanwhile"
            " break_build kill cut drop kill_in_rollout drop_in_rollout"
        )
        return [*(getattr(self, name) for name in names.split()), *self.files.deeds]

    def say(self) -> None:
        """The app's own answer, saved in one way or another."""
        self.said = self._new("edit")
        file = self._project.folder / ANSWER
        text = f'TEXT = "{self.said}"\n'
        way = self._dice.choice(("in place", "atomic", "again"))
        if way == "in place":
            file.write_text(text)
            return
        new = file.with_name(".answer.py.swp")
        new.write_text(text)
        if way == "again":
            file.unlink(missing_ok=True)
        new.replace(file)

    def branch(self) -> None:
        """Many files at once, and a new answer."""
        self.files.checkout()
        self.say()

    def mistake(self) -> None:
        """A syntax error, told, and repaired."""
        self._project.write(ANSWER, "TEXT = (\n")
        self._refused("syntax-error")

    def crash(self) -> None:
        """A module that cannot be imported, told, and repaired."""
        self._project.write(ANSWER, 'TEXT = "never"\nimport nosuchmodule\n')
        self._refused("reload-failed")

    def vanish(self) -> None:
        """A module that is gone, told, and there again."""
        (self._project.folder / ANSWER).unlink()
        self._refused("reload-failed")

    def rebuild(self) -> None:
        """A change of the dependencies."""
        self._build()
        self._rolled_out()

    def build_meanwhile(self) -> None:
        """The same, with edits of the code while it is built: one at least is a file that goes."""
        self._build()
        self._started("image")
        self.files.delete()
        self.files.any()
        self.say()
        self._rolled_out()

    def release_meanwhile(self) -> None:
        """Another environment, with edits while it is rolled out, or a build that overtakes it."""
        self._release()
        self._started("rollout")
        self.files.any()
        self.say()
        if self._dice.random() < 0.3:
            self._build()
            self._started("image")
        self._rolled_out()

    def break_build(self) -> None:
        """A Dockerfile that fails, with a save meanwhile, and repaired."""
        self.spoil()
        self._dev.until("report")
        self.say()
        self.files.any()
        self.mend()

    def kill(self) -> None:
        """A pod, or what runs in it, is ended by somebody else, and then a save."""
        self._kill()
        self.say()

    def cut(self) -> None:
        """The API server is away for a while."""
        self._proxy.cut()
        self.say()
        self.files.any()
        time.sleep(self._dice.choice((0, 0.3, 3, 8)))
        self._proxy.restore()

    def drop(self) -> None:
        """Its connections break, again and again."""
        for _ in range(self._dice.randint(1, 4)):
            self._proxy.drop()
            self.say()
            time.sleep(self._dice.uniform(0, 0.3))

    def kill_in_rollout(self) -> None:
        """A pod is ended while others take its place."""
        self._release()
        self._started("rollout")
        self._kill()
        self.say()
        self._rolled_out()

    def drop_in_rollout(self) -> None:
        """The API server is away for a moment while it is rolled out."""
        self._release()
        self._started("rollout")
        self.drop()
        self._rolled_out()

    def spoil(self) -> None:
        """The image cannot be built."""
        self._project.edit("Dockerfile", COPIES, FAILS + COPIES)

    def mend(self) -> None:
        """It can."""
        self._project.edit("Dockerfile", FAILS, "")

    def _new(self, what: str) -> str:
        self._count += 1
        return f"{what} {self._count}"

    def _refused(self, id_: str) -> None:
        """It is told, the app stays on the code of before, and the next save is good again."""
        self._dev.report(id_)
        assert json.loads(self._dev.get())["text"] == self.said
        self.say()

    def _build(self) -> None:
        self._project.write("requirements.txt", f"# {self._new('build')}\n")

    def _release(self) -> None:
        self._project.write(".env", f"GREETING={self._new('release').replace(' ', '-')}\n")

    def _kill(self) -> None:
        pod = self._dice.choice(sorted(one["metadata"]["name"] for one in self._dev.pods()))
        if self._dice.random() < 0.5:
            self._project.kubectl("delete", "pod", pod, "--wait=false", "--ignore-not-found")
        else:
            self._dev.inside(pod, KILL, check=False)

    def _started(self, stage: str) -> None:
        self._dev.until("stage-started", lambda event: event["stage"] == stage)

    def _rolled_out(self) -> None:
        self._dev.until("stage-done", lambda event: event["stage"] == "rollout")
