"""Runs carried out over a real journal file, with scripted services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.errors import ConflictError, NotFoundError, RunInputError, StoreError
from controller.model.run import Event, Kind, Run, RunStatus, StepStatus, UndoStatus
from controller.model.text import text
from controller.model.workflow import Call, Concurrency, OnLimit
from controller.store.journal import Append, FencedError
from controller.store.journal_sqlite import SqliteBackend
from controller.workflow.activities import Asking, Broken
from controller.workflow.machine import Access, Readiness
from controller.workflow.outcome import Ending, Outcome
from tests.unit.workflow.workflow_builders import (
    HEALING,
    STOPPED,
    WELL,
    Bench,
    bench,
    broken,
    busy,
    definition,
    diamond,
    failing,
    line,
    step,
)

DONE = Outcome(Ending.DONE, output={"n": 1})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite3"


class Gate:
    """An answer that waits until it is let go; `answer` is what it gives then."""

    def __init__(self, answer: Outcome | Broken = DONE):
        self.go = asyncio.Event()
        self.answer = answer
        self.cut_off = False

    async def __call__(self, asking: Asking) -> Outcome | Broken:
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cut_off = True
            raise
        return self.answer


async def ended(b: Bench, run_id: str) -> Run:
    run = await b.workflows.wait(run_id, 10)
    assert run.status.ended, run.status
    return run


async def test_steps_one_after_another_with_what_the_ones_before_gave(file: Path) -> None:
    flow = definition(
        step("a"),
        step("b", "a", call=Call("POST", "/b", {"was": "${{ steps.a.output.did }}"}, "b")),
        output={"all": "${{ steps.*.output | [].did }}"},
    )
    async with bench(file, flow) as b:
        run = await b.run({"x": 1})
        assert run.status is RunStatus.SUCCEEDED
        assert b.caller.asked == ["a", "b"]
        assert b.caller.askings[1].context["steps"]["a"]["output"] == {"did": "a"}
        assert run.output == {"all": ["a", "b"]}


async def test_branches_run_at_the_same_time_and_join(file: Path) -> None:
    async with bench(file, diamond()) as b:
        gates = {name: Gate() for name in "bcd"}
        b.caller.scripts = {name: [gate] for name, gate in gates.items()}
        run, _ = await b.workflows.submit("w", None, "me")
        for name in "bcd":
            await b.caller.until_asked(name)
        assert "e" not in b.caller.asked
        for gate in gates.values():
            gate.go.set()
        assert (await ended(b, run.id)).status is RunStatus.SUCCEEDED
        assert b.caller.asked[-2:] == ["e", "f"]


async def test_a_refusal_undoes_everything_the_failed_step_first(file: Path) -> None:
    async with bench(file, line("a", "b", "c")) as b:
        b.caller.scripts["c"] = [failing()]
        run = await b.run()
        assert run.status is RunStatus.COMPENSATED
        assert b.caller.asked == ["a", "b", "c", "undo:c", "undo:b", "undo:a"]
        assert run.error is not None
        assert run.error.status == 422
        assert all(s.undo.status is UndoStatus.DONE for s in run.steps.values())


async def test_what_is_temporary_is_asked_again_under_the_same_key(file: Path) -> None:
    async with bench(file, line("a")) as b:
        b.caller.scripts["a"] = [busy(), busy(), DONE]
        run = await b.run()
        assert run.status is RunStatus.SUCCEEDED
        assert run.steps["a"].attempts == 3
        assert {asking.key for asking in b.caller.askings} == {f"{run.id}:a"}


async def test_attempts_run_out(file: Path) -> None:
    async with bench(file, line("a")) as b:
        b.caller.scripts["a"] = [busy()] * 3
        run = await b.run()
        assert run.status is RunStatus.COMPENSATED
        assert run.steps["a"].failures == 3


async def test_without_any_undo_a_run_ends_failed(file: Path) -> None:
    async with bench(file, definition(step("a", undo=None))) as b:
        b.caller.scripts["a"] = [failing()]
        assert (await b.run()).status is RunStatus.FAILED


async def test_siblings_under_way_finish_before_the_run_turns_back(file: Path) -> None:
    flow = definition(step("a"), step("b"), step("c", "b"))
    async with bench(file, flow) as b:
        gate = Gate()
        b.caller.scripts = {"a": [failing()], "b": [gate]}
        run, _ = await b.workflows.submit("w", None, "me")
        failed = lambda: b.seen.last.get(run.id, run).steps["a"].status is StepStatus.FAILED  # noqa: E731
        await b.seen.until(failed)
        assert b.seen.last[run.id].status is RunStatus.RUNNING
        gate.go.set()
        end = await ended(b, run.id)
        assert end.status is RunStatus.COMPENSATED
        assert "c" not in b.caller.asked
        assert b.caller.asked[-2:] == ["undo:a", "undo:b"]


async def test_a_condition_that_does_not_hold_skips_the_step(file: Path) -> None:
    flow = definition(step("a"), step("b", "a", when="${{ steps.a.output.x }}"), step("c", "b"))
    async with bench(file, flow) as b:
        run = await b.run()
        assert run.status is RunStatus.SUCCEEDED
        assert run.steps["b"].status is StepStatus.SKIPPED
        assert b.caller.asked == ["a", "c"]


# The join


async def test_a_step_whose_service_is_healed_waits_and_says_why(file: Path) -> None:
    async with bench(file, line("a", "b")) as b:
        b.services.how["b"] = HEALING
        run, _ = await b.workflows.submit("w", None, "me")
        await b.seen.until(lambda: b.seen.last.get(run.id, run).shown is RunStatus.WAITING)
        held = b.seen.last[run.id].steps["b"].hold
        assert held is not None
        assert held.incident == "inc_1"
        assert (await b.workflows.runs(None, RunStatus.WAITING, 10, None)).lines[0].id == run.id
        b.services.set("b", WELL)
        end = await ended(b, run.id)
        assert end.status is RunStatus.SUCCEEDED
        assert end.steps["b"].failures == 0
        assert end.steps["b"].held_s > 0
        assert b.services.touched_by == [("b", run.id)]


async def test_an_outage_in_the_middle_of_a_step_charges_nothing(file: Path) -> None:
    async with bench(file, line("a")) as b:
        b.caller.scripts["a"] = [broken(), DONE]
        b.services.lost_as["a"] = Readiness(Access.HOLD, text("run.was_restarted", service="a"))
        run = await b.run()
        assert run.status is RunStatus.SUCCEEDED
        assert run.steps["a"].attempts == 1
        assert b.caller.asked == ["a", "a"]
        assert {asking.attempt for asking in b.caller.askings} == {1}


async def test_a_broken_connection_of_a_service_that_is_well_is_charged(file: Path) -> None:
    async with bench(file, line("a")) as b:
        b.caller.scripts["a"] = [broken(), DONE]
        run = await b.run()
        assert run.status is RunStatus.SUCCEEDED
        assert run.steps["a"].failures == 1


async def test_a_request_that_may_not_be_repeated_is_not(file: Path) -> None:
    flow = definition(step("a", call=Call("POST", "/orders", {}), undo=None))
    async with bench(file, flow) as b:
        b.caller.scripts["a"] = [broken()]
        run = await b.run()
        assert run.status is RunStatus.FAILED
        assert b.caller.asked == ["a"]


async def test_what_a_person_stopped_fails_the_step_with_that_reason(file: Path) -> None:
    async with bench(file, line("a", "b")) as b:
        b.services.how["b"] = STOPPED
        run = await b.run()
        assert run.status is RunStatus.COMPENSATED
        assert run.steps["b"].error is not None
        assert run.steps["b"].error.reason.key == "run.stopped"
        assert b.caller.asked == ["a", "undo:a"]


async def test_a_person_who_stops_what_a_step_waits_for_is_heard_at_once(file: Path) -> None:
    async with bench(file, line("a")) as b:
        b.services.how["a"] = HEALING
        run, _ = await b.workflows.submit("w", None, "me")
        b.services.set("a", STOPPED)
        end = await ended(b, run.id)
        assert end.status is RunStatus.FAILED
        assert b.caller.asked == []


async def test_a_step_may_start_what_a_person_stopped(file: Path) -> None:
    async with bench(file, definition(step("a", start=True))) as b:
        b.services.how["a"] = STOPPED
        run = await b.run()
        assert run.status is RunStatus.SUCCEEDED
        assert b.services.started == ["a"]


async def test_an_undo_waits_for_its_service_too(file: Path) -> None:
    async with bench(file, line("a", "b")) as b:

        async def refuse(asking: Asking) -> Outcome:
            b.services.how["a"] = STOPPED
            return failing()

        b.caller.scripts["b"] = [refuse]
        run, _ = await b.workflows.submit("w", None, "me")
        await b.seen.until(
            lambda: b.seen.last.get(run.id, run).steps["a"].undo.status is UndoStatus.HELD
        )
        b.services.set("a", WELL)
        assert (await ended(b, run.id)).status is RunStatus.COMPENSATED


# People


async def test_a_cancelled_run_is_undone(file: Path) -> None:
    async with bench(file, line("a", "b")) as b:
        gate = Gate()
        b.caller.scripts["b"] = [gate]
        run, _ = await b.workflows.submit("w", None, "me")
        await b.caller.until_asked("b")
        await b.workflows.cancel(run.id, "ann")
        end = await ended(b, run.id)
        assert end.status is RunStatus.CANCELLED
        assert gate.cut_off
        assert b.caller.asked == ["a", "b", "undo:b", "undo:a"]
        with pytest.raises(ConflictError, match="has ended"):
            await b.workflows.cancel(run.id, "ann")


async def test_a_run_that_takes_too_long_is_undone(file: Path) -> None:
    flow = definition(step("a", call=Call("POST", "/a", None, "a")), timeout_s=0.05)
    async with bench(file, flow) as b:
        b.caller.scripts["a"] = [Gate()]
        run = await b.run()
        assert run.status is RunStatus.COMPENSATED
        assert run.error is not None
        assert run.error.reason.key == "run.timed_out"


async def test_an_undo_that_breaks_off_is_asked_again(file: Path) -> None:
    auto = Call("POST", "/actions/a/compensate", {})
    async with bench(file, definition(step("a", undo=auto))) as b:
        b.caller.scripts = {"a": [failing()], "undo:a": [broken(), busy(), DONE]}
        run = await b.run()
        assert run.status is RunStatus.COMPENSATED
        assert run.steps["a"].undo.failures == 2


async def test_a_failed_undo_asks_for_an_operator_and_is_resumed(file: Path) -> None:
    async with bench(file, line("a", "b")) as b:
        b.caller.scripts = {"b": [failing()], "undo:a": [failing(404)]}
        run = await b.run()
        assert run.status is RunStatus.COMPENSATION_FAILED
        with pytest.raises(ConflictError, match="not undone yet"):
            await b.workflows.retry(run.id, "ann")
        resumed = await b.workflows.resume(run.id, "ann")
        assert resumed.id == run.id
        end = await ended(b, run.id)
        assert end.status is RunStatus.COMPENSATED
        assert b.caller.asked.count("undo:b") == 1
        assert b.caller.asked.count("undo:a") == 2


async def test_a_retry_does_again_only_what_was_undone_or_never_done(file: Path) -> None:
    flow = definition(step("a", undo=None), step("b", "a"), step("c", "b"))
    async with bench(file, flow) as b:
        b.caller.scripts["c"] = [failing()]
        first = await b.run({"x": 1})
        again = await b.workflows.retry(first.id, "ann")
        end = await ended(b, again.id)
        assert end.status is RunStatus.SUCCEEDED
        assert end.retry_of == first.id
        assert end.steps["a"].reused
        assert b.caller.asked == ["a", "b", "c", "undo:c", "undo:b", "b", "c"]
        with pytest.raises(ConflictError, match="did not succeed"):
            await b.workflows.retry(end.id, "ann")


async def test_the_same_key_gives_the_same_run(file: Path) -> None:
    async with bench(file, line("a")) as b:
        first, is_new = await b.workflows.submit("w", {"x": 1}, "me", "k")
        again, is_new_too = await b.workflows.submit("w", {"x": 1}, "me", "k")
        assert (is_new, is_new_too) == (True, False)
        assert first.id == again.id
        with pytest.raises(ConflictError, match="another input"):
            await b.workflows.submit("w", {"x": 2}, "me", "k")
        both = await asyncio.gather(
            *(b.workflows.submit("w", {}, "me", "at once") for _ in range(5))
        )
        assert len({run.id for run, _ in both}) == 1
        assert sum(new for _, new in both) == 1


@pytest.mark.parametrize(
    ("given", "key", "said"),
    [
        ({"n": "x"}, None, "input.n"),
        ({"n": float("nan")}, None, "JSON"),
        ({"half of a pair": "\ud800"}, None, "JSON"),
        ({"n": 1}, "", "Idempotency-Key"),
        ({"n": 1}, "é", "Idempotency-Key"),
        ({"n": 1, "more": "x" * 1_048_577}, None, "1048576 are allowed"),
    ],
)
async def test_an_input_that_is_not_right_is_refused_by_name(
    file: Path, given: Any, key: str | None, said: str
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    async with bench(file, definition(step("a"), input_schema=schema)) as b:
        with pytest.raises(RunInputError, match=said):
            await b.workflows.submit("w", given, "me", key)
        assert (await b.workflows.runs(None, None, 10, None)).lines == ()


async def test_what_is_not_there_is_said(file: Path) -> None:
    async with bench(file, line("a")) as b:
        with pytest.raises(NotFoundError, match="no workflow"):
            await b.workflows.submit("x", None, "me")
        with pytest.raises(NotFoundError, match="no run"):
            await b.workflows.run("run_x")


async def test_a_run_over_the_limit_waits_for_its_turn(file: Path) -> None:
    flow = definition(step("a"), concurrency=Concurrency(1))
    async with bench(file, flow) as b:
        gate = Gate()
        b.caller.scripts["a"] = [gate]
        first, _ = await b.workflows.submit("w", None, "me")
        others = [(await b.workflows.submit("w", None, "me"))[0] for _ in range(3)]
        assert [run.status for run in others] == [RunStatus.PENDING] * 3
        cancelled = await b.workflows.cancel(others[1].id, "me")
        assert (await ended(b, cancelled.id)).status is RunStatus.CANCELLED
        gate.go.set()
        ends = [await ended(b, run.id) for run in (first, others[0], others[2])]
        assert [run.status for run in ends] == [RunStatus.SUCCEEDED] * 3
        begun = [run.started_at or 0 for run in ends]
        assert begun == sorted(begun)
        assert (ends[1].started_at or 0) >= (ends[0].ended_at or 0)


async def test_a_limit_can_refuse_and_can_cancel_the_oldest(file: Path) -> None:
    flow = definition(step("a"), concurrency=Concurrency(1, OnLimit.REJECT))
    other = definition(step("a"), name="o", concurrency=Concurrency(1, OnLimit.CANCEL_OLDEST))
    async with bench(file, flow, other) as b:
        b.caller.scripts["a"] = [Gate(), Gate()]
        await b.workflows.submit("w", None, "me")
        with pytest.raises(ConflictError, match="no more are allowed"):
            await b.workflows.submit("w", None, "me")
        oldest, _ = await b.workflows.submit("o", None, "me", "k")
        assert (await b.workflows.submit("o", None, "me", "k"))[0].id == oldest.id
        newest, _ = await b.workflows.submit("o", None, "me")
        assert (await ended(b, oldest.id)).status is RunStatus.CANCELLED
        assert (await ended(b, newest.id)).status is RunStatus.SUCCEEDED


# The journal


async def test_a_hub_that_comes_back_goes_on_under_the_same_keys(file: Path) -> None:
    flow = definition(step("a"), step("b", "a"))
    async with bench(file, flow) as b:
        b.caller.scripts["b"] = [Gate()]
        run, _ = await b.workflows.submit("w", {"x": 1}, "me")
        await b.caller.until_asked("b")
    async with bench(file, flow) as b:
        end = await ended(b, run.id)
        assert end.status is RunStatus.SUCCEEDED
        assert b.caller.asked == ["b"]
        assert b.caller.askings[0].key == f"{run.id}:b"


async def test_a_run_keeps_the_definition_that_it_was_begun_with(file: Path) -> None:
    async with bench(file, line("a", "b")) as b:
        b.caller.scripts["a"] = [Gate()]
        run, _ = await b.workflows.submit("w", None, "me")
    async with bench(file, line("x")) as b:
        end = await ended(b, run.id)
        assert b.caller.asked == ["a", "b"]
        assert end.definition_hash == line("a", "b").hash


async def test_a_run_that_cannot_be_read_keeps_no_other_from_going_on(file: Path) -> None:
    async with bench(file, line("a")) as b:
        b.caller.scripts["a"] = [Gate(), Gate()]
        spoilt = (await b.workflows.submit("w", None, "me"))[0].id
        good = (await b.workflows.submit("w", None, "me"))[0].id
        odd = Append(spoilt, 1, (Event(Kind.RESUMED, 1.0),))
        await b.journal.append(odd)
    async with bench(file, line("a")) as b:
        assert (await ended(b, good)).status is RunStatus.SUCCEEDED
        with pytest.raises(StoreError, match="does not read as a run"):
            await b.workflows.run(spoilt)


class Failing(SqliteBackend):
    """A journal that can be kept from being written."""

    def __init__(self, file: Path):
        super().__init__(file)
        self.broken = False
        self.loop = asyncio.get_running_loop()
        self.refused = asyncio.Event()

    def write(self, batch: Any) -> Any:
        if self.broken:
            if any(isinstance(item, Append) for item in batch):
                self.loop.call_soon_threadsafe(self.refused.set)
            raise StoreError("no room", remedy="make some")
        return super().write(batch)


@pytest.fixture
async def fragile(file: Path) -> AsyncIterator[tuple[Bench, Failing]]:
    backend = Failing(file)
    made = Bench({"w": line("a", "b")}, backend)
    await made.start()
    yield made, backend
    await made.stop()


async def test_a_journal_that_cannot_be_written_refuses_runs_and_loses_none(
    fragile: tuple[Bench, Failing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.workflow.runner._RETRY_S", 0.01)
    b, backend = fragile
    gate = Gate()
    b.caller.scripts["a"] = [gate]
    run, _ = await b.workflows.submit("w", None, "me")
    backend.broken = True
    with pytest.raises(StoreError, match="no room"):
        await b.workflows.submit("w", None, "me")
    gate.go.set()
    async with asyncio.timeout(60):
        await backend.refused.wait()
    assert b.caller.asked == ["a"]
    backend.broken = False
    end = await ended(b, run.id)
    assert end.status is RunStatus.SUCCEEDED
    assert b.runner.problem is None
    assert b.caller.asked == ["a", "b"]
    assert len((await b.workflows.runs(None, None, 10, None)).lines) == 1


async def test_a_hub_that_was_taken_over_writes_nothing_more(file: Path) -> None:
    async with bench(file, line("a", "b")) as frozen:
        gate = Gate()
        frozen.caller.scripts["a"] = [gate]
        run, _ = await frozen.workflows.submit("w", None, "me")
        async with bench(file, line("a", "b")) as other:
            end = await ended(other, run.id)
            assert end.status is RunStatus.SUCCEEDED
            gate.go.set()
            live = frozen.runner.find(run.id)
            assert live is not None
            await live.done.wait()
            assert frozen.caller.asked == ["a"]
            with pytest.raises(FencedError):
                await frozen.workflows.submit("w", None, "me")
            stored = await other.journal.run(run.id)
            assert stored is not None
            assert [e.kind for e in stored.events].count(Kind.ENDED) == 1


async def test_a_run_of_a_thousand_steps(file: Path) -> None:
    flow = line(*(f"s{n}" for n in range(1000)))
    async with bench(file, flow) as b:
        run, _ = await b.workflows.submit("w", None, "me")
        end = await b.workflows.wait(run.id, 60)
        assert end.status is RunStatus.SUCCEEDED
        assert len(b.caller.asked) == 1000
        assert (await b.workflows.run(run.id))[0].steps == end.steps


async def test_an_input_of_a_mebibyte_comes_back_whole(file: Path) -> None:
    async with bench(file, line("a")) as b:
        given = {"blob": "가" * 300_000, "odd": "\x00"}
        run = await b.run(given)
        assert run.status is RunStatus.SUCCEEDED
        assert (await b.workflows.run(run.id))[0].input == given


async def test_old_runs_are_forgotten_and_those_under_way_are_not(file: Path) -> None:
    async with bench(file, line("a")) as b:
        for _ in range(5):
            await b.run()
        b.caller.scripts["a"] = [Gate()]
        live, _ = await b.workflows.submit("w", None, "me")
        assert await b.journal.prune(0, 3) == 3
        kept = (await b.workflows.runs(None, None, 10, None)).lines
        assert len(kept) == 3
        assert kept[0].id == live.id
        assert await b.journal.prune(4e9, 100) == 2
        assert [r.id for r in (await b.workflows.runs(None, None, 10, None)).lines] == [live.id]


async def test_pages_of_runs_by_workflow_and_status(file: Path) -> None:
    async with bench(file, line("a"), definition(step("a"), name="other")) as b:
        made = [(await b.run()).id for _ in range(3)]
        b.caller.scripts["a"] = [failing()]
        bad = await b.run(workflow="other")
        first = await b.workflows.runs(None, None, 2, None)
        rest = await b.workflows.runs(None, None, 2, first.next)
        # Two of one millisecond stand in the order of their ids.
        newest_first = sorted([bad.id, *made], reverse=True)
        assert [r.id for r in (*first.lines, *rest.lines)] == newest_first
        assert rest.next is None
        found = await b.workflows.runs("other", RunStatus.COMPENSATED, 10, None)
        assert [r.id for r in found.lines] == [bad.id]
        assert found.lines[0].reason is not None


async def test_runs_can_be_exported_and_taken_in_elsewhere(file: Path, tmp_path: Path) -> None:
    async with bench(file, line("a")) as b:
        run = await b.run({"x": "가"})
        lines = [line async for line in b.workflows.export((), None)]
        with pytest.raises(NotFoundError):
            [one async for one in b.workflows.export(["run_x"], None)]
    async with bench(tmp_path / "other.sqlite3", line("b")) as other:

        async def given() -> AsyncIterator[str]:
            for one in (*lines, "{", "\n", *lines):
                yield one

        taken, there, faults = await other.workflows.import_lines(given())
        assert (taken, there, len(faults)) == (1, 1, 1)
        assert faults[0].startswith("line 2:")
        found, meant = await other.workflows.run(run.id)
        assert (found.input, found.status) == ({"x": "가"}, RunStatus.SUCCEEDED)
        assert meant == line("a")
