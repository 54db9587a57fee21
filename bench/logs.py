"""Logs on the real engine and hub: how much is taken in, what a flood does, how fast one finds.

    python bench/logs.py [--only take,flood,search] [--seconds 30] [--lines 5000000]

`take`: five services write 20,000 lines a second together; none may be lost. `flood`: one writes as
fast as it can beside a quiet one. `search`: a store of many lines is asked eighty questions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx

from bench.chaos.arena import Arena
from bench.process import cpu_s, hub_pid, rss_mb
from controller.logs.feed import Feed
from controller.logs.intake import Intake
from controller.logs.library import Library
from controller.logs.query import Query, terms
from controller.model.log import Entry, Level, Stream
from controller.store.log_file import LogFile
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import SERVER, Stack, serving
from tests.integration.it_wait import eventually

_SERVICES = 5
_PER_S = 4_000
_TEXT = (
    "order payment user session cache timeout retry 재고 결제 주문 회원 접속 오류 처리 완료 지연 "
    "request response connection database index query upstream worker queue message token page"
)
# In pieces of a hundredth of a second, as a busy server's buffered output comes.
_WRITER = """
import os, sys, threading, time
def write():
    per_s, limit = float(os.environ["PER_S"]), int(os.environ["LINES"])
    n, began = 0, time.monotonic()
    while n < limit:
        due = min(limit, int((time.monotonic() - began) * per_s))
        if due > n:
            sys.stdout.write("".join(
                f"2026-11-25 10:00:00,123 INFO app.worker request id={i} took 12 ms "
                f"for user {i % 97} 처리 완료 ok\\n"
                for i in range(n, due)))
            sys.stdout.flush()
            n = due
        time.sleep(0.01)
    print("all written", flush=True)
threading.Thread(target=write, daemon=True).start()
"""
_FLOODER = """
import sys, threading
def flood():
    piece = ("flood of a service that never stops " + "y" * 64 + "\\n") * 500
    while True:
        sys.stdout.write(piece)
threading.Thread(target=flood, daemon=True).start()
"""
_TICKER = """
import threading, time
def tick():
    while True:
        print("tick", time.time(), flush=True)
        time.sleep(0.1)
