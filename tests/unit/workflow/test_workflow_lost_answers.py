"""A journal that did what it was asked, and whose answer got lost: nothing is done twice by it, and
no run is left that nobody carries out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from controller.errors import StoreError
from controller.model.run import Kind, RunStatus
from controller.store.journal import Append, FencedError, NewRun, StoredRun, StoreGoneError
from controller.store.journal_rows import Written
from controller.store.journal_sqlite import SqliteBackend
from controller.workflow.activities import Asking
from controller.workflow.keeper import Keeper
from controller.workflow.outcome import Ending, Outcome
from tests.unit.workflow.workflow_builders import Bench, line


class Forgetful(SqliteBackend):
    """The next call named in `lose` is carried out, and its answer is lost. `fenced`: another
    hub has taken over, which the next beat hears."""

    def __init__(self, file: Path):
        super().__init__(file)
        self.lose = ""
        self.fenced = False
        self.inherited: list[str] = []
        self.may_read: threading.Event | None = None
        self.may_answer: threading.Event | None = None
        self.has_read = threading.Event()

    def live(self) -> list[StoredRun]:
        if self.may_read is None or self.may_answer is None:
            return super().live()
        assert self.may_read.wait(60)
        found = super().live()
        self.has_read.set()
        assert self.may_answer.wait(60)
        return found

    def write(self, batch: Sequence[NewRun | Append]) -> Written:
        answer = super().write(batch)
        kind = "create" if isinstance(batch[0], NewRun) else "append"
        self._lose(kind)
        return answer

    def beat(self) -> list[str]:
        if self.fenced:
            self.fenced = False
            raise FencedError("another hub")
        inherited, self.inherited = self.inherited, []
        self._lose("beat")
        return inherited

    def _lose(self, kind: str) -> None:
        if self.lose == kind:
            self.lose = ""
            raise StoreGoneError("the connection was cut", remedy="wait")


Hub = tuple[Bench, Forgetful, Keeper]


@pytest.fixture
def parts(tmp_path: Path) -> Hub:
    backend = Forgetful(tmp_path / "runs.sqlite3")
    made = Bench({"w": line("a", "b")}, backend)
    return (
        made,
        backend,
        Keeper(made.journal, made.runner, made.workflows, keep_s=86400.0, keep=100, zone="UTC"),
    )


@pytest.fixture
async def hub(parts: Hub) -> AsyncIterator[Hub]:
    bench, _, keeper = parts
    await bench.start()
    keeper.open = True
    yield parts
    await bench.stop()


async def only_run(bench: Bench) -> str:
    (found,) = (await bench.workflows.runs(None, None, 10, None)).lines
    return found.id


async def test_a_run_whose_making_was_never_acknowledged_goes_on(
    hub: Hub,
) -> None:
    bench, backend, keeper = hub
    backend.lose = "create"
    with pytest.raises(StoreError, match="cut"):
        await bench.workflows.submit("w", None, "me", "key")
    run_id = await only_run(bench)
    assert bench.runner.find(run_id) is None
    await keeper.beat_once()
    end = await bench.workflows.wait(run_id, 10)
    assert end.status is RunStatus.SUCCEEDED
    assert bench.caller.asked == ["a", "b"]
    again, is_new = await bench.workflows.submit("w", None, "me", "key")
    assert (again.id, is_new) == (run_id, False)


async def test_events_that_were_written_are_not_written_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.workflow.runner._RETRY_S", 0.01)
    bench, backend, _ = hub
    backend.lose = "append"
    end = await bench.run()
    assert backend.lose == ""
    assert end.status is RunStatus.SUCCEEDED
    assert bench.caller.asked == ["a", "b"]
    stored = await bench.journal.run(end.id)
    assert stored is not None
    kinds = [event.kind for event in stored.events]
    assert kinds.count(Kind.STEP_SUCCEEDED) == 2
    assert kinds.count(Kind.ENDED) == 1


async def test_runs_taken_over_in_a_beat_whose_answer_got_lost_go_on(
    hub: Hub,
) -> None:
    bench, backend, keeper = hub
    backend.lose = "create"
    with pytest.raises(StoreError):
        await bench.workflows.submit("w", None, "me")
    run_id = await only_run(bench)
    bench.workflows.unsure = False
    backend.inherited = [run_id]
    backend.lose = "beat"
    await keeper.beat_once()
    assert bench.runner.find(run_id) is None
    await keeper.beat_once()
    assert (await bench.workflows.wait(run_id, 10)).status is RunStatus.SUCCEEDED


async def test_what_begins_and_ends_while_runs_are_taken_up_is_left_alone(hub: Hub) -> None:
    bench, backend, _ = hub
    going = asyncio.Event()

    async def slow(asking: Asking) -> Outcome:
        await going.wait()
        return Outcome(Ending.DONE)

    bench.caller.scripts["b"] = [slow]
    backend.may_read, backend.may_answer = threading.Event(), threading.Event()
    taking_up = asyncio.create_task(bench.workflows.take_up())
    await asyncio.sleep(0)
    run, _ = await bench.workflows.submit("w", None, "me")
    await bench.caller.until_asked("b")
    backend.may_read.set()
    await asyncio.to_thread(backend.has_read.wait, 10)
    going.set()
    assert (await bench.workflows.wait(run.id, 10)).status is RunStatus.SUCCEEDED
    backend.may_answer.set()
    assert await taking_up == 0
    assert bench.runner.find(run.id) is None
    assert bench.caller.asked == ["a", "b"]


async def test_a_hub_that_was_taken_over_lets_go_even_of_what_has_just_begun(hub: Hub) -> None:
    bench, _, _ = hub
    run, _ = await bench.workflows.submit("w", None, "me")
    live = bench.runner.find(run.id)
    assert live is not None
    # Its task has not had its first turn yet.
    await bench.runner.let_go()
    assert live.done.is_set()
    assert bench.runner.live == bench.runner.under_way("w") == []


async def test_a_hub_that_hears_it_was_taken_over_lets_go_and_begins_anew(hub: Hub) -> None:
    bench, backend, keeper = hub
    left = asyncio.Event()

    async def never(asking: Asking) -> Outcome:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError

    bench.caller.scripts["a"] = [never]
    await bench.workflows.submit("w", None, "me")
    await bench.caller.until_asked("a")
    backend.fenced = True
    await keeper.beat_once()
    await left.wait()
    assert bench.runner.live == []
    assert keeper.problem == "another hub"
    await keeper.beat_once()
    assert keeper.problem is None
    assert (await bench.run()).status is RunStatus.SUCCEEDED
