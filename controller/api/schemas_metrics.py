"""The shapes of the API's answers about measurements, for OpenAPI and for people who write clients.

Points have no times of their own: the first begins at `since`, each lasts `step_s`. A null is a
point in which nothing was seen.
"""

from __future__ import annotations

from pydantic import BaseModel, Field


class Earlier(BaseModel):
    """The same of an earlier window."""

    since: str
    values: list[float | None]
    whole: float | None


class Series(BaseModel):
    """One metric over the window."""

    metric: str
    unit: str = Field(description="percent (100 is one core), bytes, bytes_per_s, ms, count, ratio")
    values: list[float | None]
    low: list[float | None] = Field(description="The least within each point; of gauges only.")
    high: list[float | None] = Field(description="The most within each point; of gauges only.")
    whole: float | None = Field(
        description="What the whole window comes to: mean, sum, share or quantile."
    )
    earlier: Earlier | None
    change: float | None = Field(
        description="Relative change of `whole` against the earlier window; 0.1 is 10 % more. null "
        "where less than four fifths of what is known now is known of then."
    )


class MetricHistory(BaseModel):
    scope: str = Field(description="service, workflow or hub")
    name: str
    since: str
    until: str
    step_s: int
    series: list[Series]
    problem: str | None = Field(description="Why nothing is written now.")


class Figure(BaseModel):
    """One metric: its newest sample, and what the window comes to."""

    unit: str
    now: float | None
    whole: float | None
    change: float | None = Field(description="Against the same window a day before.")
    points: list[float | None] = Field(description="The window in about thirty points.")


class Available(BaseModel):
    share: float | None = Field(
        description="Healthy share of the time it should have been; null where that is none."
    )
    expected_s: float = Field(description="Time it should have been healthy, as far as seen.")


class Measured(BaseModel):
    name: str
    health: str | None = Field(description="Of services only.")
    metrics: dict[str, Figure]
    availability: dict[str, Available] = Field(description="By 24h, 7d and 30d; of services only.")
    trend: str | None = Field(description="A sentence, only where it is statistically sound.")


class MetricSummary(BaseModel):
    since: str
    until: str
    interval_s: int
    services: list[Measured]
    workflows: list[Measured]
    hub: Measured
    size_bytes: int | None = Field(description="What is kept takes on the disk.")
    problem: str | None = Field(description="Why nothing is written now.")
