"""The keys of config.yaml under `logs`: how much of what services write is kept."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from controller.config.compose.units import parse_bytes
from controller.config.settings_base import Pattern, Strict, not_boolean

_MIB = 1 << 20


def _size(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("a size is a number of bytes, or text like 512m or 2g")
    return parse_bytes(value)


Size = Annotated[int, BeforeValidator(_size, json_schema_input_type=int | str)]


class LogsSettings(Strict):
    """What is kept of what services write."""

    keep_days: Annotated[int, BeforeValidator(not_boolean), Field(ge=1, le=3650)] = Field(
        7, description="How many days log entries are kept."
    )
    max_size: Annotated[Size, Field(ge=16 * _MIB, le=1 << 50)] = Field(
        2 << 30,
        description="How much disk they may take, such as 512m or 2g; the oldest go first. "
        "Default 2g.",
    )
    rate: Annotated[Size, Field(ge=65_536, le=1 << 30)] = Field(
        3 * _MIB // 2,
        description="Bytes a second that are read of one container in the long run; one that "
        "writes more is read more slowly, and skipped over where it is too far ahead, which its "
        "log then says. Default 1.5m.",
    )
    mask: list[Pattern] = Field(
        default_factory=list,
        description="Regular expressions of what must never be kept, beside the secrets that are "
        "known by name ($$ stands for $).",
        max_length=50,
    )
