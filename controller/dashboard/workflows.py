"""Workflows to page: what each does, how its runs ended lately, and how a run is begun.

What a status means to a person (its mood, drawing and word) is settled here, for lists and for the
page of one run alike. Pure: `now` and the language are parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from controller.dashboard import dag, wording
from controller.dashboard.incidents import Badge
from controller.dashboard.marks import Mark, Tone
from controller.dashboard.present import Headline
from controller.i18n import DEFAULT, render, word
from controller.model.run import Run, RunLine, RunStatus
from controller.model.text import Text
from controller.model.workflow import Call, Definition, Step

_LOOK: Mapping[RunStatus, tuple[Tone, str]] = {
    RunStatus.PENDING: (Tone.IDLE, "wait"),
    RunStatus.RUNNING: (Tone.BUSY, "busy"),
    RunStatus.WAITING: (Tone.WARN, "held"),
    RunStatus.COMPENSATING: (Tone.BUSY, "undo"),
    RunStatus.SUCCEEDED: (Tone.OK, "check"),
    RunStatus.COMPENSATED: (Tone.WARN, "undone"),
    RunStatus.FAILED: (Tone.BAD, "fail"),
    RunStatus.COMPENSATION_FAILED: (Tone.BAD, "warn"),
    RunStatus.CANCELLED: (Tone.IDLE, "stopped"),
}
_SHORT = 8
# A page must not look through tens of thousands of runs to find the few that wait.
_LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One run in a list. `elapsed_ms` is set while it goes on: the browser counts on from there."""

    id: str
    short: str
    workflow: str
    status: RunStatus
    badge: Badge
    reason: str
    at: datetime
    at_text: str
    took: str
    elapsed_ms: int | None
    by: str
    pressing: bool
    again: bool
    steps: str


@dataclass(frozen=True, slots=True)
class Card:
    """One workflow in the list, with every service that it needs as it is now."""

    name: str
    description: str
    services: tuple[Mark, ...]
    facts: tuple[str, ...]
    live: int
    last: tuple[Line, ...]
    asks: bool


@dataclass(frozen=True, slots=True)
class Task:
    """One step as it is defined."""

    id: str
    service: Mark
    call: str
    needs: tuple[str, ...]
    when: str
    timeout: str
    attempts: str
    pauses: str
    undo: str
    start: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A step in the drawing: what it is called, and how it stands. `notes` are short."""

    id: str
    x: float
    y: float
    title: str
    service: str
    tone: Tone
    icon: str
    word: str
    note: str = ""
    undo: Badge | None = None
    elapsed_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A line of the drawing and its tip. `went` is `done` where the run went on along it, `back`
    where it came back to undo, empty before."""

    line: str
    tip: str
    went: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The drawing, ready to print; `says` is what it shows, in words."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    ways: tuple[Way, ...]
    says: str


@dataclass(frozen=True, slots=True)
class Described:
    """One workflow, told whole."""

    name: str
    description: str
    hash: str
    facts: tuple[tuple[str, str], ...]
    schedule: str
    next_run: datetime | None
    tasks: tuple[Task, ...]
    graph: Graph | None
    too_many: int


def badge(status: RunStatus, language: str) -> Badge:
    tone, icon = _LOOK[status]
    return Badge(tone, icon, word(f"ui.run.status.{status}", language))


def line(view: RunLine, language: str, now: datetime) -> Line:
    began = moment(view.created_at)
    ended = view.ended_at if view.ended_at is not None else now.timestamp()
    elapsed = round(1000 * (ended - (view.started_at or view.created_at)))
    is_live = not view.status.ended
    return Line(
        id=view.id,
        short=short(view.id),
        workflow=view.workflow,
        status=view.status,
        badge=badge(view.status, language),
        reason=sentence(view.reason, language) if view.reason else "",
        at=began,
        at_text=wording.ago(began, now, language),
        took=elapsed_text(elapsed, language) if is_live else wording.took(elapsed, language),
        elapsed_ms=elapsed if is_live else None,
        by=wording.who(view.by, language),
        pressing=view.status is RunStatus.COMPENSATION_FAILED,
        again=view.retry_of is not None,
        steps=f"{'?' if view.done is None else view.done}/{view.steps}",
    )


def line_of(run: Run, reason: Text | None) -> RunLine:
    """A run in memory as it stands in a list."""
    return RunLine(
        run.id, run.workflow, run.shown, run.created_at, run.started_at, run.ended_at, run.by,
        run.definition_hash, reason, run.retry_of, len(run.steps), run.done,
    )  # fmt: skip


def short(run_id: str) -> str:
    """The end of an id, by which people tell runs apart."""
    return run_id.rpartition("_")[2][-_SHORT:]


