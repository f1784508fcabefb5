"""What a build says of itself is free of the secrets it was given, however it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubekit.errors import BuildError, CancelledError, FilesError, KubekitError, UnreachableError
from kubekit.image import build
from kubekit.image.docker.engine import Engine
from kubekit.image.docker.store import DockerStore
from kubekit.image.files import context
from kubekit.image.store import Order
from kubekit.model import BuildSettings, Cancel, DockerEndpoint

TOKEN = "s3cr3t-t0ken"


class Ending(DockerStore):
    """A Docker of which only the way a build ends matters."""

    def __init__(self, error: KubekitError) -> None:
        super().__init__(Engine(DockerEndpoint(host="unix:///nowhere")))
        self.error = error

    def build(self, *_: object, **__: object) -> None:
        raise self.error


@pytest.mark.parametrize("kind", [BuildError, UnreachableError, FilesError, CancelledError])
def test_no_end_of_a_build_tells_the_value_of_a_secret_argument(
    tmp_path: Path, kind: type[KubekitError]
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    plan = context.plan(
        BuildSettings(
            context=tmp_path, dockerfile=tmp_path / "Dockerfile", args={"API_TOKEN": TOKEN}
        ),
        name="tasks",
    )
    said = f"the daemon answers: bad argument {TOKEN}"
    store = Ending(kind(said, hints=(f"not {TOKEN}",), details=(TOKEN,)))
    with pytest.raises(kind) as caught:
        build._build(
            Order(plan=plan, reference="tasks:1", labels={}),
            store,
            emit=lambda _: None,
            cancel=Cancel(),
        )
    error = caught.value
    assert TOKEN not in " ".join([str(error), error.message, *error.hints, *error.details])
    assert error.message == "the daemon answers: bad argument ***"
