"""What the crawler takes and gives, as strict models: the wire is described here only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crawling_service.guard import MAX_URL_CHARS
from crawling_service.plan import Plan
from heal7_contract import StrictModel

Extract = Literal["text", "tables", "links"]
Url = Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARS)]


class CrawlRequest(StrictModel):
    """`extract` says what each page is read for; links are followed in any case."""

    start_urls: list[Url] = Field(min_length=1, max_length=20)
    max_pages: int = Field(default=20, ge=1, le=100, description="Pages fetched, at most")
    max_depth: int = Field(default=2, ge=0, le=10, description="Links from a start page, at most")
    same_host: bool = Field(default=True, description="Stay on the hosts of start_urls")
    extract: list[Extract] = Field(
        default=["text", "tables"],
        max_length=3,
        description="`tables` also gives `records`, one a table row",
    )
    time_limit_s: int = Field(default=30, ge=1, le=300, description="Seconds for the whole crawl")

    def plan(self) -> Plan:
        return Plan(
            start_urls=tuple(self.start_urls),
            max_pages=self.max_pages,
            max_depth=self.max_depth,
            same_host=self.same_host,
            time_limit_s=float(self.time_limit_s),
        )


class TableOut(StrictModel):
    name: str
    headers: list[str]
    rows: list[list[str]]


class PageOut(StrictModel):
    """`text`, `tables`, `links` are null when they were not asked for."""

    url: str
    final_url: str
    depth: int
    status: int
    title: str
    language: str | None
    author: str | None
    published: str | None
    charset: str
    text: str | None
    text_truncated: bool
    tables: list[TableOut] | None
    links: list[str] | None
    body_bytes: int
    sha256: str
    elapsed_ms: int


class RecordOut(StrictModel):
    """One table row: `fields` maps each header to its cell. `row` counts from 1."""

    source: str
    table: str
    row: int
    fields: dict[str, str]


class SkippedOut(StrictModel):
    """`reason` is a code: robots, blocked_address, http_404, other_host, max_pages, …"""

    url: str
    reason: str
    detail: str


class CrawlResult(StrictModel):
    """`truncated`: a bound of the crawl left something unread; `skipped` says what."""

    crawl_id: str
    pages: list[PageOut]
    records: list[RecordOut]
    skipped: list[SkippedOut]
    truncated: bool


class Deleted(StrictModel):
    id: str
    deleted: bool
