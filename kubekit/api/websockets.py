"""A websocket to the API server: the way to a port, a program or the input of a pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubekit.api.kube import CONNECT_SECONDS, Kube

if TYPE_CHECKING:
    import websocket


def connect(
    kube: Kube, path: str, *, protocol: str, seconds: float = CONNECT_SECONDS
) -> websocket.WebSocket:
    """Open a websocket with the credentials of `kube`; `seconds` are its timeout from then on, too.

    The `kubernetes` package would replace `ApiClient.request` meanwhile, for every thread, forward
    on a thread of its own that outlives the call, and connect without a timeout.

    Args:
        kube: whose API server and credentials.
        path: what is asked for, with its query.
        protocol: the subprotocol, such as ``v5.channel.k8s.io``.
        seconds: for each step of connecting, at most `CONNECT_SECONDS`.

    Raises:
        websocket.WebSocketBadStatusException: the API server refused it; with the HTTP status.
        websocket.WebSocketException, OSError: it could not be reached.
    """
    import ssl

    import websocket

    settings, proxy = kube.configuration, kube.proxy
    verify = ssl.CERT_REQUIRED if settings.verify_ssl else ssl.CERT_NONE
    given = {
        "ca_certs": settings.ssl_ca_cert,
        "certfile": settings.cert_file,
        "keyfile": settings.key_file,
        "server_hostname": settings.tls_server_name,
    }
    tls = {key: value for key, value in given.items() if value}
    token = settings.get_api_key_with_prefix("BearerToken", alias="authorization")
    return websocket.create_connection(
        "ws" + kube.host.removeprefix("http") + path,
        timeout=min(seconds, CONNECT_SECONDS),
        header={"Authorization": token} if token else None,
        subprotocols=[protocol],
        suppress_origin=True,
        sslopt={"cert_reqs": verify, "check_hostname": bool(settings.verify_ssl), **tls},
        http_proxy_host=proxy.host if proxy else None,
        http_proxy_port=proxy.port if proxy else None,
        http_no_proxy=None if proxy else ["*"],
    )
