"""What is changed in uvicorn when a program imports it, for `serving.py`.

Mounted into pods beside `supervisor.py`: standard library only, Python 3.10 and later. Nothing of
uvicorn is imported before the program does it.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from kubekit.pod.serving import Channel, Serving

_KEPT_ERRORS = 64
_WILL_NOT_START = 3
"""The exit code of a worker of uvicorn that would fail the next time, too."""


def hook(serving: Serving) -> None:
    """Change uvicorn in this process, now or as soon as it is imported."""
    changes = {
        "uvicorn.server": _change_server,
        "uvicorn.supervisors.multiprocess": _change_workers,
    }
    for name, change in changes.items():
        if name in sys.modules:
            change(sys.modules[name], serving)
    left = {name: change for name, change in changes.items() if name not in sys.modules}
    if left:
        # Not of `importlib.abc`, which is slow to import, and which nothing asks for.
        sys.meta_path.insert(0, cast(Any, _Hook(left, serving)))


class _Hook:
    """Finds modules as the others do, and changes them when they have been run."""

    def __init__(self, changes: dict[str, Callable[..., None]], serving: Serving) -> None:
        self._changes = changes
        self._serving = serving

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = self._changes.get(fullname)
        if change is None:
            return None
        others = (one for one in sys.meta_path if one is not self)
        specs = (one.find_spec(fullname, path, target) for one in others)
        spec = next((one for one in specs if one is not None), None)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                change(module, self._serving)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _change_server(module: Any, serving: Serving) -> None:
    from uvicorn.config import Config  # type: ignore[import-not-found]

    server, config = module.Server, Config
    serve, startup, shutdown = server.serve, server.startup, server.shutdown
    bind = config.bind_socket

    async def new_serve(self: Any, sockets: list[socket.socket] | None = None) -> None:
        serving.listen(self.config, sockets)
        await serve(self, sockets)

    async def new_startup(self: Any, sockets: list[socket.socket] | None = None) -> None:
        early = False
        if sockets is None and self.config.fd is None:
            early = serving.is_early(self.config)
            sockets = serving.sockets(self.config)
        if early:
            # The app itself may hang before uvicorn listens, as when it waits for a database.
            then = partial(serving.serve, self.config)
            self.lifespan.startup = _followed(self.lifespan.startup, then)
        await startup(self, sockets)
        if self.started:
            if early:
                self._log_started_message(sockets)  # which uvicorn takes for told by who bound
            serving.started(self)

    async def new_shutdown(self: Any, sockets: list[socket.socket] | None = None) -> None:
        if serving.leaving and hasattr(self, "kubekit_served"):
            await self.kubekit_served.finish()
        await shutdown(self, sockets)

    server.serve, server.startup, server.shutdown = new_serve, new_startup, new_shutdown
    if hasattr(config, "load_app"):
        _change_load(config, serving)
    config.bind_socket = lambda self: serving.bound(self, bind)
    # `reload=True` of the program would start another process that watches for changes.
    config.should_reload = property(lambda _self: False)
    _keep_errors(serving)


def _followed(
    first: Callable[[], Awaitable[None]], then: Callable[[], None]
) -> Callable[[], Awaitable[None]]:
    async def followed() -> None:
        await first()
        then()

    return followed


def _change_load(config: Any, serving: Serving) -> None:
    """Listen before `uvicorn.run` loads the app, which it does before it makes a server.

    It alone calls `load_app` directly. Who calls `load` may have sockets of its own.
    """
    load, load_app = config.load, config.load_app

    def new_load(self: Any) -> None:
        self.load_app = partial(load_app, self)
        load(self)

    def new_load_app(self: Any) -> Any:
        serving.listen(self)
        return load_app(self)

    config.load, config.load_app = new_load, new_load_app


def _keep_errors(serving: Serving) -> None:
    """Keep what is logged as an error until the program serves: uvicorn logs why it does not."""
    import logging

    call = logging.Logger.callHandlers

    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR and len(serving.errors) < _KEPT_ERRORS:
            with contextlib.suppress(Exception):
                serving.errors.append(logging.Formatter().format(record))
        call(self, record)

    logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign]


def _change_workers(module: Any, serving: Serving) -> None:
    def run(self: Any) -> None:
        Workers(self, serving).run()

    module.Multiprocess.run = run


class Workers:
    """Several workers of uvicorn, forked from this process, which has imported it.

    Args:
        multiprocess: uvicorn's own object for them: its configuration, sockets and signals.
    """

    def __init__(self, multiprocess: Any, serving: Serving) -> None:
        self._config, self._sockets = multiprocess.config, multiprocess.sockets
        self._signals: list[int] = multiprocess.signal_queue
        self._serving = serving
        self._processes: list[Any] = []

    def run(self) -> None:
        """Keep as many workers as were asked for, until a signal or the supervisor ends them."""
        from multiprocessing.connection import wait

        self._serving.tell({"say": "workers", "count": self._config.workers})
        for _ in range(self._config.workers):
            self._start()
        while self._processes:
            wait([one.sentinel for one in self._processes], timeout=0.5)
            if {signal.SIGTERM, signal.SIGINT} & set(self._signals):
                for one in self._processes:
                    one.terminate()
            elif not self._serving.told_to_leave():
                self._replace()
                continue
            for one in self._processes:
                one.join()
            return

    def _start(self) -> None:
        import multiprocessing

        channel = self._serving.worker()
        process = multiprocessing.get_context("fork").Process(target=self._work, args=(channel,))
        process.start()
        self._processes.append(process)

    def _replace(self) -> None:
        for one in [one for one in self._processes if not one.is_alive()]:
            self._processes.remove(one)
            if one.exitcode == _WILL_NOT_START:
                for other in self._processes:
                    other.terminate()
                    other.join()
                self._processes.clear()
                return
            self._start()

    def _work(self, channel: Channel) -> None:
        from uvicorn.server import Server  # type: ignore[import-not-found]

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        self._serving.become(channel)
        Server(self._config).run(self._sockets)
