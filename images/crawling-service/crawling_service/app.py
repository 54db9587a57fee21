"""Wires the crawler to the contract: one action, its undo, its stored results, the demo site."""

from __future__ import annotations

import asyncio
import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le
from pydantic import Field

from crawling_service import live
from crawling_service.cache import NoCache
from crawling_service.clean_models import CleanRequest, CleanResult
from crawling_service.limits import Limits, limits_from_env
from crawling_service.models import (
    Cancelled,
    CrawlList,
    CrawlRequest,
    CrawlResult,
    CrawlStatus,
    Deleted,
)
from crawling_service.pace import Pace
from heal7_contract import Context, Problem, Service, StoredAction

if TYPE_CHECKING:
    import httpcore

    from crawling_service.reading import ChildReader

# A crawl's reply may take megabytes, so fewer of them are kept for repeats than is usual.
service = Service(
    name="crawling-service", version="0.1.0", port=8013, max_body_bytes=4 << 20, keep=1_000
)
service.documents(live.CRAWLS, keep=live.KEEP, max_age_s=7 * 86_400)
service.documents(live.LISTED, keep=live.KEEP, max_age_s=7 * 86_400)
service.documents(live.KEPT, keep=500, max_age_s=7 * 86_400)
CLEANINGS = "cleanings"
service.documents(CLEANINGS, keep=200, max_age_s=7 * 86_400)
running = live.Live()
# Cleaning holds all of its records several times over; side by side they would not fit.
_cleaning = threading.Lock()

CrawlId = Annotated[str, Field(pattern=r"^act_[0-9a-f]{32}$")]


@cache
def limits() -> Limits:
    """The environment's settings, read once. Raises ValueError naming a wrong one."""
    return limits_from_env(os.environ)


@cache
def pace() -> Pace:
    """Shared by all crawls: two of them are still one visitor to a host."""
    return Pace()


@cache
def reader() -> ChildReader:
    """The child process that reads pages, shared by all crawls."""
    from crawling_service.reading import ChildReader

    return ChildReader(limits())


def network() -> httpcore.AsyncNetworkBackend:
    """The guarded way out; tests put their own world below the guard."""
    from crawling_service.fetch import PinnedBackend

    return PinnedBackend(limits().allow)


@service.action("crawl", request=CrawlRequest, result=CrawlResult)
async def crawl(body: CrawlRequest, ctx: Context) -> CrawlResult:
    """Fetches pages breadth first from `start_urls`; says of every URL met why it was left out."""
    # The HTTP client and the parser load with the first crawl: an idle crawler stays small.
    from crawling_service.crawl import Crawl
    from crawling_service.fetch import Fetcher
    from crawling_service.report import result_of
    from crawling_service.visit import Tools

    bounds = limits()
    kept = live.StoredCache(ctx.store, ctx.offload) if body.revalidate else NoCache()
    fetcher, pages = Fetcher(bounds, network()), reader()
    walk = Crawl(body.plan(), bounds, Tools(fetcher, pages, kept, pace()))
    with running.while_under_way(ctx.action_id, walk, body):
        await ctx.offload(live.begin, ctx.store, ctx.action_id, body)
        async with fetcher, pages.open():
            outcome = await walk.run()
        result = result_of(
            ctx.action_id,
            outcome,
            walk.progress(),
            body.extract,
            running=False,
            text_chars=bounds.text_chars,
        )
        await ctx.offload(live.end, ctx.store, ctx.action_id, result)
    return result


@crawl.interrupt
def stop_crawl(crawl_id: str) -> None:
    """An undo need not wait for a crawl that is under way."""
    running.stop(crawl_id)


@crawl.compensate
def undo_crawl(record: StoredAction, reason: str) -> None:
    """Deletes what the crawl stored; pages fetched from others can not be un-fetched."""
    live.forget(service.store, record.id)


@service.get("/crawls", response_model=CrawlList)
async def list_crawls(
    status: CrawlStatus | None = None,
    limit: Annotated[int, Ge(1), Le(200)] = 50,
    offset: Annotated[int, Ge(0), Le(1_000)] = 0,
) -> CrawlList:
    """Crawls that run and those of the last seven days, newest first."""
    listed = [running.now(one) for one in await service.offload(live.listed, service.store)]
    wanted = [one for one in listed if status is None or one.status is status]
    return CrawlList(crawls=wanted[offset : offset + limit])


