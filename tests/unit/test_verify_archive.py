"""Images read as they come: both forms of the archive, and what a container sees of the layers."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.errors import FilesError
from kubekit.verify import archive
from kubekit.verify.needles import PRIVATE_KEY, Needles
from tests.unit.images import NO_NEEDLES, chunks, layer, oci, saved, tree

KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
LOWER = {"app": None, "app/a.py": "a", "app/old.py": "old", "etc/os-release": "ID=debian\n"}
UPPER = {"app/.wh.old.py": "", "app/b.py": "bb"}


@pytest.mark.parametrize("form", ["saved", "oci", "packed"])
def test_layers_lie_over_each_other_in_every_form(form: str) -> None:
    layers = [layer(LOWER), layer(UPPER)]
    data = saved(layers) if form == "saved" else oci(layers, packed=form == "packed")
    found = archive.read(chunks(data), NO_NEEDLES)
    assert set(found.files) == {"app", "app/a.py", "app/b.py", "etc/os-release"}
    assert found.files["etc/os-release"].content == b"ID=debian\n"
    assert [one.size for one in found.layers] == [14, 2]


def test_a_layer_that_another_is_the_same_as_is_a_link() -> None:
    data = saved([layer({"a": "1"}), layer({"b": "2"}), b""], alias={2: 0})
    found = archive.read(chunks(data), NO_NEEDLES)
    assert set(found.files) == {"a", "b"}
    assert len(found.layers) == 3


def test_what_a_later_layer_deletes_is_still_in_its_own() -> None:
    found = tree(LOWER, UPPER)
    unseen = [entry.path for entry, seen in found.everywhere() if not seen]
    assert unseen == ["app/old.py"]


def test_an_opaque_folder_hides_all_that_lies_below_it() -> None:
    found = tree(
        {"app/a": "1", "app/deep/b": "2", "appendix": "3"}, {"app/.wh..wh..opq": "", "app/c": ""}
    )
    assert set(found.files) == {"app/c", "appendix"}


def test_a_file_in_the_place_of_a_folder_hides_what_was_in_it() -> None:
    found = tree({"app": None, "app/a": "1"}, {"app": "a file now"})
    assert set(found.files) == {"app"}


def test_a_hard_link_has_what_the_other_name_has() -> None:
    found = tree({"var/lib/dpkg/status": "Package: x\n", "copy": ("hard", "var/lib/dpkg/status")})
    assert found.files["copy"].content == b"Package: x\n"
    assert found.layers[0].size == 11, "counted once"


@pytest.mark.parametrize("length", [0, 100, 700, 5000])
def test_an_archive_that_is_cut_off_is_told(length: int) -> None:
    data = saved([layer({"a": "1" * 9000})])
    with pytest.raises(FilesError) as caught:
        archive.read(chunks(data[:length]), NO_NEEDLES)
    assert caught.value.id == "image-unreadable"
    assert caught.value.hints


@given(st.binary(max_size=4000))
def test_whatever_comes_ends_in_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(FilesError):
        archive.read(chunks(data), NO_NEEDLES)


def zst(data: bytes) -> bytes:
    """The data as zstd packs it where that saves nothing: one frame, of raw blocks."""
    blocks = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    heads = [(len(one) << 3 | (one is blocks[-1])).to_bytes(3, "little") for one in blocks]
    body = b"".join(head + one for head, one in zip(heads, blocks, strict=True))
    return b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little") + body


def test_a_layer_packed_by_zstd_is_read_or_said_to_be_that() -> None:
    data = saved([zst(layer(LOWER))])
    if "zst" in tarfile.TarFile.OPEN_METH:
        assert "app/a.py" in archive.read(chunks(data), NO_NEEDLES).files
        return
    with pytest.raises(FilesError, match="packed by zstd") as caught:
        archive.read(chunks(data), NO_NEEDLES)
    assert "Python 3.14" in caught.value.hints[0]


def test_a_lacking_layer_is_told() -> None:
    data = saved([layer({"a": "1"}), b""], alias={1: 1})
    with pytest.raises(FilesError, match="lacks the layer"):
        archive.read(chunks(data), NO_NEEDLES)


def test_a_value_is_found_also_in_a_layer_that_is_covered() -> None:
    needles = Needles({"API_TOKEN": "s3cr3t-value"}, public="")
    found = tree({"app/conf": "x = 's3cr3t-value'"}, {"app/.wh.conf": ""}, needles=needles)
    assert found.layers[0].secrets == {"API_TOKEN": ("app/conf",)}
    assert "app/conf" not in found.files


def test_a_private_key_counts_only_where_no_package_brought_it() -> None:
    files = {"app/tls.pem": KEY, "opt/venv/lib/python3.13/site-packages/x/test.pem": KEY}
    assert tree(files).layers[0].secrets == {PRIVATE_KEY: ("app/tls.pem",)}


@given(
    before=st.binary(max_size=300),
    after=st.binary(max_size=300),
    sizes=st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=20),
)
def test_a_value_is_found_wherever_the_blocks_end(
    before: bytes, after: bytes, sizes: list[int]
) -> None:
    needles = Needles({"PASSWORD": "correct horse"}, public="")
    search, data = needles.search("app/x"), before + b"correct horse" + after
    at, turn = 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        search.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert search.found == {"PASSWORD"}


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("HOST", "0.0.0.0", False),
        ("LOG_LEVEL", "info", False),
        ("API_TOKEN", "abc", False),
        ("API_TOKEN", "tasks", False),
        ("KEY_VAULT_URL", "https://vault.example.com/", False),
        ("AZURE_OPENAI_ENDPOINT", "https://ai.example.com/", False),
        ("TLS_KEY", "/run/secrets/key", False),
        ("AUTH_ENABLED", "true", False),
        ("AUTH_BACKEND", "ldap", False),
        ("TOKEN_ALGORITHM", "HS256", False),
        ("API_KEY_HEADER", "X-Api-Key", False),
        ("DB_PASSWORD_OLD", "hunter22", True),
        ("DATABASE_URL", "postgresql://postgres:postgres@db/app", True),
        ("API_TOKEN", "abcdef-1", True),
        ("API_TOKEN", "/Zx81hdkKq02mLLpQwe9s=", True),
        ("DATABASE_URL", "postgresql://app:hunter22@db/app", True),
        ("SALT", "Zx81hdkKq02mLLpQwe9s", True),
    ],
)
def test_which_variables_hold_a_secret(name: str, value: str, secret: bool) -> None:
    assert (Needles({name: value}, public="tasks:1").values != {}) is secret


def test_a_password_is_found_without_its_url() -> None:
    needles = Needles({"DATABASE_URL": "postgresql://app:hunter22@db/app"}, public="")
    assert needles.inside(["PGPASSWORD=hunter22"]) == {"DATABASE_URL"}
    plain = Needles({"DATABASE_URL": "postgresql://postgres:postgres@db/app"}, public="")
    assert plain.inside(["import postgres"]) == set()
    assert plain.inside(["postgresql://postgres:postgres@db/app"]) == {"DATABASE_URL"}


def test_a_plain_word_or_a_port_is_no_secret() -> None:
    needles = Needles({"LOG_LEVEL": "info", "PORT": "8000", "NAME": "tasks"}, public="tasks:1")
    assert needles.inside(["info 8000 tasks"]) == set()


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("app/main.py", True),
        ("usr/src/app/main.py", True),
        ("srv/x/main.py", True),
        ("usr/lib/python3/x.py", False),
        ("opt/venv/bin/uvicorn", False),
        ("opt/other/bin/tool", True),
        ("app/.venv/lib/python3.12/site-packages/a.py", False),
    ],
)
def test_what_is_the_apps_own(path: str, own: bool) -> None:
    assert tree({"opt/venv/pyvenv.cfg": "", path: ""}).is_app(path) is own