threading.Thread(target=tick, daemon=True).start()
"""


def count(hub: HubProcess, **asked: str) -> int:
    """Entries that fit, by what a download of them holds."""
    address = f"http://127.0.0.1:{hub.port}/logs/download"
    with httpx.stream("GET", address, params=asked, timeout=120) as answer:
        return sum(1 for _ in answer.iter_lines())


class Delays:
    """How long after a tick was written it came by the live stream, in milliseconds."""

    def __init__(self, hub: HubProcess, service: str):
        self.found: list[float] = []
        self._ended = False
        self._address = f"http://127.0.0.1:{hub.port}/logs/stream?service={service}&q=tick"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with httpx.stream("GET", self._address, timeout=30) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    written = float(json.loads(line[6:])["text"].split()[1])
                    self.found.append((time.time() - written) * 1000)
                if self._ended:
                    return

    def end(self) -> list[float]:
        self._ended = True
        self._thread.join(10)
        return self.found


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def take(arena: Arena, seconds: int, say: Callable[[str], None]) -> None:
    lines = _PER_S * seconds
    environment = {"PER_S": str(_PER_S), "LINES": str(lines)}
    program = textwrap.dedent(_WRITER) + SERVER
    services = {
        f"writer{n}": serving(
            arena.image, arena.free_port(), program=program, environment=environment
        )
        for n in range(_SERVICES)
    }
    stack = arena.stack(services)
    hub = arena.hub(stack, started=())
    pid = hub_pid(hub)
    cpu, began = cpu_s(pid), time.monotonic()
    hub.client.done("start-all")
    eventually(
        lambda: (
            len(hub.client.get("/logs?q=%22all%20written%22&limit=9").json()["entries"])
            == _SERVICES
        ),
        seconds * 4 + 60,
        "all that was written is stored",
    )
    took, used = time.monotonic() - began, cpu_s(pid) - cpu
    stored = [count(hub, service=name, q="took") for name in services]
    size = sum(f.stat().st_size for f in stack.state.glob("logs.sqlite3*"))
    say(
        f"{_SERVICES} services, {_SERVICES * _PER_S:,} lines/s for {seconds} s: "
        f"{sum(stored):,} of {lines * _SERVICES:,} lines stored (goal: none lost), the hub used "
        f"{used / took:.2f} cores over {took:.0f} s (goal <= 1), "
        f"{used / sum(stored) * 1e6:.1f} us a line, {size / sum(stored):.0f} bytes of disk "
        f"a line, {rss_mb(pid):.0f} MB resident"
    )


def flood(arena: Arena, seconds: int, say: Callable[[str], None]) -> None:
    quiet = serving(arena.image, arena.free_port(), program=textwrap.dedent(_TICKER) + SERVER)
    loud = serving(
        arena.image,
        arena.free_port(),
        program=textwrap.dedent(_FLOODER) + SERVER,
        logging={"driver": "json-file", "options": {"max-size": "50m", "max-file": "3"}},
    )
    stack = arena.stack({"quiet": quiet, "loud": loud})
    hub = arena.hub(stack, started=("quiet",))
    pid = hub_pid(hub)
    before = Delays(hub, "quiet")
    time.sleep(5)
    calm = before.end()
    hub.client.post("/orchestration/services/loud/start", wait="false")
    delays, answers = Delays(hub, "quiet"), []
    cpu, began = cpu_s(pid), time.monotonic()
    while time.monotonic() - began < seconds:
        asked = time.perf_counter()
        hub.client.get("/orchestration/status")
        answers.append((time.perf_counter() - asked) * 1000)
        time.sleep(0.1)
    used = (cpu_s(pid) - cpu) / (time.monotonic() - began)
    felt = delays.end()
    written = folder_size(arena, stack)
    gaps = hub.client.get("/logs?service=loud&level=warning&limit=50").json()["entries"]
    hub.client.verb("services/loud/stop")
    say(
        f"a flood of {written} for {seconds} s: the other's tail p50 "
        f"{statistics.median(felt):.0f} ms, p99 {percentile(felt, 0.99):.0f} ms (goal <= 1,000; "
        f"calm: {percentile(calm, 0.99):.0f}), "
        f"{len(felt)} ticks; the hub used {used:.2f} cores, its status took p99 "
        f"{percentile(answers, 0.99):.0f} ms; {sum(g['stream'] == 'hub' for g in gaps)} gaps told; "
        f"{rss_mb(pid):.0f} MB resident"
    )


def folder_size(arena: Arena, stack: Stack) -> str:
    path = Path(arena.witness.one(stack.project, "loud")["LogPath"])
    size = (
        sum(f.stat().st_size for f in path.parent.glob(path.name + "*"))
        if path.parent.exists()
        else 0
    )
    return f"{size / 1e6:.0f} MB of files left"


async def _fill(file: Path, lines: int, say: Callable[[str], None]) -> None:
    intake = Intake(LogFile(file), Feed(), lambda text: text)
    await intake.open()
    chance = random.Random(7)
    numbers = [(await intake.source(f"service{n}", f"{n:064x}"))[0] for n in range(_SERVICES)]
    base = time.time_ns() - lines * 200_000
    began = time.monotonic()
    for at in range(0, lines, 1000):
        entries = []
        for n in range(at, at + 1000):
            words = " ".join(chance.choices(_TEXT.split(), k=8))
            level = Level.ERROR if n % 500 == 0 else Level.INFO
            run = f"run_{n // 100_000:012x}_0000beef" if n % 1000 < 10 else ""
            text = (
                f"{level.name} id={n} {words} took {n % 977} ms trace={chance.getrandbits(48):012x}"
            )
            entries.append(Entry(base + n * 200_000, Stream.OUT, level, text, run))
        await intake.take(numbers[at // 1000 % _SERVICES], entries, (0, 0))
        await intake.write()
        if at % 1_000_000 == 0 and at:
            say(f"  {at:,} lines written, {(time.monotonic() - began) / at * 1e6:.1f} us a line")
    await intake.close()


async def _search(file: Path, lines: int, say: Callable[[str], None]) -> None:
    intake = Intake(LogFile(file), Feed(), lambda text: text)
    await intake.open()
    library = Library(file, intake, Feed())
    chance = random.Random(8)
    took: dict[str, list[float]] = {}
    late = 0
    questions: list[tuple[str, Query]] = []
    for n in range(10):
        number = chance.randrange(lines)
        a, b = chance.sample(_TEXT.split(), 2)
        now = time.time_ns()
        questions += [
            ("one line by its number", Query(words=terms(f"id={number} ")[0])),
            ("a word that is nowhere", Query(words=(f"nowhere{n}x",))),
            ("two common words", Query(words=(a, b))),
            ("a Korean word", Query(words=(("재고", "결제", "주문", "회원")[n % 4],))),
            ("a rare phrase", Query(words=(f"took {number % 977} ms", f"{a} {b}"))),
            (
                "errors of a service",
                Query(services=frozenset({f"service{n % 5}"}), level=Level.ERROR),
            ),
            ("a run", Query(run=f"run_{number // 100_000:012x}_0000beef")),
            (
                "an hour's errors with a word",
                Query(level=Level.ERROR, words=(a,), since=now - 3600 * 10**9),
            ),
        ]
    for name, query in questions:
        began = time.perf_counter()
        page = await library.find(query, 100)
        took.setdefault(name, []).append((time.perf_counter() - began) * 1000)
        late += page.reached is not None
    every = [ms for found in took.values() for ms in found]
    for name, found in took.items():
        say(f"  {name}: median {statistics.median(found):.1f} ms, at most {max(found):.1f} ms")
    size = (await library.kept()).size
    say(
        f"search over {lines:,} lines: p50 {statistics.median(every):.1f} ms, p95 "
        f"{percentile(every, 0.95):.1f} ms (goal <= 300) over {len(every)} questions, {late} of "
        f"them not looked to the end; {size / lines:.0f} bytes of disk a line"
    )
    library.close()
    await intake.close()


def search(lines: int, say: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "logs.sqlite3"
        asyncio.run(_fill(file, lines, say))
        asyncio.run(_search(file, lines, say))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="take,flood,search")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--lines", type=int, default=5_000_000)
    chosen = parser.parse_args()
    only = chosen.only.split(",")

    def say(text: str) -> None:
        print(text, flush=True)

    if "take" in only:
        with Arena() as arena:
            take(arena, chosen.seconds, say)
    if "flood" in only:
        with Arena() as arena:
            flood(arena, chosen.seconds, say)
    if "search" in only:
        search(chosen.lines, say)


if __name__ == "__main__":
    main()
