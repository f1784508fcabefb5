"""The nodes of a Minikube profile as the place where images are built: any runtime, any number.

What builds is the builder in the first control plane; the image then goes to the other nodes as an
archive. What is there is asked of each node: Minikube's own exit codes do not tell.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import platformdirs

from kubekit.cluster import minikube
from kubekit.cluster.target import Profile
from kubekit.errors import KubekitError
from kubekit.events import Emit, Progress, Warned
from kubekit.image.account import plain
from kubekit.image.account.steps import Account
from kubekit.image.files import dockerfile
from kubekit.image.files.dockerfile import Dockerfile
from kubekit.image.nodes import parcel
from kubekit.image.nodes import script as nodescript
from kubekit.image.nodes.errors import (
    explained,
    no_builder,
    not_arrived,
    not_pulled,
    not_sent,
    refuse_secrets,
    unreadable,
)
from kubekit.image.nodes.listing import Held, Listed, config, held, in_use, merged, triggers
from kubekit.image.store import Base, Order, StoredImage
from kubekit.model import Cancel, ImageConfig
from kubekit.proc import Finished
from kubekit.text.cache import keep

ASK_SECONDS = 60.0
BUILD_SECONDS = 24 * 3600.0
"""A build may take as long as it likes; Ctrl-C ends it."""

_T = TypeVar("_T")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64"}


class NodeStore:
    """A Store in the nodes of a Minikube profile.

    What the nodes have is asked once, and again after all that changes it.
    """

    def __init__(self, profile: Profile, *, cancel: Cancel) -> None:
        self._profile = profile
        self._builder = profile.machines[0]
        self._cancel = cancel
        self._listed: dict[str, Listed] = {}

    def platform(self) -> tuple[str, str]:
        """See Store."""
        system, machine = self._ask(self._builder, "uname -sm").out.split()
        return system.lower(), _ARCHITECTURES.get(machine, machine)

    def image_ids(self, references: Iterable[str]) -> dict[str, str]:
        """See Store."""
        found: dict[str, str] = {}
        for reference in references:
            ids = {listed.image(reference) for listed in self._nodes().values()}
            if len(ids) == 1 and (id_ := ids.pop()) is not None:
                found[reference] = id_
        return found

    def bases(self, references: Iterable[str]) -> dict[str, Base]:
        """See Store."""
        listed = self._nodes()[self._builder]
        found = {reference: listed.image(reference) for reference in references}
        return {
            reference: Base(id=id_, triggers=self._triggers(id_))
            for reference, id_ in found.items()
            if id_ is not None
        }

    def config(self, reference: str) -> ImageConfig:
        """See Store."""
        id_ = self._nodes()[self._builder].image(reference)
        assert id_ is not None, reference
        command = nodescript.config(id_, self._profile.runtime)
        return self._read(self._builder, config, self._ask(self._builder, command))

    def pull(self, reference: str, *, platform: str | None, emit: Emit, cancel: Cancel) -> None:
        """See Store. The node knows nothing of the user's credentials."""
        if platform is not None:  # crictl takes only its own
            text = f"the builder pulls `{reference}` for {platform}: a newer one is not noticed"
            emit(Warned(text=text, hints=("leave `--platform` out if the node has no other",)))
            return
        self._listed.clear()
        command = nodescript.pull(reference)
        emit(Progress(stage="image", text=f"pulling `{reference}` in node `{self._builder}`"))
        done = self._run(self._builder, command, timeout=BUILD_SECONDS, cancel=cancel)
        if done.code != 0:
            raise not_pulled(self._profile, reference, done.out)

    def build(self, order: Order, *, emit: Emit, cancel: Cancel) -> None:
        """See Store."""
        self._listed.clear()
        if self._profile.runtime not in nodescript.BUILDERS:
            raise no_builder(self._profile)
        parsed = dockerfile.read(order.plan.settings.dockerfile)
        refuse_secrets(self._profile, parsed, order.plan)
        order = parcel.needed(order, self._profile.runtime)
        token = f"kubekit-{secrets.token_hex(8)}"
        try:
            self._send(order, token, emit=emit, cancel=cancel)
            self._build(order, parsed, token, emit=emit, cancel=cancel)
        except BaseException:
            self._discard(f"{nodescript.FOLDER}/{token}", [self._builder])
            raise
        self._share(order.reference, emit=emit, cancel=cancel)

    def images(self, project: str) -> list[StoredImage]:
        """See Store."""
        self._nodes()  # once, before each node's thread asks for it
        return merged(self._each(lambda node: self._held(node, project)).values())

    def remove(self, names: Iterable[str]) -> list[str]:
        """See Store."""
        before = self._nodes()
        there = [name for name in names if any(listed.image(name) for listed in before.values())]
        self._each(lambda node: self._remove(node, there))
        self._listed.clear()
        left = self._nodes().values()
        return [name for name in there if not any(listed.image(name) for listed in left)]

    def _triggers(self, id_: str) -> bool:
        """Whether an image of the builder has ONBUILD; what is known of an ID holds for ever."""
        file = platformdirs.user_cache_path("kubekit") / "triggers" / id_.replace(":", "-")
        with contextlib.suppress(OSError, ValueError):
            return bool(json.loads(file.read_bytes()))
        command = nodescript.config(id_, self._profile.runtime)
        found = self._read(self._builder, triggers, self._ask(self._builder, command))
        keep(file, json.dumps(found))
        return found

    def _send(self, order: Order, token: str, *, emit: Emit, cancel: Cancel) -> None:
        """Bring the context and the script that builds it into the node."""
        with parcel.folder() as folder:
            file = folder / f"{token}.tar"
            script = nodescript.build(order, self._profile.runtime)
            parcel.write(file, parcel.archive(order, token, script), cancel=cancel)
            size = file.stat().st_size / 1e6
            text = f"sending {size:.1f} MB to node `{self._builder}`"
            emit(Progress(stage="image", text=text))
            path = f"{nodescript.FOLDER}/{token}.tar"
            done = minikube.copy_to(self._profile.name, self._builder, file, path, cancel=cancel)
            if done.code != 0:
                raise not_sent(self._profile, self._builder, done)

    def _build(
        self, order: Order, parsed: Dockerfile, token: str, *, emit: Emit, cancel: Cancel
    ) -> None:
        account, lines = Account(emit, parsed), plain.Stream()

        def take(line: str) -> None:
            for told in lines.add(line):
                account.take(told)

        done = self._run(
            self._builder,
            nodescript.run(token),
            timeout=BUILD_SECONDS,
            cancel=cancel,
            on_line=take,
        )
        if done.code == nodescript.NO_BUILDER:
            raise no_builder(self._profile)
        for told in lines.end(done.code):
            account.take(told)
        if account.error is not None:
            raise explained(account, parsed, order.plan, self._profile, self._builder)

    def _share(self, reference: str, *, emit: Emit, cancel: Cancel) -> None:
        """Prove that the image is on every node, after bringing it to those that lack it."""
        first = self._nodes()[self._builder].image(reference)
        if first is None:
            raise not_arrived(self._profile, reference, self._builder, "")
        if not (lacking := self._lacking(reference, first)):
            return
        there = ", ".join(f"`{node}`" for node in lacking)
        emit(Progress(stage="image", text=f"bringing `{reference}` to {there}"))
        said = self._load(reference, cancel=cancel)
        self._listed.clear()
        for node in self._lacking(reference, first):
            raise not_arrived(self._profile, reference, node, said)

    def _lacking(self, reference: str, id_: str) -> list[str]:
        return [node for node, listed in self._nodes().items() if listed.image(reference) != id_]

    def _load(self, reference: str, *, cancel: Cancel) -> str:
        """Save the image of the node that has it, load it into all; what Minikube said of it."""
        name = f"kubekit-{secrets.token_hex(8)}.tar"
        with parcel.folder() as folder:
            file = str(folder / name)
            said = []
            try:
                for argv in (["save", nodescript.full(reference), file], ["load", file]):
                    call = ["-p", self._profile.name, "image", *argv]
                    done = minikube.call(call, timeout=minikube.COPY_SECONDS, cancel=cancel)
                    said.append(done.err)
            finally:
                # Minikube leaves what it transfers in the nodes.
                self._discard(f"{nodescript.SAVED}/{name}", self._profile.machines)
        return "".join(said)

    def _discard(self, path: str, nodes: Iterable[str]) -> None:
        """Delete a file or folder in nodes, also after Ctrl-C."""

        def delete(node: str) -> None:
            with contextlib.suppress(KubekitError):
                command = nodescript.discard(path)
                self._run(node, command, timeout=ASK_SECONDS, cancel=Cancel())

        _parallel(delete, nodes)

    def _nodes(self) -> dict[str, Listed]:
        """What each node has."""
        if not self._listed:
            self._listed = self._each(self._list)
        return self._listed

    def _list(self, node: str) -> Listed:
        return self._read(node, Listed.parse, self._ask(node, nodescript.LIST))

    def _held(self, node: str, project: str) -> list[Held]:
        ids = self._nodes()[node].of(project)
        if not ids:
            return []
        done = self._ask(node, nodescript.inspect(ids))
        return self._read(node, lambda text: held(text, project), done)

    def _remove(self, node: str, names: list[str]) -> None:
        """Delete names in a node, but of what a container uses."""
        listed = self._nodes()[node]
        used = (
            self._read(node, in_use, self._ask(node, nodescript.CONTAINERS))
            if names
            else frozenset()
        )
        runtime = self._profile.runtime
        commands = [
            nodescript.remove(name, runtime, listed.names(name))
            for name in names
            if listed.image(name) not in {None, *used}
        ]
        if commands:
            self._ask(node, "; ".join(commands))

    def _read(self, node: str, parse: Callable[[str], _T], done: Finished) -> _T:
        try:
            return parse(done.out)
        except (ValueError, KeyError, TypeError) as error:
            raise unreadable(self._profile, node, done.out) from error

    def _ask(self, node: str, command: str) -> Finished:
        return self._run(node, command, timeout=ASK_SECONDS, cancel=self._cancel)

    def _run(
        self,
        node: str,
        command: str,
        *,
        timeout: float,
        cancel: Cancel,
        on_line: Callable[[str], None] | None = None,
    ) -> Finished:
        return minikube.run_in(
            self._profile.name, node, command, timeout=timeout, cancel=cancel, on_line=on_line
        )

    def _each(self, ask: Callable[[str], _T]) -> dict[str, _T]:
        return _parallel(ask, self._profile.machines)


def _parallel(ask: Callable[[str], _T], nodes: Iterable[str]) -> dict[str, _T]:
    """Ask several nodes at once; the first error of them is the error."""
    names = list(nodes)
    if len(names) == 1:
        return {names[0]: ask(names[0])}
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))
