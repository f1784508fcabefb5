"""Links that an instruction names and that lead out of the build context, where no build goes."""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path

from kubekit.errors import FilesError, Place, shown
from kubekit.image.files import sources
from kubekit.image.files.dockerfile import Dockerfile
from kubekit.model import BuildSettings

_MOST = 40
"""Links followed for one path, as Linux does."""


def check(parsed: Dockerfile, settings: BuildSettings) -> None:
    """Refuse a source that is such a link, or lies behind one, unless the builder finds another.

    Raises:
        FilesError: names the first.
    """
    for stage in parsed.built(settings.target, settings.args):
        for instruction in stage.body:
            for parts in sources.taken(instruction):
                if (link := _outside(settings.context, parts)) is None:
                    continue
                name = link.relative_to(settings.context)
                where = f"`{link.readlink()}`, outside the build context"
                raise FilesError(
                    f"`{instruction.keyword}` takes `{name}`, a link that leads to {where}",
                    hints=(
                        f"put what it leads to in the place of `{shown(link)}`",
                        "or let `build.context` be a folder that holds both",
                    ),
                    place=Place(file=settings.dockerfile, line=instruction.line),
                    id="copy-link-outside",
                )


def _outside(context: Path, parts: tuple[str, ...]) -> Path | None:
    """The link that leads out on this way, if the builder, too, finds nothing at its end."""
    root, path = os.path.realpath(context), context
    for index, part in enumerate(parts):
        path /= part
        if re.search(r"[*?]", part) or not os.path.lexists(path):
            return None
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
            return None if _is_found(context, parts[: index + 1]) else path
    return None


def _is_found(context: Path, parts: tuple[str, ...]) -> bool:
    """Whether something is there for a builder, to which the context is all there is: `/`."""
    waiting, at = deque(parts), context
    links = 0
    while waiting:
        part = waiting.popleft()
        if part == "..":
            at = at if at == context else at.parent
        elif (at / part).is_symlink():
            links += 1
            if links > _MOST:
                return False
            target = str((at / part).readlink())
            at = context if target.startswith("/") else at
            waiting.extendleft(reversed([one for one in target.split("/") if one not in {"", "."}]))
        else:
            at /= part
    return os.path.lexists(at)
