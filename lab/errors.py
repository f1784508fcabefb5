"""The one error of the lab."""

from __future__ import annotations


class LabError(Exception):
    """A cause and what to do about it; the command line prints it without a traceback."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
