"""Keeps the generated parts of the documents true: `python -m tests.docs` writes them anew.

A part stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``. With ``--tour`` the README's real
output is produced again too, on the lab's Minikube, in a copy of this project.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import pkgutil
import re
import shutil
import string
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from kubekit.lint import registry
from kubekit.rollout import catalogue
from kubekit.rollout.cause import Cause

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kubekit"
NAMESPACE = "tasks-tour"


def exit_codes() -> str:
    """The table of exit codes, from the tree of errors itself."""
    tree = ast.parse((PACKAGE / "errors.py").read_text())
    drawn = ast.get_docstring(tree) or ""
    rows = re.findall(r"[├└]── \w+ +(\d+)  (.+)|KubekitError +(\d+)  (.+)", drawn)
    found = {int(code or other): text or words for code, text, other, words in rows}
    found[0] = "ok"
    lines = [f"| {code} | {found[code]} |" for code in sorted(found)]
    return "\n".join(["| code | means |", "|---|---|", *lines])


def code_map() -> str:
    """Each layer from the top, in its own words; packages with their modules."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    layers = next(item["layers"] for item in contracts if item["type"] == "layers")
    names = [name.strip().removeprefix("kubekit.") for layer in layers for name in layer.split("|")]
    rows = [row for name in names for row in _rows(PACKAGE / name)]
    return "\n".join(["| module | what it is |", "|---|---|", *rows])


def _rows(path: Path) -> list[str]:
    name = ".".join(path.relative_to(PACKAGE).parts)
    if not path.is_dir():
        return [f"| `{name}` | {_purpose(path.with_suffix('.py'))} |"]
    inside = [file.with_suffix("") for file in path.glob("*.py") if file.stem != "__init__"]
    inside += [folder.parent for folder in path.glob("*/__init__.py")]
    rows = [row for each in sorted(inside, key=lambda it: (it.is_dir(), it)) for row in _rows(each)]
    return [f"| **`{name}`** | **{_purpose(path / '__init__.py')}** |", *rows]


def _purpose(file: Path) -> str:
    words = ast.get_docstring(ast.parse(file.read_text())) or ""
    return " ".join(words.split("\n\n")[0].split())


def failures() -> str:
    """Every cause of the judge's catalogue, part by part."""
    return "\n\n".join(
        "\n\n".join([f"## {_title(part)}", *map(_entry, _causes(part))]) for part in _parts()
    )


def _parts() -> list[ModuleType]:
    """The modules of the catalogue, in the order in which their causes are asked."""
    names = [info.name for info in pkgutil.iter_modules(catalogue.__path__)]
    modules = [importlib.import_module(f"{catalogue.__name__}.{name}") for name in names]
    order = {cause.id: place for place, cause in enumerate(catalogue.CATALOGUE)}
    return sorted(modules, key=lambda module: order[_causes(module)[0].id])


def _causes(part: ModuleType) -> list[Cause]:
    """The causes that a module of the catalogue gives to it, in their order."""
    mine = {
        cause.id
        for value in vars(part).values()
        for cause in (value if isinstance(value, tuple) else ())
        if isinstance(cause, Cause)
    }
    return [cause for cause in catalogue.CATALOGUE if cause.id in mine]


def _title(part: ModuleType) -> str:
    return re.split(r" \(rows?\b|[.,] |\.$", (part.__doc__ or "").split("\n")[0])[0]


def _entry(cause: Cause) -> str:
    stands = f" ({cause.after:g} s)" if cause.tier == "B" else ""
    code = {"C": 7}.get(cause.tier, cause.exit_code)
    return "\n".join(
        [
            f"### `{cause.id}`",
            "",
            f"Tier {cause.tier}{stands}, exit code {code}.",
            "",
            f"* What you see: {cause.signals}.",
            f"* Why: {_filled(cause.cause)}.",
            f"* What to do: {_filled(cause.fix)}.",
        ]
    )


