"""What settings must look like; each check returns the value or says in one line what is wrong."""

from __future__ import annotations

import contextlib
import math
import re

BUILT_IN_VARIABLES = ("name", "namespace", "image", "secret", "env")
"""What every template can use; `values` cannot replace them."""

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
REGISTRY = re.compile(
    # A first part without a dot or port would be a user of Docker Hub.
    r"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)(?::[0-9]+)?|[A-Za-z0-9-]+:[0-9]+)"
    r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")
MAX_PORT = 65535


def label(text: str) -> str:
    """Check a name that becomes a label, an image and a namespace: an RFC 1123 DNS label.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names

    Raises:
        ValueError: says what such a name is made of.
    """
    if not LABEL.fullmatch(text):
        raise ValueError(
            f"`{text}` is no DNS label (RFC 1123): at most 63 of a-z, 0-9 and `-`, "
            "beginning and ending with a letter or digit"
        )
    return text


def registry(text: str) -> str:
    """Check where images are pushed to: a registry's host, and the path images have there.

    Source: github.com/distribution/reference, regexp.go.

    Raises:
        ValueError: says how it is written.
    """
    if not REGISTRY.fullmatch(text):
        raise ValueError(
            f"`{text}` is no registry; expected `HOST[:PORT][/PATH]`, "
            "such as `registry.example.com/team` or `docker.io/USER`"
        )
    return text


def seconds(value: object) -> float:
    """Turn ``120s``, ``2m``, ``1m30s`` or a number of seconds into seconds.

    Raises:
        ValueError: it is none of these, or not above zero.
    """
    total = 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        total = float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())) is not None:
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        total = hours * 3600 + minutes * 60 + rest
    if not total > 0:
        raise ValueError("expected a time such as `120s`, `2m` or `1m30s`")
    return total


def factor(value: object) -> float:
    """Turn a number, or text of one, into a factor.

    Raises:
        ValueError: it is no number, or not above zero.
    """
    number = 0.0
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            number = float(value)
    if not (number > 0 and math.isfinite(number)):
        raise ValueError("expected a number above 0, such as `2` or `0.5`")
    return number


def identifiers(value: object) -> tuple[str, ...]:
    """Turn ids, each of them one or several with commas between, into a tuple of them.

    Raises:
        ValueError: there is none, or nothing between two commas.
    """
    texts = value if isinstance(value, list | tuple) else (value,)
    ids = tuple(part.strip() for text in texts for part in str(text).split(","))
    if not all(ids):
        raise ValueError("expected ids of causes, such as `probe-failing,crash-loop`")
    return ids


def variable(key: str) -> str:
    """Check a name for a template's variable.

    Raises:
        ValueError: kubekit sets it itself, or Jinja2 cannot name it.
    """
    if key in BUILT_IN_VARIABLES:
        raise ValueError(f"`{key}` is a variable that kubekit sets itself; use another name")
    if not key.isidentifier():
        usable = re.sub(r"\W", "_", key, flags=re.ASCII)
        raise ValueError(f"no template can name `{key}`; use a name such as `{usable}`")
    return key


def check_port(value: int) -> int:
    """Check a TCP port.

    Raises:
        ValueError: it is out of range.
    """
    if not 1 <= value <= MAX_PORT:
        raise ValueError(f"expected a port from 1 to {MAX_PORT}, got {value}")
    return value


def absolute(path: str) -> str:
    """Check a path in a container.

    Raises:
        ValueError: it does not begin at the root.
    """
    if not path.startswith("/"):
        raise ValueError(f"expected an absolute path in the container, got `{path}`")
    return path
