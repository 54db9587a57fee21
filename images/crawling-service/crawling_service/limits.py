"""Every bound of the crawler in one place: each of them is a promise to somebody's server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from crawling_service.guard import parse_allow_list

# An invented address would send complaints to a stranger; this one sends people to the settings.
NO_CONTACT = "operator has not set HEAL7_CRAWL_CONTACT"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes and counts. `host_delay_s` is between a reply and the next request."""

    allow: frozenset[str] = field(default_factory=frozenset)
    user_agent: str = f"HEAL7-crawler/0.1 ({NO_CONTACT})"
    robots_agent: str = "HEAL7-crawler"
    body_bytes: int = 2_000_000
    robots_bytes: int = 500_000
    connect_s: float = 5.0
    request_s: float = 15.0
    host_delay_s: float = 1.0
    max_robots_delay_s: float = 30.0
    max_rest_s: float = 300.0
    read_s: float = 5.0
    concurrency: int = 4
    max_redirects: int = 5
    links_per_page: int = 500
    text_chars: int = 20_000
    table_rows: int = 1_000
    skipped_entries: int = 1_000


def limits_from_env(env: Mapping[str, str] = os.environ) -> Limits:
    """Reads HEAL7_CRAWL_ALLOW, HEAL7_CRAWL_DELAY_MS and HEAL7_CRAWL_CONTACT.

    Raises ValueError with the setting's name when a value can not be used.
    """
    contact = env.get("HEAL7_CRAWL_CONTACT", "").strip()
    if not contact.isascii() or not contact.isprintable():
        raise ValueError("HEAL7_CRAWL_CONTACT: write a plain address or URL without line breaks")
    delay_text = env.get("HEAL7_CRAWL_DELAY_MS", "").strip() or "1000"
    if not delay_text.isdecimal():
        raise ValueError(f"HEAL7_CRAWL_DELAY_MS: {delay_text!r} is not a whole number of ms")
    return Limits(
        allow=parse_allow_list(env.get("HEAL7_CRAWL_ALLOW", "")),
        user_agent=f"HEAL7-crawler/0.1 ({f'+{contact}' if contact else NO_CONTACT})",
        host_delay_s=int(delay_text) / 1000,
    )
