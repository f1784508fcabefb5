# ruff: noqa: E501 - what a person sees stands on one line here, too
"""What a person can do wrong, one entry each: what is wrong, and what must be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cli.world import DEPLOYMENT, PROFILE, SECRET, World

RENDER = ("render",)
APPLY = ("build-and-apply",)
STATUS = ("status",)


def nothing(_world: World) -> None:
    """Change nothing: the command line alone is wrong."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One mistake.

    Attributes:
        wrong: what the person did, for the documentation.
        make: makes the mistake in a folder.
        run: the command.
        code: how it must end.
        cause: the one line it must say; None where the words are Typer's own.
        place: where that stands, as a person in the folder writes it.
        more: further lines that must be there, such as hints.
        privileged: False to run with file permissions in force.
    """

    id: str
    wrong: str
    make: Callable[[World], None]
    run: tuple[str, ...] = RENDER
    code: int
    cause: str | None
    place: str | None = None
    more: tuple[str, ...] = ()
    privileged: bool = True


def config(text: str) -> Callable[[World], None]:
    """A kubekit.yaml, with manifests that are right."""

    def make(world: World) -> None:
        world.project()
        world.write("kubekit.yaml", text)

    return make


def manifest(text: str, path: str = "manifests/app.yaml.j2") -> Callable[[World], None]:
    """A manifest or template in a project that is right."""

    def make(world: World) -> None:
        world.project()
        world.write(path, text)

    return make


def env_file(text: str | bytes, more: str = "", mode: int = 0o600) -> Callable[[World], None]:
    """A `.env` in a project that is right."""

    def make(world: World) -> None:
        world.project(more)
        world.write(".env", text, mode=mode)

    return make


def dockerfile(text: str | None) -> Callable[[World], None]:
    """A Dockerfile in a project that is right; None for no Dockerfile."""
    return lambda world: world.image(text)


def project(more: str = "") -> Callable[[World], None]:
    """A project that is right by itself."""
    return lambda world: world.project(more)


def unreadable(path: str) -> Callable[[World], None]:
    """A project one file of which may not be read by anybody."""

    def make(world: World) -> None:
        world.image("FROM python:3.13-slim\nCOPY main.py /\n")
        world.write(".env", f"TOKEN={SECRET}\n", mode=0o600)
        (world.folder / path).chmod(0)

    return make


def kubeconfig(text: str) -> Callable[[World], None]:
    """A kubeconfig, and a project that is right."""

    def make(world: World) -> None:
        world.project()
        world.kubeconfig.write_text(text)

    return make


def no_manifests(world: World) -> None:
    world.project()
    (world.folder / "manifests/app.yaml.j2").unlink()


def env_is_a_folder(world: World) -> None:
    world.project("env_file: secrets\n")
    (world.folder / "secrets").mkdir()


def context_of_others(world: World) -> None:
    world.project("context: prod\n")
    world.context("prod")


def context_by_name_only(world: World) -> None:
    world.project()
    world.profile("minikube", {"Driver": "docker", "KubernetesConfig": {}})
    world.context("minikube")


def context_that_is_silent(world: World) -> None:
    world.project("context: far-away\nallow_contexts: [far-away]\n")
    world.context("far-away")


def damaged_profile(world: World) -> None:
    world.project()
    world.profile("minikube", '{"Name": "minikube", "Driver":')


def never_started_profile(world: World) -> None:
    world.project()
    world.profile("minikube", {"Driver": "docker", "KubernetesConfig": {}})


UNFIT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: wbe}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: app, image: "python:3.13-slim",
           ports: [{name: http, containerPort: 8000}],
           readinessProbe: {httpGet: {port: htpp}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: web}]
"""

