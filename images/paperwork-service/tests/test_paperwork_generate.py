"""Papers made from templates: their sums, how they are laid out, and reading them back."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pdfplumber
import pytest

from paperwork_service.examples import EXAMPLES
from paperwork_service.generate import TEMPLATES, GenerateRequest, paper_of
from paperwork_service.money import in_words, line_sums
from paperwork_service.paper import Paper, Text, from_json, to_json
from paperwork_service.writer import write

Json = dict[str, Any]


async def _generate(http: httpx.AsyncClient, body: Json, key: str = "run1:make") -> httpx.Response:
    return await http.post("/actions/generate", json=body, headers={"Idempotency-Key": key})


async def _made(http: httpx.AsyncClient, template: str, form: str, **changes: Any) -> Json:
    body = {"template": template, "format": form, "data": {**EXAMPLES[template], **changes}}
    reply = await _generate(http, body, f"{template}.{form}")
    assert reply.status_code == 200, reply.text
    result: Json = reply.json()["result"]
    return result


def _pdf(template: str, **changes: Any) -> bytes:
    body = {"template": template, "format": "pdf", "data": {**EXAMPLES[template], **changes}}
    paper = paper_of(GenerateRequest.model_validate_json(json.dumps(body)).root)
    return write(paper, "pdf")[0]


_SUMS = {("공급가액", 1_500_000), ("세액", 150_000), ("합계", 1_650_000)}
_BOTH = {("공급자", "123-45-67891"), ("공급받는자", "220-81-62517")}
_WANTED: dict[str, tuple[str, set[Any], set[Any], set[Any]]] = {
    "tax_invoice": ("invoice", _SUMS, {("작성일", "2025-02-03")}, _BOTH),
    "quotation": (
        "quotation",
        _SUMS,
        {("견적일", "2025-01-20"), ("유효기간", "2025-02-19")},
        _BOTH,
    ),
    "statement": ("delivery_note", _SUMS, {("거래일", "2025-02-03")}, _BOTH),
    "contract": (
        "contract",
        {("계약금액", 1_650_000), ("계약금", 650_000), ("잔금", 1_000_000)},
        {("계약기간", "2025-02-03"), ("계약일", "2025-02-03")},
        {(None, "220-81-62517"), (None, "123-45-67891")},
    ),
    "minutes": ("minutes", set(), {("회의일", "2025-02-04"), ("다음회의일", "2025-03-04")}, set()),
    "employment_certificate": (
        "certificate",
        set(),
        {("생년월일", "1990-05-17"), ("입사일", "2019-03-04"), ("발급일", "2025-02-05")},
        {(None, "123-45-67891")},
    ),
}


@pytest.mark.parametrize("form", ["pdf", "docx"])
@pytest.mark.parametrize("template", list(_WANTED))
async def test_what_was_generated_reads_back_the_same(
    http: httpx.AsyncClient, template: str, form: str
) -> None:
    made = await _made(http, template, form)
    reply = await http.post("/actions/process", json={"document_id": made["document_id"]})
    result = reply.json()["result"]
    kind, amounts, dates, numbers = _WANTED[template]
    fields = result["fields"]
    assert {(a["label"], a["value"]) for a in fields["amounts"]} == amounts
    assert {(d["label"], d["value"]) for d in fields["dates"]} >= dates
    assert {(n["label"], n["value"]) for n in fields["business_numbers"]} == numbers
    assert all(n["check_digit_ok"] for n in fields["business_numbers"])
    assert (result["type"], result["review_reasons"]) == (kind, [])


async def test_a_made_document_is_told_fetched_and_undone(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    body = {"template": "tax_invoice", "format": "pdf", "data": EXAMPLES["tax_invoice"]}
    first = await _generate(http, body)
    assert (await _generate(http, body)).json() == first.json()
    result = first.json()["result"]
    assert result["totals"] == {"supply": 1_500_000, "tax": 150_000, "total": 1_650_000}
    assert (result["pages"], result["name"]) == (1, "세금계산서_주식회사_힐세븐.pdf")
    told = (await http.get(f"/documents/{result['document_id']}")).json()
    assert (told["kind"], told["template"]) == ("pdf", "tax_invoice")
    assert (told["sha256"], told["size"]) == (result["sha256"], result["size"])
    file = await http.get(result["file"])
    assert file.headers["content-type"] == "application/pdf"
    assert "attachment" in file.headers["content-disposition"]
    assert len(file.content) == result["size"]
    # The same data under another key make another document, so that undoing one leaves the other.
    other = (await _generate(http, body, "run2:make")).json()["result"]
    assert other["document_id"] != result["document_id"]
    assert other["sha256"] == result["sha256"]
    await http.post("/actions/process", json={"document_id": result["document_id"]})
    for status in ("compensated", "already_compensated"):
        undo = {"idempotency_key": "run1:make", "reason": "a later step failed"}
        reply = await http.post("/actions/generate/compensate", json=undo)
        assert reply.json()["status"] == status
    assert (await http.get(result["file"])).status_code == 404
    assert [p.name for p in (tmp_path / "documents").iterdir()] == [other["document_id"]]
    late = await _generate(http, body)
    assert (late.status_code, late.json()["code"]) == (409, "action_compensated")


async def test_an_uploaded_file_comes_back_as_it_was(http: httpx.AsyncClient) -> None:
    data = b"%PDF-1.4 <script>"
    uploaded = await http.post("/documents", files={"file": ("가 나.pdf", data)})
    file = await http.get(f"/documents/{uploaded.json()['document_id']}/file")
    assert file.content == data
    assert file.headers["x-content-type-options"] == "nosniff"
    assert "filename*=UTF-8''%EA%B0%80%20%EB%82%98.pdf" in file.headers["content-disposition"]


async def test_every_template_is_told_with_an_example_that_works(http: httpx.AsyncClient) -> None:
    told = (await http.get("/templates")).json()["templates"]
    assert {t["template"] for t in told} == set(TEMPLATES) == set(EXAMPLES)
    for template in told:
        assert template["data_schema"]["additionalProperties"] is False
        GenerateRequest.model_validate_json(json.dumps(template["example"]))


def _changed(template: str, change: Any) -> Json:
    data = copy.deepcopy(EXAMPLES[template])
    change(data)
    return {"template": template, "format": "pdf", "data": data}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (_changed("tax_invoice", lambda d: d["totals"].update(total=1)), "totals are not those of"),
        (_changed("tax_invoice", lambda d: d["supplier"].update(business_number="123-45-67890")),
         "check digit"),
        (_changed("tax_invoice", lambda d: d.update(issued="2025-02-30")), "date"),
        (_changed("tax_invoice", lambda d: d.update(items=[])), "at least 1"),
        (_changed("tax_invoice", lambda d: d["items"][0].update(quantity="1")), "valid number"),
        (_changed("tax_invoice", lambda d: d["items"][0].update(quantity=0.0001)), "decimals"),
        (
            _changed(
                "tax_invoice", lambda d: d["items"][0].update(quantity=1e9, unit_price=10**15)
            ),
            "above",
        ),
        (_changed("tax_invoice", lambda d: d.update(colour="red")), "Extra inputs"),
        (_changed("quotation", lambda d: d.update(valid_until="2025-01-01")), "before issued"),
        (_changed("contract", lambda d: d.update(amount=1)), "installments add up to 1,650,000"),
        (_changed("employment_certificate", lambda d: d.update(joined="1980-01-01")), "order"),
        ({"template": "poem", "format": "pdf", "data": {}}, "poem"),
        (_changed("minutes", lambda d: d.update(title="회의 😀")), "U+1F600"),
    ],
)  # fmt: skip
async def test_data_that_do_not_hold_are_refused(
    http: httpx.AsyncClient, body: Json, says: str
) -> None:
    reply = await _generate(http, body)
    assert reply.status_code == 422
    assert says in reply.json()["detail"], reply.json()["detail"]
    assert reply.json()["remedy"]


def test_long_texts_wrap_and_long_tables_go_on_over_numbered_pages() -> None:
    item = {
        "name": "가" * 200,
        "quantity": 12_345.125,
        "unit_price": 987_654_000,
        "note": "x" * 60,
    }
    data = _pdf("tax_invoice", items=[item] * 40, totals=None, note="긴 비고 " * 400)
    with pdfplumber.open(io.BytesIO(data)) as document:
        pages = document.pages
        assert len(pages) > 2
        for number, page in enumerate(pages, start=1):
            assert f"{number} / {len(pages)}" in page.extract_text()
            left, right = page.width * 0.05, page.width * 0.95
            assert all(left < char["x0"] and char["x1"] < right for char in page.chars)
            assert all(char["top"] > 0 and char["bottom"] < page.height for char in page.chars)
        assert "품목" in pages[1].extract_text().split("\n")[0]
        words = {word["text"] for page in pages for word in page.extract_words()}
        # Numbers are never broken over lines.
        sums = line_sums(12_345.125, 987_654_000, taxed=True)
        assert {"12,345.125", f"{sums.supply:,}", f"{40 * sums.total:,}원"} <= words


def test_a_crowd_of_guests_goes_on_over_the_page() -> None:
    with pdfplumber.open(io.BytesIO(_pdf("minutes", attendees=["긴 이름 " * 5] * 200))) as document:
        assert len(document.pages) > 2


def test_fonts_are_embedded_and_the_same_data_give_the_same_file() -> None:
    data = _pdf("contract")
    assert data == _pdf("contract")
    assert b"/FontFile2" in data
    with pdfplumber.open(io.BytesIO(data)) as document:
        assert {"NanumGothic" in char["fontname"] for char in document.pages[0].chars} == {True}
        # A word is not cut where a space is near.
        assert "체결하고\n" in document.pages[0].extract_text()


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "일금 영원정"),
        (1_650_000, "일금 일백육십오만원정"),
        (10_000, "일금 일만원정"),
        (100_010_001, "일금 일억일만일원정"),
        (1_234_567_890_123, "일금 일조이천삼백사십오억육천칠백팔십구만일백이십삼원정"),
    ],
)
def test_amounts_in_words(amount: int, words: str) -> None:
    assert in_words(amount) == words


@pytest.mark.parametrize(
    ("quantity", "price", "supply", "tax"),
    [(1, 1_500_000, 1_500_000, 150_000), (0.1, 5, 1, 0), (3, 335, 1_005, 100), (1.1, 10, 11, 1)],
)
def test_a_lines_sums(quantity: float, price: int, supply: int, tax: int) -> None:
    sums = line_sums(quantity, price, taxed=True)
    assert (sums.supply, sums.tax) == (supply, tax)
    assert line_sums(quantity, price, taxed=False).tax == 0


def test_a_paper_survives_its_way_to_the_child() -> None:
    body = {"template": "quotation", "format": "pdf", "data": EXAMPLES["quotation"]}
    paper = paper_of(GenerateRequest.model_validate_json(json.dumps(body)).root)
    assert from_json(json.loads(json.dumps(to_json(paper)))) == paper


def test_markup_in_data_is_text() -> None:
    paper = Paper("제목", "", "", [Text("<b>굵게</b> & <font size=99>")])
    with pdfplumber.open(io.BytesIO(write(paper, "pdf")[0])) as document:
        assert "<b>굵게</b> & <font size=99>" in document.pages[0].extract_text()
