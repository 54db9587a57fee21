"""Server-sent events as the WHATWG text has them: lines in, events out. Pure.

The id survives an event without data, because that is what a client must resume from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """`id` is the last one seen (None before the first).

    `retry_ms` is set where the hub set it since the event before.
    """

    id: str | None
    kind: str
    data: str
    retry_ms: int | None = None


def parse(lines: Iterable[str]) -> Iterator[Event]:
    """Events of a stream's lines (without line ends). A last event without an empty line is lost:
    it may be half of one."""
    last_id: str | None = None
    retry: int | None = None
    kind, data = "", list[str]()
    for line in lines:
        if not line:
            if data:
                yield Event(last_id, kind or "message", "\n".join(data), retry)
                retry = None
            kind, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "retry" and value.isdigit():
            retry = int(value)


def split(chunks: Iterable[bytes]) -> Iterator[str]:
    """Whole lines of a byte stream that ends them by LF, CR or CRLF, wherever the chunks break."""
    rest, after_cr = b"", False
    for chunk in chunks:
        if not chunk:
            continue
        piece = chunk[1:] if after_cr and chunk.startswith(b"\n") else chunk
        after_cr = chunk.endswith(b"\r")
        *whole, rest = (rest + piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
