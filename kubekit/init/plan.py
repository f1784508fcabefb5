"""What `init` writes for a backend: every file by its path, with its text. Pure."""

from __future__ import annotations

from kubekit.detect.backend import Backend
from kubekit.init.stamp import stamped
from kubekit.init.template import fill
from kubekit.init.values import Dialect, values

_MANIFESTS = (
    *("deployment", "service", "serviceaccount", "networkpolicy"),
    # Which of these there are depends on the backend.
    *("secret", "pvc", "pdb", "migrate"),
)


def rendered(
    backend: Backend, *, dialect: Dialect = "plain", told: str = "", target: str = "runtime"
) -> dict[str, str]:
    """Every file by its path relative to kubekit.yaml's folder.

    Args:
        backend: what is known of it.
        dialect: of the Dockerfile.
        told: the arguments that a later `init` repeats; they are kept in kubekit.yaml.
        target: the stage that is built; empty for the last one of a Dockerfile that is a person's.
    """
    known = {**values(backend, dialect=dialect), "target": target}
    within = "" if backend.folder == "." else f"{backend.folder}/"
    sources = {
        f"{within}Dockerfile": "Dockerfile",
        f"{within}.dockerignore": "dockerignore",
        "kubekit.yaml": "kubekit.yaml",
    }
    left_out = {
        "secret": not known["variables"],
        "pvc": known["mode"] == "stateless",
        "pdb": known["mode"] == "sqlite",
        "migrate": not known["migrate"] or known["mode"] == "sqlite",
    }
    if known["variables"]:
        sources[".env.example"] = "env.example"
    for name in _MANIFESTS:
        if not left_out.get(name):
            sources[f"manifests/{name}.yaml.j2"] = f"manifests/{name}.yaml.j2"
    return {
        path: stamped(path, fill(template, known), told=told if path == "kubekit.yaml" else "")
        for path, template in sources.items()
    }
