"""Documents what the framework cannot see: bodies that actions parse themselves, and problems.

Actions validate the raw JSON in strict mode (`"2024-01-01"` is a date in JSON, though not in a
Python dict), so the framework never learns their models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from heal7_contract.models import CompensateReply, CompensateRequest, ProblemBody
from heal7_contract.problem import MEDIA_TYPE

if TYPE_CHECKING:
    from heal7_contract.service import Action

_REF = "#/components/schemas/{model}"
_COMMON = {500: "The service failed; the log holds the cause", 503: "The store cannot be used"}
_BODY = {413: "The body is too large", 422: "The request is not valid"}
_ACTION = {409: "The key was used with another body, is in progress, or was compensated"}


def responses(errors: Mapping[int, str]) -> dict[int, dict[str, Any]]:
    """OpenAPI `responses` of problem+json for the given statuses and those any route may give."""
    merged = {**_COMMON, 413: _BODY[413], **errors}
    # Without this the framework documents its own shape of 422, which is never sent.
    merged.setdefault(422, _BODY[422])
    return {status: _problem(text) for status, text in sorted(merged.items())}


def action_options(action: Action[Any, Any]) -> dict[str, Any]:
    """Options of `add_api_route` for POST /actions/{name}."""
    reply = {
        "type": "object",
        "required": ["id", "status", "result"],
        "properties": {
            "id": {"type": "string"},
            "status": {"const": "completed"},
            "result": _ref(action.result),
        },
    }
    return {
        "summary": f"Run {action.name} once per Idempotency-Key",
        "tags": ["actions"],
        "responses": {
            200: _json(reply, "Done, now or before"),
            **responses({**_BODY, **_ACTION, **action.errors}),
        },
        "openapi_extra": {
            "requestBody": {"required": True, **_content(_ref(action.request))},
            "parameters": [
                _header(
                    "Idempotency-Key",
                    "Same key and body: the same reply; generated if absent",
                    {"minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
                ),
                _header("X-Workflow-Run", "Logged with every line of this request", {}),
                _header("X-Workflow-Step", "Logged with every line of this request", {}),
                _header("traceparent", "W3C trace context", {}),
            ],
        },
    }


def compensate_options(action: Action[Any, Any]) -> dict[str, Any]:
    """Options of `add_api_route` for POST /actions/{name}/compensate."""
    return {
        "summary": f"Undo {action.name}; safe to repeat, and before the action too",
        "tags": ["actions"],
        "responses": {200: _json(_ref(CompensateReply), "Undone"), **responses(_BODY)},
        "openapi_extra": {"requestBody": {"required": True, **_content(_ref(CompensateRequest))}},
    }


def install(app: FastAPI, actions: Iterable[Action[Any, Any]]) -> None:
    """Makes `app.openapi()` include the models that actions name."""
    declared = list(actions)

    def schema() -> dict[str, Any]:
        if not app.openapi_schema:
            document = get_openapi(
                title=app.title, version=app.version, routes=app.routes, openapi_version="3.1.0"
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name, definition in _definitions(declared).items():
                schemas.setdefault(name, definition)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]


def _definitions(actions: list[Action[Any, Any]]) -> dict[str, Any]:
    requests: set[type[BaseModel]] = {CompensateRequest, *(action.request for action in actions)}
    results: set[type[BaseModel]] = {
        CompensateReply,
        ProblemBody,
        *(action.result for action in actions),
    }
    models: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        *((model, "validation") for model in requests),
        *((model, "serialization") for model in results),
    ]
    _, document = models_json_schema(models, ref_template=_REF)
    definitions: dict[str, Any] = document.get("$defs", {})
    return definitions


def _ref(model: type[Any]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _content(schema: Mapping[str, Any], media: str = "application/json") -> dict[str, Any]:
    return {"content": {media: {"schema": dict(schema)}}}


def _json(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {"description": text, **_content(schema)}


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, **_content(_ref(ProblemBody), MEDIA_TYPE)}


def _header(name: str, text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": text,
        "schema": {"type": "string", **schema},
    }
