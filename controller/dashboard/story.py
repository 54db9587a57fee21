"""One incident, told: what happened, what was done about it, and what a person does now.

Somebody reads this at three in the morning, so the order is theirs: what and since when, why, what
to do, and only then the evidence. Pure: `now` and the language are parameters.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from controller.dashboard import wording
from controller.dashboard.incidents import Badge, Line, line
from controller.dashboard.marks import Tone
from controller.dashboard.present import Headline, Row
from controller.i18n import render, word
from controller.model.incident import TOUCHES, Act, Ending, Entry, Evidence, Incident, Kind
from controller.model.probe import ProbeResult
from controller.model.text import Text

_OUTCOME: Mapping[str, tuple[Tone, str]] = {
    "running": (Tone.BUSY, "busy"),
    "done": (Tone.OK, "check"),
    "failed": (Tone.BAD, "fail"),
    "unknown": (Tone.WARN, "question"),
    "interrupted": (Tone.WARN, "warn"),
}
_ACT: Mapping[Act, tuple[Tone, str]] = {
    Act.START: (Tone.IDLE, "start"),
    Act.RESTART: (Tone.IDLE, "restart"),
    Act.REPLACE: (Tone.IDLE, "restart"),
    Act.HOLD: (Tone.WARN, "held"),
    Act.BLOCK: (Tone.WARN, "blocked"),
    Act.UNBLOCK: (Tone.IDLE, "arrow"),
    Act.WAIT: (Tone.IDLE, "wait"),
    Act.GIVE_UP: (Tone.BAD, "fail"),
    Act.OPERATOR: (Tone.IDLE, "person"),
}
# A configuration error names its own remedy; the general one is for those nobody foresaw.
_MENDS: Mapping[str, str] = {
    "fail.image_missing": "image",
    "fail.image_never": "image",
    "fail.pull": "pull",
    "fail.pull_silent": "pull",
    "fail.build": "build",
    "fail.context": "build",
    "fail.port_taken": "port",
    "fail.command": "command",
    "exit.command": "command",
    "fail.name_taken": "name",
}
_SYMPTOMS = (Kind.CRASH, Kind.HANG, Kind.UNHEALTHY, Kind.OOM)


@dataclass(frozen=True, slots=True)
class Moment:
    """One point of a timeline. `at` is None for "now"; `offset` counts from the first bad sign."""

    at: datetime | None
    clock: str
    offset: str
    tone: Tone
    icon: str
    title: str
    cause: str
    outcome: Badge | None = None
    took: str = ""
    failure: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One answer to a probe, ready to print."""

    at: datetime
    clock: str
    badge: Badge
    said: str
    took: str
    port: str


@dataclass(frozen=True, slots=True)
class Traces:
    """What is left of the fault. Empty strings were not seen."""

    exit_code: str
    exit_meaning: str
    engine_error: str
    container: str
    probes: tuple[Probe, ...]
    log: str
    log_lines: int

    @property
    def any(self) -> bool:
        return bool(self.exit_code or self.engine_error or self.probes or self.log_lines)


@dataclass(frozen=True, slots=True)
class Story:
    """One incident, told. `hints` say what a person does now; `held` what was not done, and why."""

    line: Line
    headline: Headline
    lasted: str
    done: tuple[str, ...]
    hints: tuple[str, ...]
    timeline: tuple[Moment, ...]
    traces: Traces
    held: tuple[Moment, ...]
    runs_held: tuple[str, ...]
    root: str | None
    row: Row | None


def story(
    incident: Incident, row: Row | None, is_paused: bool, language: str, now: datetime
) -> Story:
    """`row` is the service as it is now; None where it is no longer managed."""
    own = line(incident, language, now)
    ended = incident.closed_at or now
    took = wording.took((ended - incident.opened_at).total_seconds() * 1000, language)
    key = "lasts" if incident.is_open else "lasted"
    if incident.outcome is Ending.GAVE_UP:
        key = "given_up"
    root = incident.root if incident.root != incident.id else None
    return Story(
        line=own,
        headline=Headline(own.badge.tone, own.badge.icon, own.what),
        lasted=word(f"ui.incident.{key}", language, duration=took),
        done=_done(incident, language),
        hints=_hints(incident, row, is_paused, language),
        timeline=_timeline(incident, own, language, now),
        traces=_traces(incident.evidence, language),
        held=tuple(_entry(incident, entry, language) for entry in incident.suppressed),
        runs_held=incident.runs_held,
        root=root,
        row=row,
    )


def _done(incident: Incident, language: str) -> tuple[str, ...]:
    """What the hub did, counted; or that it did nothing, which is also an answer."""
    tries = [entry for entry in incident.timeline if entry.act in TOUCHES]
    said = []
    for act in TOUCHES:
        if n := sum(1 for entry in tries if entry.act is act):
            key = f"{act}_one" if n == 1 else f"{act}"
            said.append(word(f"ui.done.{key}", language, n=n))
    if failed := sum(1 for entry in tries if entry.outcome == "failed"):
        key = "failed_only" if len(tries) == 1 else "failed_one" if failed == 1 else "failed"
        said.append(word(f"ui.done.{key}", language, n=failed))
    if not tries:
        said.append(word("ui.done.nothing", language))
    if n := len(incident.suppressed):
        said.append(word("ui.done.held_one" if n == 1 else "ui.done.held", language, n=n))
    return tuple(said)


