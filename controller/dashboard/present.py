"""Facts to page: everything a template shows, decided here without I/O, so it can be tested.

Templates only lay out; what needs attention, which word and which icon, which buttons make sense
is settled in these functions. `now` and the language are parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.dashboard import wording
from controller.dashboard.marks import ATTENTION, SEVERITY, Mark, Tone, marks
from controller.i18n import render, word
from controller.model.observation import ALIVE, State
from controller.model.view import (
    Desired,
    OperationKind,
    OperationView,
    ServiceView,
    StackView,
)


@dataclass(frozen=True, slots=True)
class Action:
    """A button: what it asks for, and all the words its confirmation needs."""

    verb: str
    label: str
    title: str
    note: str = ""
    primary: bool = False
    busy: bool = False
    containers: tuple[str, ...] = ()
    """Ids of those it is about, where it is about containers of no service."""

    @property
    def takes_down(self) -> bool:
        return self.verb not in ("start", "resume")


@dataclass(frozen=True, slots=True)
class Row:
    """One service, ready to print."""

    name: str
    tone: Tone
    icon: str
    word: str
    reason: str
    attention: bool
    since: datetime
    since_text: str
    port: int | None
    port_word: str
    response: str
    cpu: str
    memory: str
    restarts: int
    uptime: str
    image: str
    container: str
    needs: tuple[Mark, ...]
    actions: tuple[Action, ...]
    incident: str | None = None
    rehearse: Action | None = None


@dataclass(frozen=True, slots=True)
class Orphans:
    """Containers that no file speaks of, as (name, sentence), and the way to be rid of them."""

    lines: tuple[tuple[str, str], ...]
    action: Action


@dataclass(frozen=True, slots=True)
class Headline:
    """The one sentence a tired operator reads first."""

    tone: Tone
    icon: str
    text: str


@dataclass(frozen=True, slots=True)
class Stack:
    """The whole of a page's live part, except operations and workflows."""

    project: str
    headline: Headline
    taken_at: datetime
    engine_connected: bool
    engine_since: datetime
    engine_text: str
    rows: tuple[Row, ...]
    counts: tuple[tuple[Tone, str, int], ...]
    actions: tuple[Action, ...]
    warnings: tuple[str, ...]
    orphans: Orphans | None

    @property
    def attention(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.attention)

    @property
    def calm(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.attention)


def stack(
    view: StackView, operations: Sequence[OperationView], language: str, now: datetime
) -> Stack:
    """Everything a page says about the stack, services in their declared order."""
    known = marks(view, operations, language)
    needed_by: dict[str, list[str]] = {}
    for service in view.services:
        for dependency in service.depends_on:
            needed_by.setdefault(dependency, []).append(service.name)
    rows = tuple(
        _row(service, known, needed_by.get(service.name, []), language, now)
        for service in view.services
    )
    state = "connected" if view.engine_connected else "unreachable"
    return Stack(
        project=view.project,
        headline=headline(view, tuple(known.values()), language),
        taken_at=view.taken_at,
        engine_connected=view.engine_connected,
        engine_since=view.engine_since,
        engine_text=word(
            f"ui.engine.{state}",
            language,
            duration=_span(view.engine_since, now, language),
        ),
        rows=rows,
        counts=counts(tuple(known.values()), language),
        actions=stack_actions(view, language),
        warnings=view.warnings,
        orphans=orphans(view, language, now),
    )


def orphans(view: StackView, language: str, now: datetime) -> Orphans | None:
    """None where there are none. The action names what is shown, so that no other goes with it."""
    found = view.orphans
    if not found:
        return None
    lines = []
    for one in found:
        state = word(f"ui.orphans.state.{one.state}", language)
        if one.since is None:
            said = word("ui.orphans.of_undated", language, service=one.service, state=state)
        else:
            since = wording.ago(one.since, now, language)
            said = word("ui.orphans.of", language, service=one.service, state=state, since=since)
        lines.append((one.name, said))
    verb = OperationKind.REMOVE_ORPHANS
    single = len(found) == 1
    asked = word(f"ui.confirm.{verb}_one", language, name=found[0].name) if single else ""
    action = Action(
        verb,
        word(f"ui.action.{verb}", language),
        asked or word(f"ui.confirm.{verb}", language, n=len(found)),
        note=word(f"ui.confirm.{verb}_note", language),
        busy=any(one.busy for one in found),
        containers=tuple(one.container_id for one in found),
    )
    return Orphans(tuple(lines), action)


def by_severity(rows: Sequence[Row], view: StackView) -> tuple[Row, ...]:
    """Worst first; equals keep their declared order."""
    rank = {service.name: SEVERITY.index(service.health) for service in view.services}
    return tuple(sorted(rows, key=lambda row: rank[row.name]))


def in_trouble(service: ServiceView) -> bool:
    """Whether a person should look at it, whatever is being done about it."""
    return service.health in ATTENTION


