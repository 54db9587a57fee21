"""Pictures, scans and workbooks as a client sends them: what is read, and where it says it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import paperwork_files as files
import pytest
from PIL import Image

from paperwork_service.limits import LIMITS
from paperwork_service.read_pdf import read_picture


async def test_the_scan_gives_the_fields_of_the_invoice_it_was_made_of(
    http: httpx.AsyncClient,
) -> None:
    replies = [
        (await files.process(http, (files.DATA / name).read_bytes(), key=name)).json()["result"]
        for name in ("invoice.pdf", "invoice_scan.png")
    ]
    printed, scanned = replies
    assert (scanned["needs_review"], scanned["review_reasons"]) == (False, [])
    for kind, members in (
        ("amounts", ("label", "value", "currency")),
        ("dates", ("label", "value")),
        ("business_numbers", ("label", "value", "check_digit_ok")),
        ("urls", ("value",)),
    ):
        facts = [[[fact[m] for m in members] for fact in r["fields"][kind]] for r in replies]
        assert facts[0] == facts[1], kind
    assert (scanned["type"], scanned["ocr_pages"], printed["ocr_pages"]) == ("invoice", [1], [])
    kept = (await http.get(f"/documents/{scanned['document_id']}")).json()
    assert kept["latest"] == scanned
    total = scanned["fields"]["amounts"][2]
    # Misread, and put right by what the other looks and the sum say.
    assert total["value"] == 1_650_000
    assert total["source"]["method"] == "ocr"
    assert 0.5 < total["source"]["confidence"] <= 1
    left, top, right, bottom = total["source"]["box"]
    assert 0.4 < left < right < 0.7
    assert 0.6 < top < bottom < 0.8


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "GIF", "PNG"])
async def test_pictures_of_every_kind_are_taken(http: httpx.AsyncClient, kind: str) -> None:
    reply = await files.process(http, files.scanned(kind), operations=["extract"])
    assert (reply.json()["result"]["kind"], reply.json()["result"]["pages"]) == ("image", 1)


async def test_a_page_that_lies_on_its_head_is_turned(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    with Image.open(files.DATA / "invoice_scan.png") as scan:
        scan.rotate(180).save(path, "PNG")
    text = read_picture(str(path), LIMITS, ocr=True).text
    assert "공급받는자" in text
    assert "http://demo-site:8080/terms/2025.html" in text


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
async def test_pictures_are_read_however_they_were_packed(
    http: httpx.AsyncClient, kind: str
) -> None:
    result = (await files.process(http, files.scanned(kind))).json()["result"]
    assert (result["kind"], result["type"]) == ("image", "invoice")
    assert "http://demo-site:8080/terms/2025.html" in result["text"]
    # However the format spoilt it, what is stated is true.
    values = {amount["value"] for amount in result["fields"]["amounts"]}
    assert values <= {1_500_000, 150_000, 1_650_000, None}
    assert result["needs_review"] is (None in values or len(values) < 3)


@pytest.mark.parametrize("kind", ["PDF", "TIFF"])
async def test_every_page_of_a_scan_is_read(http: httpx.AsyncClient, kind: str) -> None:
    result = (await files.process(http, files.scanned(kind, pages=2))).json()["result"]
    assert (result["pages"], result["ocr_pages"]) == (2, [1, 2])
    assert [a["source"]["page"] for a in result["fields"]["amounts"]] == [1, 1, 1, 2, 2, 2]
    assert result["text"].count("공급받는자") == 2


async def test_only_pages_without_text_are_looked_at(http: httpx.AsyncClient) -> None:
    result = (await files.process(http, files.mixed_pdf())).json()["result"]
    assert (result["pages"], result["ocr_pages"]) == (2, [2])
    sources = [(a["source"]["method"], a["source"]["page"]) for a in result["fields"]["amounts"]]
    assert sources == [("text", 1)] * 3 + [("ocr", 2)] * 3
    assert [a["value"] for a in result["fields"]["amounts"]] == [1_500_000, 150_000, 1_650_000] * 2


async def test_a_workbook(http: httpx.AsyncClient) -> None:
    result = (await files.process(http, files.workbook())).json()["result"]
    assert (result["kind"], result["type"], result["needs_review"]) == ("xlsx", "invoice", False)
    assert result["tables"][0]["sheet"] == "청구"
    assert [(a["label"], a["value"], a["currency"]) for a in result["fields"]["amounts"]] == [
        ("공급가액", 1_500_000, None),
        ("세액", 150_000, None),
        ("합계", 1_650_000, None),
    ]
    assert [(d["label"], d["value"]) for d in result["fields"]["dates"]] == [
        ("작성일", "2025-02-03")
    ]


async def test_pages_that_no_time_is_left_for_are_named(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    path.write_bytes(files.scanned("TIFF", pages=2))
    reading = read_picture(str(path), replace(LIMITS, ocr_seconds=0), ocr=True)
    assert reading.text == ""
    assert reading.unread == ["page 1 and those after it were not read: OCR had no time left"]
    reading = read_picture(str(path), replace(LIMITS, ocr_last_seconds=0), ocr=True)
    assert reading.unread[0] == "page 1 could not be read by OCR: it took too long"
    assert len(reading.unread) == 2


async def test_a_picture_is_not_read_unless_ocr_is_asked_for(http: httpx.AsyncClient) -> None:
    data = (files.DATA / "invoice_scan.png").read_bytes()
    result = (await files.process(http, data, operations=["extract", "classify"])).json()["result"]
    assert (result["kind"], result["pages"], result["text"]) == ("image", 1, "")
    assert result["review_reasons"][0] == "it is a picture; ask for ocr to have it read"
