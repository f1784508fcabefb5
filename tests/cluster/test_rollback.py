"""A rollback brings back what ran, with its values; the app itself says so."""

from __future__ import annotations

import json
import signal

import pytest

from tests.cluster.conftest import SERVER, Project
from tests.cluster.plain import POD, without_image
from tests.cluster.scenarios.running import dev

pytestmark = pytest.mark.cluster


def good(project: Project, greeting: str, version: str) -> None:
    """A release that answers so."""
    project.write(".env", f"GREETING={greeting}\n")
    project.write("app/server.py", f"{SERVER.read_text()}# {version}\n")
    project.apply()


def test_image_and_values_come_back_and_the_next_run_goes_forward(project: Project) -> None:
    project.apply()
    assert project.answer() == "hello 1"
    early = project.run("rollback", "-o", "json")
    assert (early.code, early.of("failed")[0]["id"]) == (2, "nothing-to-roll-back")

    image = project.objects("deployments")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    good(project, "howdy", "second")
    assert project.answer() == "howdy 1"

    project.write(".env", "GREETING=never\n")
    project.write("app/server.py", "import sys\nsys.exit('broken')\n")
    assert project.fail()["id"] == "crash-loop"
    back = project.run("rollback", "-o", "json")
    assert back.code == 0, back.out
    assert project.answer() == "howdy 1"

    again = project.run("rollback", "-o", "json")
    assert again.code == 0, again.out
    assert project.answer() == "hello 1"
    (deployment,) = project.objects("deployments")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image
    shown = project.kubectl("get", "deploy/web", "-o", "json", "--show-managed-fields")
    managers = {entry["manager"] for entry in json.loads(shown)["metadata"]["managedFields"]}
    assert managers == {"kubekit", "kube-controller-manager"}

    project.write("app/server.py", SERVER.read_text())
    project.write(".env", "GREETING=onward\n")
    project.apply()
    assert project.answer() == "onward 1"
    assert "nothing changed" in project.apply().of("ended")[0]["text"]
    assert project.run("teardown").code == 0
    assert project.kubectl("get", "namespace", project.name, check=False) == ""


def test_values_alone_come_back(project: Project) -> None:
    project.apply()
    image = project.objects("deployments")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    project.write(".env", "GREETING=wrong\n")
    project.apply()
    assert project.answer() == "wrong 1"
    back = project.run("rollback", "-o", "json")
    assert back.code == 0, back.out
    assert project.answer() == "hello 1"
    (deployment,) = project.objects("deployments")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image


def test_what_was_deleted_is_named(project: Project) -> None:
    project.apply()
    (deployment,) = project.objects("deployments")
    old = deployment["spec"]["template"]["spec"]["containers"][0]
    good(project, "howdy", "second")
    project.run("docker", "--", "rmi", "-f", old["image"])
    secret = old["envFrom"][0]["secretRef"]["name"]
    project.kubectl("delete", "secret", secret)
    failed = project.run("rollback", "-o", "json")
    assert failed.code == 6
    told = failed.of("failed")[0]
    assert told["id"] == "rollback-needs-missing"
    assert f"the image `{old['image']}` and the Secret `{secret}`" in told["message"]
    assert project.answer() == "howdy 1"


def test_only_what_the_last_release_has_changed_goes_back(project: Project) -> None:
    web = (project.folder / "manifests/app.yaml.j2").read_text().partition("---")[0]
    other = web.replace("name: web", "name: other").replace("app: web", "app: other")
    project.write("manifests/other.yaml.j2", other)
    project.apply()
    project.edit("manifests/other.yaml.j2", "enableServiceLinks: false", "enableServiceLinks: true")
    project.apply()
    back = project.run("rollback", "-o", "json")
    assert back.code == 0, back.out
    refs = [event["ref"] for event in back.of("object")]
    assert refs == ["Deployment/other"]


def test_what_is_new_and_crashes_stays_and_the_others_go_back(project: Project) -> None:
    """The usual bad release changes what was there, and brings something with it."""
    project.apply()
    web = (project.folder / "manifests/app.yaml.j2").read_text().partition("---")[0]
    worker = web.replace("name: web", "name: worker").replace("app: web", "app: worker")
    crashing = 'image: "{{ image }}"\n          command: [python, -c, "import sys; sys.exit(1)"]'
    worker = worker.replace('image: "{{ image }}"', crashing)
    project.write("manifests/worker.yaml.j2", worker)
    project.write(".env", "GREETING=never\n")
    assert project.fail()["id"] == "crash-loop"
    back = project.run("rollback", "-o", "json")
    assert back.code == 0, back.out
    assert project.answer() == "hello 1"
    assert [event["ref"] for event in back.of("object")] == ["Deployment/web"]
    (warned,) = back.of("warning")
    assert warned["text"].startswith("Deployment/worker stays as it is")

    (project.folder / "manifests/worker.yaml.j2").unlink()
    project.write(".env", "GREETING=hello\n")
    done = {(event["ref"], event["action"]) for event in project.apply().of("object")}
    assert ("Deployment/worker", "pruned") in done


