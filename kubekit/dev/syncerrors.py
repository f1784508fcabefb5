"""What can go wrong when files are brought into a container."""

from __future__ import annotations

from kubekit.api.kube import TransientError
from kubekit.errors import FilesError, WorkloadError
from kubekit.model import Object


class SyncError(WorkloadError):
    """Files cannot be brought into a container."""

    default_id = "sync"


class NoPythonError(SyncError):
    """The container has no Python to do it with: only a rebuild changes its files."""

    default_id = "sync-no-python"


class NotWritableError(SyncError):
    """The container's user may not write where the files belong."""

    default_id = "sync-not-writable"


class FullError(SyncError):
    """There is no space for them."""

    default_id = "sync-no-space"


class ForeignError(SyncError):
    """A folder must make room for a file, and holds what did not come from the working tree."""

    default_id = "sync-foreign"


class OvertakenError(Exception):
    """Something newer is to come, so the app was not waited for."""


class ChangedError(FilesError):
    """A file changed while it was sent: the tree is to be read again."""

    default_id = "sync-changed"


class SilentError(TransientError):
    """The agent does not answer, though its connection stands."""

    default_id = "sync-silent"


class DriftError(SyncError):
    """Somebody else changed the container's files: they are not as they were left."""

    default_id = "sync-drift"


_DRIFT = frozenset({"EISDIR", "ENOTDIR", "EEXIST", "ENOENT"})
_REBUILD = "rebuild the image instead: `r` in `kubekit dev`"


def refusal(answer: Object, where: str) -> SyncError | ChangedError:
    """The error that an agent's answer ``failed`` or ``changed`` stands for."""
    path = answer["path"]
    if answer["re"] == "changed":
        return ChangedError(f"the file of `{path}` changed while it was sent")
    code, text = answer["errno"], str(answer["text"]).lower()
    if code in ("ENOSPC", "EDQUOT"):
        return FullError(
            f"`{path}` cannot be written in {where}: {text}",
            hints=("give its volume a larger `sizeLimit`, or delete what fills it",),
        )
    if code in ("EACCES", "EPERM", "EROFS"):
        return not_writable(path, text, where)
    if code == "CLASH":
        return ForeignError(
            f"`{path}` is no folder any more, but in {where} it is one with files the app has made",
            hints=(_REBUILD,),
        )
    kind = DriftError if code in _DRIFT else SyncError
    return kind(f"`{path}` cannot be changed in {where}: {text}", hints=(_REBUILD,))


def not_writable(path: str, why: str, where: str) -> NotWritableError:
    """Say that nothing can be written at a path."""
    return NotWritableError(f"`{path}` cannot be written in {where}: {why}", hints=(_REBUILD,))
