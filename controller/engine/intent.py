"""Who ended a container: a fault, or a person beside the hub? The engine's own memory is asked.

The engine keeps its last 256 events in memory. What the daemon that answers *now* remembers is the
evidence, asked for over a fresh connection: a daemon that goes down stops every container exactly
as a person would, but then it answers no new connection, and the next daemon has forgotten it.
The next daemon may also stop, while it starts, what its killed forerunner left running: that too
looks like a person's stop, so nothing counts that is older than the daemon's default bridge, which
every start makes anew after that.

Measured on Engine 20.10 (API 1.41), what each way to end a container leaves in that memory:

    kill -9 or -15 of PID 1 from the host    die
    exit by itself                           die
    out of memory                            oom, die
    docker kill                              kill(9), die
    docker kill -s TERM                      kill(15), die (no die where it is ignored)
    docker stop, heeded                      kill(15), die, stop
    docker stop, ignored                     kill(15), kill(9), die, stop
    docker stop -t 0                         kill(15), kill(9), die, stop
    docker rm -f                             kill(9), die, destroy
    docker rm of an ended one                destroy
    docker stop of an ended one              nothing (the engine answers 304)
    docker restart                           as docker stop, then start, restart
    docker pause                             pause
    docker stop of a paused one              pause, kill(15), unpause, die, stop
    docker-compose stop, kill, down          as docker stop, docker kill, both stop and destroy
    our own `DockerEngine.stop`              as docker stop: only the hub knows that it was itself
    dockerd killed and started again         as docker stop, before the new daemon's bridge is made
    dockerd stopped and started again        nothing

The signal is written *before* the process ends, 20-40 ms ahead of `die`; `stop` and `destroy` come
40-70 ms *after* `die` (Engine 26 writes `stop` just before it). One who asks at the notice of a
death sees a stop by its signal at once, but `docker rm -f` still looks like a fault then: whoever
is about to act asks again, or finds the container gone. The answer ends at once (0.5 ms), since
`until` is in the past when it is read.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import aiohttp

from controller import clock
from controller.engine.events import DEFAULT_SOCKET, where
from controller.engine.inspect import LABEL_NUMBER, LABEL_PROJECT, LABEL_SERVICE, moment
from controller.errors import EngineUnreachableError
from controller.model.recovery import ByHand

_EVENTS = ("start", "kill", "pause", "die", "stop", "destroy")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_REAL_TIME = re.compile(r"RT(MIN|MAX)(?:([+-]\d+))?\Z")


@dataclass(frozen=True, slots=True)
class Signs:
    """What the engine remembers of the newest life of one container; times by the engine's clock.

    `term_times` are those of SIGTERM or the container's stop signal, `kill_times` of SIGKILL.
    """

    term_times: tuple[datetime, ...] = ()
    kill_times: tuple[datetime, ...] = ()
    paused_at: datetime | None = None
    died_at: datetime | None = None
    stopped_at: datetime | None = None
    destroyed_at: datetime | None = None

    @property
    def terms(self) -> int:
        return len(self.term_times)

    @property
    def kills(self) -> int:
        return len(self.kill_times)

    @property
    def stopped(self) -> bool:
        return self.stopped_at is not None

    @property
    def destroyed(self) -> bool:
        return self.destroyed_at is not None


@dataclass(frozen=True, slots=True)
class Asked:
    """What containers were asked to do, by container id."""

    containers: Mapping[str, Signs] = field(default_factory=dict)

    def of(self, container_id: str) -> Signs:
        """The signs of one container; empty where the engine remembers nothing of it."""
        return self.containers.get(container_id, Signs())


def by_hand(asked: Asked, container_id: str, own_terms: int = 0) -> ByHand | None:
    """How a person ended the container, or None: then it was a fault, or nothing happened.

    `own_terms` is how many `DockerEngine.stop` of ours answered True for this life. A bare SIGKILL
    (`docker kill`) says nothing of what is wanted: it looks like a fault and is healed like one.
    """
    signs = asked.of(container_id)
    if signs.destroyed:
        return ByHand.REMOVED
    if signs.terms > own_terms or (signs.stopped and not own_terms):
        return ByHand.STOPPED
    return None


async def asked_to_end(
    project: str,
    service: str,
    since: datetime,
    base_url: str | None = None,
    timeout_s: float = 2.0,
    stop_signal: str = "",
    number: int | None = None,
) -> Asked:
    """What the engine remembers of the service's containers from `since` until now, or of the one
    with that `number`.

    `since` is best the `started_at` of the life that ended. `stop_signal` is the image's or
    service's own ("SIGINT", "2"), where it has one. Raises EngineUnreachableError within
    `timeout_s` seconds for whatever keeps the engine from answering wholly.
    """
    connector, url = where(
        base_url or os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET, force_close=True
    )
    labels = [f"{LABEL_PROJECT}={project}", f"{LABEL_SERVICE}={service}"]
    labels += [] if number is None else [f"{LABEL_NUMBER}={number}"]
    filters = {"type": ["container"], "event": list(_EVENTS), "label": labels}
    try:
        async with (
            asyncio.timeout(timeout_s),
            aiohttp.ClientSession(url, connector=connector) as session,
        ):
            born = await _daemon_born(session)
            query = {
                "since": _stamp(since if born is None else max(since, born)),
                # Our clock cuts off what is below a microsecond; the engine compares nanoseconds.
                "until": _stamp(clock.now() + _MICROSECOND),
                "filters": json.dumps(filters),
            }
            async with session.get("/events", params=query) as answer:
                answer.raise_for_status()
                return read_signs((await answer.read()).splitlines(), stop_signal)
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
        raise EngineUnreachableError(
            f"asking the engine who ended {service}: {type(error).__name__}: {error}"
        ) from error


async def _daemon_born(session: aiohttp.ClientSession) -> datetime | None:
    """When the daemon had made its default bridge; None where it makes none (`--bridge=none`)."""
    async with session.get("/networks/bridge") as answer:
        if answer.status == 404:
            return None
        answer.raise_for_status()
        return moment((await answer.json())["Created"])


def read_signs(lines: Iterable[bytes], stop_signal: str = "") -> Asked:
    """Reads event lines, oldest first. Raises ValueError, KeyError or TypeError for others.

    A `start` begins a new life: what was asked of the one before says nothing about this one.
    """
    terms = {int(signal.SIGTERM), signal_number(stop_signal)} - {int(signal.SIGKILL)}
    found: dict[str, Signs] = {}
    for line in lines:
        if not line.strip():
            continue
        event = json.loads(line)
        container_id = event["Actor"]["ID"]
        signs = found.get(container_id, Signs())
        number = int(event["Actor"]["Attributes"].get("signal") or 0)
        at = _EPOCH + timedelta(microseconds=event["timeNano"] // 1000)
        found[container_id] = _with(signs, event["Action"], at, number, number in terms)
    return Asked(found)


def _with(signs: Signs, action: str, at: datetime, number: int, asks: bool) -> Signs:
    match action:
        case "start":
            return Signs()
        case "kill" if asks:
            return replace(signs, term_times=(*signs.term_times, at))
        case "kill" if number == signal.SIGKILL:
            return replace(signs, kill_times=(*signs.kill_times, at))
        case "pause":
            return replace(signs, paused_at=at)
        case "die":
            return replace(signs, died_at=at)
        case "stop":
            return replace(signs, stopped_at=at)
        case "destroy":
            return replace(signs, destroyed_at=at)
        case _:
            return signs


def signal_number(name: str) -> int:
    """The number of a signal as Compose and Docker write it ("TERM", "SIGINT", "2", "RTMIN+3").

    15, the engine's own default, for '' and for what is none.
    """
    bare = name.strip().upper().removeprefix("SIG")
    if bare.isdigit():
        return int(bare)
    if real_time := _REAL_TIME.match(bare):
        base = signal.SIGRTMIN if real_time[1] == "MIN" else signal.SIGRTMAX
        return int(base) + int(real_time[2] or 0)
    return int(getattr(signal.Signals, f"SIG{bare}", signal.SIGTERM))


def _stamp(at: datetime) -> str:
    """Seconds and nanoseconds as the engine reads them, without going through a float."""
    whole = (at.astimezone(UTC) - _EPOCH) // _MICROSECOND
    return f"{whole // 1_000_000}.{whole % 1_000_000:06d}000"
