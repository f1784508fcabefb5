"""What the five backends need beside the lab's cluster: further base images."""

from __future__ import annotations

import pytest

from kubekit.model import DockerEndpoint
from lab import furtherbases


@pytest.fixture(scope="session")
def bases(endpoint: DockerEndpoint) -> frozenset[str]:
    """The base images that were brought to the lab's Docker."""
    assert endpoint.cert_path is not None
    return furtherbases.load(
        {
            "DOCKER_HOST": endpoint.host,
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(endpoint.cert_path),
        }
    )
