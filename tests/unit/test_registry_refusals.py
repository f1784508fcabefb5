"""One refusal of a registry, and what it means for a pull and for a push."""

from __future__ import annotations

import pytest

from kubekit.image.registries.errors import pull_failed, push_failed, reason


@pytest.mark.parametrize(
    ("said", "pull", "push"),
    [
        (
            "name unknown: repository tasks is not known",
            "image-not-found",
            "registry-no-repository",
        ),
        ("error parsing HTTP 403 response body", "image-denied", "registry-denied"),
        ("no basic auth credentials", "image-denied", "registry-login"),
        (
            "pull access denied for a, repository does not exist or may require 'docker login'",
            "image-denied",
            "registry-denied",
        ),
        ("server gave HTTP response to HTTPS client", *["registry-without-tls"] * 2),
        ("x509: certificate has expired", *["registry-certificate"] * 2),
        ("Head https://r/v2/: EOF", *["registry-busy"] * 2),
        ("429 Too Many Requests", *["registry-limit"] * 2),
        ("invalid reference format", *["image-name-invalid"] * 2),
        ("something new", *["registry-unreachable"] * 2),
        ("", *["registry-unreachable"] * 2),
    ],
)
def test_the_same_words_are_known_in_both_directions(said: str, pull: str, push: str) -> None:
    pulled = pull_failed("r.io:5/a:1", said)
    pushed = push_failed("r.io:5/a:1", said, login=True)
    assert (pulled.id, pushed.id) == (pull, push)
    assert (pulled.id, pulled.message.rpartition(": ")[2]) == reason(said)
    for error in (pulled, pushed):
        assert error.hints
        assert "{" not in error.message + "".join(error.hints)
