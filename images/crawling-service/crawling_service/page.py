"""Reads one page: its text without the furniture, its tables as rows, its links.

Pure: bytes in, values out. selectolax (lexbor) parses as a browser does; a broken page gives less,
never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawling_service.charset import detect_charset
from crawling_service.tables import Table, clean, read_tables

_MAIN = ("main", "[role=main]", "article")
_FURNITURE = "script, style, noscript, template, svg, iframe, form, nav, header, footer, aside"
_BLOCKS = frozenset(
    {"address", "article", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "figcaption"}
    | {"figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "main", "ol", "p", "pre"}
    | {"section", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
_SPACE = re.compile(r"[ \t\r\f\v\u00a0]+")


@dataclass(frozen=True, slots=True)
class Page:
    """`charset_told` says how the character set became known, `text_by` who chose the text.

    `cut`: there are, or may be, more tables, rows or links than were read. `canonical` is the URL
    that the page gives as its own; `noindex` and `nofollow` are its wishes.
    """

    title: str
    language: str | None
    author: str | None
    published: str | None
    charset: str
    charset_told: str
    text: str
    text_by: str
    tables: tuple[Table, ...]
    links: tuple[str, ...]
    cut: bool
    canonical: str | None
    noindex: bool
    nofollow: bool


MainText = Callable[[str, str], str | None]


def read_page(
    body: bytes,
    content_type: str,
    url: str,
    *,
    max_links: int,
    max_rows: int,
    main_text: MainText | None = None,
) -> Page:
    """`url` is where the page came from after redirects: links are resolved against it.

    `main_text` (HTML and URL to text, or None) is asked first for the text.
    """
    charset = detect_charset(body, content_type)
    html = body.decode(charset.codec, errors="replace")
    tree = LexborHTMLParser(html)
    base = _base(tree, url)
    links = _links(tree, base, max_links)
    title = tree.css_first("title")
    root = tree.css_first("html")
    language = root.attributes.get("lang") if root is not None else None
    meta = _meta(tree)
    wishes = {wish.strip() for wish in meta.get("robots", "").lower().split(",")}
    canonical = _canonical(tree, base)
    tables, cut = read_tables(tree, max_rows)
    found = main_text(_told_main(tree) or html, url) if main_text is not None else None
    tree.strip_tags(_FURNITURE.split(", "), recursive=True)
    return Page(
        title=clean(title.text()) if title is not None else "",
        language=language or None,
        author=meta.get("author"),
        published=meta.get("article:published_time"),
        charset=charset.codec,
        charset_told=charset.told.value,
        text=found or _main_text(tree),
        text_by="trafilatura" if found else "blocks",
        tables=tables,
        cut=cut or len(links) >= max_links,
        links=links,
        canonical=canonical,
        noindex=bool(wishes & {"noindex", "none"}),
        nofollow=bool(wishes & {"nofollow", "none"}),
    )


def _meta(tree: LexborHTMLParser) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.css("meta"):
        attributes = node.attributes
        name = attributes.get("name") or attributes.get("property")
        content = attributes.get("content")
        if name and content:
            found.setdefault(name.lower(), clean(content))
    return found


def _base(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    try:
        return urljoin(url, (node.attributes.get("href") or "").strip()) if node else url
    except ValueError:
        return url


def _canonical(tree: LexborHTMLParser, base: str) -> str | None:
    node = tree.css_first('link[rel~="canonical" i][href]')
    if node is None:
        return None
    try:
        return urljoin(base, (node.attributes.get("href") or "").strip()).split("#", 1)[0]
    except ValueError:
        return None


def _links(tree: LexborHTMLParser, base: str, cap: int) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for node in tree.css("a[href], area[href]"):
        # Browsers drop these characters too; a space inside is a person's slip, not an attack.
        href = (
            re.sub(r"[\t\r\n]", "", node.attributes.get("href") or "").strip().replace(" ", "%20")
        )
        try:
            absolute = urljoin(base, href.strip().replace(" ", "%20")).split("#", 1)[0]
        except ValueError:
            continue
        if absolute.lower().startswith(("http:", "https:")):
            found.setdefault(absolute)
        if len(found) >= cap:
            break
    return tuple(found)


def _told_main(tree: LexborHTMLParser) -> str | None:
    """The part that the page itself calls its main one, as a page; None where it calls none so.

    A short page in which nothing stands out is else taken whole, menus and all.
    """
    for selector in _MAIN:
        nodes = tree.css(selector)
        if len(nodes) == 1 and nodes[0].text().strip():
            return f"<html><body>{nodes[0].html}</body></html>"
    return None


def _main_text(tree: LexborHTMLParser) -> str:
    """The text of main or article, else of the whole body: one line a block, no empty lines."""
    for selector in (*_MAIN, "body"):
        nodes = tree.css(selector)
        text = "\n".join(filter(None, (_block_text(node) for node in nodes[:20])))
        if text:
            return text
    return ""


def _block_text(node: LexborNode) -> str:
    pieces: list[str] = []
    for inner in node.traverse(include_text=True):
        if inner.tag == "-text":
            pieces.append((inner.text(deep=False) or "").replace("\n", " "))
        elif inner.tag in {"td", "th"}:
            pieces.append("\t")
        elif inner.tag in _BLOCKS:
            pieces.append("\n")
    lines = "".join(pieces).split("\n")
    return "\n".join(filter(None, (_SPACE.sub(" ", line).strip() for line in lines)))
