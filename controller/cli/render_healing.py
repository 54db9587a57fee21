"""Incidents and rehearsals as lines of text, as `render` does for services. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from controller.cli import words
from controller.cli.rehearse import Trial
from controller.cli.table import Column, Row, lines, paragraph
from controller.model.rehearsal import Stage

Json = Mapping[str, Any]

_DAY_FORM = "%m-%d %H:%M:%S"
_FULL_FORM = "%Y-%m-%d %H:%M:%S"
_CLOCK_FORM = "%H:%M:%S"
_INDENT = 4

_INCIDENT_COLUMNS = (
    Column(""),
    Column("WHEN"),
    Column("SERVICE"),
    Column("KIND"),
    Column("OUTCOME"),
    Column("DETECTED", right=True, optional=2),
    Column("RECOVERED", right=True, optional=1),
)
_FACT_COLUMNS = (Column(""), Column(""))
_ACTION_COLUMNS = (Column(""), Column(""), Column(""), Column(""), Column("", right=True))
_PROBE_COLUMNS = (Column(""), Column(""), Column("", right=True, optional=1))
_MEASURE_COLUMNS = (
    Column(""),
    Column(""),
    Column("AFTER", right=True),
    Column("OBJECTIVE", right=True),
)


def incidents(found: Sequence[Json], width: int, *, utf8: bool) -> list[Text]:
    """The table of `heal7 incidents`; id and cause stand under each row."""
    if not found:
        return [Text("No incidents.")]
    return lines(_INCIDENT_COLUMNS, [_incident_row(one, utf8=utf8) for one in found], width)


def _incident_row(incident: Json, *, utf8: bool) -> Row:
    ending = _ending(incident)
    look = words.ENDING.get(ending, words.UNSURE)
    return Row(
        cells=(
            look.mark(utf8=utf8),
            words.moment(incident.get("opened_at"), _DAY_FORM),
            str(incident.get("service", "")),
            _plain(incident.get("kind")),
            _plain(ending),
            words.milliseconds(incident.get("detect_ms")),
            words.milliseconds(incident.get("recover_ms")),
        ),
        styles=(look.style, "", "", "", look.style),
        notes=(f"{incident.get('id')}: {words.printable(incident.get('cause') or '')}",),
    )


def story(incident: Json, width: int, *, utf8: bool) -> list[Text]:
    """Everything that is known of one incident, in the order in which a person asks."""
    ending = _ending(incident)
    look = words.ENDING.get(ending, words.UNSURE)
    head = f"{incident.get('service')}: {_plain(incident.get('kind'))}, {_plain(ending)}"
    made = [Text(f"{look.mark(utf8=utf8)} {head}", look.style)]
    made += paragraph(words.printable(incident.get("cause") or ""), width, indent=_INDENT)
    made += [Text(), *_facts(_times(incident), width)]
    actions = incident.get("actions") or []
    if actions:
        rows = [_action_row(action, utf8=utf8) for action in actions]
        made += [Text(), Text("What was done", "bold"), *lines(_ACTION_COLUMNS, rows, width)]
    evidence = incident.get("evidence") or {}
    seen = _facts(_evidence(evidence), width)
    if seen:
        made += [Text(), Text("What was seen", "bold"), *seen]
    probes = evidence.get("last_probes") or []
    if probes:
        rows = [_probe_row(probe, utf8=utf8) for probe in probes]
        made += [Text(), Text("Its last probes", "bold"), *lines(_PROBE_COLUMNS, rows, width)]
    tail = evidence.get("log_tail") or []
    if tail:
        made += [Text(), Text("Its last lines", "bold")]
        made += [Text(" " * _INDENT + words.printable(line)) for line in tail]
    return made


def _times(incident: Json) -> list[tuple[str, str]]:
    detected = words.milliseconds(incident.get("detect_ms"))
    recovered = words.milliseconds(incident.get("recover_ms"))
    over = words.moment(incident.get("closed_at"), _FULL_FORM)
    return [
        ("incident", str(incident.get("id") or "")),
        ("began", words.moment(incident.get("opened_at"), _FULL_FORM)),
        ("detected", f"after {detected}" if detected else ""),
        ("recovered", f"after {recovered}" if recovered else ""),
        ("over", over),
        ("restarts", str(incident.get("restarts", ""))),
        ("caused by", str(incident.get("root") or "")),
        ("rehearsal", str(incident.get("rehearsal") or "")),
        ("runs held", ", ".join(map(str, incident.get("runs_held") or []))),
    ]


def _evidence(evidence: Json) -> list[tuple[str, str]]:
    code = evidence.get("exit_code")
    return [
        ("container", str(evidence.get("container_id") or "")[:12]),
        ("exit code", "" if code is None else str(code)),
        ("memory", "killed for using more than allowed" if evidence.get("oom_killed") else ""),
        ("engine", words.printable(evidence.get("engine_error") or "")),
    ]


def _facts(facts: Iterable[tuple[str, str]], width: int) -> list[Text]:
    rows = [Row((f"  {name}", said), ("dim",)) for name, said in facts if said]
    return lines(_FACT_COLUMNS, rows, width) if rows else []


def _action_row(action: Json, *, utf8: bool) -> Row:
    outcome = str(action.get("outcome") or "")
    look = words.ACTION.get(outcome, words.UNSURE)
    told = (action.get("cause"), action.get("failure"), action.get("detail"))
    return Row(
        cells=(
            look.mark(utf8=utf8),
            words.moment(action.get("at"), _CLOCK_FORM),
            _plain(action.get("op")),
            outcome,
            words.moment(action.get("ended_at"), _CLOCK_FORM),
        ),
        styles=(look.style, "", "bold", look.style, "dim"),
        notes=tuple(_unescaped(note) for note in dict.fromkeys(told) if note),
    )


def _unescaped(told: object) -> str:
    """Several lines stay several; each is made harmless."""
    return "\n".join(map(words.printable, str(told).splitlines()))


def _probe_row(probe: Json, *, utf8: bool) -> Row:
    look = words.GOOD if probe.get("ok") else words.BAD
    return Row(
        cells=(
            look.mark(utf8=utf8),
            f"{words.moment(probe.get('at'), _CLOCK_FORM)}  {words.printable(probe.get('said'))}",
            words.milliseconds(probe.get("response_ms")),
        ),
        styles=(look.style, "", "dim"),
    )


def rehearsing(now: Trial, width: int, *, utf8: bool) -> list[Text]:
    """Where a rehearsal stands, while it runs."""
    dots = "…" if utf8 else "..."
    head = f"Rehearsing {now.told.get('fault')} of {now.told.get('service')}: {now.stage}{dots}"
    made = paragraph(head, width, style="bold")
    made += paragraph(words.printable(now.told.get("verdict") or ""), width, indent=_INDENT)
    rows = _measures(now.told, utf8=utf8)
    made += lines(_MEASURE_COLUMNS, rows, width) if rows else []
    if now.away:
        made += paragraph(f"{now.away} Waiting for it to come back.", width, style="yellow")
    return made


def stage_changes(seen: list[str], now: Trial) -> list[str]:
    """One plain line for a stage that is not in `seen`, which is brought up to date. For logs and
    pipes, where a live display would be noise."""
    if now.stage in seen:
        return []
    seen.append(now.stage)
    return [f"{now.stage}: {words.printable(now.told.get('verdict') or '')}"]


def rehearsed(told: Json, width: int, *, utf8: bool) -> list[Text]:
    """How it ended, and every measured time against the objective."""
    stage = str(told.get("stage", ""))
    look = words.STAGE.get(stage, words.UNSURE)
    head = f"{look.mark(utf8=utf8)} {told.get('fault')} of {told.get('service')}: {stage}"
    made = [Text(head, look.style)]
    made += paragraph(words.printable(told.get("verdict") or ""), width, indent=_INDENT)
    rows = _measures(told, utf8=utf8)
    made += [Text(), *lines(_MEASURE_COLUMNS, rows, width)] if rows else []
    incident = told.get("incident")
    made += [Text(), Text(f"Its story: heal7 incidents {incident}")] if incident else []
    return made


def _measures(told: Json, *, utf8: bool) -> list[Row]:
    """Nothing is held against a time that nobody could know yet, or that was not to be."""
    objective = float(told.get("objective_s") or 0) * 1000
    passed, over = told.get("stage") == Stage.PASSED, told.get("ended_at") is not None
    measured = [
        ("detected", told.get("detected_ms"), 0.0),
        ("healed", told.get("healed_ms"), objective),
    ]
    dependants = told.get("dependants_ms") or {}
    measured += [(f"{name} well again", took, objective) for name, took in dependants.items()]
    rows = []
    for name, took, limit in measured:
        look = _judged(took, limit, passed=passed, over=over)
        rows.append(
            Row(
                cells=(
                    look.mark(utf8=utf8),
                    name,
                    words.milliseconds(took) or ("not seen" if over else ""),
                    words.milliseconds(limit) if limit else "",
                ),
                styles=(look.style, "", look.style, "dim"),
            )
        )
    return rows


def _judged(took: float | None, limit: float, *, passed: bool, over: bool) -> words.Look:
    if took is None:
        return words.BAD if over and not passed else words.OFF
    if limit and took > limit:
        return words.WARNING if passed else words.BAD
    return words.GOOD


def _ending(incident: Json) -> str:
    return str(incident.get("outcome") or incident.get("state") or "")


def _plain(word: object) -> str:
    return str(word or "").replace("_", " ")
