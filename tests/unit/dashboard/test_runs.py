"""What the page of one run says: how it stands, why, what was undone, and what can be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.dashboard import runs, runs_json, workflows
from controller.dashboard.marks import Mark, Tone
from controller.i18n import catalogue
from controller.model.masking import MASK
from controller.model.run import (
    Error,
    Hold,
    Run,
    RunStatus,
    StepRun,
    StepStatus,
    Undo,
    UndoStatus,
)
from controller.model.text import text
from controller.model.workflow import Call, Concurrency, Definition, OnLimit, Retry, Step
from controller.workflow.runner import reason_of

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
AT = NOW.timestamp() - 60
S, U, R = StepStatus, UndoStatus, RunStatus


def call(action: str) -> Call:
    return Call("POST", f"/actions/{action}", "${{ input }}", action)


DEFINITION = Definition(
    "saju",
    (
        Step("calculate", "saju", call("calculate"), undo=call("forget"), retry=Retry(3, 0.5, 10)),
        Step("monitor", "ai", call("monitor"), ("calculate",)),
        Step("check", "test", call("check"), ("calculate", "monitor"), undo=call("uncheck")),
    ),
    "hash-1",
)
SILENT = Error(text("run.no_answer"))
KNOWN = {"saju": Mark("saju", Tone.OK, "check", "Healthy")}


def run(status: RunStatus = R.RUNNING, **facts: object) -> Run:
    steps = {step.id: StepRun(step.id, step.service) for step in DEFINITION.steps}
    return replace(
        Run("run_0001_abcdef01", "saju", "hash-1", status, {"x": 1}, AT, "10.0.0.7 curl/8", steps,
            started_at=AT),
        **facts,  # type: ignore[arg-type]
    )  # fmt: skip


def with_step(of: Run, name: str, status: StepStatus, **facts: object) -> Run:
    begun = {"asked": True, "started_at": AT + 1, "attempt_at": AT + 1} if status.over else {}
    changed = replace(of.steps[name], status=status, **(begun | facts))  # type: ignore[arg-type]
    return replace(of, steps={**of.steps, name: changed})


def told(of: Run, language: str = "en", current: str | None = "hash-1") -> runs.Told:
    return runs.told(of, DEFINITION, reason_of(of), KNOWN, current, language, NOW)


def done() -> Run:
    return with_step(run(), "calculate", S.SUCCEEDED, ended_at=AT + 1.5, place=1, output={"a": 1})


def failed(status: RunStatus = R.COMPENSATED) -> Run:
    why = Error(text("run.http", status=422), 422, "no hour pillar")
    made = with_step(done(), "monitor", S.SUCCEEDED, ended_at=AT + 2, place=2)
    made = with_step(made, "check", S.FAILED, ended_at=AT + 3, failures=1, error=why)
    reason = text("run.step_failed", step="check", why=why.reason)
    return replace(made, status=status, end=R.COMPENSATED, error=replace(why, reason=reason))


def undone(of: Run, **undos: Undo) -> Run:
    steps = {n: replace(s, undo=undos.get(n, s.undo)) for n, s in of.steps.items()}
    return replace(of, steps=steps)


def test_a_step_that_waits_names_what_it_waits_for() -> None:
    shown = {step.id: step for step in told(done()).steps}
    assert shown["calculate"].why is None
    assert shown["monitor"].why is None
    assert shown["check"].why == runs.Why("Waits for monitor.")


def test_a_held_run_says_why_and_links_the_incident() -> None:
    hold = Hold(text("run.waits_healing", service="ai"), NOW.timestamp() - 30, "inc-7")
    page = told(with_step(done(), "monitor", S.HELD, hold=hold, held_s=2.0))
    assert page.headline.text == "saju is waiting"
    assert page.why == runs.Why("ai is being restarted. It goes on by itself.", "inc-7")
    step = page.steps[1]
    assert step.badge.word == "held"
    assert step.why == runs.Why("ai is being restarted.", "inc-7")
    assert (step.held, step.held_ms) == ("32 s", 32_000)


def test_a_running_run_says_what_it_does_and_what_is_held_beside() -> None:
    hold = Hold(text("run.waits_starting", service="test"), NOW.timestamp(), None)
    made = with_step(run(), "calculate", S.RUNNING, attempt_at=NOW.timestamp() - 5)
    made = with_step(made, "check", S.HELD, hold=hold)
    page = told(made)
    assert page.headline.text == "saju is running"
    assert page.why.text == "Now: calculate. check waits: test is starting."
    assert (page.steps[0].took, page.steps[0].elapsed_ms) == ("5 s", 5_000)
    assert page.line.elapsed_ms == 60_000


def test_a_failed_attempt_says_when_it_is_asked_again() -> None:
    error = Error(text("run.http", status=503), 503, "busy; Bearer abcdefghijkl")
    made = with_step(run(), "calculate", S.RETRYING, failures=2, error=error,
                     retry_at=NOW.timestamp() + 4)  # fmt: skip
    step = told(made).steps[0]
    assert step.attempts == "attempt 2 of 3"
    assert step.why == runs.Why(
        "It answered with status 503. Asked again in 4.0 s.", detail=f"busy; Bearer {MASK}"
    )


def test_only_attempts_that_mean_something_are_counted() -> None:
    assert told(done()).steps[0].attempts == ""
    again = with_step(run(), "calculate", S.SUCCEEDED, failures=1, ended_at=AT + 2)
    assert told(again).steps[0].attempts == "attempt 2 of 3"


@pytest.mark.parametrize(
    ("made", "tone", "sentence"),
    [
        (replace(done(), status=R.SUCCEEDED), Tone.OK, "The step is done."),
        (
            with_step(replace(done(), status=R.SUCCEEDED), "check", S.SKIPPED),
            Tone.OK,
            "1 done, 1 skipped.",
        ),
        (
            undone(failed(), check=Undo(U.DONE), calculate=Undo(U.DONE)),
            Tone.WARN,
            "The step check failed. It answered with status 422. 2 steps were undone.",
        ),
        (
            undone(failed(R.COMPENSATING), check=Undo(U.DONE)),
            Tone.BUSY,
            "The step check failed. It answered with status 422. Undone so far: 1 of 2.",
        ),
        (
            undone(failed(R.COMPENSATION_FAILED), check=Undo(U.FAILED, error=SILENT)),
            Tone.BAD,
            "The step check could not be undone. There was no answer. "
            "A person must mend that; Resume then goes on undoing.",
        ),
        (
            run(R.CANCELLED, error=Error(text("run.cancelled", by="127.0.0.1 Mozilla/5.0"))),
            Tone.IDLE,
            "Cancelled by browser. Nothing had to be undone.",
        ),
        (
            run(R.FAILED, error=Error(text("run.timed_out", seconds="60"))),
            Tone.BAD,
            "Not finished within 60 s. Nothing had to be undone.",
        ),
        (run(R.PENDING), Tone.IDLE, "As many runs as are allowed at once are under way."),
    ],
)  # fmt: skip
def test_how_it_stands_is_one_sentence(made: Run, tone: Tone, sentence: str) -> None:
    page = told(made)
    assert (page.headline.tone, page.why.text) == (tone, sentence)


def test_a_held_undo_says_why_the_run_turned_back_and_why_it_waits() -> None:
    hold = Hold(text("run.waits_healing", service="saju"), AT + 5, "inc-7")
    made = undone(failed(R.COMPENSATING), check=Undo(U.DONE), calculate=Undo(U.HELD, hold=hold))
    page = told(made)
    assert page.why == runs.Why(
        "The step check failed. It answered with status 422. Undone so far: 1 of 2.", "inc-7"
    )
    assert page.undos[1].why == runs.Why("saju is being restarted.", "inc-7")


def test_the_undo_path_is_in_the_order_of_undoing_and_names_what_stays() -> None:
    page = told(undone(failed(R.COMPENSATING), check=Undo(U.DONE, 0, AT + 3, AT + 4)))
    assert [(u.step, u.badge.word, u.took) for u in page.undos] == [
        ("check", "undone", "1.0 s"),
        ("calculate", "to be undone", ""),
    ]
    assert page.kept == ("monitor",)
    assert page.steps[2].undo is not None
    assert told(done()).undos == ()


def test_the_drawing_shows_the_way_forward_and_back() -> None:
    ways = {("done" if w.went == "done" else w.went) for w in _ways(done())}
    assert ways == {""}
    forward = with_step(done(), "monitor", S.RUNNING, attempt_at=AT)
    assert [w.went for w in _ways(forward)] == ["done", ""]
    back = undone(failed(), check=Undo(U.DONE), calculate=Undo(U.DONE))
    assert [w.went for w in _ways(back)] == ["back", "done"]


def _ways(of: Run) -> tuple[workflows.Way, ...]:
    graph = told(of).graph
    assert graph is not None
    return graph.ways


@pytest.mark.parametrize(
    ("made", "verbs"),
    [
        (run(), ["cancel"]),
        (run(R.PENDING), ["cancel"]),
        (run(cancel_by="x"), []),
        (failed(R.COMPENSATING), []),
        (failed(), ["retry"]),
        (run(R.FAILED), ["retry"]),
        (run(R.CANCELLED), ["retry"]),
        (failed(R.COMPENSATION_FAILED), ["resume"]),
        (run(R.SUCCEEDED), []),
    ],
)
def test_only_sensible_buttons_are_offered(made: Run, verbs: list[str]) -> None:
    assert [button.verb for button in told(made).buttons] == verbs


def test_what_was_not_reached_says_so_once_the_run_turned_back() -> None:
    assert told(run()).steps[1].badge.word == "waiting"
    assert told(run(R.COMPENSATED)).steps[1].badge.word == "not reached"


def test_a_run_of_an_older_definition_says_so() -> None:
    assert not told(run()).changed
    assert told(run(), current="hash-2").changed
    assert told(run(), current=None).changed


def test_what_a_step_was_asked_with_is_worked_out_and_masked() -> None:
    made = replace(done(), input={"name": "kim", "password": "hunter2"})
    given = told(made).steps[0].given
    assert given is not None
    assert '"kim"' in given.text
    assert "hunter2" not in given.text
    # Nothing was sent yet.
    assert told(made).steps[1].given is None


def test_many_steps_are_listed_without_drawing_and_without_what_they_said() -> None:
    many = tuple(Step(f"s{n}", "saju", call("x")) for n in range(61))
    steps = {s.id: StepRun(s.id, s.service, S.SUCCEEDED, output=1, attempt_at=AT) for s in many}
    page = runs.told(
        run(steps=steps), replace(DEFINITION, steps=many), None, KNOWN, None, "ko", NOW
    )
    assert page.graph is None
    assert len(page.steps) == 61
    assert {step.output for step in page.steps} == {None}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_status_has_its_words(language: str) -> None:
    keys = [f"ui.run.status.{s}" for s in R] + [f"ui.run.headline.{s}" for s in R]
    keys += [f"ui.run.step.{s}" for s in S] + [f"ui.run.undo.{s}" for s in U]
    keys += [f"ui.workflow.limit.{s}" for s in OnLimit]
    assert [key for key in keys if not catalogue()[key][language]] == []
    assert len(set(workflows._LOOK.values())) == len(R)


def test_large_json_is_cut_and_says_so() -> None:
    whole = {"first": 1, "list": list(range(100_000)), "text": "x" * 50_000, "token": "hunter2"}
    shown = runs_json.shown(whole)
    assert shown.cut
    assert len(shown.text) < 20_000
    assert '"first": 1' in shown.text
    assert "hunter2" not in shown.text
    assert runs_json.shown({"a": [1, None]}) == runs_json.Json(
        '{\n  "a": [\n    1,\n    null\n  ]\n}', False
    )
    deep: object = 1
    for _ in range(5_000):
        deep = [deep]
    assert runs_json.shown(deep).cut


def test_a_definition_is_described_with_its_limits() -> None:
    limited = replace(
        DEFINITION, concurrency=Concurrency(2, OnLimit.REJECT), timeout_s=90,
        description={"en": "Pillars"},
    )  # fmt: skip
    page = workflows.describe(limited, KNOWN, None, "ko")
    assert page.description == "Pillars"
    assert dict(page.facts)["동시 실행"] == "최대 2건, 나머지는 거절"
    assert dict(page.facts)["제한 시간"] == "1분 30초"
    assert [task.undo for task in page.tasks] == ["forget", "", "uncheck"]
    assert (page.tasks[0].attempts, page.tasks[0].pauses) == ("최대 3회", "간격 500 ms~10초")
    assert page.tasks[1].service.tone is Tone.IDLE


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(900, "0 s"), (59_999, "59 s"), (192_000, "3 min 12 s"), (3_780_000, "1 h 3 min")],
)
def test_time_that_goes_on_is_told_to_the_second(milliseconds: int, text: str) -> None:
    assert workflows.elapsed_text(milliseconds, "en") == text
