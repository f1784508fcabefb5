"""`kubekit dev` as a whole: what it consists of, put together and, at the end, taken apart."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from kubekit import workflow
from kubekit.api.feed import Feed
from kubekit.api.follow import Changed, Update
from kubekit.api.kube import Kube
from kubekit.api.lease import Lease
from kubekit.api.ownership import OwnedSet
from kubekit.api.podsecrets import Masks
from kubekit.api.resources import EVENTS, NAMESPACE, PODS
from kubekit.dev.answering import Started
from kubekit.dev.debug import PORT, debugging, zipped
from kubekit.dev.happening import Crashed, Pressed, Stop
from kubekit.dev.loop import Loop
from kubekit.dev.memory import one_heap
from kubekit.dev.pods import Pods
from kubekit.dev.syncing import Saved
from kubekit.dev.tracebacks import Tracebacks
from kubekit.dev.watch import Watch
from kubekit.errors import KubekitError, SupersededError, UsageError
from kubekit.events import Emit, Ended, Event, Following, LogLine, Warned
from kubekit.model import Cancel, ClusterTarget, Settings
from kubekit.redact import Redactor
from kubekit.session import Run, connect
from kubekit.streams.listener import Listener
from kubekit.streams.logs import Logs, moment
from kubekit.turn import DEV, its_turn

LOCAL_PORT = 8000

Keyboard = Callable[[Callable[[str], None]], AbstractContextManager[object]]
"""Calls back with each key while it is open."""


def dev(
    load: Callable[[], Settings],
    run: Run,
    *,
    keep: bool = False,
    debug: bool = False,
    keyboard: Keyboard = lambda _: contextlib.nullcontext(),
) -> None:
    """Build and apply, then bring every save into the running app, until it is cancelled.

    Args:
        load: reads the settings, now and whenever kubekit.yaml changes.
        run: of this command.
        keep: leave what runs at the end, instead of a teardown.
        debug: let a debugger attach to the app.
        keyboard: where keys come from.

    Raises:
        SupersededError: another run has taken over; what runs is left to that one.
        KubekitError: it cannot begin; what fails later is told, and it goes on.
    """
    start = run.clock.now()
    one_heap()
    settings = load()
    debugger = _debugger(settings) if debug else None
    target, kube = connect(settings, run)
    tell, masked = run.emit, _Masked(run.emit)
    run = Run(emit=masked, clock=run.clock, cancel=run.cancel)
    workflow.remind(settings, run)
    keep = keep or not settings.dev.teardown
    keys = _Keys()
    owned = OwnedSet(project=settings.name, namespace=settings.namespace)
    mine = its_turn(target, kube, owned, command=DEV, emit=run.emit, cancel=run.cancel)
    with keyboard(keys), mine as turn:
        kube = turn.lease.guard(kube)
        try:
            with ExitStack() as stack:
                session = _Session(load, settings, target, kube, run, masked, tell, debugger, stack)
                session.go_on(keys, turn.lease)
        except BrokenPipeError:  # nobody reads any more, which ends it as Ctrl-C does
            if not keep:
                workflow.teardown(settings, Run(emit=lambda _: None), turn=turn)
            raise
        except SupersededError:
            raise
        except Exception as error:
            # If the run is cancelled, a failure is what a part met that was cut off.
            if not (isinstance(error, KubekitError) and run.cancel.is_set()):
                text, hints = _stays(settings, target)
                run.emit(Warned(text=text, hints=hints))
                raise
        if not keep:
            # The cancel of this run has done its part; a second Ctrl-C ends the process at once.
            end = Run(emit=masked, clock=run.clock, cancel=Cancel())
            workflow.teardown(settings, end, turn=turn)
            return
    text, hints = _stays(settings, target)
    run.emit(Ended(text=text, seconds=run.clock.now() - start, hints=hints))


def _stays(settings: Settings, target: ClusterTarget) -> tuple[str, tuple[str, ...]]:
    """What to say, and to do, about what is not taken down."""
    with contextlib.suppress(KubekitError):  # without an answer there may well be something
        kube = Kube(context=target.context, cancel=Cancel())  # the run's own is cut off by now
        live = kube.get(NAMESPACE.path("", settings.namespace), patience=0)
        if live is None or "deletionTimestamp" in live["metadata"]:
            return f"nothing runs: there is no namespace `{settings.namespace}`", ()
    hints = ("take it away with `kubekit teardown`",)
    return f"what runs in namespace `{settings.namespace}` stays", hints


class _Keys:
    """Takes keys until the very end, so that none is echoed; those of a teardown go nowhere."""

    def __init__(self) -> None:
        self.take: Callable[[str], None] = lambda _: None

    def __call__(self, key: str) -> None:
        self.take(key)


def _debugger(settings: Settings) -> bytes:
    """What the pods need.

    Raises:
        UsageError: nothing is synced, so nothing of ours runs in them.
        MissingError: it is not on this machine.
    """
    if not settings.dev.sync:
        raise UsageError(
            "`--debug` needs `dev.sync`, which is empty",
            hints=("name the folder of the sources there, such as `{src: src, dest: /app/src}`",),
            id="debug-needs-sync",
        )
    return zipped()


@contextlib.contextmanager
def _watched_threads(deliver: Callable[[Crashed], None]) -> Iterator[None]:
    """Hand on what a thread dies of: a loop that waits for a dead thread would wait for ever."""

    def died(arguments: threading.ExceptHookArgs) -> None:
        if isinstance(arguments.exc_value, Exception):
            deliver(Crashed(error=arguments.exc_value))

    before, threading.excepthook = threading.excepthook, died
    try:
        yield
    finally:
        threading.excepthook = before


class _Masked:
    """Tells events without the secret values of the files, of all that were ever read."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._values: frozenset[str] = frozenset()
        self._redactor = Redactor()

    def hide(self, values: frozenset[str]) -> None:
        """Hide these, too."""
        if not values <= self._values:
            self._values |= values
            self._redactor = Redactor(self._values)

    def __call__(self, event: Event, /) -> None:
        self._emit(self._redactor.clean(event))

    def line(self, text: str) -> str:
        """The same for a line of a log, of which there may be thousands a second."""
        return self._redactor.clean(text)


