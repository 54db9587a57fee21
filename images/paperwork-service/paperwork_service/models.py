"""What the service takes and gives, as strict models: the wire is described here only."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from heal7_contract import StrictModel

AVAILABLE = ("extract", "classify")
PLANNED = ("ocr",)

DocumentId = Annotated[str, Field(pattern=r"^doc_[0-9a-f]{32}$")]
# Not a Literal: an operation that does not exist yet gets a problem that says which ones do.
Operation = Annotated[
    str, Field(min_length=1, max_length=40, json_schema_extra={"enum": list(AVAILABLE)})
]


class ProcessRequest(StrictModel):
    document_id: DocumentId
    operations: list[Operation] = Field(default=list(AVAILABLE), min_length=1, max_length=8)


class TableOut(StrictModel):
    """`page` counts from 1; null where the format has no pages."""

    page: int | None
    rows: list[list[str]]


class AmountOut(StrictModel):
    label: str | None
    text: str
    value: int | float | None
    currency: str


class DateOut(StrictModel):
    label: str | None
    text: str
    value: str | None


class BusinessNumberOut(StrictModel):
    label: str | None
    text: str
    check_digit_ok: bool


class FieldsOut(StrictModel):
    amounts: list[AmountOut]
    dates: list[DateOut]
    business_numbers: list[BusinessNumberOut]
    urls: list[str]


class ProcessResult(StrictModel):
    """`text`, `tables`, `fields` are null without `extract`; `type` without `classify`.

    `needs_review`: what was read may differ from what the document says; `review_reasons` say why.
    """

    document_id: str
    operations: list[str]
    kind: str
    pages: int | None
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
    """`uploaded` is RFC 3339, UTC."""

    document_id: str
    name: str
    kind: str
    size: int
    sha256: str
    uploaded: str


class DocumentDetail(DocumentOut):
    """`process_ids` are the stored runs of `process`, newest first; `latest` is its result."""

    process_ids: list[str]
    latest: ProcessResult | None


class Deleted(StrictModel):
    id: str
    deleted: bool
