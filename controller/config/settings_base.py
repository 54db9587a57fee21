"""What all keys of config.yaml are made of: strict models, durations and counts.

YAML gives numbers, booleans and text; these kinds say at the key which of them makes sense.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from controller.config.managed import check_match, parse_grace, parse_seconds


def not_boolean(value: Any) -> Any:
    """Refuses true and false where a number is asked for: Python takes them for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number is asked for, not true or false")
    return value


def _duration(value: Any) -> str | int | float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("a duration is a number of seconds, or text like 2s or 500ms")
    return value


def _seconds(value: Any) -> float:
    return parse_seconds(_duration(value))


def _grace(value: Any) -> float:
    return parse_grace(_duration(value))


Seconds = Annotated[float, BeforeValidator(_seconds)]
Grace = Annotated[float, BeforeValidator(_grace)]
Pattern = Annotated[str, AfterValidator(check_match)]
PortNumber = Annotated[int, BeforeValidator(not_boolean), Field(ge=1, le=65535)]
Count = Annotated[int, BeforeValidator(not_boolean), Field(ge=1, le=1000)]
FewTimes = Annotated[int, BeforeValidator(not_boolean), Field(ge=1, le=100)]


class Strict(BaseModel):
    """Refuses unknown keys, so that a typing error never silently means "default"."""

    model_config = ConfigDict(extra="forbid", frozen=True)
