"""Reads docx and xlsx. Part of the child process; macros and links to other files are ignored."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from paperwork_service.limits import Limits
from paperwork_service.reading import Reading, add_table, set_text
from paperwork_service.sniff import DocumentError, broken

_DECIMALS = re.compile(r"0\.(0+)")


def read_docx(path: str, limits: Limits) -> Reading:
    """Paragraphs and tables in the order of the body, then headers and footers, then links."""
    import docx
    from docx.opc.constants import RELATIONSHIP_TYPE

    reading = Reading()
    try:
        document = docx.Document(path)
        lines = list(_docx_blocks(document, reading, limits))
        for section in document.sections:
            for part in (section.header, section.footer):
                if not part.is_linked_to_previous:
                    lines += _docx_blocks(part, reading, limits)
        reading.links = [
            relation.target_ref
            for relation in document.part.rels.values()
            if relation.reltype == RELATIONSHIP_TYPE.HYPERLINK and relation.is_external
        ]
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a parser raises anything on a damaged file
        raise broken(f"{type(error).__name__}: {error}"[:200]) from None
    _finish(reading, lines, limits)
    return reading


def read_xlsx(path: str, limits: Limits) -> Reading:
    """Every sheet as a table, its cells as they are shown; formulas by the value last kept.

    A formula whose value the file does not hold is named, for nothing here computes it.
    """
    reading = Reading()
    lines: list[str] = []
    try:
        # Opened here, for by its name openpyxl would take it for no workbook.
        with Path(path).open("rb") as file, Path(path).open("rb") as again:
            lines = _read_sheets(file, again, reading, limits)
    except (MemoryError, DocumentError):
        raise
    except Exception as error:  # noqa: BLE001 - a parser raises anything on a damaged file
        raise broken(f"{type(error).__name__}: {error}"[:200]) from None
    if not reading.tables and not reading.tables_truncated:
        lines = []
    _finish(reading, lines, limits)
    return reading


def _read_sheets(file: IO[bytes], again: IO[bytes], reading: Reading, limits: Limits) -> list[str]:
    """The lines of every sheet; its tables and what is missing go to the reading."""
    import openpyxl

    lines: list[str] = []
    values = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    formulas = openpyxl.load_workbook(again, read_only=True, keep_links=False)
    for sheet, source in zip(values.worksheets, formulas.worksheets, strict=True):
        grid, unknown = _sheet(sheet, source, reading, limits)
        if unknown:
            reading.unread.append(
                f"{unknown} formulas of sheet {sheet.title!r} hold no value; "
                "open it in Excel and save it to have them computed"
            )
        add_table(reading, grid, limits, sheet=sheet.title)
        lines += [sheet.title, *("\t".join(row) for row in grid if any(row))]
    return lines


def _finish(reading: Reading, lines: list[str], limits: Limits) -> None:
    set_text(reading, "\n".join(" ".join(line.split("\n")) for line in lines), limits)
    if not reading.text.strip():
        reading.unread.append("the document holds no text")


def _docx_blocks(container: Any, reading: Reading, limits: Limits) -> Iterator[str]:
    """The lines of a body, header or footer; a table is a line a row, its cells tab-separated."""
    for block in container.iter_inner_content():
        if hasattr(block, "rows"):
            grid = [_distinct(row.cells) for row in block.rows]
            add_table(reading, grid, limits)
            yield from ("\t".join(" ".join(cell.split()) for cell in row) for row in grid)
        else:
            yield from block.text.split("\n")


def _distinct(cells: Any) -> list[str]:
    """The cells' texts; one that spans columns comes once for each, and is wanted once."""
    found, before = [], None
    for cell in cells:
        if cell._tc is not before:
            found.append(cell.text)
        before = cell._tc
    return found


def _sheet(
    sheet: Any, source: Any, reading: Reading, limits: Limits
) -> tuple[list[list[str]], int]:
    """The rows that hold something, and how many formulas hold no value."""
    for view in (sheet, source):
        view.reset_dimensions()  # what a sheet says of its own size is not believed
    grid: list[list[str]] = []
    cells = unknown = 0
    rows = zip(sheet.iter_rows(), source.iter_rows(), strict=False)
    for number, (row, formula_row) in enumerate(rows, start=1):
        texts = [shown(cell.value, getattr(cell, "number_format", "")) for cell in row]
        unknown += sum(
            cell.value is None and other.data_type == "f"
            for cell, other in zip(row, formula_row, strict=False)
            if other.value is not None
        )
        while texts and not texts[-1]:
            texts.pop()
        cells += len(texts)
        if cells > limits.table_cells or number > limits.sheet_rows:
            reading.tables_truncated = True
            break
        if texts:
            grid.append(texts)
    return grid, unknown


def shown(value: object, pattern: str) -> str:
    """Pure: a cell's value as its number format shows it, as far as it matters for reading it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "minutes")
    if isinstance(value, int | float):
        return _number(value, pattern or "")
    return " ".join(str(value).split())


def _number(value: float, pattern: str) -> str:
    positive = pattern.partition(";")[0]
    decimals = _DECIMALS.search(positive)
    places = len(decimals.group(1)) if decimals else 0
    if "%" in positive:
        return f"{value * 100:.{places}f}%"
    if "#,##0" in positive:
        text = f"{value:,.{places}f}"
    elif decimals:
        text = f"{value:.{places}f}"
    else:
        text = f"{value:.15g}" if abs(value) < 1e15 else str(value)
    before, after = _currency(positive)
    return f"{before}{text}{after}"


def _currency(pattern: str) -> tuple[str, str]:
    for sign in ("₩", "￦", "$", "€", "¥"):
        # `[$-412]` names a language; `[$₩-412]` a currency.
        if sign in re.sub(r"\[\$-", "[-", pattern).replace("[$", "["):
            return sign, ""
    return ("", "원") if "원" in pattern else ("", "")
