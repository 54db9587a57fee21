"""The engine's log stream taken apart: frames to lines, each with its time; pure.

Without a terminal the engine wraps each write in a frame of eight bytes and its payload (Docker
Engine API, "Attach to a container"); with one it sends plain bytes. It cuts lines after 16 KiB and
gives each piece a time of its own, so pieces are put together here. One line is bounded: what a
service writes without ever ending the line must not fill the hub's memory.
"""

from __future__ import annotations

import re
import struct
from datetime import datetime

from controller.model.log import Line

MAX_LINE = 65_536
_HEAD = struct.Struct(">BxxxI")
_STDERR = 2
# 2026-11-25T18:33:43.123456789Z and a space.
_TIME = 31
# What terminals are told: colours and the like (ECMA-48), and titles of windows.
_COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_CUT = " … (the line goes on)"


class Unframer:
    """Give it bytes as they come; it gives the lines that are complete by then."""

    def __init__(self, *, has_terminal: bool) -> None:
        self._has_terminal = has_terminal
        self._rest = b""
        self._open: dict[bool, _Open] = {}
        self._second = b""
        self._base = 0

    def feed(self, data: bytes) -> list[Line]:
        """Lines in the order they came. Raises ValueError where it is no such stream."""
        lines: list[Line] = []
        buffer = self._rest + data if self._rest else data
        if self._has_terminal:
            *whole, self._rest = buffer.split(b"\n")
            if len(self._rest) > 2 * MAX_LINE:
                whole, self._rest = [*whole, self._rest], b""
            for piece in whole:
                self._take(False, piece + b"\n", lines)
            return lines
        at, end = 0, len(buffer)
        while end - at >= _HEAD.size:
            stream, size = _HEAD.unpack_from(buffer, at)
            stop = at + _HEAD.size + size
            if stream > _STDERR:
                raise ValueError(f"a frame of stream {stream} is not one of the engine's")
            if stop > end:
                break
            self._take(stream == _STDERR, buffer[at + _HEAD.size : stop], lines)
            at = stop
        self._rest = buffer[at:]
        return lines

    def _take(self, is_error: bool, payload: bytes, lines: list[Line]) -> None:
        moment, text = self._moment(payload), payload[_TIME:]
        begun = self._open.pop(is_error, None)
        if text.endswith(b"\n"):
            text = text[:-1]
            if begun is not None:
                moment, text = begun.at, begun.joined(text)
            lines.append(Line(moment, is_error, _shown(text)))
            return
        if begun is None:
            begun = _Open(moment)
        begun.add(text)
        self._open[is_error] = begun

    def _moment(self, payload: bytes) -> int:
        second = payload[:19]
        if second != self._second:
            whole = datetime.fromisoformat(second.decode("ascii") + "+00:00")
            self._second, self._base = second, int(whole.timestamp()) * 1_000_000_000
        return self._base + int(payload[20:29])


class _Open:
    """A line whose end has not come yet."""

    __slots__ = ("at", "pieces", "size")

    def __init__(self, at: int) -> None:
        self.at = at
        self.pieces: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        if self.size <= MAX_LINE:
            self.pieces.append(piece)
            self.size += len(piece)

    def joined(self, last: bytes) -> bytes:
        self.add(last)
        return b"".join(self.pieces)


def _shown(text: bytes) -> str:
    line = text[: MAX_LINE + 1].decode("utf-8", "replace")
    if len(text) > MAX_LINE:
        line = line[: MAX_LINE - len(_CUT)] + _CUT
    if "\x1b" in line:
        line = _COLOURS.sub("", line)
    return line.rstrip("\r")
