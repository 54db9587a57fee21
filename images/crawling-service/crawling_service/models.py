"""What the crawler takes and gives, as strict models: the wire is described here only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from crawling_service.guard import MAX_URL_CHARS
from crawling_service.plan import Plan
from heal7_contract import StrictModel

Extract = Literal["text", "tables", "links"]
Url = Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARS)]
PathPattern = Annotated[str, Field(min_length=1, max_length=200)]


def example(*examples: dict[str, Any], **more: Any) -> ConfigDict:
    """Settings of a model that add examples, and more of JSON Schema, to its OpenAPI."""
    return ConfigDict(json_schema_extra={"examples": list(examples), **more})


class CrawlRequest(StrictModel):
    """`extract` says what each page is read for; links are followed in any case."""

    model_config = example(
        {"start_urls": ["http://demo-site:8080/"], "max_pages": 12},
        {
            "start_urls": ["https://example.org/news/"],
            "sitemap": True,
            "include_paths": ["/news/*"],
            "exclude_paths": ["*/print/*"],
            "extract": ["text", "links"],
        },
    )

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
    sitemap: bool = Field(
        default=False, description="Also the URLs of the sites' sitemaps, as links of the start"
    )
    deduplicate: bool = Field(
        default=True,
        description="Leave out what is another page, byte for byte or by its own word",
    )
    revalidate: bool = Field(
        default=True,
        description="Ask whether pages of earlier crawls have changed; if not, read what is kept",
    )
    include_paths: list[PathPattern] = Field(
        default=[], max_length=20, description="Follow only links whose path fits; * is anything"
    )
    exclude_paths: list[PathPattern] = Field(
        default=[], max_length=20, description="Never follow links whose path fits"
    )

    def plan(self) -> Plan:
        return Plan(
            start_urls=tuple(self.start_urls),
            max_pages=self.max_pages,
            max_depth=self.max_depth,
            same_host=self.same_host,
            time_limit_s=float(self.time_limit_s),
            sitemap=self.sitemap,
            deduplicate=self.deduplicate,
            include=tuple(self.include_paths),
            exclude=tuple(self.exclude_paths),
        )


class TableOut(StrictModel):
    name: str
    headers: list[str]
    rows: list[list[str]]


class PageOut(StrictModel):
    """`text`, `tables`, `links` are null when they were not asked for.

    `charset_told`: how it is known (bom, header, meta, content, guess). `text_by`: trafilatura, or
    blocks where nothing stood out. `not_modified`: the server said that the kept copy still holds.
    `content_truncated`: there may be more tables, rows or links than were read.
    """

    url: str
    final_url: str
    depth: int
    status: int
    title: str
    language: str | None
    author: str | None
    published: str | None
    charset: str
    charset_told: str
    canonical: str | None
    not_modified: bool
    text: str | None
    text_by: str | None
    text_truncated: bool
    content_truncated: bool
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


class CrawlStatus(StrEnum):
    """`interrupted`: the service stopped while it ran; ask again with the same key."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class ProgressOut(StrictModel):
    """`waiting`: URLs admitted and not answered yet; `depth`: links from the start they are at."""

    depth: int
    fetched: int
    waiting: int
    pages: int
    skipped: int
    elapsed_s: float


class CrawlResult(StrictModel):
    """`truncated`: a bound of the crawl left something unread; `skipped` says what.

    While a crawl is `running` the pages are those so far, in order of arrival.
    """

    crawl_id: str
    # Not strict: a stored document holds it as text.
    status: CrawlStatus = Field(strict=False)
    progress: ProgressOut
    pages: list[PageOut]
    records: list[RecordOut]
    skipped: list[SkippedOut]
    truncated: bool


class CrawlSummary(StrictModel):
    """One crawl of the list; GET /crawls/{id} has the rest."""

    crawl_id: str
    status: CrawlStatus = Field(strict=False)
    start_urls: list[str]
    started_at: str
    progress: ProgressOut
    truncated: bool


class CrawlList(StrictModel):
    """Newest first."""

    crawls: list[CrawlSummary]


class Cancelled(StrictModel):
    """`cancelling` is false where the crawl was over already; then nothing changes."""

    crawl_id: str
    cancelling: bool


class Deleted(StrictModel):
    id: str
    deleted: bool
