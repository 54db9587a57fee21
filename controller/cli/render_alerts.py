"""Alerts, silences and channels as lines of text, as `render` does for services. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from controller.cli import words
from controller.cli.table import Column, Row, lines, paragraph

Json = Mapping[str, Any]

_DAY_FORM = "%m-%d %H:%M:%S"
_INDENT = 4
_SEVERITY = {"critical": words.BAD, "warning": words.WARNING, "info": words.WAITING}
_CHANNEL = {"working": words.GOOD, "failing": words.BAD, "untried": words.OFF}
_DELIVERY = {
    "sent": words.GOOD,
    "waiting": words.WAITING,
    "dropped": words.OFF,
    "failed": words.BAD,
}
_ALERT_COLUMNS = (
    Column(""),
    Column("SINCE"),
    Column("SEVERITY"),
    Column("STATE"),
    Column("WHAT"),
)
_SILENCE_COLUMNS = (Column("UNTIL"), Column("SERVICE"), Column("RULE"), Column("BY", optional=1))
_CHANNEL_COLUMNS = (
    Column(""),
    Column("CHANNEL"),
    Column("KIND"),
    Column("STATE"),
    Column("LAST ARRIVED", optional=1),
    Column("WAITING", right=True, optional=2),
)
_DELIVERY_COLUMNS = (Column(""), Column("WHEN"), Column("CHANNEL"), Column("NEWS"), Column("STATE"))


def alerts(found: Sequence[Json], width: int, *, utf8: bool) -> list[Text]:
    """The table of `heal7 alerts`; id and cause stand under each row."""
    if not found:
        return [Text("No alerts.")]
    return lines(_ALERT_COLUMNS, [_alert_row(one, utf8=utf8) for one in found], width)


def _alert_row(alert: Json, *, utf8: bool) -> Row:
    look = _look(alert)
    state = str(alert.get("state") or "")
    if alert.get("silenced_until") and state == "firing":
        state = "silenced"
    folded = ", ".join(map(str, alert.get("folded") or []))
    return Row(
        cells=(
            look.mark(utf8=utf8),
            words.moment(alert.get("since"), _DAY_FORM),
            str(alert.get("severity") or ""),
            state,
            words.printable(alert.get("title") or ""),
        ),
        styles=(look.style, "", look.style, "", "bold"),
        notes=(
            f"{alert.get('id')}: {words.printable(alert.get('cause') or '')}",
            *([f"because of it: {words.printable(folded)}"] if folded else []),
        ),
    )


def _look(alert: Json) -> words.Look:
    if alert.get("state") == "resolved":
        return words.GOOD
    return _SEVERITY.get(str(alert.get("severity")), words.UNSURE)


def story(alert: Json, width: int, *, utf8: bool) -> list[Text]:
    """Everything that is known of one alert."""
    made = alerts([alert], width, utf8=utf8)
    facts = [
        ("acknowledged by", alert.get("acked_by")),
        ("over", words.moment(alert.get("resolved_at"), _DAY_FORM)),
        ("because", alert.get("resolved_why")),
        ("incident", alert.get("incident")),
        ("runs", ", ".join(map(str, alert.get("runs") or []))),
    ]
    for name, value in facts:
        if value:
            made += paragraph(f"{name}: {words.printable(value)}", width, indent=_INDENT)
    told = alert.get("deliveries") or []
    if told:
        rows = [_delivery_row(one, utf8=utf8) for one in told]
        made += [Text(), Text("Who was told", "bold"), *lines(_DELIVERY_COLUMNS, rows, width)]
    return made


def _delivery_row(delivery: Json, *, utf8: bool) -> Row:
    look = _DELIVERY.get(str(delivery.get("state")), words.UNSURE)
    error = delivery.get("error")
    return Row(
        cells=(
            look.mark(utf8=utf8),
            words.moment(delivery.get("ended_at") or delivery.get("created_at"), _DAY_FORM),
            str(delivery.get("channel") or ""),
            str(delivery.get("news") or ""),
            str(delivery.get("state") or ""),
        ),
        styles=(look.style, "", "", "", look.style),
        notes=(words.printable(error),) if error else (),
    )


def silenced(silence: Json) -> str:
    """What was silenced, in a sentence."""
    what = f"of {silence['service']}" if silence.get("service") else "of anything"
    rule = f" ({silence['rule']})" if silence.get("rule") else ""
    until = words.moment(silence.get("until"), "%Y-%m-%d %H:%M:%S")
    return f"Nobody is told {what}{rule} until {until} ({silence.get('id')})."


def silences(found: Sequence[Json], width: int) -> list[Text]:
    if not found:
        return [Text("Nothing is silenced.")]
    rows = [
        Row(
            cells=(
                words.moment(one.get("until"), _DAY_FORM),
                str(one.get("service") or "any"),
                str(one.get("rule") or "any"),
                words.printable(one.get("by") or ""),
            ),
            notes=(f"{one.get('id')}: {words.printable(one.get('comment') or '–')}",),
        )
        for one in found
    ]
    return lines(_SILENCE_COLUMNS, rows, width)


def channels(found: Sequence[Json], width: int, *, utf8: bool) -> list[Text]:
    if not found:
        return [Text("No channel is configured: alerts are only shown (alerts.channels).")]
    return lines(_CHANNEL_COLUMNS, [_channel_row(one, utf8=utf8) for one in found], width)


def _channel_row(channel: Json, *, utf8: bool) -> Row:
    look = _CHANNEL.get(str(channel.get("state")), words.UNSURE)
    error = channel.get("error")
    return Row(
        cells=(
            look.mark(utf8=utf8),
            words.printable(channel.get("name") or ""),
            words.printable(channel.get("kind") or ""),
            str(channel.get("state") or ""),
            words.moment(channel.get("last_sent_at"), _DAY_FORM),
            str(channel.get("waiting") or ""),
        ),
        styles=(look.style, "", "", look.style),
        notes=(words.printable(error),) if error else (),
    )
