"""What a visitor chose, so that a page arrives in the right language and theme at first paint.

Both live in cookies that only the server reads: no script has to run before the page looks right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from controller.i18n import LANGUAGES, pick_language

THEMES = ("auto", "light", "dark")
LANGUAGE_COOKIE = "heal7_lang"
THEME_COOKIE = "heal7_theme"
MAX_AGE_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Preferences:
    """`language` is one of the catalogue's; `theme` is auto (the system's), light or dark."""

    language: str
    theme: str


def of_request(cookies: Mapping[str, str], accept_language: str | None) -> Preferences:
    """A valid choice wins; else the browser's language and the system's theme."""
    language = cookies.get(LANGUAGE_COOKIE, "")
    theme = cookies.get(THEME_COOKIE, "")
    return Preferences(
        language if language in LANGUAGES else pick_language(accept_language),
        theme if theme in THEMES else "auto",
    )


def next_theme(theme: str) -> str:
    """The one button walks through auto, light, dark and back."""
    return THEMES[(THEMES.index(theme) + 1) % len(THEMES)]


def chosen(form: bytes) -> tuple[dict[str, str], str]:
    """Cookies to set and the page to return to, from an url-encoded form.

    Unknown fields and values are dropped, never echoed; `back` is trusted only when it is one of
    our own pages, so that the form cannot be made to redirect elsewhere.
    """
    try:
        fields = parse_qs(form.decode("ascii"), max_num_fields=8)
    except (UnicodeDecodeError, ValueError):
        return {}, PAGES[0]
    cookies = {}
    if (language := fields.get("lang", [""])[0]) in LANGUAGES:
        cookies[LANGUAGE_COOKIE] = language
    if (theme := fields.get("theme", [""])[0]) in THEMES:
        cookies[THEME_COOKIE] = theme
    back = fields.get("back", [""])[0]
    return cookies, back if _OWN.fullmatch(back) else PAGES[0]


PAGES = (
    "/dashboard",
    "/dashboard/services",
    "/dashboard/incidents",
    "/dashboard/alerts",
    "/dashboard/workflows",
    "/dashboard/logs",
    "/dashboard/metrics",
    "/dashboard/admin",
)
# Quoted characters only: nothing that could end a header or name another host.
_WORD = r"[\w.~%+-]+"
_OWN = re.compile(
    rf"{PAGES[0]}|(?:{'|'.join(PAGES[1:])})(?:/{_WORD}){{0,2}}(?:\?{_WORD}={_WORD}(?:&{_WORD}={_WORD}){{0,9}})?",
    re.ASCII,
)
