"""Reads pages that are pictures, three times over, so that the readings can be compared.

Part of the child process. The text is what Korean and English together read; Korean alone and
English alone look again at the page in another size, and `crosscheck` weighs what they say.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from paperwork_service.limits import Limits
from paperwork_service.picture import calm, other_size, prepare
from paperwork_service.seen import PageSeen
from paperwork_service.tesseract import UnreadableError, read_lines

if TYPE_CHECKING:
    from PIL import Image

TEXT, KOREAN, ENGLISH = "kor+eng", "kor", "eng"
_POOR = 0.6


def recognise(
    pages: Iterable[tuple[int, Image.Image]], limits: Limits
) -> tuple[list[PageSeen], list[str]]:
    """What the pages show, and sentences about those that were not read, or only poorly."""
    started = os.times().elapsed
    seen: list[PageSeen] = []
    unread: list[str] = []
    for number, picture in pages:
        if os.times().elapsed - started >= limits.ocr_seconds:
            unread.append(f"page {number} and those after it were not read: OCR had no time left")
            break
        try:
            page = _look(number, prepare(picture, limits), limits)
        except UnreadableError as why:
            unread.append(f"page {number} could not be read by OCR: {why}")
            continue
        seen.append(page)
        if not page.lines:
            unread.append(f"OCR found no text on page {number}")
        elif page.confidence() < _POOR:
            unread.append(f"OCR is unsure of most words of page {number}")
    return seen, unread


def _look(number: int, picture: Image.Image, limits: Limits) -> PageSeen:
    seconds = limits.ocr_seconds
    calmed = calm(picture)
    lines = read_lines(calmed, TEXT, seconds)
    if not lines:
        return PageSeen(number, [], [], [])
    again = other_size(calmed, limits)
    return PageSeen(
        number, lines, read_lines(again, KOREAN, seconds), read_lines(again, ENGLISH, seconds)
    )
