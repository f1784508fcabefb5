"""Small images as a daemon hands them out, made in the test that reads them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kubekit.verify import archive
from kubekit.verify.model import Image, Known, Seen, Subject
from kubekit.verify.needles import Needles
from kubekit.verify.tree import Tree

File = str | bytes | tuple[str, str] | None
"""The content of a file; a kind (`link`, `hard`, `setuid`) and what it has; None for a folder."""

NO_NEEDLES = Needles({}, public="")


def layer(files: Mapping[str, File]) -> bytes:
    """One layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, what in files.items():
            member = tarfile.TarInfo(path)
            content = b""
            member.mode = 0o644
            match what:
                case None:
                    member.type, member.mode = tarfile.DIRTYPE, 0o755
                case ("link", to):
                    member.type, member.linkname = tarfile.SYMTYPE, to
                case ("hard", to):
                    member.type, member.linkname = tarfile.LNKTYPE, to
                case ("setuid", text):
                    member.mode, content = stat.S_ISUID | 0o755, text.encode()
                case bytes():
                    content = what
                case str():
                    content = what.encode()
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def saved(layers: Sequence[bytes], *, alias: Mapping[int, int] | None = None) -> bytes:
    """As `docker save` of a Docker before 25: a folder a layer, the manifest last.

    `alias` makes the layer of that number a link to another one.
    """
    names = [f"{number:064x}" for number in range(len(layers))]
    parts: dict[str, File] = {}
    for number, (name, data) in enumerate(zip(names, layers, strict=True)):
        other = (alias or {}).get(number)
        parts[f"{name}/json"] = json.dumps({"id": name})
        parts[f"{name}/layer.tar"] = (
            data if other is None else ("link", f"../{names[other]}/layer.tar")
        )
    manifest = [{"Config": "config.json", "Layers": [f"{name}/layer.tar" for name in names]}]
    return layer({**parts, "config.json": "{}", "manifest.json": json.dumps(manifest)})


def oci(layers: Sequence[bytes], *, packed: bool = False) -> bytes:
    """As the OCI has it, and a Docker with containerd's store writes it."""
    datas = [gzip.compress(data) if packed else data for data in layers]
    blobs = {hashlib.sha256(data).hexdigest(): data for data in datas}
    described = [{"digest": f"sha256:{hashlib.sha256(data).hexdigest()}"} for data in datas]
    manifest = json.dumps({"layers": described}).encode()
    name = hashlib.sha256(manifest).hexdigest()
    blobs[name] = manifest
    index = json.dumps({"manifests": [{"digest": f"sha256:{name}"}]})
    return layer(
        {f"blobs/sha256/{key}": data for key, data in blobs.items()} | {"index.json": index}
    )


def chunks(data: bytes, size: int = 4096) -> Iterator[bytes]:
    """Data as it comes over a connection."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def tree(*layers: Mapping[str, File], needles: Needles = NO_NEEDLES) -> Tree:
    """The files of an image with these layers."""
    return archive.read(chunks(saved([layer(files) for files in layers])), needles)


def image(*layers: Mapping[str, File], needles: Needles = NO_NEEDLES, **more: Any) -> Image:
    """An image with these layers."""
    about: dict[str, Any] = {
        "reference": "tasks:1",
        "id": "sha256:" + "1" * 64,
        "config": {},
        "history": (),
        "architecture": "amd64",
        "size": 100_000_000,
        "size_from": "in all layers",
    }
    return Image(tree=tree(*layers, needles=needles), **{**about, **more})


def subject(
    *layers: Mapping[str, File],
    known: Known | None = None,
    seen: Seen | None = None,
    **more: Any,
) -> Subject:
    """An image with these layers, and what is known of it."""
    known = known or Known()
    needles = Needles(known.env, public="")
    made = image(*layers, needles=needles, **more)
    return Subject(image=made, known=known, seen=seen or Seen(why="not asked for"))
