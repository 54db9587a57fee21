"""From what config.yaml says of a step to the requests that do it and undo it."""

from __future__ import annotations

import re
from typing import Any

from controller.config.settings_workflows import (
    AUTO,
    NONE,
    CompensateSettings,
    StepSettings,
)
from controller.config.workflow_expressions import EXPRESSION
from controller.config.workflow_place import Place
from controller.config.workflow_usual import Usual
from controller.model.workflow import Call

_ACTION = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_PATH = re.compile(r"/(?!/)[^\s#\x00-\x1f\x7f]*")
_NO_BODY = ("GET", "HEAD", "DELETE")
_REASON = "run ${{ run.id }} of ${{ run.workflow }} is being undone"


def call_of(said: StepSettings, usual: Usual, place: Place) -> Call:
    """The request that does the step; what is wrong with it is reported."""
    _check_target(said, place)
    given = "input" in said.model_fields_set
    if said.action is not None:
        return _action(said.action, said.input if given else usual.input)
    method = said.method or ("POST" if given and said.input is not None else "GET")
    _check_body(said, method, place)
    body = said.input if given or method in _NO_BODY else usual.input
    return Call(method, said.path or "/", body)


def undo_of(said: StepSettings, step_id: str, place: Place) -> Call | None:
    """The request that undoes the step, if any; what is wrong with it is reported."""
    undo = said.compensate
    if undo is None:
        undo = NONE if said.action is None else AUTO
    if undo is NONE:
        return None
    named: dict[str, Any] = {"idempotency_key": f"${{{{ run.id }}}}:{step_id}", "reason": _REASON}
    if undo is AUTO:
        if said.action is None:
            place.at("compensate").fault(
                "auto is for a step with an action; say the path that undoes this one, or none"
            )
        return Call("POST", f"/actions/{said.action}/compensate", named)
    return _said_undo(undo, named, place.at("compensate"))


def _said_undo(undo: CompensateSettings, named: dict[str, Any], place: Place) -> Call:
    _check_target(undo, place)
    given = "input" in undo.model_fields_set
    if undo.action is not None:
        return _action(undo.action, undo.input if given else named)
    method = undo.method or "POST"
    _check_body(undo, method, place)
    return Call(method, undo.path or "/", undo.input)


def _action(action: str, body: Any) -> Call:
    return Call("POST", f"/actions/{action}", body, action)


def _check_target(said: StepSettings | CompensateSettings, place: Place) -> None:
    if said.action is None and said.path is None:
        place.fault("neither an action nor a path is given")
    elif said.action is not None and said.path is not None:
        place.at("path").fault("both an action and a path are given; keep one of them")
    elif said.action is not None and said.method is not None:
        place.at("method").fault("an action is always asked for by POST; a method is for a path")
    if said.action is not None and not _ACTION.fullmatch(said.action):
        place.at("action").fault(
            f"found {said.action[:80]!r}; an action is of A-Z a-z 0-9 . _ ~ and -, at most 64"
        )
    if said.path is not None and not _PATH.fullmatch(EXPRESSION.sub("x", said.path)):
        place.at("path").fault(
            f"found {said.path[:80]!r}; a path begins with one / and has no spaces and no #"
        )


def _check_body(said: StepSettings | CompensateSettings, method: str, place: Place) -> None:
    if method in ("GET", "HEAD") and said.input is not None:
        place.at("input").fault(f"{method} sends no body; use another method, or the path")
