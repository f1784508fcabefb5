"""What is said of an app that would not start, or has not started yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.dev.podsync import SyncOutcome
from kubekit.dev.told import failures, waiting
from kubekit.model import SyncRule

TRACEBACK = """Traceback (most recent call last):
  File "/app/src/shop/main.py", line 3, in <module>
    import it
ModuleNotFoundError: No module named '{name}'
"""


def hints(folder: Path, src: str, name: str) -> tuple[str, ...]:
    """Of a module that is missing, in a project of this folder."""
    rules = (SyncRule(src=folder / src, dest="/app/src"),)
    outcome = SyncOutcome(failed=TRACEBACK.format(name=name), kept=True)
    (report,) = failures([outcome], rules, ["src/shop/main.py"])
    return report.hints


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src/shop").mkdir(parents=True)
    (tmp_path / "src/words.py").touch()
    return tmp_path


@pytest.mark.parametrize("name", ["httpx", "httpx.client"])
def test_a_package_that_is_missing_belongs_into_the_requirements(folder: Path, name: str) -> None:
    first, second = hints(folder, "src", name)
    assert first == "the app stays on the old code: correct it, and save"
    assert second == "or add `httpx` to the requirements and save: the image is built anew"


@pytest.mark.parametrize(
    ("src", "name"),
    [("src", "shop.nothing"), ("src", "words.nothing"), ("src/shop", "shop.nothing")],
)
def test_a_module_of_the_projects_own_does_not(folder: Path, src: str, name: str) -> None:
    assert len(hints(folder, src, name)) == 1


def test_code_that_has_not_started_yet_is_told_with_its_line_on_this_machine(
    folder: Path,
) -> None:
    rules = (SyncRule(src=folder / "src", dest="/app/src"),)
    told = waiting('File "/app/src/shop/main.py", line 12', rules).text
    assert told.startswith("the new code has not started yet after 3 s: it is in ")
    assert told.endswith("src/shop/main.py:12")
    assert waiting("", rules).text == "the new code has not started yet after 3 s"
