"""Certificates that run out: the API server's and the client's, and those of Docker in the node."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from kubekit.cluster.target import minikube_home
from kubekit.doctor.certificate import Validity, of_pem
from kubekit.doctor.known import Known
from kubekit.doctor.verdict import Verdict, broken, left_out, ok, warning
from kubekit.errors import shown

_SOON = timedelta(days=14)
_CONNECT_SECONDS = 5.0


class Dated(NamedTuple):
    """A certificate, whose it is, and from when to when it is valid."""

    whose: str
    validity: Validity


def of_api(known: Known) -> Verdict:
    """Those by which this machine and the API server know each other."""
    assert known.kube is not None
    configuration = known.kube.configuration
    files = {
        "the kubeconfig's authority": configuration.ssl_ca_cert,
        "the kubeconfig's client": configuration.cert_file,
    }
    found = _read((whose, Path(name)) for whose, name in files.items() if name)
    shown_by_server = "" if known.kube.proxy is not None else _asked(known.kube.host)
    if shown_by_server:
        found.append(Dated("the API server", of_pem(shown_by_server)))
    return judge(found, now=datetime.now(UTC), hint=_anew(known))


def of_docker(known: Known) -> Verdict:
    """Those by which this machine and the Docker in the node know each other."""
    assert known.profile is not None
    if not known.profile.has_docker:
        return left_out(f"`{known.profile.name}` has no Docker of its own to build in")
    home = minikube_home()
    files = {
        "Docker's authority": home / "certs" / "ca.pem",
        "Docker's client": home / "certs" / "cert.pem",
        "Docker in the node": home / "machines" / "server.pem",
    }
    found = _read((whose, file) for whose, file in files.items() if file.exists())
    return judge(found, now=datetime.now(UTC), hint=_anew(known))


def _anew(known: Known) -> str:
    if known.profile is None:
        return "ask whoever runs the cluster for new ones"
    return f"Minikube makes new ones: `minikube stop -p {known.profile.name}`, then `kubekit up`"


def _asked(host: str) -> str:
    """What the server shows, whoever has signed it; empty if nobody answers."""
    parts = urlsplit(host)
    if parts.scheme != "https" or parts.hostname is None:
        return ""
    try:
        address = (parts.hostname, parts.port or 443)
        return ssl.get_server_certificate(address, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError):
        return ""


def _read(files: Iterable[tuple[str, Path]]) -> list[Dated]:
    found = []
    for whose, file in files:
        try:
            found.append(Dated(whose, of_pem(file.read_text())))
        except ValueError as error:
            raise OSError(0, f"no certificate: {error}", str(shown(file))) from None
    return found


def judge(found: Sequence[Dated], *, now: datetime, hint: str) -> Verdict:
    """Whether all are valid now, and for how long.

    Args:
        found: those that there are.
        now: the time, with its zone.
        hint: how to get others.
    """
    if not found:
        return left_out("there are none")
    for whose, validity in found:
        if validity.begins > now:
            text = f"that of {whose} is valid only from {validity.begins:%Y-%m-%d %H:%M} UTC on"
            return broken(text, "see whether this machine's clock is right", cause="certificate")
    whose, validity = min(found, key=lambda one: one.validity.ends)
    end = f"{validity.ends:%Y-%m-%d}"
    if validity.ends <= now:
        return broken(f"that of {whose} ran out on {end}", hint, cause="certificate")
    if validity.ends - now < _SOON:
        return warning(f"that of {whose} runs out on {end}", hint, cause="certificate-ends")
    return ok(f"{len(found)} are valid; the first to run out is that of {whose}, on {end}")
