"""The crawls under way in this process, and the documents that tell of all crawls.

A crawl is stored when it begins, so that one that a stop of the service cut short is found later
and said to be `interrupted`: it is running by its document, and nobody runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crawling_service.cache import Cached, from_document, key_of, to_document
from crawling_service.models import CrawlRequest, CrawlResult, CrawlStatus, CrawlSummary
from heal7_contract import DocumentStore, clock
from heal7_contract.context import Offload

if TYPE_CHECKING:
    from crawling_service.crawl import Crawl

CRAWLS = "crawls"
KEPT = "kept_pages"
_NOT_BEGUN = {"depth": 0, "fetched": 0, "waiting": 0, "pages": 0, "skipped": 0, "elapsed_s": 0.0}


class Live:
    """Crawls by id. Use on the event loop."""

    def __init__(self) -> None:
        self._crawls: dict[str, tuple[Crawl, CrawlRequest]] = {}

    @contextmanager
    def while_under_way(self, crawl_id: str, crawl: Crawl, asked: CrawlRequest) -> Iterator[None]:
        """It can be seen and stopped for as long as the block runs."""
        self._crawls[crawl_id] = (crawl, asked)
        try:
            yield
        finally:
            del self._crawls[crawl_id]

    def stop(self, crawl_id: str) -> bool:
        """Whether there was one to stop."""
        found = self._crawls.get(crawl_id)
        if found is not None:
            found[0].stop()
        return found is not None

    def result(self, crawl_id: str, text_chars: int) -> CrawlResult | None:
        """What a running crawl has so far."""
        from crawling_service.report import result_of

        found = self._crawls.get(crawl_id)
        if found is None:
            return None
        crawl, asked = found
        outcome, progress = crawl.snapshot()
        return result_of(
            crawl_id, outcome, progress, asked.extract, running=True, text_chars=text_chars
        )

    def now(self, summary: CrawlSummary, text_chars: int) -> CrawlSummary:
        """A stored summary, as it is at this moment."""
        result = self.result(summary.crawl_id, text_chars)
        if result is not None:
            return summary.model_copy(
                update={"progress": result.progress, "truncated": result.truncated}
            )
        if summary.status is CrawlStatus.RUNNING:
            return summary.model_copy(update={"status": CrawlStatus.INTERRUPTED})
        return summary


class StoredCache:
    """Bodies between crawls, in the service's store."""

    def __init__(self, store: DocumentStore, offload: Offload):
        self._store = store
        self._offload = offload

    async def get(self, url: str) -> Cached | None:
        found = await self._offload(self._store.get, KEPT, key_of(url))
        return from_document(found) if found else None

    async def put(self, url: str, cached: Cached) -> None:
        await self._offload(self._put, url, cached)

    def _put(self, url: str, cached: Cached) -> None:
        document = to_document(url, cached)
        if document is not None:
            self._store.put(KEPT, key_of(url), document)


def begun(crawl_id: str, asked: CrawlRequest) -> dict[str, Any]:
    """The document of a crawl that begins."""
    started = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds")
    result = {
        "crawl_id": crawl_id,
        "status": CrawlStatus.RUNNING.value,
        "progress": _NOT_BEGUN,
        "pages": [],
        "records": [],
        "skipped": [],
        "truncated": True,
    }
    return {"start_urls": list(asked.start_urls), "started_at": started, "result": result}


def ended(store: DocumentStore, crawl_id: str, result: CrawlResult) -> None:
    """Stores the result; a crawl that was deleted meanwhile stays so."""
    store.update(
        CRAWLS,
        crawl_id,
        lambda before: before and {**before, "result": result.model_dump(mode="json")},
    )


def summary_of(document: dict[str, Any]) -> CrawlSummary:
    """The line of the list for a stored crawl."""
    result = document["result"]
    return CrawlSummary.model_validate(
        {
            **{name: result[name] for name in ("crawl_id", "status", "progress", "truncated")},
            "start_urls": document["start_urls"],
            "started_at": document["started_at"],
        }
    )
