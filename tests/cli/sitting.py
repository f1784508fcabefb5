"""What `dev` does with a terminal, without a cluster: told what to do by its one argument.

``listen`` until `q`; ``stubborn``: it does not end at the first Ctrl-C; ``fail``: a defect.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

from kubekit.cli.running import on_signals
from kubekit.console import open_view
from kubekit.events import Ended, LogLine, Warned, Watching
from kubekit.model import Cancel

URL = "http://127.0.0.1:8000"


def main(manner: str) -> None:
    cancel = Cancel()
    on_signals(cancel)
    view = open_view(output="text", verbosity=0)
    over = threading.Event()
    cancel.on_set(over.set)

    def asked(key: str) -> None:
        view(Warned(text=f"asked for {key}"))
        if key == "q":
            over.set()

    with contextlib.closing(view):
        with view.keys(asked):
            view(Watching(text="2 pods", well=True, url=URL))
            if manner == "fail":
                raise AssertionError
            for number in range(int(os.environ.get("LINES_LOGGED", "0"))):
                view(LogLine(pod="web-1", container="app", at="", line=f"line {number}"))
            over.wait()
            if manner == "stubborn":
                view(Warned(text="tearing down"))
                threading.Event().wait()
        view(Ended(text="nothing is left", seconds=1.0))


if __name__ == "__main__":
    main(sys.argv[1])
