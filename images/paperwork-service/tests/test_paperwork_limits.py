"""Hostile pictures, workbooks and PDFs: each a named refusal, and the memory they take bounded."""

from __future__ import annotations

import asyncio
import io
import json
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import paperwork_files as files
import pytest
from PIL import Image

from heal7_contract.testing import client
from paperwork_service import app
from paperwork_service.examples import EXAMPLES
from paperwork_service.limits import LIMITS
from paperwork_service.open_document import BusyError, Opener
from paperwork_service.sniff import DocumentError, sniff

_SHEET = "xl/worksheets/sheet1.xml"
_XML = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'


def png_of(width: int, height: int, colour: int, bits: int = 8) -> bytes:
    """A blank PNG of any size, its rows never held in memory together."""
    samples = {0: 1, 2: 3, 6: 4}[colour]
    row = bytes(1 + (width * samples * bits + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def tiff_of(pages: int) -> bytes:
    out = io.BytesIO()
    page = Image.new("1", (20, 20), 1)
    page.save(out, "TIFF", save_all=True, append_images=[page] * (pages - 1))
    return out.getvalue()


def xlsx_with(sheet: str, **others: bytes) -> bytes:
    """A real workbook with one of its parts replaced."""
    book, out, changed = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    book.save(out)
    with (
        zipfile.ZipFile(out) as old,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, sheet.encode() if name == _SHEET else old.read(name))
    return changed.getvalue()


def pdf_with_picture(side: int) -> bytes:
    """A page that shows one grey picture of so many pixels a side, packed a thousandfold."""
    packer = zlib.compressobj(9)
    row = bytes([255]) * side
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    picture = (
        f"/Im << /Type /XObject /Subtype /Image /Width {side} /Height {side} /BitsPerComponent 8 "
        f"/ColorSpace /DeviceGray /Filter /FlateDecode /Length {len(data)} >>"
    )
    return files.picture_pdf(picture.encode(), data)


_LAUGHS = (
    '<!DOCTYPE w [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(97 + n)} "{f"&{chr(96 + n)};" * 10}">' for n in range(1, 10))
    + "]>"
)

HOSTILE: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "900 million pixels": (lambda: png_of(30_000, 30_000, 0, 1), {"document_too_many_pixels"}),
    "four bytes a pixel": (lambda: png_of(6_200, 6_200, 6), {"document_too_costly"}),
    "60 pages": (lambda: tiff_of(60), {"document_too_many_pages"}),
    "a picture cut short": (lambda: png_of(3_000, 3_000, 2)[:-9_000], {"document_broken"}),
    "a picture of nothing": (lambda: png_of(1, 1, 0), {"read"}),
    "40 million grey pixels": (lambda: png_of(6_300, 6_300, 0), {"read"}),
    "a PDF's picture": (
        lambda: pdf_with_picture(20_000),
        {"read", "document_too_costly", "document_broken"},
    ),
    "a page of a square kilometre": (
        lambda: files.minimal_pdf(box="0 0 3000000 3000000"),
        {"read"},
    ),
    "a page without area": (lambda: files.minimal_pdf(box="0 0 0 0"), {"read", "document_broken"}),
    "a workbook's last row": (
        lambda: xlsx_with(
            _XML + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
        ),
        {"read"},
    ),
    "a workbook of laughs": (
        lambda: xlsx_with(
            _LAUGHS + _XML + '<row r="1"><c r="A1" t="str"><v>&j;</v></c></row></sheetData>'
            "</worksheet>"
        ),
        {"document_broken", "document_too_costly"},
    ),
    "a workbook cut short": (
        lambda: xlsx_with(_XML + '<row r="1"><c r="A1"><v>1</v>'),
        {"document_broken"},
    ),
    "a million cells": (
        lambda: xlsx_with(
            _XML + ("<row><c><v>1</v></c></row>" * 1_000_000) + "</sheetData></worksheet>"
        ),
        {"read", "document_bomb"},
    ),
    "a PDF that begins as a zip": (
        lambda: b"PK\x03\x04 %PDF-1.7 " + bytes(99),
        {"document_broken"},
    ),
}


