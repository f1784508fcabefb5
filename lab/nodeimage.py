"""Minikube's node, with all inside that a profile would otherwise download."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lab import gobuild, imagetar, paths, pythonbase
from lab.debian import Tree
from lab.imagetar import Image
from lab.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.parts import Store

_SOURCE = paths.SOURCE / "node"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NODE_TREE = Tree(
    "bookworm",
    (
        *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "docker.io", "iptables"),
        *("iproute2", "curl", "conntrack", "ebtables", "socat", "ethtool", "kmod", "procps"),
        *("containernetworking-plugins", "ca-certificates", "util-linux", "rsync"),
    ),
    hooks=(f'chroot "$1" sh -eux <{_SOURCE}/setup.sh',),
)
# What kube-proxy calls; the other programs of Kubernetes need nothing at all.
_CONTROL_TREE = Tree("bookworm", ("iptables", "kmod"), variant="extract")
_CONTROL_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
_ETCD_TAG = "3.6.5-0"
# The images of one static program: name -> program.
_SINGLE = {
    "registry.k8s.io/pause:3.10.1": "pause",
    "registry.k8s.io/coredns/coredns:v1.12.1": "coredns",
    f"gcr.io/k8s-minikube/storage-provisioner:{gobuild.PROVISIONER}": "storage-provisioner",
}
_IPTABLES = tuple(
    f"{tool}{suffix}" for tool in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore")
)


def layers(go: Mapping[str, Part]) -> tuple[Part, ...]:
    """The node image's layers, from the one that changes least to the one that changes most."""
    return (
        _tree("node-tree", _NODE_TREE, _SOURCE / "setup.sh"),
        _carried_images(go, pythonbase.parts()),
        _node_programs(go),
    )


def image(made: tuple[Part, ...], store: Store) -> Image:
    """Describe the node image; its tag says what it is made of, so a tag that is there is right."""
    settings = {
        "Env": ["container=docker", _PATH],
        "Entrypoint": ["/usr/local/sbin/lab-entrypoint"],
        "ExposedPorts": {"22/tcp": {}},
        # systemd's signal to shut down.
        "StopSignal": "SIGRTMIN+3",
    }
    key = hashlib.sha256("".join(part.key for part in made).encode() + repr(settings).encode())
    name = f"kubekit-lab/node:{key.hexdigest()[:16]}"
    return Image((name,), tuple(store.path(part) / "layer.tar" for part in made), settings)


def resolver() -> str:
    """Give the name servers this machine uses, in a form that is true inside pods as well."""
    for candidate in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        path = Path(candidate)
        text = path.read_text() if path.exists() else ""
        servers = [
            name
            for name in re.findall(r"^nameserver\s+(\S+)", text, re.MULTILINE)
            if not name.startswith("127.") and name != "::1"
        ]
        if servers:
            return "".join(f"nameserver {server}\n" for server in servers[:3])
    return ""


def _tree(name: str, tree: Tree, *scripts: Path) -> Part:
    def make(target: Path, store: Store) -> None:
        tree.make(target / "layer.tar", store.logs / f"{name}.log")
        imagetar.digest(target / "layer.tar")

    return Part(name, make, recipe=(tree.suite, tree.variant, *tree.packages), files=scripts)


