"""What is seen is what is there: restarts, answers, disks, certificates and ends of runs."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from socket import create_server

import pytest

from controller import clock
from controller.alerts.facts import RunEnd
from controller.alerts.run_ends import RunEnds
from controller.alerts.senses import disks, p95, restarts_of
from controller.engine.certificate import expires_at
from controller.errors import StoreError
from controller.model.incident import Act, Ending, Entry, Incident, Kind
from controller.model.probe import ProbeResult
from controller.model.run import Error, Event, Run, RunLine, RunPage, RunStatus
from controller.model.run import Kind as Happened
from controller.model.text import text
from controller.model.workflow import Definition
from tests.unit.alerts.watch import at, incident


def restarted(*seconds: float, cause: str = "incident.at_once", **more: object) -> Incident:
    lines = tuple(Entry(at(s), Act.START, text(cause), "done") for s in seconds)
    return replace(incident("web"), timeline=lines, **more)  # type: ignore[arg-type]


def test_restarts_count_that_healing_made_for_the_services_own_sake() -> None:
    told = [
        restarted(1, 2),
        restarted(3, closed_at=at(4), outcome=Ending.RECOVERED),
        restarted(5, cause="incident.after_pause"),
        restarted(10, rehearsal="reh_1"),
        restarted(11, kind=Kind.DEPENDENCY),
        restarted(12, outcome=Ending.GAVE_UP),
        restarted(13, outcome=Ending.OPERATOR),
        restarted(14, cause="incident.hub_was_away"),
        restarted(15, cause="cause.dependent_restart"),
        replace(restarted(16), service="db"),
    ]
    assert restarts_of(told, "web") == (at(1), at(2), at(3), at(5))


def test_p95_is_of_good_answers_and_of_enough_of_them() -> None:
    good = [ProbeResult(at(n), True, text("x"), float(n)) for n in range(1, 21)]
    bad = [ProbeResult(at(n), False, text("x"), 9_999.0) for n in range(30)]
    assert p95([*good, *bad]) == 20.0
    assert p95([*good[:9], *bad]) is None
    assert p95([ProbeResult(at(1), True, text("x"))] * 50) is None


def test_a_disk_is_told_once_and_what_is_out_of_sight_is_not(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (one,) = disks(tmp_path, below)
    assert (one.path, one.what) == (str(tmp_path), "state")
    assert 0 < one.free_bytes <= one.total_bytes
    assert [disk.what for disk in disks(tmp_path / "gone", below)] == ["engine"]
    assert len(disks(tmp_path, Path("/proc"))) == 2


def certified(folder: Path, days: int) -> None:
    """ca.pem, cert.pem and key.pem, good for so many days; one for all, which signs itself."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days)]
    command += ["-subj", "/CN=localhost", "-keyout", str(folder / "key.pem")]
    subprocess.run([*command, "-out", str(folder / "cert.pem")], check=True, capture_output=True)
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())


async def test_the_certificate_of_an_engine_over_tls_has_an_end(tmp_path: Path) -> None:
    await asyncio.to_thread(certified, tmp_path, 12)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    listener = create_server(("127.0.0.1", 0))

    def shake_hands() -> None:
        raw, _ = listener.accept()
        with context.wrap_socket(raw, server_side=True) as secure:
            secure.recv(1)

    thread = threading.Thread(target=shake_hands)
    thread.start()
    port = listener.getsockname()[1]
    env = {
        "DOCKER_HOST": f"tcp://127.0.0.1:{port}",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
    }
    until = await asyncio.to_thread(expires_at, env)
    await asyncio.to_thread(thread.join)
    listener.close()
    assert until is not None
    left = until - clock.now()
    assert timedelta(days=11) < left <= timedelta(days=12)
    assert await asyncio.to_thread(expires_at, env) is None


@pytest.mark.parametrize(
    "env", [{}, {"DOCKER_HOST": "unix:///x"}, {"DOCKER_HOST": "tcp://127.0.0.1:1"}]
)
def test_an_engine_without_tls_has_no_certificate(env: dict[str, str]) -> None:
    assert expires_at(env) is None


def run(status: RunStatus, **more: object) -> Run:
    made = Run("run_1", "orders", "h", status, None, 0.0, "kim", {}, ended_at=9.0)
    return replace(made, **more)  # type: ignore[arg-type]


ENDED = (Event(Happened.ENDED, 9.0),)


def told_of(one: Run, events: Sequence[Event] = ENDED, holds: bool = False) -> list[RunEnd]:
    told: list[RunEnd] = []
    definition: Definition = None  # type: ignore[assignment]
    RunEnds(told.append, lambda _: holds).changed(one, definition, events)
    return told


def test_only_ends_that_matter_are_told() -> None:
    why = Error(text("run.timeout"))
    (bad,) = told_of(run(RunStatus.FAILED, error=why))
    assert (bad.run, bad.good, bad.undo_failed, bad.reason) == ("run_1", False, False, why.reason)
    assert told_of(run(RunStatus.COMPENSATION_FAILED))[0].undo_failed
    assert not told_of(run(RunStatus.COMPENSATED))[0].good
    assert told_of(run(RunStatus.SUCCEEDED)) == []
    assert told_of(run(RunStatus.CANCELLED)) == []
    assert told_of(run(RunStatus.SUCCEEDED, retry_of="run_0"))[0].good
    assert told_of(run(RunStatus.CANCELLED), holds=True)[0].good
    assert told_of(run(RunStatus.FAILED), events=()) == []


class FakeRuns:
    """Pages of two, and a journal that opens late."""

    def __init__(self, lines: list[RunLine], closed: int = 0):
        self._lines = lines
        self._closed = closed

    async def runs(
        self, workflow: str | None, status: RunStatus | None, limit: int, cursor: str | None
    ) -> RunPage:
        if self._closed:
            self._closed -= 1
            raise StoreError("not open yet")
        found = [line for line in self._lines if line.status is status]
        start = int(cursor or 0)
        more = str(start + 2) if len(found) > start + 2 else None
        return RunPage(tuple(found[start : start + 2]), more)


async def test_what_ended_badly_while_the_hub_was_away_is_told_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.alerts.run_ends._RETRY_S", 0.001)

    def line(number: int, status: RunStatus, ended: float | None) -> RunLine:
        return RunLine(f"run_{number}", "orders", status, 0.0, 0.0, ended, "kim", "h")

    lines = [
        line(1, RunStatus.FAILED, 50.0),
        line(2, RunStatus.FAILED, 150.0),
        line(3, RunStatus.COMPENSATION_FAILED, 120.0),
        line(4, RunStatus.SUCCEEDED, 160.0),
        line(5, RunStatus.FAILED, 100.0),
        line(6, RunStatus.COMPENSATED, 130.0),
        line(7, RunStatus.FAILED, 110.0),
    ]
    told: list[RunEnd] = []
    ends = RunEnds(told.append, lambda _: False)
    await ends.catch_up(FakeRuns(lines, closed=2), seen=100.0)
    assert [end.run for end in told] == ["run_7", "run_3", "run_6", "run_2"]
    assert [end.undo_failed for end in told] == [False, True, False, False]
