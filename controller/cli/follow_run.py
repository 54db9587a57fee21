"""Stays with a run until it has ended: by the hub's events where they come, else by asking.

Events are only hints. A run that changes too often is told in part, a hub that restarts forgets
what it told, and one of another version may tell nothing; so everything is asked for again now and
then, and the end is always what the hub answers, never what an event said.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from controller import clock
from controller.cli import words
from controller.cli.client import HubClient, Json
from controller.cli.errors import CommandError, HubUnreachable, ProblemAnswer
from controller.cli.events import follow as follow_events
from controller.cli.sse import Event
from controller.model.run import RunStatus

PATIENCE_S = 120.0
"""How long a hub may be away: the run outlives it, so a restart of the machine is waited for."""
POLL_S = 0.5
POLL_WITH_EVENTS_S = 5.0
TICK_S = 0.25
_SLACK_S = 0.002
_ENDED = frozenset(status.value for status in RunStatus if status.ended)

Resync = object()
"""What a feed gives where the run must be asked for."""


def run_path(run_id: str, verb: str = "") -> str:
    """Path of one run, or of what is done to it; quoted, so it never reaches another endpoint."""
    return f"/workflows/runs/{quote(run_id, safe='')}" + (f"/{verb}" if verb else "")


@dataclass(slots=True)
class Watch:
    """A run as the hub last told it. `since_s` is how long ago that is, `away` why the hub cannot
    be asked just now."""

    told: Json
    since_s: float = 0.0
    away: str | None = None

    @property
    def id(self) -> str:
        return str(self.told.get("id", ""))

    @property
    def status(self) -> str:
        return str(self.told.get("status", ""))

    @property
    def over(self) -> bool:
        return self.status in _ENDED


class Feed(Protocol):
    """Where news of a run come from; `alive` says whether they do."""

    @property
    def alive(self) -> bool: ...

    def take(self, timeout_s: float) -> Any:
        """The run as an event told it, Resync, or None where nothing came in time."""


@dataclass(slots=True)
class EventFeed:
    """The hub's event stream, read by a thread of its own so that nothing waits for it."""

    client: HubClient
    run_id: str
    alive: bool = False
    thread: threading.Thread = field(init=False)
    _news: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)

    def begin(self) -> EventFeed:
        # It blocks in a read that nobody can end, so it must not keep the process alive.
        self.thread = threading.Thread(target=self._listen, name="run-events", daemon=True)
        self.thread.start()
        return self

    def take(self, timeout_s: float) -> Any:
        try:
            return self._news.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _listen(self) -> None:
        try:
            for event in follow_events(
                self.client, _say_nothing, pause=self._lost, connected=self._connected
            ):
                found = told_by(event, self.run_id)
                if found is not None:
                    self._news.put(found)
        except CommandError:
            # This hub gives no events, or not now: asking is enough.
            self.alive = False

    def _connected(self) -> None:
        self.alive = True
        self._news.put(Resync)

    def _lost(self, pause_s: float) -> None:
        self.alive = False
        time.sleep(pause_s)


def told_by(event: Event, run_id: str) -> Any:
    """The run that an event tells of, Resync where it must be asked for, else None. Pure."""
    if event.kind in ("resync", "runs"):
        return Resync
    if event.kind != "run":
        return None
    try:
        data = json.loads(event.data)
    except ValueError:
        return None
    found = data.get("run", data) if isinstance(data, dict) else None
    return found if isinstance(found, dict) and found.get("id") == run_id else None


def follow(
    client: HubClient,
    told: Json,
    show: Callable[[Watch], None],
    feed: Feed,
    *,
    timeout_s: float | None = None,
    patience_s: float = PATIENCE_S,
) -> Watch:
    """Return when the run that `told` tells of has ended, or after `timeout_s` seconds.

    `show` is called after every look and, for times that go on, in between. Raises HubUnreachable
    when the hub is away for longer than `patience_s` seconds, ProblemAnswer when it refuses.
    """
    watch, begun = Watch(told), clock.monotonic()
    heard = looked = answered = begun
    show(watch)
    while not watch.over:
        news = feed.take(TICK_S)
        now = clock.monotonic()
        if timeout_s is not None and now - begun >= timeout_s:
            return watch
        pause_s = POLL_WITH_EVENTS_S if feed.alive and not watch.away else POLL_S
        due = now - looked >= pause_s
        if isinstance(news, dict) and news.get("status") not in _ENDED:
            # Answers and events come by two ways, and the older one may come later.
            if told_at(news) >= told_at(watch.told) - _SLACK_S:
                watch.told, heard = news, now
        elif news is not None:
            due = True
        if due:
            looked = now
            if _look(client, watch):
                heard = answered = clock.monotonic()
            elif now - answered > patience_s:
                raise HubUnreachable(watch.away or "", remedy=_remedy(watch.id))
        watch.since_s = max(0.0, clock.monotonic() - heard)
        show(watch)
    return watch


def _look(client: HubClient, watch: Watch) -> bool:
    """Whether the hub told anew how the run stands. Raises ProblemAnswer where it refuses."""
    try:
        watch.told = client.get(run_path(watch.id))
    except HubUnreachable as gone:
        watch.away = gone.sentence
        return False
    except ProblemAnswer as refused:
        # A hub that is only just coming back answers 503 for a moment.
        if refused.status < 500:
            raise
        watch.away = refused.sentence.rstrip(".") + "."
        return False
    watch.away = None
    return True


def told_at(run: Mapping[str, Any]) -> float:
    """When the hub told this, in seconds since 1970 by the hub's clock. Pure."""
    begun = run.get("started_at") or run.get("created_at")
    return words.seconds(begun) + float(run.get("elapsed_ms") or 0) / 1000


def _remedy(run_id: str) -> str:
    return (
        f"The run goes on when the hub is back; `heal7 runs {run_id}` shows it. "
        "`heal7 doctor` says what is wrong."
    )


def _say_nothing(_sentence: str) -> None:
    """That the hub is away is said by whoever asks it."""
