"""What a message says: what is wrong first, then why and since when, then where to look; pure.

It is read on a locked phone at night, so the title alone must do, and nothing in it is a riddle.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from controller.i18n import render, word
from controller.model.alert import Alert, News
from controller.model.text import Text

_LISTED = 10
_TITLE = 150
_BODY = 1_500
Moment = Callable[[datetime], str]
"""A time as people there read it."""


def title(alert: Alert, news: News, language: str) -> str:
    """One line: how bad, of what, and what is the case."""
    about = alert.service or alert_subject(alert, language)
    said = word(f"alert.title.{alert.rule}", language, about=about)
    state = word(f"alert.news.{news}.{alert.severity}", language) if news in _BY_SEVERITY else ""
    return _short(f"{state or word(f'alert.news.{news}', language)} {said}", _TITLE)


_BY_SEVERITY = (News.OPENED, News.WORSE)


def alert_subject(alert: Alert, language: str) -> str:
    """What it is about, where that is no service."""
    workflow = alert.cause.params.get("workflow")
    channel = alert.cause.params.get("channel")
    store = alert.cause.params.get("store") or alert.cause.params.get("what")
    for found in (workflow, channel, store):
        if isinstance(found, Text):
            return render(found, language)
        if found is not None:
            return str(found)
    return ""


def body(alert: Alert, news: News, language: str, link: str, moment: Moment) -> str:
    """The rest, a line for each fact."""
    lines = [render(alert.cause, language)]
    if news is News.RESOLVED and alert.resolved_why is not None:
        lines.insert(0, render(alert.resolved_why, language))
    if alert.folded:
        names = ", ".join(alert.folded[:_LISTED])
        more = "" if len(alert.folded) <= _LISTED else " …"
        lines.append(word("alert.message.folded", language, names=names + more))
    lines.append(word("alert.message.since", language, since=moment(alert.since)))
    if alert.resolved_at is not None:
        lasted = span((alert.resolved_at - alert.since).total_seconds(), language)
        lines.append(word("alert.message.lasted", language, lasted=lasted))
    where = f"{link.rstrip('/')}/dashboard/alerts#{alert.id}"
    return _short("\n".join(lines), _BODY) + f"\n{where}"


def test_message(language: str, moment: str) -> tuple[str, str]:
    """Title and body of what the test of a channel sends."""
    return word("alert.test.title", language), word("alert.test.body", language, at=moment)


def span(seconds: float, language: str) -> str:
    """A length of time in its biggest units."""
    whole = max(0, round(seconds))
    if whole < 60:
        return word("alert.span.s", language, s=whole)
    if whole < 3600:
        return word("alert.span.m", language, m=whole // 60, s=whole % 60)
    if whole < 86_400:
        return word("alert.span.h", language, h=whole // 3600, m=whole % 3600 // 60)
    return word("alert.span.d", language, d=whole // 86_400, h=whole % 86_400 // 3600)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
