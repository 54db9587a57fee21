"""The engine's stream taken apart, however it was cut into chunks."""

from __future__ import annotations

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.logs.wire import MAX_LINE, Unframer
from controller.model.log import Line

AT = 1_764_095_623_123_456_789
STAMP = b"2025-11-25T18:33:43.123456789Z "


def frame(text: bytes, stream: int = 1, stamp: bytes = STAMP) -> bytes:
    payload = stamp + text
    return struct.pack(">BxxxI", stream, len(payload)) + payload


def test_each_frame_is_a_line_with_the_engines_time() -> None:
    found = Unframer(has_terminal=False).feed(frame(b"one\n") + frame("둘\r\n".encode(), 2))
    assert found == [Line(AT, False, "one"), Line(AT, True, "둘")]


def test_colours_are_taken_out() -> None:
    coloured = b"\x1b[1;31mERROR\x1b[0m \x1b]0;title\x07broke \x1b[38;5;12mit\x1b[K\n"
    (line,) = Unframer(has_terminal=False).feed(frame(coloured))
    assert line.text == "ERROR broke it"


def test_pieces_of_a_long_line_are_put_together_though_the_other_stream_comes_between() -> None:
    data = (
        frame(b"a" * 16_384) + frame(b"error\n", 2) + frame(b"b\n", stamp=STAMP.replace(b"7", b"8"))
    )
    found = Unframer(has_terminal=False).feed(data)
    assert found == [Line(AT, True, "error"), Line(AT, False, "a" * 16_384 + "b")]


def test_a_line_without_end_takes_no_memory_without_end() -> None:
    unframer = Unframer(has_terminal=False)
    for _ in range(100):
        assert unframer.feed(frame(b"x" * 16_384)) == []
    (line,) = unframer.feed(frame(b"y\n"))
    assert len(line.text) <= MAX_LINE
    assert line.text.endswith(" … (the line goes on)")


def test_a_terminals_stream_has_no_frames() -> None:
    unframer = Unframer(has_terminal=True)
    assert unframer.feed(STAMP + b"one\r\n" + STAMP + b"tw") == [Line(AT, False, "one")]
    assert unframer.feed(b"o\n") == [Line(AT, False, "two")]


def test_what_is_no_such_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="stream 80"):
        Unframer(has_terminal=False).feed(b"PLAIN TEXT")


@given(
    st.lists(st.tuples(st.text(max_size=40), st.booleans()), max_size=8),
    st.lists(st.integers(1, 90), max_size=20),
)
def test_chunks_may_be_cut_anywhere(lines: list[tuple[str, bool]], cuts: list[int]) -> None:
    # Ends of lines, and what terminals are told, are not a line's own text.
    clean = [(re.sub("[\n\r\x1b]", " ", text), error) for text, error in lines]
    data = b"".join(frame(f"{text}\n".encode("utf-8", "replace"), 1 + e) for text, e in clean)
    unframer, found = Unframer(has_terminal=False), []
    for cut in [*cuts, len(data)]:
        found += unframer.feed(data[:cut])
        data = data[cut:]
    wanted = [(t.encode("utf-8", "replace").decode(), e) for t, e in clean]
    assert [(line.text, line.is_error) for line in found] == wanted
