"""Dependencies that PyPI has only as source: what Debian must bring to compile and to run them."""

from __future__ import annotations

from collections.abc import Iterable

COMPILER = ("gcc", "libc6-dev")

_NEEDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "psycopg2": (("libpq-dev",), ("libpq5",)),
    "psycopg-c": (("libpq-dev",), ("libpq5",)),
    "mysqlclient": (("default-libmysqlclient-dev", "pkg-config"), ("libmariadb3",)),
    "python-ldap": (("libldap2-dev", "libsasl2-dev"), ("libldap2", "libsasl2-2")),
    "uwsgi": ((), ()),
    "pycairo": (("libcairo2-dev", "pkg-config"), ("libcairo2",)),
    "pygraphviz": (("libgraphviz-dev", "pkg-config"), ("graphviz",)),
    "pygobject": (("libgirepository-2.0-dev", "pkg-config"), ("libgirepository-2.0-0",)),
    "dbus-python": (("libdbus-1-dev", "libglib2.0-dev", "pkg-config"), ("libdbus-1-3",)),
    "pyaudio": (("portaudio19-dev",), ("libportaudio2",)),
    "netifaces": ((), ()),
    "pysqlcipher3": (("libsqlcipher-dev",), ("libsqlcipher1",)),
    "systemd-python": (("libsystemd-dev", "pkg-config"), ("libsystemd0",)),
    "gssapi": (("libkrb5-dev",), ("libgssapi-krb5-2",)),
    "mpi4py": (("libopenmpi-dev",), ("libopenmpi40",)),
    "pylibmc": (("libmemcached-dev", "zlib1g-dev"), ("libmemcached11t64",)),
    "python-prctl": (("libcap-dev",), ("libcap2",)),
}
"""By the name on PyPI, of what has no wheel for Linux: packages for the build, and to keep."""

_RUN: dict[str, tuple[str, ...]] = {
    "pyodbc": ("unixodbc",),
    "weasyprint": ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"),
    "python-magic": ("libmagic1t64",),
    "opencv-python": ("libgl1", "libglib2.0-0t64"),
    "cairosvg": ("libcairo2",),
}
"""Wheels that load a library which they do not bring."""


def known_names() -> frozenset[str]:
    """What is compiled wherever it is installed."""
    return frozenset(_NEEDS)


def packages_for(
    names: Iterable[str], *, own: bool = False, cloned: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Debian packages to compile with, and Debian packages to keep; sorted.

    Args:
        names: what is installed.
        own: whether the project compiles code of its own.
        cloned: whether something is cloned by git.
    """
    build: set[str] = set(COMPILER) if own else set()
    keep: set[str] = set()
    if cloned:
        build.update(("git", "ca-certificates"))
    for name in names:
        if name in _NEEDS:
            build.update(COMPILER, _NEEDS[name][0])
            keep.update(_NEEDS[name][1])
        keep.update(_RUN.get(name, ()))
    return tuple(sorted(build)), tuple(sorted(keep))


def compiled(names: Iterable[str]) -> tuple[str, ...]:
    """Which of the names are known to be compiled."""
    return tuple(sorted(known_names().intersection(names)))
