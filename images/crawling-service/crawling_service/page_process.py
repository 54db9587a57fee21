"""`python -m crawling_service.page_process`: the child that reads pages, bounded by the kernel.

A line that says it is there; then, until the input ends, a line of JSON that says how many bytes
follow, the bytes, and a line of JSON back. It opens no connection and writes no file.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from crawling_service.page import read_page

_MEMORY_BYTES = 160 << 20  # of data; the service and this child share one container's 256 MB


def limit_itself() -> None:
    """No more memory than its share, no file, no core; and when memory runs out all the same, it is
    this process that the kernel ends, not the service."""
    with suppress(OSError):  # a kernel that has no such file
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@cache
def _trafilatura() -> Any:
    import trafilatura

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    return trafilatura


def main_text(html: str, url: str) -> str | None:
    """The text that the page is about, without its furniture; None where nothing stands out."""
    try:
        found = _trafilatura().extract(
            html, url=url, include_comments=False, include_tables=True, deduplicate=False
        )
    except Exception:  # noqa: BLE001 - whatever a hostile page provokes; the blocks are read then
        return None
    return str(found) if found else None


def answer(head: dict[str, Any], body: bytes) -> dict[str, Any]:
    """One page, or `{"error": …}`."""
    try:
        page = read_page(
            body,
            head["content_type"],
            head["url"],
            max_links=head["max_links"],
            max_rows=head["max_rows"],
            main_text=None if head["plain"] else main_text,
        )
    except (MemoryError, RecursionError) as error:
        return {"error": f"it is too much to read ({type(error).__name__})"}
    return asdict(page)


def serve() -> None:
    """Until the input ends. What takes long to load is loaded before it says that it is there."""
    _trafilatura()
    print(flush=True)
    while line := sys.stdin.buffer.readline():
        head = json.loads(line)
        body = sys.stdin.buffer.read(head["length"])
        sys.stdout.write(json.dumps(answer(head, body)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    limit_itself()
    serve()
