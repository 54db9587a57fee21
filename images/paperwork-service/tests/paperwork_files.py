"""Makes the good and the hostile documents that the tests upload, and uploads them."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import docx
import httpx
import openpyxl
from PIL import Image

_LATIN = b"/F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
DATA = Path(__file__).parent / "data"


def minimal_pdf(
    *,
    pages: int = 1,
    content: bytes = b"",
    filters: str = "",
    font: bytes = _LATIN,
    box: str = "0 0 300 300",
) -> bytes:
    """A valid PDF by hand: `pages` pages that share one content stream."""
    kids = " ".join(f"{index + 4} 0 R" for index in range(pages))
    stream = b"<< /Length %d %s >>\nstream\n%s\nendstream" % (
        len(content),
        filters.encode(),
        content,
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>".encode(),
        stream,
    ]
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [" + box.encode() + b"] /Contents 3 0 R "
        b"/Resources << /Font << " + font + b" >> >> >>"
    )
    objects += [page] * pages
    return _assemble(objects, b"")


def picture_pdf(picture: bytes, data: bytes) -> bytes:
    """A page filled by one picture: its dictionary as `/Im << … >>`, and its packed pixels."""
    name, _, body = picture.partition(b" ")
    content = b"q 300 0 0 300 0 0 cm " + name + b" Do Q"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 3 0 R "
        b"/Resources << /XObject << " + name + b" 5 0 R >> >> >>",
        body + b"\nstream\n" + data + b"\nendstream",
    ]
    return _assemble(objects, b"")


def scanned(kind: str, pages: int = 1) -> bytes:
    """The sample scan as a file of another kind: `PDF` and `TIFF` may have several pages."""
    out = io.BytesIO()
    with Image.open(DATA / "invoice_scan.png") as picture:
        page = picture.convert("RGB" if kind in ("JPEG", "WEBP") else "L")
        several = {"save_all": True, "append_images": [page] * (pages - 1)} if pages > 1 else {}
        page.save(out, kind, **several)
    return out.getvalue()


def mixed_pdf() -> bytes:
    """A page of text, then a page that is the sample scan."""
    import pypdfium2

    out, whole = io.BytesIO(), pypdfium2.PdfDocument.new()
    for data in ((DATA / "invoice.pdf").read_bytes(), scanned("PDF")):
        whole.import_pages(pypdfium2.PdfDocument(data))
    whole.save(out)
    return out.getvalue()


def workbook() -> bytes:
    """A sheet of an invoice's sums, as numbers with a format."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    sheet.title = "청구"
    sheet.append(["세금계산서"])
    for label, amount in (("공급가액", 1_500_000), ("세액", 150_000), ("합계", 1_650_000)):
        sheet.append([label, amount])
        sheet.cell(sheet.max_row, 2).number_format = "#,##0"
    sheet.append(["작성일", date(2025, 2, 3)])
    book.save(out)
    return out.getvalue()


def korean_pdf(text: str) -> bytes:
    """A page set in a predefined Korean encoding with no map to Unicode, as older programs do."""
    content = b"BT /K1 12 Tf 20 100 Td <" + text.encode("cp949").hex().encode() + b"> Tj ET"
    font = (
        b"/K1 << /Type /Font /Subtype /Type0 /BaseFont /HYSMyeongJo-Medium /Encoding /KSCms-UHC-H "
        b"/DescendantFonts [<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HYSMyeongJo-Medium "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Korea1) /Supplement 1 >> >>] >>"
    )
    return minimal_pdf(content=content, font=font)


def encrypted_pdf() -> bytes:
    """A PDF whose encryption no empty password opens (standard handler, revision 3)."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 0 /Kids [] >>",
        b"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <" + b"11" * 32 + b"> "
        b"/U <" + b"22" * 32 + b"> >>",
    ]
    return _assemble(objects, b"/Encrypt 3 0 R /ID [<00><00>]")


def _assemble(objects: list[bytes], trailer: bytes) -> bytes:
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (len(objects) + 1, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def table_pdf() -> bytes:
    """A page with a ruled 2×2 table of Latin text."""
    lines = [
        *(f"50 {y} m 250 {y} l S" for y in (100, 150, 200)),
        *(f"{x} 100 m {x} 200 l S" for x in (50, 150, 250)),
    ]
    cells = [(60, 170, "Item"), (160, 170, "Price"), (60, 120, "Chart"), (160, 120, "USD 12.50")]
    texts = [f"BT /F1 12 Tf {x} {y} Td ({text}) Tj ET" for x, y, text in cells]
    return minimal_pdf(content="\n".join(lines + texts).encode())


def docx_with(build: str = "") -> bytes:
    """A docx with a table, a header and a hyperlink."""
    document = docx.Document()
    document.add_paragraph(f"견적서 {build}")
    table = document.add_table(rows=2, cols=2)
    for row, values in zip(table.rows, (("품목", "금액"), ("달력", "30,000원")), strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    document.sections[0].header.paragraphs[0].text = "작성일 2025-02-03"
    document.part.relate_to(
        "https://linked.example/",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink",
        is_external=True,
    )
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def zip_of(entries: dict[str, bytes]) -> bytes:
    """A deflated zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as container:
        for name, data in entries.items():
            container.writestr(name, data)
    return out.getvalue()


def lying_zip(data: bytes) -> bytes:
    """The same archive, its directory claiming that every member unpacks to 100 bytes."""
    out, at = bytearray(data), 0
    while (at := out.find(b"PK\x01\x02", at)) >= 0:
        struct.pack_into("<I", out, at + 24, 100)
        at += 4
    return bytes(out)


def ole_with(stream: str) -> bytes:
    """The start of an OLE container that names `stream`."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + stream.encode("utf-16-le")


async def upload(http: httpx.AsyncClient, data: bytes, name: str = "x.pdf") -> httpx.Response:
    return await http.post("/documents", files={"file": (name, data)})


async def process(
    http: httpx.AsyncClient, data: bytes, key: str = "run1:process", **body: Any
) -> httpx.Response:
    uploaded = await upload(http, data)
    assert uploaded.status_code == 201, uploaded.text
    request = {"document_id": uploaded.json()["document_id"], **body}
    return await http.post("/actions/process", json=request, headers={"Idempotency-Key": key})
