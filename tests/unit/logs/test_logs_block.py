"""Blocks hold what they were given, and the index finds whatever is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.logs.block import Stored, folded, indexed, pack, trigrams, unpack
from controller.model.log import Entry, Level, Stream


def stored(*texts: str) -> list[Stored]:
    return [
        Stored(n, Entry(n * 7, Stream(n % 3), Level.INFO, text)) for n, text in enumerate(texts)
    ]


def test_a_block_comes_back_as_it_was() -> None:
    entries = [
        Stored(
            2**62,
            Entry(
                1_764_095_623_123_456_789, Stream.HUB, Level.ERROR, "오류\n\x00 \u2028", "r", "s"
            ),
        ),
        Stored(2**62 + 5, Entry(0, Stream.OUT, Level.UNSET, "")),
    ]
    assert unpack(pack(entries)) == entries


def test_a_damaged_block_is_an_error() -> None:
    with pytest.raises(ValueError, match="damaged"):
        unpack(pack(stored("x"))[:-3])
    with pytest.raises(ValueError, match="damaged"):
        unpack(b"no block")


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    with sqlite3.connect(":memory:") as made:
        made.execute(
            "CREATE VIRTUAL TABLE f USING fts5(t, content='', detail=none, columnsize=0,"
            " tokenize='trigram')"
        )
        yield made


def finds(index: sqlite3.Connection, text: str, *words: str) -> bool:
    index.execute("INSERT INTO f(f) VALUES ('delete-all')")
    index.execute("INSERT INTO f(rowid, t) VALUES (1, ?)", (indexed(stored(text)),))
    question = trigrams(words)
    if question is None:
        return True
    return index.execute("SELECT 1 FROM f WHERE f MATCH ?", (question,)).fetchone() is not None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("계산 오류가 발생했습니다", "오류"),
        ("끝", "끝"),
        ("Connection RESET by peer", "reset"),
        ("STRASSE straße", "STRASSE"),
        ('say "no" * AND', '"no" * AND'),
        ("가\u1100\u1161", "가가"),
        ("order 48213779 paid", "4821377"),
        ("order 48213779 paid", "r 48213779 p"),
        ("order 48213 paid", "8213"),
        ("before\0after", "after"),
    ],
)
def test_words_are_found_in_either_language(
    index: sqlite3.Connection, text: str, word: str
) -> None:
    assert finds(index, text, word)
    assert folded(word) in folded(text)


def test_what_is_not_there_is_not_found(index: sqlite3.Connection) -> None:
    assert not finds(index, "계산이 끝났습니다", "오류")
    assert not finds(index, "connection reset", "connection", "refused")


def test_a_number_is_not_found_by_its_digits_in_others(index: sqlite3.Connection) -> None:
    others = " ".join(str(n) for n in range(100_000, 200_000, 97))
    assert not finds(index, others, "1357900")
    assert finds(index, others + " 1357900", "1357900")


@given(text=st.text(max_size=60), cut=st.tuples(st.integers(0, 60), st.integers(1, 12)))
def test_every_part_of_a_text_is_found(
    index: sqlite3.Connection, text: str, cut: tuple[int, int]
) -> None:
    part = folded(text)[cut[0] : cut[0] + cut[1]]
    if part:
        assert finds(index, text, part)