def sentence(reason: Text, language: str) -> str:
    """A reason as people read it: whoever cancelled is named as on every other page."""
    by = reason.params.get("by")
    if reason.key == "run.cancelled" and isinstance(by, str):
        reason = Text(reason.key, {**reason.params, "by": wording.who(by, language)})
    return render(reason, language)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def elapsed_text(milliseconds: float, language: str) -> str:
    """`12 s`, `3 min 12 s`, `1 h 3 min`: what the browser counts on. `ticks.js` says it
    alike."""
    seconds = max(0, int(milliseconds / 1000))
    if not 60 <= seconds < 3600:
        return wording.duration(seconds, language)
    minutes = word("ui.unit.min", language, n=seconds // 60)
    return f"{minutes} {word('ui.unit.s', language, n=seconds % 60)}"


def headline(live: Sequence[Run], defined: int, language: str) -> Headline:
    """The sentence over the list of workflows."""
    waiting = sum(1 for run in live[:_LOOKED_AT] if run.shown is RunStatus.WAITING)
    if waiting:
        return _counted(Tone.WARN, "held", "waiting", waiting, language)
    if live:
        return _counted(Tone.BUSY, "busy", "running", len(live), language)
    if not defined:
        return Headline(Tone.IDLE, "question", word("ui.workflow.headline.none", language))
    return _counted(Tone.IDLE, "flow", "calm", defined, language)


def _counted(tone: Tone, icon: str, key: str, n: int, language: str) -> Headline:
    one = "_one" if n == 1 else ""
    return Headline(tone, icon, word(f"ui.workflow.headline.{key}{one}", language, n=n))


def card(
    definition: Definition,
    known: Mapping[str, Mark],
    live: int,
    last: Sequence[RunLine],
    language: str,
    now: datetime,
) -> Card:
    facts = [steps_word(len(definition.steps), language)]
    if definition.schedule:
        facts.append(word("ui.workflow.scheduled", language, cron=definition.schedule))
    if definition.concurrency:
        facts.append(word("ui.workflow.at_once", language, n=definition.concurrency.limit))
    return Card(
        name=definition.name,
        description=described(definition, language),
        services=tuple(
            mark(service, known, language)
            for service in dict.fromkeys(step.service for step in definition.steps)
        ),
        facts=tuple(facts),
        live=live,
        last=tuple(line(one, language, now) for one in last),
        asks=definition.input_schema is not None,
    )


def describe(
    definition: Definition,
    known: Mapping[str, Mark],
    next_run: datetime | None,
    language: str,
) -> Described:
    limit = definition.concurrency
    concurrency = word("ui.workflow.unlimited", language)
    if limit is not None:
        concurrency = word(f"ui.workflow.limit.{limit.on_limit}", language, n=limit.limit)
    facts = (
        (word("ui.workflow.steps", language), str(len(definition.steps))),
        (word("ui.workflow.timeout", language), span(definition.timeout_s, language)),
        (word("ui.workflow.concurrency", language), concurrency),
    )
    nodes = {
        step.id: (mark(step.service, known, language), asked(step.call))
        for step in definition.steps
    }
    return Described(
        name=definition.name,
        description=described(definition, language),
        hash=definition.hash[:12],
        facts=facts,
        schedule=definition.schedule or "",
        next_run=next_run,
        tasks=tuple(_task(step, known, language) for step in definition.steps),
        graph=graph(
            definition,
            {
                name: Node(name, 0, 0, name, own.name, own.tone, own.icon, own.word, what)
                for name, (own, what) in nodes.items()
            },
            lambda _before, _after: "",
            language,
        ),
        too_many=len(definition.steps) if len(definition.steps) > dag.MOST else 0,
    )


def graph(
    definition: Definition,
    nodes: Mapping[str, Node],
    went: Callable[[str, str], str],
    language: str,
) -> Graph | None:
    """The drawing of a definition; None where it has too many steps. `went` says of each line."""
    drawing = dag.draw({step.id: step.needs for step in definition.steps})
    if drawing is None:
        return None
    ways = []
    for edge in drawing.edges:
        how = went(edge.before, edge.after)
        ways.append(Way(edge.line, edge.tail if how == "back" else edge.head, how))
    return Graph(
        width=drawing.width,
        height=drawing.height,
        nodes=tuple(replace(nodes[at.id], x=at.x, y=at.y) for at in drawing.nodes),
        ways=tuple(ways),
        says=word("ui.workflow.graph", language, n=len(drawing.nodes)),
    )


def _task(step: Step, known: Mapping[str, Mark], language: str) -> Task:
    retry = step.retry
    key = "attempts_one" if retry.attempts == 1 else "attempts"
    pauses = ""
    if retry.attempts > 1:
        shortest, longest = span(retry.backoff_s, language), span(retry.max_backoff_s, language)
        pauses = word("ui.workflow.pauses", language, pause=shortest, most=longest)
    return Task(
        id=step.id,
        service=mark(step.service, known, language),
        call=asked(step.call),
        needs=step.needs,
        when="" if step.when is None else str(step.when),
        timeout=span(step.timeout_s, language),
        attempts=word(f"ui.workflow.{key}", language, n=retry.attempts),
        pauses=pauses,
        undo=asked(step.undo) if step.undo else "",
        start=step.start,
    )


def described(definition: Definition, language: str) -> str:
    said = definition.description
    return said.get(language) or said.get(DEFAULT) or next(iter(said.values()), "")


def mark(service: str, known: Mapping[str, Mark], language: str) -> Mark:
    unknown = word("ui.workflow.unmanaged", language)
    return known.get(service, Mark(service, Tone.IDLE, "question", unknown))


def asked(call: Call) -> str:
    """`calculate`, or `GET /status` for a service without actions."""
    return call.action or f"{call.method} {call.path}"


def steps_word(n: int, language: str) -> str:
    return word("ui.workflow.n_steps_one" if n == 1 else "ui.workflow.n_steps", language, n=n)


def span(seconds: float, language: str) -> str:
    """A time that somebody wrote down: `500 ms`, `10 s`, `5 min`, without a needless tenth."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    if seconds < 60:
        return word("ui.unit.s", language, n=f"{seconds:g}")
    return (
        elapsed_text(seconds * 1000, language)
        if seconds % 60
        else wording.duration(seconds, language)
    )
