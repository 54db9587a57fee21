"""Aligned text that fits the terminal: the columns a narrow one cannot hold are left out whole.

Sentences never go into cells: they stand under their row, wrapped between words, so that nothing a
person needs at 3 a.m. is cut off. Widths are terminal cells (a Hangul syllable takes two).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

GAP = 2
NOTE_INDENT = 4
_NARROWEST = 20


@dataclass(frozen=True, slots=True)
class Column:
    """`optional` columns are dropped, highest number first, where the width does not hold all, and
    where no row has anything in them."""

    title: str
    right: bool = False
    optional: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of cells and the sentences that belong under it. Styles are rich's, '' is none."""

    cells: tuple[str, ...]
    styles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def lines(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[Text]:
    """The header and the rows as styled lines of at most `width` cells where that is possible."""
    widths = [
        max(cell_len(column.title), *(cell_len(row.cells[i]) for row in rows), 0)
        for i, column in enumerate(columns)
    ]
    told = {i for i in range(len(columns)) if any(row.cells[i] for row in rows)}
    kept = _fitting(
        [i for i, c in enumerate(columns) if i in told or not c.optional], columns, widths, width
    )
    header = tuple(column.title for column in columns)
    made = [_line(columns, widths, kept, header, ("bold",) * len(columns))] if any(header) else []
    for row in rows:
        made.append(_line(columns, widths, kept, row.cells, row.styles))
        for note in row.notes:
            made.extend(paragraph(note, width, indent=NOTE_INDENT))
    return made


def paragraph(sentence: str, width: int, *, indent: int = 0, style: str = "") -> list[Text]:
    """`sentence` wrapped between words; a single word longer than the line stays whole."""
    room = max(width - indent, _NARROWEST)
    made: list[Text] = []
    for line in sentence.splitlines():
        current = ""
        for word in line.split():
            if current and cell_len(current) + 1 + cell_len(word) > room:
                made.append(Text(" " * indent + current, style))
                current = word
            else:
                current = f"{current} {word}" if current else word
        if current:
            made.append(Text(" " * indent + current, style))
    return made


def _fitting(
    candidates: Sequence[int], columns: Sequence[Column], widths: Sequence[int], width: int
) -> list[int]:
    kept = list(candidates)
    for i in sorted(kept, key=lambda i: -columns[i].optional):
        total = sum(widths[k] for k in kept) + GAP * (len(kept) - 1)
        if total <= width or not columns[i].optional:
            break
        kept.remove(i)
    return kept


def _line(
    columns: Sequence[Column],
    widths: Sequence[int],
    kept: Sequence[int],
    cells: Sequence[str],
    styles: Sequence[str],
) -> Text:
    line = Text()
    for position, i in enumerate(kept):
        padding = " " * (widths[i] - cell_len(cells[i]))
        style = styles[i] if i < len(styles) else ""
        line.append(" " * GAP if position else "")
        line.append(padding if columns[i].right else "")
        line.append(cells[i], style)
        line.append("" if columns[i].right else padding)
    line.rstrip()
    return line
