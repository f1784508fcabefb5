"""The agent and the supervisor together, as in a container: a save is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.dev.tree import Tree, read
from kubekit.model import Object, SyncRule
from tests.unit.agents import bring, session
from tests.unit.supervised import Container, environment, until

APP = """
from fastapi import FastAPI
from words import WORD
app = FastAPI()
@app.get("/")
def root():
    return WORD
"""


@pytest.mark.parametrize("version", ["3.11"])
def test_a_save_is_served_and_a_broken_one_is_not(
    version: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    box = Container(environment(version, pytestconfig), tmp_path)
    local = tmp_path / "local"
    local.mkdir()

    def save(name: str, text: str) -> Tree:
        (local / name).write_text(text)
        return read([SyncRule(src=local, dest=str(box.src))], None)

    probe = {"port": box.port, "path": "/", "scheme": "HTTP", "headers": []}
    probe |= {"seconds": 5.0, "host": None}
    python = str(box.venv / "bin/python")
    with session(box.src, python=python, env={"KUBEKIT_DEV": box.name}) as agent:

        def sync(name: str, text: str) -> list[Object]:
            return bring(agent, save(name, text), set(), reload=True, probe=probe, patience=60.0)

        save("main.py", APP)
        bring(agent, save("words.py", "WORD = 'first'\n"), set())
        try:
            box.serve()
            box.warmed()
            # Of the same size, each in the second of the one before.
            for word in ("again", "thing", "three", "final"):
                _, reloaded, ready = sync("words.py", f"WORD = '{word}'\n")
                assert reloaded["answer"]["mode"] == "warm", reloaded
                assert ready["well"]
                assert box.get() == f'"{word}"'
            _, reloaded = sync("words.py", "import nothing_of_the_kind\n")
            assert reloaded["answer"]["kept"]
            assert "nothing_of_the_kind" in reloaded["answer"]["text"]
            assert box.get() == '"final"'
            (told,) = sync("words.py", "WORD = (\n")
            assert (told["re"], told["kept"]) == ("syntax", True)
            assert box.get() == '"final"'
            sync("words.py", "WORD = 'well'\n")
            until(lambda: box.get() == '"well"')
            assert box.get() == '"well"'
        finally:
            box.close()