CASES: tuple[Case, ...] = (
    Case(
        id="file-missing",
        wrong="no kubekit.yaml here or above",
        make=nothing,
        code=2,
        cause="no `kubekit.yaml` in `{folder}` or any folder above it",
        more=(
            "hint: write one: `name: tasks` applies `manifests`; `build: {context: .}` builds an image too",
            "hint: or name another file with `--file` or KUBEKIT_FILE",
        ),
    ),
    Case(
        id="file-missing-beside-a-backend",
        wrong="no kubekit.yaml, in the folder of a Python backend",
        make=lambda world: world.write("requirements.txt", "fastapi\n"),
        code=2,
        cause="no `kubekit.yaml` in `{folder}` or any folder above it",
        more=(
            "hint: `kubekit init` writes it, and all else that a Python backend needs",
            "hint: write one: `name: tasks` applies `manifests`; `build: {context: .}` builds an image too",
            "hint: or name another file with `--file` or KUBEKIT_FILE",
        ),
    ),
    Case(
        id="named-file-missing",
        wrong="`--file` names a file that is not there",
        make=project(),
        run=("render", "--file", "other.yaml"),
        code=2,
        cause="`other.yaml` does not exist",
        place="other.yaml",
    ),
    Case(
        id="unknown-key",
        wrong="kubekit.yaml: an unknown key",
        make=config("name: tasks\nnamspace: tasks\n"),
        code=2,
        cause="unknown key `namspace`; did you mean `namespace`?",
        place="kubekit.yaml:2:1",
    ),
    Case(
        id="tab",
        wrong="kubekit.yaml: a tab",
        make=config("name: tasks\nbuild:\n\tcontext: .\n"),
        code=2,
        cause="a tab is used for indentation",
        place="kubekit.yaml:3:1",
        more=("hint: indent with spaces",),
    ),
    Case(
        id="duplicate-key",
        wrong="kubekit.yaml: a key twice",
        make=config("name: tasks\nnamespace: one\nnamespace: two\n"),
        code=2,
        cause="`namespace` stands twice, first in line 2",
        place="kubekit.yaml:3:1",
    ),
    Case(
        id="wrong-type",
        wrong="kubekit.yaml: a value of the wrong type",
        make=config("name: tasks\nmanifests: manifests\n"),
        code=2,
        cause="`manifests` must be a list, got text",
        place="kubekit.yaml:2:1",
    ),
    Case(
        id="two-problems",
        wrong="kubekit.yaml: several things at once",
        make=config("name: Tasks\ntimeout: soon\ndev: {port: 80000}\n"),
        code=2,
        cause="`name`: `Tasks` is no DNS label (RFC 1123): at most 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit",
        place="kubekit.yaml:1:1",
        more=(
            "│ kubekit.yaml:2:1: `timeout`: expected a time such as `120s`, `2m` or `1m30s`",
            "│ kubekit.yaml:3:7: `dev.port`: expected a port from 1 to 65535, got 80000",
        ),
    ),
    Case(
        id="empty-file",
        wrong="kubekit.yaml: empty",
        make=config(""),
        code=2,
        cause="`name` is missing",
        place="kubekit.yaml:1",
    ),
    Case(
        id="config-unreadable",
        wrong="kubekit.yaml: may not be read",
        make=unreadable("kubekit.yaml"),
        code=2,
        cause="no permission to read `kubekit.yaml`",
        place="kubekit.yaml",
        more=("hint: run `chmod u+r kubekit.yaml`, or check who owns it with `ls -l`",),
        privileged=False,
    ),
    Case(
        id="namespace-no-label",
        wrong="a namespace that is no DNS label",
        make=project(),
        run=("render", "-n", "My_Space"),
        code=2,
        cause="flag --namespace: `My_Space` is no DNS label (RFC 1123): at most 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit",
    ),
    Case(
        id="bad-timeout",
        wrong="`--timeout` that is no time",
        make=project(),
        run=("render", "--timeout", "soon"),
        code=2,
        cause="flag --timeout: expected a time such as `120s`, `2m` or `1m30s`",
    ),
    Case(
        id="profile-and-context",
        wrong="`--profile` and `--context` at once",
        make=project(),
        run=("status", "--profile", "a", "--context", "b"),
        code=2,
        cause="flag --profile and flag --context name a cluster each, by profile and by context",
        more=("hint: keep one: `profile` for a Minikube, `context` for any other cluster",),
    ),
    Case(
        id="bad-output",
        wrong="`-o` that does not exist",
        make=project(),
        run=("render", "-o", "yaml"),
        code=2,
        cause=None,
        more=("--output",),
    ),
    Case(
        id="unknown-command",
        wrong="an unknown command",
        make=project(),
        run=("tear-down",),
        code=2,
        cause=None,
        more=("Did you mean 'teardown'?",),
    ),
    Case(
        id="unknown-flag",
        wrong="an unknown flag",
        make=project(),
        run=("render", "--namspace", "x"),
        code=2,
        cause=None,
        more=("--namspace",),
    ),
    Case(
        id="undefined-variable",
        wrong="template: an undefined variable",
        make=manifest("kind: ConfigMap\nmetadata:\n  name: {{ nmae }}\n"),
        code=3,
        cause="`nmae` is not defined; did you mean `name`?",
        place="manifests/app.yaml.j2:3",
        more=(
            "hint: there is `name`, `namespace`",
            "hint: variables of your own belong under `values` in kubekit.yaml",
        ),
    ),
    Case(
        id="template-syntax",
        wrong="template: an expression that is not closed",
        make=manifest("kind: ConfigMap\nmetadata:\n  name: {{ name }\n"),
        code=3,
        cause="template: unexpected '}'",
        place="manifests/app.yaml.j2:3",
    ),
    Case(
        id="no-kind",
        wrong="manifest: no kind",
        make=manifest("apiVersion: v1\nmetadata: {name: x}\n"),
        code=3,
        cause="`kind` is missing",
        place="manifests/app.yaml.j2:1",
    ),
    Case(
        id="bad-yaml",
        wrong="manifest: no YAML",
        make=manifest("apiVersion: v1\nkind: [ConfigMap\nmetadata: {}\n", "manifests/b.yaml"),
        code=3,
        cause="this `[` is not closed",
        place="manifests/b.yaml:2:7",
        more=("hint: add `]`, or the missing `,`",),
    ),
    Case(
        id="manifests-missing",
        wrong="kubekit.yaml names manifests that are not there",
        make=project("manifests: [k8s]\n"),
        code=3,
        cause="no manifests at `k8s`",
        place="kubekit.yaml:2:13",
        more=("hint: write them there, or name their files or folders under `manifests`",),
    ),
    Case(
        id="manifests-empty",
        wrong="a folder without manifests",
        make=no_manifests,
        code=3,
        cause="no manifests in `manifests`",
        place="manifests",
        more=(
            "hint: write one, such as `deployment.yaml.j2`, or name another folder in kubekit.yaml",
        ),
    ),
    Case(
        id="template-unreadable",
        wrong="a template that may not be read",
        make=unreadable("manifests/app.yaml.j2"),
        code=3,
        cause="no permission to read `manifests/app.yaml.j2`",
        place="manifests/app.yaml.j2",
        more=("hint: run `chmod u+r manifests/app.yaml.j2`, or check who owns it with `ls -l`",),
        privileged=False,
    ),
    Case(
        id="env-lines",
        wrong="`.env`: bad lines",
        make=env_file(f"A=1\n{SECRET}\nA=2\n1B={SECRET}\nC='{SECRET}\n"),
        code=3,
        cause="no `=` in this line",
        place=".env:2",
        more=(
            "│ .env:3: `A` is set twice, first in line 1",
            "│ .env:4: no valid name before `=`: letters, digits and `_`, no digit first",
            "│ .env:5: the quote ' is not closed",
            "hint: every line is `KEY=value`, a comment or empty",
        ),
    ),
    Case(
        id="env-missing",
        wrong="`.env` is named but not there",
        make=project("env_file: secrets.env\n"),
        code=3,
        cause="no file at `secrets.env`, which kubekit.yaml:2 names",
        place="kubekit.yaml:2:1",
        more=("hint: create `secrets.env` with a line `KEY=value` for each variable",),
    ),
    Case(
        id="env-not-utf8",
        wrong="`.env`: not UTF-8",
        make=env_file(b"A=1\nB=\xff\xfe\n"),
        code=3,
        cause="`.env` is not UTF-8 text",
        place=".env:2",
        more=("hint: save the file in the encoding UTF-8",),
    ),
    Case(
        id="env-folder",
        wrong="`.env` is a folder",
        make=env_is_a_folder,
        code=3,
        cause="`secrets` is a folder, not a file",
        place="secrets",
    ),
    Case(
        id="env-unreadable",
        wrong="`.env` may not be read",
        make=unreadable(".env"),
        code=3,
        cause="no permission to read `.env`",
        place=".env",
        more=("hint: run `chmod u+r .env`, or check who owns it with `ls -l`",),
        privileged=False,
    ),
    Case(
        id="no-dockerfile",
        wrong="no Dockerfile",
        make=dockerfile(None),
        code=3,
        cause="no Dockerfile at `app/Dockerfile`",
        place="kubekit.yaml:2:1",
        more=("hint: write one, or name yours under `build.dockerfile`",),
    ),
    Case(
        id="context-missing",
        wrong="the build context is not there",
        make=project("build: {context: src}\n"),
        code=3,
        cause="no folder at `src` to build from",
        place="kubekit.yaml:2:9",
        more=("hint: `build.context` names the folder with the sources, relative to kubekit.yaml",),
    ),
    Case(
        id="context-unreadable",
        wrong="a file of the build context may not be read",
        make=unreadable("app/main.py"),
        code=3,
        cause="`app/main.py` cannot be read: permission denied",
        place="app/main.py",
        more=("hint: make it readable, or exclude it in `.dockerignore`: `chmod u+r app/main.py`",),
        privileged=False,
    ),
    Case(
        id="no-minikube",
        wrong="`minikube` is not on PATH",
        make=project(),
        run=("up",),
        code=9,
        cause="`minikube` is not on PATH",
        more=("hint: install it: https://minikube.sigs.k8s.io/docs/start/",),
    ),
    Case(
        id="no-docker",
        wrong="`docker` is not on PATH",
        make=project(),
        run=("docker", "images"),
        code=9,
        cause="`docker` is not on PATH",
        more=("hint: install Docker's command line: https://docs.docker.com/",),
    ),
    Case(
        id="no-profile",
        wrong="no Minikube profile at all",
        make=project(),
        run=STATUS,
        code=8,
        cause="there is no Minikube profile `minikube`",
        more=("hint: create it with `kubekit up --profile minikube`",),
    ),
    Case(
        id="profile-damaged",
        wrong="the profile's config is damaged",
        make=damaged_profile,
        run=STATUS,
        code=8,
        cause="the config of Minikube profile `minikube` is damaged",
        place="../home/.minikube/profiles/minikube/config.json",
        more=("hint: make it anew: `minikube delete -p minikube`, then `kubekit up`",),
    ),
    Case(
        id="profile-without-context",
        wrong="the kubeconfig has no context for the profile",
        make=never_started_profile,
        run=STATUS,
        code=8,
        cause="Minikube profile `minikube` is stopped: the kubeconfig has no context for it",
        more=("hint: start it with `kubekit up`",),
    ),
    Case(
        id="context-refused",
        wrong="a context that is no Minikube",
        make=context_of_others,
        run=APPLY,
        code=2,
        cause="context `prod` is not a cluster that Minikube made, so kubekit does not touch it",
        more=("hint: if you mean it, add `prod` to `allow_contexts` in kubekit.yaml",),
    ),
    Case(
        id="context-by-name-only",
        wrong="a context that only has the name of the profile",
        make=context_by_name_only,
        run=APPLY,
        code=2,
        cause="context `minikube` is not a cluster that Minikube made, "
        "so kubekit does not touch it",
        more=("hint: if you mean it, add `minikube` to `allow_contexts` in kubekit.yaml",),
    ),
    Case(
        id="context-unknown",
        wrong="a context the kubeconfig does not have",
        make=context_of_others,
        run=("status", "--context", "prdo"),
        code=2,
        cause="the kubeconfig has no context `prdo`",
        more=("hint: did you mean `prod`?",),
    ),
    Case(
        id="api-silent",
        wrong="the API server does not answer",
        make=context_that_is_silent,
        run=STATUS,
        code=8,
        cause="the API server of context `far-away` at https://127.0.0.1:1 does not answer",
        more=(
            "│ [Errno 111] Connection refused",
            "hint: check that it runs, and that this machine reaches it, as through a VPN",
        ),
    ),
    Case(
        id="kubeconfig-not-yaml",
        wrong="the kubeconfig is not YAML",
        make=kubeconfig("clusters: [\n"),
        run=STATUS,
        code=2,
        cause="the kubeconfig is not YAML",
        place="../home/kubeconfig",
    ),
    Case(
        id="kubeconfig-not-mapping",
        wrong="the kubeconfig is something else",
        make=kubeconfig("- apiVersion\n"),
        run=STATUS,
        code=2,
        cause="the kubeconfig is not a mapping",
        place="../home/kubeconfig",
    ),
    Case(
        id="unfit",
        wrong="manifest: a probe, a selector and a Service that do not fit",
        make=manifest(UNFIT),
        run=RENDER,
        code=3,
        cause="the selector of `Deployment/web` asks for `app: wbe`, but its template has `app: web`",
        place="manifests/app.yaml.j2:5",
        more=(
            "│ manifests/app.yaml.j2:12: the readiness probe of container `app` of `Deployment/web` asks the port `htpp`, which the container does not declare, so it can never succeed; did you mean `http`?",
            "│ manifests/app.yaml.j2:19: `Service/web` leads to the port `web`, which no container of `Deployment/web` declares, so nothing answers there; there is `http`",
            "hint: name a port that stands under `ports` of the container, or write the number",
        ),
    ),
    Case(
        id="tolerate-unknown",
        wrong="`--tolerate` of what is no cause",
        make=project(),
        run=(*APPLY, "--tolerate", "crashloop"),
        code=2,
        cause="flag --tolerate: there is no cause `crashloop`; did you mean `crash-loop`?",
        more=("hint: the id of a cause is what `-o json` shows as `id`",),
    ),
)


