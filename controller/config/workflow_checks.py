"""Whether the two foreign languages of a workflow are spoken well: JSON Schema and cron lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cronsim import CronSim, CronSimError

from controller.config.workflow_expressions import check_number
from controller.config.workflow_place import Place

_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_FIELDS = "minute, hour, day of the month, month, day of the week"


def check_cron(place: Place, line: str) -> None:
    """Reports what is wrong with a cron line."""
    if len(line.split()) != 5:
        place.fault(f"found {line[:40]!r}; a cron line has five fields: {_FIELDS}")
        return
    try:
        times = CronSim(line, _ANY_DAY)
    except CronSimError as error:
        place.fault(f"found {line[:40]!r}; not a cron line: {error}")
        return
    if next(times, None) is None:
        place.fault(f"found {line[:40]!r}; there is no such day")


def check_runs_by_itself(place: Place, schema: Mapping[str, Any]) -> None:
    """Reports a schedule whose runs could never begin: they have no input but `{}`."""
    from jsonschema import Draft202012Validator

    fault = next(Draft202012Validator(schema).iter_errors({}), None)
    if fault is not None:
        place.fault(
            "a run by schedule has the input {}, which input_schema refuses: "
            f"{fault.message[:200]}; make that optional, or begin such runs by hand"
        )


def check_schema(place: Place, schema: Mapping[str, Any]) -> bool:
    """Reports what is wrong with the JSON Schema of a run's input. True where nothing is."""
    # It is slow to import, and most configurations and commands need none of it.
    from jsonschema import Draft202012Validator

    before = len(place.report.faults)
    for leaf, value in place.leaves():
        check_number(leaf, value)
    validator = Draft202012Validator(
        Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    for error in validator.iter_errors(schema):
        place.at(*error.absolute_path).fault(
            f"no JSON Schema (draft 2020-12): {error.message}"[:300]
        )
    for path, reference in _references(schema):
        at = place.at(*path)
        if reference != "#" and not reference.startswith("#/"):
            at.fault(f"found {reference!r}; only what is in this schema, #/…, can be referred to")
        elif not _resolves(schema, reference):
            at.fault(f"found {reference!r}; the schema has nothing there")
    return len(place.report.faults) == before


_Path = tuple[str | int, ...]


def _references(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            if key in ("$ref", "$dynamicRef") and isinstance(child, str):
                yield (*path, key), child
            else:
                yield from _references(child, (*path, key))
    elif isinstance(value, list):
        for at, child in enumerate(value):
            yield from _references(child, (*path, at))


def _resolves(schema: Any, reference: str) -> bool:
    """Whether a JSON Pointer leads somewhere."""
    for part in reference.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, dict) and key in schema:
            schema = schema[key]
        elif isinstance(schema, list) and key.isdigit() and int(key) < len(schema):
            schema = schema[int(key)]
        else:
            return False
    return True