def _hints(incident: Incident, row: Row | None, is_paused: bool, language: str) -> tuple[str, ...]:
    verb = row.actions[0].label if row and row.actions else word("ui.action.start", language)

    def say(key: str) -> str:
        return word(f"ui.hint.{key}", language, verb=verb)

    match incident.outcome:
        case Ending.RECOVERED:
            return tuple(say(key) for key in _afterwards(incident))
        case Ending.OPERATOR | Ending.EXTERNAL:
            return (say("ended"),)
        case Ending.GAVE_UP:
            return (say(_mend(incident)), say("press"))
    if incident.kind is Kind.CONFIG_ERROR:
        return (say(_mend(incident)), say("press"))
    if incident.kind in (Kind.STOPPED_OUTSIDE, Kind.DEPENDENCY):
        return (say(incident.kind.value),)
    return (say("paused" if is_paused else "healing"),)


def _afterwards(incident: Incident) -> tuple[str, ...]:
    """It is well: what keeps it so."""
    if incident.rehearsal is not None:
        return ("rehearsed",)
    if incident.kind in _SYMPTOMS:
        return ("recovered", f"again_{incident.kind}")
    return ("recovered",)


def _mend(incident: Incident) -> str:
    if incident.kind is Kind.CONFIG_ERROR:
        keys = _keys(incident.cause)
        return "mend_" + next((_MENDS[key] for key in keys if key in _MENDS), "config")
    return f"mend_{incident.kind}"


def _keys(said: Text) -> list[str]:
    """The keys of a sentence and of those inside it."""
    inner = [
        key for value in said.params.values() if isinstance(value, Text) for key in _keys(value)
    ]
    return [said.key, *inner]


def _timeline(incident: Incident, own: Line, language: str, now: datetime) -> tuple[Moment, ...]:
    def fact(at: datetime, tone: Tone, icon: str, key: str, cause: str = "") -> Moment:
        title = word(f"ui.timeline.{key}", language)
        return _moment(incident, at, tone, icon, title, cause, language)

    known = [fact(incident.opened_at, Tone.WARN, "warn", "first_sign")]
    if incident.detect_ms:
        known.append(fact(incident.detected_at, Tone.BAD, "fail", "detected", own.cause))
    else:
        known = [fact(incident.opened_at, Tone.BAD, "fail", "noticed", own.cause)]
    known += [_entry(incident, entry, language) for entry in incident.timeline]
    told = incident.timeline and incident.timeline[-1].act is Act.GIVE_UP
    if incident.closed_at is not None and not told:
        title = own.badge.word
        known.append(
            _moment(
                incident, incident.closed_at, own.badge.tone, own.badge.icon, title, "", language
            )
        )
    # Stable: what happened in the same moment stays in the order it is told.
    known.sort(key=lambda moment: moment.at or now)
    if incident.is_open:
        waits = word("ui.timeline.open", language)
        known.append(Moment(None, "", "", own.badge.tone, "wait", waits, ""))
    return tuple(known)


def _moment(
    incident: Incident, at: datetime, tone: Tone, icon: str, title: str, cause: str, language: str
) -> Moment:
    after = (at - incident.opened_at).total_seconds() * 1000
    offset = f"+{wording.took(after, language)}" if after > 0 else ""
    return Moment(at, wording.clock_time(at), offset, tone, icon, title, cause)


def _entry(incident: Incident, entry: Entry, language: str) -> Moment:
    tone, icon = _ACT[entry.act]
    outcome = None
    if entry.outcome:
        look = _OUTCOME.get(entry.outcome, (Tone.IDLE, "question"))
        says = wording.word_or(f"ui.tried.{entry.outcome}", entry.outcome, language)
        outcome, tone = Badge(*look, says), look[0]
    took = ""
    if entry.ended_at is not None and entry.act in TOUCHES:
        took = wording.took((entry.ended_at - entry.at).total_seconds() * 1000, language)
    return replace(
        _moment(
            incident, entry.at, tone, icon, word(f"ui.act.{entry.act}", language),
            render(entry.cause, language), language,
        ),
        outcome=outcome, took=took, detail=entry.detail or "",
        failure=render(entry.failure, language) if entry.failure else "",
    )  # fmt: skip


def _traces(seen: Evidence, language: str) -> Traces:
    code = seen.exit_code
    return Traces(
        exit_code="" if code is None else str(code),
        exit_meaning="" if code is None else exit_meaning(code, seen.oom_killed, language),
        engine_error=seen.engine_error,
        container=(seen.container_id or "")[:12],
        probes=tuple(probe(one, language) for one in seen.last_probes),
        log="\n".join(seen.log_tail),
        log_lines=len(seen.log_tail),
    )


def exit_meaning(code: int, oom_killed: bool, language: str) -> str:
    """What an exit code says to a person. A kill for memory counts only where it ended PID 1."""
    if oom_killed and code == 137:
        return word("ui.exit.oom", language)
    if code == 0:
        return word("ui.exit.zero", language)
    if code in (126, 127):
        return word("ui.exit.command", language)
    if code > 128:
        try:
            name = signal.Signals(code - 128).name
        except ValueError:
            name = str(code - 128)
        return word("ui.exit.signal", language, signal=name)
    return word("ui.exit.own", language)


def probe(one: ProbeResult, language: str) -> Probe:
    """As the story of an incident and the page of a service show it."""
    tone, icon, key = (Tone.OK, "check", "ok") if one.ok else (Tone.BAD, "fail", "bad")
    port = ""
    if one.port_open is not None:
        port = word("ui.port.open" if one.port_open else "ui.port.closed", language)
    return Probe(
        one.at,
        wording.clock_time(one.at),
        Badge(tone, icon, word(f"ui.probe.{key}", language)),
        render(one.said, language),
        wording.took(one.response_ms, language),
        port,
    )
