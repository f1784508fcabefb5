"""What verify hands out: the table, the bill of materials, and what it reads of a project."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubekit.detect.backend import Backend, Health, Variable
from kubekit.errors import UsageError
from kubekit.image.docker.containers import output
from kubekit.verify.model import Checked, Report
from kubekit.verify.owner import owned
from kubekit.verify.project import known_of
from kubekit.verify.sbom import sbom
from kubekit.verify.table import WIDTH, data, table
from kubekit.verify.units import bytes_said, parse_size
from tests.unit.images import image

FASTAPI = """\
Metadata-Version: 2.4
Name: FastAPI
Version: 0.163.2
License-Expression: MIT
"""
PSYCOPG = """\
Metadata-Version: 2.1
Name: psycopg_binary
Version: 3.3.9+local
License: GNU Lesser General Public License v3 (LGPLv3)
Classifier: License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)
"""
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12+deb13u1

Package: attr
Status: install ok installed
Architecture: amd64
Version: 1:2.5.2-3

Package: gone
Status: deinstall ok config-files
Version: 1
"""
SITE = "opt/venv/lib/python3.13/site-packages"
FILES = {
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\n',
    "var/lib/dpkg/status": STATUS,
    f"{SITE}/fastapi-0.163.2.dist-info/METADATA": FASTAPI,
    f"{SITE}/psycopg_binary-3.3.9.dist-info/METADATA": PSYCOPG,
}


def test_the_bill_of_materials_names_what_is_installed() -> None:
    bill = sbom(image(FILES))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    components = {one.get("purl", one["name"]): one for one in bill["components"]}
    assert sorted(components) == [
        "debian",
        "pkg:deb/debian/attr@1:2.5.2-3?arch=amd64&distro=debian-13",
        "pkg:deb/debian/libc6@2.41-12%2Bdeb13u1?arch=amd64&distro=debian-13",
        "pkg:pypi/fastapi@0.163.2",
        "pkg:pypi/psycopg-binary@3.3.9%2Blocal",
    ]
    assert components["pkg:pypi/fastapi@0.163.2"]["licenses"] == [{"expression": "MIT"}]
    told = components["pkg:pypi/psycopg-binary@3.3.9%2Blocal"]["licenses"]
    assert told == [{"license": {"name": "GNU Lesser General Public License v3 (LGPLv3)"}}]
    references = {one["bom-ref"] for one in bill["components"]}
    assert len(references) == len(bill["components"])
    assert set(bill["dependencies"][0]["dependsOn"]) == references


def test_the_bill_of_materials_is_the_same_each_time() -> None:
    turned = dict(reversed(FILES.items()))
    assert json.dumps(sbom(image(FILES))) == json.dumps(sbom(image(turned)))
    other = image(FILES, id="sha256:" + "2" * 64)
    assert sbom(other)["serialNumber"] != sbom(image(FILES))["serialNumber"]


def test_a_distroless_image_lists_its_packages_one_a_file() -> None:
    one = "Package: base-files\nVersion: 13\nArchitecture: amd64\n"
    files = {"var/lib/dpkg/status.d/base": one, "var/lib/dpkg/status.d/base.md5sums": "x"}
    purls = [one["purl"] for one in sbom(image(files))["components"]]
    assert purls == ["pkg:deb/debian/base-files@13?arch=amd64"]


def report(*checks: Checked) -> Report:
    return Report(
        image="tasks:1",
        id="sha256:1",
        size=150_700_000,
        checks=checks,
        start_seconds=1.25,
        memory=60_000_000,
        sbom={},
    )


WORDS = st.lists(st.text("abc `/.-", min_size=1, max_size=30), max_size=30).map(" ".join)


@given(
    texts=st.lists(
        st.tuples(st.sampled_from(["passed", "failed", "skipped", "told"]), WORDS), max_size=8
    )
)
def test_a_table_fits_into_80_columns(texts: list[tuple[str, str]]) -> None:
    checks = [
        Checked(id=f"id-{at}", title="t", status=status, text=text, fix=text, details=(text,))  # type: ignore[arg-type]
        for at, (status, text) in enumerate(texts)
    ]
    for line in table(report(*checks)).splitlines():
        assert len(line) <= WIDTH or len(line.split()[-1]) > 30


def test_a_table_has_the_evidence_and_the_fix_of_what_failed_alone() -> None:
    bad = Checked(
        id="no-git",
        title="no .git",
        status="failed",
        text="1 file",
        fix="exclude it",
        details=("/app/.git/HEAD",),
    )
    away = [
        Checked(id=f"run-{at}", title="t", status="skipped", text="it does not start")
        for at in range(3)
    ]
    lines = table(report(bad, *away)).splitlines()
    assert lines == [
        "FAIL no-git               1 file",
        "       | /app/.git/HEAD",
        "       fix: exclude it",
        "-    it does not start: run-0, run-1, run-2",
        "",
        "0 passed, 1 failed, 3 skipped, 150.7 MB, answers after 1.2 s, 60.0 MB of memory",
    ]
    assert data(report(bad))["checks"][0]["details"] == ("/app/.git/HEAD",)


@pytest.mark.parametrize(
    ("text", "size"),
    [("200MB", 200_000_000), ("1.5 GB", 1_500_000_000), ("180MiB", 188_743_680), ("7", 7)],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(st.text(max_size=12))
def test_what_is_no_size_is_told(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_size(text) >= 0


def test_a_size_is_said_in_decimal() -> None:
    assert [bytes_said(200_000_000), bytes_said(1500)] == ["200.0 MB", "1.5 kB"]


def test_what_the_files_and_the_look_at_them_say(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("PORT=9100\nAPI_TOKEN=correct-horse\n")
    env.chmod(0o600)
    (tmp_path / ".env.example").write_text("HOST=0.0.0.0\n")
    # What is for development is told by the look alone.
    (tmp_path / "requirements-dev.txt").write_text("ruff\n")
    backend = Backend(
        name="x",
        packaging="uv-sync",
        framework="fastapi",
        app="x:app",
        health=Health(plain="/health", live="/alive"),
        env=(Variable(name="WORKERS", secret=False),),
        development=("Black",),
    )
    known = known_of(env_file=env, folders=(tmp_path,), backend=backend)
    assert known.claims == {"PORT", "API_TOKEN", "HOST", "WORKERS"}
    assert (known.env["PORT"], known.development) == ("9100", {"black"})
    assert known.paths == {"plain": "/health", "live": "/alive"}
    assert known.framework == "fastapi"
    assert "correct-horse" not in repr(known)


def test_nobody_else_uses_the_label_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with owned("a") as first:
        with pytest.raises(UsageError) as caught, owned("a"):
            pass
        assert caught.value.id == "verify-busy"
        with owned("b") as other:
            assert other != first
    with owned("a") as again:
        assert again == first, "what an earlier run has left is found"


def test_what_a_container_prints_is_told_apart() -> None:
    raw = b"\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\1!\1\0\0\0\0\0\0\1d"
    assert output(raw) == (b"abcd", b"!")
    assert output(b"") == (b"", b"")


def test_what_an_app_logged_does_not_steer_the_terminal() -> None:
    log = ("\x1b[31mERROR\x1b[0m cannot\tstart \x1b]0;title\x07",)
    one = Checked(id="log-clean", title="", status="failed", text="1 line", details=log)
    text = table(report(one))
    assert "ERROR cannot" in text
    assert not set("\x1b\x07") & set(text)
