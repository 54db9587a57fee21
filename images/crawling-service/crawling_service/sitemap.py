"""Reads sitemaps: URLs that a site offers of itself, in XML or as plain lines. Pure.

The HTML parser reads them: it expands no entities of the document's own and fetches nothing, so a
hostile sitemap is only a short list.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser

MAX_BYTES = 2_000_000
MAX_URLS = 1_000


@dataclass(frozen=True, slots=True)
class Sitemap:
    """`pages` of a sitemap, `parts` of an index of sitemaps."""

    pages: tuple[str, ...]
    parts: tuple[str, ...]


def read_sitemap(body: bytes) -> Sitemap:
    """Whatever is not a sitemap has neither pages nor parts."""
    text = _unzipped(body).decode("utf-8-sig", errors="replace")
    if "<" not in text[:1_000]:
        lines = (line.strip() for line in text.splitlines()[:MAX_URLS])
        return Sitemap(tuple(line for line in lines if line.startswith(("http:", "https:"))), ())
    tree = LexborHTMLParser(text)
    return Sitemap(_locations(tree, "url > loc"), _locations(tree, "sitemap > loc"))


def _locations(tree: LexborHTMLParser, selector: str) -> tuple[str, ...]:
    found = (node.text().strip() for node in tree.css(selector)[:MAX_URLS])
    return tuple(dict.fromkeys(text for text in found if text))


def _unzipped(body: bytes) -> bytes:
    """A `sitemap.xml.gz` is a file that is compressed, whatever its transfer was."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, MAX_BYTES)
    except zlib.error:
        return b""