def headline(view: StackView, known: Sequence[Mark], language: str) -> Headline:
    """What matters most now. Order: engine, attention, work under way, wishes, all well."""

    def say(tone: Tone, icon: str, key: str, **params: int) -> Headline:
        return Headline(tone, icon, word(f"ui.headline.{key}", language, **params))

    wrong = [m for m in known if m.attention]
    tally = Counter(m.tone for m in known)
    moving, stopped = tally[Tone.BUSY], tally[Tone.IDLE]
    if not view.engine_connected:
        return say(Tone.BAD, "plug", "engine")
    if not known:
        return say(Tone.IDLE, "question", "empty")
    if wrong:
        bad = any(m.tone is Tone.BAD for m in wrong)
        tone, icon = (Tone.BAD, "fail") if bad else (Tone.WARN, "warn")
        return say(tone, icon, "attention_one" if len(wrong) == 1 else "attention", n=len(wrong))
    if moving:
        return say(Tone.BUSY, "busy", "moving_one" if moving == 1 else "moving", n=moving)
    if stopped == len(known):
        return say(Tone.IDLE, "stopped", "all_stopped")
    if stopped:
        return say(Tone.OK, "check", "some_stopped", healthy=tally[Tone.OK], stopped=stopped)
    return say(Tone.OK, "check", "well_one" if len(known) == 1 else "well", n=len(known))


def counts(known: Sequence[Mark], language: str) -> tuple[tuple[Tone, str, int], ...]:
    """How many are healthy, under way, in need of attention, stopped; no empty groups."""
    tally = Counter(Tone.WARN if m.attention else m.tone for m in known)
    names = {
        Tone.OK: "healthy",
        Tone.BUSY: "moving",
        Tone.WARN: "attention",
        Tone.IDLE: "stopped",
    }
    return tuple(
        (tone, word(f"ui.count.{name}", language), tally[tone])
        for tone, name in names.items()
        if tally[tone]
    )


def verbs_for(services: Sequence[ServiceView]) -> Sequence[str]:
    """What makes sense to ask of all of these."""
    up = sum(1 for service in services if service.state is State.RUNNING)
    return (["start"] if up < len(services) else []) + (["restart", "stop"] if up else [])


def stack_actions(view: StackView, language: str) -> tuple[Action, ...]:
    """Start, restart, stop for all; the sensible one stands out. One service has its own row."""
    if len(view.services) < 2:
        return ()
    return tuple(
        Action(
            verb,
            word(f"ui.action.{verb}_all", language),
            word(f"ui.confirm.{verb}_all", language, n=len(view.services)),
            primary=verb == "start",
        )
        for verb in verbs_for(view.services)
    )


def _row(
    service: ServiceView,
    known: Mapping[str, Mark],
    needed_by: Sequence[str],
    language: str,
    now: datetime,
) -> Row:
    own = known[service.name]
    up = service.started_at if service.state is State.RUNNING else None
    return Row(
        name=service.name,
        tone=own.tone,
        icon=own.icon,
        word=own.word,
        reason=render(service.reason, language),
        attention=own.attention,
        since=service.since,
        since_text=_for(service.since, now, language),
        port=service.port,
        port_word=_port_word(service, language),
        response=wording.took(service.response_ms, language),
        cpu=wording.percent(service.cpu_percent),
        memory=wording.size(service.memory_bytes),
        restarts=service.restarts,
        uptime=_span(up, now, language) if up else wording.NOTHING,
        image=service.image,
        container=(service.container_id or "")[:12],
        needs=tuple(known[n] for n in service.depends_on if n in known),
        actions=_actions(service, needed_by, language),
        incident=service.incident,
        rehearse=_rehearse(service, needed_by, language),
    )


def _for(since: datetime, now: datetime, language: str) -> str:
    if (now - since).total_seconds() < wording.JUST_NOW_S:
        return word("ui.just_now", language)
    return word("ui.for", language, duration=_span(since, now, language))


def _span(since: datetime, now: datetime, language: str) -> str:
    return wording.duration((now - since).total_seconds(), language)


def _port_word(service: ServiceView, language: str) -> str:
    if service.port is None or service.port_open is None:
        return ""
    return word("ui.port.open" if service.port_open else "ui.port.closed", language)


def _actions(service: ServiceView, needed_by: Sequence[str], language: str) -> tuple[Action, ...]:
    """Only what makes sense: what is down can be started, what is up restarted or stopped.

    A service that is down but still wanted can be stopped too: that withdraws the wish.
    """
    up = service.state in ALIVE
    verbs = ["restart", "stop"] if up else ["start"]
    if not up and service.desired is Desired.RUNNING:
        verbs.append("stop")
    return tuple(
        Action(
            verb,
            word(f"ui.action.{verb}", language),
            word(f"ui.confirm.{verb}", language, service=service.name),
            note="" if verb == "start" else _needed(needed_by, language),
            primary=verb == "start",
            busy=service.busy is not None,
        )
        for verb in verbs
    )


def _rehearse(service: ServiceView, needed_by: Sequence[str], language: str) -> Action | None:
    """A fault can be rehearsed on what runs."""
    if service.state is not State.RUNNING:
        return None
    return Action(
        "rehearse",
        word("ui.action.rehearse", language),
        word("ui.confirm.rehearse", language, service=service.name),
        note=_needed(needed_by, language),
        busy=service.busy is not None,
    )


def _needed(needed_by: Sequence[str], language: str) -> str:
    if not needed_by:
        return ""
    return word("ui.confirm.needed_by", language, services=", ".join(needed_by))
