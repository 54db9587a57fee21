"""Reads `.env` and `env_file`, whose dialect is Compose's own: quotes, several lines, expansion.

Unquoted and double-quoted values are expanded, single-quoted ones are literal. Errors name file
and line and never the text, because such files hold secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.config.compose.interpolate import InterpolationError, Interpolator, Lookup
from controller.config.node import Mark, Report

_BLANK = re.compile(r"(?:[\s]+|#[^\n]*)*")
_ASSIGN = re.compile(r"(?:export[ \t]+)?([\w.\-\[\]]+)[ \t]*([=:]|(?=\r?\n)|\Z)[ \t]*")
_ESCAPE = re.compile(r'\\(?:([abfnrtv"\\$])|0([0-7]{1,3}))')
_ESCAPED = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    '"': '"', "\\": "\\", "$": "$$",
}  # fmt: skip


@dataclass(slots=True)
class _Reader:
    text: str
    file: str
    report: Report
    at: int = 0
    _counted: int = 0
    _line: int = 1

    def mark(self) -> Mark:
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return Mark(self.file, self._line)

    def skip_blank(self) -> bool:
        """Moves to the next statement; False at the end."""
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at < len(self.text)

    def skip_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1


def parse(
    text: str,
    file: str,
    lookup: Lookup,
    report: Report,
    earlier: Mapping[str, str | None] | None = None,
) -> dict[str, str]:
    """Variables of a dotenv text, in file order.

    When a value is expanded, `lookup` is asked first, then the lines above, then `earlier` files;
    `lookup` also serves lines that only name a variable. Faults go to `report`.
    """
    found: dict[str, str] = {}
    reader = _Reader(text, file, report)

    def resolve(name: str) -> str | None:
        value = lookup(name)
        return value if value is not None else found.get(name, (earlier or {}).get(name))

    worker = Interpolator(resolve, set(), report)
    while reader.skip_blank():
        mark = reader.mark()
        statement = _ASSIGN.match(text, reader.at)
        if statement is None:
            report.fault(mark, "not a line of the form NAME=value")
            reader.skip_line()
            continue
        reader.at = statement.end()
        name = statement.group(1)
        if not statement.group(2):
            inherited = lookup(name)
            if inherited is not None:
                found[name] = inherited
            continue
        raw, expands = _value(reader, mark)
        try:
            found[name] = worker.expand(raw) if expands else raw
        except InterpolationError as error:
            report.fault(mark, f"{name}: {error}")
    return found


def parse_all(
    texts: Iterable[tuple[str, str | None]], env: Mapping[str, str], report: Report
) -> dict[str, str]:
    """Variables of several dotenv texts by file, None where a file is not there; later ones win,
    and `env` wins over all of them where a value is expanded."""
    found: dict[str, str] = {}
    for file, text in texts:
        if text is not None:
            known = {**found, **env}
            found.update(parse(text, file, known.get, report))
    return found


def parse_raw(text: str, file: str, lookup: Lookup, report: Report) -> dict[str, str]:
    """Variables of an env_file with `format: raw`: everything after `=` is the value as it is.

    `lookup` serves lines that only name a variable.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.lstrip().partition("=")
        if not equals and name.isidentifier():
            inherited = lookup(name)
            if inherited is not None:
                found[name] = inherited
            continue
        if not equals or not name or any(char.isspace() for char in name):
            report.fault(Mark(file, number), "not a line of the form NAME=value")
            continue
        found[name] = value
    return found


def _value(reader: _Reader, mark: Mark) -> tuple[str, bool]:
    """The raw value at the reader's place, and whether variables in it are expanded."""
    quote = reader.text[reader.at : reader.at + 1]
    if quote in ("'", '"') and quote:
        return _quoted(reader, quote, mark), quote == '"'
    end = reader.text.find("\n", reader.at)
    end = len(reader.text) if end < 0 else end
    line = reader.text[reader.at : end]
    reader.at = end
    return line.split(" #", 1)[0].rstrip(), True


def _quoted(reader: _Reader, quote: str, mark: Mark) -> str:
    body = re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL)
    found = body.match(reader.text, reader.at)
    if found is None:
        reader.report.fault(mark, "a quoted value without its closing quote")
        reader.at = len(reader.text)
        return ""
    reader.at = found.end()
    start = reader.at
    reader.skip_line()
    rest = reader.text[start : reader.at].strip()
    if rest and not rest.startswith("#"):
        reader.report.fault(mark, "text after the closing quote")
    inside = found.group(1)
    if quote == "'":
        return inside.replace("\\'", "'")
    return _ESCAPE.sub(_unescape, inside)


def _unescape(found: re.Match[str]) -> str:
    letter, octal = found.groups()
    return _ESCAPED[letter] if letter else chr(int(octal, 8))
