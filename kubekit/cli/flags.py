"""The flags that several commands have, each with its annotation and its default."""

from typing import Annotated, Any

import typer

COMMON: dict[str, Any] = {
    "profile": (
        Annotated[str | None, typer.Option("--profile", "-p", help="Minikube profile.")],
        None,
    ),
    "context": (
        Annotated[str | None, typer.Option(help="Kubeconfig context, instead of a profile.")],
        None,
    ),
    "namespace": (Annotated[str | None, typer.Option("--namespace", "-n")], None),
    "file": (
        # Text: as a path, an empty one would be the current folder.
        Annotated[
            str | None, typer.Option("--file", "-f", metavar="PATH", help="kubekit.yaml to use.")
        ],
        None,
    ),
    "timeout": (
        Annotated[str | None, typer.Option(help="How long to wait for a rollout, such as 2m.")],
        None,
    ),
    "output": (Annotated[str, typer.Option("--output", "-o", help="text or json.")], "text"),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Only the end.")], False),
    "verbose": (Annotated[bool, typer.Option("--verbose", "-v", help="Every line.")], False),
    "yes": (Annotated[bool, typer.Option("--yes", help="Ask nothing.")], False),
}
JUDGING: dict[str, Any] = {
    "patience": (
        Annotated[
            str | None,
            typer.Option(metavar="FACTOR", help="Wait this many times as long as usual."),
        ],
        None,
    ),
    "tolerate": (
        Annotated[
            list[str] | None,
            typer.Option(metavar="CAUSE", help="Only tell of this cause (an id)."),
        ],
        None,
    ),
}
REGISTRY: dict[str, Any] = {
    "registry": (
        Annotated[
            str | None,
            typer.Option(
                metavar="HOST/PATH", help="Push the image there; pods pull it from there."
            ),
        ],
        None,
    ),
}
CONSENT: dict[str, Any] = {
    "take_ownership": (
        Annotated[
            bool,
            typer.Option("--take-ownership", help="Take fields that another manager has set."),
        ],
        False,
    ),
    "recreate": (
        Annotated[
            bool,
            typer.Option(
                "--recreate", help="Delete and make anew what cannot be changed in place."
            ),
        ],
        False,
    ),
}
# Whoever reads logs means by `-f` to follow them; the file has its long name alone there.
FILE_LONG: dict[str, Any] = {
    "file": (Annotated[str | None, typer.Option(metavar="PATH", help="kubekit.yaml to use.")], None)
}
SETTINGS = ("profile", "context", "namespace", "file", "timeout", *JUDGING, *REGISTRY)
