"""The project's files -> its objects as the user wrote them; finds the environment's Secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from kubekit.config.files import asks_for_none, missing_env_hint
from kubekit.errors import FilesError, Place, shown
from kubekit.manifests.hashed import Renames, encoded, hashed_name
from kubekit.manifests.objects import read
from kubekit.manifests.podspec import clean
from kubekit.manifests.templates import Templates
from kubekit.model import Manifest, Settings
from kubekit.text.envfile import EnvFile
from kubekit.text.read import list_folder, read_text
from kubekit.text.strictyaml import FieldPath

SUFFIXES = (".yaml", ".yml", ".json", ".j2")
"""What else lies in a folder of manifests is none of them."""

# JSON is YAML but for this: it writes a character beyond U+FFFF as two escapes.
_SURROGATES = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


class Sources:
    """The files of one project, and what their templates get to see.

    Args:
        image: the variable `image`; None when nothing is built.
        env: the variable `env`, and what the environment's Secret is made of.

    Raises:
        FilesError: a file is not there, a template has a syntax error, or uses what there is not.
    """

    def __init__(self, settings: Settings, image: str | None, env: EnvFile | None) -> None:
        self._settings = settings
        self._paths = list(dict.fromkeys(_paths(settings)))
        self._templates = {
            folder: Templates(folder) for folder in {path.parent for path in self._paths}
        }
        self._uses = {path: self._used(path) for path in self._paths}
        self._env = env = self._environ() if env is None else env
        self._variables: dict[str, Any] = {
            **settings.values,
            "name": settings.name,
            "namespace": settings.namespace,
        }
        if image is not None:
            self._variables["image"] = image
        if env is not None:
            self._variables["env"] = dict(env.values)
        self._refuse_absent()

    def objects(self) -> tuple[list[Manifest], Renames]:
        """All objects, and the name that the environment's Secret is to get.

        The templates see that name as `secret`, though it follows from what a template makes; so
        the one with the Secret is rendered once before.

        Raises:
            FilesError: a template fails, makes no YAML, or an object in it is no object.
        """
        if self._env is None:
            return [manifest for path in self._paths for manifest in self._read(path)], {}
        secret, path = self._environment(self._env)
        self._variables["secret"] = name = hashed_name(secret)
        manifests = []
        for source in self._paths:
            for manifest in self._read(source):
                if source == path and _may_be_environment(manifest):
                    manifest.data["metadata"]["name"] = secret.name
                manifests.append(manifest)
        if path is None:
            manifests.append(secret)
        return manifests, {("Secret", secret.name): name}

    def _environ(self) -> EnvFile | None:
        """What stands in for a `.env` that nobody has: nothing, where nothing has to be set."""
        used = {"env", "secret"} & {name for uses in self._uses.values() for name in uses}
        root = self._settings.root
        if used and asks_for_none(root):
            return EnvFile(file=root / ".env", values={}, places={})
        return None

    def _environment(self, env: EnvFile) -> tuple[Manifest, Path | None]:
        """The environment's Secret under its plain name, and the template it is from, if any."""
        plain_name = f"{self._settings.name}-env"
        self._variables["secret"] = plain_name
        found = [
            (manifest, path)
            for path in self._paths
            if "env" in self._uses[path]
            for manifest in self._read(path)
            if _may_be_environment(manifest)
        ]
        if len(found) > 1:
            (first, _), (second, _), *_ = found
            raise FilesError(
                f"`{second.ref}` and `{first.ref}` are both in templates that use `env`; "
                "only one can be the Secret of the environment",
                place=second.origin,
                hints=("put other Secrets into a file that does not use `env`",),
            )
        if found:
            return encoded([found[0][0]])[0], found[0][1]
        data = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": plain_name},
            "type": "Opaque",
            "stringData": dict(env.values),
        }
        places: dict[FieldPath, Place] = {
            ("stringData", name): place for name, place in env.places.items()
        }
        made = Manifest(data=data, origin=Place(file=env.file), places=places)
        return encoded([made])[0], None

    def _read(self, path: Path) -> list[Manifest]:
        if path.suffix == ".j2":
            rendered = self._templates[path.parent].render(path.name, self._variables)
            manifests = read(rendered.text, file=path, lines=rendered.lines or ())
        else:
            text = read_text(path)
            if path.suffix == ".json":
                text = _SURROGATES.sub(_one_escape, text)
            manifests = read(text, file=path)
        return [replace(manifest, data=clean(manifest.data)) for manifest in manifests]

    def _used(self, path: Path) -> dict[str, Place]:
        return self._templates[path.parent].uses(path.name) if path.suffix == ".j2" else {}

    def _refuse_absent(self) -> None:
        """Say once, with what to do, what a template would otherwise only find undefined."""
        env_hint = missing_env_hint(self._settings)
        build_hint = "add `build` to kubekit.yaml, or write the image's name"
        absent = []
        if "image" not in self._variables:
            absent.append(("image", "nothing is built", build_hint))
        if self._env is None:
            absent.append(("env", "there is no `.env`", env_hint))
            absent.append(("secret", "there is no `.env` to make it from", env_hint))
        problems = []
        hints = []
        for uses in self._uses.values():
            for variable, why, hint in absent:
                if variable in uses:
                    problems.append((uses[variable], f"`{variable}` is used, but {why}"))
                    hints.append(hint)
        if problems:
            raise FilesError.of(problems, hints=tuple(dict.fromkeys(hints)))


def _may_be_environment(manifest: Manifest) -> bool:
    """Whether it is a Secret, and none of a type of its own, such as a login for a registry."""
    return manifest.kind == "Secret" and manifest.data.get("type", "Opaque") == "Opaque"


def _paths(settings: Settings) -> Iterator[Path]:
    """The files to read: those that are named, and in folders all that look like manifests."""
    for path in settings.manifests:
        if not path.is_dir():
            yield path
            continue
        # `_name` is for what other templates include, dots are for editors and the system.
        files = [
            file
            for file in list_folder(path)
            if file.name.endswith(SUFFIXES) and not file.name.startswith((".", "_"))
        ]
        if not files:
            hint = "write one, such as `deployment.yaml.j2`, or name another folder in kubekit.yaml"
            raise FilesError(
                f"no manifests in `{shown(path)}`", place=Place(file=path), hints=(hint,)
            )
        yield from files


def _one_escape(match: re.Match[str]) -> str:
    """The same character as one escape of YAML."""
    pair = bytes.fromhex(match[1] + match[2]).decode("utf-16-be")
    return f"\\U{ord(pair):08x}"
