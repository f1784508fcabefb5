"""Manifests that are well, and for each rule what makes them break it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import yaml

Objects = list[dict[str, Any]]

GOOD = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: tasks}
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: tasks
  labels:
    app.kubernetes.io/name: web
    app.kubernetes.io/instance: web
    app.kubernetes.io/component: api
    app.kubernetes.io/part-of: tasks
spec:
  replicas: 2
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector:
    matchLabels: {app.kubernetes.io/name: web}
  template:
    metadata:
      labels: {app.kubernetes.io/name: web}
    spec:
      serviceAccountName: web
      automountServiceAccountToken: false
      enableServiceLinks: false
      priorityClassName: normal
      terminationGracePeriodSeconds: 15
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
        seccompProfile: {type: RuntimeDefault}
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              podAffinityTerm:
                topologyKey: kubernetes.io/hostname
                labelSelector: {matchLabels: {app.kubernetes.io/name: web}}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {matchLabels: {app.kubernetes.io/name: web}}
      containers:
        - name: app
          image: registry.example.com/web:1.0@sha256:\
0000000000000000000000000000000000000000000000000000000000000000
          imagePullPolicy: Always
          command: [uvicorn, "app.main:app", --timeout-graceful-shutdown, "5"]
          lifecycle: {preStop: {sleep: {seconds: 3}}}
          ports: [{name: http, containerPort: 8000}]
          env:
            - {name: LOG_LEVEL, value: info}
          readinessProbe: {httpGet: {path: /health/ready, port: http}}
          livenessProbe: {httpGet: {path: /health/live, port: http}}
          resources:
            requests: {cpu: 50m, memory: 96Mi, ephemeral-storage: 64Mi}
            limits: {cpu: "1", memory: 256Mi, ephemeral-storage: 64Mi}
          securityContext:
            allowPrivilegeEscalation: false
            privileged: false
            readOnlyRootFilesystem: true
            runAsNonRoot: true
            runAsUser: 10001
            capabilities: {drop: [ALL]}
            seccompProfile: {type: RuntimeDefault}
          volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: 16Mi}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: tasks}
spec:
  type: ClusterIP
  selector: {app.kubernetes.io/name: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: tasks}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {matchLabels: {app.kubernetes.io/name: web}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: tasks}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: web}}
  policyTypes: [Ingress, Egress]
  ingress: [{ports: [{port: http}]}]
  egress: [{ports: [{port: 53, protocol: UDP}]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: tasks}
spec:
  tls: [{hosts: [tasks.example.com], secretName: tls}]
  rules: [{host: tasks.example.com}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: tasks}
data: {LOG_LEVEL: info}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: tasks}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web, namespace: tasks}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
"""

GONE = object()
_POD = ("spec", "template", "spec")
_CONTAINER = (*_POD, "containers", 0)


def _put(kind: str, *path: str | int, to: Any) -> Callable[[Objects], None]:
    def change(objects: Objects) -> None:
        node: Any = next(item for item in objects if item["kind"] == kind)
        for key in path[:-1]:
            node = node[key]
        if to is GONE:
            del node[path[-1]]
        elif isinstance(node, list) and path[-1] == len(node):
            node.append(to)
        else:
            node[path[-1]] = to

    return change


def _pod(*path: str | int, to: Any) -> Callable[[Objects], None]:
    return _put("Deployment", *_POD, *path, to=to)


def _app(*path: str | int, to: Any) -> Callable[[Objects], None]:
    return _put("Deployment", *_CONTAINER, *path, to=to)


def _drop(kind: str) -> Callable[[Objects], None]:
    def change(objects: Objects) -> None:
        objects[:] = [item for item in objects if item["kind"] != kind]

    return change


def _all(*changes: Callable[[Objects], None]) -> Callable[[Objects], None]:
    def change(objects: Objects) -> None:
        for one in changes:
            one(objects)

    return change


_NO_SECCOMP = _all(
    _pod("securityContext", "seccompProfile", to=GONE),
    _app("securityContext", "seccompProfile", to=GONE),
)
_MAY_BE_ROOT = _all(
    _pod("securityContext", "runAsNonRoot", to=GONE),
    _app("securityContext", "runAsNonRoot", to=GONE),
    _pod("securityContext", "runAsUser", to=GONE),
    _app("securityContext", "runAsUser", to=GONE),
)
_VOLUME = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
_REF = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "web", "key": "KEY"}}}

