"""Checks of an image's config: its user, command, ports, environment and size. Pure."""

from __future__ import annotations

import posixpath

from kubekit.text.scripts import shell_script
from kubekit.verify.model import Check, Outcome, Subject, failed, passed, skipped, told
from kubekit.verify.units import bytes_said


def _user(subject: Subject) -> str:
    return str(subject.image.config.get("User") or "")


def _not_root(subject: Subject) -> Outcome:
    user = _user(subject)
    name = user.partition(":")[0]
    if name in ("", "0", "root"):
        return failed(f"USER is `{user}`" if user else "there is no USER: it runs as root")
    return passed(f"USER is `{user}`")


def _numeric(subject: Subject) -> Outcome:
    user = _user(subject)
    if not user:
        return skipped("there is no USER")
    if user.partition(":")[0].isdecimal():
        return passed(f"USER is `{user}`")
    return failed(f"USER is `{user}`: Kubernetes cannot prove that this name is not root")


def _size(subject: Subject) -> Outcome:
    image, most = subject.image, subject.known.max_size
    text = f"{bytes_said(image.size)} {image.size_from}"
    if most is None:
        return told(f"{text}; there is no budget (`--max-size`)")
    if image.size > most:
        return failed(f"{text}: {bytes_said(image.size - most)} over {bytes_said(most)}")
    return passed(f"{text}, of {bytes_said(most)}")


def _layers(subject: Subject) -> Outcome:
    layers = subject.image.tree.layers
    largest = max(layers, key=lambda layer: layer.size, default=None)
    more = f", the largest {bytes_said(largest.size)}" if largest else ""
    return told(f"{len(layers)} layers{more}")


def _command(subject: Subject) -> Outcome:
    command = subject.image.command
    if not command:
        return failed("it has neither CMD nor ENTRYPOINT")
    script = shell_script(command)
    if script is None:
        return passed(f"`{' '.join(command)}`")
    if script.lstrip().startswith("exec "):
        return passed(f"the shell hands over by `exec`: `{script}`")
    return failed(f"a shell stays process 1, and SIGTERM is lost: `{script}`")


def _exposes(subject: Subject) -> Outcome:
    ports = subject.image.ports
    if not ports:
        return failed("it exposes no port")
    return passed(", ".join(str(port) for port in ports))


def _healthcheck(subject: Subject) -> Outcome:
    check = subject.image.config.get("Healthcheck") or {}
    test = list(check.get("Test") or ())
    if not test or test == ["NONE"]:
        return failed("it has no HEALTHCHECK")
    return passed(f"`{' '.join(test[1:])}`")


def _unbuffered(subject: Subject) -> Outcome:
    return _is_set(subject, "PYTHONUNBUFFERED")


def _no_bytecode(subject: Subject) -> Outcome:
    return _is_set(subject, "PYTHONDONTWRITEBYTECODE")


def _is_set(subject: Subject, name: str) -> Outcome:
    value = subject.image.environment.get(name)
    return passed(f"{name}={value}") if value else failed(f"{name} is not set")


def _path(subject: Subject) -> Outcome:
    environments = subject.image.tree.environments()
    if not environments:
        return skipped("it has no virtual environment")
    folders = [one.strip("/") for one in subject.image.environment.get("PATH", "").split(":")]
    for folder in folders:
        if any(f"{folder}/{name}" in subject.image.tree.files for name in ("python", "python3")):
            if posixpath.dirname(folder) in environments:
                return passed(f"`python` is that of `/{posixpath.dirname(folder)}`")
            return failed(f"`python` is `/{folder}/python`, not that of `/{environments[0]}`")
    return failed("PATH leads to no Python")


CHECKS = (
    Check(
        id="user-not-root",
        title="runs as somebody else than root",
        fix="make a user in the Dockerfile, and end it with `USER 10001:10001`",
        look=_not_root,
    ),
    Check(
        id="user-numeric",
        title="USER is a number",
        fix="write the number: `USER 10001:10001`; its name may stay in /etc/passwd",
        look=_numeric,
    ),
    Check(
        id="size",
        title="size of all layers",
        fix="see the largest layers: `docker history`; install into a stage of its own",
        look=_size,
    ),
    Check(id="layers", title="layers", fix="", look=_layers),
    Check(
        id="command-exec",
        title="command in exec form",
        fix='write it as a list, such as `CMD ["python", "-m", "app"]`, or begin with `exec`',
        look=_command,
    ),
    Check(
        id="port-exposed",
        title="exposes its port",
        fix="add `EXPOSE 8000`",
        look=_exposes,
    ),
    Check(
        id="healthcheck",
        title="has a HEALTHCHECK",
        fix="add a `HEALTHCHECK` that asks /health with Python's own urllib",
        look=_healthcheck,
    ),
    Check(
        id="env-path",
        title="PATH leads to the environment",
        fix="put it first: `ENV PATH=/opt/venv/bin:$PATH`",
        look=_path,
    ),
    Check(
        id="env-unbuffered",
        title="logs come at once",
        fix="add `ENV PYTHONUNBUFFERED=1`",
        look=_unbuffered,
    ),
    Check(
        id="env-no-bytecode",
        title="writes no bytecode",
        fix="add `ENV PYTHONDONTWRITEBYTECODE=1`",
        look=_no_bytecode,
    ),
)
"""In the order of the report."""
