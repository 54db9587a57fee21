"""Reads pages that are pictures, three times over, so that the readings can be compared.

Part of the child process. The text is what Korean and English together read; Korean alone and
English alone look again at the page in another size, and `crosscheck` weighs what they say.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from paperwork_service.limits import Limits
from paperwork_service.picture import calm, other_size, prepare
from paperwork_service.seen import Line, PageSeen
from paperwork_service.tesseract import UnreadableError, read_lines

if TYPE_CHECKING:
    from PIL import Image

TEXT, KOREAN, ENGLISH = "kor+eng", "kor", "eng"
Left = Callable[[], float]
"""Seconds until the page in hand is given up."""

_POOR = 0.6
_SIDES = (0, 180, 90, 270)


def recognise(
    pages: Iterable[tuple[int, Image.Image]], limits: Limits
) -> tuple[list[PageSeen], list[str]]:
    """What the pages show, and sentences about those that were not read, or only poorly."""
    started = os.times().elapsed

    def left() -> float:
        return limits.ocr_last_seconds - (os.times().elapsed - started)

    seen: list[PageSeen] = []
    unread: list[str] = []
    for number, picture in pages:
        if os.times().elapsed - started >= limits.ocr_seconds:
            unread.append(f"page {number} and those after it were not read: OCR had no time left")
            break
        try:
            page = _look(number, prepare(picture, limits), limits, left)
        except UnreadableError as why:
            unread.append(f"page {number} could not be read by OCR: {why}")
            continue
        seen.append(page)
        if not page.lines:
            unread.append(f"OCR found no text on page {number}")
        elif page.confidence() < _POOR:
            unread.append(f"OCR is unsure of most words of page {number}")
    return seen, unread


def _look(number: int, picture: Image.Image, limits: Limits, left: Left) -> PageSeen:
    upright, lines = _upright(number, picture, left)
    if not lines:
        return PageSeen(number, [], [], [])
    again = other_size(upright, limits)
    korean, english = (read_lines(again, language, left()) for language in (KOREAN, ENGLISH))
    return PageSeen(number, lines, korean, english)


def _upright(number: int, picture: Image.Image, left: Left) -> tuple[Image.Image, list[Line]]:
    """The page without specks and its first reading; turned where it was scanned on its side."""
    best, lines, sure = picture, list[Line](), 0.0
    for angle in _SIDES:
        turned = calm(picture.rotate(angle, expand=True) if angle else picture)
        found = read_lines(turned, TEXT, left())
        confidence = PageSeen(number, found, [], []).confidence()
        if angle == 0 or confidence > sure:
            best, lines, sure = turned, found, confidence
        if not found or sure >= _POOR:
            break
    return best, lines
