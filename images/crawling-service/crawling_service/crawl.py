"""Walks a site breadth first, and can say of every URL it met why it was or was not read.

One level at a time: a level's URLs are sorted out by pure rules, then by robots.txt, then by the
page budget, and what is left is fetched, one request at a time for each host. The result does not
depend on which answer came first.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from crawling_service.fetch import Fetcher, FetchError, Reply
from crawling_service.guard import BlockedError, Target, check_url, follow
from crawling_service.limits import Limits
from crawling_service.page import Page, read_page
from crawling_service.plan import Plan
from crawling_service.robots import Rules, fetch_rules

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SLOW_DOWN = frozenset({429, 503})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Visited:
    """A page read. `url` is as linked, `final_url` after redirects; `elapsed_ms` is the fetch."""

    url: str
    final_url: str
    depth: int
    status: int
    page: Page
    body_bytes: int
    sha256: str
    elapsed_ms: int


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


class Pace:
    """One request at a time per host, with a pause after each."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._free_at: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, key: str, delay_s: float) -> AsyncIterator[None]:
        """Waits for this host's turn; the pause begins when the caller is done."""
        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(key, asyncio.Lock()):
            await asyncio.sleep(max(0.0, self._free_at.get(key, 0.0) - loop.time()))
            try:
                yield
            finally:
                self._free_at[key] = loop.time() + delay_s


