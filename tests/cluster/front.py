"""A TLS server in front of a Docker daemon, with a certificate that a test chooses."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 1 << 16


def authority(folder: Path) -> None:
    """A new authority with a client's certificate, as Minikube keeps them: ca, cert and key."""
    folder.mkdir(parents=True, exist_ok=True)
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    new += ["-addext", "keyUsage=critical,keyCertSign,digitalSignature"]  # Python 3.13 asks for it
    names = ["-nodes", "-days", "2", "-subj", "/CN=test"]
    keys = ["-keyout", f"{folder}/ca-key.pem", "-out", f"{folder}/ca.pem"]
    subprocess.run([*new, *names, *keys], check=True, capture_output=True)
    signed(folder, "cert.pem", "key.pem")


def signed(ca: Path, certificate: str, key: str, *, folder: Path | None = None) -> None:
    """A certificate for 127.0.0.1 of that authority, as files in the folder (or in its own)."""
    folder = folder or ca
    folder.mkdir(parents=True, exist_ok=True)
    request, extra = folder / "request.pem", folder / "extra"
    extra.write_text("subjectAltName=IP:127.0.0.1\n")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=front", "-keyout", str(folder / key), "-out", str(request)]
    subprocess.run([*new, *names], check=True, capture_output=True)
    sign = ["openssl", "x509", "-req", "-in", str(request), "-CA", str(ca / "ca.pem")]
    more = ["-CAkey", str(ca / "ca-key.pem"), "-days", "2", "-extfile", str(extra)]
    out = ["-set_serial", "7", "-out", str(folder / certificate)]
    subprocess.run([*sign, *more, *out], check=True, capture_output=True)


class Front:
    """Hands every connection on to a daemon; it can be given another certificate."""

    def __init__(self, upstream: str, certs: Path | None = None) -> None:
        self._upstream = upstream
        self._certs = certs
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Where it is, as docker-env would print it."""
        return f"tcp://127.0.0.1:{self.port}"

    def serve(self, folder: Path) -> None:
        """Take connections with `server.pem` of the folder, on the same port as before."""
        asyncio.run_coroutine_threadsafe(self._serve(folder), self._loop).result(10)

    def close(self) -> None:
        """Drop all."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0.05)  # until the transports are closed

    async def _serve(self, folder: Path) -> None:
        await self._stop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
        self._server = await asyncio.start_server(
            self._hand_on, "127.0.0.1", self.port, ssl=context
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(OSError, ssl.SSLError):
            there, back = await self._connect()
            self._open.add(back)
            both = {asyncio.create_task(_pump(reader, back))}
            both.add(asyncio.create_task(_pump(there, writer)))
            _, rest = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            back.close()
            self._open.discard(back)
        writer.close()
        self._open.discard(writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._upstream.startswith("unix://"):
            return await asyncio.open_unix_connection(self._upstream.removeprefix("unix://"))
        host, _, port = self._upstream.removeprefix("tcp://").partition(":")
        if self._certs is None:
            return await asyncio.open_connection(host, int(port))
        context = ssl.create_default_context(cafile=self._certs / "ca.pem")
        context.load_cert_chain(self._certs / "cert.pem", self._certs / "key.pem")
        return await asyncio.open_connection(host, int(port), ssl=context)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()


@contextlib.contextmanager
def in_front_of(upstream: str, folder: Path, certs: Path | None = None) -> Iterator[Front]:
    """A front with the certificate in the folder, for as long as the block lasts."""
    front = Front(upstream, certs)
    front.serve(folder)
    try:
        yield front
    finally:
        front.close()
