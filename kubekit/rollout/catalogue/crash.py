"""Containers that start and exit (rows 16 to 29)."""

from __future__ import annotations

from kubekit.rollout.cause import Cause
from kubekit.rollout.crashes import crashed

# os.environ["NAME"], as the traceback of Python 3.11 and later shows it.
_NO_VARIABLE = r"in __getitem__\n(?:\s.*\n)*KeyError: '(?P<variable>[A-Z][A-Z0-9_]*)'"

CRASH: tuple[Cause, ...] = (
    Cause(
        id="out-of-memory",
        rows=(22,),
        signals="",
        find=crashed(restarts=2, reason="OOMKilled", field="resources.limits.memory"),
        cause="container `{container}` needs more memory than {allowed}",
        fix="{more}, or use less",
    ),
    Cause(
        id="exits-at-once",
        rows=(19,),
        signals="",
        find=crashed(restarts=2, code=(0,)),
        cause="container `{container}` ends by itself with exit code 0",
        fix="the server must stay in the foreground: check the command",
    ),
    Cause(
        id="wrong-architecture",
        rows=(17,),
        signals="",
        find=crashed(restarts=1, log="exec format error"),
        cause="container `{container}` holds a program for another kind of processor",
        fix="build the image for the node's architecture",
    ),
    Cause(
        id="dependency-unreachable",
        rows=(21,),
        signals="",
        find=crashed(
            restarts=3,
            quick=False,
            log=r"ECONNREFUSED|could not translate host name|Connection refused"
            r"|Name or service not known|Temporary failure in name resolution",
        ),
        cause="container `{container}` quits because something it needs cannot be reached: {last}",
        fix="deploy that first, or let the app try again instead of quitting",
    ),
    Cause(
        id="variable-missing",
        rows=(20,),
        signals="",
        find=crashed(restarts=2, log=_NO_VARIABLE, field="env"),
        cause="container `{container}` crashes because the variable `{variable}` is not set",
        fix="add `{variable}` to `.env`, or to the container's `env`",
    ),
    Cause(
        id="crash-loop",
        rows=(18, 23, 24, 26, 27, 28, 29),
        signals="",
        find=crashed(restarts=2),
        cause="container `{container}` crashes with exit code {code}: {last}",
        fix="correct what its log shows",
    ),
)
