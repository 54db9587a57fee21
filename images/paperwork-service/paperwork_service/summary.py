"""Turns a reading into the reply of `process`. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from paperwork_service.classify import UNKNOWN, Classified, classify
from paperwork_service.crosscheck import Lines, SeenLine, confirm, source_of
from paperwork_service.facts import SUPPLY, TAX, TOTAL, Facts, Place, find_facts, role
from paperwork_service.models import (
    AmountOut,
    BusinessNumberOut,
    DateOut,
    FieldsOut,
    ProcessResult,
    SourceOut,
    TableOut,
    UrlOut,
)
from paperwork_service.reading import Reading
from paperwork_service.seen import Line, PageSeen, Word
from paperwork_service.sniff import Kind

_UNSURE_BELOW = 0.5
_MOST_REASONS = 20


def summarise(
    document_id: str, kind: Kind, reading: Reading, operations: Sequence[str]
) -> ProcessResult:
    """Only what `operations` ask for is in the reply."""
    lines = _seen_lines(reading)
    wanted = "extract" in operations or "ocr" in operations
    facts = confirm(find_facts(reading.text, reading.links), lines) if wanted else None
    found = classify(reading.text) if "classify" in operations else None
    reviews = _review_reasons(reading, facts, found)
    return ProcessResult(
        document_id=document_id,
        operations=list(dict.fromkeys(operations)),
        kind=kind,
        pages=reading.pages,
        ocr_pages=[seen["page"] for seen in reading.seen],
        text=reading.text if facts else None,
        text_truncated=reading.text_truncated,
        tables=[TableOut(**table) for table in reading.tables] if facts else None,
        tables_truncated=reading.tables_truncated,
        fields=_fields(facts, lines, reading) if facts else None,
        urls=[url.value for url in facts.urls if url.value is not None] if facts else [],
        type=found.type if found else None,
        confidence=found.confidence if found else None,
        reasons=list(found.reasons) if found else [],
        needs_review=bool(reviews),
        review_reasons=reviews,
    )


def _seen_lines(reading: Reading) -> Lines:
    """The lines of the text that OCR read, by their number."""
    found: Lines = {}
    for seen in reading.seen:
        looks = (_lines(seen[name]) for name in ("lines", "korean", "english"))
        page = PageSeen(seen["page"], *looks)
        for offset, words in enumerate(page.lines):
            found[seen["first_line"] + offset] = SeenLine(page, words)
    return found


def _lines(stored: list[list[dict[str, Any]]]) -> list[Line]:
    return [[Word(**word) for word in line] for line in stored]


def _fields(facts: Facts, lines: Lines, reading: Reading) -> FieldsOut:
    def told(fact: Any) -> dict[str, Any]:
        members = dataclasses.asdict(fact)
        place: Place = fact.place
        del members["place"]
        known = place.line is not None and place.line < len(reading.line_pages)
        page = reading.line_pages[place.line] if known and place.line is not None else None
        source = source_of(place, lines, page)
        return {**members, "source": SourceOut(**dataclasses.asdict(source))}

    return FieldsOut(
        amounts=[AmountOut(**told(amount)) for amount in facts.amounts],
        dates=[DateOut(**told(day)) for day in facts.dates],
        business_numbers=[BusinessNumberOut(**told(number)) for number in facts.business_numbers],
        urls=[UrlOut(**told(url)) for url in facts.urls],
    )


def _review_reasons(reading: Reading, facts: Facts | None, found: Classified | None) -> list[str]:
    reasons = list(reading.unread)
    if reading.text_truncated:
        reasons.append("the text is longer than is kept; facts after the cut are missing")
    if reading.tables_truncated:
        reasons.append("there are more tables than could be read or kept; some are missing")
    reasons += facts.doubts if facts else ()
    if facts and found and reading.seen and found.type == "invoice":
        known = {role(amount) for amount in facts.amounts}
        missing = [name for name in (SUPPLY, TAX, TOTAL) if name not in known]
        missing += [] if facts.dates else ["a date"]
        if missing:
            reasons.append(f"an invoice states {', '.join(missing)}; OCR did not find it")
    if found is not None and found.type == UNKNOWN:
        reasons.append(f"the type is unknown: {found.reasons[0]}")
    elif found is not None and found.confidence < _UNSURE_BELOW:
        reasons.append(f"the type {found.type} is uncertain")
    more = len(reasons) - _MOST_REASONS
    return reasons if more <= 0 else [*reasons[:_MOST_REASONS], f"and {more} more like these"]
