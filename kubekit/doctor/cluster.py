"""The cluster that a command would act on: whether it may, and whether it answers."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from kubekit.api.kube import Kube, TransientError
from kubekit.cluster import kubeconfig, minikube
from kubekit.cluster.target import Profile, read_profile, resolve
from kubekit.doctor.known import Known
from kubekit.doctor.verdict import Verdict, left_out, ok, warning
from kubekit.errors import UnreachableError, shown
from kubekit.image.docker import engine
from kubekit.model import ClusterTarget, Settings
from kubekit.session import led_to

OLDEST, NEWEST = 28, 36
"""Kubernetes 1.x: what kubekit writes is valid from the first to the last of these."""

_SKEW_SECONDS = 2.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def configs(_known: Known) -> Verdict:
    """Whether the kubeconfig can be read, and by whom."""
    contexts = kubeconfig.contexts()
    files = [Path(name) for name in kubeconfig.files().split(os.pathsep) if name]
    modes = {file: file.stat().st_mode for file in files if file.exists()}
    return judge_configs(files, modes, contexts=len(contexts))


def judge_configs(files: Sequence[Path], modes: Mapping[Path, int], *, contexts: int) -> Verdict:
    """Who may read the files that are there: each holds what lets its reader into a cluster."""
    named = ", ".join(f"`{shown(file)}`" for file in files)
    if not modes:
        text = f"there is none yet at {named}"
        return warning(text, "`kubekit up` makes one", cause="kubeconfig-missing")
    open_ = [shown(file) for file, mode in modes.items() if mode & _OTHERS]
    if open_:
        names = ", ".join(f"`{name}`" for name in open_)
        return warning(
            f"other users of this machine may read or write {names}",
            *(f"`chmod 600 {name}`" for name in open_),
            cause="kubeconfig-readable",
        )
    many = "1 context" if contexts == 1 else f"{contexts} contexts"
    return ok(f"{named} with {many}, readable by no other user")


def context(known: Known) -> Verdict:
    """Which cluster a command would act on, and why it may."""
    aim = known.aim()
    known.target = resolve(aim)
    known.kube = Kube(context=known.target.context, cancel=known.run.cancel)
    return judge_context(known.target, aim, unread=known.unread)


def judge_context(target: ClusterTarget, aim: Settings, *, unread: bool) -> Verdict:
    """The cluster in words: who has named it, and what allows it."""
    named = aim.origins.get("profile") or aim.origins.get("context") or "default"
    may = "Minikube made it" if target.profile else "`allow_contexts` names it"
    text = f"`{target.context}`, by {named}; {may}, so kubekit may act on it"
    if unread:
        text += " (kubekit.yaml, which cannot be read, may name another one)"
    return ok(text)


def profile(known: Known) -> Verdict:
    """What the Minikube profile is made of."""
    assert known.target is not None
    if known.target.profile is None:
        return left_out(f"`{known.target.context}` is no Minikube")
    known.profile = read_profile(known.target.profile)
    if known.profile is None:
        return left_out(f"there is no profile `{known.target.profile}`")
    return judge_profile(known.profile)


def judge_profile(found: Profile) -> Verdict:
    """Whether images are built in it as quickly as can be."""
    many = "1 node" if found.nodes == 1 else f"{found.nodes} nodes"
    text = f"`{found.name}`: driver {found.driver or 'unknown'}, runtime {found.runtime}, {many}"
    if found.driver == "none":
        return warning(
            f"{text}: its Docker is this machine's own",
            "create one with another driver: `minikube start -p NAME --driver docker`",
            cause="driver-none",
        )
    if not found.has_docker:
        return ok(f"{text}; Minikube builds the images in it, which takes longer than in Docker")
    return ok(text)


def own_docker(known: Known) -> Verdict:
    """This machine's own Docker, in which Minikube keeps its nodes."""
    driver = known.profile.driver if known.profile else ""
    if driver not in ("", "docker"):
        return left_out(f"the driver of the nodes is {driver}")
    try:
        with closing(engine.own()) as found:
            info = found.info()
            host = found.endpoint.host
    except UnreachableError as error:
        if driver == "docker":
            raise
        hint = "Minikube can keep its nodes in it, or elsewhere: `minikube start --driver`"
        return warning(error.message, *error.hints, hint, cause=error.id)
    return ok(f"{info.get('ServerVersion')} at `{host}`")


