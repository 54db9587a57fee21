"""What a retried run need not do again; pure."""

from __future__ import annotations

from typing import Any

from controller.model.run import Run, StepStatus, UndoStatus
from controller.model.workflow import Definition


def reusable(run: Run, old: Definition, new: Definition) -> dict[str, Any]:
    """Outputs of steps that need not be done again: done, not undone, meant as before, and resting
    on nothing that is done again."""
    kept: dict[str, Any] = {}
    for step in new.steps:
        state = run.steps.get(step.id)
        done = state is not None and state.status is StepStatus.SUCCEEDED
        if not done or step != old.by_id.get(step.id):
            continue
        assert state is not None
        if state.undo.status is UndoStatus.NONE:
            kept[step.id] = state.output
    changed = True
    while changed:
        before = len(kept)
        kept = {
            name: output
            for name, output in kept.items()
            if all(n in kept or _skipped(run, n) for n in new.by_id[name].needs)
        }
        changed = len(kept) != before
    return kept


def _skipped(run: Run, step: str) -> bool:
    state = run.steps.get(step)
    return state is not None and state.status is StepStatus.SKIPPED
