"""Incidents to page, each in one line: what went wrong where, and how it ended or where it stands.

Also whether anybody heals at all: a paused hub must never look like a calm one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from controller.dashboard import wording
from controller.dashboard.marks import Tone
from controller.dashboard.present import Action, Headline
from controller.i18n import render, word
from controller.model.incident import TOUCHES, Ending, Incident, Kind
from controller.model.recovery import Pause
from controller.model.view import StackView

_ENDING: Mapping[Ending, tuple[Tone, str]] = {
    Ending.RECOVERED: (Tone.OK, "check"),
    Ending.GAVE_UP: (Tone.BAD, "fail"),
    Ending.OPERATOR: (Tone.IDLE, "person"),
    Ending.EXTERNAL: (Tone.IDLE, "person"),
}


@dataclass(frozen=True, slots=True)
class Badge:
    """A mood with its drawing and its word."""

    tone: Tone
    icon: str
    word: str


@dataclass(frozen=True, slots=True)
class Line:
    """One incident in a list."""

    id: str
    service: str
    kind: str
    what: str
    cause: str
    badge: Badge
    is_open: bool
    pressing: bool
    rehearsed: bool
    at: datetime
    at_text: str
    detected: str
    recovered: str
    restarts: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Nobody heals: since when, and who wanted it so."""

    since: datetime
    since_text: str
    by: str


def lines(
    found: Sequence[Incident], pressing: Sequence[Incident], language: str, now: datetime
) -> tuple[Line, ...]:
    """The pressing ones (open, or given up and still down) first, then the rest, each newest
    first and once."""
    whole = {incident.id: incident for incident in (*pressing, *found)}
    first = {incident.id for incident in pressing}
    ordered = sorted(whole.values(), key=lambda i: (i.id in first, i.opened_at), reverse=True)
    told = (line(incident, language, now) for incident in ordered)
    return tuple(replace(each, pressing=each.id in first) for each in told)


def line(incident: Incident, language: str, now: datetime) -> Line:
    recovered = incident.recover_ms if incident.outcome is Ending.RECOVERED else None
    return Line(
        id=incident.id,
        service=incident.service,
        kind=word(f"ui.kind.{incident.kind}", language),
        what=word(f"ui.incident.what.{incident.kind}", language, service=incident.service),
        cause=render(incident.cause, language),
        badge=badge(incident, language),
        is_open=incident.is_open,
        pressing=incident.is_open,
        rehearsed=incident.rehearsal is not None,
        at=incident.opened_at,
        at_text=wording.ago(incident.opened_at, now, language),
        detected=(
            wording.took(incident.detect_ms, language)
            if incident.detect_ms
            else word("ui.at_once", language)
        ),
        recovered=wording.took(recovered, language),
        restarts=incident.restarts,
    )


def badge(incident: Incident, language: str) -> Badge:
    """How it ended, or where it stands."""
    if incident.outcome is not None:
        tone, icon = _ENDING[incident.outcome]
        return Badge(tone, icon, word(f"ui.ending.{incident.outcome}", language))
    if any(e.act in TOUCHES and e.outcome == "running" for e in incident.timeline):
        return Badge(Tone.BUSY, "busy", word("ui.ending.healing", language))
    if incident.kind is Kind.STOPPED_OUTSIDE:
        return Badge(Tone.WARN, "held", word("ui.ending.left_alone", language))
    if incident.kind is Kind.DEPENDENCY:
        return Badge(Tone.WARN, "blocked", word("ui.ending.waiting", language))
    return Badge(Tone.BAD, "warn", word("ui.ending.open", language))


def by_service(
    view: StackView,
    still_open: Sequence[Incident],
    given_up: Sequence[Incident],
    language: str,
    now: datetime,
) -> Mapping[str, Line]:
    """The open incident of each service that has one, or the one that was given up."""
    by_id = {incident.id: incident for incident in still_open}
    named = {incident.service: incident for incident in given_up}
    named |= {s.name: by_id[s.incident] for s in view.services if s.incident in by_id}
    return {name: line(incident, language, now) for name, incident in named.items()}


def paused(pause: Pause | None, language: str, now: datetime) -> Paused | None:
    if pause is None:
        return None
    return Paused(
        pause.since, wording.ago(pause.since, now, language), wording.who(pause.by, language)
    )


def pause_action(is_paused: bool, language: str) -> Action:
    """The one button that makes sense: pause, or resume."""
    verb = "resume" if is_paused else "pause"
    return Action(
        verb,
        word(f"ui.action.{verb}", language),
        word(f"ui.confirm.{verb}", language),
        note=word(f"ui.confirm.{verb}_note", language),
        primary=is_paused,
    )


def summary(open_ones: int, given_up: int, language: str) -> Headline:
    """The sentence over the list. Says only what is recorded: nobody can vouch for more."""
    if given_up:
        key = "given_up_one" if given_up == 1 else "given_up"
        return Headline(Tone.BAD, "fail", word(f"ui.incidents.{key}", language, n=given_up))
    if open_ones:
        key = "open_one" if open_ones == 1 else "open"
        return Headline(Tone.BAD, "warn", word(f"ui.incidents.{key}", language, n=open_ones))
    return Headline(Tone.OK, "check", word("ui.incidents.none_open", language))
