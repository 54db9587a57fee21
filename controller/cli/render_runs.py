"""Runs of workflows as lines of text, as `render` does for services. Pure.

The same drawing of the steps serves a run that is followed and one that is looked at afterwards, so
that a person finds everything where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from controller.cli import words
from controller.cli.dag import Needs, drawn
from controller.cli.follow_run import Watch, told_at
from controller.cli.table import Column, Row, lines, paragraph

Json = Mapping[str, Any]

_DAY_FORM = "%m-%d %H:%M:%S"
_FULL_FORM = "%Y-%m-%d %H:%M:%S"
_CLOCK_FORM = "%H:%M:%S"
_INDENT = 4
_MAX_VALUE_LINES = 40
_MAX_LINE = 400
_MAX_DETAIL = 1000

_RUN_COLUMNS = (
    Column(""),
    Column("RUN"),
    Column("WORKFLOW"),
    Column("STATUS"),
    Column("BEGUN", optional=2),
    Column("TOOK", right=True, optional=1),
    Column("STEPS", right=True, optional=3),
)
_STEP_COLUMNS = (
    Column(""),
    Column("STEP"),
    Column("SERVICE", optional=4),
    Column("ACTION", optional=5),
    Column("STATUS"),
    Column("TRIES", right=True, optional=2),
    Column("TOOK", right=True, optional=1),
    Column("HELD", right=True, optional=3),
    Column("AFTER", optional=6),
)
_UNDO_COLUMNS = (
    Column(""),
    Column("STEP"),
    Column("SERVICE", optional=2),
    Column("STATUS"),
    Column("TRIES", right=True, optional=1),
    Column("AT", right=True, optional=3),
)
_FACT_COLUMNS = (Column(""), Column(""))


def runs(found: Sequence[Json], width: int, *, more: bool, utf8: bool) -> list[Text]:
    """The table of `heal7 runs`; why a run waits or how it ended stands under its row."""
    if not found:
        return [Text("No runs.")]
    made = lines(_RUN_COLUMNS, [_run_row(run, utf8=utf8) for run in found], width)
    if more:
        made += [Text(), Text("There are older ones; --limit N shows more.", "dim")]
    return made


def _run_row(run: Json, *, utf8: bool) -> Row:
    status = str(run.get("status", ""))
    look = words.RUN.get(status, words.UNSURE)
    done, total = run.get("steps_done"), run.get("steps_total")
    begun = run.get("started_at") or run.get("created_at")
    return Row(
        cells=(
            look.mark(utf8=utf8),
            str(run.get("id", "")),
            str(run.get("workflow", "")),
            _plain(status),
            words.moment(begun, _DAY_FORM),
            words.took(run.get("elapsed_ms")),
            f"{'?' if done is None else done}/{total}" if total else "",
        ),
        styles=(look.style, "", "", look.style),
        notes=tuple(filter(None, (words.printable(run.get("reason") or ""),))),
    )


def following(now: Watch, width: int, height: int, *, utf8: bool) -> list[Text]:
    """Where a run stands, while it is followed; no higher than `height` lines."""
    run, status = now.told, now.status
    look = words.RUN.get(status, words.UNSURE)
    took = words.took(float(run.get("elapsed_ms") or 0) + now.since_s * 1000)
    head = f"{look.mark(utf8=utf8)} {run.get('workflow')} {now.id}: {_plain(status)}, {took}"
    made = [Text(head, look.style)]
    made += paragraph(words.printable(run.get("reason") or ""), width, indent=_INDENT)
    undone = undo(run, width, utf8=utf8)
    foot = [Text(), Text("Undoing, the last step first", "bold"), *undone] if undone else []
    if now.away:
        foot += paragraph(f"{now.away} Waiting for it to come back.", width, style="yellow")
    room = height - len(made) - len(foot) - 2
    return [*made, Text(), *_shortened(run, told_at(run) + now.since_s, width, room, utf8), *foot]


def _shortened(run: Json, at: float, width: int, room: int, utf8: bool) -> list[Text]:
    """The steps, without those where nothing happens if there is no room for all."""
    whole = steps(run, at, width, utf8=utf8)
    if len(whole) <= room:
        return whole
    told = [step for step in _steps(run) if step.get("status") not in ("pending", "succeeded")]
    less = run | {"steps": told} if isinstance(run, dict) else {"steps": told}
    left_out = len(_steps(run)) - len(told)
    shown = (steps(less, at, width, utf8=utf8) if told else [])[: max(room - 1, 1)]
    return [*shown, Text(f"{words.plural(left_out, 'step')} pending or done, not shown.", "dim")]


def steps(run: Json, at: float, width: int, *, utf8: bool) -> list[Text]:
    """Every step, in an order in which they can run, parallel ones as branches. `at` is the moment
    up to which times of what is under way are counted, in seconds since 1970."""
    by_id = {str(step.get("id")): step for step in _steps(run)}
    needs: Needs = tuple(
        (name, tuple(map(str, step.get("needs") or ()))) for name, step in by_id.items()
    )
    rows = [
        _step_row(by_id[place.id], place.lead, place.joins, at, utf8=utf8)
        for place in drawn(needs, utf8=utf8)
    ]
    return lines(_STEP_COLUMNS, rows, width) if rows else []


def _step_row(step: Json, lead: str, joins: tuple[str, ...], at: float, *, utf8: bool) -> Row:
    status = str(step.get("status", ""))
    look = words.RUN_STEP.get(status, words.UNSURE)
    return Row(
        cells=(
            look.mark(utf8=utf8),
            f"{lead}{step.get('id')}",
            str(step.get("service", "")),
            called(step),
            status,
            _tries(step) if int(step.get("attempts") or 0) > 1 else "",
            words.took(_took_ms(step, at)),
            words.took(step.get("held_ms") or None),
            ", ".join(joins),
        ),
        styles=(look.style, "", "", "", look.style, "", "", "yellow", "dim"),
        notes=tuple(_notes(step)),
    )


def called(step: Json) -> str:
    """What a step asks of its service: the action, or method and path."""
    return str(step.get("action") or f"{step.get('method') or ''} {step.get('path') or ''}".strip())


def _tries(step: Json) -> str:
    most = step.get("max_attempts")
    return f"{step.get('attempts') or 0}/{most}" if most else str(step.get("attempts") or 0)


def _took_ms(step: Json, at: float) -> float | None:
    """From the first attempt to the end, or up to `at`; of a single attempt what was measured."""
    begun, ended = step.get("started_at"), step.get("ended_at")
    if ended and step.get("attempts") == 1 and not step.get("held_ms"):
        measured = step.get("latency_ms")
        if measured is not None:
            return float(measured)
    if not begun:
        return None
    until = words.seconds(ended) if ended else at
    return max(0.0, (until - words.seconds(begun)) * 1000)


def _notes(step: Json) -> Iterable[str]:
    """What a person must know of a step beyond its status."""
    status, error = step.get("status"), step.get("error")
    if step.get("hold"):
        yield held(step["hold"])
    if error and status == "retrying":
        again = words.moment(step.get("retry_at"), _CLOCK_FORM)
        yield f"attempt {_tries(step).replace('/', ' of ')} failed: {_reason(error)}"
        if again:
            yield f"asked again at {again}"
    elif error and status != "succeeded":
        yield _reason(error)
    if step.get("reused"):
        yield "done in the run that this one retries"


def held(hold: Json) -> str:
    """Why something waits, and for which incident."""
    reason = words.printable(hold.get("reason") or "")
    incident = hold.get("incident")
    return (
        f"waiting: {reason.rstrip('.')} (incident {incident})" if incident else f"waiting: {reason}"
    )


def _reason(error: Json) -> str:
    detail = words.printable(error.get("detail") or "")
    cut = f"{detail[:_MAX_DETAIL]}…" if len(detail) > _MAX_DETAIL else detail
    return f"{words.printable(error.get('reason') or '')} {cut}".strip()


def undo(run: Json, width: int, *, utf8: bool) -> list[Text]:
    """The steps whose compensation was begun, in the order in which that was."""
    begun = [step for step in _steps(run) if isinstance(step.get("compensation"), Mapping)]
    begun.sort(key=lambda step: str(step["compensation"].get("started_at") or "~"))
    rows = [_undo_row(step, step["compensation"], utf8=utf8) for step in begun]
    return lines(_UNDO_COLUMNS, rows, width) if rows else []


def _undo_row(step: Json, compensation: Json, *, utf8: bool) -> Row:
    status = str(compensation.get("status", ""))
    look = words.UNDO.get(status, words.UNSURE)
    hold, error = compensation.get("hold"), compensation.get("error")
    notes = [held(hold)] if hold else []
    notes += [_reason(error)] if error else []
    tries = int(compensation.get("attempts") or 0)
    return Row(
        cells=(
            look.mark(utf8=utf8),
            str(step.get("id")),
            str(step.get("service", "")),
            status,
            str(tries) if tries > 1 else "",
            words.moment(compensation.get("ended_at"), _CLOCK_FORM),
        ),
        styles=(look.style, "", "", look.style, "", "dim"),
        notes=tuple(notes),
    )


def story(run: Json, width: int, *, utf8: bool) -> list[Text]:
    """Everything that is known of one run, in the order in which a person asks."""
    status = str(run.get("status", ""))
    look = words.RUN.get(status, words.UNSURE)
    took = words.took(run.get("elapsed_ms"))
    head = f"{look.mark(utf8=utf8)} {run.get('workflow')}: {_plain(status)}"
    made = [Text(f"{head}{' after ' if run.get('ended_at') else ', '}{took}", look.style)]
    reason = words.printable(run.get("reason") or "")
    error = run.get("error")
    why = _reason(error) if isinstance(error, Mapping) else ""
    for said in dict.fromkeys(filter(None, ("" if why.startswith(reason) else reason, why))):
        made += paragraph(said, width, indent=_INDENT)
    rows = [Row((f"  {name}", said), ("dim",)) for name, said in _facts(run) if said]
    made += [Text(), *lines(_FACT_COLUMNS, rows, width)]
    drawn_steps = steps(run, told_at(run), width, utf8=utf8)
    made += [Text(), *drawn_steps] if drawn_steps else []
    undone = undo(run, width, utf8=utf8)
    if undone:
        made += [Text(), Text("Undone, the last step first", "bold"), *undone]
    for title, name in (("Input", "input"), ("Output", "output")):
        value = run.get(name)
        if value not in (None, {}):
            made += [Text(), Text(title, "bold"), *pretty(value, str(run.get("id")))]
    return [*made, *_next(run)]


def _facts(run: Json) -> list[tuple[str, str]]:
    return [
        ("run", str(run.get("id") or "")),
        ("begun", words.moment(run.get("created_at"), _FULL_FORM)),
        ("by", words.printable(run.get("by") or "")),
        ("key", words.printable(run.get("key") or "")),
        ("retry of", str(run.get("retry_of") or "")),
        ("over", words.moment(run.get("ended_at"), _FULL_FORM)),
    ]


def pretty(value: Any, run_id: str) -> list[Text]:
    """A value as indented JSON, cut where it is too long to be read on a terminal."""
    whole = json.dumps(value, ensure_ascii=False, indent=2).split("\n")
    shown = [words.printable(line) for line in whole[:_MAX_VALUE_LINES]]
    cut = len(whole) > len(shown) or any(len(line) > _MAX_LINE for line in shown)
    made = [Text(f"{line[:_MAX_LINE]}…" if len(line) > _MAX_LINE else line) for line in shown]
    if cut:
        left = len(whole) - len(shown)
        more = f"{words.plural(left, 'more line')}; " if left else "Cut; "
        made.append(Text(f"… {more}all of it: heal7 runs {run_id} --json", "dim"))
    return made


def _next(run: Json) -> list[Text]:
    """What a person can do now."""
    status, run_id = run.get("status"), run.get("id")
    if status == "succeeded":
        return []
    if status == "compensation_failed":
        return [Text(), Text(f"Go on undoing, once it can work: heal7 runs resume {run_id}")]
    if status in ("failed", "compensated", "cancelled"):
        return [Text(), Text(f"Again, from the failed step: heal7 runs retry {run_id}")]
    return [
        Text(),
        Text(f"Follow it: heal7 runs {run_id} --follow"),
        Text(f"Cancel it: heal7 runs cancel {run_id}"),
    ]


def changes(seen: dict[tuple[str, str], str], now: Watch) -> list[str]:
    """One plain line for each thing that is new since `seen`, which is brought up to date. For logs
    and pipes, where a live display would be noise."""
    made: list[str] = []

    def say(kind: str, name: str, said: str, line: str, *, quiet: bool = False) -> None:
        if seen.get((kind, name)) != said and not quiet:
            made.append(line)
        seen[kind, name] = said

    run = now.told
    reason = words.printable(run.get("reason") or "")
    stands = f"{_plain(now.status)}: {reason}" if reason else _plain(now.status)
    say("run", "", stands, f"{run.get('workflow')} {now.id}: {stands}")
    for step in _steps(run):
        name, told = str(step.get("id")), _told(step)
        line = f"{name} ({step.get('service')} {called(step)}): {told}"
        say("step", name, told, line, quiet=step.get("status") == "pending")
        compensation = step.get("compensation")
        if isinstance(compensation, Mapping):
            told = _told_undo(compensation)
            say("undo", name, told, f"undo of {name} ({step.get('service')}): {told}")
    away = f"{now.away} Waiting for it to come back." if now.away else "The hub is back."
    say("hub", "", away, away, quiet=not now.away and ("hub", "") not in seen)
    return made


def _told(step: Json) -> str:
    status, notes = str(step.get("status")), "; ".join(_notes(step))
    if status == "running" and int(step.get("attempts") or 0) > 1:
        status += f", attempt {_tries(step).replace('/', ' of ')}"
    if status == "succeeded":
        status += f" in {words.took(_took_ms(step, 0.0))}" if step.get("ended_at") else ""
    return f"{status}, {notes}" if notes else status


def _told_undo(compensation: Json) -> str:
    hold, error = compensation.get("hold"), compensation.get("error")
    said = [str(compensation.get("status"))]
    said += [held(hold)] if hold else []
    said += [_reason(error)] if error else []
    return ", ".join(said)


def _steps(run: Json) -> list[Json]:
    return [step for step in run.get("steps") or [] if isinstance(step, Mapping)]


def _plain(word: object) -> str:
    return str(word or "").replace("_", " ")