@service.get("/crawls/{crawl_id}", errors={404: "No such crawl"}, response_model=CrawlResult)
async def read_crawl(crawl_id: CrawlId) -> CrawlResult:
    """A crawl's result, or what it has so far; its id is the action's."""
    under_way = running.result(crawl_id, limits().text_chars)
    if under_way is not None:
        return under_way
    result = await service.offload(live.stored, service.store, crawl_id)
    if result is None:
        raise _unknown(crawl_id)
    if result.status is CrawlStatus.RUNNING:
        return result.model_copy(update={"status": CrawlStatus.INTERRUPTED})
    return result


@service.post("/crawls/{crawl_id}/cancel", errors={404: "No such crawl"}, response_model=Cancelled)
async def cancel_crawl(crawl_id: CrawlId) -> Cancelled:
    """Ends a running crawl now; its action answers with what it has, as `cancelled`."""
    if running.stop(crawl_id):
        return Cancelled(crawl_id=crawl_id, cancelling=True)
    if await service.offload(service.store.get, live.LISTED, crawl_id) is None:
        raise _unknown(crawl_id)
    return Cancelled(crawl_id=crawl_id, cancelling=False)


@service.delete("/crawls/{crawl_id}", errors={404: "No such crawl"}, response_model=Deleted)
async def delete_crawl(crawl_id: CrawlId) -> Deleted:
    """Forgets a crawl; one that runs is stopped first."""
    running.stop(crawl_id)
    if not await service.offload(live.forget, service.store, crawl_id):
        raise _unknown(crawl_id)
    return Deleted(id=crawl_id, deleted=True)


@service.action(
    "clean",
    request=CleanRequest,
    result=CleanResult,
    errors={404: "No such crawl", 409: "The crawl runs; or as for every action"},
)
def clean(body: CleanRequest, ctx: Context) -> CleanResult:
    """Normalises and deduplicates records, and says what was changed and left out, and why."""
    from crawling_service.clean_report import clean_result, records_of

    with _cleaning:
        given = body.records
        if given is None:
            assert body.crawl_id is not None
            given = records_of(_finished_crawl(ctx, body.crawl_id), body.what)
        result = clean_result(ctx.action_id, body, given)
        ctx.store.put(CLEANINGS, ctx.action_id, result.model_dump(mode="json"))
    return result


@clean.compensate
def undo_clean(record: StoredAction, reason: str) -> None:
    """Deletes the cleaned records; what they were made of stays."""
    service.store.delete(CLEANINGS, record.id)


@service.get("/cleanings/{clean_id}", errors={404: "No such cleaning"}, response_model=CleanResult)
async def read_cleaning(clean_id: CrawlId) -> CleanResult:
    """The stored result of a cleaning; its id is the action's."""
    stored = await service.offload(service.store.get, CLEANINGS, clean_id)
    if stored is None:
        raise _unknown(clean_id, "cleaning")
    return CleanResult.model_validate(stored)


@service.delete("/cleanings/{clean_id}", errors={404: "No such cleaning"}, response_model=Deleted)
async def delete_cleaning(clean_id: CrawlId) -> Deleted:
    """Forgets a cleaning."""
    if not await service.offload(service.store.delete, CLEANINGS, clean_id):
        raise _unknown(clean_id, "cleaning")
    return Deleted(id=clean_id, deleted=True)


@service.ready_check("settings")
def settings_are_valid() -> str | None:
    """A sentence when HEAL7_CRAWL_… can not be used."""
    try:
        limits()
    except ValueError as error:
        return str(error)
    return None


async def demo_site() -> None:
    """Serves the demo site beside the service until the service stops."""
    from crawling_service import demo_site as site

    async with site.serving(site.default_root()):
        await asyncio.Event().wait()


if os.environ.get("HEAL7_DEMO_SITE") == "1":
    service.background("demo_site")(demo_site)


def _finished_crawl(ctx: Context, crawl_id: str) -> CrawlResult:
    result = live.stored(ctx.store, crawl_id)
    if result is None:
        raise _unknown(crawl_id)
    if result.status is CrawlStatus.RUNNING:
        raise Problem(
            409,
            code="crawl_not_finished",
            title="The crawl has no result",
            detail=f"The crawl {crawl_id} is still running, or was cut short by a stop.",
            remedy="Wait until GET /crawls/{id} says completed, or crawl again.",
        )
    return result


def _unknown(ident: str, what: str = "crawl") -> Problem:
    return Problem(
        404,
        code=f"{what}_not_found",
        title=f"No such {what}",
        detail=f"There is no stored {what} {ident}; it may have expired or been undone.",
        remedy=f"Use the id of a {what}'s result, or {what.removesuffix('ing')} again.",
    )
