"""Every refusal and failure of a service, as one exception that becomes problem+json.

A person reads `detail` and `remedy`; a program reads `code`, which never changes for one cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - named by RFC 9457
    """Raise it anywhere in a request. `extra` adds members to the body, such as `errors`.

    `code` is snake_case; the problem's `type` is derived from it.
    """

    def __init__(
        self,
        status: int,
        *,
        code: str,
        title: str,
        detail: str,
        remedy: str,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ):
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.remedy = remedy
        self.headers = dict(headers or {})
        self.extra = extra

    def body(self, instance: str) -> dict[str, Any]:
        """The RFC 9457 members; `instance` is the path that was asked for."""
        return {
            "type": f"urn:heal7:problem:{self.code.replace('_', '-')}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "remedy": self.remedy,
            "instance": instance,
            **self.extra,
        }


def invalid_body(faults: list[dict[str, str]]) -> Problem:
    """422 that names every wrong field; `faults` are `{field, message, kind}`."""
    first = faults[0] if faults else {"field": "body", "message": "is not valid"}
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Problem(
        422,
        code="invalid_input",
        title="The request is not valid",
        detail=f"{first['field']}: {first['message']}{more}",
        remedy="Correct the fields named in `errors`; /openapi.json holds the schema.",
        errors=faults,
    )


def not_found(path: str) -> Problem:
    """404 for a path the service does not have."""
    return Problem(
        404,
        code="not_found",
        title="Not found",
        detail=f"There is nothing at {path}.",
        remedy="GET /openapi.json lists every path of this service.",
    )


def too_large(limit_bytes: int) -> Problem:
    """413 for a body above the service's limit."""
    return Problem(
        413,
        code="body_too_large",
        title="The request body is too large",
        detail=f"The body exceeds {limit_bytes} bytes.",
        remedy="Send a smaller body, or split the work over several requests.",
        headers={"Connection": "close"},
        limit_bytes=limit_bytes,
    )


def internal() -> Problem:
    """500: a defect of the service. What went wrong is in the log, never in the reply."""
    return Problem(
        500,
        code="internal_error",
        title="The service failed",
        detail="An unexpected error stopped this request.",
        remedy="Try again with the same Idempotency-Key; the service's log holds the cause.",
    )


def store_unavailable(cause: str) -> Problem:
    """503: SQLite cannot be read or written now (disk full, volume missing, file locked)."""
    return Problem(
        503,
        code="store_unavailable",
        title="The store cannot be used",
        detail=f"SQLite answered: {cause}",
        remedy="Check that the data volume is mounted, writable by the service and not full.",
        headers={"Retry-After": "2"},
    )
