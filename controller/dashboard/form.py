"""The input of a workflow as a form: JSON Schema to fields, and what a browser posts back to JSON.

A form is what a person can fill in without knowing JSON, so it covers what people ask for (text,
numbers, choices, lists, groups of them); whatever else a schema can say becomes a box for JSON.
Only the hub's own check decides whether an input is valid: here is only what cannot be read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from controller.i18n import word
from controller.model.masking import is_secret

WHOLE = ""
"""The name of the one box that holds all of an input that cannot be a form."""
_DEEPEST = 3

Schema = Mapping[str, Any]
Posted = Mapping[str, Sequence[str]]


class Kind(StrEnum):
    """What a field looks like."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    LIST = "list"
    GROUP = "group"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `name` is a JSON pointer to what it gives; `id` its place in the form. `choices`
    are pairs of what is posted and what is read."""

    name: str
    id: str
    kind: Kind
    label: str
    help: str
    required: bool
    value: str
    example: str
    choices: tuple[tuple[str, str], ...] = ()
    least: str = ""
    most: str = ""
    secret: bool = False
    fault: str = ""
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a form gave, and the catalogue's key of what is wrong by field."""

    value: Any
    faults: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Filling:
    """What a form is filled in with, for whom."""

    language: str
    posted: Posted | None
    faults: Mapping[str, str]


class _UnreadableError(Exception):
    """What stands in a field cannot be read; the catalogue's key says how so."""


def fields(
    schema: Schema | None,
    language: str,
    posted: Posted | None = None,
    faults: Mapping[str, str] | None = None,
) -> tuple[Field, ...]:
    """The form, filled in with what was `posted`, else with the defaults. `faults` are sentences
    by the name of their field."""
    filling = _Filling(language, posted, faults or {})
    if schema is None or _kind(schema, 0) is not Kind.GROUP:
        return (_field(WHOLE, "f", schema or {}, False, Kind.JSON, filling),)
    return _group(WHOLE, "f", schema, 0, filling)


def read(schema: Schema | None, posted: Posted) -> Reading:
    """The input that was meant. What was left empty is left out."""
    faults: dict[str, str] = {}
    if schema is None or _kind(schema, 0) is not Kind.GROUP:
        value = _read(WHOLE, Kind.JSON, schema or {}, False, posted, faults)
        return Reading(None if value is _NOTHING else value, faults)
    return Reading(_read_group(WHOLE, schema, 0, posted, faults), faults)


