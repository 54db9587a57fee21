"""The child process that opens one document: `python -m paperwork_service.reader KIND PATH`.

Documents come from strangers and parsers have bugs, so parsing happens in a process of its own
that may use only so much memory and processor time; the worst document costs a 422. It also keeps
the parsers' 50 MB out of the idle service. Prints one JSON object: a `Reading`, or a fault.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from paperwork_service.limits import LIMITS, Limits
from paperwork_service.sniff import DocumentError, broken, encrypted, too_costly


@dataclass(slots=True)
class Reading:
    """What the document holds. `pages` is None where the format has none (docx).

    `tables` are `{page, rows}`; `unread` are sentences about parts that could not be read.
    """

    pages: int | None = None
    text: str = ""
    text_truncated: bool = False
    tables: list[dict[str, Any]] = field(default_factory=list)
    tables_truncated: bool = False
    links: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def main(arguments: list[str]) -> int:
    """0 with a reading or a named fault on stdout; anything else is a crash for the parent."""
    kind, path = arguments
    _confine(LIMITS)
    try:
        reading = read_pdf(path, LIMITS) if kind == "pdf" else read_docx(path, LIMITS)
        answer: dict[str, Any] = {"reading": dataclasses.asdict(reading)}
    except MemoryError:
        answer = _fault(too_costly("its memory limit was reached"))
    except DocumentError as fault:
        answer = _fault(fault)
    json.dump(answer, sys.stdout, ensure_ascii=True)
    return 0


def _fault(fault: DocumentError) -> dict[str, Any]:
    return {"fault": {"code": fault.code, "detail": fault.detail, "remedy": fault.remedy}}


def _confine(limits: Limits) -> None:
    """No way back for this process: soft and hard limits alike."""
    cpu, memory = limits.cpu_seconds, limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_pdf(path: str, limits: Limits) -> Reading:
    """Text and ruled tables page by page. Raises DocumentError.

    pdfplumber and not pypdf, which is faster and reads older Korean PDFs (KSCms-UHC-H, KSC-EUC-H)
    as other characters without saying so.
    """
    import pdfplumber
    from pdfminer.pdfdocument import PDFPasswordIncorrect, PDFTextExtractionNotAllowed
    from pdfplumber.utils.exceptions import PdfminerException

    reading = Reading()
    try:
        with pdfplumber.open(path) as document:
            pages = document.pages
            _check_pages(len(pages), limits)
            reading.pages = len(pages)
            texts = [_read_pdf_page(page, reading, limits) for page in pages]
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
    _set_text(reading, "\n".join(texts), limits)
    return reading


def _check_pages(count: int, limits: Limits) -> None:
    if count == 0:
        raise broken("it has no pages")
    if count > limits.pages:
        raise DocumentError(
            "document_too_many_pages",
            f"The document has {count} pages; at most {limits.pages} are read.",
            "Split the document and upload the parts.",
        )


def _read_pdf_page(page: Any, reading: Reading, limits: Limits) -> str:
    text = str(page.extract_text() or "")
    if not text.strip():
        what = "a picture and no text (OCR is not available)" if page.images else "no text"
        reading.unread.append(f"page {page.page_number} holds {what}")
    # The text is worth more than the tables: a long document gets all of the one first.
    if time.process_time() > limits.table_seconds:
        reading.tables_truncated = True
    else:
        for grid in page.extract_tables():
            _add_table(reading, page.page_number, grid, limits)
    reading.links += [link["uri"] for link in page.hyperlinks if _is_text(link.get("uri"))]
    page.close()
    return text


def _is_text(value: object) -> bool:
    return isinstance(value, str)


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
    _set_text(reading, "\n".join(lines), limits)
    if not reading.text.strip():
        reading.unread.append("the document holds no text")
    return reading


def _docx_blocks(container: Any, reading: Reading, limits: Limits) -> Iterator[str]:
    """The lines of a body, header or footer; a table is a line a row, its cells tab-separated."""
    for block in container.iter_inner_content():
        if hasattr(block, "rows"):
            grid = [[cell.text for cell in row.cells] for row in block.rows]
            _add_table(reading, None, grid, limits)
            yield from ("\t".join(row) for row in grid)
        else:
            yield block.text


def _add_table(reading: Reading, page: int | None, grid: list[list[Any]], limits: Limits) -> None:
    rows = [[" ".join(str(cell or "").split()) for cell in row] for row in grid]
    used = sum(len(row) for table in reading.tables for row in table["rows"])
    if used + sum(len(row) for row in rows) > limits.table_cells:
        reading.tables_truncated = True
    elif any(any(row) for row in rows):
        reading.tables.append({"page": page, "rows": rows})


def _set_text(reading: Reading, text: str, limits: Limits) -> None:
    reading.text = text[: limits.text_chars]
    reading.text_truncated = len(text) > limits.text_chars


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
