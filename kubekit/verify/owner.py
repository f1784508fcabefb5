"""Whose containers they are: what an earlier run has left is removed, another one's is not."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterator

from kubekit.errors import UsageError
from kubekit.runfile import RunFile

LABEL = "dev.kubekit.verify"


@contextlib.contextmanager
def owned(key: str) -> Iterator[tuple[str, str]]:
    """A label for containers and volumes, and its value, that no other run uses meanwhile.

    It is the same with each run of the project on this machine.

    Raises:
        UsageError: another run has it.
    """
    lock = RunFile(f"verify-{hashlib.sha256(key.encode()).hexdigest()[:16]}")
    if not lock.take("verify"):
        holder = lock.holder()
        who = f" (process {holder.pid})" if holder else ""
        raise UsageError(
            f"another `kubekit verify` of it runs just now{who}",
            hints=("wait for its end",),
            id="verify-busy",
        )
    with contextlib.closing(lock):
        yield LABEL, lock.mark or uuid.uuid4().hex