def placed(said: Sequence[str], names: frozenset[str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """The faults that the hub's check found (`input.a.b: …`): by field, and those of no field."""
    by_field: dict[str, str] = {}
    others = []
    for fault in said:
        where, separator, what = fault.partition(": ")
        parts = where.split(".")
        # A list's item is a line of its field.
        while len(parts) > 1 and parts[-1].isdecimal():
            parts.pop()
        name = "".join(f"/{_escaped(part)}" for part in parts[1:])
        if separator and parts[0] == "input" and name in names and name not in by_field:
            by_field[name] = what
        else:
            others.append(fault)
    return by_field, tuple(others)


def names(found: Sequence[Field]) -> frozenset[str]:
    """The names of all fields, those inside groups too."""
    return frozenset(name for field in found for name in (field.name, *names(field.fields)))


def first_fault(found: Sequence[Field]) -> str:
    """The id of the first field with a fault, where a person goes on; empty where there is none."""
    for field in found:
        if at := field.id if field.fault else first_fault(field.fields):
            return at
    return ""


def _group(
    name: str, place: str, schema: Schema, depth: int, filling: _Filling
) -> tuple[Field, ...]:
    made = []
    for at, (pointer, own, required, kind) in enumerate(_properties(name, schema, depth)):
        field = _field(pointer, f"{place}-{at}", own, required, kind, filling)
        if kind is Kind.GROUP:
            inner = _group(pointer, field.id, own, depth + 1, filling)
            field = replace(field, fields=inner)
        made.append(field)
    return tuple(made)


def _field(
    name: str, place: str, schema: Schema, required: bool, kind: Kind, filling: _Filling
) -> Field:
    secret = kind is Kind.TEXT and is_secret(_own_name(name))
    language, examples = filling.language, schema.get("examples")
    return Field(
        name=name,
        id=place,
        kind=kind,
        label=_said("title", schema, language) or _own_name(name) or word(_INPUT, language),
        help=_said("description", schema, language),
        required=required,
        value=_shown(schema, kind, name, filling.posted, secret=secret),
        example=_as_text(examples[0], kind) if isinstance(examples, list) and examples else "",
        choices=_choices(schema, kind, language),
        least=_limit(schema, "minimum", kind),
        most=_limit(schema, "maximum", kind),
        secret=secret,
        fault=filling.faults.get(name, ""),
    )


_INPUT = "ui.workflow.input"


def _properties(name: str, schema: Schema, depth: int) -> Iterator[tuple[str, Schema, bool, Kind]]:
    """Pointer, schema, whether it is required, and kind of everything in an object."""
    asked = schema.get("required")
    required = asked if isinstance(asked, list) else []
    for key, own in schema["properties"].items():
        usable = own if isinstance(own, Mapping) else {}
        kind = _kind(usable, depth + 1)
        yield f"{name}/{_escaped(key)}", usable, key in required, kind


def _kind(schema: Schema, depth: int) -> Kind:
    """Which field does for a schema; JSON where none of the others says all of it."""
    if any(key in schema for key in ("$ref", "oneOf", "allOf", "not", "if")):
        return Kind.JSON
    if isinstance(schema.get("enum"), list) or "const" in schema:
        return Kind.CHOICE
    match _type(schema):
        case "object" if _has_fields(schema) and depth <= _DEEPEST:
            # Alternatives of what is required leave the fields as they are.
            return Kind.GROUP
        case _ if "anyOf" in schema:
            return Kind.JSON
        case "string":
            return Kind.TEXT
        case "integer":
            return Kind.INTEGER
        case "number":
            return Kind.NUMBER
        case "boolean":
            return Kind.BOOLEAN
        case "array" if _type(schema.get("items") or {}) == "string":
            return Kind.LIST
    return Kind.JSON


def _has_fields(schema: Schema) -> bool:
    found = schema.get("properties")
    return isinstance(found, Mapping) and bool(found)


def _type(schema: Any) -> str | None:
    """The one type besides null; None where there are several or none is said."""
    if not isinstance(schema, Mapping) or "enum" in schema:
        return None
    said = schema.get("type", "object" if "properties" in schema else None)
    types = [one for one in (said if isinstance(said, list) else [said]) if one != "null"]
    return types[0] if len(types) == 1 else None


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _own_name(pointer: str) -> str:
    return pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def _said(what: str, schema: Schema, language: str) -> str:
    found = schema.get(f"x-{what}-{language}", schema.get(what))
    return found if isinstance(found, str) else ""


def _limit(schema: Schema, which: str, kind: Kind) -> str:
    limit = schema.get(which)
    numeric = kind in (Kind.INTEGER, Kind.NUMBER) and isinstance(limit, (int, float))
    return f"{limit:g}" if numeric and not isinstance(limit, bool) else ""


def _options(schema: Schema) -> list[Any]:
    return list(schema["enum"]) if isinstance(schema.get("enum"), list) else [schema["const"]]


def _choices(schema: Schema, kind: Kind, language: str) -> tuple[tuple[str, str], ...]:
    if kind is Kind.BOOLEAN:
        return tuple(
            (value, word(f"ui.workflow.form.{says}", language))
            for value, says in (("true", "yes"), ("false", "no"))
        )
    if kind is not Kind.CHOICE:
        return ()
    # The place stands for the value, so that 1 and "1" stay apart.
    return tuple((str(at), _as_text(o, Kind.TEXT)) for at, o in enumerate(_options(schema)))


def _shown(schema: Schema, kind: Kind, name: str, posted: Posted | None, *, secret: bool) -> str:
    """What stands in the field at first. A secret is never sent back."""
    if posted is not None:
        return "" if secret else _line_ends(next(iter(posted.get(name, ())), ""))
    if "default" not in schema or secret:
        return ""
    default = schema["default"]
    if kind is Kind.CHOICE:
        at = next((at for at, o in enumerate(_options(schema)) if _same(o, default)), None)
        return "" if at is None else str(at)
    return _as_text(default, kind)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _as_text(value: Any, kind: Kind) -> str:
    if kind is Kind.LIST and isinstance(value, list):
        return "\n".join(str(item) for item in value)
    if isinstance(value, str) and kind is not Kind.JSON:
        return value
    return json.dumps(value, ensure_ascii=False, indent=2 if kind is Kind.JSON else None)


_NOTHING = object()


def _read_group(
    name: str, schema: Schema, depth: int, posted: Posted, faults: dict[str, str]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for pointer, own, required, kind in _properties(name, schema, depth):
        if kind is Kind.GROUP:
            inner = _read_group(pointer, own, depth + 1, posted, faults)
            # An optional group of which nothing was filled in was not meant.
            value = inner if inner or required else _NOTHING
        else:
            value = _read(pointer, kind, own, required, posted, faults)
        if value is not _NOTHING:
            made[_own_name(pointer)] = value
    return made


def _read(
    name: str, kind: Kind, schema: Schema, required: bool, posted: Posted, faults: dict[str, str]
) -> Any:
    """What a field gives; _NOTHING where it was left empty or cannot be read."""
    text = _line_ends(next(iter(posted.get(name, ())), ""))
    if not text.strip():
        if required:
            faults[name] = "ui.workflow.form.required"
        return _NOTHING
    try:
        return _parsed(text, kind, schema)
    except _UnreadableError as error:
        faults[name] = str(error)
        return _NOTHING


def _parsed(text: str, kind: Kind, schema: Schema) -> Any:
    match kind:
        case Kind.INTEGER:
            return _number(text, whole=True)
        case Kind.NUMBER:
            return _number(text, whole=False)
        case Kind.BOOLEAN:
            return text == "true"
        case Kind.CHOICE:
            options = _options(schema)
            if not (text.isascii() and text.isdecimal() and int(text[:9]) < len(options)):
                raise _UnreadableError("ui.workflow.form.choice")
            return options[int(text[:9])]
        case Kind.LIST:
            return [line.strip() for line in text.split("\n") if line.strip()]
        case Kind.JSON:
            return _json(text)
    return text


def _number(text: str, *, whole: bool) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if whole or not math.isfinite(number):
        raise _UnreadableError(f"ui.workflow.form.{'integer' if whole else 'number'}")
    return number


def _json(text: str) -> Any:
    def refuse(_: str) -> Any:
        raise ValueError

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise _UnreadableError("ui.workflow.form.json") from error


def _line_ends(text: str) -> str:
    """Browsers post the ends of lines as CR LF."""
    return text.replace("\r\n", "\n")
