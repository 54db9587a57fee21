"""The examples of a README as something to run: its shell blocks, and the answers shown of them.

An answer is a ```json block right below a shell block, or comment lines that begin with `# {` right
below a command. It need not show everything: `…` stands for what is left out, within a string too,
and an object may always hold more than is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_FENCE = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[{}\[\]:,]|…[^,\]}"]*|[^\s{}\[\]:,"…]+)')
_SHELLS = ("sh", "bash")
_MARK = "\x1e"
# A refusal ends the script, and its problem+json is printed.
_PRELUDE = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\nexport -f curl\n'


@dataclass(slots=True)
class Examples:
    """One bash script of all shell blocks in order; `shown` are the answers, by their marks."""

    script: str = _PRELUDE
    shown: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        self.script += line + "\n"

    def answer(self, text: str) -> None:
        self.add(rf"printf '\n\036{len(self.shown)}\n'")
        self.shown.append(text)


def examples(markdown: str, ports: Mapping[int, int] | None = None) -> Examples:
    """What a README has to run; `ports` says where to ask instead of `localhost:PORT`."""
    found = Examples()
    end_of_shell = -1
    for fence in _FENCE.finditer(markdown):
        language, text = fence.groups()
        if language in _SHELLS:
            _commands(found, _moved(text, ports or {}))
            end_of_shell = fence.end()
        elif language == "json" and markdown[end_of_shell : fence.start()].isspace():
            found.answer(text)
    return found


def unlike(found: Examples, printed: str) -> list[str]:
    """Which shown answers differ from what was printed before their marks, and in what."""
    differing = []
    parts = re.split(rf"\n{_MARK}(\d+)\n", printed)
    before = dict(zip(map(int, parts[1::2]), parts[0::2], strict=False))
    for number, text in enumerate(found.shown):
        answers = list(_documents(before.get(number, "")))
        if not answers:
            differing.append(f"nothing was printed where this is shown: {text}")
            continue
        differing += [
            f"{fault}, as shown in: {text}" for fault in differs(shown(text), answers[-1])
        ]
    return differing


@dataclass(frozen=True, slots=True)
class Part:
    """A list of which the rest is left out."""

    first: list[Any]


def shown(text: str) -> Any:
    """Reads JSON in which `…` may stand for anything. Raises ValueError where it is none."""
    tokens = [found[1] for found in _TOKEN.finditer(text)]
    value, rest = _value(tokens)
    if rest:
        raise ValueError(f"more than one value: {rest}")
    return value


def differs(wanted: Any, real: Any, at: str = "answer") -> Iterator[str]:
    """In what an answer is not what is shown of it."""
    if isinstance(wanted, dict) and isinstance(real, dict):
        for key, value in wanted.items():
            if key in real:
                yield from differs(value, real[key], f"{at}.{key}")
            else:
                yield f"{at}.{key} is missing"
    elif isinstance(wanted, Part | list) and isinstance(real, list):
        first = wanted.first if isinstance(wanted, Part) else wanted
        if len(first) > len(real) or (isinstance(wanted, list) and len(first) != len(real)):
            yield f"{at} has {len(real)} values"
        for number, (one, other) in enumerate(zip(first, real, strict=False)):
            yield from differs(one, other, f"{at}.{number}")
    elif isinstance(wanted, str) and "…" in wanted and isinstance(real, str):
        pattern = ".*".join(re.escape(piece) for piece in wanted.split("…"))
        if not re.fullmatch(pattern, real, re.DOTALL):
            yield f"{at} is {real!r}"
    elif wanted != real or isinstance(wanted, bool) is not isinstance(real, bool):
        yield f"{at} is {real!r}"


def _commands(found: Examples, text: str) -> None:
    lines = [*text.splitlines(), ""]
    said: list[str] = []
    for line in lines:
        if line.startswith("# {") or (said and line.startswith("#")):
            said.append(line.removeprefix("#").strip())
            continue
        if said:
            found.answer(" ".join(said))
            said = []
        found.add(line)


def _moved(text: str, ports: Mapping[int, int]) -> str:
    def moved(found: re.Match[str]) -> str:
        return f"localhost:{ports.get(int(found[1]), int(found[1]))}"

    return re.sub(r"localhost:(\d+)", moved, text)


def _documents(printed: str) -> Iterator[Any]:
    """Every JSON object or list in a text, in order."""
    at, decoder = 0, json.JSONDecoder()
    while found := re.compile(r"[{\[]").search(printed, at):
        try:
            document, at = decoder.raw_decode(printed, found.start())
        except ValueError:
            at = found.end()
        else:
            yield document


def _value(tokens: list[str]) -> tuple[Any, list[str]]:
    if not tokens:
        raise ValueError("it ends too early")
    first, rest = tokens[0], tokens[1:]
    if first == "{":
        return _members(rest)
    if first == "[":
        return _items(rest)
    return json.loads(first), rest


def _members(tokens: list[str]) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    while tokens and tokens[0] != "}":
        if tokens[0] == "," or tokens[0].startswith("…"):
            tokens = tokens[1:]
            continue
        if tokens[1:2] != [":"]:
            raise ValueError(f"{tokens[0]} is no member of an object")
        found[json.loads(tokens[0])], tokens = _value(tokens[2:])
    if not tokens:
        raise ValueError("an object is not closed")
    return found, tokens[1:]


def _items(tokens: list[str]) -> tuple[Part | list[Any], list[str]]:
    found: list[Any] = []
    whole = True
    while tokens and tokens[0] != "]":
        if tokens[0] == "," or tokens[0].startswith("…"):
            whole = whole and tokens[0] == ","
            tokens = tokens[1:]
            continue
        one, tokens = _value(tokens)
        found.append(one)
    if not tokens:
        raise ValueError("a list is not closed")
    return (found if whole else Part(found)), tokens[1:]
