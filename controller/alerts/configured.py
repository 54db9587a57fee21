"""From what config.yaml says of alerts to the rules that decisions look at; pure."""

from __future__ import annotations

import re
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


def rules_of(said: AlertsSettings, port: int) -> Rules:
    """The rules; `port` is the hub's, for links."""
    return Rules(
        terms=with_terms({rule: _terms(getattr(said.rules, rule)) for rule in Rule}),
        patterns=tuple(
            LogPattern(
                name=one.name,
                match=re.compile(one.match),
                service=one.service,
                severity=Severity(one.severity),
                count=one.count,
                window_s=one.window,
            )
            for one in said.rules.log_pattern.patterns
        ),
        channels=tuple(said.channels),
        routes=tuple(
            Route(tuple(one.channels), Severity(one.severity), frozenset(one.services))
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
