"""Helpers shared by the tests of the compose loader."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from controller.config.compose.pipeline import Compiled, Request, compile_stack
from controller.config.compose.to_spec import to_stack
from controller.config.managed import Treatment
from controller.errors import ConfigError
from controller.model.spec import ServiceSpec, StackSpec

FOLDER = "/p/demo"


class MemoryReader:
    """A reader of files that exist only in a test."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def read(self, path: str, *, root: str | None = None, missing_ok: bool = False) -> str | None:
        if path in self._files:
            return self._files[path]
        if missing_ok:
            return None
        raise ConfigError([f"{path}: there is no such file"])


def compile_texts(
    *texts: str,
    env: Mapping[str, str] | None = None,
    profiles: tuple[str, ...] = (),
    project: str | None = None,
    files: Mapping[str, str] | None = None,
    env_files: tuple[str, ...] = (),
) -> Compiled:
    """Compiles compose texts named /p/demo/c.yaml, c1.yaml, … ; `files` are others by path."""
    named = {f"{FOLDER}/c{at or ''}.yaml": textwrap.dedent(text) for at, text in enumerate(texts)}
    others = {f"{FOLDER}/{name}": text for name, text in (files or {}).items()}
    request = Request(
        files=tuple(named),
        project_directory=FOLDER,
        env={"HOME": "/home/me", **(env or {})},
        env_files=tuple(f"{FOLDER}/{name}" for name in env_files),
        profiles=profiles,
        project=project,
    )
    return compile_stack(request, MemoryReader({**named, **others}))


def web(body: str, **options: Any) -> dict[str, Any]:
    """The normalised service `web` with image i and the keys of `body`."""
    found: dict[str, Any] = compile_texts(web_text(body), **options).model["services"]["web"]
    return found


def web_text(body: str) -> str:
    """A compose text with one service `web`; indented keys below `---` are top-level."""
    service, _, rest = textwrap.dedent(body).partition("\n---\n")
    return "services:\n  web:\n    image: i\n" + textwrap.indent(service, "    ") + "\n" + rest


def stack(text: str, treated: Mapping[str, Treatment | None] | None = None) -> StackSpec:
    """The stack of a compose text; `treated` says which services are managed."""
    return to_stack(compile_texts(text), treated or {}, "9.9.9")


def web_spec(body: str, treatment: Treatment | None = None) -> ServiceSpec:
    """The spec of the service `web` with image i and the keys of `body`."""
    return stack(web_text(body), {"web": treatment}).services["web"]


def faults_of(*texts: str, **options: Any) -> list[str]:
    """The faults for which compose texts are refused; empty if they are not."""
    try:
        compile_texts(*texts, **options)
    except ConfigError as error:
        return error.faults
    return []
