"""What `clean` takes and gives, as strict models."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from crawling_service.models import RecordOut, example
from heal7_contract import StrictModel

MAX_RECORDS = 10_000
FieldName = Annotated[str, Field(min_length=1, max_length=200)]
Value = Annotated[str, Field(max_length=200_000)]


class RecordIn(StrictModel):
    """As a crawl gives them; where a record comes from may be left out."""

    source: Annotated[str, Field(max_length=2_048)] = ""
    table: Annotated[str, Field(max_length=2_048)] = ""
    row: Annotated[int, Field(ge=0)] = 0
    fields: Annotated[dict[FieldName, Value], Field(max_length=200)]


class Normalisation(StrictModel):
    """`dates` and `numbers` name the fields whose values are rewritten as such."""

    unicode: Literal["NFC", "NFKC"] = Field(
        default="NFC", description="NFKC also makes full-width letters and digits plain"
    )
    whitespace: bool = Field(default=True, description="And control and invisible characters")
    dates: list[FieldName] = Field(default=[], max_length=50, description="Into YYYY-MM-DD")
    numbers: list[FieldName] = Field(
        default=[], max_length=50, description="Without groups, units and currency signs"
    )


class Deduplication(StrictModel):
    """`near` also leaves out what is almost the same and has the same digits."""

    mode: Literal["none", "exact", "near"] = "exact"
    threshold: float = Field(
        default=0.9, ge=0.5, le=1, description="Of shared 3-word (4-letter) shingles; for near"
    )
    keys: list[FieldName] = Field(
        default=[], max_length=50, description="Fields that identify a record; none: all of them"
    )
    within: Literal["source", "all"] = Field(
        default="source", description="Whether records of different sources can be the same"
    )


class CleanRequest(StrictModel):
    """Either `crawl_id`, whose stored records (or `pages`) are cleaned, or `records`."""

    model_config = example(
        {
            "records": [
                {"fields": {"name": " 홍  길동", "joined": "2025. 3. 4.", "fee": "₩1,650,000"}},
                {"fields": {"name": "홍 길동", "joined": "2025-03-04", "fee": "1650000"}},
            ],
            "normalise": {"dates": ["joined"], "numbers": ["fee"]},
        },
        # What `_one_source` checks, for those who read the schema.
        oneOf=[
            {
                "required": ["crawl_id"],
                "properties": {"crawl_id": {"type": "string"}, "records": {"type": "null"}},
            },
            {
                "required": ["records"],
                "properties": {
                    "records": {"type": "array"},
                    "crawl_id": {"type": "null"},
                    "what": {"const": "records"},
                },
            },
        ],
    )

    crawl_id: Annotated[str, Field(pattern=r"^act_[0-9a-f]{32}$")] | None = None
    what: Literal["records", "pages"] = Field(
        default="records", description="Of a crawl: its table rows, or its pages (title and text)"
    )
    records: Annotated[list[RecordIn], Field(min_length=1, max_length=MAX_RECORDS)] | None = None
    normalise: Normalisation = Normalisation()
    deduplicate: Deduplication = Deduplication()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.crawl_id is None) == (self.records is None):
            raise ValueError("give either crawl_id or records")
        if self.records is not None and self.what != "records":
            raise ValueError("what: pages goes with crawl_id")
        return self


class ChangeOut(StrictModel):
    """`record` is the place in what was given, from 0."""

    record: int
    field: str
    rule: str
    before: str
    after: str


class RemovedOut(StrictModel):
    """`duplicate_of` is the place of the record that stays; null for an empty one."""

    record: int
    kind: Literal["exact", "near", "empty"]
    duplicate_of: int | None
    similarity: float
    why: str


class UnreadableOut(StrictModel):
    """A value left as it is: it is not, or not for certain, what it was to be."""

    record: int
    field: str
    wanted: str
    value: str


class Counts(StrictModel):
    """`changed` counts values, not rules; long lists are cut, these numbers are not."""

    given: int
    kept: int
    changed: int
    exact: int
    near: int
    empty: int
    unreadable: int


class CleanResult(StrictModel):
    """`records` in the order given. `changes`, `removed`, `unreadable` hold 5,000 each at most."""

    clean_id: str
    records: list[RecordOut]
    counts: Counts
    changes: list[ChangeOut]
    removed: list[RemovedOut]
    unreadable: list[UnreadableOut]
    truncated: bool
