"""Who ended a container: recorded event lines of Engine 20.10, one set for each way to end one."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from controller import clock
from controller.engine.events import service_events
from controller.engine.intent import Asked, Signs, asked_to_end, by_hand, read_signs, signal_number
from controller.errors import EngineUnreachableError
from controller.model.recovery import ByHand

_RECORDED = Path(__file__).parent / "recorded" / "events_endings.json"
LINES: dict[str, list[str]] = json.loads(_RECORDED.read_text("utf-8"))


def raw(name: str) -> list[bytes]:
    return [line.encode() for line in LINES[name]]


def only(name: str, stop_signal: str = "") -> tuple[str, Asked]:
    asked = read_signs(raw(name), stop_signal)
    (container_id,) = asked.containers
    return container_id, asked


@pytest.mark.parametrize(
    ("name", "terms", "kills", "stopped", "destroyed", "verdict"),
    [
        ("killed_from_host", 0, 0, False, False, None),
        ("exited", 0, 0, False, False, None),
        ("out_of_memory", 0, 0, False, False, None),
        ("kill", 0, 1, False, False, None),
        ("kill_hup", 0, 0, False, False, None),
        ("kill_term", 1, 0, False, False, ByHand.STOPPED),
        ("stop", 1, 0, True, False, ByHand.STOPPED),
        ("stop_ignored", 1, 1, True, False, ByHand.STOPPED),
        ("stop_at_once", 1, 1, True, False, ByHand.STOPPED),
        ("stop_paused", 1, 0, True, False, ByHand.STOPPED),
        ("remove", 0, 1, False, True, ByHand.REMOVED),
        ("removed_after_exit", 0, 0, False, True, ByHand.REMOVED),
        ("restart", 0, 0, False, False, None),
        ("pause", 0, 0, False, False, None),
    ],
)
def test_each_way_to_end_a_container(
    name: str, terms: int, kills: int, stopped: bool, destroyed: bool, verdict: ByHand | None
) -> None:
    container_id, asked = only(name)
    signs = asked.of(container_id)
    found = (signs.terms, signs.kills, signs.stopped, signs.destroyed)
    assert found == (terms, kills, stopped, destroyed)
    assert by_hand(asked, container_id) is verdict


def test_our_own_stop_is_no_person() -> None:
    container_id, asked = only("stop")
    assert by_hand(asked, container_id, own_terms=1) is None


def test_a_person_who_stops_beside_our_own_stop_is_seen() -> None:
    container_id, _ = only("stop")
    asked = read_signs([raw("stop")[0], *raw("stop")])
    assert by_hand(asked, container_id, own_terms=1) is ByHand.STOPPED


def test_a_removal_counts_even_after_our_own_stop() -> None:
    container_id, asked = only("remove")
    assert by_hand(asked, container_id, own_terms=1) is ByHand.REMOVED


def test_the_signal_alone_tells_a_stop_before_the_engine_says_it() -> None:
    container_id, _ = only("stop")
    early = read_signs(raw("stop")[:2])
    assert not early.of(container_id).stopped
    assert by_hand(early, container_id) is ByHand.STOPPED


def test_a_stop_of_an_earlier_life_says_nothing_of_the_next() -> None:
    container_id, _ = only("restart")
    before = read_signs(raw("restart")[:3])
    assert by_hand(before, container_id) is ByHand.STOPPED
    assert read_signs(raw("restart")).of(container_id) == Signs()


def test_a_stop_signal_of_its_own_counts_beside_sigterm() -> None:
    container_id, asked = only("kill_hup", stop_signal="SIGHUP")
    assert by_hand(asked, container_id) is ByHand.STOPPED
    assert only("kill_term", stop_signal="SIGHUP")[1].of(only("kill_term")[0]).terms == 1


def test_sigkill_as_stop_signal_is_told_by_the_stop_alone() -> None:
    container_id, asked = only("kill", stop_signal="SIGKILL")
    assert (asked.of(container_id).terms, asked.of(container_id).kills) == (0, 1)
    assert by_hand(asked, container_id) is None


def test_times_are_the_engines() -> None:
    container_id, asked = only("remove")
    signs = asked.of(container_id)
    stamps = [json.loads(line)["timeNano"] // 1000 for line in LINES["remove"]]
    at = [datetime.fromtimestamp(0, UTC) + timedelta(microseconds=stamp) for stamp in stamps]
    assert [signs.kill_times[0], signs.died_at, signs.destroyed_at] == at
    paused_id, paused = only("pause")
    assert paused.of(paused_id).paused_at is not None


def test_containers_are_kept_apart_and_strangers_are_empty() -> None:
    stop_id, _ = only("stop")
    kill_id, _ = only("kill")
    asked = read_signs([*raw("stop"), b"", *raw("kill")])
    assert by_hand(asked, stop_id) is ByHand.STOPPED
    assert by_hand(asked, kill_id) is None
    assert by_hand(asked, "f" * 64) is None


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("", 15),
        ("SIGTERM", 15),
        ("term", 15),
        ("SIGINT", 2),
        ("3", 3),
        ("SIGQUIT", 3),
        ("SIGRTMIN+3", int(signal.SIGRTMIN) + 3),
        ("RTMAX-1", int(signal.SIGRTMAX) - 1),
        ("RTMIN", int(signal.SIGRTMIN)),
        ("nonsense", 15),
    ],
)
def test_signals_by_name(name: str, number: int) -> None:
    assert signal_number(name) == number


# -- asking


class Engine:
    """Answers /events over a socket with what a test says; remembers the questions."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.status = 200
        self.hangs = False
        self.asked: list[dict[str, str]] = []
        self.bridge: dict[str, str] | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        if self.hangs:
            await asyncio.Event().wait()
        return web.Response(status=self.status, body=b"\n".join(self.lines) + b"\n")

    async def network(self, request: web.Request) -> web.StreamResponse:
        if self.bridge is None:
            return web.json_response({"message": "no such network"}, status=404)
        return web.json_response(self.bridge)


