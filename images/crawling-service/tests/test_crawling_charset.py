"""The characters of a page: the order of what is believed, old encodings, and undeclared ones."""

from __future__ import annotations

import pytest

from crawling_service.charset import Told, detect_charset

KOREAN = "일광절약시간제를 실시하였다. 데모 사이트의 공지 사항입니다."
JAPANESE = "これは日本語の文章です。夏時間について説明します。"
RUSSIAN = "Это русский текст о двадцати четырёх солнечных сезонах года."
FRENCH = "Le café était fermé à cause de l’été, déjà très chaud."


def page(text: str, codec: str, declared: str = "") -> bytes:
    meta = f'<meta charset="{declared}">' if declared else ""
    return f"<html><head>{meta}<title>t</title></head><body><p>{text}</p></body>".encode(codec)


@pytest.mark.parametrize(
    ("text", "codec", "label", "expected"),
    [
        (KOREAN, "euc_kr", "euc-kr", "cp949"),
        ("뷁쀍 " + KOREAN, "cp949", "ks_c_5601-1987", "cp949"),
        (KOREAN, "cp949", "windows-949", "cp949"),
        (JAPANESE, "shift_jis", "Shift_JIS", "cp932"),
        (JAPANESE + "①", "cp932", "x-sjis", "cp932"),
        (JAPANESE, "euc_jp", "EUC-JP", "euc_jp"),
        (JAPANESE, "iso2022_jp", "iso-2022-jp", "iso2022_jp"),
        (RUSSIAN, "cp1251", "windows-1251", "cp1251"),
        (RUSSIAN, "koi8_r", "koi8-r", "koi8-r"),
        (FRENCH, "cp1252", "iso-8859-1", "cp1252"),
        ("Příliš žluťoučký kůň", "cp1250", "windows-1250", "cp1250"),
        ("二十四節氣", "big5", "big5", "big5hkscs"),
        ("二十四节气", "gbk", "gb2312", "gb18030"),
    ],
)
def test_a_declared_encoding_is_read(text: str, codec: str, label: str, expected: str) -> None:
    body = page(text, codec)
    by_header = detect_charset(body, f"text/html; charset={label}")
    assert (by_header.codec, by_header.told) == (expected, Told.HEADER)
    assert text in body.decode(by_header.codec)
    by_meta = detect_charset(page(text, codec, label), "text/html")
    assert (by_meta.codec, by_meta.told) == (expected, Told.META)


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        (b"\xef\xbb\xbf" + page(KOREAN, "utf-8", "euc-kr"), "charset=euc-kr", ("utf-8-sig", "bom")),
        (page(KOREAN, "utf-16"), "charset=euc-kr", ("utf-16", "bom")),
        (page(KOREAN, "cp949", "utf-8"), "text/html; charset=euc-kr", ("cp949", "header")),
        (page(KOREAN, "cp949", "euc-kr"), "text/html; charset=nonsense", ("cp949", "meta")),
        (page(KOREAN, "utf-8", "utf-16"), "text/html", ("utf-8", "meta")),
        # A server that says euc-kr of everything, as many old ones do.
        (page(KOREAN + " 뷁 ①", "utf-8"), "text/html; charset=us-ascii", ("utf-8", "content")),
        (page(KOREAN, "utf-8"), "text/html", ("utf-8", "content")),
        (page(KOREAN, "utf-8"), "text/html; charset=zip", ("utf-8", "content")),
    ],
)
def test_what_is_believed_in_which_order(
    body: bytes, header: str, expected: tuple[str, str]
) -> None:
    found = detect_charset(body, header)
    assert (found.codec, found.told) == expected


@pytest.mark.parametrize(
    ("text", "codec"),
    [(KOREAN, "cp949"), (JAPANESE, "cp932"), (JAPANESE, "euc_jp"), (RUSSIAN, "cp1251")],
)
def test_an_undeclared_encoding_is_guessed_and_said_to_be(text: str, codec: str) -> None:
    body = page(text * 3, codec)
    found = detect_charset(body, "text/html")
    assert (body.decode(found.codec), found.told) == (body.decode(codec), Told.GUESS)


def test_a_broken_byte_does_not_unmake_a_declaration() -> None:
    body = page(KOREAN, "cp949", "euc-kr").replace(b"</p>", b"\xff</p>")
    assert detect_charset(body, "text/html").codec == "cp949"
