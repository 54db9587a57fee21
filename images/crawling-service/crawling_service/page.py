"""Reads one page: its text without the furniture, its tables as rows, its links.

Pure: bytes in, values out. selectolax (lexbor) parses as a browser does; a broken page gives less,
never an error.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser, LexborNode

_HEADER_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.I)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}" + _HEADER_CHARSET.pattern.encode(), re.I)
_FURNITURE = "script, style, noscript, template, svg, iframe, form, nav, header, footer, aside"
_BLOCKS = frozenset(
    {"address", "article", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "figcaption"}
    | {"figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "main", "ol", "p", "pre"}
    | {"section", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
_SPACE = re.compile(r"[ \t\r\f\v\u00a0]+")
# Character sets only: the codec registry also holds "zip", "idna" and more for a page to name.
_CHARACTER_SETS = re.compile(
    r"utf-(8|16|16-le|16-be)|euc_(kr|jp)|johab|cp(932|949|950|866|874|125\d)|ascii|koi8-[ru]|"
    r"iso8859-\d+|gb(2312|k|18030)|big5|big5hkscs|shift_jis|iso2022_jp|mac-roman|tis-620"
)
# What browsers do with these labels (WHATWG Encoding): the superset is what is really sent.
_SUPERSETS = {
    "euc_kr": "cp949",
    "ks_c-5601": "cp949",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is the table's id, caption or ordinal; `rows` are as long as `headers`."""

    name: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    language: str | None
    author: str | None
    published: str | None
    charset: str
    text: str
    tables: tuple[Table, ...]
    links: tuple[str, ...]


def read_page(body: bytes, content_type: str, url: str, *, max_links: int, max_rows: int) -> Page:
    """`url` is where the page came from after redirects: links are resolved against it."""
    charset = detect_charset(body, content_type)
    tree = LexborHTMLParser(body.decode(charset, errors="replace"))
    links = _links(tree, url, max_links)
    title = tree.css_first("title")
    root = tree.css_first("html")
    language = root.attributes.get("lang") if root is not None else None
    meta = _meta(tree)
    tree.strip_tags(_FURNITURE.split(", "), recursive=True)
    return Page(
        title=_clean(title.text()) if title is not None else "",
        language=language or None,
        author=meta.get("author"),
        published=meta.get("article:published_time"),
        charset=charset,
        text=_main_text(tree),
        tables=_tables(tree, max_rows),
        links=links,
    )


def detect_charset(body: bytes, content_type: str) -> str:
    """A Python codec: by byte order mark, header or meta, else UTF-8 if it fits, else cp949."""
    if body.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    header = _HEADER_CHARSET.search(content_type)
    meta = _META_CHARSET.search(body[:4096])
    for label in (header and header.group(1), meta and meta.group(1).decode("ascii")):
        codec = _codec(label) if label else None
        if codec is not None:
            return codec
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "cp949"
    return "utf-8"


def _codec(label: str) -> str | None:
    if label.lower() in {"ks_c_5601-1987", "ksc5601", "windows-949", "x-windows-949"}:
        return "cp949"
    try:
        info = codecs.lookup(label)
    except LookupError:
        return None
    if not _CHARACTER_SETS.fullmatch(info.name):
        return None
    return _SUPERSETS.get(info.name, info.name)


def _clean(text: str) -> str:
    return " ".join(text.split())


def _meta(tree: LexborHTMLParser) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.css("meta"):
        attributes = node.attributes
        name = attributes.get("name") or attributes.get("property")
        content = attributes.get("content")
        if name and content:
            found.setdefault(name.lower(), _clean(content))
    return found


def _links(tree: LexborHTMLParser, url: str, cap: int) -> tuple[str, ...]:
    base_node = tree.css_first("base[href]")
    base = urljoin(url, (base_node.attributes.get("href") or "").strip()) if base_node else url
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


def _main_text(tree: LexborHTMLParser) -> str:
    """The text of main or article, else of the whole body: one line a block, no empty lines."""
    for selector in ("main", "[role=main]", "article", "body"):
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


def _tables(tree: LexborHTMLParser, max_rows: int) -> tuple[Table, ...]:
    found = []
    for index, node in enumerate(tree.css("table")):
        table = _table(node, index, max_rows)
        if table is not None:
            found.append(table)
    return tuple(found)


def _table(node: LexborNode, index: int, max_rows: int) -> Table | None:
    """None for a table without a header row or data: a layout table holds no records."""
    grid: list[tuple[bool, list[str]]] = []
    for row in node.css("tr")[: max_rows + 1]:
        cells = list(row.css("th, td"))
        if cells:
            grid.append((all(c.tag == "th" for c in cells), [_clean(c.text()) for c in cells]))
    if len(grid) < 2 or not grid[0][0]:
        return None
    headers = _unique([text or f"column_{i + 1}" for i, text in enumerate(grid[0][1])])
    rows = tuple(
        tuple((cells + [""] * len(headers))[: len(headers)])
        for is_header, cells in grid[1:]
        if not is_header
    )
    caption = node.css_first("caption")
    name = node.attributes.get("id") or (_clean(caption.text()) if caption else "")
    return Table(name or f"table_{index + 1}", headers, rows) if rows else None


def _unique(names: list[str]) -> tuple[str, ...]:
    """The second `name` becomes `name_2`: headers are the keys of records."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(result)
