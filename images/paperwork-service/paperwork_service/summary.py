"""Turns a reading into the reply of `process`. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from paperwork_service.classify import UNKNOWN, Classified, classify
from paperwork_service.facts import Facts, find_facts
from paperwork_service.models import (
    AmountOut,
    BusinessNumberOut,
    DateOut,
    FieldsOut,
    ProcessResult,
    TableOut,
)
from paperwork_service.reader import Reading
from paperwork_service.sniff import Kind

_UNSURE_BELOW = 0.5


def summarise(
    document_id: str, kind: Kind, reading: Reading, operations: Sequence[str]
) -> ProcessResult:
    """Only what `operations` ask for is in the reply."""
    facts = find_facts(reading.text, reading.links) if "extract" in operations else None
    found = classify(reading.text) if "classify" in operations else None
    reviews = _review_reasons(reading, facts, found)
    return ProcessResult(
        document_id=document_id,
        operations=list(dict.fromkeys(operations)),
        kind=kind,
        pages=reading.pages,
        text=reading.text if facts else None,
        text_truncated=reading.text_truncated,
        tables=[TableOut(**table) for table in reading.tables] if facts else None,
        tables_truncated=reading.tables_truncated,
        fields=_fields(facts) if facts else None,
        urls=list(facts.urls) if facts else [],
        type=found.type if found else None,
        confidence=found.confidence if found else None,
        reasons=list(found.reasons) if found else [],
        needs_review=bool(reviews),
        review_reasons=reviews,
    )


def _fields(facts: Facts) -> FieldsOut:
    return FieldsOut(
        amounts=[AmountOut(**dataclasses.asdict(amount)) for amount in facts.amounts],
        dates=[DateOut(**dataclasses.asdict(day)) for day in facts.dates],
        business_numbers=[
            BusinessNumberOut(**dataclasses.asdict(number)) for number in facts.business_numbers
        ],
        urls=list(facts.urls),
    )


def _review_reasons(reading: Reading, facts: Facts | None, found: Classified | None) -> list[str]:
    reasons = list(reading.unread)
    if reading.text_truncated:
        reasons.append("the text is longer than is kept; facts after the cut are missing")
    if reading.tables_truncated:
        reasons.append("there are more tables than could be read or kept; some are missing")
    reasons += facts.doubts if facts else ()
    if found is not None and found.type == UNKNOWN:
        reasons.append(f"the type is unknown: {found.reasons[0]}")
    elif found is not None and found.confidence < _UNSURE_BELOW:
        reasons.append(f"the type {found.type} is uncertain")
    return reasons
