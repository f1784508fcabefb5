"""All that `doctor` looks at, in the order in which it is told."""

from __future__ import annotations

from kubekit.doctor import certificates, cluster, machine, nodes, project
from kubekit.doctor.examine import Check
from kubekit.doctor.known import Known

CHECKS: tuple[Check[Known], ...] = (
    Check(id="python", title="kubekit", look=machine.python),
    Check(id="config", title="kubekit.yaml", look=project.config),
    Check(id="minikube", title="minikube", look=machine.has_minikube, after=("config",)),
    Check(id="kubeconfig", title="kubeconfig", look=cluster.configs),
    Check(
        id="context",
        title="cluster",
        look=cluster.context,
        needs=("kubeconfig",),
        after=("config",),
    ),
    Check(id="profile", title="profile", look=cluster.profile, needs=("context",)),
    Check(id="programs", title="programs", look=machine.programs, after=("profile",)),
    Check(id="own-docker", title="docker", look=cluster.own_docker, after=("profile",)),
    Check(
        id="docker",
        title="docker in the node",
        look=cluster.docker,
        needs=("minikube", "profile", "programs", "own-docker"),
    ),
    Check(id="api", title="API server", look=cluster.api, needs=("context",), after=("minikube",)),
    Check(id="kubernetes", title="Kubernetes", look=cluster.kubernetes, needs=("api",)),
    Check(id="nodes", title="nodes", look=nodes.nodes, needs=("api",)),
    Check(id="disk", title="disk", look=nodes.disk, needs=("api",), after=("profile",)),
    Check(id="clock", title="clocks", look=cluster.clock, needs=("api",), after=("profile",)),
    Check(
        id="certificates",
        title="certificates",
        look=certificates.of_api,
        needs=("context",),
        after=("profile",),
    ),
    Check(
        id="docker-certificates",
        title="certificates of docker",
        look=certificates.of_docker,
        needs=("profile",),
    ),
    Check(id="proxy", title="proxies", look=cluster.proxy, needs=("context",)),
    Check(id="env-file", title=".env", look=project.env_file, after=("config",)),
    Check(id="env-git", title=".env and git", look=project.env_git, needs=("env-file",)),
    Check(id="env-image", title=".env and the image", look=project.env_image, needs=("env-file",)),
    Check(id="inotify", title="files to watch", look=machine.inotify, needs=("config",)),
    Check(id="port", title="port", look=project.port, needs=("config",)),
    Check(id="runs", title="runs", look=project.runs, needs=("config", "context")),
)
