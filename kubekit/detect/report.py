"""What a look has to tell besides the backend: notes and questions, in the order they came up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kubekit.detect.backend import Note, Question
from kubekit.errors import Place, UsageError

Tell = Callable[[Note], None]

KEYS = (
    *("folder", "name", "python", "base", "packaging", "app", "server", "port"),
    *("health", "live", "ready", "database"),
)
"""What can be answered: the keys of questions, and of what is found but may be wanted otherwise."""


class Report:
    """Collects notes and questions, and knows what was answered before it was asked.

    Args:
        folder: the backend's.
        root: kubekit.yaml's.
        answers: by key; each wins over what is found.
        tell: called with each note when it comes up: a look may end in an error.
    """

    def __init__(
        self, folder: Path, root: Path, answers: Mapping[str, str], tell: Tell | None = None
    ) -> None:
        self.folder = folder
        self.root = root
        self.answers = answers
        self.tell = tell
        self._notes: dict[Note, None] = {}
        self._questions: list[Question] = []

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes, each once."""
        return tuple(self._notes)

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions."""
        return tuple(self._questions)

    @property
    def blocked(self) -> bool:
        """Whether a question is open that nobody but the person can answer."""
        return any(question.default is None for question in self._questions)

    def found(self, text: str, path: str, line: int | None = None) -> None:
        """Tell what was found, and where: a path relative to the backend's folder."""
        at = (self.folder / path).relative_to(self.root).as_posix()
        where = at if line is None else f"{at}:{line}"
        self._note(Note(found=True, text=text, where=where))

    def assumed(self, text: str, why: str) -> None:
        """Tell what was assumed, and why."""
        self._note(Note(found=False, text=text, where=why))

    def _note(self, note: Note) -> None:
        if note not in self._notes:
            self._notes[note] = None
            if self.tell is not None:
                self.tell(note)

    def ask(
        self, key: str, text: str, choices: tuple[str, ...] = (), default: str | None = None
    ) -> None:
        """Ask what the files do not tell, or tell twice."""
        question = Question(key=key, text=text, choices=choices, default=default)
        if question not in self._questions:
            self._questions.append(question)

    def place(self, path: str, line: int | None = None) -> Place:
        """A place for an error."""
        return Place(file=self.folder / path, line=line)


def check_keys(answers: Mapping[str, str]) -> None:
    """Refuse answers to what is never asked.

    Raises:
        UsageError: names the keys there are.
    """
    for key in answers:
        if key not in KEYS:
            raise UsageError(f"`{key}` is nothing that is asked", hints=(", ".join(KEYS),))
