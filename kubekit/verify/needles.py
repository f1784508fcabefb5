"""Secrets looked for in streams of bytes: the values of a `.env`, and private keys. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from kubekit.redact import has_password, hidden
from kubekit.secretnames import looks_secret, may_be_secret
from kubekit.verify.tree import in_libraries

PRIVATE_KEY = "a private key"
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}")
_LONGEST_KEY = 96
_SHORTEST = 6
_PACKAGES = ("usr/share/", "usr/lib/")
_NO_VALUE = re.compile(r"^[\"']?(\$|/|[\"']?$)")
"""A variable, a command's output, a path of a file, or empty."""
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/=_.-]{20,}")


def is_secret(name: str, value: str) -> bool:
    """Whether a variable holds a secret: by its name, a password in its URL, or its looks.

    A `.env` also has hosts, levels and addresses, which may stand anywhere.
    """
    return _is_secret(name, value, looks_secret)


def is_masked(name: str, value: str) -> bool:
    """Whether a variable's value is kept out of what is told: by more names than an error."""
    return _is_secret(name, value, may_be_secret)


def _is_secret(name: str, value: str, by_name: Callable[[str], bool]) -> bool:
    if has_password(value):
        return True
    if name.endswith(("_FILE", "_PATH", "_DIR", "_URL")) or "://" in value:
        return False
    if _RANDOM.fullmatch(value):  # base64 may begin with a slash, as a path does
        return True
    if _NO_VALUE.match(value) or not any(hidden([value], public="")):
        return False
    return by_name(name)


def _shapes(value: str, public: str) -> list[str]:
    """How a value may look in a file; a password alone only where it is no word, as `postgres`."""
    found = set(hidden([value], public=public))
    return sorted(
        one for one in found if one == value or (len(one) >= _SHORTEST and not one.isalpha())
    )


class Needles:
    """What to look for.

    Args:
        values: variables; those that hold no secret are left out.
        public: names that are told anyway; a value that is part of them is no secret.
    """

    def __init__(self, values: Mapping[str, str], *, public: str) -> None:
        self.values = {
            name: tuple(shape.encode() for shape in shapes)
            for name, value in values.items()
            if is_secret(name, value) and (shapes := _shapes(value, public))
        }
        longest = (len(shape) for shapes in self.values.values() for shape in shapes)
        self.overlap = max(longest, default=0)

    def search(self, path: str) -> Search:
        """A search through one file."""
        others = in_libraries(path) or path.startswith(_PACKAGES)
        return Search(self, keys=not others)

    def inside(self, texts: Iterable[str]) -> set[str]:
        """The names of those whose value stands in one of the texts."""
        search = Search(self, keys=True)
        for text in texts:
            search.feed(f"{text}\n".encode())
        return search.found


class Search:
    """A search through one stream that comes in blocks.

    Attributes:
        found: names of secrets whose value was there.
    """

    def __init__(self, needles: Needles, *, keys: bool) -> None:
        self.found: set[str] = set()
        self._needles = needles
        self._keys = keys
        self._tail = b""

    def feed(self, block: bytes) -> None:
        """Look through the next block; what begins in one and ends in the next is found."""
        text = self._tail + block
        for name, shapes in self._needles.values.items():
            if name not in self.found and any(shape in text for shape in shapes):
                self.found.add(name)
        if self._keys and PRIVATE_KEY not in self.found and _KEY.search(text):
            self.found.add(PRIVATE_KEY)
        keep = max(self._needles.overlap - 1, _LONGEST_KEY)
        self._tail = text[-keep:]
