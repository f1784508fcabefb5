"""What goes wrong when an image is built in Minikube's nodes, and what to do. Pure."""

from __future__ import annotations

import shlex

from kubekit.cluster.target import Profile
from kubekit.errors import BuildError, FilesError, Place, UnreachableError
from kubekit.image.account import failures
from kubekit.image.account.explain import explain
from kubekit.image.account.steps import Account
from kubekit.image.files.demands import demands
from kubekit.image.files.dockerfile import Dockerfile
from kubekit.image.nodes.script import BUILDERS
from kubekit.image.registries.errors import reason
from kubekit.model import BuildPlan
from kubekit.proc import Finished

_OWN = "or build it in this machine's Docker, by way of a registry: `--registry HOST/PATH`"
_SILENT = ("failed to list workers", "buildkitd.sock", "Cannot connect to the Docker daemon")


def explained(
    account: Account, parsed: Dockerfile, plan: BuildPlan, profile: Profile, node: str
) -> BuildError | FilesError | UnreachableError:
    """Say why a build in a node failed.

    Args:
        account: the build; its `error` is set.
        parsed: the Dockerfile.
        plan: what was built.
        profile: of the node.
        node: its name.
    """
    said = account.error or ""
    if not account.failed and any(text in said for text in _SILENT):
        service = {"containerd": "buildkit", "docker": "docker"}.get(profile.runtime, "podman")
        return UnreachableError(
            f"the builder in node `{node}` does not answer",
            hints=(f"restart it: `{_ssh(profile, node)} sudo systemctl restart {service}`",),
            details=(said,),
            id="builder-silent",
        )
    return explain(account, parsed, plan, room=_room(profile, node))


def no_builder(profile: Profile) -> BuildError:
    """The node has nothing to build with; this machine's Docker may, but only if it is told to."""
    program = BUILDERS.get(profile.runtime)
    what = f"has no `{program}`"
    if program is None:
        what = f"runs {profile.runtime}, for which kubekit knows no builder"
    return BuildError(
        f"node `{profile.machines[0]}` {what}, so nothing can be built in it",
        hints=(_docker(profile), _OWN),
        id="builder-missing",
    )


def refuse_secrets(profile: Profile, parsed: Dockerfile, plan: BuildPlan) -> None:
    """Refuse a build that would go without its secrets, and make another image of the same name.

    A builder in a node could read them only from the node's disk.

    Args:
        profile: of the node.
        parsed: the Dockerfile.
        plan: what would be built.

    Raises:
        BuildError: names the first step that mounts one.
    """
    for demand in demands(parsed.needed(plan.settings.target)):
        id_ = demand.name
        if demand.kind == "secret" and id_ in plan.settings.secrets:
            raise BuildError(
                f"in the nodes of profile `{profile.name}` no build gets the secret `{id_}`",
                hints=(_docker(profile), _OWN),
                place=Place(file=plan.settings.dockerfile, line=demand.instruction.line),
                id="secret-not-given",
            )


def no_place(error: OSError) -> BuildError:
    """This machine has no room for what is sent to a node."""
    why = (error.strerror or str(error)).lower()
    return BuildError(
        f"what is sent to the node cannot be written here first: {why}",
        hints=("make room, or name another folder for temporary files by TMPDIR",),
        id="temporary-files",
    )


def not_sent(profile: Profile, node: str, done: Finished) -> BuildError:
    """The build context could not be copied into the node.

    Args:
        profile: of the node.
        node: its name.
        done: how Minikube's copying ended.
    """
    said = [line for line in (done.out + done.err).splitlines() if line.strip()]
    full = failures.FULL.search(done.out + done.err) is not None
    return BuildError(
        f"the build context could not be copied to node `{node}`",
        hints=_room(profile, node) if full else (f"see how it is: `{_ssh(profile, node)} df -h`",),
        details=tuple(said[-5:]),
        id="disk-full" if full else "context-not-sent",
    )


def not_arrived(profile: Profile, reference: str, node: str, said: str) -> BuildError:
    """The image is not where it was built, or was to be brought.

    Args:
        profile: of the node.
        reference: the image.
        node: the one that lacks it.
        said: what Minikube said when it brought it there.
    """
    lines = [line for line in said.splitlines() if line.strip()]
    full = failures.FULL.search(said) is not None
    return BuildError(
        f"the image `{reference}` was built, but is not on node `{node}`",
        hints=_room(profile, node)
        if full
        else (f"see what is: `{_ssh(profile, node)} sudo crictl images`",),
        details=tuple(lines[-5:]),
        id="disk-full" if full else "image-not-proved",
    )


def not_pulled(profile: Profile, reference: str, said: str) -> BuildError:
    """A base image could not be pulled in the node, which has no credentials of the user's.

    Args:
        profile: of the node.
        reference: the base image.
        said: what the runtime said.
    """
    id_, why = reason(said)
    pull = f"docker pull {shlex.quote(reference)}"
    load = f"minikube -p {profile.name} image load --daemon {shlex.quote(reference)}"
    hint = f"pull it with your login, and bring it there: `{pull} && {load}`"
    if id_ == "image-name-invalid":
        hint = "write it as `NAME:TAG`, the name in small letters"
    return BuildError(
        f"the base image `{reference}` is not in node `{profile.machines[0]}` "
        f"and cannot be pulled there: {why}",
        hints=(hint,),
        details=(said.strip(),),
        id=id_,
    )


def unreadable(profile: Profile, node: str, said: str) -> UnreachableError:
    """The container runtime of a node does not say which images it has.

    Args:
        profile: of the node.
        node: its name.
        said: what came in place of a list.
    """
    lines = [line for line in said.splitlines() if line.strip()]
    return UnreachableError(
        f"node `{node}` does not tell which images it has",
        hints=(f"see why: `minikube logs -p {profile.name}`",),
        details=tuple(lines[-5:]),
        id="node-images",
    )


def _room(profile: Profile, node: str) -> tuple[str, ...]:
    prune = f"`{_ssh(profile, node)} sudo crictl rmi --prune`"
    return (f"make room in node `{node}`: {prune}, which deletes all images no container uses",)


def _docker(profile: Profile) -> str:
    return f"use a profile that runs docker: `kubekit up --profile {profile.name}-docker`"


def _ssh(profile: Profile, node: str) -> str:
    return f"minikube -p {profile.name} ssh -n {node} --"
