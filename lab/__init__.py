"""A real Minikube on a machine that has none: `python -m lab up | down | status | env`."""

from __future__ import annotations

from lab.errors import LabError
from lab.profiles import profile
from lab.session import down, environment, status, up

__all__ = ["LabError", "down", "environment", "profile", "status", "up"]
