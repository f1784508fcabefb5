"""What is done to the cluster before a scenario, while it runs, and afterwards."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

from tests.cluster.conftest import PROFILE, Project
from tests.cluster.scenarios.running import Running, finished, start
from tests.cluster.scenarios.scenario import FILE, Meddling

UNREADY = "answers 503"


def namespace(project: Project, *, labels: str = "", also: str = "") -> None:
    """The project's namespace, made by somebody else beforehand, with what else is in it."""
    name = f"metadata: {{name: {project.name}, labels: {{{labels}}}}}"
    feed(project, f"apiVersion: v1\nkind: Namespace\n{name}\n")
    if also:
        feed(project, also)


def feed(project: Project, text: str, *arguments: str) -> None:
    """`kubectl apply -f -`; `NAME` in the text is the project's own."""
    command = ["kubectl", "--context", PROFILE, "-n", project.name, "apply", *arguments, "-f", "-"]
    done = subprocess.run(
        command,
        input=text.replace("NAME", project.name),
        env=project.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def with_objects(text: str, *, labels: str = "") -> Callable[[Project], None]:
    """A namespace that holds this already."""
    return lambda project: namespace(project, labels=labels, also=text)


def applied(project: Project) -> None:
    """The project as it is has been applied before, and is fine."""
    assert finished(project, start(project)).code == 0


def then(*edits: tuple[str, str], file: str = FILE) -> Callable[[Project], None]:
    """It was applied and is fine; then the file was changed."""

    def prepare(project: Project) -> None:
        applied(project)
        for old, new in edits:
            project.edit(file, old, new)

    return prepare


def mode(old: str, new: str) -> Callable[[Project], None]:
    """It was applied in one mode, however that ended, and will be in another."""

    def prepare(project: Project) -> None:
        finished(project, start(project))
        project.edit("kubekit.yaml", f"mode: {old}", f"mode: {new}")

    return prepare


def when(said: str, *acts: Meddling) -> Meddling:
    """Do it once the run has said this."""

    def meddle(project: Project, run: Running) -> None:
        run.until(said)
        for act in acts:
            act(project, run)

    return meddle


def pause(seconds: float) -> Meddling:
    return lambda _project, _run: time.sleep(seconds)


def kubectl(*arguments: str) -> Meddling:
    return lambda project, _run: project.kubectl(*arguments) and None


def fed(text: str) -> Meddling:
    return lambda project, _run: feed(project, text)


def delete_namespace(project: Project, _run: Running) -> None:
    project.kubectl("delete", "namespace", project.name, "--wait=false")


def signalled(number: signal.Signals) -> Meddling:
    return lambda _project, run: run.process.send_signal(number)


def other_owner(project: Project) -> None:
    """Another field manager owns the number of replicas, as an autoscaler would."""
    applied(project)
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n"
    feed(project, text, "--server-side", "--field-manager=autoscaler", "--force-conflicts")
    project.edit(FILE, "replicas: 1", "replicas: 3")
