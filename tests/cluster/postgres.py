"""A PostgreSQL to deploy: its image, and how it starts on a volume that is new or has its data."""

from __future__ import annotations

from tests.cluster.conftest import Project

NAME = "kubekit-test-db"
"""Of each such project, so that the image is built once for a daemon."""

USER_ID = 10070
DOCKERFILE = f"""\
FROM python:3.13-slim
RUN apt-get update \\
    && apt-get install -y --no-install-recommends postgresql \\
    && rm -rf /var/lib/apt/lists/* \\
    && useradd --uid {USER_ID} --no-create-home --home-dir /data db \\
    && install --directory --owner={USER_ID} /data /var/run/postgresql
COPY run.sh /run.sh
USER {USER_ID}:{USER_ID}
CMD ["sh", "/run.sh"]
"""
START = """\
set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
if [ ! -e /data/db/made ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    "$bin/initdb" --pgdata=/data/db --username=tasks --pwfile=/tmp/password --auth=scram-sha-256 \\
        --no-sync >/dev/null
    echo "host all all all scram-sha-256" >> /data/db/pg_hba.conf
    echo "CREATE DATABASE tasks" | "$bin/postgres" --single -D /data/db postgres >/dev/null
    touch /data/db/made
fi
exec "$bin/postgres" -D /data/db -c listen_addresses='*' -c fsync=off -k /tmp
"""


def write(project: Project, *, namespace: str, manifest: str, password: str) -> None:
    """The files of a project that is one PostgreSQL."""
    project.write("kubekit.yaml", f"name: {NAME}\nnamespace: {namespace}\nbuild: {{context: db}}\n")
    project.write("db/Dockerfile", DOCKERFILE)
    project.write("db/run.sh", START)
    project.write("manifests/db.yaml.j2", manifest)
    project.write(".env", f"POSTGRES_PASSWORD={password}\n")
