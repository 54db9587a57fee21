"""Two hubs on one PostgreSQL, as real processes: one is killed, one is frozen, and the database
itself goes away. Nothing acknowledged is lost, and nothing that was done is done again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from controller.clock import monotonic
from tests.integration.it_hub import ROOT
from tests.integration.it_postgres import Cluster, Look
from tests.integration.it_wait import eventually

_TAKEN_OVER_S = 10.0
_RUNS = 20
Json = dict[str, Any]


class StepService(ThreadingHTTPServer):
    """Answers every step that one hub asks. `b` waits until `go`; `asked` is what was asked."""

    daemon_threads = True
    # Hundreds come at once; the usual five would make the kernel drop the others for a while.
    request_queue_size = 1024

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Steps)
        self.go = threading.Event()
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def keys(self, step: str) -> Counter[str]:
        """How often each run was asked for the step."""
        split = [key.split(":") for key in self.asked]
        return Counter(run for run, *rest in split if rest == [step])

    def close(self) -> None:
        self.go.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *who: object) -> None:
        """A hub that was killed takes no answer any more."""


class _Steps(BaseHTTPRequestHandler):
    server: StepService

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        self.server.asked.append(key)
        if key.endswith(":b"):
            self.server.go.wait(120)
        body = json.dumps({"did": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None: ...


class Worker:
    """A hub as a process, and the service whose steps it asks."""

    def __init__(self, dsn: str, log: Path):
        self.log = log
        self.service = StepService()
        words = ["-m", "tests.integration.it_two_hubs_worker", dsn, str(self.service.server_port)]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        eventually(lambda: self.look()["problem"] is None, 30, f"the hub is open: {log}")

    def ask(self, what: str, **more: object) -> Json:
        self.say(what, **more)
        return self.answer()

    def say(self, what: str, **more: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **more}).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self) -> Json:
        assert self._process.stdout is not None
        raw = self._process.stdout.readline()
        assert raw, self.log.read_text()[-2000:]
        found: Json = json.loads(raw)
        return found

    def look(self) -> Json:
        return self.ask("look")

    def submit(self, number: int, key: str | None = None) -> list[str]:
        """Ids of new runs, all of them acknowledged."""
        answer = self.ask("submit", number=number, key=key)
        assert answer["refused"] == []
        runs: list[str] = answer["runs"]
        return runs

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def kill9(self) -> None:
        self._process.kill()
        self._process.wait(60)

    def close(self) -> None:
        self.service.close()
        self.send(signal.SIGCONT)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(60)
        finally:
            self._process.kill()


MakeWorker = Callable[[], Worker]


@pytest.fixture
def make_worker(dsn: str, tmp_path: Path) -> Iterator[MakeWorker]:
    with ExitStack() as at_end:
        names = iter("ABC")

        def make() -> Worker:
            worker = Worker(dsn, tmp_path / f"{next(names)}.log")
            at_end.callback(worker.close)
            return worker

        yield make


def in_flight(worker: Worker) -> list[str]:
    """Runs of which every one has done `a` and waits for the answer to `b`."""
    runs = worker.submit(_RUNS)
    eventually(lambda: len(worker.service.keys("b")) == _RUNS, 30, "every run asked for b")
    return runs


def succeeded(look: Look, runs: list[str]) -> bool:
    sql = "SELECT count(*) FROM heal7.run WHERE status = 'succeeded' AND id = ANY(%s)"
    return bool(look.rows(sql, runs) == [(len(runs),)])


def written(look: Look, runs: list[str]) -> list[Any]:
    """All that the journal says of these runs."""
    return [
        look.rows("SELECT * FROM heal7.run WHERE id = ANY(%s) ORDER BY id", runs),
        look.rows("SELECT * FROM heal7.entry WHERE run = ANY(%s) ORDER BY run, seq", runs),
    ]


def test_the_runs_of_a_killed_hub_are_finished_by_the_other(
    make_worker: MakeWorker, look: Look
) -> None:
    killed, other = make_worker(), make_worker()
    other.service.go.set()
    runs = in_flight(killed)
    killed.kill9()
    since = monotonic()
    eventually(lambda: succeeded(look, runs), _TAKEN_OVER_S, "the other hub finished all of them")
    print(f"{_RUNS} runs finished {monotonic() - since:.1f} s after the kill")
    once = dict.fromkeys(runs, 1)
    assert killed.service.keys("a") == killed.service.keys("b") == once
    assert other.service.keys("a") == Counter()
    assert other.service.keys("b") == other.service.keys("c") == once
    assert eventually(lambda: other.look()["live"] == 0)


def test_a_frozen_hub_that_wakes_writes_nothing_and_begins_anew(
    make_worker: MakeWorker, look: Look
) -> None:
    frozen = make_worker()
    (old,) = look.hubs()
    other = make_worker()
    other.service.go.set()
    runs = in_flight(frozen)
    frozen.send(signal.SIGSTOP)
    since = monotonic()
    eventually(lambda: succeeded(look, runs), _TAKEN_OVER_S, "the other hub finished all of them")
    print(f"{_RUNS} runs finished {monotonic() - since:.1f} s after the freeze")
    before = written(look, runs)
    # When it wakes, all its answers are there to be written.
    frozen.service.go.set()
    frozen.send(signal.SIGCONT)
    eventually(lambda: frozen.look() == {"live": 0, "problem": None}, 30, "it begins anew")
    assert "another hub" in frozen.log.read_text()
    assert len(look.hubs()) == 2
    assert old not in look.hubs()
    more = frozen.submit(_RUNS)
    eventually(lambda: succeeded(look, more), 30, "its new runs end")
    assert written(look, runs) == before
    assert frozen.service.keys("c") == dict.fromkeys(more, 1)
    assert other.service.keys("a") == Counter()
    assert other.service.keys("b") == dict.fromkeys(runs, 1)


def test_a_key_begins_one_run_whichever_hub_is_asked(make_worker: MakeWorker, look: Look) -> None:
    one, other = make_worker(), make_worker()
    for worker in (one, other):
        worker.service.go.set()
        worker.say("submit", number=10, key="k")
    runs = {run for worker in (one, other) for run in worker.answer()["runs"]}
    assert len(runs) == 1
    eventually(lambda: succeeded(look, list(runs)))
    assert len(one.service.keys("a") + other.service.keys("a")) == 1


def test_runs_outlast_their_database(make_worker: MakeWorker, look: Look, cluster: Cluster) -> None:
    hub = make_worker()
    runs = in_flight(hub)
    cluster.crash()
    try:
        hub.service.go.set()
        refused = hub.ask("submit", number=3)
    finally:
        cluster.start()
    assert refused["runs"] == []
    assert all(why.startswith("StoreGoneError: PostgreSQL") for why in refused["refused"])
    eventually(lambda: succeeded(look, runs), 30, "what was acknowledged ends")
    once = dict.fromkeys(runs, 1)
    assert all(hub.service.keys(step) == once for step in "abc")
    assert look.rows("SELECT count(*) FROM heal7.run") == [(_RUNS,)]
    eventually(lambda: hub.look() == {"live": 0, "problem": None})
    assert len(hub.submit(1)) == 1


def test_what_a_dying_database_acknowledged_and_what_it_only_wrote_both_end(
    make_worker: MakeWorker, look: Look, cluster: Cluster
) -> None:
    hub = make_worker()
    hub.service.go.set()
    hub.say("submit", number=1500)
    count = "SELECT count(*) FROM heal7.run"
    eventually(lambda: look.rows(count)[0][0] >= 50)
    cluster.crash()
    cluster.start()
    answer = hub.answer()
    eventually(lambda: hub.look() == {"live": 0, "problem": None}, 60, "all that is on disk ends")
    there = [row[0] for row in look.rows("SELECT id FROM heal7.run")]
    assert set(answer["runs"]) <= set(there)
    eventually(lambda: succeeded(look, there), 60, "and ends well")
    assert answer["refused"]
    made, refused = (len(answer[part]) for part in ("runs", "refused"))
    print(f"{made} acknowledged, {refused} refused, {len(there)} on disk")
