"""Definitions as plain JSON and back, and the hash that names one.

The journal keeps the definition of every run, and a hub of another version reads it after a crash.
So reading is strict: a definition that is not understood whole would run as something else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from controller.model.workflow import Call, Concurrency, Definition, OnLimit, Retry, Step

_Read = TypeVar("_Read")


def hashed(definition: Definition) -> Definition:
    """The definition with its hash: of everything that is meant, so not of its description."""
    meant = definition_to_json(definition)
    del meant["hash"], meant["description"]
    canonical = json.dumps(meant, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return replace(definition, hash=hashlib.sha256(canonical.encode()).hexdigest())


def definition_to_json(definition: Definition) -> dict[str, Any]:
    """As plain data, for the journal; `definition_from_json` reads it back."""
    concurrency = definition.concurrency
    return {
        "name": definition.name,
        "hash": definition.hash,
        "description": dict(definition.description),
        "steps": [_step_to_json(step) for step in definition.steps],
        "timeout_s": definition.timeout_s,
        "output": definition.output,
        "input_schema": definition.input_schema,
        "schedule": definition.schedule,
        "concurrency": None
        if concurrency is None
        else {"limit": concurrency.limit, "on_limit": concurrency.on_limit.value},
    }


def definition_from_json(raw: Any) -> Definition:
    """The definition that `definition_to_json` wrote. Raises ValueError where it is not one."""
    entry = _Entry(raw, "definition")
    definition = Definition(
        name=entry.read("name", _text),
        steps=tuple(
            _step_from_json(step, f"steps[{at}]")
            for at, step in enumerate(entry.read("steps", _list))
        ),
        hash=entry.read("hash", _text),
        description=entry.read("description", _texts_by_name),
        timeout_s=entry.read("timeout_s", _number),
        output=entry.read("output", _anything),
        input_schema=entry.read("input_schema", _or_none(_mapping)),
        schedule=entry.read("schedule", _or_none(_text)),
        concurrency=entry.read("concurrency", _or_none(_concurrency_from_json)),
    )
    entry.check_all_read()
    return definition


def _step_to_json(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "service": step.service,
        "call": _call_to_json(step.call),
        "needs": list(step.needs),
        "when": step.when,
        "retry": {
            "attempts": step.retry.attempts,
            "backoff_s": step.retry.backoff_s,
            "max_backoff_s": step.retry.max_backoff_s,
        },
        "timeout_s": step.timeout_s,
        "undo": None if step.undo is None else _call_to_json(step.undo),
        "start": step.start,
    }


def _call_to_json(call: Call) -> dict[str, Any]:
    return {"method": call.method, "path": call.path, "input": call.input, "action": call.action}


def _step_from_json(raw: Any, where: str) -> Step:
    entry = _Entry(raw, where)
    step = Step(
        id=entry.read("id", _text),
        service=entry.read("service", _text),
        call=entry.read("call", _call_from_json),
        needs=tuple(entry.read("needs", _texts)),
        when=entry.read("when", _anything),
        retry=entry.read("retry", _retry_from_json),
        timeout_s=entry.read("timeout_s", _number),
        undo=entry.read("undo", _or_none(_call_from_json)),
        start=entry.read("start", _truth),
    )
    entry.check_all_read()
    return step


def _call_from_json(raw: Any, where: str) -> Call:
    entry = _Entry(raw, where)
    call = Call(
        method=entry.read("method", _text),
        path=entry.read("path", _text),
        input=entry.read("input", _anything),
        action=entry.read("action", _or_none(_text)),
    )
    entry.check_all_read()
    return call


def _retry_from_json(raw: Any, where: str) -> Retry:
    entry = _Entry(raw, where)
    retry = Retry(
        attempts=entry.read("attempts", _whole),
        backoff_s=entry.read("backoff_s", _number),
        max_backoff_s=entry.read("max_backoff_s", _number),
    )
    entry.check_all_read()
    return retry


def _concurrency_from_json(raw: Any, where: str) -> Concurrency:
    entry = _Entry(raw, where)
    concurrency = Concurrency(
        limit=entry.read("limit", _whole),
        on_limit=entry.read("on_limit", lambda value, at: OnLimit(_text(value, at))),
    )
    entry.check_all_read()
    return concurrency


class _Entry:
    """A JSON object of which every key must be read, and no other may be there."""

    def __init__(self, raw: Any, where: str) -> None:
        self._raw, self._where = _mapping(raw, where), where
        self._read: set[str] = set()

    def read(self, key: str, reader: Callable[[Any, str], _Read]) -> _Read:
        if key not in self._raw:
            raise ValueError(f"{self._where}: {key} is missing")
        self._read.add(key)
        return reader(self._raw[key], f"{self._where}.{key}")

    def check_all_read(self) -> None:
        unknown = self._raw.keys() - self._read
        if unknown:
            raise ValueError(f"{self._where}: unknown {', '.join(sorted(unknown))}")


def _or_none(reader: Callable[[Any, str], _Read]) -> Callable[[Any, str], _Read | None]:
    return lambda value, where: None if value is None else reader(value, where)


def _anything(value: Any, _where: str) -> Any:
    return value


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: no object but {type(value).__name__}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where}: no list but {type(value).__name__}")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where}: no text but {type(value).__name__}")
    return value


def _texts(value: Any, where: str) -> list[str]:
    return [_text(item, f"{where}[{at}]") for at, item in enumerate(_list(value, where))]


def _texts_by_name(value: Any, where: str) -> Mapping[str, str]:
    return {name: _text(item, where) for name, item in _mapping(value, where).items()}


def _whole(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{where}: no whole number but {type(value).__name__}")
    return value


def _number(value: Any, where: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"{where}: no number but {type(value).__name__}")
    return float(value)


def _truth(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{where}: no boolean but {type(value).__name__}")
    return value
