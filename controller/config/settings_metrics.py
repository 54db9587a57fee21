"""The keys of config.yaml under `metrics`: how often is measured, and how long that is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from controller.config.settings_base import Seconds, Strict, not_boolean

_FIVE_MINUTES = 300
_LEAST, _MOST = 5, 60


class MetricsSettings(Strict):
    """What is measured, and how long that is kept."""

    interval: Seconds = Field(
        10.0,
        description="Time between two samples: from 5s to 60s, and five minutes must be a whole "
        "number of it. Default 10s.",
    )
    keep_raw_days: Annotated[int, BeforeValidator(not_boolean), Field(ge=1, le=14)] = Field(
        2,
        description="How many days every sample is kept; two let the last day be compared with the "
        "one before in full.",
    )
    keep_days: Annotated[int, BeforeValidator(not_boolean), Field(ge=1, le=400)] = Field(
        30, description="How many days are kept in steps of five minutes."
    )

    push_to: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None,
        description="A service that is sent what GET /metrics answers, at every interval, as "
        "PUT /metrics/job/hub; for one that cannot ask the hub itself. Default: nobody.",
    )

    @field_validator("interval")
    @classmethod
    def _divides(cls, value: float) -> float:
        if not _LEAST <= value <= _MOST or value != int(value) or _FIVE_MINUTES % int(value):
            raise ValueError("from 5s to 60s, of which five minutes are a whole number, like 10s")
        return value
