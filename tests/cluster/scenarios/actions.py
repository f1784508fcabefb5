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
REGISTRY_CERTIFICATE: list[str] = []
"""The certificate of the webhook in the node, in base64, once that runs."""


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


def with_objects(text: str, *, settle: float = 0) -> Callable[[Project], None]:
    """A namespace that holds this already, for so many seconds."""

    def prepare(project: Project) -> None:
        namespace(project, also=text)
        time.sleep(settle)

    return prepare


WEBHOOK = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAME, labels: {scenario: NAME}}
webhooks:
  - name: pods.kubekit.test
    clientConfig: {url: "https://127.0.0.1:PORT/", caBundle: AUTHORITY}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Fail
    timeoutSeconds: 2
"""


def hooked(port: int) -> Callable[[Project], None]:
    """Each pod of the namespace is shown to a webhook at a port of the node: see registry.py."""

    def prepare(project: Project) -> None:
        namespace(project)
        authority = REGISTRY_CERTIFICATE[0]
        feed(project, WEBHOOK.replace("PORT", str(port)).replace("AUTHORITY", authority))
        time.sleep(3)  # the server takes note of it a moment later

    return prepare


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
