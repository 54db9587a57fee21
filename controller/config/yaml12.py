"""A strict YAML reader, because the usual ones read people's files wrongly or die of hostile ones.

YAML 1.1 turns `22:22` into 1342 and `no` into false, and silently keeps the last of two equal keys.
This reader follows the reference Compose loader: YAML 1.2 core types plus leading-zero octals,
dates and on/off/yes/no as text, duplicate keys as errors. It builds the tree from the parser's
event stream without recursion, so depth, aliases and expanded size are capped while reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from controller.config.node import Mark, Node, Report, Scalar, Value
from controller.errors import ConfigError

MAX_CHARS = 256 * 1024
MAX_DEPTH = 64
MAX_ALIASES = 2000
# A tree's weight counts every value as often as aliases repeat it, long texts more than once.
MAX_WEIGHT = 100_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_KEPT_TAGS = {"!reset", "!override"}

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLS = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMERIC_START = frozenset("0123456789+-.")


def resolve_plain(text: str) -> Scalar:
    """The typed value of an unquoted scalar."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if text[0] not in _NUMERIC_START:
        return text
    if _SPECIAL_FLOAT.fullmatch(text):
        return float(text.replace(".", "", 1))
    digits = text.replace("_", "")
    if _INT.fullmatch(digits):
        number = _to_int(digits)
        if number is not None:
            return number
    if _FLOAT.fullmatch(digits):
        return float(digits)
    return text


def _to_int(digits: str) -> int | None:
    sign = -1 if digits.startswith("-") else 1
    body = digits.lstrip("+-").lower()
    base = {"0x": 16, "0o": 8, "0b": 2}.get(body[:2])
    if base is None:
        base = 8 if body.startswith("0") and len(body) > 1 else 10
    else:
        body = body[2:]
    # Beyond 64 bits the reference falls back to a float; int() is also slow on huge texts.
    if len(body) > 64:
        return None
    number = sign * int(body, base)
    return number if -(2**63) <= number < 2**64 else None


def read_documents(text: str, file: str) -> list[Node]:
    """All documents of a YAML text that hold anything. Raises ConfigError naming file and line."""
    if len(text) > MAX_CHARS:
        raise ConfigError(
            [f"{file}: the file has {len(text)} characters, {MAX_CHARS} are allowed"],
            remedy="split it into several files",
        )
    builder = _Builder(file)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.YAMLError as error:
        builder.report.fault(_error_mark(error, text, file), _error_text(error))
    except RecursionError:
        builder.report.fault(Mark(file), "the file is nested too deeply")
    builder.report.check()
    return [node for node in builder.documents if node.value is not None]


def read(text: str, file: str) -> Node:
    """The single document of a YAML text; an empty text is an empty mapping.

    Raises ConfigError for anything that is not valid YAML, and for a second document.
    """
    documents = read_documents(text, file)
    if len(documents) > 1:
        raise ConfigError(
            [f"{documents[1].mark}: a second document; only one is allowed here"],
            remedy="remove the line --- and what follows it",
        )
    return documents[0] if documents else Node({}, Mark(file, 1))


def _events(text: str) -> Iterator[Any]:
    return yaml.parse(text, Loader=_LOADER)


def _error_mark(error: yaml.YAMLError, text: str, file: str) -> Mark:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return Mark(file, mark.line + 1)
    position = getattr(error, "position", 0)
    return Mark(file, text.count("\n", 0, position) + 1)