class _Session:
    """All that goes on at once; each part ends with the stack it was put on."""

    def __init__(
        self,
        load: Callable[[], Settings],
        settings: Settings,
        target: ClusterTarget,
        kube: Kube,
        run: Run,
        masked: _Masked,
        tell: Emit,
        debugger: bytes | None,
        stack: ExitStack,
    ) -> None:
        self._run = run
        self._stack = stack
        self._tell = tell
        self._tracebacks = Tracebacks()
        self._followed: dict[str, tuple[str, ...]] = {}
        self._kube = kube
        self._namespace = settings.namespace
        self._pods = Pods()
        turn = itertools.count()
        self._listener = Listener(
            kube,
            settings.namespace,
            port=settings.dev.port or LOCAL_PORT,
            choose=lambda: self._pods.choose(next(turn)),
            emit=run.emit,
            why=lambda: "no pod is ready: `kubekit dev` tells why",
            ahead=self._pods.newest,
            there=self._pods.has,
        )
        stack.callback(self._listener.close)
        self._masks = Masks(kube, settings.namespace, settings)
        self._masked = masked
        self._logs = Logs(
            kube,
            settings.namespace,
            deliver=self._log,
            clean=self._clean,
            since=moment(kube.server_now()),  # what ran before has said enough by then
        )
        stack.callback(self._logs.close)
        self._watch = Watch(self._saved, emit=run.emit)
        stack.callback(self._watch.close)
        self._feed = Feed(kube, settings.namespace)
        stack.callback(self._feed.close)
        self._loop = Loop(
            load,
            target,
            kube,
            run,
            pods=self._pods,
            url=self._listener.url,
            watch=self._watch.on,
            changed=self._changed,
            reach=self._listener.connect,
            feed=self._feed,
            hide=masked.hide,
            debugger=debugger,
        )
        stack.callback(self._loop.close)
        self._debug = self._debug_port(settings) if debugger else None

    def _debug_port(self, settings: Settings) -> Listener:
        """A port here that leads to the debugger in the newest pod, and how to use it."""
        listener = Listener(
            self._kube,
            settings.namespace,
            port=PORT,
            choose=lambda: (pod, PORT) if (pod := self._pods.newest()) else None,
            emit=lambda _: None,
            there=self._pods.has,
        )
        self._stack.callback(listener.close)
        self._run.emit(debugging(settings, listener.port))
        return listener

    def go_on(self, keys: _Keys, lease: Lease) -> None:
        """Until somebody wants it to end, another run takes over, or a thread dies of a defect."""
        self._stack.enter_context(_watched_threads(self._loop.queue.put))
        pods = self._feed.following({"Pod": PODS}, self._loop.queue.put)
        self._stack.enter_context(pods)
        events = self._feed.following({"Event": EVENTS}, self._heard)
        self._stack.enter_context(events)
        lease.on_lost(lambda error: self._loop.queue.put(Crashed(error=error)))
        self._run.cancel.on_set(lambda: self._loop.queue.put(Stop()))
        keys.take = self._pressed
        self._loop.run()

    def _saved(self, paths: frozenset[Path]) -> None:
        self._loop.queue.put(Saved(paths=paths, at=time.monotonic()))

    def _heard(self, event: Update) -> None:
        """The kubelet tells at once that a container starts; its pod's status has it later."""
        if not isinstance(event, Changed) or event.gone or event.item.get("reason") != "Started":
            return
        of = event.item.get("involvedObject") or {}
        if str(of.get("fieldPath")).startswith("spec.containers{"):
            self._loop.queue.put(Started(uid=str(of.get("uid"))))

    def _changed(self) -> None:
        self._listener.notify()
        if self._debug:
            self._debug.notify()
        pods = self._pods.present()
        followed = {
            str(pod["metadata"]["name"]): tuple(one["name"] for one in pod["spec"]["containers"])
            for pod in pods
        }
        if followed != self._followed:
            self._followed = followed
            for pod in pods:
                with contextlib.suppress(KubekitError):  # what may not be read cannot be masked
                    self._masks.learn(pod)
            self._run.emit(Following(pods=followed, probes=self._pods.probes()))
        self._logs.listed(pods)

    def _clean(self, line: str) -> str:
        return self._masked.line(self._masks.clean(line))

    def _log(self, line: LogLine) -> None:
        self._tell(line)
        if raised := self._tracebacks.take(line):
            self._loop.queue.put(raised)

    def _pressed(self, key: str) -> None:
        if key == "q":
            self._run.cancel.set()
        else:
            self._loop.queue.put(Pressed(key=key))
