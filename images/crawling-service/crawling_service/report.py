"""Turns what a crawl found into its reply. Pure; holds the reply within its size."""

from __future__ import annotations

from crawling_service.models import (
    CrawlResult,
    CrawlStatus,
    Extract,
    PageOut,
    ProgressOut,
    RecordOut,
    SkippedOut,
    TableOut,
)
from crawling_service.outcome import Outcome, Progress, Visited

TOTAL_TEXT_CHARS = 1_000_000
TOTAL_RECORDS = 10_000


def result_of(
    crawl_id: str,
    outcome: Outcome,
    progress: Progress,
    extract: list[Extract],
    *,
    running: bool,
    text_chars: int,
) -> CrawlResult:
    """Pure: the wire form of an outcome, its text and records held within the totals."""
    room = TOTAL_TEXT_CHARS
    pages: list[PageOut] = []
    records: list[RecordOut] = []
    for visited in outcome.pages:
        page = _page(visited, extract, min(text_chars, room))
        room -= len(page.text or "")
        pages.append(page)
        if "tables" in extract:
            records += _records(visited)
    return CrawlResult(
        crawl_id=crawl_id,
        status=_status(outcome, running),
        progress=progress_of(outcome, progress),
        pages=pages,
        records=records[:TOTAL_RECORDS],
        skipped=[SkippedOut(url=s.url, reason=s.reason, detail=s.detail) for s in outcome.skipped],
        truncated=outcome.truncated
        or len(records) > TOTAL_RECORDS
        or any(visited.page.cut for visited in outcome.pages),
    )


def progress_of(outcome: Outcome, progress: Progress) -> ProgressOut:
    """How far a crawl is, with what it has found."""
    return ProgressOut(
        depth=progress.depth,
        fetched=progress.fetched,
        waiting=progress.waiting,
        pages=len(outcome.pages),
        skipped=len(outcome.skipped),
        elapsed_s=round(progress.elapsed_s, 3),
    )


def _status(outcome: Outcome, running: bool) -> CrawlStatus:
    if running:
        return CrawlStatus.RUNNING
    return CrawlStatus.CANCELLED if outcome.cancelled else CrawlStatus.COMPLETED


def _page(visited: Visited, extract: list[Extract], text_chars: int) -> PageOut:
    page = visited.page
    tables = [
        TableOut(name=t.name, headers=list(t.headers), rows=[list(row) for row in t.rows])
        for t in page.tables
    ]
    return PageOut(
        url=visited.url,
        final_url=visited.final_url,
        depth=visited.depth,
        status=visited.status,
        title=page.title,
        language=page.language,
        author=page.author,
        published=page.published,
        charset=page.charset,
        charset_told=page.charset_told,
        canonical=page.canonical,
        not_modified=visited.not_modified,
        text=page.text[:text_chars] if "text" in extract else None,
        text_by=page.text_by if "text" in extract else None,
        content_truncated=page.cut,
        text_truncated="text" in extract and len(page.text) > text_chars,
        tables=tables if "tables" in extract else None,
        links=list(page.links) if "links" in extract else None,
        body_bytes=visited.body_bytes,
        sha256=visited.sha256,
        elapsed_ms=visited.elapsed_ms,
    )


def _records(visited: Visited) -> list[RecordOut]:
    return [
        RecordOut(
            source=visited.final_url,
            table=table.name,
            row=number,
            fields=dict(zip(table.headers, row, strict=True)),
        )
        for table in visited.page.tables
        for number, row in enumerate(table.rows, start=1)
    ]