def _filled(text: str) -> str:
    """A text of the catalogue, what will be filled in between angle brackets."""
    shown = ""
    for literal, name, _, _ in string.Formatter().parse(text):
        shown += literal
        code = shown.count("`") % 2
        shown += "" if name is None else f"<{name}>" if code else f"\\<{name}\\>"
    return shown


def lint_rules() -> str:
    """Every rule of `kubekit lint`, part by part."""
    lines: list[str] = []
    part = ""
    for rule in registry.entries():
        if rule.part != part:
            part = rule.part
            lines += [f"## {part}", "", "| rule | | what it finds | in other tools |"]
            lines += ["|---|---|---|---|"]
        marks = [rule.severity, *["`--fix`"] * rule.fixes, *["`--all`"] * rule.extra]
        about = rule.about.replace("|", "\\|")
        row = f"| `{rule.id}` | {', '.join(marks)} | {about} | {', '.join(rule.also)} |"
        lines.append(row)
    return "\n".join(lines).replace("\n## ", "\n\n## ")


def put(text: str, name: str, block: str) -> str:
    """The text with this part replaced."""
    pattern = re.compile(
        rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL
    )
    new, count = pattern.subn(lambda match: f"{match[1]}{block}\n{match[2]}", text)
    if count != 1:
        sys.exit(f"the part `{name}` is not there exactly once")
    return new


GENERATED: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"exit codes": exit_codes},
    "CONTRIBUTING.md": {"map": code_map},
    "docs/failures.md": {"failures": failures},
    "docs/lint.md": {"rules": lint_rules},
}


def generated(document: str) -> str:
    """The document as it should be, its generated parts made anew."""
    text = (ROOT / document).read_text()
    for name, make in GENERATED[document].items():
        text = put(text, name, make())
    return text


def copy_project(folder: Path) -> None:
    """Copy this repository's own project, with its example of a `.env`."""
    ignore = shutil.ignore_patterns(".venv", "__pycache__", ".pytest_cache")
    for part in ("backend", "manifests"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    shutil.copy(ROOT / "kubekit.yaml", folder)
    (folder / ".env").touch(mode=0o600)
    (folder / ".env").write_text((ROOT / ".env.example").read_text())


def tour() -> dict[str, str]:
    """The README's outputs: name of the part -> fenced block."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_project(folder)
        main, deployment = (
            folder / "backend/src/app/main.py",
            folder / "manifests/deployment.yaml.j2",
        )
        _session(folder, "teardown", "--data", "--yes", "--images")
        found = {"first": _session(folder, "build-and-apply")}
        found["second"] = _session(folder, "build-and-apply")
        main.write_text(main.read_text() + "\nEDITED = True\n")
        found["edit"] = _session(folder, "build-and-apply")
        good = deployment.read_text()
        deployment.write_text(good.replace("/health/ready", "/health/redy"))
        found["broken"] = _session(folder, "build-and-apply")
        found["why"] = _session(folder, "why")
        deployment.write_text(good)
        found["teardown"] = _session(folder, "teardown", "--data", "--yes")
    return found


def _session(folder: Path, *arguments: str) -> str:
    program = Path(sys.executable).with_name("kubekit")
    done = subprocess.run(
        [program, *arguments, "-n", NAMESPACE],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    shown = done.stdout.rstrip().replace(NAMESPACE, "tasks").replace("kubekit-lab", "minikube")
    return f"```console\n$ kubekit {' '.join(arguments)}\n{shown}\n```"


def main() -> None:
    """Write the documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tour", action="store_true", help="also the README's real output")
    for document in GENERATED:
        (ROOT / document).write_text(generated(document))
    if parser.parse_args().tour:
        readme = ROOT / "README.md"
        for name, block in tour().items():
            readme.write_text(put(readme.read_text(), f"output: {name}", block))


if __name__ == "__main__":
    main()
