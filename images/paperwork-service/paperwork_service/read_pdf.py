"""Reads a PDF or a picture, page by page. Part of the child process.

pdfplumber and not pypdf, which is faster and reads older Korean PDFs (KSCms-UHC-H, KSC-EUC-H) as
other characters without saying so.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paperwork_service.limits import Limits
from paperwork_service.reading import Reading, add_table, set_text
from paperwork_service.sniff import DocumentError, broken, encrypted, too_many_pages

if TYPE_CHECKING:
    from PIL import Image

    from paperwork_service.seen import PageSeen

# A picture with no more letters than these is a scan that something was stamped on.
_FEW_LETTERS = 20


@dataclass(frozen=True, slots=True)
class _Page:
    number: int
    text: str
    picture: bool

    @property
    def scanned(self) -> bool:
        letters = sum(not char.isspace() for char in self.text)
        return letters == 0 or (self.picture and letters < _FEW_LETTERS)


def read_pdf(path: str, limits: Limits, *, ocr: bool = False) -> Reading:
    """Text and ruled tables, and with `ocr` what is on pages that hold no text.

    Raises DocumentError.
    """
    reading = Reading()
    pages = _text_pages(path, reading, limits)
    blank = [page for page in pages if page.scanned]
    if ocr and blank:
        from paperwork_service.picture import pages_of_pdf

        numbers = [page.number for page in blank]
        drawn = zip(numbers, pages_of_pdf(path, numbers, limits), strict=False)
        _put_together(reading, pages, _recognised(reading, drawn, limits), limits)
        return reading
    for page in blank:
        if not page.text.strip():
            what = "a picture and no text; ask for ocr" if page.picture else "no text"
            reading.unread.append(f"page {page.number} holds {what}")
    _put_together(reading, pages, {}, limits)
    return reading


def read_picture(path: str, limits: Limits, *, ocr: bool = False) -> Reading:
    """The pages of a picture; without `ocr` only how many there are. Raises DocumentError."""
    from paperwork_service.picture import count_pages, pages_of_picture

    reading = Reading(pages=count_pages(path, limits))
    if not ocr:
        reading.unread.append("it is a picture; ask for ocr to have it read")
        return reading
    drawn = enumerate(pages_of_picture(path, limits), start=1)
    _put_together(reading, [], _recognised(reading, drawn, limits), limits)
    return reading


def _recognised(
    reading: Reading, drawn: Iterable[tuple[int, Image.Image]], limits: Limits
) -> dict[int, PageSeen]:
    from paperwork_service.recognise import recognise

    seen, unread = recognise(drawn, limits)
    reading.unread += unread
    return {page.page: page for page in seen}


def _put_together(
    reading: Reading, pages: list[_Page], seen: dict[int, PageSeen], limits: Limits
) -> None:
    """The text in the order of the pages, and where each page that OCR read begins in it."""
    texts = {page.number: page.text.split("\n") if page.text else [] for page in pages}
    lines: list[str] = []
    for number in sorted({*texts, *seen}):
        lines += texts.get(number, [])
        if number in seen:
            reading.seen.append({"first_line": len(lines), **seen[number].as_json()})
            lines += seen[number].text()
        reading.line_pages += [number] * (len(lines) - len(reading.line_pages))
    set_text(reading, "\n".join(lines), limits)


def _text_pages(path: str, reading: Reading, limits: Limits) -> list[_Page]:
    import pdfplumber
    from pdfminer.pdfdocument import PDFPasswordIncorrect, PDFTextExtractionNotAllowed
    from pdfplumber.utils.exceptions import PdfminerException

    try:
        with pdfplumber.open(path) as document:
            pages = document.pages
            check_pages(len(pages), limits)
            reading.pages = len(pages)
            return [_read_page(page, reading, limits) for page in pages]
    except PdfminerException as error:
        causes = (error.args[0] if error.args else None, error.__cause__, error.__context__)
        if any(isinstance(c, MemoryError) for c in causes):
            raise MemoryError from None
        if any(isinstance(c, PDFPasswordIncorrect | PDFTextExtractionNotAllowed) for c in causes):
            raise encrypted() from None
        raise broken(f"{causes[0]!r}"[:200]) from None
    except (DocumentError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - a parser raises anything on a damaged file
        raise broken(f"{type(error).__name__}: {error}"[:200]) from None


def check_pages(count: int, limits: Limits) -> None:
    """Raises DocumentError for a document of no pages, or of more than are read."""
    if count == 0:
        raise broken("it has no pages")
    if count > limits.pages:
        raise too_many_pages(count, limits.pages)


def _read_page(page: Any, reading: Reading, limits: Limits) -> _Page:
    text = str(page.extract_text() or "")
    # The text is worth more than the tables: a long document gets all of the one first.
    if time.process_time() > limits.table_seconds:
        reading.tables_truncated = True
    else:
        for grid in page.extract_tables():
            add_table(reading, grid, limits, page=page.page_number)
    reading.links += [link["uri"] for link in page.hyperlinks if isinstance(link.get("uri"), str)]
    found = _Page(page.page_number, text if text.strip() else "", bool(page.images))
    page.close()
    return found
