"""Workflows, as they are defined, as lines of text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from controller.cli import words
from controller.cli.dag import drawn
from controller.cli.render_runs import called
from controller.cli.table import Column, Row, lines, paragraph

Json = Mapping[str, Any]

_INDENT = 4
_COLUMNS = (
    Column("WORKFLOW"),
    Column("STEPS", right=True),
    Column("SERVICES", right=True, optional=1),
    Column("SCHEDULE", optional=2),
    Column("AT ONCE", right=True, optional=3),
)
_STEP_COLUMNS = (
    Column("STEP"),
    Column("SERVICE"),
    Column("ACTION", optional=2),
    Column("UNDO", optional=1),
    Column("TRIES", right=True, optional=4),
    Column("WITHIN", right=True, optional=3),
    Column("AFTER", optional=5),
)
_FACT_COLUMNS = (Column(""), Column(""))


def workflows(found: Sequence[Json], width: int, language: str) -> list[Text]:
    """The table of `heal7 workflows`; what each is for stands under its row."""
    if not found:
        return [Text("No workflows; they are declared under `workflows:` in config.yaml.")]
    return lines(_COLUMNS, [_row(one, language) for one in found], width)


def _row(definition: Json, language: str) -> Row:
    steps = _steps(definition)
    described = _described(definition, language)
    return Row(
        cells=(
            str(definition.get("name", "")),
            str(len(steps)),
            str(len({step.get("service") for step in steps})),
            words.printable(definition.get("schedule") or ""),
            str((definition.get("concurrency") or {}).get("limit") or ""),
        ),
        styles=("bold",),
        notes=(described,) if described else (),
    )


def workflow(definition: Json, width: int, language: str, *, utf8: bool) -> list[Text]:
    """One workflow: what it is for, its steps, what it is given, and how it is run."""
    made = [Text(str(definition.get("name", "")), "bold")]
    made += paragraph(_described(definition, language), width, indent=_INDENT)
    rows = [Row((f"  {name}", said), ("dim",)) for name, said in _facts(definition) if said]
    made += [Text(), *lines(_FACT_COLUMNS, rows, width)] if rows else []
    by_id = {str(step.get("id")): step for step in _steps(definition)}
    needs = tuple((name, tuple(map(str, s.get("needs") or ()))) for name, s in by_id.items())
    drawing = [
        _step_row(by_id[place.id], place.lead, place.joins) for place in drawn(needs, utf8=utf8)
    ]
    made += [Text(), *lines(_STEP_COLUMNS, drawing, width)] if drawing else []
    schema = definition.get("input_schema")
    if schema:
        made += [Text(), Text("Input (JSON Schema)", "bold")]
        told = json.dumps(schema, ensure_ascii=False, indent=2)
        made += [Text(words.printable(line)) for line in told.split("\n")]
    given = " --input F" if schema else ""
    return [*made, Text(), Text(f"Run it: heal7 run {definition.get('name')}{given}")]


def _facts(definition: Json) -> list[tuple[str, str]]:
    limit = definition.get("concurrency") or {}
    beyond = str(limit.get("on_limit") or "").replace("_", " ")
    return [
        ("hash", str(definition.get("hash") or "")[:12]),
        ("within", words.span(definition.get("timeout_s"))),
        ("schedule", words.printable(definition.get("schedule") or "")),
        ("at once", f"{limit.get('limit')}, beyond that: {beyond}" if limit else ""),
    ]


def _step_row(step: Json, lead: str, joins: tuple[str, ...]) -> Row:
    undo, retry = step.get("compensate"), step.get("retry") or {}
    within = step.get("timeout_s")
    return Row(
        cells=(
            f"{lead}{step.get('id')}",
            str(step.get("service", "")),
            called(step),
            called(undo) if isinstance(undo, Mapping) else "",
            str(retry.get("attempts") or ""),
            words.took(None if within is None else float(within) * 1000),
            ", ".join(joins),
        ),
        styles=("bold", "", "", "", "", "", "dim"),
        notes=tuple(_notes(step)),
    )


def _notes(step: Json) -> Iterable[str]:
    if step.get("when") is not None:
        when = step["when"]
        told = when if isinstance(when, str) else json.dumps(when, ensure_ascii=False)
        yield f"when {words.printable(told)}"
    if step.get("start"):
        yield "starts its service where a person has stopped it"


def _described(definition: Json, language: str) -> str:
    """In the reader's language, else in any that is there."""
    told = definition.get("description")
    if not isinstance(told, Mapping):
        return words.printable(told or "")
    found = told.get(language) or next(filter(None, told.values()), "")
    return words.printable(found)


def _steps(definition: Json) -> list[Json]:
    return [step for step in definition.get("steps") or [] if isinstance(step, Mapping)]
