"""Real runs over a real journal: their bad ends are told, also those a dead hub did not tell."""

from __future__ import annotations

from pathlib import Path

from controller.alerts.run_ends import RunEnds
from controller.model.alert import AlertState, Rule
from controller.model.run import RunStatus
from tests.unit.alerts.receiver import RULES, Office, Receiver, opened
from tests.unit.workflow.workflow_builders import Bench, bench, failing, line


def watched(b: Bench, office: Office) -> RunEnds:
    """The desk is told of this bench's runs from now on, as the hub wires it."""
    ends = RunEnds(office.desk.run_ended, office.desk.holds)
    b.runner._watchers = [*b.runner._watchers, ends]
    return ends


async def test_a_failed_run_is_told_and_its_good_retry_ends_that(
    tmp_path: Path, office: Office, receiver: Receiver
) -> None:
    async with bench(tmp_path / "runs.sqlite3", line("a", "b")) as b:
        watched(b, office)
        b.caller.scripts["b"] = [failing(), failing()]
        run = await b.run()
        assert run.status is RunStatus.COMPENSATED
        await office.settle()
        assert receiver.titles == ["[WARNING] A run of w failed"]
        worse = await b.workflows.wait((await b.workflows.retry(run.id, "kim")).id, 10)
        await office.settle()
        (alert,) = office.desk.open()
        assert (alert.rule, alert.runs, alert.count) == (Rule.RUN_FAILED, (worse.id,), 1)
        well = await b.workflows.wait((await b.workflows.retry(worse.id, "kim")).id, 10)
        assert well.status is RunStatus.SUCCEEDED
        await office.settle()
        assert office.desk.open() == []
        assert receiver.titles[1:] == ["[RESOLVED] A run of w failed"]


async def test_an_undo_that_fails_is_told_and_its_resuming_ends_that(
    tmp_path: Path, office: Office, receiver: Receiver
) -> None:
    async with bench(tmp_path / "runs.sqlite3", line("a", "b")) as b:
        watched(b, office)
        b.caller.scripts = {"b": [failing()], "undo:a": [failing()]}
        run = await b.run()
        assert run.status is RunStatus.COMPENSATION_FAILED
        await office.settle()
        assert receiver.titles == ["[CRITICAL] A run of w could not be undone"]
        await b.workflows.resume(run.id, "kim")
        assert (await b.workflows.wait(run.id, 10)).status is RunStatus.COMPENSATED
        await office.settle()
        assert receiver.titles[1:] == ["[RESOLVED] A run of w could not be undone"]
        assert office.desk.open() == []


async def test_what_a_dead_hub_did_not_tell_the_next_one_tells_once(
    tmp_path: Path, receiver: Receiver
) -> None:
    folder = tmp_path / "state"
    async with opened(folder, RULES, {"ops": receiver.address}) as first:
        # It dies after its first turn, before the run ends.
        await first.settle()
    async with bench(tmp_path / "runs.sqlite3", line("a")) as b:
        b.caller.scripts["a"] = [failing()]
        run = await b.run()
        for _ in range(2):
            async with opened(folder, RULES, {"ops": receiver.address}) as office:
                await watched(b, office).catch_up(b.workflows, office.seen)
                await office.settle()
                (alert,) = office.desk.open()
                assert alert.runs == (run.id,)
        assert receiver.titles == ["[WARNING] A run of w failed"]
        assert alert.state is AlertState.FIRING
