"""What a line says of itself: how bad it is, and for which run and step it was written; pure.

Services write JSON, logfmt, their framework's own form or plain words. A level is taken only from
where such forms put it; a line that merely tells of an error is not one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from controller.model.log import Level

_LOOKED_AT = 200
_NAMES: Mapping[str, Level] = {
    **dict.fromkeys(("trace", "finest", "finer", "verbose", "silly"), Level.TRACE),
    **dict.fromkeys(("debug", "fine", "dbug"), Level.DEBUG),
    **dict.fromkeys(("info", "information", "notice", "log", "config"), Level.INFO),
    **dict.fromkeys(("warn", "warning"), Level.WARNING),
    **dict.fromkeys(("error", "err", "severe", "fail"), Level.ERROR),
    **dict.fromkeys(
        ("fatal", "critical", "crit", "panic", "alert", "emerg", "emergency"), Level.FATAL
    ),
}
_WORDS = "|".join(sorted(_NAMES, key=len, reverse=True))
_SHOUTED = _WORDS.upper()
_SAID = re.compile(
    rf"""
    (?P<trace>\ATraceback\ \(most\ recent\ call\ last\)|\Apanic:|\Afatal\ error:
        |\AUnhandled|\AException\ in\ thread)
    | \b(?:level|lvl|severity|loglevel)["']?\s*[=:]\s*["']?(?P<key>[A-Za-z]+)
    | [\[<(|](?P<box>\s*(?i:{_WORDS})\s*)[\]>)|]
    | (?<![\w/.-])(?P<shouted>{_SHOUTED})(?![\w/-]|\.\w)
    | \A(?P<head>(?i:{_WORDS}))\s?:
    | \A(?P<klog>[IWEF])\d{{4}}\s
    """,
    re.VERBOSE,
)
_KLOG = {"I": Level.INFO, "W": Level.WARNING, "E": Level.ERROR, "F": Level.FATAL}
# Of pino and bunyan.
_NUMBERS = {10: Level.TRACE, 20: Level.DEBUG, 30: Level.INFO, 40: Level.WARNING, 50: Level.ERROR}
_LEVEL_KEYS = ("level", "levelname", "severity", "lvl", "log.level", "loglevel")
_RUN_KEYS = ("run", "run_id", "workflow_run", "workflow_run_id", "x-workflow-run")
_STEP_KEYS = ("step", "step_id", "workflow_step", "x-workflow-step")
# Pairs of surrogates whole; what is below U+00A0 stays escaped, and so does half of a pair.
_ESCAPED = re.compile(
    r"(?<!\\)((?:\\\\)*)"
    r"((?:\\u(?:00[a-fA-F][0-9a-fA-F]|0[1-9a-fA-F][0-9a-fA-F]{2}|[1-9a-cA-CeEfF][0-9a-fA-F]{3}"
    r"|[dD][0-7][0-9a-fA-F]{2}|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))+)"
)
_RUN = re.compile(r"\brun_[0-9a-f]{12}_[0-9a-f]{8}\b")


def read(text: str) -> tuple[Level, str, str]:
    """Level, run and step of a line; empty where it names none."""
    level, run, step = Level.UNSET, "", ""
    if text.startswith("{") and text.endswith("}"):
        fields = _fields(text)
        if fields is not None:
            level = _level_of(fields)
            run, step = _named(fields, _RUN_KEYS), _named(fields, _STEP_KEYS)
    if level is Level.UNSET:
        level = level_of_words(text)
    if "run_" in text and not run and (found := _RUN.search(text)):
        run = found[0]
    return level, run, step if run else ""


def readable(text: str) -> str:
    """JSON whose writer escaped all that is not ASCII, as Python's does, with these letters as they
    are meant: a Korean word is to be read and to be found."""
    if "\\u" not in text or not text.startswith("{"):
        return text
    return _ESCAPED.sub(_letters, text)


def _letters(found: re.Match[str]) -> str:
    meant: str = orjson.loads(f'"{found[2]}"')
    return found[1] + meant


def level_of_words(text: str) -> Level:
    """The level where the usual forms of plain lines put it."""
    found = _SAID.search(text, 0, _LOOKED_AT)
    if found is None:
        return Level.UNSET
    if found["klog"]:
        return _KLOG[found["klog"]]
    if found["trace"]:
        return Level.ERROR
    word = found["key"] or found["box"] or found["shouted"] or found["head"]
    return _NAMES.get(word.strip().lower(), Level.UNSET)


def _fields(text: str) -> Mapping[str, Any] | None:
    try:
        value = orjson.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _level_of(fields: Mapping[str, Any]) -> Level:
    for key in _LEVEL_KEYS:
        value = fields.get(key)
        if isinstance(value, str):
            return _NAMES.get(value.lower(), Level.UNSET)
        if isinstance(value, int):
            return _NUMBERS.get(value, Level.FATAL if value >= 60 else Level.UNSET)
    return Level.UNSET


def _named(fields: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        value = fields.get(key)
        if isinstance(value, str):
            return value[:128]
    return ""
