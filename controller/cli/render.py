"""What people read: the hub's answers as lines of text. Pure; printing is done elsewhere.

Answers are read tolerantly (a field that is not there is blank), because a newer or older hub must
stay readable when something is already going wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from controller.cli import words
from controller.cli.errors import CommandError
from controller.cli.follow import Progress
from controller.cli.table import Column, Row, lines, paragraph

Json = Mapping[str, Any]

_SERVICE_COLUMNS = (
    Column(""),
    Column("SERVICE"),
    Column("HEALTH"),
    Column("PORT", right=True),
    Column("UP", right=True, optional=1),
    Column("RESTARTS", right=True, optional=3),
    Column("ANSWERS IN", right=True, optional=4),
    Column("CPU", right=True, optional=5),
    Column("MEMORY", right=True, optional=2),
)
_PLAIN = (Column(""), Column(""), Column(""), Column("", right=True))
_ORPHAN_COLUMNS = (
    Column(""),
    Column("CONTAINER"),
    Column("SERVICE"),
    Column("STATE"),
    Column("SINCE"),
    Column("IMAGE", optional=1),
)
_DOING = {
    "start": "Starting",
    "stop": "Stopping",
    "restart": "Restarting",
    "build": "Building",
    "pull": "Pulling",
    "remove": "Removing",
}


def status(answer: Json, hub_url: str, width: int, *, utf8: bool) -> list[Text]:
    """The table of `heal7 ps`; a service that is not healthy carries its reason under its row."""
    services = [s for s in answer.get("services", []) if isinstance(s, Mapping)]
    summary = (
        f"{words.plural(len(services), 'service')}, {answer.get('running', 0)} running, "
        f"{answer.get('healthy', 0)} healthy (hub {hub_url})"
    )
    made = paragraph(summary, width)
    pause = answer.get("pause")
    if pause:
        since = words.moment(pause.get("since"), "%Y-%m-%d %H:%M:%S")
        said = f"Paused since {since} by {pause.get('by')}: it watches and heals nothing. "
        made += paragraph(f"{said}`heal7 resume` ends that.", width, style="yellow")
    if answer.get("orphans"):
        names = ", ".join(map(_orphan, answer["orphans"]))
        said = f"Left from services that no compose file speaks of: {names}. "
        made += paragraph(f"{said}`heal7 compose orphans` tells more.", width, style="yellow")
    if services:
        made.append(Text())
        rows = [_service_row(service, utf8=utf8) for service in services]
        made.extend(lines(_SERVICE_COLUMNS, rows, width))
    return made


def _orphan(one: Json) -> str:
    since = words.moment(one.get("since"), "%Y-%m-%d %H:%M")
    return f"{one.get('name')} ({one.get('service')}, since {since})"


def orphans(found: Sequence[Json], width: int, *, utf8: bool) -> list[Text]:
    """The containers that no file speaks of, and since when they are there."""
    if not found:
        return [Text("No orphans: every container of the project belongs to a declared service.")]
    rows = [
        Row(
            cells=(
                words.WARNING.mark(utf8=utf8),
                str(one.get("name", "")),
                str(one.get("service", "")),
                str(one.get("state", "")),
                words.moment(one.get("since"), "%Y-%m-%d %H:%M"),
                str(one.get("image", "")),
            ),
            styles=(words.WARNING.style,),
        )
        for one in found
    ]
    head = f"{words.plural(len(found), 'container')} of services that no compose file speaks of:"
    return [*paragraph(head, width), Text(), *lines(_ORPHAN_COLUMNS, rows, width)]


def _service_row(service: Json, *, utf8: bool) -> Row:
    health = str(service.get("health", "unknown"))
    look = words.HEALTH.get(health, words.UNSURE)
    cpu = service.get("cpu_percent")
    reason = "" if health == "healthy" else str(service.get("reason") or "")
    incident = service.get("incident")
    story = f"Open incident: `heal7 incidents {incident}`." if incident else ""
    return Row(
        cells=(
            look.mark(utf8=utf8),
            str(service.get("name", "")),
            health,
            _blank(service.get("port")),
            words.span(service.get("uptime_s")),
            _blank(service.get("restarts")),
            words.milliseconds(service.get("response_ms")),
            "" if cpu is None else f"{cpu:.1f} %",
            words.size(service.get("memory_bytes")),
        ),
        styles=(look.style, "", look.style),
        notes=tuple(filter(None, (reason, story))),
    )


def plan(action: str, answer: Json, width: int, *, utf8: bool) -> list[Text]:
    """A dry run as numbered steps, each with its cause and the numbers of those it waits for."""
    steps = list(answer.get("plan") or [])
    settled = [
        f"{name} is {str(how).replace('_', ' ')}."
        for name, how in (answer.get("settled") or {}).items()
    ]
    if not steps:
        said = [f"{action}: nothing to do, everything is as wished already.", *settled]
        return [line for sentence in said for line in paragraph(sentence, width)]
    numbers = {step.get("id"): str(number) for number, step in enumerate(steps, 1)}
    rows = [
        Row(
            cells=(
                f"{number}.",
                _op(step),
                str(step.get("service") or step.get("subject") or ""),
                ", ".join(numbers.get(before, str(before)) for before in step.get("after") or []),
            ),
            styles=("dim", "bold"),
            notes=tuple(filter(None, (str(step.get("cause") or ""),))),
        )
        for number, step in enumerate(steps, 1)
    ]
    head = f"{action} would take {words.plural(len(steps), 'step')}; nothing has been changed."
    columns = (Column("", right=True), Column("STEP"), Column("OF"), Column("AFTER"))
    made = [*paragraph(head, width), Text(), *lines(columns, rows, width)]
    if settled:
        made += [Text(), *(line for sentence in settled for line in paragraph(sentence, width))]
    return made


def _op(step: Json) -> str:
    return str(step.get("op", "")).replace("_", " ")


def progress(action: str, now: Progress, width: int, *, utf8: bool) -> list[Text]:
    """Where every operation stands, step by step, while they run."""
    made = [Text(f"{_DOING[action]}…" if utf8 else f"{_DOING[action]}...")]
    for operation in now.operations.values():
        rows = [_step_row(step, utf8=utf8) for step in operation.get("steps") or []]
        made.extend(lines(_PLAIN, rows, width))
    for target in now.waiting:
        made.extend(paragraph(f"{target} waits for the operation before it.", width, style="dim"))
    if now.away:
        made.extend(paragraph(f"{now.away} Waiting for it to come back.", width, style="yellow"))
    return made


def _step_row(step: Json, *, utf8: bool) -> Row:
    state = str(step.get("status", ""))
    look = words.STEP.get(state, words.UNSURE)
    told = words.printable(step.get("progress") or "") if state == "running" else ""
    return Row(
        cells=(
            look.mark(utf8=utf8),
            f"{_op(step)} {step.get('service', '')}",
            state,
            "",
        ),
        styles=(look.style, "", look.style),
        notes=(told,) if told else (),
    )


def step_changes(seen: dict[tuple[str, int], tuple[str, str]], now: Progress) -> list[str]:
    """One plain line for each step whose status is new since `seen`, which is brought up to date,
    and for each new line of a build.

    For logs and pipes, where a live display would be noise.
    """
    said: list[str] = []
    for operation in now.operations.values():
        for number, step in enumerate(operation.get("steps") or []):
            key = (str(operation.get("id")), number)
            state, told = str(step.get("status")), str(step.get("progress") or "")
            before, told_before = seen.get(key, ("", ""))
            about = f"{_op(step)} {step.get('service', '')}"
            if state not in (before, "waiting"):
                said.append(f"{about}: {state}")
            if state == "running" and step.get("op") == "build_image" and told != told_before:
                said.append(f"{about}: {words.printable(told)}")
            seen[key] = (state, told)
    return said


def outcomes(now: Progress, width: int, *, utf8: bool) -> list[Text]:
    """How it ended for each service, and why where it did not go well."""
    results = merged_results(now)
    made = lines(_PLAIN, [_result_row(n, r, utf8=utf8) for n, r in results.items()], width)
    looks = [words.OUTCOME.get(result["outcome"]) for result in results.values()]
    good = looks.count(words.GOOD)
    bad = len(looks) - good - looks.count(words.OFF)
    if results:
        tail = f", {bad} did not make it" if bad else ""
        made += [Text(), Text(f"{good} of {words.plural(len(results), 'service')} done{tail}.")]
    for operation in now.operations.values():
        state = operation.get("status")
        if state == "interrupted":
            made += paragraph(
                f"Operation {operation.get('id')} was interrupted: the hub stopped while it ran. "
                "What was asked for is kept, and the hub goes on with it; `heal7 ps` shows how far "
                "it is.",
                width,
                style="yellow",
            )
    return made


def merged_results(now: Progress) -> dict[str, Any]:
    """Results by service over all operations; what was done beats what was already so."""
    merged: dict[str, Any] = {}
    for operation in now.operations.values():
        for name, result in (operation.get("results") or {}).items():
            idle = str(result.get("outcome", "")).startswith("already_")
            if name not in merged or not idle:
                merged[name] = {"outcome": "unknown"} | dict(result)
    return merged


def _result_row(name: str, result: Json, *, utf8: bool) -> Row:
    outcome = str(result.get("outcome", "unknown"))
    look = words.OUTCOME.get(outcome, words.UNSURE)
    notes = () if look is words.GOOD else (result.get("cause"), result.get("detail"))
    return Row(
        cells=(
            look.mark(utf8=utf8),
            name,
            outcome.replace("_", " "),
            words.milliseconds(result.get("duration_ms")),
        ),
        styles=(look.style, "", look.style, "dim"),
        notes=tuple(str(note) for note in dict.fromkeys(notes) if note),
    )


def _blank(value: Any) -> str:
    return "" if value is None else str(value)


def problem(failure: CommandError, width: int) -> list[Text]:
    """One sentence and its remedy."""
    made = paragraph(f"heal7: {failure.sentence}", width, style="red")
    if failure.remedy:
        made += paragraph(failure.remedy, width, indent=4)
    return made
