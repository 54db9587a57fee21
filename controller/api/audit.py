"""`/audit`: who asked the hub for what, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from controller.api.answers import PROBLEMS, Described, json_response, language_of
from controller.clock import rfc3339
from controller.errors import QuestionError
from controller.i18n import sentence_of
from controller.model.hub_state import AuditLine

_ASKED: Described = {
    422: PROBLEMS[422],
    503: PROBLEMS[503] | {"description": "The store cannot be read"},
}
_MAX_DIGITS = 18


class AuditPort(Protocol):
    """Who asked for what, newest first; `before` is the id of a line. Raises StoreError."""

    async def audit(self, limit: int, before: int | None) -> Sequence[AuditLine]: ...


class AuditEntry(BaseModel):
    """One request of a person, or an act of the hub's own healing."""

    id: int
    at: str
    who: str = Field(description="Where it came from, and with what program.")
    action: str
    targets: list[str] = Field(description="Services; empty where it is about the hub.")
    cause: str = Field(description="A sentence in the language asked for.")
    operation: str | None


class AuditPage(BaseModel):
    entries: list[AuditEntry] = Field(description="Newest first; the last 10,000 are kept.")
    next: str | None = Field(description="Cursor of what follows; null at the end.")


def router(port: AuditPort) -> APIRouter:
    routes = APIRouter(tags=["hub"])

    @routes.get(
        "/audit",
        response_model=AuditPage,
        responses=_ASKED,
        summary="Who asked for what, newest first",
    )
    async def audit(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=500, description="At most this many.")] = 50,
        cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    ) -> Response:
        # One more than is told says whether there are more.
        lines = await port.audit(limit + 1, _place(cursor))
        shown, language = lines[:limit], language_of(request)
        return json_response(
            {
                "entries": [_entry(line, language) for line in shown],
                "next": str(shown[-1].id) if len(lines) > limit else None,
            }
        )

    return routes


def _entry(line: AuditLine, language: str) -> dict[str, object]:
    return {
        "id": line.id,
        "at": rfc3339(line.at),
        "who": line.who,
        "action": line.action,
        "targets": list(line.targets),
        "cause": sentence_of(line.cause, language),
        "operation": line.operation,
    }


def _place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _MAX_DIGITS):
        raise QuestionError(
            f"The cursor {cursor[:40]!r} is none of ours.",
            remedy="Leave it out, or take `next` of an answer.",
        )
    return int(cursor)
