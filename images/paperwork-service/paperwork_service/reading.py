"""What the child process found in a document, as it is handed to the service, and how it grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from paperwork_service.limits import Limits


@dataclass(slots=True)
class Reading:
    """What the document holds. `pages` is None where the format has none (docx, xlsx).

    `line_pages` are the pages of the lines of `text`, empty where there are none. `tables` are
    `{page, sheet, rows}`. `seen` are the pages that OCR read: `{first_line, …}` and what
    `recognise.PageSeen` holds. `unread` are sentences about parts that could not be read.
    """

    pages: int | None = None
    text: str = ""
    text_truncated: bool = False
    line_pages: list[int] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    tables_truncated: bool = False
    links: list[str] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def add_table(
    reading: Reading,
    grid: list[list[Any]],
    limits: Limits,
    *,
    page: int | None = None,
    sheet: str | None = None,
) -> None:
    """Keeps a table, unless there are too many cells already."""
    rows = [[" ".join(str(cell or "").split()) for cell in row] for row in grid]
    used = sum(len(row) for table in reading.tables for row in table["rows"])
    if used + sum(len(row) for row in rows) > limits.table_cells:
        reading.tables_truncated = True
    elif any(any(row) for row in rows):
        reading.tables.append({"page": page, "sheet": sheet, "rows": rows})


def set_text(reading: Reading, text: str, limits: Limits) -> None:
    """Keeps the text, at most so many characters of it."""
    reading.text = text[: limits.text_chars]
    reading.text_truncated = len(text) > limits.text_chars