def test_one_that_changed_no_deployment_is_not_what_goes_back(project: Project) -> None:
    project.apply()
    good(project, "howdy", "second")
    project.edit("manifests/app.yaml.j2", "port: 80,", "port: 81,")
    project.apply()
    back = project.run("rollback", "-o", "json")
    assert back.code == 0, back.out
    assert project.answer() == "hello 1"
    ports = [one["port"] for one in project.objects("services")[0]["spec"]["ports"]]
    assert ports == [81], "objects of other kinds stay as they are"


def test_what_dev_has_left_is_nowhere_to_go_back_to(project: Project) -> None:
    project.apply()
    plain = (project.folder / "kubekit.yaml").read_text()
    project.write("kubekit.yaml", plain + "dev: {sync: [{src: app, dest: /app}]}\n")
    with dev(project, "--keep") as run:
        run.until('"type": "watching"', 120)
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(timeout=60) == 0
    rows = json.loads(project.kubectl("get", "deploy/web", "-o", "json"))
    volumes = rows["spec"]["template"]["spec"]["volumes"]
    assert "kubekit-programs" in {one["name"] for one in volumes}
    good(project, "howdy", "second")
    assert "of `kubekit dev`" in project.run("status").out
    back = project.run("rollback", "-o", "json")
    assert back.code == 0, back.out
    assert project.answer() == "hello 1"
    (deployment,) = project.objects("deployments")
    assert not deployment["spec"]["template"]["spec"].get("volumes")


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_a_set_goes_back_though_its_new_pod_never_becomes_ready(
    project: Project, kind: str
) -> None:
    """A StatefulSet waits for such a pod for ever: it is only replaced once somebody deletes it."""
    project.edit("manifests/app.yaml.j2", "kind: Deployment", f"kind: {kind}")
    own = "serviceName: web\n  replicas: 2" if kind == "StatefulSet" else "minReadySeconds: 0"
    project.edit("manifests/app.yaml.j2", "replicas: 1", own)
    project.apply()
    good(project, "howdy", "second")
    assert project.answer() == "howdy 1"

    project.write(".env", "GREETING=never\n")
    project.write("app/server.py", "import sys\nsys.exit('broken')\n")
    assert project.fail()["id"] == "crash-loop"
    assert "ready at" in project.run("status").out
    back = project.run("rollback", "-o", "json")
    assert back.code == 0, back.out
    assert project.answer() == "howdy 1"
    blocked = [("Pod/web-1", "deleted")] if kind == "StatefulSet" else []
    changed = [(event["ref"], event["action"]) for event in back.of("object")]
    assert changed == [(f"{kind}/web", "configured"), *blocked]

    again = project.run("rollback", "-o", "json")
    assert again.code == 0, again.out
    assert project.answer() == "hello 1"
    assert [event["ref"] for event in again.of("object")] == [f"{kind}/web"]
    shown = project.kubectl("get", f"{kind}/web", "-o", "json", "--show-managed-fields")
    managers = {entry["manager"] for entry in json.loads(shown)["metadata"]["managedFields"]}
    assert managers == {"kubekit", "kube-controller-manager"}


SET = f"""\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: web}}
spec:
  serviceName: web
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
{POD}\
          command: [python, -c, "import time; time.sleep(1e6)"]
"""


def test_forward_too_a_pod_that_never_becomes_ready_holds_nothing_up(project: Project) -> None:
    plain = without_image(project)
    plain.write("manifests/web.yaml", SET.replace("time.sleep(1e6)", "exit(1)"))
    assert plain.fail()["id"] == "crash-loop"
    plain.write("manifests/web.yaml", SET)
    changed = {(event["ref"], event["action"]) for event in plain.apply().of("object")}
    assert ("Pod/web-0", "deleted") in changed
    quiet = {event["action"] for event in plain.apply().of("object")}
    assert quiet == {"unchanged"}


def test_forward_too_a_pod_that_runs_and_is_never_ready_holds_nothing_up(project: Project) -> None:
    """It is let become ready for as long as a start may take, though no better one will help it."""
    plain = without_image(project)
    probe = "\n          readinessProbe: {httpGet: {path: /, port: 8000}, periodSeconds: 1}\n"
    served = SET.replace(
        '-c, "import time; time.sleep(1e6)"]\n', f'-m, http.server, "8000"]{probe}'
    )
    plain.write("manifests/web.yaml", served.replace("path: /,", "path: /no,"))
    assert plain.fail()["id"] == "probe-wrong-path"
    plain.write("manifests/web.yaml", served)
    changed = {(event["ref"], event["action"]) for event in plain.apply().of("object")}
    assert ("Pod/web-0", "deleted") in changed
