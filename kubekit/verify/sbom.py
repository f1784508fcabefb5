"""What an image consists of, as a CycloneDX 1.6 bill of materials. Pure.

It names what is installed for Python and by Debian. The same image gives the same text: it has no
time, and its serial number follows from the image's ID.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from kubekit import __version__
from kubekit.verify.model import Image
from kubekit.verify.packages import (
    PythonPackage,
    debian_packages,
    python_packages,
    release,
)


def sbom(image: Image) -> dict[str, Any]:
    """The bill of materials of an image."""
    components = sorted(_components(image), key=lambda one: str(one["bom-ref"]))
    subject = {
        "type": "container",
        "bom-ref": image.id,
        "name": image.reference.partition("@")[0],
        "version": image.id,
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, image.id)}",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [{"type": "application", "name": "kubekit", "version": __version__}]
            },
            "component": subject,
        },
        "components": components,
        "dependencies": [
            {"ref": image.id, "dependsOn": [str(one["bom-ref"]) for one in components]}
        ],
    }


def _components(image: Image) -> Iterator[dict[str, Any]]:
    system = release(image.tree)
    if system.get("ID"):
        yield {
            "type": "operating-system",
            "bom-ref": f"os:{system['ID']}@{system.get('VERSION_ID', '')}",
            "name": system["ID"],
            "version": system.get("VERSION_ID", ""),
        }
    for package in python_packages(image.tree):
        purl = f"pkg:pypi/{quote(package.normalized)}@{_version(package.version)}"
        yield {**_library(package.name, package.version, purl), **_licenses(package)}
    namespace = quote(system.get("ID", "debian"))
    distro = f"{system.get('ID', '')}-{system.get('VERSION_ID', '')}".strip("-")
    for name, version, architecture in debian_packages(image.tree):
        also = {"arch": architecture, "distro": distro}
        qualifiers = "&".join(f"{key}={_version(value)}" for key, value in also.items() if value)
        purl = f"pkg:deb/{namespace}/{quote(name.lower(), safe='')}@{_version(version)}"
        yield _library(name, version, f"{purl}?{qualifiers}" if qualifiers else purl)


def _library(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _licenses(package: PythonPackage) -> dict[str, Any]:
    if package.expression:
        return {"licenses": [{"expression": package.expression}]}
    if package.license:
        return {"licenses": [{"license": {"name": package.license}}]}
    return {}


def _version(text: str) -> str:
    # As the purl specification has it: a colon stays as it is.
    return quote(text, safe=":.-_~")
