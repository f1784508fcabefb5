"""Rows 60 to 66: what the API server refuses to take, or does not answer at all."""

from __future__ import annotations

from tests.cluster.conftest import Project
from tests.cluster.scenarios import access
from tests.cluster.scenarios.actions import feed, namespace, other_owner, then, when
from tests.cluster.scenarios.scenario import Scenario, replaced, spec
from tests.cluster.scenarios.services import service

TAKEN = 32451
OTHER_SERVICE = f"""\
apiVersion: v1
kind: Service
metadata: {{name: other}}
spec:
  type: NodePort
  selector: {{app: other}}
  ports: [{{port: 80, nodePort: {TAKEN}}}]
"""
HELD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: held, finalizers: [kubekit.test/held]}
"""


def held_namespace(project: Project) -> None:
    """The namespace is being deleted, and something in it does not go."""
    namespace(project, also=HELD)
    project.kubectl("delete", "namespace", project.name, "--wait=false")


def let_go(project: Project) -> None:
    patch = '{"metadata": {"finalizers": null}}'
    project.kubectl("patch", "configmap", "held", "--type=merge", "-p", patch)


def port_taken(project: Project) -> None:
    namespace(project)
    feed(project, OTHER_SERVICE)


SCENARIOS = {
    "immutable-field": Scenario(
        title="A Deployment's selector cannot be changed.",
        rows=(60,),
        code=5,
        cause="api-immutable",
        says=("`Deployment/web`", "spec.selector", "cannot be changed"),
        at="selector:",
        edits=replaced("labels: {app: web}", "labels: {app: web, tier: front}"),
        prepare=then(("matchLabels: {app: web}", "matchLabels: {app: web, tier: front}")),
        within=30,
        tier="before",
    ),
    "field-conflict": Scenario(
        title="A field that another manager owns.",
        rows=(61,),
        code=5,
        cause="api-conflict",
        says=("`spec.replicas` is managed by `autoscaler`", "--take-ownership"),
        at="replicas:",
        prepare=other_owner,
        within=30,
        tier="before",
    ),
    "node-port-taken": Scenario(
        title="Another Service has the port of the node.",
        rows=(62,),
        code=5,
        cause="api-invalid",
        says=("`Service/web`", str(TAKEN), "already allocated"),
        at="nodePort",
        edits=(
            *service("type: ClusterIP", "type: NodePort"),
            *replaced("port: 80,", f"port: 80, nodePort: {TAKEN},"),
        ),
        prepare=port_taken,
        within=30,
        tier="before",
    ),
    "unknown-field": Scenario(
        title="A field that Deployments do not have.",
        rows=(62,),
        code=5,
        cause="api-invalid",
        says=("`Deployment/web`", "replica"),
        at="replica: 2",
        edits=spec("replica: 2"),
        within=30,
        tier="before",
    ),
    "namespace-held": Scenario(
        title="The namespace is being deleted, and something in it holds that up.",
        rows=(63, 82),
        code=5,
        cause="namespace-terminating",
        says=("is being deleted", "kubekit.test/held"),
        prepare=held_namespace,
        cleanup=let_go,
        within=150,
    ),
    "forbidden": Scenario(
        title="A user who may only look.",
        rows=(64,),
        code=5,
        cause="api-forbidden",
        says=("narrow", "ask for the missing right"),
        at="apiVersion:",
        prepare=lambda project: access.as_account(project, "view"),
        within=30,
        tier="before",
    ),
    "api-server-away": Scenario(
        title="Nobody answers where the kubeconfig leads.",
        rows=(65,),
        code=8,
        cause="kubeconfig-stale",
        says=("the kubeconfig leads elsewhere", "minikube update-context"),
        prepare=access.through_nothing,
        cleanup=access.no_proxy,
        within=15,
    ),
    "api-server-lost": Scenario(
        title="The API server cannot be reached any more, for longer than half a minute.",
        rows=(65,),
        code=8,
        cause="api-lost",
        says=("30 s", "minikube status"),
        mode="unready",
        prepare=access.through_proxy,
        meddle=when("answers 503", access.cut),
        cleanup=access.no_proxy,
        within=90,
    ),
    "unauthorized": Scenario(
        title="The credentials of the kubeconfig are good no more.",
        rows=(65,),
        code=8,
        cause="unauthorized",
        says=("credentials", "minikube start"),
        prepare=lambda project: access.by_token(project, "of-yesterday"),
        within=15,
    ),
    "other-authority": Scenario(
        title="The kubeconfig trusts another authority than the cluster's.",
        rows=(65,),
        code=8,
        cause="api-certificate",
        says=("does not trust", "minikube update-context"),
        prepare=access.other_authority,
        within=15,
    ),
    "api-server-busy": Scenario(
        title="The API server has too many requests (429) to take any of ours.",
        rows=(66,),
        code=8,
        cause="api-busy",
        says=("too many requests",),
        prepare=access.through_busy_server,
        cleanup=access.no_busy_proxy,
        within=45,
    ),
}
