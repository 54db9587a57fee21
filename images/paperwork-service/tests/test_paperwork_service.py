"""The service as a client sees it: the samples read right, the hostile refused by name."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import replace
from pathlib import Path

import httpx
import paperwork_files as files
import pytest

from paperwork_service import app, models, open_document
from paperwork_service.generate import GenerateRequest
from paperwork_service.limits import LIMITS
from paperwork_service.open_document import Opener, judge
from paperwork_service.read_pdf import read_pdf
from paperwork_service.shelf import FullError, Shelf
from paperwork_service.sniff import DocumentError, sniff


async def test_the_sample_invoice(http: httpx.AsyncClient) -> None:
    reply = await files.process(http, (files.DATA / "invoice.pdf").read_bytes())
    assert reply.status_code == 200, reply.text
    result = reply.json()["result"]
    assert result["type"] == "invoice"
    assert result["confidence"] > 0.7
    assert "세금계산서" in result["reasons"][0]
    assert result["urls"] == ["http://demo-site:8080/terms/2025.html"]
    fields = result["fields"]
    assert [(a["label"], a["value"], a["currency"]) for a in fields["amounts"]] == [
        ("공급가액", 1_500_000, "KRW"),
        ("세액", 150_000, "KRW"),
        ("합계", 1_650_000, "KRW"),
    ]
    assert [(d["label"], d["value"]) for d in fields["dates"]] == [("발행일", "2025-02-03")]
    assert [(b["label"], b["text"]) for b in fields["business_numbers"]] == [
        ("공급자", "123-45-67890"),
        ("공급받는자", "987-65-43210"),
    ]
    assert (result["pages"], result["needs_review"], result["review_reasons"]) == (1, False, [])


async def test_the_sample_contract(http: httpx.AsyncClient) -> None:
    reply = await files.process(http, (files.DATA / "contract.docx").read_bytes())
    result = reply.json()["result"]
    assert (result["type"], result["kind"], result["pages"]) == ("contract", "docx", None)
    assert [(a["label"], a["value"]) for a in result["fields"]["amounts"]] == [("대금", 1_650_000)]
    assert [d["value"] for d in result["fields"]["dates"]] == ["2025-02-03", "2026-02-02"]
    assert result["needs_review"] is False


async def test_tables_headers_and_links_of_a_docx(http: httpx.AsyncClient) -> None:
    result = (await files.process(http, files.docx_with())).json()["result"]
    assert result["tables"] == [
        {"page": None, "sheet": None, "rows": [["품목", "금액"], ["달력", "30,000원"]]}
    ]
    assert [a["value"] for a in result["fields"]["amounts"]] == [30_000]
    assert [d["value"] for d in result["fields"]["dates"]] == ["2025-02-03"]
    assert result["urls"] == ["https://linked.example/"]
    assert result["type"] == "quotation"


async def test_the_ruled_table_of_a_pdf(http: httpx.AsyncClient) -> None:
    result = (await files.process(http, files.table_pdf(), operations=["extract"])).json()["result"]
    assert result["tables"] == [
        {"page": 1, "sheet": None, "rows": [["Item", "Price"], ["Chart", "USD 12.50"]]}
    ]
    assert (result["type"], result["confidence"]) == (None, None)


def test_tables_give_way_to_text_when_time_is_short(tmp_path: Path) -> None:
    path = tmp_path / "table.pdf"
    path.write_bytes(files.table_pdf())
    reading = read_pdf(str(path), replace(LIMITS, table_seconds=0))
    assert (reading.tables, reading.tables_truncated) == ([], True)
    assert "Chart" in reading.text


async def test_older_korean_encodings_are_read_right(http: httpx.AsyncClient) -> None:
    result = (await files.process(http, files.korean_pdf("합계 1,650,000원"))).json()["result"]
    assert result["text"] == "합계 1,650,000원"
    assert result["fields"]["amounts"][0]["value"] == 1_650_000


async def test_only_what_is_asked_for_is_answered(http: httpx.AsyncClient) -> None:
    reply = await files.process(http, files.docx_with(), operations=["classify"])
    result = reply.json()["result"]
    assert (result["text"], result["tables"], result["fields"]) == (None, None, None)
    assert result["type"] == "quotation"


async def test_a_page_without_text_asks_for_a_persons_eye(http: httpx.AsyncClient) -> None:
    for operations, reason in (
        (["extract"], "page 1 holds no text"),
        (["extract", "ocr"], "OCR found no text on page 1"),
    ):
        reply = await files.process(
            http, files.minimal_pdf(), key=str(operations), operations=operations
        )
        result = reply.json()["result"]
        assert result["needs_review"] is True
        assert result["review_reasons"][0] == reason


async def test_an_operation_that_does_not_exist_is_refused_and_those_that_do_are_named(
    http: httpx.AsyncClient,
) -> None:
    reply = await files.process(http, files.minimal_pdf(), operations=["extract", "translate"])
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (422, "operation_unavailable")
    assert reply.headers["content-type"] == "application/problem+json"
    assert problem["available"] == ["extract", "ocr", "classify"]
    assert "translate" in problem["detail"]


async def test_process_is_replayed_and_undone(http: httpx.AsyncClient) -> None:
    data = files.docx_with()  # made once: a zip holds the time it was made
    first = await files.process(http, data)
    assert (await files.process(http, data)).json() == first.json()
    document_id, action_id = first.json()["result"]["document_id"], first.json()["id"]
    seen = (await http.get(f"/documents/{document_id}")).json()
    assert (seen["process_ids"], seen["latest"]) == ([action_id], first.json()["result"])
    for status in ("compensated", "already_compensated"):
        undo = {"id": action_id, "reason": "a later step failed"}
        reply = await http.post("/actions/process/compensate", json=undo)
        assert (reply.status_code, reply.json()["status"]) == (200, status)
    after = (await http.get(f"/documents/{document_id}")).json()
    assert (after["process_ids"], after["latest"]) == ([], None)


async def test_the_same_bytes_are_the_same_document(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    first = await files.upload(http, files.minimal_pdf(), "../../etc/ab.pdf")
    again = await files.upload(http, files.minimal_pdf(), "other.pdf")
    assert first.json()["document_id"] == again.json()["document_id"]
    assert first.json()["name"] == "ab.pdf"
    assert [p.name for p in (tmp_path / "documents").iterdir()] == [first.json()["document_id"]]


async def test_a_deleted_document_is_gone_with_its_file(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    document_id = (await files.process(http, files.docx_with())).json()["result"]["document_id"]
    assert (await http.delete(f"/documents/{document_id}")).json()["deleted"] is True
    assert list((tmp_path / "documents").iterdir()) == []
    for method in ("GET", "DELETE"):
        reply = await http.request(method, f"/documents/{document_id}")
        assert (reply.status_code, reply.json()["code"]) == (404, "document_not_found")
    request = {"document_id": document_id}
    assert (await http.post("/actions/process", json=request)).status_code == 404


@pytest.mark.parametrize("document_id", ["", "../../etc/passwd", "doc_", "doc_" + "G" * 32])
async def test_what_is_no_document_id_never_reaches_the_disk(
    http: httpx.AsyncClient, document_id: str
) -> None:
    reply = await http.post("/actions/process", json={"document_id": document_id})
    assert reply.status_code == 422


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "document_empty"),
        (b"hello", 415, "document_unsupported"),
        (files.ole_with("WordDocument"), 415, "document_unsupported"),
        (files.ole_with("HwpSummaryInformation"), 415, "document_unsupported"),
        (files.ole_with("EncryptedPackage"), 422, "document_encrypted"),
        (files.zip_of({"ppt/presentation.xml": b"x"}), 415, "document_unsupported"),
        (files.zip_of({"a.txt": b"x"}), 415, "document_unsupported"),
        (files.docx_with()[:-30], 422, "document_broken"),
        (b"PK\x03\x04" + bytes(10), 422, "document_broken"),
        (files.zip_of({"word/document.xml": bytes(100_000_000)}), 422, "document_bomb"),
        (files.zip_of({"word/document.xml": bytes(20_000_000)}), 422, "document_bomb"),
        (files.zip_of({f"{n:0200}": b"" for n in range(2_500)}), 422, "document_bomb"),
    ],
)
async def test_a_bad_upload_is_refused_by_name(
    http: httpx.AsyncClient, data: bytes, status: int, code: str
) -> None:
    reply = await files.upload(http, data)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.json()["remedy"]


async def test_too_large_a_file_is_refused_before_it_is_kept(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    reply = await files.upload(http, b"%PDF-" + bytes(LIMITS.file_bytes))
    assert (reply.status_code, reply.json()["code"]) == (413, "document_too_large")
    reply = await files.upload(http, b"%PDF-" + bytes(LIMITS.file_bytes + 200_000))
    assert reply.status_code == 413
    assert not (tmp_path / "documents").exists()


async def test_a_form_without_a_file_says_how_to_send_one(http: httpx.AsyncClient) -> None:
    for request in ({"data": {"file": "text"}}, {"json": {}}):
        reply = await http.post("/documents", **request)  # type: ignore[arg-type]
        assert (reply.status_code, reply.json()["code"]) == (422, "file_missing")
    broken = await http.post(
        "/documents", content=b"--x", headers={"content-type": "multipart/form-data"}
    )
    assert broken.status_code == 400


_DEFLATE = "/Filter /FlateDecode"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"%PDF-1.7\nnothing of the kind", "document_broken"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "document_broken"),
        ((files.DATA / "invoice_scan.png").read_bytes()[:9_000], "document_broken"),
        (files.zip_of({"xl/workbook.xml": b"x"}), "document_broken"),
        ((files.DATA / "invoice.pdf").read_bytes()[:3_000], "document_broken"),
        (files.minimal_pdf(pages=0), "document_broken"),
        (files.encrypted_pdf(), "document_encrypted"),
        (files.minimal_pdf(pages=LIMITS.pages + 1), "document_too_many_pages"),
        (
            files.minimal_pdf(content=zlib.compress(bytes(900_000_000), 9), filters=_DEFLATE),
            "document_too_costly",
        ),
        (files.zip_of({"word/document.xml": b"<w"}), "document_broken"),
        (files.zip_of({"word/document.xml": b"x", "[Content_Types].xml": b""}), "document_broken"),
        (
            files.lying_zip(
                files.zip_of({"word/document.xml": bytes(90_000_000), "[Content_Types].xml": b"x"})
            ),
            "document_broken",
        ),
    ],
)
async def test_a_document_that_can_not_be_read_is_refused_by_name(
    http: httpx.AsyncClient, data: bytes, code: str
) -> None:
    reply = await files.process(http, data, key=code)
    assert (reply.status_code, reply.json()["code"]) == (422, code), reply.text
    assert reply.json()["remedy"]
    assert (await http.get("/health")).status_code == 200


async def test_a_document_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "slow.pdf"
    path.write_bytes((files.DATA / "invoice.pdf").read_bytes())
    with pytest.raises(DocumentError, match="were not enough") as refused:
        await Opener(replace(LIMITS, wall_seconds=0.01)).read("pdf", path)
    assert refused.value.code == "document_too_costly"


def test_the_childs_end_is_told_apart() -> None:
    for returncode, error, code in (
        (-9, b"", "document_too_costly"),
        (1, b"Traceback\nMemoryError", "document_too_costly"),
        (1, b"Traceback\nRecursionError: too deep", "document_broken"),
    ):
        with pytest.raises(DocumentError) as refused:
            judge(returncode, error)
        assert refused.value.code == code
    with pytest.raises(RuntimeError, match="NameError"):
        judge(1, b"Traceback\nNameError: name 'x' is not defined")


def test_the_child_sees_none_of_the_services_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAL7_DATA", "/data")
    assert "HEAL7_DATA" not in open_document._environment()


def test_the_shelf_is_bounded_and_swept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "documents", bound=10)
    kept, _ = shelf.put(b"12345678")
    with pytest.raises(FullError):
        shelf.put(b"90123")
    assert shelf.put(b"12345678")[0] == kept
    now = shelf.path(kept).stat().st_mtime
    assert shelf.sweep(lambda name: False, now) == 0
    assert shelf.sweep(lambda name: name == kept, now + 3600) == 0
    assert shelf.sweep(lambda name: False, now + 3600) == 1
    with pytest.raises(ValueError, match="no document id"):
        shelf.path("../x")


async def test_files_without_a_record_are_swept(http: httpx.AsyncClient, tmp_path: Path) -> None:
    kept = (await files.upload(http, files.minimal_pdf())).json()["document_id"]
    for name in ("doc_" + "0" * 32, kept):
        path = tmp_path / "documents" / name
        path.touch()
        os.utime(path, (0, 0))
    assert await app.service.offload(app.sweep_once) == 1
    assert [p.name for p in (tmp_path / "documents").iterdir()] == [kept]


def test_the_kind_is_told_by_the_bytes() -> None:
    assert sniff(files.docx_with(), LIMITS) == "docx"
    assert sniff(b"\n\n%PDF-1.7", LIMITS) == "pdf"


async def test_the_examples_of_the_description_are_of_the_shape_described(
    http: httpx.AsyncClient,
) -> None:
    schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
    for model in (
        models.ProcessRequest,
        models.ProcessResult,
        models.DocumentOut,
        models.DocumentDetail,
        models.GenerateResult,
        GenerateRequest,
    ):
        examples = schemas[model.__name__]["examples"]
        assert examples
        for example in examples:
            model.model_validate_json(json.dumps(example))
