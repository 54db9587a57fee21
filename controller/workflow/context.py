"""What expressions of a definition can see: the run's input, the run, and the steps before.

A step sees only the steps that it comes after. Whatever else finishes meanwhile would make a
repeated request differ from the first, and its service would refuse the key.
"""

from __future__ import annotations

from typing import Any

from controller.model.expression import may_name
from controller.model.run import Run, StepRun
from controller.model.workflow import Definition, Step


def context_of(
    run: Run, definition: Definition, step: Step | None, *, undo: bool = False
) -> dict[str, Any]:
    """What `step` sees; all of the run for None. An undo also sees its own step, and why the run
    turned back."""
    context: dict[str, Any] = {
        "input": run.input,
        "run": {"id": run.id, "workflow": run.workflow, "trace_id": run.trace_id},
        "steps": _steps(run, definition, step, undo=undo),
    }
    if undo and run.error is not None:
        context["error"] = run.error.to_json()
    return context


def upstream(definition: Definition, step: Step) -> tuple[str, ...]:
    """Ids of every step that must be over before `step` begins, in the order of the definition."""
    found: set[str] = set()
    waiting = list(step.needs)
    while waiting:
        needed = waiting.pop()
        if needed not in found:
            found.add(needed)
            waiting.extend(definition.by_id[needed].needs)
    return tuple(other.id for other in definition.steps if other.id in found)


def _steps(run: Run, definition: Definition, step: Step | None, *, undo: bool) -> dict[str, Any]:
    """Plain data, since an expression may hand all of it on; what nobody asks for is not made."""
    if step is None:
        ids = tuple(run.steps) if may_name(definition.output, "steps") else ()
    elif step.id not in (definition.undo_seeing if undo else definition.seeing):
        ids = ()
    else:
        ids = upstream(definition, step)
        ids = (*ids, step.id) if undo else ids
    return {name: _facts(run.steps[name]) for name in ids}


def _facts(step: StepRun) -> dict[str, Any]:
    # A plain text: JMESPath's functions know no other.
    status, timing = step.status.value, None
    if step.latency_ms is not None and not step.reused:
        timing = {"service": step.service, "latency_ms": step.latency_ms, "status": status}
    return {
        "status": status,
        "service": step.service,
        "output": step.output,
        "timing": timing,
        "attempts": step.attempts,
        "error": step.error.to_json() if step.error else None,
    }
