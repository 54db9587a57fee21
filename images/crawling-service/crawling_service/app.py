"""Wires the crawler to the contract: one action, its undo, its stored results, the demo site."""

from __future__ import annotations

import asyncio
import os
from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from crawling_service.limits import Limits, limits_from_env
from crawling_service.models import CrawlRequest, CrawlResult, Deleted
from heal7_contract import Context, Problem, Service, StoredAction

if TYPE_CHECKING:
    import httpcore

KIND = "crawls"
service = Service(name="crawling-service", version="0.1.0", port=8013)
service.documents(KIND, keep=200, max_age_s=7 * 86_400)

CrawlId = Annotated[str, Field(pattern=r"^act_[0-9a-f]{32}$")]


@cache
def limits() -> Limits:
    """The environment's settings, read once. Raises ValueError naming a wrong one."""
    return limits_from_env(os.environ)


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

    bounds = limits()
    async with Fetcher(bounds, network()) as fetcher:
        outcome = await Crawl(body.plan(), bounds, fetcher).run()
    result = result_of(ctx.action_id, outcome, body.extract, text_chars=bounds.text_chars)
    await ctx.offload(ctx.store.put, KIND, ctx.action_id, result.model_dump())
    return result


@crawl.compensate
def undo_crawl(record: StoredAction, reason: str) -> None:
    """Deletes what the crawl stored; pages fetched from others can not be un-fetched."""
    service.store.delete(KIND, record.id)


@service.get("/crawls/{crawl_id}", errors={404: "No such crawl"}, response_model=CrawlResult)
def read_crawl(crawl_id: CrawlId) -> CrawlResult:
    """The stored result of a crawl; its id is the action's."""
    stored = service.store.get(KIND, crawl_id)
    if stored is None:
        raise _unknown(crawl_id)
    return CrawlResult.model_validate(stored)


@service.delete("/crawls/{crawl_id}", errors={404: "No such crawl"}, response_model=Deleted)
def delete_crawl(crawl_id: CrawlId) -> Deleted:
    """Forgets a stored crawl."""
    if not service.store.delete(KIND, crawl_id):
        raise _unknown(crawl_id)
    return Deleted(id=crawl_id, deleted=True)


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


def _unknown(crawl_id: str) -> Problem:
    return Problem(
        404,
        code="crawl_not_found",
        title="No such crawl",
        detail=f"There is no stored crawl {crawl_id}; it may have expired or been undone.",
        remedy="Use the `crawl_id` of a crawl's result, or crawl again.",
    )
