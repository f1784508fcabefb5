"""What a project may be called: it becomes the name of a Service, and stands in YAML as it is."""

from __future__ import annotations

from kubekit.config.validators import label
from kubekit.errors import UsageError
from kubekit.init.template import yaml_word


def check_name(name: str) -> None:
    """Refuse a name that the API server, or YAML, would take for something else.

    Raises:
        UsageError: says what such a name is made of.
    """
    hints = ("choose one: `--name NAME`, or `--new NAME` for a new project",)
    try:
        label(name)
    except ValueError as error:
        raise UsageError(str(error), hints=hints) from None
    if not name[0].isalpha():
        raise UsageError(f"the Service `{name}` has to begin with a letter", hints=hints)
    if yaml_word(name) != name:
        raise UsageError(f"`{name}` is no text in YAML", hints=hints)