def _layer(
    name: str,
    programs: Mapping[str, Part],
    *,
    links: Mapping[str, str] | None = None,
    texts: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Part:
    """Make a part of programs (path inside -> part), links, texts and the files of a folder."""
    links, texts = dict(links or {}), dict(texts or {})

    def make(target: Path, store: Store) -> None:
        entries: dict[str, Path | str] = {}
        if folder:
            entries |= imagetar.files_below(folder)
        for number, (inside, text) in enumerate(texts.items()):
            entries[inside] = target / f"text-{number}"
            (target / f"text-{number}").write_text(text)
        entries |= {inside: store.path(part) / part.name for inside, part in programs.items()}
        entries |= links
        imagetar.write_layer(target / "layer.tar", entries)

    recipe = (repr(sorted(programs)), repr(sorted(links.items())), repr(sorted(texts.items())))
    needs = tuple(dict.fromkeys(programs.values()))
    return Part(name, make, recipe=recipe, files=(folder,) if folder else (), needs=needs)


def _kubernetes(go: Mapping[str, Part]) -> dict[tuple[str, ...], tuple[Part, ...]]:
    """Kubernetes' own images: names -> layers."""
    programs = (*_CONTROL_PROGRAMS, "etcd")
    links = {f"usr/local/bin/{name}": "kube" for name in programs}
    # kube-proxy must write to the same tables as the node it runs on.
    links |= {f"usr/local/sbin/{name}": "/usr/sbin/xtables-legacy-multi" for name in _IPTABLES}
    kube = _layer("kube-layer", {"usr/local/bin/kube": go["kube"]}, links=links)
    names = [f"registry.k8s.io/{name}:{gobuild.KUBERNETES}" for name in _CONTROL_PROGRAMS]
    names.append(f"registry.k8s.io/etcd:{_ETCD_TAG}")
    images: dict[tuple[str, ...], tuple[Part, ...]] = {
        (name,): (_layer(f"{program}-layer", {program: go[program]}),)
        for name, program in _SINGLE.items()
    }
    images[tuple(names)] = (_tree("control-tree", _CONTROL_TREE), kube)
    return images


def _carried_images(go: Mapping[str, Part], pythons: Mapping[str, Part]) -> Part:
    """The images that every new profile starts with, as archives inside the node."""
    kubernetes = _kubernetes(go)

    def make(target: Path, store: Store) -> None:
        own = [
            Image(names, tuple(store.path(part) / "layer.tar" for part in parts), _run_as(names))
            for names, parts in kubernetes.items()
        ]
        bases = [
            pythonbase.image(name, store.path(part) / "layer.tar") for name, part in pythons.items()
        ]
        entries: dict[str, Path | str] = {}
        for name, images in {"kubernetes": own, "python": bases}.items():
            archive = entries[f"lab-images/{name}.tar"] = target / f"{name}.tar"
            with archive.open("wb") as stream:
                imagetar.write_archive(stream, images)
        imagetar.write_layer(target / "layer.tar", entries)
        for archive in target.glob("[!l]*.tar"):
            archive.unlink()

    settings = [pythonbase.image(name, Path()).settings for name in pythons]
    recipe = (repr(sorted(kubernetes)), repr([_run_as(names) for names in kubernetes]))
    return Part(
        "carried-images",
        make,
        recipe=(*recipe, repr(list(pythons)), repr(settings)),
        needs=(*(part for parts in kubernetes.values() for part in parts), *pythons.values()),
    )


def _run_as(names: tuple[str, ...]) -> dict[str, list[str]]:
    program = _SINGLE.get(names[0])
    return {"Entrypoint": [f"/{program}"]} if program else {"Env": [_PATH]}


def _node_programs(go: Mapping[str, Part]) -> Part:
    binaries = f"var/lib/minikube/binaries/{gobuild.KUBERNETES}"
    links = {f"{binaries}/{name}": f"={binaries}/kubelet" for name in ("kubeadm", "kubectl")}
    # Enabled: it costs a profile nothing until its first build.
    wanted = "etc/systemd/system/sockets.target.wants/buildkit.socket"
    links[wanted] = "/usr/lib/systemd/system/buildkit.socket"
    return _layer(
        "node-layer",
        {
            "usr/bin/cri-dockerd": go["cri-dockerd"],
            "usr/bin/crictl": go["crictl"],
            "usr/local/bin/buildctl": go["buildctl"],
            "usr/local/bin/buildkitd": go["buildkitd"],
            # Found before Debian's runc, by dockerd as well as by BuildKit.
            "usr/local/sbin/runc": go["runc-wrapper"],
            f"{binaries}/kubelet": go["kube"],
        },
        links=links,
        texts={"etc/lab-resolv.conf": resolver()},
        folder=_SOURCE / "root",
    )
