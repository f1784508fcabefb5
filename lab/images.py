"""The images of the lab: Python bases for builds, Kubernetes' own images, and Minikube's node."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lab import gobuild, imagetar, paths
from lab.debian import Tree
from lab.imagetar import Image
from lab.parts import Part

if TYPE_CHECKING:
    from lab.parts import Store

_NODE = paths.SOURCE / "node"
_PYTHON = paths.SOURCE / "python"
_PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
_CA_INSIDE = "/etc/ssl/certs/ca-certificates.crt"
_WRITER = Path(imagetar.__file__)

_NODE_TREE = Tree(
    "bookworm",
    (
        "systemd",
        "systemd-sysv",
        "dbus",
        "openssh-server",
        "sudo",
        "docker.io",
        "iptables",
        "iproute2",
        "curl",
        "conntrack",
        "ebtables",
        "socat",
        "ethtool",
        "containernetworking-plugins",
        "kmod",
        "procps",
        "ca-certificates",
        "util-linux",
        "rsync",
    ),
    hooks=(f'chroot "$1" sh -eux <{_NODE}/setup.sh',),
)
_CONTROL_TREE = Tree("bookworm", ("iptables", "kmod"), variant="extract")
_CONTROL_PROGRAMS = {
    f"{name}:{gobuild.KUBERNETES}": name
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
} | {"etcd:3.6.5-0": "etcd"}
# The single-binary images: name -> part, and where the binary is.
_SINGLE = {
    "registry.k8s.io/pause:3.10.1": ("pause", "pause"),
    "registry.k8s.io/coredns/coredns:v1.12.1": ("coredns", "coredns"),
    f"gcr.io/k8s-minikube/storage-provisioner:{gobuild.PROVISIONER}": (
        "storage-provisioner",
        "storage-provisioner",
    ),
}


def ca_bundle() -> Path:
    """Find the certificates this machine trusts: builds inside Minikube must trust the same."""
    named = os.environ.get("SSL_CERT_FILE", "")
    return Path(named) if named and Path(named).is_file() else Path(_CA_INSIDE)


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


def _tree_part(
    name: str, tree: Tree, *, files: tuple[Path, ...] = (), extra: tuple[str, ...] = ()
) -> Part:
    def make(target: Path, store: Store) -> None:
        tree.make(target / "layer.tar", store.logs / f"{name}.log")
        imagetar.digest(target / "layer.tar")

    # Hooks name the place of this checkout, which is not part of the content.
    recipe = tuple(text.replace(str(paths.SOURCE), "") for text in tree.recipe())
    return Part(name, make, recipe=(*recipe, *extra), files=files)


def _python_tree(version: str) -> Part:
    suite = {"3.11": "bookworm", "3.13": "trixie"}[version]
    tree = Tree(
        suite,
        (f"python{version}", f"python{version}-venv", "ca-certificates", "netbase", "tzdata"),
        hooks=(
            f'VERSION={version} chroot "$1" sh -eux <{_PYTHON}/setup.sh',
            f'cp {ca_bundle()} "$1"{_CA_INSIDE}',
        ),
    )
    return _tree_part(f"python-{version}", tree, files=(_PYTHON / "setup.sh", ca_bundle()))


def _pyenv_tree(version: str, root: Path) -> Part:
    tree = Tree(
        "trixie",
        (
            "ca-certificates",
            "netbase",
            "tzdata",
            "libbz2-1.0",
            "libffi8",
            "liblzma5",
            "libncursesw6",
            "libreadline8t64",
            "libsqlite3-0",
            "libssl3t64",
            "libuuid1",
            "zlib1g",
        ),
        hooks=(
            f'cp -a {root}/bin {root}/include {root}/lib "$1"/usr/local/',
            f'VERSION={version} chroot "$1" sh -eux <{_PYTHON}/pyenv.sh',
            f'cp {ca_bundle()} "$1"{_CA_INSIDE}',
        ),
    )
    return _tree_part(f"python-{version}", tree, files=(_PYTHON / "pyenv.sh", ca_bundle()))


def python_parts() -> dict[str, Part]:
    """One part per Python base image this machine can make, by image name."""
    trees = {version: _python_tree(version) for version in ("3.11", "3.13")}
    for root in sorted(_PYENV.glob("3.12.*")):
        trees["3.12"] = _pyenv_tree("3.12", root)
    return {f"python:{version}-slim": part for version, part in trees.items()}


def _python_image(name: str, layer: Path) -> Image:
    settings = {
        "Env": [
            "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
            # Older pips and Python's own ssl do not look at the system's file by themselves.
            f"PIP_CERT={_CA_INSIDE}",
            f"SSL_CERT_FILE={_CA_INSIDE}",
        ],
        "Cmd": ["python3"],
    }
    return Image((name,), (layer,), settings)


def _kube_layer(go: dict[str, Part]) -> Part:
    def make(target: Path, store: Store) -> None:
        links = {f"usr/local/bin/{name}": "kube" for name in _CONTROL_PROGRAMS.values()}
        # kube-proxy must write to the same tables as the node it runs on.
        links |= {
            f"usr/local/sbin/{name}": f"/usr/sbin/xtables-legacy-multi"
            for tool in ("iptables", "ip6tables")
            for name in (tool, f"{tool}-save", f"{tool}-restore")
        }
        binary = {"usr/local/bin/kube": store.path(go["kube"]) / "kube"}
        imagetar.write_layer(target / "layer.tar", binary | links)

    return Part("kube-layer", make, files=(Path(__file__), _WRITER), needs=(go["kube"],))


def _kubernetes_images(store: Store, layers: dict[str, Part]) -> list[Image]:
    names = tuple(f"registry.k8s.io/{name}" for name in _CONTROL_PROGRAMS)
    path = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    control = (layers["control-tree"], layers["kube-layer"])
    images = [Image(names, tuple(store.path(part) / "layer.tar" for part in control), path)]
    for name, (part, program) in _SINGLE.items():
        layer = store.path(layers[f"{part}-layer"]) / "layer.tar"
        images.append(Image((name,), (layer,), {"Entrypoint": [f"/{program}"]}))
    return images


def _single_layer(part: Part, program: str) -> Part:
    def make(target: Path, store: Store) -> None:
        imagetar.write_layer(target / "layer.tar", {program: store.path(part) / part.name})

    return Part(f"{part.name}-layer", make, recipe=(program,), files=(_WRITER,), needs=(part,))


def _carried_layer(go: dict[str, Part], pythons: dict[str, Part]) -> Part:
    """The images that every new profile starts with, as archives inside the node."""
    layers = {
        "control-tree": _tree_part("control-tree", _CONTROL_TREE),
        "kube-layer": _kube_layer(go),
    } | {f"{part}-layer": _single_layer(go[part], program) for part, program in _SINGLE.values()}

    def make(target: Path, store: Store) -> None:
        bases = [
            _python_image(name, store.path(part) / "layer.tar") for name, part in pythons.items()
        ]
        archives = {"kubernetes": _kubernetes_images(store, layers), "python": bases}
        for name, images in archives.items():
            with (target / f"{name}.tar").open("wb") as stream:
                imagetar.write_archive(stream, images)
        entries = {f"lab-images/{name}.tar": target / f"{name}.tar" for name in archives}
        imagetar.write_layer(target / "layer.tar", entries)
        for path in entries.values():
            path.unlink()

    return Part(
        "carried-images",
        make,
        recipe=tuple(pythons),
        files=(Path(__file__), _WRITER),
        needs=(*layers.values(), *pythons.values()),
    )


def _node_layer(go: dict[str, Part]) -> Part:
    def make(target: Path, store: Store) -> None:
        names = target / "resolv.conf"
        names.write_text(resolver())
        binaries = f"var/lib/minikube/binaries/{gobuild.KUBERNETES}"
        own = {
            "etc/lab-resolv.conf": names,
            "usr/bin/cri-dockerd": store.path(go["cri-dockerd"]) / "cri-dockerd",
            "usr/bin/crictl": store.path(go["crictl"]) / "crictl",
            # Found before Debian's runc, by dockerd as well as by BuildKit.
            "usr/local/sbin/runc": store.path(go["runc-wrapper"]) / "runc-wrapper",
            f"{binaries}/kubelet": store.path(go["kube"]) / "kube",
        }
        same = {f"{binaries}/{name}": f"={binaries}/kubelet" for name in ("kubeadm", "kubectl")}
        imagetar.write_layer(
            target / "layer.tar", imagetar.files_below(_NODE / "root") | own | same
        )

    return Part(
        "node-layer",
        make,
        recipe=(resolver(), gobuild.KUBERNETES),
        files=(_NODE / "root", _WRITER, Path(__file__)),
        needs=tuple(go[name] for name in ("cri-dockerd", "crictl", "runc-wrapper", "kube")),
    )


def node_layers(go: dict[str, Part]) -> tuple[Part, ...]:
    """The node image's layers, from the one that changes least to the one that changes most."""
    return (
        _tree_part("node-tree", _NODE_TREE, files=(_NODE / "setup.sh",)),
        _carried_layer(go, python_parts()),
        _node_layer(go),
    )


def node_image(layers: tuple[Part, ...], store: Store) -> Image:
    """Describe the node image; its tag says what it is made of, so a tag that is there is right."""
    key = hashlib.sha256("".join(part.key for part in layers).encode()).hexdigest()[:16]
    return Image(
        (f"kubekit-lab/node:{key}",),
        tuple(store.path(part) / "layer.tar" for part in layers),
        {
            "Env": [
                "container=docker",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ],
            "Entrypoint": ["/usr/local/sbin/lab-entrypoint"],
            "ExposedPorts": {"22/tcp": {}},
            # systemd's signal to shut down.
            "StopSignal": "SIGRTMIN+3",
        },
    )
