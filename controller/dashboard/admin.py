"""The hub itself to page: how it is, what it keeps, who asked it for what. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.dashboard import wording
from controller.dashboard.incidents import Badge
from controller.dashboard.marks import Tone
from controller.dashboard.present import Headline
from controller.i18n import sentence_of, word
from controller.model.hub_state import AuditLine, HubState, StoreState


@dataclass(frozen=True, slots=True)
class Store:
    """A place where something is kept. `share` is how full it is, in percent; None: no limit."""

    name: str
    place: str
    size: str
    limit: str
    share: int | None
    badge: Badge
    problem: str


@dataclass(frozen=True, slots=True)
class Task:
    """A loop that runs, and since when."""

    name: str
    since: datetime
    age: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A line of the audit."""

    id: int
    at: datetime
    at_text: str
    who: str
    action: str
    targets: tuple[str, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class Told:
    """All of it, ready to print."""

    headline: Headline
    uptime: str
    engine: tuple[tuple[str, str], ...]
    stores: tuple[Store, ...]
    tasks: tuple[Task, ...]
    settings: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    streams: tuple[tuple[str, int], ...]


def told(state: HubState, language: str, now: datetime) -> Told:
    stores = tuple(_store(store, language) for store in state.stores)
    engine = state.engine
    facts = {
        "address": engine.address,
        "version": engine.version,
        "root": engine.root,
    }
    return Told(
        headline=headline(state, language),
        uptime=wording.duration((now - state.started_at).total_seconds(), language),
        engine=tuple(
            (word(f"ui.admin.engine.{key}", language), value)
            for key, value in facts.items()
            if value
        ),
        stores=stores,
        tasks=tuple(
            Task(task.name, task.since, wording.duration(_seconds(task.since, now), language))
            for task in state.tasks
        ),
        settings=state.settings,
        files=state.files,
        streams=(
            (word("ui.admin.streams.events", language), state.event_streams),
            (word("ui.admin.streams.logs", language), state.log_streams),
        ),
    )


def headline(state: HubState, language: str) -> Headline:
    """What is wrong with the hub itself, the worst first."""
    if state.died:
        return Headline(Tone.BAD, "fail", word("ui.admin.headline.died", language, task=state.died))
    if any(store.problem for store in state.stores):
        return Headline(Tone.BAD, "fail", word("ui.admin.headline.store", language))
    if not state.engine.connected:
        return Headline(Tone.BAD, "plug", word("ui.headline.engine", language))
    return Headline(Tone.OK, "check", word("ui.admin.headline.well", language))


def asked(line: AuditLine, language: str, now: datetime) -> Asked:
    return Asked(
        id=line.id,
        at=line.at,
        at_text=wording.ago(line.at, now, language),
        who=wording.who(line.who, language),
        action=wording.word_or(f"ui.admin.action.{line.action}", line.action, language),
        targets=line.targets,
        # A sentence that needs facts which were not kept says nothing; the action does.
        cause="" if (said := sentence_of(line.cause, language)) == line.cause else said,
    )


def audit(lines: Sequence[AuditLine], language: str, now: datetime) -> tuple[Asked, ...]:
    return tuple(asked(line, language, now) for line in lines)


def _store(store: StoreState, language: str) -> Store:
    share = None
    if store.limit and store.size is not None:
        share = min(100, round(100 * store.size / store.limit))
    key, tone, icon = ("bad", Tone.BAD, "fail") if store.problem else ("ok", Tone.OK, "check")
    return Store(
        name=wording.word_or(f"ui.admin.store.{store.name}", store.name, language),
        place=store.place,
        size=wording.size(store.size),
        limit=wording.size(store.limit),
        share=share,
        badge=Badge(tone, icon, word(f"ui.admin.store_is.{key}", language)),
        problem=store.problem,
    )


def _seconds(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()
