"""What is installed in an image, read from what its installers wrote down. Pure."""

from __future__ import annotations

import email.parser
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kubekit.detect.requirements import normalized
from kubekit.verify.tree import Tree

_METADATA = re.compile(r"[^/]+\.dist-info/METADATA$")
_STATUS = re.compile(r"^var/lib/dpkg/(status|status\.d/[^/]+)$")
_FIELD = re.compile(r"^(Package|Version|Architecture|Status): *(.*)$", re.MULTILINE)
_LONGEST_LICENSE = 64
_OSI = "License :: OSI Approved :: "


@dataclass(frozen=True, kw_only=True, order=True)
class PythonPackage:
    """A distribution installed for Python.

    Attributes:
        expression: its licence as an SPDX expression, if it says one.
        license: its licence in its own words otherwise.
    """

    name: str
    version: str
    expression: str = ""
    license: str = ""

    @property
    def normalized(self) -> str:
        """Its name as PyPI compares names."""
        return normalized(self.name)


def python_packages(tree: Tree) -> list[PythonPackage]:
    """The distributions in all of its site-packages, each once."""
    found = {
        _package(entry.content)
        for path, entry in tree.files.items()
        if entry.content is not None and _METADATA.search(path)
    }
    return sorted(one for one in found if one.name and one.version)


def debian_packages(tree: Tree) -> list[tuple[str, str, str]]:
    """The Debian packages that are installed: name, version and architecture."""
    found = {
        package
        for path, entry in tree.files.items()
        if entry.content is not None and _STATUS.search(path) and not path.endswith(".md5sums")
        for package in _paragraphs(entry.content.decode("utf-8", "replace"))
    }
    return sorted(found)


def release(tree: Tree) -> dict[str, str]:
    """What the system says it is: the fields of os-release."""
    for path in ("etc/os-release", "usr/lib/os-release"):
        entry = tree.files.get(path)
        if entry is not None and entry.content:
            text = entry.content.decode("utf-8", "replace")
            pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
            return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
    return {}


def _package(content: bytes) -> PythonPackage:
    parser = email.parser.BytesHeaderParser(policy=email.policy.compat32)
    fields = parser.parsebytes(content)
    said = str(fields["License"] or "").strip()
    classified = [
        str(one).removeprefix(_OSI)
        for one in fields.get_all("Classifier") or ()
        if str(one).startswith(_OSI)
    ]
    short = said if len(said) <= _LONGEST_LICENSE and "\n" not in said else ""
    if said.upper() == "UNKNOWN":
        short = ""
    return PythonPackage(
        name=str(fields["Name"] or "").strip(),
        version=str(fields["Version"] or "").strip(),
        expression=str(fields["License-Expression"] or "").strip(),
        license=", ".join(sorted(classified)) or short,
    )


def _paragraphs(text: str) -> Iterator[tuple[str, str, str]]:
    for paragraph in text.split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        # In status.d, as distroless images have it, there is no such field.
        installed = fields.get("Status", "install ok installed").endswith(" installed")
        if installed and fields.get("Package") and fields.get("Version"):
            yield fields["Package"], fields["Version"], fields.get("Architecture", "")