CASES: dict[str, Callable[[Objects], None]] = {
    "privileged": _app("securityContext", "privileged", to=True),
    "privilege-escalation": _app("securityContext", "allowPrivilegeEscalation", to=GONE),
    "capabilities-kept": _app("securityContext", "capabilities", to=GONE),
    "capability-added": _app("securityContext", "capabilities", "add", to=["SYS_ADMIN"]),
    "root-filesystem-writable": _app("securityContext", "readOnlyRootFilesystem", to=GONE),
    "may-run-as-root": _MAY_BE_ROOT,
    "low-user-id": _all(
        _app("securityContext", "runAsUser", to=1000), _pod("securityContext", "runAsUser", to=1000)
    ),
    "seccomp-missing": _NO_SECCOMP,
    "proc-mount": _app("securityContext", "procMount", to="Unmasked"),
    "host-port": _app("ports", 0, "hostPort", to=8000),
    "cpu-request-missing": _app("resources", to={"limits": {"memory": "1Mi"}, "requests": {}}),
    "memory-request-missing": _app("resources", to={"limits": {"cpu": "1"}, "requests": {}}),
    "cpu-limit-missing": _app("resources", "limits", "cpu", to=GONE),
    "memory-limit-missing": _app("resources", "limits", "memory", to=GONE),
    "ephemeral-storage-missing": _app("resources", "limits", "ephemeral-storage", to=GONE),
    "readiness-missing": _app("readinessProbe", to=GONE),
    "liveness-missing": _app("livenessProbe", to=GONE),
    "probes-identical": _app("livenessProbe", "httpGet", "path", to="/health/ready"),
    "probe-host": _app("livenessProbe", "httpGet", "host", to="example.com"),
    "container-image-untagged": _app("image", to="registry.example.com/web"),
    "container-image-no-digest": _app("image", to="registry.example.com/web:1.0"),
    "pull-policy": _all(
        _app("image", to="registry.example.com/web:1.0"), _app("imagePullPolicy", to="IfNotPresent")
    ),
    "secret-in-env": _app("env", 1, to={"name": "API_TOKEN", "value": "abcdefgh"}),
    "secret-as-variable": _app("env", 1, to=_REF),
    "host-network": _pod("hostNetwork", to=True),
    "host-pid": _pod("hostPID", to=True),
    "host-ipc": _pod("hostIPC", to=True),
    "host-path": _pod("volumes", 1, to={"name": "x", "hostPath": {"path": "/var/run/docker.sock"}}),
    "service-account-token": _pod("automountServiceAccountToken", to=True),
    "default-service-account": _pod("serviceAccountName", to=GONE),
    "service-account-absent": _pod("serviceAccountName", to="other"),
    "service-links": _pod("enableServiceLinks", to=GONE),
    "empty-dir-unlimited": _pod("volumes", 0, "emptyDir", to={}),
    "grace-without-reserve": _pod("terminationGracePeriodSeconds", to=10),
    "rolling-over-one-volume": _pod("volumes", 1, to=_VOLUME),
    "single-replica": _put("Deployment", "spec", "replicas", to=1),
    "strategy-unset": _put("Deployment", "spec", "strategy", to=GONE),
    "budget-missing": _drop("PodDisruptionBudget"),
    "anti-affinity-missing": _all(
        _pod("affinity", to=GONE), _pod("topologySpreadConstraints", to=GONE)
    ),
    "spread-missing": _pod("topologySpreadConstraints", to=GONE),
    "network-policy-missing": _drop("NetworkPolicy"),
    "priority-missing": _pod("priorityClassName", to=GONE),
    "namespace-default": _put("Service", "metadata", "namespace", to="default"),
    "labels-missing": _put("Deployment", "metadata", "labels", to=GONE),
    "instance-mismatch": _put(
        "Deployment", "metadata", "labels", "app.kubernetes.io/instance", to="other"
    ),
    "budget-blocks": _put("PodDisruptionBudget", "spec", "maxUnavailable", to=0),
    "budget-unhealthy": _put("PodDisruptionBudget", "spec", "unhealthyPodEvictionPolicy", to=GONE),
    "network-policy-open": _put("NetworkPolicy", "spec", "ingress", to=[{}]),
    "service-external": _put("Service", "spec", "externalIPs", to=["192.0.2.1"]),
    "service-on-node": _put("Service", "spec", "type", to="NodePort"),
    "ingress-without-tls": _put("Ingress", "spec", "tls", to=GONE),
    "secret-in-configmap": _put("ConfigMap", "data", "DB_PASSWORD", to="abcdefgh"),
    "account-token": _put("ServiceAccount", "automountServiceAccountToken", to=GONE),
    "role-of-everything": _put("Role", "rules", 0, "verbs", to=["*"]),
}


def objects() -> Objects:
    """The good ones, as data."""
    return list(yaml.safe_load_all(GOOD))


def bad(id_: str) -> str:
    """The objects, changed so that they break one rule."""
    changed = copy.deepcopy(objects())
    CASES[id_](changed)
    return yaml.safe_dump_all(changed, sort_keys=False)
