"""Sets a paper as PDF: A4, NanumGothic embedded, page numbers. Part of the child process."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus import Table as Grid

from paperwork_service.paper import (
    Align,
    Block,
    Column,
    Pairs,
    Paper,
    Signatures,
    Sums,
    Table,
    Text,
)
from paperwork_service.sniff import DocumentError

REGULAR, BOLD = "NanumGothic", "NanumGothicBold"
_FONTS = Path("/usr/share/fonts/truetype/nanum")
_MARGIN = 18 * mm
_FRAME_PADDING = 6
_WIDTH = A4[0] - 2 * _MARGIN - 2 * _FRAME_PADDING
_ALIGN: dict[Align, int] = {"left": TA_LEFT, "center": TA_CENTER, "right": TA_RIGHT}
_RULE, _SHADE, _STRONG = colors.HexColor("#9aa3ad"), colors.HexColor("#f1f3f5"), colors.black
_LEADING = 1.5
_LABEL_SHARE = 0.19
_PADDING = 4


def write_pdf(paper: Paper) -> tuple[bytes, int]:
    """The file and its number of pages. Raises DocumentError for letters the font lacks."""
    _load_fonts()
    _check_letters(paper)
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN + 6 * mm,
        title=paper.title,
        author=paper.author,
        creator="HEAL7 paperwork-service",
        lang="ko",
        invariant=1,  # no time of making inside: the same data give the same file
    )
    story = [*_head(paper), *(part for block in paper.blocks for part in _block(block))]
    document.build(story, canvasmaker=_Numbered)
    return out.getvalue(), document.page


def _load_fonts() -> None:
    for name in (REGULAR, BOLD):
        try:
            pdfmetrics.registerFont(TTFont(name, str(_FONTS / f"{name}.ttf")))
        except OSError as error:
            raise DocumentError(
                "font_missing",
                f"The font {name} can not be loaded: {error}.",
                "Install the package fonts-nanum where the service runs.",
                status=503,
            ) from None
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR)


def _check_letters(paper: Paper) -> None:
    """A letter without a shape would be an empty box, and nobody would be told."""
    known = pdfmetrics.getFont(REGULAR).face.charToGlyph
    texts = [paper.title, paper.note, *_texts(paper.blocks)]
    missing = sorted({char for text in texts for char in text if char != "\n"} - _chars(known))
    if missing:
        shown = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in missing[:10])
        raise DocumentError(
            "character_unsupported",
            f"The font has no shape for {shown}.",
            "Replace these characters, or ask for format docx.",
        )


def _chars(known: dict[int, int]) -> set[str]:
    return {chr(code) for code in known}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif hasattr(value, "__slots__"):
        for name in type(value).__slots__:
            yield from _texts(getattr(value, name))


def _head(paper: Paper) -> list[Flowable]:
    note = [_text(paper.note, "right", size=9)] if paper.note else []
    title = Paragraph(escape(paper.title), _style(22, "center", BOLD))
    return [*note, Spacer(1, 6), title, Spacer(1, 16)]


def _block(block: Block) -> list[Flowable]:
    if isinstance(block, Text):
        lines = [_text(line, block.align, block.size, bold=block.bold) for line in _lines(block)]
        return [Spacer(1, block.space), *lines] if block.space else lines
    if isinstance(block, Pairs):
        return [_pairs(block), Spacer(1, 8)]
    if isinstance(block, Table):
        return [Spacer(1, 2), _table(block), Spacer(1, 6)]
    if isinstance(block, Sums):
        return [_sums(block)]
    return [Spacer(1, 16), KeepTogether([_signatures(block)])]


def _lines(block: Text) -> list[str]:
    return block.text.split("\n")


def _pairs(block: Pairs) -> Grid:
    most = max(len(row) for row in block.rows)
    label, value = _LABEL_SHARE, 1 / most - _LABEL_SHARE
    style: list[tuple[Any, ...]] = []
    rows: list[list[Any]] = []
    for index, row in enumerate(block.rows):
        cells: list[Any] = []
        for name, text in row:
            style.append(("BACKGROUND", (len(cells), index), (len(cells), index), _SHADE))
            cells += [_text(name, "center", 8.5, bold=True), _text(text, size=9.5)]
        if len(row) < most:
            style.append(("SPAN", (2 * len(row) - 1, index), (2 * most - 1, index)))
            cells += [""] * (2 * (most - len(row)))
        rows.append(cells)
    # Label and value begin on one line, however long the value is.
    style.append(("VALIGN", (0, 0), (-1, -1), "TOP"))
    # Two hundred guests fill more than a page: such a row goes on over it.
    return _ruled(rows, [label, value] * most, style, splitInRow=1)


def _table(block: Table) -> Grid:
    head = [_text(column.title, "center", 9, bold=True) for column in block.columns]
    rows = [
        [_cell(cell, column) for cell, column in zip(row, block.columns, strict=True)]
        for row in block.rows
    ]
    shade = [("BACKGROUND", (0, 0), (-1, 0), _SHADE)]
    return _ruled([head, *rows], [column.share for column in block.columns], shade, repeatRows=1)


def _cell(text: str, column: Column) -> Paragraph:
    """A number is set smaller rather than broken: half of one reads as another."""
    number = column.align == "right"
    size = _fitting(text, 9, column.share, REGULAR) if number else 9.0
    return _text(text, column.align, size)


def _fitting(text: str, size: float, share: float, font: str) -> float:
    """`size`, or the smaller one at which the text is one line of its column."""
    room = share * _WIDTH - 2 * _PADDING - 0.5
    wide = pdfmetrics.stringWidth(text, font, size)
    return float(size if wide <= room else size * room / wide)


def _sums(block: Sums) -> Grid:
    label, value = 0.3 / len(block.pairs), 0.7 / len(block.pairs)
    cells: list[Any] = []
    style: list[tuple[Any, ...]] = [("BOX", (0, 0), (-1, -1), 1.2, _STRONG)]
    for name, amount in block.pairs:
        style.append(("BACKGROUND", (len(cells), 0), (len(cells), 0), _SHADE))
        size = _fitting(amount, 9.5, value, BOLD)
        cells += [_text(name, "center", 9.5, bold=True), _text(amount, "right", size, bold=True)]
    return _ruled([cells], [label, value] * len(block.pairs), style)


def _signatures(block: Signatures) -> Grid:
    columns = [
        [_text(line, size=10, bold=number == 0) for number, line in enumerate(party)]
        for party in block.parties
    ]
    share = _WIDTH / len(columns)
    top = [("VALIGN", (0, 0), (-1, -1), "TOP")]
    return Grid([columns], colWidths=[share] * len(columns), style=top)


def _ruled(
    rows: list[list[Any]], shares: list[float], style: list[tuple[Any, ...]], **options: Any
) -> Grid:
    basics: list[tuple[Any, ...]] = [
        ("GRID", (0, 0), (-1, -1), 0.5, _RULE),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LEFTPADDING", (0, 0), (-1, -1), _PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), _PADDING),
        ("BOTTOMPADDING", (0, 0), (-1, -1), _PADDING + 1),
    ]
    widths = [share * _WIDTH for share in shares]
    return Grid(rows, colWidths=widths, style=[*basics, *style], **options)


def _text(text: str, align: Align = "left", size: float = 10, *, bold: bool = False) -> Paragraph:
    """Breaks at spaces, as Korean wants it, and inside words that are wider than their place."""
    shown = escape(text).replace("  ", "&nbsp; ") or "&nbsp;"
    return Paragraph(shown, _style(size, align, BOLD if bold else REGULAR))


@cache
def _style(size: float, align: Align, font: str) -> ParagraphStyle:
    return ParagraphStyle(
        f"{font}-{size}-{align}",
        fontName=font,
        fontSize=size,
        leading=size * _LEADING,
        alignment=_ALIGN[align],
        splitLongWords=1,
    )


class _Numbered(Canvas):  # type: ignore[misc]
    """`1 / 3` at the foot of every page: the last number is known only at the end."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - the library's name
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, state in enumerate(self._kept, start=1):
            self.__dict__.update(state)
            self.setFont(REGULAR, 8.5)
            self.setFillColor(colors.HexColor("#555555"))
            self.drawCentredString(A4[0] / 2, 10 * mm, f"{number} / {len(self._kept)}")
            super().showPage()
        super().save()
