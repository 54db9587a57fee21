"""The crawls under way in this process, and the documents that tell of all crawls.

A crawl is stored when it begins, so that one that a stop of the service cut short is found later
and said to be `interrupted`: it is running by its document, and nobody runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crawling_service.cache import Cached, from_document, key_of, to_document
from crawling_service.models import CrawlRequest, CrawlResult, CrawlStatus, CrawlSummary
from heal7_contract import DocumentStore, clock
from heal7_contract.context import Offload

if TYPE_CHECKING:
    from crawling_service.crawl import Crawl

CRAWLS = "crawls"
LISTED = "crawl_list"  # apart from the results, which are large
KEEP = 200
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

    def now(self, stored: CrawlSummary) -> CrawlSummary:
        """A stored summary, as it is at this moment."""
        found = self._crawls.get(stored.crawl_id)
        if found is not None:
            from crawling_service.report import progress_of

            outcome, progress = found[0].snapshot()
            changes = {"progress": progress_of(outcome, progress), "truncated": outcome.truncated}
            return stored.model_copy(update=changes)
        if stored.status is CrawlStatus.RUNNING:
            return stored.model_copy(update={"status": CrawlStatus.INTERRUPTED})
        return stored


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


def begin(store: DocumentStore, crawl_id: str, asked: CrawlRequest) -> None:
    """Stores that a crawl is under way."""
    started = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds")
    common = {
        "crawl_id": crawl_id,
        "status": CrawlStatus.RUNNING.value,
        "progress": _NOT_BEGUN,
        "truncated": True,
    }
    store.put(CRAWLS, crawl_id, {**common, "pages": [], "records": [], "skipped": []})
    listed = {**common, "start_urls": list(asked.start_urls), "started_at": started}
    store.put(LISTED, crawl_id, listed)


def end(store: DocumentStore, crawl_id: str, result: CrawlResult) -> None:
    """Stores the result; a crawl that was deleted meanwhile stays so."""
    document = result.model_dump(mode="json")
    told = {name: document[name] for name in ("status", "progress", "truncated")}
    store.update(LISTED, crawl_id, lambda before: before and {**before, **told})
    store.update(CRAWLS, crawl_id, lambda before: before and document)


def forget(store: DocumentStore, crawl_id: str) -> bool:
    """Whether there was anything."""
    store.delete(LISTED, crawl_id)
    return store.delete(CRAWLS, crawl_id)


def stored(store: DocumentStore, crawl_id: str) -> CrawlResult | None:
    """As it was stored; None where there is none."""
    document = store.get(CRAWLS, crawl_id)
    return None if document is None else CrawlResult.model_validate(document)


def listed(store: DocumentStore) -> list[CrawlSummary]:
    """All that is kept, newest first, as it was stored."""
    return [CrawlSummary.model_validate(one) for one in store.find(LISTED, limit=KEEP)]