PLAIN = DEPLOYMENT.replace("{{ image }}", "python:3.13-slim")
MISSPELT = PLAIN.replace("spec:\n  selector", "spec:\n  replcias: 2\n  selector")
OF_OTHER_TYPES = PLAIN.replace("spec:\n  selector", "spec:\n  replicas: one\n  selector").replace(
    "image: ", "env: [{name: DEBUG, value: 1}], image: "
)
TOO_FAR_OUT = PLAIN.replace("    spec:\n      containers", "    containers")
NO_QUANTITY = PLAIN.replace("image: ", "resources: {limits: {memory: 128MB}}, image: ")


def spoilt_profile(**changes: Any) -> Callable[[World], None]:
    """A copy of the lab's profile with other settings."""

    def make(world: World) -> None:
        found = world.own_copy_of_the_lab()
        found["Nodes"] = changes.get("Nodes", found["Nodes"])
        found["KubernetesConfig"] |= {k: v for k, v in changes.items() if k != "Nodes"}
        world.profile(PROFILE, found)
        world.image()

    return make


def without_mark(world: World) -> None:
    world.own_copy_of_the_lab()
    found = yaml.safe_load(world.kubeconfig.read_text())
    for entry in found["clusters"]:
        del entry["cluster"]["extensions"]
    world.kubeconfig.write_text(yaml.safe_dump(found))
    world.image()


