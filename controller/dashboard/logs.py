"""Log entries as people read them: the message first, what was looked for marked, nothing hidden.

What services write is foreign: control characters are shown as such, and letters that turn the
direction of writing are replaced, so that no line can pretend to be another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from controller.i18n import render, word
from controller.logs.block import folded
from controller.logs.query import place_text, time_of
from controller.model.log import Found, Level, Stream
from controller.model.text import Text

_WHOLE_LINES = 8
_SHOWN_FIRST = 3
_MOST_FIELDS = 16
_LONGEST_FIELD = 300
_MOST_CHARS = 20_000
_TONES = {Level.WARNING: "warn", Level.ERROR: "bad", Level.FATAL: "bad"}
_MESSAGE = ("message", "msg", "event", "text", "log", "body")
# Shown beside the message anyway.
_KNOWN = frozenset(
    {"level", "levelname", "severity", "lvl", "loglevel", "time", "timestamp", "ts", "@timestamp",
     "asctime", "at", "t"}
)  # fmt: skip
_CONTROLS = {n: 0x2400 + n for n in range(32) if chr(n) not in "\n\t"} | {0x7F: 0x2421}
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F], 0xFFFD)
_VISIBLE = _CONTROLS | _TURNING


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text; `hit` where it was looked for."""

    text: str
    hit: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One entry. `rest` is what only shows when it is unfolded."""

    id: str
    at: datetime
    day: str
    time: str
    service: str
    tone: str
    level: str
    parts: Sequence[Part]
    rest: Sequence[Part]
    more: str
    fields: Sequence[tuple[str, str]]
    by_hub: bool
    run: str
    hit: bool = False


def row(found: Found, words: Sequence[str], language: str, hit: str = "") -> Row:
    entry = found.entry
    at = time_of(entry.at)
    text, fields = said(found, language)
    first, rest, more = folding(text, language)
    identifier = place_text(found.place)
    return Row(
        id=identifier,
        at=at,
        day=f"{at:%m-%d}",
        time=f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}",
        service=found.service,
        tone=_TONES.get(entry.level, "idle"),
        level="" if entry.level is Level.UNSET else entry.level.name.lower(),
        parts=marked(first, words),
        rest=marked(rest, words),
        more=more,
        fields=fields,
        by_hub=entry.stream is Stream.HUB,
        run=entry.run,
        hit=identifier == hit,
    )


def said(found: Found, language: str) -> tuple[str, Sequence[tuple[str, str]]]:
    """The message, and what else a line of JSON holds."""
    text = found.entry.text
    if found.entry.stream is Stream.HUB:
        key, facts = orjson.loads(text)
        return render(Text(key, facts), language), ()
    if text.startswith("{") and text.endswith("}"):
        value = _object(text)
        name = next((n for n in _MESSAGE if isinstance(value.get(n), str)), None)
        if name is not None:
            others = ((k, v) for k, v in value.items() if k != name and k.lower() not in _KNOWN)
            return visible(value[name]), [
                (visible(str(k))[:80], visible(_short(v))) for k, v in others
            ][:_MOST_FIELDS]
    return visible(text), ()


def folding(text: str, language: str) -> tuple[str, str, str]:
    """What is shown at once, what can be unfolded, and what is said of that."""
    if len(text) > _MOST_CHARS:
        text = text[:_MOST_CHARS] + word("ui.logs.cut", language, n=len(text) - _MOST_CHARS)
    lines = text.split("\n")
    if len(lines) <= _WHOLE_LINES:
        return text, "", ""
    # The last line of a trace is what it is about.
    first = "\n".join([*lines[:_SHOWN_FIRST], "…", lines[-1]])
    rest = "\n".join(lines[_SHOWN_FIRST:-1])
    return first, rest, word("ui.logs.unfold", language, n=len(lines) - _SHOWN_FIRST - 1)


def marked(text: str, words: Sequence[str]) -> Sequence[Part]:
    """The text in pieces, those apart that were looked for."""
    if not text:
        return ()
    plain = folded(text)
    if not words or len(plain) != len(text):
        # Folding changed the length, so places in one are not places in the other.
        return (Part(text),)
    pattern = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))))
    parts, at = [], 0
    for found in pattern.finditer(plain):
        if found.start() > at:
            parts.append(Part(text[at : found.start()]))
        if found.end() > found.start():
            parts.append(Part(text[found.start() : found.end()], hit=True))
        at = found.end()
    return [*parts, Part(text[at:])] if at < len(text) else parts


def visible(text: str) -> str:
    """Foreign text with everything shown that would act or deceive."""
    return text.translate(_VISIBLE) if not text.isprintable() else text


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = orjson.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST_FIELD else text[:_LONGEST_FIELD] + "…"
