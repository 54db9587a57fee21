"""From the `workflows` of config.yaml to checked definitions.

A run may begin at night, with nobody there. So everything that can be known before is judged here,
all of it at once: names, order, calls, expressions, schemas and schedules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.config.node import Report
from controller.config.settings_reader import SettingsFile
from controller.config.settings_workflows import (
    ConcurrencySettings,
    DescriptionSettings,
    RetrySettings,
    StepSettings,
    WorkflowSettings,
)
from controller.config.workflow_calls import call_of, undo_of
from controller.config.workflow_checks import check_cron, check_runs_by_itself, check_schema
from controller.config.workflow_expressions import Scope, check_condition, check_values
from controller.config.workflow_graph import Upstream, arrange
from controller.config.workflow_place import Place
from controller.config.workflow_usual import RUN_INPUT, Usual, usual
from controller.model.workflow import Concurrency, Definition, OnLimit, Retry, Step
from controller.model.workflow_json import hashed

MAX_STEPS = 1_000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME_RULE = "a name is of A-Z a-z 0-9 _ and -, at most 64"
# In the API /workflows/runs is the list of all runs.
_TAKEN = ("runs",)
_TIMEOUT_S = 3600.0
_STEP_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Services:
    """What the compose files declare: each service with whether it is managed, and those in a
    profile that is not enabled."""

    managed: Mapping[str, bool]
    disabled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Draft:
    """A workflow while it is judged. `ids` are in the order of `steps`."""

    steps: Sequence[StepSettings]
    ids: Sequence[str]
    needs: Mapping[str, tuple[str, ...]]
    upstream: Upstream
    services: Services
    place: Place

    def scope(self, step: str, *, undo: bool = False) -> Scope:
        """What the expressions of a step can name. Where its needs are wrong, anything: nobody
        knows yet what comes before it."""
        unsure = any(needed not in self.needs for needed in self.needs[step])
        return Scope(
            self.needs,
            lambda other: unsure or (undo and other == step) or self.upstream.has(step, other),
            undo,
        )

    def nearest(self, step: str, service: str) -> str | None:
        """The last step of a service that comes before a step."""
        for other, said in zip(reversed(self.ids), reversed(self.steps), strict=True):
            if said.service == service and other != step and self.upstream.has(step, other):
                return other
        return None


def read_workflows(
    found: SettingsFile, services: Services, report: Report
) -> dict[str, Definition]:
    """The definitions by name, in the order of the file; they count only if no fault was
    reported."""
    place = Place(found.tree, report).at("workflows")
    return {
        name: _definition(name, said, services, place.at(name))
        for name, said in found.settings.workflows.items()
    }


def _definition(name: str, said: WorkflowSettings, services: Services, place: Place) -> Definition:
    _check_head(name, said, place)
    steps = said.steps[:MAX_STEPS]
    ids = _ids(steps, place)
    needs = _needs(steps, ids)
    upstream = _arranged(needs, steps, ids, place)
    draft = _Draft(steps, ids, needs, upstream, services, place)
    definition = Definition(
        name=name,
        steps=tuple(_step(draft, at) for at in range(len(steps))),
        hash="",
        description=_description(said.description),
        timeout_s=said.timeout or _TIMEOUT_S,
        output=said.output,
        input_schema=said.input_schema,
        schedule=said.schedule,
        concurrency=_concurrency(said.concurrency),
    )
    check_values(place.at("output"), Scope(needs, lambda _: True))
    # Something faulty may have no JSON to take a hash of.
    return definition if place.report.faults else hashed(definition)


def _check_head(name: str, said: WorkflowSettings, place: Place) -> None:
    if not _NAME.fullmatch(name):
        place.fault(f"found {name[:80]!r}; {_NAME_RULE}")
    elif name in _TAKEN:
        place.fault(f"a workflow cannot be called {name}, which the API needs for all runs")
    if len(said.steps) > MAX_STEPS:
        place.at("steps").fault(f"found {len(said.steps)} steps, {MAX_STEPS:,} are allowed")
    if said.schedule is not None:
        check_cron(place.at("schedule"), said.schedule)
    schema = said.input_schema
    is_sound = schema is not None and check_schema(place.at("input_schema"), schema)
    if schema is not None and is_sound and said.schedule is not None:
        check_runs_by_itself(place.at("schedule"), schema)


def _ids(steps: Sequence[StepSettings], place: Place) -> list[str]:
    taken: dict[str, int] = {}
    for at, step in enumerate(steps):
        if step.id is None:
            continue
        where = place.at("steps", at, "id")
        if not _NAME.fullmatch(step.id):
            where.fault(f"found {step.id[:80]!r}; {_NAME_RULE}")
        if step.id in taken:
            where.fault(f"{step.id!r} is the id of steps[{taken[step.id]}] too")
        taken.setdefault(step.id, at)
    count: Counter[str] = Counter()
    return [step.id or _free_id(step.service, count, taken) for step in steps]


def _free_id(service: str, count: Counter[str], taken: Mapping[str, int]) -> str:
    base = re.sub(r"[^A-Za-z0-9_-]", "_", service)[:58]
    while True:
        count[base] += 1
        found = base if count[base] == 1 else f"{base}-{count[base]}"
        if found not in taken:
            return found


def _needs(steps: Sequence[StepSettings], ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What each step waits for: what it says, or the step above where no step says anything."""
    is_graph = any(step.needs is not None for step in steps)
    needs: dict[str, tuple[str, ...]] = {}
    for at, (step, step_id) in enumerate(zip(steps, ids, strict=True)):
        above = tuple(ids[at - 1 : at]) if at else ()
        named = tuple(dict.fromkeys(step.needs or ())) if is_graph else above
        needs.setdefault(step_id, named)
    return needs


