"""What a site's robots.txt allows us, because being polite is the first half of this service's job.

RFC 9309: a missing file (4xx) allows everything; a site that can not answer (5xx, 429, no
connection) allows nothing for now; redirects are followed a few hops, each one guarded.
"""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego

from crawling_service.fetch import Fetcher, FetchError
from crawling_service.guard import Target, check_url, follow
from crawling_service.limits import Limits


@dataclass(frozen=True, slots=True)
class Rules:
    """The verdict for one origin. `closed` says why nothing may be fetched, else None."""

    parsed: Protego | None
    closed: str | None
    delay_s: float | None

    def may_fetch(self, target: Target, agent: str) -> bool:
        if self.closed is not None:
            return False
        return self.parsed is None or bool(self.parsed.can_fetch(target.url, agent))


ALLOW_ALL = Rules(None, None, None)


def rules_from_reply(status: int, body: bytes, limits: Limits) -> Rules:
    """Pure: the rules a robots.txt answer stands for."""
    if status == 429 or 500 <= status < 600:
        return Rules(None, f"robots.txt answered {status}", None)
    if not 200 <= status < 300:
        return ALLOW_ALL
    # utf-8-sig: a byte order mark would hide the first User-agent line.
    parsed = Protego.parse(body.decode("utf-8-sig", errors="replace"))
    delay = parsed.crawl_delay(limits.robots_agent)
    return Rules(parsed, None, None if delay is None else min(delay, limits.max_robots_delay_s))


async def fetch_rules(origin: Target, fetcher: Fetcher, limits: Limits) -> Rules:
    """Asks `origin`'s robots.txt. Raises BlockedError when the host, or a redirect, is refused."""
    target = check_url(f"{origin.scheme}://{origin.netloc}/robots.txt", limits.allow)
    for _ in range(limits.max_redirects + 1):
        try:
            reply = await fetcher.get(target, body_bytes=limits.robots_bytes)
        except FetchError as error:
            return Rules(None, f"robots.txt can not be read: {error.detail}", None)
        if reply.location is None or not 300 <= reply.status < 400:
            return rules_from_reply(reply.status, reply.body, limits)
        target = follow(target, reply.location, limits.allow)
    return ALLOW_ALL