class Crawl:
    """One crawl; use an instance once."""

    def __init__(self, plan: Plan, limits: Limits, fetcher: Fetcher):
        self._plan = plan
        self._limits = limits
        self._fetcher = fetcher
        self._pace = Pace()
        self._rules: dict[str, Rules | BlockedError] = {}
        self._rules_locks: dict[str, asyncio.Lock] = {}
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._asked_to_stop: dict[str, str] = {}
        self._seen: set[str] = set()
        self._hosts: set[str] = set()
        self._fetched = 0
        self._outcome = Outcome()

    async def run(self) -> Outcome:
        """Never raises for what the web does; every URL met is a page or a skipped entry."""
        deadline = asyncio.get_running_loop().time() + self._plan.time_limit_s
        level: Iterable[str] = self._plan.start_urls
        for depth in range(self._plan.max_depth + 2):
            targets = self._admit(level, depth)
            results = await self._visit_all(targets, depth, deadline)
            level = self._collect(results)
            if not level:
                break
        return self._outcome

    def _admit(self, urls: Iterable[str], depth: int) -> list[Target]:
        """The URLs of this level that are new, safe and in scope. Pure but for the bookkeeping."""
        targets = []
        for url in urls:
            if url in self._seen:
                continue
            self._seen.add(url)
            try:
                target = check_url(url, self._limits.allow)
            except BlockedError as refusal:
                self._skip(url, refusal.reason, refusal.detail)
                continue
            if target.url != url and target.url in self._seen:
                continue
            self._seen.add(target.url)
            if depth == 0:
                self._hosts.add(_site(target))
            elif self._plan.same_host and _site(target) not in self._hosts:
                self._skip(target.url, "other_host", f"{target.host} is not the start's host")
                continue
            if depth > self._plan.max_depth:
                self._skip(target.url, "max_depth", f"deeper than {self._plan.max_depth} links")
                self._outcome.truncated = True
                continue
            targets.append(target)
        return targets

    async def _visit_all(
        self, targets: list[Target], depth: int, deadline: float
    ) -> list[Visited | Skipped]:
        """One result a target, in order. Only URLs that robots.txt allows use up the budget."""

        async def judged(target: Target) -> Skipped | None:
            return await self._in_time(self._robots_verdict(target), target, deadline)

        async def visited(target: Target) -> Visited | Skipped:
            return await self._in_time(self._visit(target, depth), target, deadline)

        verdicts = await asyncio.gather(*(judged(target) for target in targets))
        results: list[Visited | Skipped] = [verdict for verdict in verdicts if verdict is not None]
        open_targets = [t for t, verdict in zip(targets, verdicts, strict=True) if verdict is None]
        room = self._plan.max_pages - self._fetched
        self._fetched += min(room, len(open_targets))
        results += await asyncio.gather(*(visited(target) for target in open_targets[:room]))
        results += [
            Skipped(t.url, "max_pages", f"the budget of {self._plan.max_pages} pages is used up")
            for t in open_targets[room:]
        ]
        return results

    def _collect(self, results: list[Visited | Skipped]) -> list[str]:
        """Files the results of one level; returns the links of the next."""
        links: dict[str, None] = {}
        for result in results:
            if isinstance(result, Skipped):
                self._skip(result.url, result.reason, result.detail)
                self._outcome.truncated |= result.reason in {"max_pages", "time_limit"}
                continue
            if result.final_url != result.url:
                if result.final_url in self._seen:
                    self._skip(result.url, "duplicate", f"leads to {result.final_url}")
                    continue
                self._seen.add(result.final_url)
            self._outcome.pages.append(result)
            links.update(dict.fromkeys(result.page.links))
        return list(links)

    def _skip(self, url: str, reason: str, detail: str) -> None:
        if len(self._outcome.skipped) < self._limits.skipped_entries:
            self._outcome.skipped.append(Skipped(url, reason, detail))
        else:
            self._outcome.truncated = True

    async def _in_time(
        self, work: Coroutine[Any, Any, _T], target: Target, deadline: float
    ) -> _T | Skipped:
        try:
            async with asyncio.timeout_at(deadline):
                return await work
        except TimeoutError:
            limit = self._plan.time_limit_s
            return Skipped(target.url, "time_limit", f"the crawl's {limit:g} s were used up")

    async def _robots_verdict(self, target: Target) -> Skipped | None:
        rules = await self._rules_of(target)
        if isinstance(rules, BlockedError):
            return Skipped(target.url, rules.reason, rules.detail)
        if rules.closed is not None:
            return Skipped(target.url, "robots_unavailable", rules.closed)
        if not rules.may_fetch(target, self._limits.robots_agent):
            return Skipped(target.url, "robots", f"{target.origin}/robots.txt keeps it out")
        return None

    async def _rules_of(self, target: Target) -> Rules | BlockedError:
        """Asked once an origin; a refusal is remembered like an answer."""
        async with self._rules_locks.setdefault(target.origin, asyncio.Lock()):
            if target.origin not in self._rules:
                try:
                    async with self._slots:
                        rules = await fetch_rules(target, self._fetcher, self._limits)
                    self._rules[target.origin] = rules
                except BlockedError as refusal:
                    self._rules[target.origin] = refusal
            return self._rules[target.origin]

    async def _visit(self, target: Target, depth: int) -> Visited | Skipped:
        """Follows redirects by hand: each hop passes the guard, the scope and robots.txt anew."""
        current = target
        try:
            for _ in range(self._limits.max_redirects + 1):
                reply, elapsed_ms = await self._request(current)
                if reply.status not in _REDIRECTS or reply.location is None:
                    return await self._judge(target, current, depth, reply, elapsed_ms)
                current = follow(current, reply.location, self._limits.allow)
                refusal = await self._hop_verdict(target, current)
                if refusal is not None:
                    return refusal
        except (FetchError, BlockedError) as error:
            return Skipped(target.url, error.reason, error.detail)
        hops = self._limits.max_redirects
        return Skipped(target.url, "too_many_redirects", f"more than {hops} redirects")

    async def _hop_verdict(self, target: Target, current: Target) -> Skipped | None:
        if self._plan.same_host and _site(current) not in self._hosts:
            return Skipped(target.url, "other_host", f"redirects to {current.url}")
        verdict = await self._robots_verdict(current)
        if verdict is None:
            return None
        return Skipped(target.url, verdict.reason, f"redirects to {current.url}: {verdict.detail}")

    async def _request(self, target: Target) -> tuple[Reply, int]:
        """One polite GET and its time in ms. Raises FetchError or BlockedError."""
        rules = await self._rules_of(target)
        asked = rules.delay_s if isinstance(rules, Rules) else None
        # A host on the allow list is the operator's own; it is slowed only if it asks to be.
        usual = 0.0 if target.allowed_private else self._limits.host_delay_s
        async with self._pace.turn(target.host, max(usual, asked or 0.0)), self._slots:
            if target.key in self._asked_to_stop:
                raise FetchError("host_busy", self._asked_to_stop[target.key])
            started = asyncio.get_running_loop().time()
            reply = await self._fetcher.get(
                target, body_bytes=self._limits.body_bytes, types=HTML_TYPES
            )
            elapsed_ms = round((asyncio.get_running_loop().time() - started) * 1000)
        if reply.status in _SLOW_DOWN:
            self._asked_to_stop[target.key] = f"{target.key} answered {reply.status} before"
        return reply, elapsed_ms

    async def _judge(
        self, target: Target, current: Target, depth: int, reply: Reply, elapsed_ms: int
    ) -> Visited | Skipped:
        if not 200 <= reply.status < 300:
            return Skipped(target.url, f"http_{reply.status}", f"answered {reply.status}")
        # Parsing 2 MB takes a good part of a second; other requests go on meanwhile.
        page = await asyncio.to_thread(
            read_page,
            reply.body,
            reply.content_type,
            current.url,
            max_links=self._limits.links_per_page,
            max_rows=self._limits.table_rows,
        )
        return Visited(
            url=target.url,
            final_url=current.url,
            depth=depth,
            status=reply.status,
            page=page,
            body_bytes=len(reply.body),
            sha256=hashlib.sha256(reply.body).hexdigest(),
            elapsed_ms=elapsed_ms,
        )


def _site(target: Target) -> str:
    """What `same_host` compares: http and https, with and without www, are one site."""
    return target.host.removeprefix("www.")
