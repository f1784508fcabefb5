"""`kubekit dev` on the real cluster: what is saved is live, everywhere and to the letter.

The tests of a module share one run: each leaves an app that runs.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Project
from tests.cluster.dev import harness
from tests.cluster.dev.harness import KILL, Dev, Shared, waited
from tests.cluster.dev.project import locked_project, root_project

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

COUNT = 500
MANIFEST = "manifests/app.yaml.j2"


@pytest.fixture(scope="module")
def shared(cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    def start() -> contextlib.AbstractContextManager[Dev]:
        return harness.dev(root_project(tmp_path_factory.mktemp("dev"), cluster))

    with contextlib.closing(Shared(start)) as shared:
        yield shared


@pytest.fixture
def dev(shared: Shared, request: pytest.FixtureRequest) -> Dev:
    """The run that all tests share."""
    return shared.run(request.node)


@pytest.fixture
def src(dev: Dev) -> Path:
    return dev.project.folder / "src"


def test_a_saved_module_is_live_in_every_replica_by_a_warm_reload(dev: Dev) -> None:
    pods = {pod["metadata"]["uid"] for pod in dev.pods()}
    assert len(pods) == 2
    dev.say("by rename")
    synced = dev.until("synced")
    assert (synced["mode"], synced["files"]) == ("warm", 2)
    dev.same()
    assert dev.until("files-changed")["files"] == ["src/app/answer.py"]
    dev.everywhere(text="by rename")
    dev.calm()
    dev.write("src/app/answer.py", 'TEXT = "in place"\n')
    assert dev.until("synced")["mode"] == "warm"
    assert json.loads(dev.get())["text"] == "in place"
    dev.everywhere(text="in place")
    dev.calm()
    assert not dev.of("report")
    assert {pod["metadata"]["uid"] for pod in dev.pods()} == pods


def test_files_that_are_new_gone_renamed_and_of_every_kind(dev: Dev, src: Path) -> None:
    dev.save("src/app/new.py", 'TEXT = "of a new module"\n')
    dev.until("synced")
    dev.save("src/app/answer.py", "from app.new import TEXT\n")
    dev.until("synced")
    dev.everywhere(text="of a new module")
    dev.mark()
    (src / "app/new.py").rename(src / "app/renamed.py")
    # In one sync or in two, of which the first one cannot be imported.
    (src / "app/answer.py").write_text("from app import renamed\n\nTEXT = renamed.TEXT * 2\n")
    dev.everywhere(text="of a new module" * 2)
    waited(lambda: dev.same() is None, "the renamed module")

    dev.save("src/app/page.html", "another page\n")
    dev.until("synced")
    assert dev.get("/page") == "another page\n"
    dev.mark()
    (src / "data.bin").write_bytes(bytes(range(256)) * 5000)
    dev.until("synced")
    dev.mark()
    (src / "data.bin").chmod(0o755)
    dev.until("synced")
    dev.same()
    dev.mark()
    (src / "app/page.html").unlink()
    (src / "app/page.html").symlink_to("../data.txt")
    (src / "data.bin").rename(src / "data.txt")
    (src / "data.txt").write_text("behind a link\n")
    waited(lambda: dev.same() is None, "the link and the renamed file")
    assert dev.get("/page") == "behind a link\n"
    dev.say("again")
    dev.until("synced")
    dev.mark()
    (src / "app/renamed.py").unlink()
    dev.until("synced")
    dev.everywhere(text="again")
    dev.same()


def test_a_checkout_of_many_files(dev: Dev, src: Path) -> None:
    dev.mark()
    for generation in range(2):
        shutil.rmtree(src / "many", ignore_errors=True)
        for number in range(COUNT):
            file = src / f"many/p{(number + generation) % 20}/m{number}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"X = {number + generation}\n")
    dev.say("checked out")
    dev.until("synced")
    dev.everywhere(text="checked out")
    waited(lambda: dev.same() is None, "all of the files")
    dev.mark()
    shutil.rmtree(src / "many")
    waited(lambda: dev.same() is None, "none of the files")
    dev.calm()


def test_a_new_pod_has_the_working_tree_not_the_image(dev: Dev) -> None:
    dev.say("newer than the image")
    dev.until("synced")
    (gone, kept) = sorted(pod["metadata"]["name"] for pod in dev.pods())
    dev.mark()
    dev.project.kubectl("delete", "pod", gone, "--wait=false")
    asked: list[dict[str, str]] = []

    def new_one_answers() -> bool:
        asked.append(json.loads(dev.get()))
        return asked[-1]["hostname"] not in (gone, kept)

    waited(new_one_answers, "the new pod to answer")
    assert {answer["text"] for answer in asked} == {"newer than the image"}
    waited(lambda: len(dev.pods()) == 2, "two pods")
    dev.same()


def test_a_new_pod_is_led_to_once_it_answers_before_the_kubelet_has_asked(dev: Dev) -> None:
    dev.save("requirements.txt", "# an image whose first container shows what it holds\n")
    dev.calm()
    before = {pod["metadata"]["name"] for pod in dev.pods()}
    manifest = (dev.project.folder / MANIFEST).read_text()
    often = "            periodSeconds: 1\n"
    dev.edit(MANIFEST, often, f"{often}            initialDelaySeconds: 20\n")
    dev.save("requirements.txt", "# another image, of the same Dockerfile\n")

    def new_one_answers() -> str | None:
        name = str(json.loads(dev.get())["hostname"])
        return None if name in before else name

    try:
        name = waited(new_one_answers, "the new pod to answer")
        (pod,) = [one for one in dev.pods() if one["metadata"]["name"] == name]
        conditions = {one["type"]: one["status"] for one in pod["status"]["conditions"]}
        assert conditions["Ready"] == "False"
        assert f"Pod `{name}` answers: {dev.url} leads to it" in dev.told("progress")
    finally:
        dev.write(MANIFEST, manifest)
    dev.calm()


def test_a_container_that_is_killed_in_its_pod_comes_back_the_same(dev: Dev) -> None:
    dev.say("before the kill")
    dev.until("synced")
    names = sorted(pod["metadata"]["name"] for pod in dev.pods())
    dev.mark()
    dev.inside(names[0], KILL, check=False)

    def restarted() -> bool:
        statuses = [pod["status"]["containerStatuses"][0] for pod in dev.pods()]
        return any(one["restartCount"] for one in statuses) and all(
            one["ready"] for one in statuses
        )

    waited(restarted, "the container to be started again")
    dev.everywhere(text="before the kill")
    waited(lambda: dev.same() is None, "the files")
    assert sorted(pod["metadata"]["name"] for pod in dev.pods()) == names


def test_what_is_ignored_does_nothing(dev: Dev, src: Path) -> None:
    noise = ("README.md", ".git/index", "src/app/__pycache__/x.pyc", "src/app/.answer.py.swp")
    for path in noise:
        dev.project.write(path, "nothing of the app's")
    dev.project.write("src/app/last.txt", "this one counts")
    dev.until("synced")
    assert [event["files"] for event in dev.of("files-changed")] == [["src/app/last.txt"]]
    dev.calm()
    for path in noise:
        (dev.project.folder / path).unlink()


def test_a_changed_env_file_and_a_masked_secret(dev: Dev) -> None:
    dev.save(".env", "GREETING=good-evening-everyone\n")
    assert dev.until("files-changed")["action"] == "apply"
    dev.calm()
    assert not dev.of("build-step")
    dev.everywhere(greeting="good-evening-everyone")
    dev.mark()
    dev.get("/log")
    line = dev.until("log", lambda event: "the greeting is" in event["line"])["line"]
    assert line == "the greeting is ***"


def test_a_changed_manifest_then_kubekit_yaml(dev: Dev) -> None:
    dev.edit(MANIFEST, 'value: "{{ mode }}"', 'value: "{{ mode }}-new"')
    assert dev.until("files-changed")["action"] == "apply"
    dev.calm()
    dev.everywhere(mode="plain-new")
    dev.project.write("assets/logo.txt", "a logo\n")
    rule = "{src: src, dest: /app/src}"
    settings = (dev.project.folder / "kubekit.yaml").read_text()
    settings = settings.replace("mode: plain", "mode: fancy")
    dev.save("kubekit.yaml", settings.replace(rule, f"{rule}, {{src: assets, dest: /app/assets}}"))
    dev.calm()
    dev.everywhere(mode="fancy-new")
    waited(lambda: dev.same(dest="/app/assets", src="assets") is None, "the assets")
    dev.mark()
    (dev.project.folder / "assets/logo.txt").write_text("another logo\n")
    dev.until("synced")
    dev.same(dest="/app/assets", src="assets")
    dev.same()


def test_a_new_dependency_is_built_in_and_usable(dev: Dev) -> None:
    dev.save("requirements.txt", "iniconfig\n")
    changed = dev.until("files-changed")
    assert (changed["action"], changed["files"]) == ("rebuild", ["requirements.txt"])
    dev.calm()
    dev.save("src/app/answer.py", "import iniconfig\n\nTEXT = iniconfig.__name__\n")
    dev.until("synced")
    dev.everywhere(text="iniconfig")
    dev.same()


def test_another_dockerfile(dev: Dev) -> None:
    dev.edit("Dockerfile", "BUILT=first", "BUILT=again")
    assert dev.until("files-changed")["action"] == "rebuild"
    dev.calm()
    dev.everywhere(built="again")


def test_what_is_ignored_from_now_on_leaves_the_containers(dev: Dev) -> None:
    dev.project.write("src/app/notes.md", "for people\n")
    waited(lambda: not dev.differing(), "the notes")
    dev.save(".dockerignore", "**/__pycache__\n.env\n**/*.md\n")
    waited(lambda: not dev.differing(without=("app/notes.md",)), "the notes to be gone")
    dev.calm()
    dev.same(without=("app/notes.md",))
    (dev.project.folder / "src/app/notes.md").unlink()


def test_a_newer_change_ends_the_build_that_it_makes_pointless(dev: Dev) -> None:
    slow = "RUN sleep 900\nCOPY src"
    dev.edit("Dockerfile", "COPY src", slow)
    dev.until("build-step", lambda event: "sleep 900" in event["step"])
    dev.edit("Dockerfile", slow, "ENV BUILT=quickly\nCOPY src")
    dev.calm()
    dev.everywhere(built="quickly")
    assert not dev.of("report")


def test_ctrl_c_leaves_nothing(dev: Dev) -> None:
    name = dev.project.name
    assert dev.stop() == 0, dev.told()[-3000:] + dev.err()
    assert dev.of("ended")
    left = dev.project.kubectl("get", "namespace", name, "--ignore-not-found", "-o", "name")
    assert left == ""
    assert dev.err() == ""


def test_a_locked_pod_is_synced_too_and_what_is_kept_is_a_plain_one_again(
    cluster: dict[str, str], tmp_path: Path
) -> None:
    project = locked_project(tmp_path, cluster)
    with harness.dev(project, "--keep") as dev:
        dev.say("locked")
        assert dev.until("synced")["mode"] == "warm"
        dev.everywhere(text="locked")
        dev.save("src/app/new/deep.py", "TEXT = 'deep'\n")
        dev.until("synced")
        dev.mark()
        (project.folder / "src/app/page.html").unlink()
        dev.until("synced")
        dev.same()
        (pod,) = dev.pods()
        dev.mark()
        dev.inside(pod["metadata"]["name"], KILL, check=False)
        waited(lambda: dev.pods()[0]["status"]["containerStatuses"][0]["restartCount"], "a restart")
        dev.everywhere(text="locked")
        dev.same()
        assert dev.stop() == 0
        assert dev.of("ended")[-1]["hints"]
        assert "kubekit-dev-" in json.dumps(project.objects("deployments"))
        project.apply()
        plain(project)


def plain(project: Project) -> None:
    """What runs is what the manifests say, and nothing of `dev` is in it."""
    (deployment,) = project.objects("deployments")
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert not spec.get("initContainers")
    assert not spec.get("volumes")
    assert not container.get("volumeMounts")
    assert not container.get("command")
    answer = json.loads(project.answer())
    assert answer["text"] == "locked"
