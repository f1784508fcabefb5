"""What kubekit.yaml may hold: its model, its JSON schema, and what is said of what is wrong."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from kubekit.config.validators import (
    BUILT_IN_VARIABLES,
    LABEL,
    MAX_PORT,
    REGISTRY,
    absolute,
    check_port,
    factor,
    label,
    registry,
    seconds,
    variable,
)
from kubekit.errors import Place, UsageError
from kubekit.text.strictyaml import Document, dotted, load_all, noun

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails


_Port = Annotated[
    int,
    AfterValidator(check_port),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_PORT}),
]
_Label = Annotated[
    str,
    AfterValidator(label),
    WithJsonSchema({"type": "string", "pattern": f"^{LABEL.pattern}$"}),
]
_Registry = Annotated[
    str,
    AfterValidator(registry),
    WithJsonSchema({"type": "string", "pattern": f"^{REGISTRY.pattern}$"}),
]
_Text = Annotated[str, Field(min_length=1)]
_Variables = Annotated[
    dict[Annotated[str, AfterValidator(variable)], Any],
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {
                "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                "not": {"enum": list(BUILT_IN_VARIABLES)},
            },
        }
    ),
]
_Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number", "exclusiveMinimum": 0}]}),
]

_Factor = Annotated[
    float,
    AfterValidator(factor),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


class Secret(_Section):
    """Where the value of a build secret comes from: one of these."""

    file: _Text | None = None
    """File that holds it, relative to kubekit.yaml."""
    env: _Text | None = None
    """Environment variable that holds it."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (self.env is None):
            raise ValueError("expected `{file: PATH}` or `{env: NAME}`")
        return self


class Build(_Section):
    """What the image is built from; leave the whole section out when there is nothing to build."""

    context: _Text
    """Folder that is sent to the builder, relative to kubekit.yaml."""
    dockerfile: _Text | None = None
    """The Dockerfile, relative to kubekit.yaml; default: `Dockerfile` in the context."""
    target: _Text | None = None
    """Stage of the Dockerfile to build; default: the last one."""
    args: dict[str, str] = Field(default_factory=dict)
    """Build arguments, name to text. They end in the image's history: no place for secrets."""
    secrets: dict[_Text, Secret] = Field(default_factory=dict)
    """Secrets of the build: the ID of `RUN --mount=type=secret,id=ID`, and where its value is."""


class Sync(_Section):
    """A folder whose changed files are copied into the running container."""

    src: _Text
    """Folder on this machine, relative to kubekit.yaml."""
    dest: Annotated[
        str, AfterValidator(absolute), WithJsonSchema({"type": "string", "pattern": "^/"})
    ]
    """Where it lies in the container."""


class Dev(_Section):
    """What `kubekit dev` does beside building and applying."""

    port: _Port | None = None
    """Local port; it leads to the first port of the Service, or else to the first containerPort."""
    sync: list[Sync] = Field(default_factory=list)
    """Folders to copy into the container instead of building anew."""
    teardown: bool = True
    """Remove everything at the end."""


class Project(_Section):
    """kubekit.yaml: one project that is built, applied and watched as one."""

    name: _Label
    """Name of the image, value of the part-of label, and the default namespace."""
    profile: _Text | None = None
    """Minikube profile; default: KUBEKIT_PROFILE, MINIKUBE_PROFILE, Minikube's active profile."""
    context: _Text | None = None
    """Kubeconfig context of a cluster that is no Minikube; it must be in `allow_contexts`."""
    namespace: _Label | None = None
    """Namespace everything lives in, created if missing; default: the name."""
    build: Build | None = None
    registry: _Registry | None = None
    """Registry to push the image to and to pull it from, such as `registry.example.com/team`."""
    manifests: list[_Text] = Field(default_factory=lambda: ["manifests"])
    """Files or folders, relative to kubekit.yaml; `*.j2` are templates."""
    env_file: _Text | None = None
    """File of `KEY=value` lines that becomes the Secret; default: `.env` if there is one."""
    values: _Variables = Field(default_factory=dict)
    """Variables for the templates, beside name, namespace, image, secret and env."""
    timeout: _Seconds = 120.0
    """How long the rollout may take, such as 120s or 2m; not for the build."""
    patience: _Factor = 1.0
    """How many times as long as usual to wait before something that may pass is called failed."""
    tolerate: list[_Text] = Field(default_factory=list)
    """Ids of causes that do not end the wait, such as `crash-loop`; they are only told."""
    dev: Dev = Field(default_factory=Dev)
    allow_contexts: list[_Text] = Field(default_factory=list)
    """Contexts kubekit may act on although they are no Minikube it can prove."""


def schema() -> dict[str, Any]:
    """The JSON schema of kubekit.yaml, for editors."""
    return Project.model_json_schema()


_SECTIONS: dict[tuple[str, ...], type[_Section]] = {
    (): Project,
    ("build",): Build,
    ("build", "secrets"): Secret,
    ("dev",): Dev,
    ("dev", "sync"): Sync,
}
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def parse(text: str, *, file: Path) -> tuple[Project, Document]:
    """Read the text of a kubekit.yaml.

    Raises:
        UsageError: it is no YAML, or keys and values in it are wrong, all of them named at once.
    """
    documents = load_all(text, file=file, error=UsageError)
    if len(documents) > 1:
        raise UsageError("kubekit.yaml is one document", place=documents[1].place(()))
    document = (
        documents[0]
        if documents
        else Document(data={}, file=file, places={(): Place(file=file, line=1)})
    )
    try:
        return Project.model_validate(_without_nothing(document.data)), document
    except ValidationError as caught:
        errors = caught.errors(include_url=False)
    problems = [_problem(error, document) for error in errors]
    problems.sort(key=lambda problem: (problem[0].line or 0, problem[0].column or 0))
    raise UsageError.of(problems) from None


def _without_nothing(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out keys that have no value, such as a section whose lines are all comments."""
    return {
        key: _without_nothing(value)
        if key in {"build", "dev"} and isinstance(value, dict)
        else value
        for key, value in data.items()
        if value is not None
    }


def _problem(error: ErrorDetails, document: Document) -> tuple[Place, str]:
    path = tuple(part for part in error["loc"] if part != "[key]")
    name = dotted(path)
    match error["type"]:
        case "extra_forbidden":
            text = _unknown(path)
        case "missing":
            text = f"`{name}` is missing"
        case "value_error":
            text = f"`{name}`: {error['ctx']['error']}"
        case "string_too_short":
            text = f"`{name}` is empty"
        case kind:
            got = noun(error["input"])
            text = f"`{name}` must be {_EXPECTED.get(kind, 'something else')}, got {got}"
            if kind == "string_type" and got not in {"a list", "a mapping"}:
                text += "; put it in quotes"
    return document.place(path), text


def _unknown(path: tuple[int | str, ...]) -> str:
    """What an unknown key was probably meant to be."""
    key = str(path[-1])
    section = tuple(part for part in path[:-1] if isinstance(part, str))
    if section[:2] == ("build", "secrets"):  # below it an id, which is the user's own
        section = section[:2]
    text = f"unknown key `{dotted(path)}`"
    known = _SECTIONS[section].model_fields
    if close := difflib.get_close_matches(key, known, n=1):
        return f"{text}; did you mean `{close[0]}`?"
    homes = [
        f"under `{'.'.join(other)}`" if other else "at the top level"
        for other, model in _SECTIONS.items()
        if key in model.model_fields
    ]
    if not section and not homes:
        return f"{text}; a variable for the templates belongs under `values`"
    return f"{text}; it belongs {' or '.join(homes)}" if homes else text
