"""What the service takes and gives, as strict models: the wire is described here only."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from heal7_contract import StrictModel

AVAILABLE = ("extract", "ocr", "classify")

DocumentId = Annotated[str, Field(pattern=r"^doc_[0-9a-f]{32}$")]
# Not a Literal: an operation that does not exist yet gets a problem that says which ones do.
Operation = Annotated[
    str, Field(min_length=1, max_length=40, json_schema_extra={"enum": list(AVAILABLE)})
]


_ID = "doc_1fe4a0c36dbfbbd1f2f5bd8ca7ff2a35"
_EXAMPLE: dict[str, Any] = {"document_id": _ID, "operations": ["extract", "ocr", "classify"]}
_DIGEST = "1fe4a0c36dbfbbd1f2f5bd8ca7ff2a35" * 2
_SOURCE = {"method": "ocr", "page": 1, "confidence": 0.88, "box": [0.512, 0.682, 0.633, 0.732]}
_DOCUMENT_EXAMPLE: dict[str, Any] = {
    "document_id": _ID,
    "name": "invoice_scan.png",
    "kind": "image",
    "size": 47_771,
    "sha256": _DIGEST,
    "uploaded": "2026-11-26T12:00:00.000Z",
    "template": None,
}
_RESULT_EXAMPLE: dict[str, Any] = {
    **_EXAMPLE,
    "kind": "image",
    "pages": 1,
    "ocr_pages": [1],
    "text": "세금계산서\n합계 11650,000원",
    "text_truncated": False,
    "tables": [],
    "tables_truncated": False,
    "fields": {
        "amounts": [
            {
                "label": "합계",
                "text": "11650,000원",
                "value": 1_650_000,
                "currency": "KRW",
                "source": _SOURCE,
            }
        ],
        "dates": [],
        "business_numbers": [],
        "urls": [],
    },
    "urls": [],
    "type": "invoice",
    "confidence": 0.85,
    "reasons": ["'세금계산서' as the title (+11)"],
    "needs_review": False,
    "review_reasons": [],
}
_MADE_EXAMPLE: dict[str, Any] = {
    "document_id": _ID,
    "template": "tax_invoice",
    "format": "pdf",
    "name": "세금계산서_주식회사_힐세븐.pdf",
    "size": 61_475,
    "sha256": _DIGEST,
    "pages": 1,
    "totals": {"supply": 1_500_000, "tax": 150_000, "total": 1_650_000},
    "file": f"/documents/{_ID}/file",
}


class ProcessRequest(StrictModel):
    """`extract` what is text, `ocr` what is a picture, `classify` the paper; all by default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    document_id: DocumentId
    operations: list[Operation] = Field(default=list(AVAILABLE), min_length=1, max_length=8)


class TableOut(StrictModel):
    """`page` counts from 1; null where the format has no pages. `sheet` is that of a workbook."""

    page: int | None
    sheet: str | None
    rows: list[list[str]]


class SourceOut(StrictModel):
    """How a fact was read: as `text` of the document, or by `ocr` from a picture.

    `confidence` is OCR's own for the least sure of the words, 0 to 1; `box` is left, top, right and
    bottom as shares of the page, its lines made level. Both are null for text.
    """

    method: Literal["text", "ocr"]
    page: int | None
    confidence: float | None
    box: Annotated[list[float], Field(min_length=4, max_length=4)] | None


class AmountOut(StrictModel):
    """`value` is null where the digits can not be trusted; `currency` where none is written."""

    label: str | None
    text: str
    value: int | float | None
    currency: str | None
    source: SourceOut


class DateOut(StrictModel):
    """`value` is ISO 8601; null where there is no such day or the digits can not be trusted."""

    label: str | None
    text: str
    value: str | None
    source: SourceOut


class BusinessNumberOut(StrictModel):
    """`value` is null where the digits can not be trusted; a number that can not exist is read
    all the same, with `check_digit_ok` false."""

    label: str | None
    text: str
    value: str | None
    check_digit_ok: bool
    source: SourceOut


class UrlOut(StrictModel):
    text: str
    value: str | None
    source: SourceOut


class FieldsOut(StrictModel):
    amounts: list[AmountOut]
    dates: list[DateOut]
    business_numbers: list[BusinessNumberOut]
    urls: list[UrlOut]


class ProcessResult(StrictModel):
    """`text`, `tables`, `fields` are null without `extract` and `ocr`; `type` without `classify`.

    `ocr_pages` are the pages that were read from pictures. `urls` are those that can be trusted.

    `needs_review`: what was read may differ from what the document says; `review_reasons` say why.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_RESULT_EXAMPLE]})

    document_id: str
    operations: list[str]
    kind: str
    pages: int | None
    ocr_pages: list[int]
    text: str | None
    text_truncated: bool
    tables: list[TableOut] | None
    tables_truncated: bool
    fields: FieldsOut | None
    urls: list[str]
    type: str | None
    confidence: float | None
    reasons: list[str]
    needs_review: bool
    review_reasons: list[str]


class DocumentOut(StrictModel):
    """`uploaded` is RFC 3339, UTC; `template` is what it was generated from, null if uploaded."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DOCUMENT_EXAMPLE]})

    document_id: str
    name: str
    kind: Literal["pdf", "docx", "xlsx", "image"]
    size: int
    sha256: str
    uploaded: str
    template: str | None = None


class DocumentDetail(DocumentOut):
    """`process_ids` are the stored runs of `process`, newest first; `latest` is its result."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**_DOCUMENT_EXAMPLE, "process_ids": [], "latest": _RESULT_EXAMPLE}]
        }
    )

    process_ids: list[str]
    latest: ProcessResult | None


class Deleted(StrictModel):
    id: str
    deleted: bool


class SumsOut(StrictModel):
    """Whole won."""

    supply: int
    tax: int
    total: int


class GenerateResult(StrictModel):
    """`file` is where the document is fetched; `pages` is null for docx, which has none yet."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MADE_EXAMPLE]})

    document_id: str
    template: str
    format: str
    name: str
    size: int
    sha256: str
    pages: int | None
    totals: SumsOut | None
    file: str


class TemplateOut(StrictModel):
    """`example` is a whole body for POST /actions/generate."""

    template: str
    title: str
    description: str
    data_schema: dict[str, Any]
    example: dict[str, Any]


class TemplatesOut(StrictModel):
    templates: list[TemplateOut]