def docker(known: Known) -> Verdict:
    """The Docker in the node, asked after through Minikube, as a first build does it."""
    assert known.profile is not None
    if not known.profile.has_docker:
        return left_out(f"`{known.profile.name}` has no Docker of its own to build in")
    with closing(led_to(known.profile.name, known.run)) as found:
        version = found.info().get("ServerVersion")
        builder = "BuildKit" if found.has_buildkit() else "the classic builder"
        return ok(f"{version}, with {builder}, at `{found.endpoint.host}`")


def api(known: Known) -> Verdict:
    """Whether the API server answers; where not, Minikube may know why."""
    assert known.kube is not None
    assert known.target is not None
    before = time.time()
    try:
        known.answer = known.kube.request("GET", "/version", patience=0)
    except TransientError as error:
        name = known.target.profile
        if error.id == "api-busy" or name is None or not known.minikube:
            raise
        raise minikube.why_silent(name, cancel=known.run.cancel) or error from error
    known.asked = (before, time.time())
    return ok(f"it answers at `{known.kube.host}`")


def kubernetes(known: Known) -> Verdict:
    """Whether its version is one that kubekit is made for."""
    assert known.answer is not None
    return judge_kubernetes(known.answer.data)


def judge_kubernetes(version: Mapping[str, Any]) -> Verdict:
    """What `/version` says; some add a `+` to the number."""
    called = str(version.get("gitVersion"))
    minor = str(version.get("minor") or "").rstrip("+")
    if not minor.isdecimal() or version.get("major") != "1":
        return warning(f"`{called}` is no version that kubekit knows", cause="kubernetes-version")
    if not OLDEST <= int(minor) <= NEWEST:
        way = "older" if int(minor) < OLDEST else "newer"
        return warning(
            f"{called} is {way} than what kubekit is made for: 1.{OLDEST} to 1.{NEWEST}",
            "another one: `minikube start --kubernetes-version` with a new profile",
            cause="kubernetes-version",
        )
    return ok(f"{called}; kubekit is made for 1.{OLDEST} to 1.{NEWEST}")


def clock(known: Known) -> Verdict:
    """Whether this machine and the node agree on the time."""
    assert known.answer is not None
    name = known.profile.name if known.profile else ""
    return judge_clock(known.answer.date, known.asked, profile=name)


def judge_clock(date: float, asked: tuple[float, float], *, profile: str) -> Verdict:
    """How far the server's clock is off, at least.

    Args:
        date: what it said, in whole seconds, cut off.
        asked: this machine's clock before and after.
        profile: the Minikube whose node it is; empty for another cluster.
    """
    before, after = asked
    behind, ahead = before - (date + 1), date - after
    off = max(behind, ahead, 0.0)
    if off < _SKEW_SECONDS:
        return ok("this machine's and the node's agree")
    way = "behind" if behind > ahead else "ahead of"
    hint = "set the clock of one of them: certificates and times in logs go by it"
    if profile:
        hint = f"set the node's: `minikube ssh -p {profile} -- sudo date -s @$(date +%s)`"
    return warning(f"the node's is {off:.0f} s {way} this machine's", hint, cause="clock-skew")


def proxy(known: Known) -> Verdict:
    """Whether a proxy of the environment stands between this machine and the API server."""
    assert known.kube is not None
    used = known.kube.proxy
    name = next((one for one in _PROXIES if os.environ.get(one)), None)
    return judge_proxy(known.kube.host, name, used=used is not None)


_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")


def judge_proxy(host: str, variable: str | None, *, used: bool) -> Verdict:
    """What it means that a variable names a proxy, and that it is, or is not, on the way."""
    if variable is None:
        return ok("no variable names one")
    address = host.partition("://")[2].rpartition(":")[0] or host
    if not used:
        return ok(f"{variable} is set, and {address} is reached without it")
    return warning(
        f"{variable} leads to the API server at {address}, too, which no proxy knows",
        f"`export NO_PROXY=$NO_PROXY,{address}`",
        cause="proxy",
    )
