"""Writes a paper as docx, to be changed in Word or 한글. Part of the child process."""

from __future__ import annotations

import datetime
import io
from typing import Any

import docx
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from paperwork_service.paper import Align, Block, Pairs, Paper, Signatures, Sums, Table, Text

# What Korean Windows and Mac Word have; a docx carries no fonts of its own.
_FONT = "맑은 고딕"
_SHADE = "F1F3F5"
_WIDTH = 174  # millimetres between the margins of A4
_LABEL_SHARE = 0.19
_SIZE = 9.0
_CELL_MARGINS, _MM_A_POINT, _DIGIT_WIDTH = 4.0, 0.353, 0.6  # the last in shares of the size
_MADE = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - the format has no zone; no time inside
_ALIGN: dict[Align, WD_ALIGN_PARAGRAPH] = {
    "left": WD_ALIGN_PARAGRAPH.LEFT,
    "center": WD_ALIGN_PARAGRAPH.CENTER,
    "right": WD_ALIGN_PARAGRAPH.RIGHT,
}


def write_docx(paper: Paper) -> bytes:
    """The file."""
    document = docx.Document()
    _set_up(document, paper)
    if paper.note:
        _paragraph(document, paper.note, "right", 9)
    _paragraph(document, paper.title, "center", 22, bold=True, after=12)
    for block in paper.blocks:
        _add(document, block)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _set_up(document: Any, paper: Paper) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(18)
    section.top_margin = section.bottom_margin = Mm(18)
    style = document.styles["Normal"]
    style.font.name, style.font.size = _FONT, Pt(10)
    style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), _FONT)
    language = OxmlElement("w:lang")
    language.set(qn("w:eastAsia"), "ko-KR")  # words are broken and spelled as Korean
    style.element.get_or_add_rPr().append(language)
    style.paragraph_format.space_after = Pt(0)
    core = document.core_properties
    core.title, core.author, core.language = paper.title, paper.author, "ko-KR"
    core.comments, core.created, core.modified = "", _MADE, _MADE
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for kind in ("PAGE", None, "NUMPAGES"):
        if kind:
            _field(footer, kind)
        else:
            footer.add_run(" / ")


def _field(paragraph: Any, kind: str) -> None:
    """A page number, which only the program that shows the document knows."""
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), kind)
    paragraph._p.append(field)


def _add(document: Any, block: Block) -> None:
    if isinstance(block, Text):
        for number, line in enumerate(block.text.split("\n")):
            before = block.space if number == 0 else 0
            _paragraph(document, line, block.align, block.size, bold=block.bold, before=before)
    elif isinstance(block, Pairs):
        _pairs(document, block)
    elif isinstance(block, Table):
        _table(document, block)
    elif isinstance(block, Sums):
        _sums(document, block)
    else:
        _signatures(document, block)


def _pairs(document: Any, block: Pairs) -> None:
    most = max(len(row) for row in block.rows)
    shares = [_LABEL_SHARE, 1 / most - _LABEL_SHARE] * most
    grid = _grid(document, len(block.rows), shares)
    for cells, row in zip(grid.rows, block.rows, strict=True):
        for place, (name, text) in enumerate(row):
            _fill(cells.cells[2 * place], name, "center", bold=True, shaded=True)
            _fill(cells.cells[2 * place + 1], text)
        if len(row) < most:
            cells.cells[2 * len(row) - 1].merge(cells.cells[2 * most - 1])
    _paragraph(document, "", size=4)


def _table(document: Any, block: Table) -> None:
    grid = _grid(document, 1 + len(block.rows), [column.share for column in block.columns])
    head, *rows = grid.rows
    repeated = OxmlElement("w:tblHeader")
    repeated.set(qn("w:val"), "true")
    head._tr.get_or_add_trPr().append(repeated)
    for cell, column in zip(head.cells, block.columns, strict=True):
        _fill(cell, column.title, "center", bold=True, shaded=True)
    for row, texts in zip(rows, block.rows, strict=True):
        for cell, text, column in zip(row.cells, texts, block.columns, strict=True):
            size = _fitting(text, column.share) if column.align == "right" else _SIZE
            _fill(cell, text, column.align, size)
    _paragraph(document, "", size=4)


def _sums(document: Any, block: Sums) -> None:
    share = 1 / len(block.pairs)
    grid = _grid(document, 1, [share * 0.3, share * 0.7] * len(block.pairs))
    for place, (name, amount) in enumerate(block.pairs):
        _fill(grid.rows[0].cells[2 * place], name, "center", bold=True, shaded=True)
        size = _fitting(amount, share * 0.7)
        _fill(grid.rows[0].cells[2 * place + 1], amount, "right", size, bold=True)


def _signatures(document: Any, block: Signatures) -> None:
    _paragraph(document, "", size=12)
    share = 1 / len(block.parties)
    grid = _grid(document, 1, [share] * len(block.parties), ruled=False)
    for cell, lines in zip(grid.rows[0].cells, block.parties, strict=True):
        _write(cell.paragraphs[0], lines[0], "left", 10, bold=True)
        for line in lines[1:]:
            _write(cell.add_paragraph(), line, "left", 10)


def _grid(document: Any, rows: int, shares: list[float], *, ruled: bool = True) -> Any:
    grid = document.add_table(rows=rows, cols=len(shares))
    grid.style = "Table Grid" if ruled else "Normal Table"
    grid.alignment, grid.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    for row in grid.rows:
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    for column, share in zip(grid.columns, shares, strict=True):
        column.width = Mm(_WIDTH * share)
        for cell in column.cells:
            cell.width = Mm(_WIDTH * share)
    return grid


def _fitting(text: str, share: float) -> float:
    """The size at which a number is one line of its column: half of one reads as another."""
    room = (share * _WIDTH - _CELL_MARGINS) / _MM_A_POINT
    return min(_SIZE, room / (_DIGIT_WIDTH * max(1, len(text))))


def _fill(
    cell: Any,
    text: str,
    align: Align = "left",
    size: float = _SIZE,
    *,
    bold: bool = False,
    shaded: bool = False,
) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(3)
    _write(paragraph, text, align, size, bold=bold)
    if shaded:
        shade = OxmlElement("w:shd")
        shade.set(qn("w:val"), "clear")
        shade.set(qn("w:fill"), _SHADE)
        cell._tc.get_or_add_tcPr().append(shade)


def _paragraph(
    document: Any,
    text: str,
    align: Align = "left",
    size: float = 10,
    *,
    bold: bool = False,
    before: float = 0,
    after: float = 0,
) -> None:
    paragraph = document.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(before)
    paragraph.paragraph_format.space_after = Pt(after)
    _write(paragraph, text, align, size, bold=bold)


def _write(paragraph: Any, text: str, align: Align, size: float, *, bold: bool = False) -> None:
    paragraph.alignment = _ALIGN[align]
    run = paragraph.add_run(text)
    run.bold, run.font.size = bold, Pt(size)
