"""What expressions see: the input, the run, and the steps that came before, and nothing besides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.model import expression
from controller.model.run import Event, Kind
from controller.model.workflow import Call, Definition, Step
from controller.store.journal import dump_events
from controller.workflow.context import context_of, upstream
from tests.unit.workflow.workflow_builders import definition, diamond, failing, line, step
from tests.unit.workflow.workflow_play import START, Play


def played(flow: Definition, *done: str, outputs: Any = None) -> Play:
    play = Play(flow, outputs)
    play.decide()
    for name in done:
        play.now += 1.5
        play.answers(name)
    return play


def seen(play: Play, name: str | None, source: str, *, undo: bool = False) -> Any:
    """What an expression gives at a step; at the whole run's output for None."""
    return given(play, name, f"${{{{ {source} }}}}", undo=undo)


def given(play: Play, name: str | None, value: Any, *, undo: bool = False) -> Any:
    """What a value of the definition comes to."""
    if name is None:
        return expression.evaluate(
            value, context_of(play.run, replace(play.definition, output=value), None)
        )
    change: dict[str, Any] = {"undo" if undo else "call": Call("POST", "/x", value)}
    meant = replace(play.definition.by_id[name], **change)
    flow = changed(play.definition, meant)
    return expression.evaluate(value, context_of(play.run, flow, meant, undo=undo))


def changed(flow: Definition, meant: Step) -> Definition:
    """The definition with another step of that name."""
    return replace(flow, steps=tuple(meant if s.id == meant.id else s for s in flow.steps))


@pytest.mark.parametrize(
    ("name", "before"),
    [("a", ""), ("b", "a"), ("c", "a"), ("e", "abcd"), ("f", "abcde")],
)
def test_a_step_comes_after_its_needs_and_theirs(name: str, before: str) -> None:
    flow = diamond()
    assert upstream(flow, flow.by_id[name]) == tuple(before)


def test_steps_before_stand_in_the_order_of_the_definition() -> None:
    flow = definition(step("z", "m"), step("m", "a"), step("a"))
    assert upstream(flow, flow.by_id["z"]) == ("m", "a")


def test_a_long_line_is_not_too_deep() -> None:
    flow = line(*(f"s{n}" for n in range(5000)))
    assert len(upstream(flow, flow.steps[-1])) == 4999


def test_a_step_sees_what_came_before_and_nothing_beside_it() -> None:
    play = played(diamond(), "a", "b", "c")
    assert seen(play, "d", "steps.*.output") == [{"n": 1}]
    assert seen(play, "d", "steps.b") is None
    assert seen(play, "d", "steps.d") is None
    assert seen(play, "e", "steps.*.status") == ["succeeded", "succeeded", "succeeded", "running"]
    assert seen(play, None, "steps.f.status") == "pending"


def test_what_finishes_meanwhile_does_not_change_a_request_that_is_repeated() -> None:
    play = played(diamond(), "a")
    for source in ("steps.*", "run", "input"):
        before = seen(play, "b", source)
        play.now += 1
        assert seen(play, "b", source) == before
    before = seen(play, "b", "steps.*")
    play.answers("c", "d")
    assert seen(play, "b", "steps.*") == before


def test_an_undo_sees_its_own_step_and_why_the_run_turned_back() -> None:
    play = played(line("a", "b"), "a")
    play.answer("b", failing(409))
    play.decide()
    assert seen(play, "b", "steps.*.status", undo=True) == ["succeeded", "failed"]
    assert seen(play, "b", "steps.b.error.status", undo=True) == 409
    assert seen(play, "b", "error.reason.key", undo=True) == "run.step_failed"
    assert seen(play, "a", "steps.*.status", undo=True) == ["succeeded"]
    assert seen(play, "b", "error") is None
    assert seen(play, "b", "steps.b") is None


def test_the_run_tells_its_name_and_its_trace() -> None:
    play = played(line("a"))
    assert seen(play, "a", "run") == {"id": "run_1", "workflow": "w", "trace_id": ""}


def test_timing_is_that_of_the_last_attempt() -> None:
    play = played(line("a", "b"), "a")
    wanted = {"service": "a", "latency_ms": 1500.0, "status": "succeeded"}
    assert seen(play, "b", "steps.a.timing") == wanted
    assert seen(play, None, "steps.b.timing") is None
    assert seen(play, None, "steps.*.timing") == [wanted]


def test_what_was_not_done_in_this_run_took_no_time_in_it() -> None:
    flow = definition(step("a"), step("b", "a", when="${{ `false` }}"), step("c", "b"))
    play = played(flow, outputs={"a": {"n": 7}})
    assert seen(play, "c", "steps.a.output.n") == 7
    assert seen(play, "c", "steps.*.timing") == []
    assert seen(play, "c", "steps.b") == {
        "status": "skipped",
        "service": "b",
        "output": None,
        "timing": None,
        "attempts": 0,
        "error": None,
    }


def test_an_answer_is_never_evaluated() -> None:
    play = played(line("a", "b"))
    hostile = Event(Kind.STEP_SUCCEEDED, START, "a", {"output": {"x": "${{ run.id }}"}})
    play.write(hostile)
    assert seen(play, "b", "steps.a.output.x") == "${{ run.id }}"


AS_A_WHOLE = (
    "${{ steps }}",
    "all: ${{ steps }}",
    "${{ {all: steps} }}",
    "${{ [steps] }}",
    "${{ @ }}",
    "${{ keys(steps) }}",
    "${{ length(steps) }}",
    "${{ merge(steps, `{}`) }}",
    "${{ starts_with(steps.a.status, 'succ') }}",
)


@pytest.mark.parametrize("source", AS_A_WHOLE)
def test_whatever_an_expression_gives_can_be_kept(source: str) -> None:
    """The configuration takes each of these, so no run may fall over one."""
    play = played(line("a", "b"), "a")
    for name in ("b", None):
        output = given(play, name, {"at": [source]})
        dump_events([Event(Kind.ENDED, START, data={"status": "succeeded", "output": output})])


@pytest.mark.parametrize("source", ["${{ steps.a.output.n }}", '${{ "st\\u0065ps".a.output.n }}'])
def test_steps_are_there_wherever_an_expression_names_them(source: str) -> None:
    play = played(line("a", "b"), "a")
    flow, b = play.definition, play.definition.by_id["b"]
    places: dict[str, Any] = {
        "input": replace(b, call=Call("POST", "/b", {"deep": ["", {"er": source}]})),
        "path": replace(b, call=Call("GET", f"/b/{source}")),
        "when": replace(b, when=source, call=Call("GET", "/b")),
    }
    for meant in places.values():
        assert expression.evaluate(source, context_of(play.run, changed(flow, meant), meant)) == 1
    undo = replace(b, call=Call("GET", "/b"), undo=Call("DELETE", f"/b/{source}"))
    seen_by_undo = context_of(play.run, changed(flow, undo), undo, undo=True)
    assert expression.evaluate(source, seen_by_undo) == 1


def test_what_nobody_asks_for_is_not_made() -> None:
    """A run of a thousand steps would otherwise make half a million of them."""
    play = played(definition(step("a"), step("b", "a"), output={"x": "${{ input }}"}), "a")
    assert context_of(play.run, play.definition, play.definition.by_id["b"])["steps"] == {}
    assert context_of(play.run, play.definition, None)["steps"] == {}
