"""The tables of docs/bring-your-own-stack.md and docs/workflows.md, made from what the code reads,
so that they cannot be wrong.

`python -m tests.unit.config.own_stack_tables` writes them anew into the documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from controller.config.compose import build, honoured, schema, schema_parts
from controller.config.settings import Settings

_DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENT = _DOCS / "bring-your-own-stack.md"
WORKFLOWS = _DOCS / "workflows.md"
_END = "<!-- end -->"
# Refused by name rather than warned about.
_REFUSED = {"extends"}


def settings_keys(model: type[BaseModel] = Settings, above: str = "") -> Iterator[tuple[str, str]]:
    """Every key of config.yaml as `a.b[].c`, with its description."""
    for name, field in model.model_fields.items():
        key = f"{above}{name}"
        below, suffix = _below(field.annotation)
        yield key + suffix, field.description or ""
        if below is not None:
            yield from settings_keys(below, f"{key}{suffix}.")


def _below(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model that a field holds, if any, and how a path goes on to it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return next((found for kind in inner if (found := _below(kind))[0]), (None, ""))
    if origin is list:
        model, rest = _below(inner[0])
        return model, f"[]{rest}" if model else ""
    if inner and isinstance(origin, type) and issubclass(origin, Mapping):
        model, rest = _below(inner[1])
        return model, f".<name>{rest}" if model else ""
    return None, ""


def settings_table(*sections: str) -> str:
    """The keys of some sections as a table."""
    rows = [
        f"| `{key}` | {text} |\n"
        for key, text in settings_keys()
        if re.split(r"\W", key)[0] in sections
    ]
    return "| key | meaning |\n|---|---|\n" + "".join(rows)


def compose_table() -> str:
    """What is honoured and what is only warned about, for each part of a compose file."""
    parts: list[tuple[str, Iterable[str], Iterable[str]]] = [
        ("a service", honoured._SERVICE, set(schema.SERVICE) - _REFUSED),
        ("`build`", build._BY_BUILDER, schema_parts.BUILD),
        ("`healthcheck`", honoured._HEALTHCHECK, schema_parts.HEALTHCHECK),
        ("`networks` of a service", honoured._ENDPOINT, schema_parts.ENDPOINT),
        ("`deploy`", honoured._DEPLOY, schema_parts.DEPLOY),
        ("a network", honoured._NETWORK, schema._NETWORK),
        ("type of a mount", honoured._MOUNT_TYPES, ("bind", "volume", "tmpfs", *_OTHER_MOUNTS)),
    ]
    rows = [
        f"| {part} | {_list(does)} | {_list(set(known) - set(does))} |\n"
        for part, does, known in parts
    ]
    return "| part | honoured | read, with a warning |\n|---|---|---|\n" + "".join(rows)


_OTHER_MOUNTS = ("cluster", "image", "npipe")


def _list(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in sorted(keys)) or "–"


def rewritten(document: Path) -> str:
    """The document with every table as it must be. Raises ValueError where a place is missing."""
    settings = settings_table("orchestration", "runs", "logs", "alerts", "metrics", "server")
    tables = {
        DOCUMENT: {"settings": settings, "compose": compose_table()},
        WORKFLOWS: {"workflows": settings_table("workflows")},
    }
    text = document.read_text("utf-8")
    for name, table in tables[document].items():
        head, separator, rest = text.partition(f"<!-- made by own_stack_tables: {name} -->\n")
        _, end, tail = rest.partition(_END)
        if not separator or not end:
            raise ValueError(f"{document} has no place for the table {name!r}")
        text = f"{head}{separator}{table}{end}{tail}"
    return text


if __name__ == "__main__":
    for path in (DOCUMENT, WORKFLOWS):
        path.write_text(rewritten(path), "utf-8")