def node_gone(world: World) -> None:
    found = world.own_copy_of_the_lab()
    world.profile("kubekit-gone", {**found, "Name": "kubekit-gone"})
    machine = world.minikube / "machines"
    (machine / PROFILE).rename(machine / "kubekit-gone")
    file = machine / "kubekit-gone" / "config.json"
    file.write_text(file.read_text().replace(PROFILE, "kubekit-gone"))
    world.context("kubekit-gone", made=True)
    world.env["KUBEKIT_PROFILE"] = "kubekit-gone"
    world.image()


def mistyped_profile(world: World) -> None:
    world.env["KUBEKIT_PROFILE"] = "kubekit-lap"
    world.image()


CLUSTER_CASES: tuple[Case, ...] = (
    Case(
        id="misspelt-field",
        wrong="manifest: a misspelt field",
        make=manifest(MISSPELT),
        run=APPLY,
        code=5,
        cause="the API server refuses `Deployment/web`: there is no field `spec.replcias`; did you mean `replicas`?",
        place="manifests/app.yaml.j2:5",
    ),
    Case(
        id="wrong-types",
        wrong="manifest: text for a number, and a number for text",
        make=manifest(OF_OTHER_TYPES),
        run=APPLY,
        code=5,
        cause="the API server refuses `Deployment/web`: `spec.replicas` must be a whole number, not text (`one`)",
        place="manifests/app.yaml.j2:5",
        more=(
            "│ manifests/app.yaml.j2:10: `spec.template.spec.containers[0].env[0].value` must be text, not a number (`1`)",
            "hint: put it in quotes",
        ),
    ),
    Case(
        id="too-far-out",
        wrong="manifest: a field that is not indented far enough",
        make=manifest(TOO_FAR_OUT),
        run=APPLY,
        code=5,
        cause="the API server refuses `Deployment/web`: there is no field `spec.template.containers`",
        place="manifests/app.yaml.j2:8",
        more=(
            "hint: `containers` belongs under `spec.template.spec`: look at how far it is indented",
        ),
    ),
    Case(
        id="no-quantity",
        wrong="manifest: a quantity with a unit there is not",
        make=manifest(NO_QUANTITY),
        run=APPLY,
        code=5,
        cause="the API server refuses `Deployment/web`: `spec.template.spec.containers[0].resources.limits.memory` must be a quantity such as `100m` or `128Mi`, not `128MB`",
        place="manifests/app.yaml.j2:9",
    ),
    Case(
        id="dockerfile-syntax",
        wrong="Dockerfile: no such instruction",
        make=dockerfile("FROM python:3.13-slim\nRUNN pip list\n"),
        run=APPLY,
        code=3,
        cause="the Dockerfile is wrong: unknown instruction: RUNN",
        place="app/Dockerfile:2",
    ),
    Case(
        id="run-fails",
        wrong="Dockerfile: a RUN that fails",
        make=dockerfile("FROM python:3.13-slim\nRUN echo no such thing >&2; exit 3\n"),
        run=APPLY,
        code=4,
        cause="`RUN echo no such thing >&2; exit 3` ended with exit code 3",
        place="app/Dockerfile:2",
        more=("│ no such thing",),
    ),
    Case(
        id="copy-missing",
        wrong="Dockerfile: COPY of what is not there",
        make=dockerfile("FROM python:3.13-slim\nCOPY mian.py /\n"),
        run=APPLY,
        code=4,
        cause="`COPY mian.py /` failed: `mian.py` is not in the build context",
        place="app/Dockerfile:2",
        more=("hint: did you mean `main.py`?",),
    ),
    Case(
        id="base-missing",
        wrong="Dockerfile: a base image that cannot be had",
        make=dockerfile("FROM registry.invalid/python:3.13\n"),
        run=APPLY,
        code=4,
        cause="the base image `registry.invalid/python:3.13` is not in Minikube's Docker and cannot be pulled: the registry cannot be reached from there",
        place="app/Dockerfile:1",
        more=(
            '│ Get "https://registry.invalid/v2/": dial tcp: lookup registry.invalid on 10.255.255.53:53: no such host',
            "hint: bring it there yourself: `docker save registry.invalid/python:3.13 | kubekit docker -- load`",
        ),
    ),
    Case(
        id="profile-unknown",
        wrong="a Minikube profile with a slip of the pen",
        make=mistyped_profile,
        run=APPLY,
        code=8,
        cause="there is no Minikube profile `kubekit-lap`",
        more=(
            "hint: did you mean `kubekit-lab`?",
            "hint: create it with `kubekit up --profile kubekit-lap`",
        ),
    ),
    Case(
        id="containerd",
        wrong="Docker's command for a Minikube profile that runs containerd",
        make=spoilt_profile(ContainerRuntime="containerd"),
        run=("docker", "--", "ps"),
        code=8,
        cause="Minikube profile `kubekit-lab` runs containerd: it has no Docker",
        more=(
            "hint: its images: `minikube -p kubekit-lab image ls`",
            "hint: its containers: `minikube -p kubekit-lab ssh -- sudo crictl ps`",
        ),
    ),
    Case(
        id="several-nodes",
        wrong="Docker's command for a Minikube profile with several nodes",
        make=spoilt_profile(Nodes=[{"Name": ""}, {"Name": "m02"}]),
        run=("docker", "--", "ps"),
        code=8,
        cause="Minikube profile `kubekit-lab` has 2 nodes, each with a Docker of its own, and Minikube leads to none of them",
        more=("hint: speak to one: `minikube -p kubekit-lab ssh -n kubekit-lab-m02 -- docker ps`",),
    ),
    Case(
        id="not-made-by-minikube",
        wrong="a real profile's context that Minikube did not write",
        make=without_mark,
        run=APPLY,
        code=2,
        cause="context `kubekit-lab` is not a cluster that Minikube made, so kubekit does not touch it",
        more=("hint: if you mean it, add `kubekit-lab` to `allow_contexts` in kubekit.yaml",),
    ),
    Case(
        id="node-gone",
        wrong="the profile is there, its node is not",
        make=node_gone,
        run=APPLY,
        code=8,
        cause="Minikube profile `kubekit-gone` exists, but its node is gone",
        more=("hint: make it anew: `minikube delete -p kubekit-gone`, then `kubekit up`",),
    ),
)
