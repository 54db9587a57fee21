"""Turns log entries into the JSON and the plain text that clients get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from controller.clock import rfc3339
from controller.i18n import render
from controller.logs.library import Kept
from controller.logs.query import place_text, time_of
from controller.logs.search import Page
from controller.model.log import Found, Level, Stream
from controller.model.text import Text

_STREAMS = {Stream.OUT: "stdout", Stream.ERR: "stderr", Stream.HUB: "hub"}


def text_of(found: Found, language: str) -> str:
    """What it says; what the hub itself wrote, in the reader's language."""
    if found.entry.stream is not Stream.HUB:
        return found.entry.text
    key, facts = orjson.loads(found.entry.text)
    return render(Text(key, facts), language)


def entry(found: Found, language: str) -> dict[str, Any]:
    """One entry. `id` is also where to go on from."""
    one = found.entry
    return {
        "id": place_text(found.place),
        "at": rfc3339(time_of(one.at)),
        "service": found.service,
        "container_id": found.container,
        "stream": _STREAMS[one.stream],
        "level": None if one.level is Level.UNSET else one.level.name.lower(),
        "text": text_of(found, language),
        "run": one.run or None,
        "step": one.step or None,
    }


def page(found: Page, kept: Kept, problems: Mapping[str, str], language: str) -> dict[str, Any]:
    """What was found, where to go on, and how far what is kept goes."""
    dropped = kept.dropped_until
    return {
        "entries": [entry(one, language) for one in found.entries],
        "next": None if found.next is None else place_text(found.next),
        "complete": found.reached is None,
        "reached": None if found.reached is None else rfc3339(time_of(found.reached)),
        "dropped_until": None if dropped is None else rfc3339(time_of(dropped)),
        "size_bytes": kept.size,
        "problems": dict(problems),
    }


def line(found: Found, language: str) -> str:
    """One entry as a line of a text file; more lines of it are indented."""
    one = found.entry
    level = "" if one.level is Level.UNSET else one.level.name
    text = text_of(found, language).replace("\n", "\n    ")
    return f"{rfc3339(time_of(one.at))} {found.service} {level:<7} {text}\n"
