"""The rules that results and records are examined by: a small set, each one thing only.

A rule about values keeps silent where its field is missing or null; only `required` (and
`complete`) complain of absence, so that one defect is one fault. A rule set is a list of these, in
a request or in `examiner.rulesets`.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from examiner import regexes
from examiner.faults import MISSING, Fault, given, shown
from examiner.saju import chart_faults
from examiner.saju_day import day_faults
from examiner.schema import Schema
from heal7_contract import StrictModel

Record = Mapping[str, Any]
FieldName = Annotated[str, Field(min_length=1, max_length=200)]
FieldNames = Annotated[list[FieldName], Field(min_length=1, max_length=100)]
Scalar = str | int | float | bool

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass(frozen=True, slots=True)
class Placed:
    """A fault and the 0-based record it is in; None when it is in the records as a whole."""

    index: int | None
    fault: Fault


class RuleBase(StrictModel):
    """What every rule can do: look at records (one result is a list of one) and name the faults.

    `check` raises RuleError when the rule cannot be applied to what it meets.
    """

    rule: str

    @property
    def name(self) -> str:
        """The rule's kind, as requests and findings call it."""
        return self.rule

    @abstractmethod
    def check(self, records: Sequence[Record]) -> Iterator[Placed]:
        """The faults of the records, in their order."""


class RecordRule(RuleBase):
    """A rule that looks at each record by itself."""

    def check(self, records: Sequence[Record]) -> Iterator[Placed]:
        for index, record in enumerate(records):
            for fault in self.faults(record):
                yield Placed(index, fault)

    @abstractmethod
    def faults(self, record: Record) -> Iterator[Fault]:
        """The faults of one record."""


class ValueRule(RecordRule):
    """A rule about one field's value."""

    field: FieldName

    def faults(self, record: Record) -> Iterator[Fault]:
        value = given(record, self.field)
        if value is not MISSING and (message := self.wrong(value)) is not None:
            yield Fault(self.field, message, value)

    @abstractmethod
    def wrong(self, value: object) -> str | None:
        """What is wrong with the value, or None."""


class Required(RecordRule):
    """Every field is there, not null and not blank."""

    rule: Literal["required"]
    fields: FieldNames

    def faults(self, record: Record) -> Iterator[Fault]:
        for field in self.fields:
            value = given(record, field)
            if value is MISSING or (isinstance(value, str) and not value.strip()):
                yield Fault(field, "is required")


class Equals(ValueRule):
    """The value is this one (a known answer). `1` and `true` differ; `1` and `1.0` do not."""

    rule: Literal["equals"]
    value: JsonValue

    def wrong(self, value: object) -> str | None:
        return None if _same(value, self.value) else f"must be {shown(self.value)}"


class OneOf(ValueRule):
    """The value is one of these."""

    rule: Literal["one_of"]
    values: Annotated[list[Scalar], Field(min_length=1, max_length=1000)]

    def wrong(self, value: object) -> str | None:
        same = any(_same(value, allowed) for allowed in self.values)
        return None if same else f"must be one of {shown(self.values)}"


class Range(ValueRule):
    """The value is a number from `min` to `max`, both included; either may be left out."""

    rule: Literal["range"]
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _has_bounds(self) -> Self:
        _refuse_bounds(self.min, self.max)
        return self

    def wrong(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "must be a number"
        low = -math.inf if self.min is None else self.min
        high = math.inf if self.max is None else self.max
        # Not `value < low or value > high`: NaN would pass.
        return None if low <= value <= high else f"must lie in {_span(self.min, self.max)}"


class Length(ValueRule):
    """Text or a list has from `min` to `max` characters or items, both included."""

    rule: Literal["length"]
    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _has_bounds(self) -> Self:
        _refuse_bounds(self.min, self.max)
        return self

    def wrong(self, value: object) -> str | None:
        if not isinstance(value, str | list):
            return "must be text or a list"
        long_enough = self.min is None or len(value) >= self.min
        short_enough = self.max is None or len(value) <= self.max
        ok = long_enough and short_enough
        return None if ok else f"has length {len(value)}, not in {_span(self.min, self.max)}"


class Pattern(ValueRule):
    """All of the text matches a regular expression."""

    rule: Literal["pattern"]
    pattern: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(regexes.check)]

    def wrong(self, value: object) -> str | None:
        if not isinstance(value, str):
            return "must be text"
        matches = regexes.fullmatch(self.pattern, value)
        return None if matches else f"does not match {self.pattern}"


class Date(ValueRule):
    """The value is a date that exists, written YYYY-MM-DD."""

    rule: Literal["date"]

    def wrong(self, value: object) -> str | None:
        return None if _is_date(value) else "is no date (YYYY-MM-DD)"


