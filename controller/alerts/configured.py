"""From what config.yaml says of alerts to the rules that decisions look at; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from controller.alerts.rules import LogPattern, Route, Rules, with_terms
from controller.config.settings_alerts import AlertsSettings, RuleSettings
from controller.model.alert import Rule, Severity

# What a key is called in the file, by what it is here.
_NAMES = {
    "after": "after_s",
    "quiet": "quiet_s",
    "window": "window_s",
    "response": "limit",
    "free": "limit",
    "critical_free": "critical_limit",
    "days": "limit",
    "critical_days": "critical_limit",
}


def rules_of(
    said: AlertsSettings, port: int, members: Callable[[str], Iterable[str]] = lambda name: (name,)
) -> Rules:
    """The rules; `port` is the hub's, for links, `members` the containers of a service."""

    def meant(services: Iterable[str]) -> frozenset[str]:
        return frozenset(key for name in services for key in members(name))

    return Rules(
        terms=with_terms({rule: _terms(getattr(said.rules, rule)) for rule in Rule}),
        patterns=tuple(
            LogPattern(
                name=one.name,
                match=re.compile(one.match),
                services=None if one.service is None else meant([one.service]),
                severity=Severity(one.severity),
                count=one.count,
                window_s=one.window,
            )
            for one in said.rules.log_pattern.patterns
        ),
        channels=tuple(said.channels),
        routes=tuple(
            Route(tuple(one.channels), Severity(one.severity), meant(one.services))
            for one in said.routes
        ),
        renotify_s=said.renotify,
        language=said.language,
        link=said.link or f"http://localhost:{port}",
    )


def _terms(said: RuleSettings) -> dict[str, Any]:
    values = {_NAMES.get(key, key): value for key, value in said.model_dump().items()}
    severity = values.get("severity")
    return values | {"severity": Severity(severity) if severity else None}