def _arranged(
    needs: Mapping[str, tuple[str, ...]],
    steps: Sequence[StepSettings],
    ids: Sequence[str],
    place: Place,
) -> Upstream:
    """What comes before what; unknown needs and cycles are reported."""
    for at, step in enumerate(steps):
        for which, needed in enumerate(step.needs or ()):
            if needed not in needs:
                place.at("steps", at, "needs", which).fault(
                    f"there is no step {needed!r}", word=needed, known=needs
                )
    upstream, cycles = arrange(needs)
    for cycle in cycles:
        place.at("steps", ids.index(cycle[0]), "needs").fault(
            f"a cycle, in which each step waits for the next: {' → '.join(cycle)}"
        )
    return upstream


def _step(draft: _Draft, at: int) -> Step:
    said, step_id = draft.steps[at], draft.ids[at]
    place = draft.place.at("steps", at)
    _check_service(said.service, draft.services, place.at("service"))
    sent = _usual(draft, said, step_id)
    call = call_of(said, sent, place)
    scope = draft.scope(step_id)
    check_values(place.at("input"), scope)
    check_values(place.at("path"), scope)
    check_values(place.at("compensate"), draft.scope(step_id, undo=True))
    if said.when is not None:
        check_condition(place.at("when"), said.when, scope)
    return Step(
        id=step_id,
        service=said.service,
        call=call,
        needs=draft.needs[step_id],
        when=said.when if said.when is not None else sent.when,
        retry=_retry(said.retry, place.at("retry")),
        timeout_s=said.timeout or _STEP_TIMEOUT_S,
        undo=undo_of(said, step_id, place),
        start=bool(said.start),
    )


def _usual(draft: _Draft, said: StepSettings, step_id: str) -> Usual:
    if said.action is None or "input" in said.model_fields_set:
        return RUN_INPUT
    follows = bool(draft.needs[step_id])
    return usual(
        said.service, said.action, follows, lambda service: draft.nearest(step_id, service)
    )


def _check_service(name: str, services: Services, place: Place) -> None:
    if name in services.disabled:
        place.fault(f"{name!r} is in a profile that is not enabled")
    elif name not in services.managed:
        place.fault(f"{name!r} is not in the compose files", word=name, known=services.managed)
    elif not services.managed[name]:
        place.warn(f"{name} is not managed, so that the hub neither watches nor heals it for a run")


def _retry(said: RetrySettings | None, place: Place) -> Retry:
    base = Retry()
    if said is None:
        return base
    backoff = said.backoff or base.backoff_s
    longest = said.max_backoff or max(backoff, base.max_backoff_s)
    if longest < backoff:
        place.at("max_backoff").fault(f"{longest:g}s is less than the backoff of {backoff:g}s")
    return Retry(said.attempts or base.attempts, backoff, longest)


def _description(said: DescriptionSettings | None) -> dict[str, str]:
    if said is None:
        return {}
    texts = {"ko": said.ko or said.en, "en": said.en or said.ko}
    return {language: text for language, text in texts.items() if text}


def _concurrency(said: ConcurrencySettings | None) -> Concurrency | None:
    if said is None:
        return None
    return Concurrency(said.limit, said.on_limit or OnLimit.QUEUE)