def _error_text(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        said = ", ".join(part for part in (error.context, error.problem) if part)
    else:
        said = str(getattr(error, "reason", "") or "unreadable characters")
    return f"not valid YAML: {said}"


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is still being read."""

    value: list[Node] | dict[str, Node]
    mark: Mark
    tag: str | None
    anchor: str | None
    weight: int = 1
    key: str | None = None
    key_mark: Mark | None = None
    merging: bool = False
    merged: list[Node] = field(default_factory=list)


class _Builder:
    """Turns parser events into nodes; `documents` and `report` are its results."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.report = Report()
        self.documents: list[Node] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._aliases = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors.clear()

    def _mark(self, event: Any) -> Mark:
        return Mark(self.file, event.start_mark.line + 1)

    def _path(self) -> str:
        path = ""
        for frame in self._stack:
            if isinstance(frame.value, list):
                path += f"[{len(frame.value)}]"
            elif frame.key is not None:
                path += f".{frame.key}" if path else frame.key
        return (path if len(path) <= 120 else path[:120] + "…") or "document"

    def _fail(self, mark: Mark, text: str) -> None:
        self.report.fault(mark, f"{self._path()}: {text}")
        self.report.check()

    def _scalar(self, event: Any) -> None:
        mark = self._mark(event)
        weight = 1 + len(event.value) // 100
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.value, dict) and frame.key is None:
            self._key(frame, event, mark)
            return
        value, tag = self._resolve(event, mark)
        self._add(Node(value, mark, tag), weight, event.anchor)

    def _resolve(self, event: Any, mark: Mark) -> tuple[Scalar, str | None]:
        text: str = event.value
        tag = event.tag
        if tag is None or tag in _KEPT_TAGS:
            return (text if event.style else resolve_plain(text)), tag
        if tag in ("!", _CORE + "str", _CORE + "timestamp"):
            return text, None
        if tag.startswith(_CORE) and tag[len(_CORE) :] in ("int", "float", "bool", "null"):
            return resolve_plain(text), None
        self._fail(mark, f"unknown tag {tag}")
        return None, None

    def _key(self, frame: _Frame, event: Any, mark: Mark) -> None:
        is_text = bool(event.style) or event.tag in ("!", _CORE + "str")
        if not is_text and event.value == "<<":
            frame.key, frame.key_mark, frame.merging = "<<", mark, True
            return
        if not is_text and not isinstance(resolve_plain(event.value), str):
            shown = event.value[:40] or "(empty)"
            self.report.fault(mark, f"{self._path()}: the key {shown} is not text; quote it")
        assert isinstance(frame.value, dict)
        if event.value in frame.value:
            first = frame.value[event.value].mark.line
            path = self._path()
            name = event.value[:80] if path == "document" else f"{path}.{event.value[:80]}"
            self.report.fault(mark, f"{name}: the key appears twice, first at line {first}")
        frame.key, frame.key_mark = event.value, mark
        if event.anchor:
            self._anchors[event.anchor] = (Node(event.value, mark), 1)

    def _open(self, event: Any) -> None:
        mark = self._mark(event)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.value, dict) and frame.key is None:
            self._fail(mark, "a key must be text, not a list or mapping")
        if len(self._stack) >= MAX_DEPTH:
            self._fail(mark, f"nested more than {MAX_DEPTH} levels deep")
        is_map = isinstance(event, yaml.MappingStartEvent)
        tag = event.tag
        if tag in (_CORE + "map", _CORE + "seq", "!"):
            tag = None
        if tag is not None and tag not in _KEPT_TAGS:
            self._fail(mark, f"unknown tag {tag}")
        empty: list[Node] | dict[str, Node] = {} if is_map else []
        self._stack.append(_Frame(empty, mark, tag, event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        value: Value = frame.value
        if isinstance(value, dict):
            for source in frame.merged:
                for key, child in source.map().items():
                    value.setdefault(key, child)
        self._add(Node(value, frame.mark, frame.tag), frame.weight, frame.anchor)

    def _alias(self, event: Any) -> None:
        mark = self._mark(event)
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._fail(mark, f"more than {MAX_ALIASES} aliases")
        if any(frame.anchor == event.anchor for frame in self._stack):
            self._fail(mark, f"the alias *{event.anchor} refers to itself")
        if event.anchor not in self._anchors:
            self._fail(mark, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
        node, weight = self._anchors[event.anchor]
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.value, dict) and frame.key is None:
            if not isinstance(node.value, str):
                self._fail(mark, "a key must be text")
            frame.key, frame.key_mark = str(node.value), mark
            return
        self._add(node, weight, None)

    def _add(self, node: Node, weight: int, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = (node, weight)
        if not self._stack:
            self.documents.append(node)
            return
        frame = self._stack[-1]
        frame.weight += weight
        if frame.weight > MAX_WEIGHT:
            self._fail(node.mark, "the file holds too much once its aliases are expanded")
        if isinstance(frame.value, list):
            frame.value.append(node)
            return
        assert frame.key is not None
        assert frame.key_mark is not None
        if frame.merging:
            self._merge(frame, node)
        else:
            frame.value[frame.key] = Node(node.value, frame.key_mark, node.tag)
        frame.key, frame.key_mark, frame.merging = None, None, False

    def _merge(self, frame: _Frame, node: Node) -> None:
        sources = node.items() if isinstance(node.value, list) else [node]
        for source in sources:
            if not isinstance(source.value, dict):
                self._fail(node.mark, f"<< takes a mapping or a list of them, not {source.kind}")
        frame.merged.extend(sources)
