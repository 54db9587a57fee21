"""Turns alerts, silences and messages into the JSON of the API, as `render` does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.alerts import message
from controller.alerts.outbox import Pulse
from controller.clock import rfc3339
from controller.i18n import render, word
from controller.model.alert import Alert, Delivery, Silence


def alert(view: Alert, silence: Silence | None, language: str) -> dict[str, Any]:
    """An Alert. `silence` is what keeps it quiet now."""
    about = view.service or message.alert_subject(view, language)
    return {
        "id": view.id,
        "rule": view.rule,
        "severity": view.severity,
        "state": view.state,
        "service": view.service,
        "title": word(f"alert.title.{view.rule}", language, about=about),
        "cause": render(view.cause, language),
        "since": rfc3339(view.since),
        "opened_at": rfc3339(view.opened_at),
        "acked_at": rfc3339(view.acked_at),
        "acked_by": view.acked_by,
        "resolved_at": rfc3339(view.resolved_at),
        "resolved_why": render(view.resolved_why, language) if view.resolved_why else None,
        "told_at": rfc3339(view.told_at),
        "incident": view.incident,
        "folded": list(view.folded),
        "runs": list(view.runs),
        "count": view.count,
        "page": view.page,
        "silenced_until": rfc3339(silence.until) if silence else None,
    }


def silence(view: Silence) -> dict[str, Any]:
    return {
        "id": view.id,
        "service": view.service,
        "rule": view.rule,
        "until": rfc3339(view.until),
        "created_at": rfc3339(view.created_at),
        "by": view.by,
        "comment": view.comment,
    }


def delivery(view: Delivery) -> dict[str, Any]:
    """A message over a channel; its text is in the language of the messages."""
    return {
        "id": view.id,
        "channel": view.channel,
        "alert": view.alert,
        "news": view.news,
        "state": view.state,
        "title": view.title,
        "created_at": rfc3339(view.created_at),
        "ended_at": rfc3339(view.ended_at),
        "next_at": rfc3339(view.next_at) if view.ended_at is None else None,
        "attempts": view.attempts,
        "error": view.error,
    }


def channel(name: str, kind: str, pulse: Pulse, waiting: int) -> dict[str, Any]:
    """A channel; nothing of its address but the kind is ever shown."""
    return {
        "name": name,
        "kind": kind,
        "state": "failing" if pulse.bad_since else "working" if pulse.sent_at else "untried",
        "last_sent_at": rfc3339(pulse.sent_at),
        "failing_since": rfc3339(pulse.bad_since),
        "error": pulse.error or None,
        "waiting": waiting,
    }


def channels(
    pulses: Mapping[str, Pulse], kinds: Mapping[str, str], waiting: Mapping[str, int]
) -> list[dict[str, Any]]:
    return [
        channel(name, kinds.get(name, ""), pulse, waiting.get(name, 0))
        for name, pulse in pulses.items()
    ]
