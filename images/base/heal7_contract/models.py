"""The pydantic base every request and result uses: nothing is coerced and nothing is ignored."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class StrictModel(BaseModel):
    """`"5"` is not 5, an unknown field is an error, NaN and infinity are not numbers."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class CompensateRequest(StrictModel):
    """Names what to undo by the action's id, by its idempotency key, or by both."""

    id: str | None = Field(default=None, min_length=1, max_length=255)
    idempotency_key: str | None = Field(default=None, min_length=1, max_length=255)
    reason: str = Field(min_length=1, max_length=2000)


class CompensateReply(StrictModel):
    """`already_compensated` means that an earlier call did it; both are success."""

    id: str
    status: Literal["compensated", "already_compensated"]


class HealthReply(StrictModel):
    status: Literal["healthy"] = "healthy"
    service: str
    version: str


class ReadyReply(StrictModel):
    """`checks` maps each check to `ok` or to one sentence saying what is wrong."""

    ready: bool
    checks: dict[str, str]


class FieldFault(StrictModel):
    """`field` is a dotted path such as `body.longitude`."""

    field: str
    message: str
    kind: str


class ProblemBody(StrictModel):
    """RFC 9457, plus a stable `code` for programs and a `remedy` for people."""

    model_config = ConfigDict(
        strict=True, extra="allow", frozen=True, json_schema_extra={"title": "Problem"}
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    instance: str
    errors: list[FieldFault] | None = None

    def content(self) -> dict[str, Any]:
        """The members that are set, ready for JSON."""
        return self.model_dump(mode="json", exclude_none=True)
