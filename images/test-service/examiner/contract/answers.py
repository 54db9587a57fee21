"""Known answers: verified vectors, asked of a running saju-service, and every difference.

What a vector expects stands under the same names in the reply, so most of this is comparison.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

import requests

from examiner.contract.cleanup import REASON
from examiner.contract.vectors import VECTORS

_PILLARS = ("year", "month", "day", "hour")
_TIMEOUT = 30
_TOLERANCE_S = 1.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """`expected` is the verified answer, `actual` the service's, each as JSON."""

    vector: str
    kind: str
    field: str
    expected: Any
    actual: Any


class Ask(Protocol):
    """Sends JSON (or asks, where there is none) and gives status and JSON back."""

    def __call__(self, path: str, body: Json | None = None) -> tuple[int, Json]: ...


def vectors_of(service: str) -> list[Json]:
    """The vectors that hold for a service."""
    found: list[Json] = json.loads(VECTORS[service].read_text("utf-8"))["vectors"]
    return found


def differences(vector: Json, ask: Ask) -> list[Difference]:
    """What the service says otherwise than this vector; none is agreement."""
    found = _KINDS[vector["kind"]](vector, ask)
    return [Difference(vector["id"], vector["kind"], *difference) for difference in found]


Found = Iterator[tuple[str, Any, Any]]


def _compare(expected: Mapping[str, Any], said: Mapping[str, Any], at: str = "") -> Found:
    for name, value in expected.items():
        actual = said.get(name)
        if isinstance(value, Mapping) and isinstance(actual, Mapping):
            yield from _compare(value, actual, f"{at}{name}.")
        elif actual != value:
            yield f"{at}{name}", value, actual


def _chart(vector: Json, ask: Ask) -> Found:
    status, reply = ask("/actions/calculate", vector["input"])
    if status != 200:
        yield "status", 200, status
        return
    result = reply["result"]
    expected = dict(vector["expected"])
    pillars = {name: expected.pop(name) for name in _PILLARS}
    yield from _compare({"pillars": pillars, **expected}, result)
    derived = vector["derived"]
    named = ("utc", "utc_offset_minutes", "day_hour_clock")
    yield from _compare({name: derived[name] for name in named}, result)
    for name in ("prev_jeol", "next_jeol"):
        term, kst = derived[name].split()
        said = result.get(name) or {}
        if said.get("term") != term or not _close(said.get("kst"), kst):
            yield name, derived[name], said
    lunar = vector.get("equivalent_lunar_input")
    if lunar is not None:
        solar = {k: v for k, v in vector["input"].items() if k not in ("calendar", "datetime")}
        status, reply = ask("/actions/calculate", {**solar, **lunar})
        same = reply.get("result", {}).get("pillars") if status == 200 else status
        if same != pillars:
            yield "pillars (from the lunar date)", pillars, same


def _offset(vector: Json, ask: Ask) -> Found:
    status, reply = ask("/actions/calculate", vector["input"])
    if status != 200:
        yield "status", 200, status
        return
    yield from _compare(vector["expected"], reply["result"])


def _refusal(vector: Json, ask: Ask) -> Found:
    status, reply = ask("/actions/calculate", vector["input"])
    said = {"status": status, "error": reply.get("code")}
    yield from _compare({"status": 422, **vector["expected"]}, said)


def _term(vector: Json, ask: Ask) -> Found:
    asked, expected = vector["input"], vector["expected"]
    status, reply = ask(f"/solar-terms/{asked['year']}")
    rows = [row for row in reply.get("terms", ()) if row["term"] == asked["term"]]
    if status != 200 or len(rows) != 1:
        yield asked["term"], 1, len(rows)
        return
    for name in ("utc", "kst"):
        if not _close(rows[0].get(name), expected[name]):
            yield f"{asked['term']}.{name}", expected[name], rows[0].get(name)


def _conversion(vector: Json, ask: Ask) -> Found:
    whole = {**vector["input"], **vector["expected"]}
    for body in (vector["input"], {"lunar": vector["expected"]["lunar"]}):
        status, reply = ask("/calendar/convert", body)
        if status != 200:
            yield "status", 200, status
        else:
            yield from _compare(whole, reply)


_KINDS: dict[str, Callable[[Json, Ask], Found]] = {
    "four_pillars": _chart,
    "utc_offset": _offset,
    "invalid_input": _refusal,
    "solar_term": _term,
    "lunar_conversion": _conversion,
}


def _close(said: object, expected: str) -> bool:
    try:
        moments = [datetime.fromisoformat(str(text)) for text in (said, expected)]
        return abs((moments[0] - moments[1]).total_seconds()) <= _TOLERANCE_S
    except (TypeError, ValueError):
        return False


@dataclass(slots=True)
class Asker:
    """Asks a running service, and undoes each chart it asked for."""

    url: str
    session: requests.Session
    made: int = 0
    removed: int = 0

    def __call__(self, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Status and JSON; an answer that is no JSON object is an empty one."""
        if body is None:
            reply = self.session.get(self.url + path, timeout=_TIMEOUT)
        else:
            reply = self.session.post(self.url + path, json=body, timeout=_TIMEOUT)
        try:
            said = reply.json()
        except ValueError:
            said = {}
        said = said if isinstance(said, dict) else {}
        if path.startswith("/actions/") and reply.status_code == 200:
            self.made += 1
            undo = {"id": said["id"], "reason": REASON}
            undone = self.session.post(f"{self.url}{path}/compensate", json=undo, timeout=_TIMEOUT)
            self.removed += undone.status_code == 200
        return reply.status_code, said


def shown(found: list[Difference]) -> list[Json]:
    """In the shape of the report."""
    return [asdict(difference) for difference in found]
