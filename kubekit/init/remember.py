"""What an earlier `init` was told, or a kubekit.yaml says: a second one need not be told again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kubekit.config.project import Project, parse
from kubekit.detect.report import KEYS
from kubekit.errors import UsageError
from kubekit.init import stamp
from kubekit.text.read import read_text


@dataclass(frozen=True, kw_only=True)
class Told:
    """The arguments of one `init`.

    Attributes:
        folder: the backend's, relative to kubekit.yaml's; None where it was not named.
        answers: by the name of the flag; the dialect of the Dockerfile among them.
    """

    folder: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        folder = self.folder if self.folder not in (None, ".") else None
        flags = (word for key, value in self.answers.items() for word in (f"--{key}", value))
        return shlex.join([*([folder] if folder else []), *flags])


def told(root: Path) -> tuple[Told, Told]:
    """What the kubekit.yaml in a folder keeps of an earlier `init`, and what a person says in it.

    Raises:
        UsageError: it is there and cannot be read.
    """
    file = root / "kubekit.yaml"
    if not file.exists():
        return Told(), Told()
    text = read_text(file, error=UsageError)
    first = stamp.read(text)
    earlier = _parsed(first.told if first else "")
    if first is not None and not first.edited:
        return earlier, Told()
    return earlier, _said(parse(text, file=file)[0])


def answers(root: Path, folder: Path) -> dict[str, str]:
    """What an earlier `init` was told of the backend in this folder, as a look takes it.

    Raises:
        UsageError: kubekit.yaml is there and cannot be read.
    """
    earlier, _ = told(root)
    same = folder.resolve() == (root / (earlier.folder or ".")).resolve()
    return {key: value for key, value in earlier.answers.items() if same and key in KEYS}


def _parsed(line: str) -> Told:
    try:
        words = shlex.split(line)
    except ValueError:  # somebody has edited it
        return Told()
    folder = words.pop(0) if words and not words[0].startswith("--") else None
    names, values = words[::2], words[1::2]
    pairs = zip(names, values, strict=False)
    return Told(folder=folder, answers={name.removeprefix("--"): value for name, value in pairs})


def _said(project: Project) -> Told:
    answers = {"name": project.name}
    port = project.values.get("port")
    if isinstance(port, int) and not isinstance(port, bool):
        answers["port"] = str(port)
    folder = str(PurePosixPath(project.build.context)) if project.build else None
    return Told(folder=folder, answers=answers)