def outcome(data: bytes, path: Path) -> str:
    """`read`, or the code of the refusal."""
    path.write_bytes(data)
    try:
        kind = sniff(data, LIMITS)
        asyncio.run(Opener(LIMITS).read(kind, path, ocr=True))
    except DocumentError as fault:
        named = fault.status in (413, 415, 422) and bool(fault.remedy)
        return fault.code if named else f"{fault.code} without a remedy"
    return "read"


def test_every_hostile_document_is_refused_by_name_or_read_within_its_memory(
    tmp_path: Path,
) -> None:
    """In a process of its own, for the largest child of a process is all that the system tells."""
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path / "hostile")],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert set(told["outcomes"]) == set(HOSTILE)
    for name, found in told["outcomes"].items():
        assert found in HOSTILE[name][1], (name, found)
    assert told["peak_bytes"] <= LIMITS.memory_bytes


async def test_more_documents_than_may_wait_are_told_to_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.pdf"
    path.write_bytes((files.DATA / "invoice.pdf").read_bytes())
    opener = Opener(replace(LIMITS, waiting=1))
    answers = await asyncio.gather(
        *(opener.read("pdf", path) for _ in range(4)), return_exceptions=True
    )
    assert [type(answer) is BusyError for answer in answers] == [False, False, True, True]
    assert (await opener.read("pdf", path)).text == answers[0].text  # type: ignore[union-attr]


async def test_a_full_queue_is_a_503_that_says_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEAL7_DATA", str(tmp_path))
    monkeypatch.setattr(app, "opener", Opener(replace(LIMITS, at_once=0, waiting=0)))
    async with client(app.service, tmp_path) as http:
        data = (files.DATA / "invoice.pdf").read_bytes()
        uploaded = await http.post("/documents", files={"file": ("x.pdf", data)})
        body = {"document_id": uploaded.json()["document_id"]}
        made = {"template": "minutes", "format": "pdf", "data": EXAMPLES["minutes"]}
        for action, request in (("process", body), ("generate", made)):
            reply = await http.post(f"/actions/{action}", json=request)
            assert (reply.status_code, reply.json()["code"]) == (503, "busy")
            assert int(reply.headers["retry-after"]) > 0
        assert (await http.get("/ready")).json()["checks"]["ocr"] == "ok"


def test_values_of_a_workbook_are_as_they_are_shown(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "청구"
    rows = [
        ("공급가액", 1_500_000, '#,##0"원"'), ("세액", 150_000, '#,##0"원"'),
        ("합계", 1_650_000, '"₩"#,##0'), ("비율", 0.125, "0.0%"), ("무게", 0.1 + 0.2, "General"),
        ("발행일", date(2025, 2, 3), "yyyy-mm-dd"), ("참", True, "General"),
    ]  # fmt: skip
    for number, (label, value, shown) in enumerate(rows, start=1):
        sheet.cell(number, 1, label)
        sheet.cell(number, 2, value).number_format = shown
    sheet["A9"] = "=SUM(B1:B2)"
    book.create_sheet("빈 장")
    out = io.BytesIO()
    book.save(out)
    path = tmp_path / "doc_of_no_suffix"
    path.write_bytes(out.getvalue())
    reading = asyncio.run(Opener(LIMITS).read("xlsx", path))
    (table,) = reading.tables
    assert (table["sheet"], table["page"]) == ("청구", None)
    assert [row[1] for row in table["rows"]] == [
        "1,500,000원", "150,000원", "₩1,650,000", "12.5%", "0.3", "2025-02-03", "TRUE",
    ]  # fmt: skip
    assert reading.text.split("\n")[:2] == ["청구", "공급가액\t1,500,000원"]
    assert reading.unread[0].startswith("1 formulas of sheet '청구' hold no value")


if __name__ == "__main__":
    outcomes = {name: outcome(make(), Path(sys.argv[1])) for name, (make, _) in HOSTILE.items()}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(json.dumps({"outcomes": outcomes, "peak_bytes": peak}))
