"""Turns what cleaning was asked and did from and into the wire's form. Pure."""

from __future__ import annotations

from collections import Counter

from crawling_service.clean_models import (
    ChangeOut,
    CleanRequest,
    CleanResult,
    Counts,
    RecordIn,
    RemovedOut,
    UnreadableOut,
)
from crawling_service.cleaning import Cleaned, Item, Removed, clean_items
from crawling_service.models import CrawlResult, RecordOut
from crawling_service.normalise import Wishes

LISTED = 5_000
_SHOWN_CHARS = 500


def clean_result(clean_id: str, asked: CleanRequest, given: list[RecordIn]) -> CleanResult:
    """`given` are the records that `asked` means."""
    rules, doubles = asked.normalise, asked.deduplicate
    items = [Item(r.source if doubles.within == "source" else "", r.fields) for r in given]
    wishes = Wishes(
        rules.unicode, rules.whitespace, frozenset(rules.dates), frozenset(rules.numbers)
    )
    done = clean_items(items, wishes, doubles.mode, doubles.threshold, doubles.keys)
    lists = (done.changed, done.removed, done.unreadable)
    return CleanResult(
        clean_id=clean_id,
        records=[_record(given[index], done.items[index]) for index in done.kept],
        counts=_counts(done),
        changes=[
            ChangeOut(
                record=one.index,
                field=one.field,
                rule=one.change.rule,
                before=one.change.before[:_SHOWN_CHARS],
                after=one.change.after[:_SHOWN_CHARS],
            )
            for one in done.changed[:LISTED]
        ],
        removed=[_removed(one) for one in sorted(done.removed, key=lambda r: r.index)[:LISTED]],
        unreadable=[
            UnreadableOut(
                record=one.index, field=one.field, wanted=one.kind, value=one.value[:_SHOWN_CHARS]
            )
            for one in done.unreadable[:LISTED]
        ],
        truncated=any(len(one) > LISTED for one in lists),
    )


def records_of(crawl: CrawlResult, what: str) -> list[RecordIn]:
    """The rows of a crawl's tables, or its pages as records of title and text."""
    if what == "pages":
        return [
            RecordIn(source=page.final_url, fields={"title": page.title, "text": page.text or ""})
            for page in crawl.pages
        ]
    return [
        RecordIn(source=one.source, table=one.table, row=one.row, fields=one.fields)
        for one in crawl.records
    ]


def _record(given: RecordIn, item: Item) -> RecordOut:
    return RecordOut(
        source=given.source, table=given.table, row=given.row, fields=dict(item.fields)
    )


def _counts(done: Cleaned) -> Counts:
    kinds = Counter(one.kind for one in done.removed)
    return Counts(
        given=len(done.items),
        kept=len(done.kept),
        changed=len({(one.index, one.field) for one in done.changed}),
        exact=kinds["exact"],
        near=kinds["near"],
        empty=kinds["empty"],
        unreadable=len(done.unreadable),
    )


def _removed(one: Removed) -> RemovedOut:
    why = {
        "exact": f"the same as record {one.of}",
        "near": f"{one.similarity:.0%} the same as record {one.of}, with the same digits",
        "empty": "no field holds anything",
    }[one.kind]
    return RemovedOut(
        record=one.index,
        kind=one.kind,
        duplicate_of=None if one.kind == "empty" else one.of,
        similarity=round(one.similarity, 4),
        why=why,
    )
