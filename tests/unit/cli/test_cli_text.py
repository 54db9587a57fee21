"""Tables, paragraphs and units: what people read is aligned, whole and never cut."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from controller.cli import words
from controller.cli.table import Column, Row, lines, paragraph

COLUMNS = (Column("NAME"), Column("PORT", right=True), Column("CPU", right=True, optional=1))


def drawn(rows: list[Row], width: int) -> list[str]:
    return [line.plain for line in lines(COLUMNS, rows, width)]


def test_columns_are_aligned_by_cells_not_characters() -> None:
    rows = [Row(("사주", "8012", "1 %")), Row(("paperwork", "80", "12 %"))]
    assert drawn(rows, 80) == [
        "NAME       PORT   CPU",
        "사주       8012   1 %",
        "paperwork    80  12 %",
    ]


def test_a_narrow_terminal_loses_whole_columns() -> None:
    assert drawn([Row(("paperwork", "80", "12 %"))], 16) == ["NAME       PORT", "paperwork    80"]


def test_an_optional_column_without_facts_is_left_out() -> None:
    assert drawn([Row(("a", "80", ""))], 80) == ["NAME  PORT", "a       80"]


@pytest.mark.parametrize("width", [24, 40, 80])
def test_a_paragraph_keeps_every_word_whole(width: int) -> None:
    sentence = (
        "헬스체크가 세 번 연속 503으로 답했습니다, see http://127.0.0.1:8012/health for more."
    )
    made = [line.plain for line in paragraph(sentence, width, indent=4)]
    assert " ".join(part.strip() for part in made) == sentence
    too_long = [line for line in made if cell_len(line) > width and " " in line.strip()]
    assert too_long == []


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (words.span(None), ""),
        (words.span(59.9), "59s"),
        (words.span(61), "1m 01s"),
        (words.span(7384), "2h 03m"),
        (words.span(90_000), "1d 01h"),
        (words.size(512), "512 B"),
        (words.size(50_331_648), "48 MiB"),
        (words.size(3 * 1024**3), "3.0 GiB"),
        (words.milliseconds(0), "0 ms"),
        (words.milliseconds(3.62), "3.6 ms"),
        (words.milliseconds(820), "820 ms"),
        (words.milliseconds(1234), "1.2 s"),
        (words.plural(1, "step"), "1 step"),
    ],
)
def test_units(shown: str, expected: str) -> None:
    assert shown == expected
