"""What goes wrong under `kubekit dev` is told, and never ends it: the next save is live again.

The tests share one run, which reaches the API server by way of a proxy that can be cut.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubekit.pod.supervisor import START_SECONDS
from tests.cluster.conftest import PROFILE
from tests.cluster.dev import harness
from tests.cluster.dev.harness import Dev, Shared, waited
from tests.cluster.dev.project import root_project
from tests.cluster.faultproxy import FaultProxy, in_front_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

ANSWER = "src/app/answer.py"
MAIN = "src/app/main.py"
MANIFEST = "manifests/app.yaml.j2"


def api_server(env: dict[str, str]) -> str:
    """Where the API server of the lab is."""
    view = ["kubectl", "config", "view", "--minify", "--context", PROFILE, "-o", "json"]
    done = subprocess.run(view, env=env, capture_output=True, check=True)
    return str(json.loads(done.stdout)["clusters"][0]["cluster"]["server"])


@pytest.fixture(scope="module")
def proxy(cluster: dict[str, str]) -> Iterator[FaultProxy]:
    with in_front_of(api_server(cluster)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def shared(
    cluster: dict[str, str], proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    def start() -> contextlib.AbstractContextManager[Dev]:
        folder = tmp_path_factory.mktemp("breaks")
        config = proxy.kubeconfig(Path(cluster["KUBECONFIG"]), folder / "kubeconfig", PROFILE)
        return harness.dev(root_project(folder, cluster), kubeconfig=config)

    with contextlib.closing(Shared(start)) as shared:
        yield shared


@pytest.fixture
def dev(shared: Shared, request: pytest.FixtureRequest) -> Iterator[Dev]:
    """The run that all tests share, with an app that answers; and so it does afterwards."""
    run = shared.run(request.node)
    yield run
    if run.process.poll() is None:
        waited(lambda: run.is_well and run.same() is None, "the app to run with what is saved")


def text(dev: Dev) -> str:
    """What the app says now."""
    return str(json.loads(dev.get())["text"])


def repaired(dev: Dev, said: str) -> None:
    """A save after which the app answers again, everywhere."""
    dev.say(said)
    dev.calm()
    dev.everywhere(text=said)


def test_a_syntax_error_is_told_with_its_line_and_the_old_code_answers(dev: Dev) -> None:
    repaired(dev, "before the syntax error")
    pods = {pod["metadata"]["uid"] for pod in dev.pods()}
    dev.save(ANSWER, 'TEXT = "one"\n\ndef broken(:\n    pass\n')
    told = dev.report("syntax-error")
    assert told["place"].startswith(f"{ANSWER}:3:")
    assert told["message"].startswith("SyntaxError: ")
    dev.until("watching", lambda event: not event["well"])
    assert text(dev) == "before the syntax error"
    # Nothing of a change set with an error in it is written.
    assert dev.differing()
    repaired(dev, "after the syntax error")
    assert {pod["metadata"]["uid"] for pod in dev.pods()} == pods


def test_an_import_error_is_told_with_the_projects_own_line(dev: Dev) -> None:
    repaired(dev, "before the import error")
    dev.save(ANSWER, 'TEXT = "never"\nimport nosuchmodule\n')
    told = dev.report("reload-failed")
    assert "ModuleNotFoundError: No module named 'nosuchmodule'" in told["message"]
    assert f"`{ANSWER}` changed" in told["message"]
    assert told["place"] == f"{ANSWER}:2"
    assert any("import nosuchmodule" in line for line in told["details"])
    assert text(dev) == "before the import error"
    repaired(dev, "after the import error")


def test_a_lifespan_that_fails_keeps_the_old_code(dev: Dev) -> None:
    repaired(dev, "before the lifespan")
    whole = (dev.project.folder / MAIN).read_text()
    failing = (
        "import contextlib\n\n@contextlib.asynccontextmanager\nasync def lifespan(app):\n"
        '    raise RuntimeError("no database today")\n    yield\n\n'
    )
    broken = whole.replace("app = FastAPI()", f"{failing}app = FastAPI(lifespan=lifespan)")
    dev.save(MAIN, broken)
    told = dev.report("reload-failed")
    assert "no database today" in "\n".join((told["message"], *told["details"]))
    assert text(dev) == "before the lifespan"
    dev.save(MAIN, whole)
    dev.calm()
    repaired(dev, "after the lifespan")


def test_code_that_hangs_gives_way_to_the_next_save(dev: Dev) -> None:
    repaired(dev, "before it hangs")
    dev.save(ANSWER, 'import time\n\ntime.sleep(3600)\nTEXT = "never"\n')
    told = dev.until("warning", lambda event: "not started yet" in event["text"])
    assert told["text"].endswith(f": it is in {ANSWER}:3")
    assert text(dev) == "before it hangs"
    dev.say("after it hung")
    # Before it was given up, that is: the one that hangs has a minute.
    dev.until("synced", seconds=0.75 * START_SECONDS)
    assert text(dev) == "after it hung"
    # A row of quick saves, each in the way of the one before, ends with the last.
    for number in range(3):
        dev.save(ANSWER, f'import time\n\ntime.sleep(3600)\nTEXT = "{number}"\n')
    repaired(dev, "after a row of them")


def test_a_wrong_port_in_the_manifest(dev: Dev) -> None:
    repaired(dev, "before the wrong port")
    dev.edit(MANIFEST, "containerPort: 8000", "containerPort: 8001")
    told = dev.until("report")
    assert "8001" in json.dumps(told)
    dev.until("watching", lambda event: not event["well"])
    dev.edit(MANIFEST, "containerPort: 8001", "containerPort: 8000")
    dev.calm()
    dev.everywhere(text="before the wrong port")


def test_a_broken_dockerfile_and_a_build_that_fails(dev: Dev) -> None:
    repaired(dev, "before the build")
    dev.edit("Dockerfile", "COPY src", "KOPY src")
    told = dev.until("report")
    assert "Dockerfile" in str(told["place"])
    assert text(dev) == "before the build"
    dev.edit("Dockerfile", "KOPY src", "RUN echo no luck && exit 3\nCOPY src")
    told = dev.until("report")
    assert "no luck" in json.dumps(told)
    # A save is live all the same: the containers run.
    dev.say("while the build is broken")
    dev.until("synced")
    dev.everywhere(text="while the build is broken")
    dev.edit("Dockerfile", "RUN echo no luck && exit 3\n", "")
    dev.calm()
    dev.everywhere(text="while the build is broken")


def test_a_crash_at_the_start_after_a_rebuild_is_repaired_by_a_save(dev: Dev) -> None:
    repaired(dev, "before the crash")
    dev.project.write("requirements.txt", "# another layer\n")
    dev.save(ANSWER, 'TEXT = "never"\nraise SystemExit("this app cannot start")\n')
    told = dev.until("report", lambda event: "cannot start" in json.dumps(event))
    assert told["exit_code"]
    dev.say("after the crash")
    dev.calm()
    dev.everywhere(text="after the crash")


def test_invalid_manifest_settings_and_env_file(dev: Dev) -> None:
    repaired(dev, "before the invalid files")
    for path, wrong in (
        (MANIFEST, "{% if %}\n"),
        ("kubekit.yaml", "nosuch: 1\n"),
        (".env", "A B\n"),
    ):
        whole = (dev.project.folder / path).read_text()
        dev.save(path, whole + wrong)
        told = dev.until("report")
        assert str(told["place"]).startswith(path), told
        assert text(dev) == "before the invalid files"
        dev.save(path, whole)
        dev.calm()
    repaired(dev, "after the invalid files")


def test_a_manifest_in_another_shape_is_refused_in_the_words_of_the_api_server(dev: Dev) -> None:
    repaired(dev, "before the shapes")
    whole = (dev.project.folder / MANIFEST).read_text()
    for good, wrong, cause in (
        ("containerPort: 8000", "containerPrt: 8000", "did you mean `containerPort`?"),
        ("containerPort: 8000", "containerPort: http", "must be a whole number"),
        ("- name: app", "- nam: app", "did you mean `name`?"),
        ("      containers:", "      initContainers: [a]\n      containers:", "must be a mapping"),
        ("          envFrom:", "          volumeMounts: x\n          envFrom:", "must be a list"),
    ):
        dev.save(MANIFEST, whole.replace(good, wrong))
        told = dev.until("report")
        assert cause in json.dumps(told), told
        assert str(told["place"]).startswith(f"{MANIFEST}:"), told
    # The pods run on, and a save is live in them without a build.
    dev.say("while the manifest is refused")
    dev.until("synced")
    dev.everywhere(text="while the manifest is refused")
    dev.save(MANIFEST, whole)
    dev.calm()


def test_an_env_file_that_goes_is_asked_for_and_taken_up_when_it_is_back(dev: Dev) -> None:
    repaired(dev, "before the env file went")
    env = dev.project.folder / ".env"
    whole = env.read_text()
    dev.mark()
    env.unlink()
    told = dev.until("report")
    assert "`secret` is used, but there is no `.env`" in told["message"]
    assert ".env" in told["hints"][0]
    assert text(dev) == "before the env file went"
    dev.save(".env", whole)
    dev.calm()


def test_a_source_that_cannot_be_read_as_it_leads_nowhere(dev: Dev) -> None:
    src = dev.project.folder / "src"
    dev.mark()
    (src / "app/loop").symlink_to("loop")
    (src / "app/nowhere").symlink_to("/no/such/file")
    dev.until("synced")
    dev.same()
    away = src.rename(src.with_name("away"))
    dev.report("sync-source")
    dev.mark()
    away.rename(src)
    waited(lambda: text(dev), "an answer")
    repaired(dev, "after the folder was gone")


def test_saved_while_the_api_server_is_away(dev: Dev, proxy: FaultProxy) -> None:
    repaired(dev, "before the cut")
    dev.mark()
    proxy.cut()
    try:
        dev.project.write("src/app/while.py", "X = 1\n")
        dev.project.write(ANSWER, 'TEXT = "while it was away"\n')
        dev.until("watching", lambda event: "does not answer" in event["text"])
    finally:
        proxy.restore()
    dev.everywhere(text="while it was away")
    waited(lambda: dev.same() is None, "the files")
    for generation in range(3):
        dev.say(f"dropped {generation}")
        proxy.drop()
    dev.everywhere(text="dropped 2")
    waited(lambda: dev.is_well, "it to say so")


def test_a_release_that_the_api_server_leaves(dev: Dev, proxy: FaultProxy) -> None:
    dev.save(".env", "GREETING=good-night-everyone\n")
    dev.until("stage-started", lambda event: event["stage"] == "rollout")
    proxy.drop()
    dev.everywhere(greeting="good-night-everyone")
    waited(lambda: dev.is_well, "it to say so")


def test_what_a_killed_run_left_is_taken_away_by_a_teardown(dev: Dev) -> None:
    dev.kill()
    result = dev.project.run("teardown", "-o", "json")
    assert result.code == 0, result.err
    name = dev.project.name
    left = dev.project.kubectl("get", "namespace", name, "--ignore-not-found", "-o", "name")
    assert left == ""
