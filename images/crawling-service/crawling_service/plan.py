"""What a crawl is asked to do; apart from the crawler so that stating it loads no HTTP client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. `time_limit_s` is wall time for the whole crawl; `include` and `exclude`
    are patterns of paths."""

    start_urls: tuple[str, ...]
    max_pages: int
    max_depth: int
    same_host: bool
    time_limit_s: float
    sitemap: bool = False
    deduplicate: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