@pytest.fixture
async def engine(tmp_path: Path):  # type: ignore[no-untyped-def]
    answering = Engine()
    application = web.Application()
    application.router.add_get("/events", answering.answer)
    application.router.add_get("/networks/bridge", answering.network)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "engine.sock")).start()
    yield answering, f"unix://{tmp_path}/engine.sock"
    await runner.cleanup()


SINCE = datetime(2026, 11, 23, 2, 0, 26, 949674, UTC)


async def test_the_question_names_the_service_and_a_closed_span(engine: tuple[Engine, str]) -> None:
    answering, url = engine
    answering.lines = raw("stop")
    before = clock.now()
    asked = await asked_to_end("shop", "web", SINCE, url)
    assert by_hand(asked, next(iter(asked.containers))) is ByHand.STOPPED
    (query,) = answering.asked
    assert query["since"] == "1795399226.949674000"
    seconds, nanoseconds = map(int, query["until"].split("."))
    until = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=nanoseconds // 1000)
    assert before < until <= clock.now() + timedelta(microseconds=1)
    assert len(query["until"].split(".")[1]) == 9
    filters = json.loads(query["filters"])
    assert set(filters["label"]) == {
        "com.docker.compose.project=shop",
        "com.docker.compose.service=web",
    }
    assert {"kill", "stop", "die", "destroy", "pause"} <= set(filters["event"])


@pytest.mark.parametrize(
    ("created", "since"),
    [
        ("2026-11-23T02:00:00.5Z", "1795399226.949674000"),
        ("2026-11-23T02:10:00.181045242Z", "1795399800.181045000"),
        ("2026-11-23T11:10:00.181045242+09:00", "1795399800.181045000"),
    ],
)
async def test_what_a_daemon_did_while_it_started_is_no_evidence(
    engine: tuple[Engine, str], created: str, since: str
) -> None:
    answering, url = engine
    answering.bridge = {"Created": created}
    assert await asked_to_end("shop", "web", SINCE, url) == Asked()
    assert answering.asked[0]["since"] == since


async def test_an_engine_that_hangs_is_unreachable_in_time(engine: tuple[Engine, str]) -> None:
    answering, url = engine
    answering.hangs = True
    begun = clock.monotonic()
    with pytest.raises(EngineUnreachableError, match="web"):
        await asked_to_end("shop", "web", SINCE, url, timeout_s=0.2)
    assert clock.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("status", "line"), [(500, b"{}"), (200, b"nonsense"), (200, b"{}"), (200, b'{"Actor": 1}')]
)
async def test_an_answer_that_cannot_be_read_is_no_answer(
    engine: tuple[Engine, str], status: int, line: bytes
) -> None:
    answering, url = engine
    answering.status, answering.lines = status, [line]
    with pytest.raises(EngineUnreachableError):
        await asked_to_end("shop", "web", SINCE, url)


async def test_no_engine_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachableError):
        await asked_to_end("shop", "web", SINCE, f"unix://{tmp_path}/none.sock")


# -- waking


def event(action: str) -> bytes:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    return json.dumps({"Action": action, "Actor": {"ID": "1", "Attributes": labels}}).encode()


@pytest.mark.parametrize(
    ("action", "wakes"),
    [
        ("pause", True),
        ("unpause", True),
        ("destroy", True),
        ("oom", True),
        ("die", True),
        ("health_status: unhealthy", True),
        ("exec_start: curl -f http://localhost", False),
        ("top", False),
    ],
)
async def test_which_events_wake(engine: tuple[Engine, str], action: str, wakes: bool) -> None:
    answering, url = engine
    answering.lines = [event(action)]
    woken = [name async for name in service_events("shop", lambda: None, url)]
    assert woken == ([("web", 1)] if wakes else [])
