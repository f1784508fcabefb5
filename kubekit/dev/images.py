"""What the image holds by itself: by it a new container is taken to have all files at once.

Every new container is asked what it has, but nobody has to wait for its answer who is led to an app
that runs with the files of now, as far as was seen. It does if the image was built from just these
files, and the first container of an image made by the same recipe was found to have just what that
one was built from: the Dockerfile lays the files where they belong. Where it does not so for once,
the container's answer shows it, and that is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kubekit.dev.entries import Entries, Entry
from kubekit.dev.packed import Packed
from kubekit.dev.tree import kept_out
from kubekit.model import BuildPlan, SyncRule

_Recipe = tuple[object, ...]

_KEPT = 20
"""Images of which it is known what went into them: as many as pods may run of, and more."""


@dataclass(frozen=True, kw_only=True)
class _Latest:
    """The image that was built last, from just these files."""

    image: str
    recipe: _Recipe
    entries: Mapping[str, Entry]


class Images:
    """What is known of the images of one run."""

    def __init__(self) -> None:
        self._paths: dict[str, Packed] = {}
        self._latest: _Latest | None = None
        self._exact: _Recipe | None = None

    def built(
        self,
        image: str,
        plan: BuildPlan,
        rules: Sequence[SyncRule],
        entries: Entries,
    ) -> None:
        """It was built from this, while the working tree was so."""
        placed = dict(_placed(plan, rules))
        paths = Packed(dict.fromkeys(placed, "-").items())
        for other in self._paths.values():
            paths.sharing(other)
        self._paths.pop(image, None)
        self._paths[image] = paths
        for old in [*self._paths][:-_KEPT]:
            del self._paths[old]
        same = entries.hold(placed)
        recipe = _recipe(plan)
        self._latest = _Latest(image=image, recipe=recipe, entries=entries) if same else None

    def paths(self, image: str) -> Collection[str]:
        """Where the files lie that it was built from."""
        return self._paths.get(image, ())

    def holds(self, image: str, entries: Mapping[str, Entry]) -> bool:
        """Whether a new container of it should have just these files."""
        latest = self._latest
        if latest is None or latest.image != image or latest.recipe != self._exact:
            return False
        return latest.entries == entries

    def saw(self, image: str, entries: Mapping[str, Entry], *, exact: bool) -> None:
        """A new container of it had just these files, or it had not."""
        latest = self._latest
        if latest is not None and latest.image == image and latest.entries == entries:
            self._exact = latest.recipe if exact else None

    def forget(self) -> None:
        """By other rules the files lie elsewhere, and the Dockerfile may know nothing of them."""
        self._latest = self._exact = None


def _recipe(plan: BuildPlan) -> _Recipe:
    """What the files are made into an image by."""
    settings = plan.settings
    return (plan.hashes.get(plan.dockerfile), settings.target, sorted(settings.args.items()))


def _placed(plan: BuildPlan, rules: Sequence[SyncRule]) -> Iterator[tuple[str, str]]:
    """Where the files of a build lie in its containers by these rules, and what each holds."""
    context = plan.settings.context.resolve()
    for rule in rules:
        src = rule.src.resolve()
        if not src.is_relative_to(context):
            continue
        inside = src.relative_to(context).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        paths = [path.removeprefix(prefix) for path in plan.hashes if path.startswith(prefix)]
        is_out = kept_out(paths)
        for path in paths:
            if path and not is_out(path):
                yield f"{rule.place}/{path}", plan.hashes[f"{prefix}{path}"]
