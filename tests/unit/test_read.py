"""Files and folders that cannot be read: told with the path and what to do."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubekit.errors import FilesError, Place, UsageError
from kubekit.text.read import list_folder, read_text

REFUSED = PermissionError(errno.EACCES, "Permission denied")
BROKEN = OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("action", "method", "bits"),
    [(read_text, "read_bytes", "r"), (list_folder, "iterdir", "rx")],
)
def test_each_failure_names_path_and_fix(
    monkeypatch: pytest.MonkeyPatch, action: Callable[[Path], object], method: str, bits: str
) -> None:
    def failing(error: OSError) -> FilesError:
        def fail(_path: Path) -> Any:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(Path, method, fail)
            with pytest.raises(FilesError) as caught:
                action(Path("manifests"))
        assert caught.value.place == Place(file=Path("manifests"))
        return caught.value

    refused = failing(REFUSED)
    assert refused.message == "no permission to read `manifests`"
    assert refused.hints[0].startswith(f"run `chmod u+{bits} manifests`")
    assert failing(BROKEN).message == "cannot read `manifests`: Input/output error"


def test_a_folder_is_listed_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).touch()
    assert list_folder(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(UsageError, match="does not exist"):
        list_folder(tmp_path / "c", error=UsageError)
