"""Definitions, services and callers for tests of workflows: small, scripted, and without Docker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller.health.probe import Target
from controller.model.run import Error, Event, Kind, Run
from controller.model.text import text
from controller.model.workflow import Call, Definition, Retry, Step
from controller.model.workflow_json import hashed
from controller.store.journal import Backend, Journal
from controller.store.journal_sqlite import SqliteBackend
from controller.tasks import Tasks
from controller.workflow.activities import Asking, Broken
from controller.workflow.machine import Access, Readiness
from controller.workflow.outcome import Ending, Outcome
from controller.workflow.runner import Runner
from controller.workflow.workflows import Workflows

WELL = Readiness(Access.READY, text("health.ok"))
HEALING = Readiness(Access.HOLD, text("run.waits_healing", service="a"), "inc_1")
STOPPED = Readiness(Access.STOPPED, text("run.stopped", service="a"))

QUICK = Retry(attempts=3, backoff_s=0.001, max_backoff_s=0.002)


def step(name: str, *needs: str, **changes: Any) -> Step:
    """A step `name` of the service `name`, with the contract's own undo."""
    undo = Call("POST", f"/actions/{name}/compensate", {"idempotency_key": f"{name}"}, name)
    plain = Step(name, name, Call("POST", f"/actions/{name}", "${{ input }}", name), needs)
    return replace(plain, **{"retry": QUICK, "undo": undo} | changes)


def definition(*steps: Step, **changes: Any) -> Definition:
    """A workflow `w` of these steps."""
    return hashed(replace(Definition("w", tuple(steps), ""), **changes))


def line(*names: str) -> Definition:
    """Steps one after another."""
    before: Sequence[str] = ("", *names)
    return definition(*(step(n, *([b] if b else [])) for n, b in zip(names, before, strict=False)))


def diamond() -> Definition:
    """a → (b ∥ c ∥ d) → e → f."""
    return definition(
        step("a"),
        step("b", "a"),
        step("c", "a"),
        step("d", "a"),
        step("e", "b", "c", "d"),
        step("f", "e"),
    )


class FakeServices:
    """Every service is well, except where `how` says otherwise."""

    def __init__(self) -> None:
        self.how: dict[str, Readiness] = {}
        self.lost_as: dict[str, Readiness | None] = {}
        self.started: list[str] = []
        self.users: Counter[str] = Counter()
        self.touched_by: list[tuple[str, str]] = []
        self.on_change: Callable[[str], None] = lambda _: None

    def ready(self, service: str) -> Readiness:
        return self.how.get(service, WELL)

    def set(self, service: str, how: Readiness) -> None:
        self.how[service] = how
        self.on_change(service)

    def place(self, service: str) -> str:
        return service

    def target(self, service: str) -> Target | None:
        return Target("life", "127.0.0.1", 1)

    async def lost(self, service: str, life: str) -> Readiness | None:
        return self.lost_as.get(service)

    def enter(self, service: str) -> None:
        self.users[service] += 1

    def leave(self, service: str) -> None:
        self.users[service] -= 1

    async def start(self, service: str, by: str) -> None:
        self.started.append(service)
        self.set(service, WELL)

    def touched(self, service: str, run: str) -> None:
        self.touched_by.append((service, run))

    def untouched(self, service: str, run: str) -> None: ...


Answer = Callable[[Asking], Awaitable[Outcome | Broken]]


class FakeCaller:
    """Answers DONE with the step's name, unless `scripts` has something else for a step (or
    `undo:step`), in order. Remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.askings: list[Asking] = []
        self.scripts: dict[str, list[Outcome | Broken | Answer]] = {}
        self.changed = asyncio.Event()

    async def call(self, target: Target, asking: Asking) -> Outcome | Broken:
        undo = asking.call.path.endswith("/compensate")
        name = f"undo:{asking.step}" if undo else asking.step
        self.asked.append(name)
        self.askings.append(asking)
        self.changed.set()
        script = self.scripts.get(name)
        if not script:
            return Outcome(Ending.DONE, output={"did": asking.step})
        answer = script.pop(0)
        return await answer(asking) if callable(answer) else answer

    async def close(self) -> None: ...

    async def until_asked(self, name: str) -> None:
        """Wait until a step was asked."""
        async with asyncio.timeout(60):
            while name not in self.asked:
                self.changed.clear()
                await self.changed.wait()


class Recorder:
    """Every event of every run, as it was written."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Kind, str]] = []
        self.last: dict[str, Run] = {}
        self.changes = asyncio.Event()

    def changed(self, run: Run, definition: Definition, events: Sequence[Event]) -> None:
        self.events += [(run.id, event.kind, event.step) for event in events]
        self.last[run.id] = run
        self.changes.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self.changes.clear()
                await self.changes.wait()


class Bench:
    """A hub's workflows over a journal, with scripted services."""

    def __init__(self, definitions: Mapping[str, Definition], backend: Backend):
        self.services = FakeServices()
        self.caller = FakeCaller()
        self.seen = Recorder()
        self.died: list[str] = []
        self.tasks = Tasks(self.died.append)
        self.journal = Journal(backend)
        self.runner = Runner(self.journal, self.services, self.caller, self.tasks, [self.seen])
        self.workflows = Workflows(definitions, self.journal, self.runner, self.services)

    async def start(self) -> None:
        await self.journal.open()
        await self.workflows.take_up()

    async def stop(self) -> None:
        await self.tasks.close()
        await self.journal.close()

    async def run(self, given: Any = None, workflow: str = "w") -> Run:
        """Begin a run and wait for its end."""
        begun, _ = await self.workflows.submit(workflow, given, "test")
        return await self.workflows.wait(begun.id, 10)


@asynccontextmanager
async def bench(file: Path, *definitions: Definition) -> AsyncIterator[Bench]:
    made = Bench({d.name: d for d in definitions}, SqliteBackend(file))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def failing(status: int = 422) -> Outcome:
    """The service understood and refused."""
    return Outcome(Ending.PERMANENT, error=_http(status))


def busy(status: int = 503) -> Outcome:
    """The service asks to be asked again."""
    return Outcome(Ending.TEMPORARY, error=_http(status))


def broken() -> Broken:
    """The connection broke off."""
    return Broken(Error(text("run.broken_off")))


def _http(status: int) -> Error:
    return Error(text("run.http", status=status), status)
