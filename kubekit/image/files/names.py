"""Names of base images: what a misspelled one means, and which `ARG` it comes from. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from kubekit.image.files.dockerfile import Dockerfile
from kubekit.image.files.words import pairs

_OFFICIAL = frozenset(
    """
    adminer aerospike almalinux alpine amazoncorretto amazonlinux arangodb archlinux bash
    buildpack-deps busybox caddy cassandra chronograf clearlinux clojure composer consul
    couchbase couchdb crate dart debian docker drupal eclipse-mosquitto eclipse-temurin
    elasticsearch elixir erlang fedora flink fluentd gazebo gcc geonetwork ghost golang gradle
    groovy haproxy haskell haxe hitch httpd hylang ibmjava influxdb irssi jetty joomla jruby
    julia kapacitor kibana kong krakend liquibase logstash mageia mariadb matomo maven
    mediawiki memcached mongo mongo-express monica mono mysql nats neo4j neurodebian nextcloud
    nginx node odoo open-liberty openjdk oraclelinux orientdb percona perl php phpmyadmin
    photon postfixadmin postgres pypy python r-base rabbitmq rakudo-star redis redmine
    registry rethinkdb rocket.chat rockylinux ros ruby rust sapmachine satosa silverpeas solr
    sonarqube spark spiped storm swift swipl teamspeak telegraf tomcat tomee traefik ubuntu
    unit valkey varnish vault websphere-liberty wordpress xwiki yourls znc zookeeper
    """.split()  # noqa: SIM905 - as a list it would be a line per word
)
"""Of Docker's own library, whose names stand without a registry and a folder."""
_VARIANTS = ("alpine", "slim", "bookworm", "bullseye", "buster", "trixie", "windowsservercore")
"""Words behind the version in the tags of images of languages."""
_WITH_VARIANTS = frozenset({"golang", "node", "pypy", "python", "ruby", "rust"})
_WORD = re.compile(r"[a-z]+")
_VARIABLE = re.compile(r"\$\{?(\w+)")
_NEAR, _NEAR_WORD = 0.8, 0.75
"""How alike words have to be; of one as short as `slim` two letters may be swapped."""
_SHORTEST = 5
"""Letters: a shorter name is one slip away from too many that are meant as they are."""


def meant(reference: str) -> str | None:
    """The image of Docker's library that is probably meant; None where nothing looks misspelled."""
    prefix = next(
        (one for one in ("docker.io/library/", "library/") if reference.startswith(one)), ""
    )
    rest = reference.removeprefix(prefix)
    name, mark, tag = rest.partition(":")
    if set(rest) & set("/@"):
        return None
    near = (one for one in sorted(_OFFICIAL) if _slipped(name, one))
    right = name if name in _OFFICIAL else next(near, None)
    if right is None:
        return None
    found = f"{prefix}{right}{mark}{_tag(tag) if right in _WITH_VARIANTS else tag}"
    return found if found != reference else None


def stage(reference: str, above: Iterable[str]) -> str | None:
    """The name of a stage above that is probably meant by what no image is known by."""
    if set(reference) & set(":/@") or reference in _OFFICIAL:
        return None
    names = {one.lower(): one for one in above if one}
    close = difflib.get_close_matches(reference.lower(), sorted(names), n=1, cutoff=_NEAR)
    return names[close[0]] if close else None


def _slipped(written: str, right: str) -> bool:
    """Whether one letter is wrong, lacks or is too much, or two have changed places.

    A digit is no slip of the hand: `python3` is a name of its own.
    """
    if min(len(written), len(right)) < _SHORTEST:
        return False
    letters = enumerate(zip(written, right, strict=False))
    same = next((at for at, (one, other) in letters if one != other), min(len(written), len(right)))
    one, other = written[same:], right[same:]
    if one[:1].isdecimal():
        return False
    swapped = one[1::-1] + one[2:]
    return other in {swapped, one[1:]} or other[1:] in {one, one[1:]}


def _tag(tag: str) -> str:
    """The tag with each word that is nearly a known one made that."""

    def right(word: re.Match[str]) -> str:
        close = difflib.get_close_matches(word[0], _VARIANTS, n=1, cutoff=_NEAR_WORD)
        return close[0] if close else word[0]

    version, mark, variant = tag.partition("-")
    return f"{version}{mark}{_WORD.sub(right, variant)}"


def arguments(parsed: Dockerfile, written: str) -> Iterator[tuple[str, int]]:
    """The `ARG`s above the first `FROM` that a name is put together of, each with its line."""
    waiting, seen = _VARIABLE.findall(written), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for one in parsed.arguments:
            for declared, value in pairs(one):
                if declared == name and value:
                    yield name, one.line
                    waiting += _VARIABLE.findall(value)
