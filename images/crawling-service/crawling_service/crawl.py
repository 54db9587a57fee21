"""Walks a site breadth first, and can say of every URL it met why it was or was not read.

One level at a time: a level's URLs are sorted out by pure rules, then by robots.txt, then by the
page budget, and what is left is fetched, one request at a time for each host. The result does not
depend on which answer came first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from fnmatch import fnmatchcase
from typing import Any, TypeVar
from urllib.parse import urlsplit

from crawling_service.guard import BlockedError, Target, check_url
from crawling_service.limits import Limits
from crawling_service.outcome import Outcome, Progress, Skipped, Visited
from crawling_service.plan import Plan
from crawling_service.visit import Tools, Visitor, canonical_of

_T = TypeVar("_T")
# A path that repeats itself, /a/b/a/b/a/b/a/b, is a link resolved against the wrong folder.
_REPEATS = 4
_SEGMENTS = 24


class Crawl:
    """One crawl; use an instance once. `stop` and `snapshot` may be called while `run` runs."""

    def __init__(self, plan: Plan, limits: Limits, tools: Tools):
        self._plan = plan
        self._limits = limits
        self._visitor = Visitor(limits, tools, self._in_scope)
        self._seen: set[str] = set()
        self._hosts: set[str] = set()
        self._fetched = 0
        self._bodies: dict[str, str] = {}
        self._outcome = Outcome()
        self._arrived: list[Visited | Skipped] = []
        self._waiting = 0
        self._depth = 0
        self._started: float | None = None
        self._deadline = 0.0
        self._timeouts: set[asyncio.Timeout] = set()

    async def run(self) -> Outcome:
        """Never raises for what the web does; every URL met is a page or a skipped entry."""
        self._started = asyncio.get_running_loop().time()
        self._deadline = self._started + self._plan.time_limit_s
        if self._outcome.cancelled:
            self._deadline = self._started
        level: Iterable[str] = self._plan.start_urls
        for depth in range(self._plan.max_depth + 2):
            self._depth = depth
            targets = self._admit(level, depth)
            results = await self._visit_all(targets, depth)
            links = self._collect(results)
            if depth == 0 and self._plan.sitemap:
                links += await self._offered(targets)
            level = links
            if not level or self._outcome.cancelled:
                break
        return self._outcome

    def stop(self) -> None:
        """Ends the crawl now, with what it has."""
        self._outcome.cancelled = True
        self._outcome.truncated = True
        if self._started is not None:
            self._deadline = asyncio.get_running_loop().time()
        for timeout in self._timeouts:
            timeout.reschedule(self._deadline)

    def snapshot(self) -> tuple[Outcome, Progress]:
        """What is found so far; pages of the level under way are in order of arrival."""
        found, arrived = self._outcome, self._arrived
        so_far = Outcome(
            found.pages + [one for one in arrived if isinstance(one, Visited)],
            found.skipped + [one for one in arrived if isinstance(one, Skipped)],
            found.truncated,
            found.cancelled,
        )
        return so_far, self.progress()

    def progress(self) -> Progress:
        """How far it is."""
        now = asyncio.get_running_loop().time()
        elapsed_s = 0.0 if self._started is None else now - self._started
        return Progress(self._depth, self._fetched, self._waiting, elapsed_s)

    def _in_scope(self, target: Target) -> bool:
        return not self._plan.same_host or _site(target) in self._hosts

    def _admit(self, urls: Iterable[str], depth: int) -> list[Target]:
        """The URLs of this level that are new, safe and in scope. Pure but for the bookkeeping."""
        targets = []
        for url in urls:
            if url in self._seen:
                continue
            self._seen.add(url)
            try:
                target = check_url(url, self._limits.allow)
            except BlockedError as blocked:
                self._skip(Skipped(url, blocked.reason, blocked.detail))
                continue
            if target.url != url and target.url in self._seen:
                continue
            self._seen.add(target.url)
            if depth == 0:
                self._hosts.add(_site(target))
            refusal = self._out_of_bounds(target, depth)
            if refusal is None:
                targets.append(target)
            else:
                self._skip(refusal)
        return targets

    def _out_of_bounds(self, target: Target, depth: int) -> Skipped | None:
        plan, path = self._plan, urlsplit(target.url).path
        if not self._in_scope(target):
            return Skipped(target.url, "other_host", f"{target.host} is not the start's host")
        if depth > 0 and plan.include and not any(fnmatchcase(path, p) for p in plan.include):
            return Skipped(target.url, "not_included", "no pattern of include_paths fits it")
        if depth > 0 and any(fnmatchcase(path, pattern) for pattern in plan.exclude):
            return Skipped(target.url, "excluded", "a pattern of exclude_paths fits it")
        if _is_trap(path):
            return Skipped(target.url, "trap", "its path repeats itself or never ends")
        if depth > plan.max_depth:
            self._outcome.truncated = True
            return Skipped(target.url, "max_depth", f"deeper than {plan.max_depth} links")
        return None

    async def _visit_all(self, targets: list[Target], depth: int) -> list[Visited | Skipped]:
        """One result a target, in order. Only URLs that robots.txt allows use up the budget."""
        self._arrived, self._waiting = [], len(targets)

        async def judged(target: Target) -> Skipped | None:
            verdict = await self._in_time(self._visitor.robots_verdict(target), target)
            if verdict is not None:
                self._note(verdict)
            return verdict

        async def visited(target: Target) -> Visited | Skipped:
            result = await self._in_time(self._visitor.visit(target, depth), target)
            self._note(result)
            return result

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

    def _note(self, result: Visited | Skipped) -> None:
        self._arrived.append(result)
        self._waiting -= 1

    def _collect(self, results: list[Visited | Skipped]) -> list[str]:
        """Files the results of one level; returns the links of the next."""
        links: dict[str, None] = {}
        self._arrived, self._waiting = [], 0
        for result in results:
            refusal = result if isinstance(result, Skipped) else self._repeated(result)
            if refusal is not None:
                self._skip(refusal)
                self._outcome.truncated |= refusal.reason in {"max_pages", "time_limit"}
                continue
            assert isinstance(result, Visited)
            self._outcome.pages.append(result)
            if not result.page.nofollow:
                links.update(dict.fromkeys(result.page.links))
        return list(links)

    def _repeated(self, result: Visited) -> Skipped | None:
        """Whether this page is one that is here already, by its address or by its content."""
        if result.final_url != result.url:
            if result.final_url in self._seen:
                return Skipped(result.url, "duplicate", f"leads to {result.final_url}")
            self._seen.add(result.final_url)
        if not self._plan.deduplicate:
            return None
        same = self._bodies.setdefault(result.sha256, result.url)
        if same != result.url:
            return Skipped(result.url, "duplicate", f"is the same, byte for byte, as {same}")
        canonical = canonical_of(result, self._limits)
        twin = next((p for p in self._outcome.pages if canonical in (p.url, p.final_url)), None)
        # Many sites name their home page on every page: only what also reads the same is the same.
        if canonical and twin and twin.page.text == result.page.text:
            return Skipped(result.url, "duplicate", f"says that it is {canonical}, and reads so")
        return None

    def _skip(self, skipped: Skipped) -> None:
        if len(self._outcome.skipped) < self._limits.skipped_entries:
            self._outcome.skipped.append(skipped)
        else:
            self._outcome.truncated = True

    async def _offered(self, targets: list[Target]) -> list[str]:
        """The URLs of the sitemaps of every site that the crawl starts at."""
        sites = {target.origin: target for target in targets}
        found: list[str] = []
        for target in sites.values():
            offered = await self._in_time(self._visitor.sitemap_urls(target), target)
            if isinstance(offered, list):
                found += offered
            else:
                self._outcome.truncated = True
        return found

    async def _in_time(self, work: Coroutine[Any, Any, _T], target: Target) -> _T | Skipped:
        timeout = asyncio.timeout_at(self._deadline)
        try:
            async with timeout:
                self._timeouts.add(timeout)
                try:
                    return await work
                finally:
                    self._timeouts.discard(timeout)
        except TimeoutError:
            if self._outcome.cancelled:
                return Skipped(target.url, "cancelled", "the crawl was cancelled")
            limit = self._plan.time_limit_s
            return Skipped(target.url, "time_limit", f"the crawl's {limit:g} s were used up")


def _site(target: Target) -> str:
    """What `same_host` compares: http and https, with and without www, are one site."""
    return target.host.removeprefix("www.")


def _is_trap(path: str) -> bool:
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) > _SEGMENTS:
        return True
    return any(segments.count(segment) >= _REPEATS for segment in set(segments))
