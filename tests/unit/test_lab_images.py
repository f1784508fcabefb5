"""Image archives are what an engine expects, without one to ask."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from lab import hostnet, nodeimage, pythonbase
from lab.imagetar import Image, identity, write_archive, write_layer


def test_a_layer_has_readable_folders_modes_and_links(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!")
    program.chmod(0o700)
    write_layer(
        tmp_path / "layer.tar",
        {"a/b/run": program, "a/b/same": "=a/b/run", "a/link": "b/run"},
    )
    with tarfile.open(tmp_path / "layer.tar") as tar:
        found = {entry.name: entry for entry in tar}
    assert list(found) == ["a", "a/b", "a/b/run", "a/b/same", "a/link"]
    assert [found[name].mode for name in ("a", "a/b", "a/b/run", "a/b/same")] == [0o755] * 4
    assert found["a/b/same"].islnk()
    assert found["a/link"].issym()
    assert {entry.uid for entry in found.values()} == {0}


def test_an_archive_names_its_layers_by_content_and_holds_each_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    layer = tmp_path / "layer.tar"
    write_layer(layer, {"file": tmp_path / "file"})
    stream = io.BytesIO()
    images = [Image(("one:1", "one:2"), (layer,)), Image(("two:1",), (layer, layer), {"Cmd": "x"})]
    write_archive(stream, images)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        names = tar.getnames()
        manifest = json.load(tar.extractfile("manifest.json") or io.BytesIO())
        config = json.load(tar.extractfile(manifest[1]["Config"]) or io.BytesIO())
    digest = hashlib.sha256(layer.read_bytes()).hexdigest()
    assert names.count(f"{digest}.tar") == 1
    assert manifest[0]["RepoTags"] == ["one:1", "one:2"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{digest}"] * 2
    assert config["config"] == {"Cmd": "x"}
    assert [one["Config"] for one in manifest] == [f"{identity(image)}.json" for image in images]


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 10.0.0.2\nsearch x\n", "nameserver 10.0.0.2\n"),
        ("nameserver 127.0.0.53\n", ""),
        ("# nameserver 1.1.1.1\n", ""),
    ],
)
def test_name_servers_that_only_the_host_can_reach_are_left_out(
    text: str, servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: path.name == "resolv.conf")
    first = iter([text])
    monkeypatch.setattr(Path, "read_text", lambda _: next(first, ""))
    assert nodeimage.resolver() == servers


def test_only_dockers_rules_are_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    before = """*filter
:INPUT ACCEPT [1:2]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:MINE - [0:0]
-A FORWARD -o br-0123456789ab -j ACCEPT
-A FORWARD -i docker0 -j ACCEPT
-A FORWARD -i bridge0 -j MINE
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 192.168.49.2/32 -d 192.168.49.2/32 -p tcp --dport 22 -j MASQUERADE
-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE
COMMIT
"""
    assert (
        hostnet.without_docker(before, {"filter FORWARD": "ACCEPT", "filter INPUT": "DROP"})
        == """*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:MINE - [0:0]
-A FORWARD -i bridge0 -j MINE
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE
COMMIT
"""
    )


def test_the_two_of_one_python_do_not_take_each_others_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pythonbase, "_PYENV", tmp_path)
    assert pythonbase.on_bookworm() is None
    (tmp_path / "3.12.1").mkdir()
    bookworm, trixie = pythonbase.on_bookworm(), pythonbase.parts()["python:3.12-slim"]
    assert bookworm is not None
    # A store takes what was made of an older recipe away by its name.
    assert bookworm.name != trixie.name