class Time(ValueRule):
    """The value is a time of day from 00:00 to 23:59, written HH:MM."""

    rule: Literal["time"]

    def wrong(self, value: object) -> str | None:
        ok = isinstance(value, str) and _TIME.fullmatch(value)
        return None if ok else "is no time of day (HH:MM, 00:00 to 23:59)"


class Pair(RecordRule):
    """Two fields belong together: `other` is what `pairs` gives for `field`.

    A value that `pairs` does not know is left to `one_of` or `complete`.
    """

    rule: Literal["pair"]
    field: FieldName
    other: FieldName
    pairs: Annotated[dict[str, str], Field(min_length=1, max_length=1000)]

    def faults(self, record: Record) -> Iterator[Fault]:
        value, other = given(record, self.field), given(record, self.other)
        right = self.pairs.get(value) if isinstance(value, str) else None
        if right is not None and other is not MISSING and other != right:
            yield Fault(self.other, f"{value} goes with {right}", other)


class Unique(RuleBase):
    """No two records have the same values in all of `fields`; each repetition is one fault."""

    rule: Literal["unique"]
    fields: FieldNames

    def check(self, records: Sequence[Record]) -> Iterator[Placed]:
        first: dict[str, int] = {}
        for index, record in enumerate(records):
            values = [given(record, field) for field in self.fields]
            if MISSING in values:
                continue
            # repr tells 1 from "1" and takes lists too, which cannot be keys themselves.
            before = first.setdefault(repr(values), index)
            if before != index:
                value = values[0] if len(values) == 1 else values
                message = "repeats an earlier record"
                yield Placed(index, Fault(", ".join(self.fields), message, value))


class Ordered(RuleBase):
    """Values never fall (`strict`: always rise) from each record to the next that has one."""

    rule: Literal["ordered"]
    field: FieldName
    strict: bool = False

    def check(self, records: Sequence[Record]) -> Iterator[Placed]:
        before: Any = MISSING
        for index, record in enumerate(records):
            value: Any = given(record, self.field)
            if value is MISSING:
                continue
            if before is not MISSING and (message := self._wrong(before, value)) is not None:
                yield Placed(index, Fault(self.field, message, value))
            before = value

    def _wrong(self, before: Any, value: Any) -> str | None:
        try:
            falls = value <= before if self.strict else value < before
        except TypeError:
            return f"cannot be ordered after {shown(before)}"
        return f"comes after {shown(before)}" if falls else None


class Complete(RuleBase):
    """Each of `values` occurs in some record; each absent one is a fault of the whole."""

    rule: Literal["complete"]
    field: FieldName
    values: Annotated[list[str], Field(min_length=1, max_length=1000)]

    def check(self, records: Sequence[Record]) -> Iterator[Placed]:
        found = {value for r in records if isinstance(value := given(r, self.field), str)}
        for value in dict.fromkeys(self.values):
            if value not in found:
                yield Placed(None, Fault(self.field, f"{value} is missing", value))


def _checked_schema(schema: dict[str, Any]) -> dict[str, Any]:
    Schema(schema)
    return schema


JsonSchema = Annotated[dict[str, Any], AfterValidator(_checked_schema)]


class SchemaRule(RuleBase):
    """Every record satisfies a JSON Schema (draft 2020-12)."""

    rule: Literal["schema"]
    # `schema` itself is a method of every pydantic model.
    definition: JsonSchema = Field(alias="schema")

    def check(self, records: Sequence[Record]) -> Iterator[Placed]:
        schema = Schema(self.definition)
        for index, record in enumerate(records):
            for fault in schema.faults(record):
                yield Placed(index, fault)


class SajuRule(RecordRule):
    """A four-pillars chart agrees with itself, and with the instant it echoes."""

    rule: Literal["saju"]

    def faults(self, record: Record) -> Iterator[Fault]:
        yield from chart_faults(record)
        yield from day_faults(record)


Rule = Annotated[
    Required
    | Equals
    | OneOf
    | Range
    | Length
    | Pattern
    | Date
    | Time
    | Pair
    | Unique
    | Ordered
    | Complete
    | SchemaRule
    | SajuRule,
    Field(discriminator="rule"),
]


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _same(one: object, other: object) -> bool:
    # Python takes True for 1; JSON does not.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _refuse_bounds(low: float | None, high: float | None) -> None:
    if low is None and high is None:
        raise ValueError("give min, max or both")
    if low is not None and high is not None and low > high:
        raise ValueError(f"min {low:g} is above max {high:g}")


def _span(low: float | None, high: float | None) -> str:
    return f"{'…' if low is None else f'{low:g}'} to {'…' if high is None else f'{high:g}'}"
