"""Many builds in one process, as `dev` does them: nothing grows."""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubekit.config import load
from kubekit.image import build, cleanup
from kubekit.image.changes import Memory
from kubekit.image.files import context
from kubekit.model import Settings
from kubekit.session import Run, connect, open_store
from tests.cluster.conftest import PROFILE
from tests.conftest import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

FEW, MANY = 6, 200
SEED = 20
NAME = "disk-many"


@pytest.fixture
def settings(cluster: dict[str, str], tmp_path: Path) -> Iterator[Settings]:
    """A project of which only the image matters."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (tmp_path / "kubekit.yaml").write_text(f"name: {NAME}\nbuild: {{context: app}}\n")
    yield (settings := settings_in(tmp_path))
    with open_store(connect(settings, run())[0], run()) as store:
        cleanup.delete_all(store, NAME)
        assert store.images(NAME) == []


def settings_in(folder: Path) -> Settings:
    flags = {"profile": PROFILE}
    return load.load(flags=flags, environ={}, cwd=folder, active_profile=lambda: None, check=False)


def run() -> Run:
    return Run(emit=lambda _: None)


def once(settings: Settings) -> tuple[bool, list[str]]:
    """Build and tidy up, as a run does; whether it was built, and what is there then."""
    assert settings.build is not None
    target, kube = connect(settings, run())
    with open_store(target, run()) as store:
        made = build.ensure(
            context.plan(settings.build, name=NAME),
            store,
            name=NAME,
            memory=Memory.of(settings),
            emit=run().emit,
            cancel=run().cancel,
        )
    warnings: list[object] = []
    opened = open_store(target, run())
    cleanup.prune(opened, kube, NAME, emit=warnings.append)
    assert warnings == []
    with open_store(target, run()) as store:
        images = store.images(NAME)
    assert all(image.names for image in images), "nobody deletes what has no name"
    there = [name for image in images for name in image.names]
    assert made.reference in there
    return made.built, there


def edit(folder: Path, rng: random.Random) -> None:
    """A new file, a change, or one file less: never the same as before."""
    files = sorted(folder.glob("*.py"))
    if len(files) > 20:
        rng.choice(files).unlink()
    (folder / f"m{rng.randrange(30)}.py").write_text(f"x = {rng.random()}\n")


def resident() -> float:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def held() -> tuple[int, int]:
    """Open files and threads of this process."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


def test_nothing_grows(settings: Settings, request: pytest.FixtureRequest) -> None:
    count = FEW if request.config.getoption("--rounds", default=1) == 1 else MANY
    rng = random.Random(SEED)
    once(settings)
    first, memory, began = held(), 0.0, time.monotonic()
    for number in range(count):
        edit(settings.root / "app", rng)
        built, there = once(settings)
        assert built
        assert len(there) <= cleanup.KEPT, there
        until(lambda: all(now <= at_first for now, at_first in zip(held(), first, strict=True)))
        if number == count // 4:
            memory = resident()
    seconds = time.monotonic() - began
    grown = resident() - memory
    print(
        f"{count} builds in {seconds:.0f} s, {resident():.0f} MB, {grown:+.1f} MB since a quarter"
    )
    assert grown < 4
