"""Which characters a page's bytes stand for: declared ones first, and never blindly.

The order is that of browsers (byte order mark, HTTP header, `<meta>`), with one exception that old
Korean servers taught: a declaration under which the bytes make no sense, while another reading fits
them all, is a mistake. Pure; the statistics for undeclared pages load at first use.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum

_HEADER_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.I)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}" + _HEADER_CHARSET.pattern.encode(), re.I)
_XML_CHARSET = re.compile(rb"""^\s*<\?xml[^>]{0,100}encoding\s*=\s*["']([A-Za-z0-9_.-]{1,40})""")
# Character sets only: the codec registry also holds "zip", "idna" and more for a page to name.
_CHARACTER_SETS = re.compile(
    r"utf-(8|16|16-le|16-be)|euc_(kr|jp)|johab|cp(932|949|950|866|874|125\d)|ascii|koi8-[ru]|"
    r"iso8859-\d+|gb(2312|k|18030)|big5|big5hkscs|shift_jis|iso2022_jp|mac-roman|tis-620"
)
# What browsers do with these labels (WHATWG Encoding): the superset is what is really sent.
_SUPERSETS = {
    "euc_kr": "cp949",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
_ALIASES = {
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "windows-949": "cp949",
    "x-windows-949": "cp949",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "x-gbk": "gb18030",
    "unicode-1-1-utf-8": "utf-8",
    "x-mac-roman": "mac-roman",
}
_GUESSES = [
    *("utf_8", "cp949", "cp932", "euc_jp", "gb18030", "big5", "koi8_r"),
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256"),
]
_META_BYTES = 4096
_GUESS_BYTES = 65_536


class Told(StrEnum):
    """How a character set became known."""

    BOM = "bom"
    HEADER = "header"
    META = "meta"
    CONTENT = "content"
    GUESS = "guess"


@dataclass(frozen=True, slots=True)
class Charset:
    """`codec` is Python's name. GUESS rests on statistics alone; CONTENT is UTF-8 that fits."""

    codec: str
    told: Told


def detect_charset(body: bytes, content_type: str) -> Charset:
    """By byte order mark, header, meta; else UTF-8 if it fits, else the likeliest."""
    if body.startswith(codecs.BOM_UTF8):
        return Charset("utf-8-sig", Told.BOM)
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Charset("utf-16", Told.BOM)
    declared = _declared(body, content_type)
    if declared is not None and _fits(body, declared.codec):
        return declared
    if _fits(body, "utf-8"):
        return Charset("utf-8", Told.CONTENT)
    if declared is not None:
        return declared  # a few broken bytes in a page that is otherwise what it says
    return Charset(_likeliest(body), Told.GUESS)


def _declared(body: bytes, content_type: str) -> Charset | None:
    header = _HEADER_CHARSET.search(content_type)
    codec = codec_of(header.group(1)) if header else None
    if codec is not None:
        return Charset(codec, Told.HEADER)
    meta = _META_CHARSET.search(body[:_META_BYTES]) or _XML_CHARSET.search(body[:_META_BYTES])
    codec = codec_of(meta.group(1).decode("ascii")) if meta else None
    if codec is None:
        return None
    # It was read as ASCII, so it cannot be UTF-16, whatever it says.
    return Charset("utf-8" if codec.startswith("utf-16") else codec, Told.META)


def codec_of(label: str) -> str | None:
    """The codec a page means by a label; None for what is no character set."""
    plain = label.lower()
    try:
        name = codecs.lookup(_ALIASES.get(plain, plain)).name
    except LookupError:
        return None
    return _SUPERSETS.get(name, name) if _CHARACTER_SETS.fullmatch(name) else None


def _fits(body: bytes, codec: str) -> bool:
    try:
        body.decode(codec)
    except UnicodeError:
        return False
    return True


def _likeliest(body: bytes) -> str:
    from charset_normalizer import from_bytes

    # Cut at a tag, lest half a character at the end rule the right answer out.
    sample = body[:_GUESS_BYTES]
    cut = sample.rfind(b"<") if len(body) > _GUESS_BYTES else len(sample)
    best = from_bytes(sample[: cut if cut > 0 else len(sample)], cp_isolation=_GUESSES).best()
    return codecs.lookup(best.encoding).name if best is not None else "cp1252"
