"""One URL from asking to reading: politely, hop by hop, and with a reason where it ends early."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from crawling_service.cache import Cache, Cached, keepable
from crawling_service.fetch import Fetcher, FetchError, Reply
from crawling_service.guard import BlockedError, Target, check_url, follow
from crawling_service.limits import Limits
from crawling_service.outcome import Skipped, Visited
from crawling_service.pace import Pace
from crawling_service.reading import Reader, UnreadableError
from crawling_service.robots import Rules, fetch_rules
from crawling_service.sitemap import MAX_BYTES, read_sitemap

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SLOW_DOWN = frozenset({429, 503})
_SITEMAPS = 10


@dataclass(frozen=True, slots=True)
class Tools:
    """What a crawl works with; `pace` is shared by all crawls of the process."""

    fetcher: Fetcher
    reader: Reader
    cache: Cache
    pace: Pace


class Visitor:
    """The requests of one crawl. `in_scope` says whether a redirect may lead there."""

    def __init__(self, limits: Limits, tools: Tools, in_scope: Callable[[Target], bool]):
        self._limits = limits
        self._tools = tools
        self._in_scope = in_scope
        self._rules: dict[str, Rules | BlockedError] = {}
        self._rules_locks: dict[str, asyncio.Lock] = {}
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._asked_to_stop: dict[str, str] = {}

    async def robots_verdict(self, target: Target) -> Skipped | None:
        """Why robots.txt keeps us out, or None."""
        rules = await self._rules_of(target)
        if isinstance(rules, BlockedError):
            return Skipped(target.url, rules.reason, rules.detail)
        if rules.closed is not None:
            return Skipped(target.url, "robots_unavailable", rules.closed)
        if not rules.may_fetch(target, self._limits.robots_agent):
            return Skipped(target.url, "robots", f"{target.origin}/robots.txt keeps it out")
        return None

    async def visit(self, target: Target, depth: int) -> Visited | Skipped:
        """Follows redirects by hand: each hop passes the guard, the scope and robots.txt anew."""
        current = target
        try:
            for _ in range(self._limits.max_redirects + 1):
                kept = await self._tools.cache.get(current.url)
                reply, elapsed_ms = await self._request(current, kept)
                if reply.status == 304 and kept is not None:
                    return await self._read(target, current, depth, kept, elapsed_ms, held=True)
                if reply.status not in _REDIRECTS or reply.location is None:
                    return await self._judge(target, current, depth, reply, elapsed_ms)
                current = follow(current, reply.location, self._limits.allow)
                refusal = await self._hop_verdict(target, current)
                if refusal is not None:
                    return refusal
        except (FetchError, BlockedError, UnreadableError) as error:
            return Skipped(target.url, error.reason, error.detail)
        hops = self._limits.max_redirects
        return Skipped(target.url, "too_many_redirects", f"more than {hops} redirects")

    async def sitemap_urls(self, origin: Target) -> list[str]:
        """What the sitemaps of a site offer: those robots.txt names, else /sitemap.xml.

        A sitemap that cannot be had offers nothing; the pages are crawled all the same.
        """
        rules = await self._rules_of(origin)
        named = list(rules.parsed.sitemaps) if isinstance(rules, Rules) and rules.parsed else []
        queue, found = named[:_SITEMAPS] or ["/sitemap.xml"], dict[str, None]()
        for place in queue:
            try:
                target = follow(origin, place, self._limits.allow)
                if not self._in_scope(target) or await self.robots_verdict(target) is not None:
                    continue
                reply, _ = await self._request(target, None, types=None, body_bytes=MAX_BYTES)
            except (FetchError, BlockedError):
                continue
            if 200 <= reply.status < 300:
                sitemap = await asyncio.to_thread(read_sitemap, reply.body)
                found.update(dict.fromkeys(sitemap.pages))
                fresh = [part for part in sitemap.parts if part not in queue]
                queue += fresh[: _SITEMAPS - len(queue)]
        return list(found)

    async def _rules_of(self, target: Target) -> Rules | BlockedError:
        """Asked once an origin; a refusal is remembered like an answer."""
        async with self._rules_locks.setdefault(target.origin, asyncio.Lock()):
            if target.origin not in self._rules:
                try:
                    async with self._slots:
                        rules = await fetch_rules(target, self._tools.fetcher, self._limits)
                    self._rules[target.origin] = rules
                except BlockedError as refusal:
                    self._rules[target.origin] = refusal
            return self._rules[target.origin]

    async def _hop_verdict(self, target: Target, current: Target) -> Skipped | None:
        if not self._in_scope(current):
            return Skipped(target.url, "other_host", f"redirects to {current.url}")
        verdict = await self.robots_verdict(current)
        if verdict is None:
            return None
        return Skipped(target.url, verdict.reason, f"redirects to {current.url}: {verdict.detail}")

    async def _request(
        self,
        target: Target,
        kept: Cached | None,
        *,
        types: frozenset[str] | None = HTML_TYPES,
        body_bytes: int | None = None,
    ) -> tuple[Reply, int]:
        """One polite GET and its time in ms. Raises FetchError or BlockedError."""
        rules = await self._rules_of(target)
        asked = rules.delay_s if isinstance(rules, Rules) else None
        # A host on the allow list is the operator's own; it is slowed only if it asks to be.
        usual = 0.0 if target.allowed_private else self._limits.host_delay_s
        pace = self._tools.pace
        async with pace.turn(target.host, max(usual, asked or 0.0)), self._slots:
            if target.key in self._asked_to_stop:
                raise FetchError("host_busy", self._asked_to_stop[target.key])
            rest_s = pace.rest_left_s(target.host)
            if rest_s > 0:
                raise FetchError("host_busy", f"it asked to be left alone for {rest_s:.0f} s more")
            started = asyncio.get_running_loop().time()
            reply = await self._tools.fetcher.get(
                target,
                body_bytes=body_bytes or self._limits.body_bytes,
                types=types,
                conditions=kept.conditions() if kept else None,
            )
            elapsed_ms = round((asyncio.get_running_loop().time() - started) * 1000)
        if reply.status in _SLOW_DOWN:
            self._asked_to_stop[target.key] = f"{target.key} answered {reply.status} before"
            pace.rest(target.host, min(reply.retry_after_s, self._limits.max_rest_s))
        return reply, elapsed_ms

    async def _judge(
        self, target: Target, current: Target, depth: int, reply: Reply, elapsed_ms: int
    ) -> Visited | Skipped:
        if not 200 <= reply.status < 300:
            return Skipped(target.url, f"http_{reply.status}", f"answered {reply.status}")
        fresh = Cached(reply.etag, reply.last_modified, reply.content_type, reply.body)
        if keepable(reply.etag, reply.last_modified, reply.cache_control):
            await self._tools.cache.put(current.url, fresh)
        return await self._read(target, current, depth, fresh, elapsed_ms, held=False)

    async def _read(
        self,
        target: Target,
        current: Target,
        depth: int,
        content: Cached,
        elapsed_ms: int,
        *,
        held: bool,
    ) -> Visited | Skipped:
        page = await self._tools.reader.read(content.body, content.content_type, current.url)
        if page.noindex:
            return Skipped(target.url, "noindex", "the page asks not to be indexed")
        return Visited(
            url=target.url,
            final_url=current.url,
            depth=depth,
            status=200,
            page=page,
            body_bytes=len(content.body),
            sha256=hashlib.sha256(content.body).hexdigest(),
            elapsed_ms=elapsed_ms,
            not_modified=held,
        )


def canonical_of(visited: Visited, limits: Limits) -> str | None:
    """The URL a page says is its proper one, if that is another and may be one of ours."""
    if visited.page.canonical is None:
        return None
    try:
        target = check_url(visited.page.canonical, limits.allow)
    except BlockedError:
        return None
    return target.url if target.url not in (visited.url, visited.final_url) else None
