"""The rows of a PostgreSQL outlive teardown and are there for the next session, until `--data`."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import postgres
from tests.cluster.conftest import Project

pytestmark = pytest.mark.cluster

MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: pg, port: 5432, targetPort: pg}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 1
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Retain}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 10070, fsGroup: 10070}
      containers:
        - name: postgres
          image: "{{ image }}"
          ports: [{name: pg, containerPort: 5432}]
          envFrom: [{secretRef: {name: "{{ secret }}"}}]
          readinessProbe: {tcpSocket: {port: pg}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 100Mi}}}
"""


@pytest.fixture
def database(cluster: dict[str, str], tmp_path: Path) -> Iterator[Project]:
    project = Project(folder=tmp_path, name=f"t-{uuid.uuid4().hex[:8]}", env=dict(cluster))
    postgres.write(
        project, namespace=project.name, manifest=MANIFEST, password=secrets.token_hex(12)
    )
    yield project
    project.kubectl("delete", "namespace", project.name, "--wait=false", check=False)


def asked(project: Project, statement: str) -> str:
    """What the database answers inside its pod."""
    command = f'PGPASSWORD="$POSTGRES_PASSWORD" psql -h /tmp -U tasks -qtA -c "{statement}" tasks'
    return project.kubectl("exec", "db-0", "--", "sh", "-c", command).strip()


def test_the_rows_are_there_in_the_next_session(database: Project) -> None:
    database.apply()
    asked(database, "CREATE TABLE kept (id int); INSERT INTO kept SELECT generate_series(1, 1000)")

    done = database.run("teardown", "-o", "json")
    assert done.code == 0, done.out
    assert "PersistentVolumeClaim/data-db-0" in done.of("ended")[0]["hints"][0]
    left = database.objects("statefulsets,pods,services,secrets,persistentvolumeclaims")
    assert [one["kind"] for one in left] == ["PersistentVolumeClaim"]
    database.apply()
    assert asked(database, "SELECT count(*), sum(id) FROM kept") == "1000|500500"

    assert database.run("teardown", "--data", "--yes").code == 0
    assert database.kubectl("get", "namespace", database.name, check=False) == ""
    database.apply()
    assert asked(database, "SELECT to_regclass('kept')") == "", "it was said to be deleted"
    assert database.run("teardown", "--data", "--yes").code == 0
