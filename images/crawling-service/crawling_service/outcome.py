"""What a crawl finds: a page, or a URL with the reason why it is none. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from crawling_service.page import Page


@dataclass(frozen=True, slots=True)
class Visited:
    """A page read. `url` is as linked, `final_url` after redirects; `elapsed_ms` is the fetch.

    `not_modified`: the server said that what an earlier crawl kept of it still holds.
    """

    url: str
    final_url: str
    depth: int
    status: int
    page: Page
    body_bytes: int
    sha256: str
    elapsed_ms: int
    not_modified: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """A URL met and not read; `reason` is a code, `detail` a sentence."""

    url: str
    reason: str
    detail: str


@dataclass(slots=True)
class Outcome:
    """`truncated` when a bound (pages, depth, time, entries) left something unread or unsaid."""

    pages: list[Visited] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    truncated: bool = False
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a crawl is. `waiting` are URLs admitted and not yet answered; `depth` is theirs."""

    depth: int
    fetched: int
    waiting: int
    elapsed_s: float
