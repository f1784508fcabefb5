"""What `kubekit init` writes, judged by others: Kubernetes' own schemas, hadolint and Checkov."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kubekit.init.plan import rendered
from tests.oracles import tools
from tests.unit.backends import SHAPES
from tests.unit.test_init_rendered import DIALECTS, applied

VERSIONS = tuple(f"1.{minor}" for minor in range(28, 37))
EXCEPTIONS = {
    "CKV_K8S_15": "`Always` cannot pull an image that is in Minikube's own daemon alone",
    "CKV_K8S_35": "variables of the Secret: what the backends in question read",
    "CKV_K8S_43": "a tag that names the content of the image; a digest is known after a push",
}
"""What Checkov finds and is meant so, and why."""
OF_EACH_STAGE = {"DL3057"}
"""hadolint wants a HEALTHCHECK in every stage; the builder runs nothing that could be asked."""


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every object of every shape of backend, with one replica and with several."""
    folder = tmp_path_factory.mktemp("objects")
    texts: set[str] = set()
    for number, (shape, backend) in enumerate(SHAPES.items()):
        for replicas in (1, 3):
            for env in (None, "DATABASE_URL=postgresql://x@y/z\n"):
                at = folder / f"{number}-{replicas}-{env is None}"
                found = applied(backend, at, env=env, replicas=replicas)
                assert found, shape
                text = yaml.safe_dump_all(found.values())
                if text not in texts:  # many are the same, and each takes Checkov a second
                    (at / "all.yaml").write_text(text)
                texts.add(text)
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_schemas_of_kubernetes(objects: Path, version: str, tmp_path: Path) -> None:
    together = tmp_path / "all.yaml"
    texts = [file.read_text() for file in sorted(objects.rglob("all.yaml"))]
    together.write_text("---\n".join(texts))
    assert tools.validate(together, version) == ""


def test_the_schemas_find_what_is_wrong(objects: Path, tmp_path: Path) -> None:
    text = next(objects.rglob("all.yaml")).read_text()
    (tmp_path / "bad.yaml").write_text(text.replace("maxSurge", "maxSurges"))
    assert "maxSurges" in tools.validate(tmp_path / "bad.yaml", VERSIONS[0])


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    files = []
    for number, backend in enumerate(SHAPES.values()):
        for dialect in DIALECTS:
            within = "" if backend.folder == "." else f"{backend.folder}/"
            file = tmp_path / f"{number}-{dialect}.Dockerfile"
            file.write_text(rendered(backend, dialect=dialect)[f"{within}Dockerfile"])
            files.append(file)
    found = tools.hadolint(files)
    assert {file.name: ids for file, ids in found.items() if ids - OF_EACH_STAGE} == {}


def test_checkov_finds_only_what_is_meant_so(objects: Path) -> None:
    found = tools.checkov(objects)
    unmeant = {f"{file.parent.name}/{file.name}": ids - EXCEPTIONS.keys() for file, ids in found.items()}  # fmt: skip  # noqa: E501
    assert {name: ids for name, ids in unmeant.items() if ids} == {}
    assert set().union(*found.values()) >= EXCEPTIONS.keys(), "an exception nobody needs"
