"""Which routes answer of the application's health, in each of their dialects."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kubekit.detect.backend import Health
from kubekit.detect.report import Report
from kubekit.detect.routes import Route
from kubekit.errors import UsageError

_PLAIN = (
    "health",
    "healthz",
    "healthcheck",
    "health-check",
    "health_check",
    "_health",
    "heartbeat",
)
_LOOSE = ("ping", "status", "up", "ht")
_LIVE = ("live", "livez", "liveness", "alive", "health-live", "health_live")
_READY = ("ready", "readyz", "readiness", "health-ready", "health_ready")
_ABOUT = ("health", "healthz", "healthcheck", "probes", "probe", "status", "internal", "k8s", "api")


_WORTH = re.compile(
    rb"/_?(?:health|live|ready|readi|alive|ping|status|up\b|ht\b|heartbeat)|include_router|"
    rb"register_blueprint|\.mount\(|Mount\(|import \*",
    re.IGNORECASE,
)


def is_about(data: bytes) -> bool:
    """Whether a module may have a health route, or lead to one."""
    return _WORTH.search(data) is not None


def find_health(report: Report, routes: Sequence[Route]) -> Health:
    """Pick them by their last part, the shortest first; answers win.

    Raises:
        UsageError: an answer is no path.
    """
    found = {
        "health": _best(routes, _PLAIN) or _best([one for one in routes if _flat(one)], _LOOSE),
        "live": _best([one for one in routes if _about(one)], _LIVE),
        "ready": _best([one for one in routes if _about(one)], _READY),
    }
    paths: dict[str, str | None] = {}
    for key, route in found.items():
        if (answer := report.answers.get(key)) is not None:
            paths[key] = _answered(answer)
            continue
        paths[key] = route.path if route else None
        if route:
            what = {"health": "health", "live": "liveness", "ready": "readiness"}[key]
            report.found(f"{what} at {route.path}", route.file, route.line)
    if not any(paths.values()):
        report.assumed("no health route", "none of /health, /healthz, /livez, /readyz is there")
    return Health(plain=paths["health"], live=paths["live"], ready=paths["ready"])


def _answered(answer: str) -> str | None:
    if answer and not answer.startswith("/"):
        raise UsageError(f"`{answer}` is no path of a route", hints=("such as `/health`",))
    return answer or None


def _parts(route: Route) -> list[str]:
    return [part for part in route.path.lower().split("/") if part]


def _flat(route: Route) -> bool:
    """Whether it is of the whole service: `/api/status`, but not `/orders/status`."""
    parts = _parts(route)
    return len(parts) == 1 or all(part in _ABOUT or part[:1] == "v" for part in parts[:-1])


def _about(route: Route) -> bool:
    parts = _parts(route)
    return _flat(route) or any(part in _ABOUT for part in parts[:-1])


def _best(routes: Sequence[Route], names: tuple[str, ...]) -> Route | None:
    fitting = [
        route
        for route in routes
        if (parts := _parts(route)) and parts[-1] in names and not set("{<(") & set(route.path)
    ]
    return min(
        fitting,
        key=lambda one: (names.index(_parts(one)[-1]), len(_parts(one)), len(one.path), one.path),
        default=None,
    )
