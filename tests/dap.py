"""A debugger by hand: the few messages of DAP that an editor exchanges with debugpy."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]
PATIENCE = 60.0
"""Seconds that is waited for what must come; never a measure of how quick it was."""


class Debugger:
    """A connection to a debugger, from the first message on."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._stream = self._sock.makefile("rb", buffering=0)
        self._count = 0
        self._heard: list[Message] = []

    def attach(self, breakpoints: Path | str, line: int, **entry: Any) -> None:
        """Attach as an editor does that has one breakpoint, in a file here."""
        self.ask("initialize", adapterID="debugpy", pathFormat="path", linesStartAt1=True)
        asked = self._send("attach", **{"type": "debugpy", "request": "attach", **entry})
        self.event("initialized")
        source = {"path": str(breakpoints)}
        set_ = self.ask("setBreakpoints", source=source, breakpoints=[{"line": line}])
        assert [one["verified"] for one in set_["breakpoints"]] == [True], set_
        self.ask("configurationDone")
        self._answer(asked)

    @property
    def heard(self) -> list[str]:
        """What was said and not asked for yet, in short."""
        return [str(one.get("event") or one.get("command")) for one in self._heard]

    @property
    def has_stopped(self) -> bool:
        """Whether a breakpoint was met; waits a moment for what comes."""
        while select.select([self._sock], [], [], 0.1)[0]:
            self._heard.append(self._read())
        return any(one.get("event") == "stopped" for one in self._heard)

    def stopped(self) -> tuple[int, Message]:
        """Wait for the breakpoint: the thread, and its innermost frame."""
        stop = self.event("stopped")
        assert stop["reason"] == "breakpoint", stop
        thread = int(stop["threadId"])
        return thread, self.ask("stackTrace", threadId=thread)["stackFrames"][0]

    def variables(self, frame: Message) -> dict[str, str]:
        """The local variables of a frame, as text."""
        scopes = self.ask("scopes", frameId=frame["id"])["scopes"]
        reference = next(one for one in scopes if one["name"] == "Locals")["variablesReference"]
        found = self.ask("variables", variablesReference=reference)["variables"]
        return {one["name"]: one["value"] for one in found}

    def go_on(self, thread: int) -> None:
        """Let the program go on."""
        self.ask("continue", threadId=thread)

    def ask(self, command: str, **arguments: Any) -> Message:
        """A request and the body of its answer, which must be well."""
        return self._answer(self._send(command, **arguments))

    def event(self, name: str) -> Message:
        """The next event of this name, as its body."""
        found = self._until(lambda one: one["type"] == "event" and one["event"] == name)
        body: Message = found.get("body") or {}
        return body

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._sock.close()

    def _send(self, command: str, **arguments: Any) -> int:
        self._count += 1
        message = {"seq": self._count, "type": "request", "command": command}
        body = json.dumps({**message, "arguments": arguments}).encode()
        self._sock.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return self._count

    def _answer(self, to: int) -> Message:
        found = self._until(lambda one: one["type"] == "response" and one["request_seq"] == to)
        assert found["success"], found
        body: Message = found.get("body") or {}
        return body

    def _until(self, when: Callable[[Message], bool]) -> Message:
        end = time.monotonic() + PATIENCE
        looked = 0
        while time.monotonic() < end:
            for number in range(looked, len(self._heard)):
                if when(self._heard[number]):
                    return self._heard.pop(number)
            looked = len(self._heard)
            self._heard.append(self._read())
        raise AssertionError(f"it was not said: {self._heard}")

    def _read(self) -> Message:
        size = 0
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        body = b""
        while len(body) < max(1, size):
            part = self._stream.read(size - len(body))
            assert part, f"the debugger has hung up: {self._heard}"
            body += part
        message: Message = json.loads(body)
        return message
