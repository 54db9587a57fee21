"""How the hub treats a service, out of its `heal7.*` labels and of config.yaml.

Both sources set the same model. Where they disagree config.yaml wins, and a warning names both
places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.config.compose.units import parse_duration
from controller.config.node import Mark, Report, nearest
from controller.model.spec import (
    HealthCheck,
    Port,
    ProbeKind,
    ProbeSpec,
    RecoveryPolicy,
    RecoverySpec,
)

_PREFIX = "heal7."
_NOT_YET = ("heal7.gateway.",)
# Set by the hub on its own container.
_OWN = "heal7.config."


@dataclass(frozen=True, slots=True)
class Treatment:
    """What one source says of one service, and where; what it leaves unsaid is not in `values`.

    Keys: port (int), path (str); interval, timeout, startup (seconds), failures, successes (int),
    match (str); policy (RecoveryPolicy), grace, window, backoff, max_backoff, reset, objective
    (seconds), max_restarts, replace_after (int).
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)

    def over(self, usual: Mapping[str, Any]) -> Treatment:
        """This, with what it leaves unsaid taken from `usual`."""
        return Treatment({**usual, **self.values}, self.marks)


def parse_seconds(value: str | int | float) -> float:
    """Seconds of `2`, `0.5` or `1m30s`, above 0. Raises ValueError."""
    seconds = _number_of_seconds(value)
    if not 0 < seconds <= 86_400:
        raise ValueError("a duration is above 0 and at most a day, like 2s or 500ms")
    return seconds


def parse_grace(value: str | int | float) -> float:
    """Seconds from 0 to 300. Raises ValueError."""
    seconds = _number_of_seconds(value)
    if not 0 <= seconds <= 300:
        raise ValueError("a grace is from 0 to 300 seconds, like 1s or 500ms")
    return seconds


def parse_days(value: str | int | float) -> float:
    """Seconds from 0 to 30 days, such as `0s`, `90s` or `4h`. Raises ValueError."""
    seconds = _number_of_seconds(value)
    if not 0 <= seconds <= 30 * 86_400:
        raise ValueError("a wait is from 0 to 30 days, like 0s, 90s or 4h")
    return seconds


def _number_of_seconds(value: str | int | float) -> float:
    try:
        return float(value)
    except ValueError:
        return parse_duration(str(value)) / 1e9


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdigit() or not low <= int(text[:9]) <= high:
            raise ValueError(f"a whole number from {low} to {high} is asked for")
        return int(text)

    return parse


def check_http_path(text: str) -> str:
    """The path itself. Raises ValueError where no request could be made of it."""
    if not text.startswith("/") or any(char.isspace() or ord(char) < 32 for char in text):
        raise ValueError("a health path begins with / and has no spaces")
    return text


def check_match(text: str) -> str:
    """The pattern itself. Raises ValueError where it is not a regular expression."""
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


def _policy(text: str) -> RecoveryPolicy:
    if text not in list(RecoveryPolicy):
        raise ValueError(f"allowed: {' or '.join(RecoveryPolicy)}")
    return RecoveryPolicy(text)


_LABELS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "heal7.port": ("port", _whole(1, 65535)),
    "heal7.health.path": ("path", check_http_path),
    "heal7.probe.interval": ("interval", parse_seconds),
    "heal7.probe.timeout": ("timeout", parse_seconds),
    "heal7.probe.startup": ("startup", parse_seconds),
    "heal7.probe.failures": ("failures", _whole(1, 1000)),
    "heal7.probe.successes": ("successes", _whole(1, 1000)),
    "heal7.probe.match": ("match", check_match),
    "heal7.recovery.policy": ("policy", _policy),
    "heal7.recovery.grace": ("grace", parse_grace),
    "heal7.recovery.max_restarts": ("max_restarts", _whole(1, 1000)),
    "heal7.recovery.window": ("window", parse_seconds),
    "heal7.recovery.backoff": ("backoff", parse_seconds),
    "heal7.recovery.max_backoff": ("max_backoff", parse_seconds),
    "heal7.recovery.reset": ("reset", parse_seconds),
    "heal7.recovery.replace_after": ("replace_after", _whole(1, 1000)),
    "heal7.recovery.objective": ("objective", parse_seconds),
}
# Labels of another tool that say the same.
_ALIASES = {"autoheal.stop.timeout": "heal7.recovery.grace"}
_SWITCHES = ("heal7.managed", "autoheal")


def from_labels(
    name: str, labels: Mapping[str, str], where: Callable[[str], Mark], report: Report
) -> Treatment:
    """What the labels say; `where` gives the place of a label. Faults and warnings are reported."""
    values: dict[str, Any] = {}
    marks: dict[str, Mark] = {}
    for label, text in labels.items():
        place = f"services.{name}.labels.{label}"
        own = _ALIASES.get(label, label)
        if own != label and own in labels:
            report.warn(where(label), f"{place}: {own} says the same, and that one counts")
        elif own in _LABELS:
            key, parse = _LABELS[own]
            try:
                values[key], marks[key] = parse(text), where(label)
            except ValueError as error:
                report.fault(where(label), f"{place}: found {text[:40]!r}; {error}")
        elif label.startswith(_NOT_YET):
            report.warn(where(label), f"{place}: not honoured yet by the hub")
        elif label.startswith(_PREFIX) and label not in _SWITCHES and not label.startswith(_OWN):
            hint = nearest(label, [*_LABELS, *_SWITCHES])
            report.warn(where(label), f"{place}: the hub knows no such label{hint}")
    return Treatment(values, marks)


def managed_label(
    name: str, labels: Mapping[str, str], where: Callable[[str], Mark], report: Report
) -> bool | None:
    """Whether labels make the service the hub's; None where none says so."""
    for label in _SWITCHES:
        text = labels.get(label)
        if text is None:
            continue
        if text.lower() not in ("true", "false"):
            report.fault(
                where(label),
                f"services.{name}.labels.{label}: found {text[:40]!r}, allowed: true or false",
            )
            continue
        return text.lower() == "true"
    return None


def combine(name: str, config: Treatment, labels: Treatment, report: Report) -> Treatment:
    """One treatment out of both; a difference is a warning that names both places."""
    for key, value in config.values.items():
        if key in labels.values and labels.values[key] != value:
            report.warn(
                config.marks[key],
                f"{name}: {key} is {value} here and {labels.values[key]} at "
                f"{labels.marks[key]}; this one counts",
            )
    return Treatment({**labels.values, **config.values}, {**labels.marks, **config.marks})


def published_port(treatment: Treatment, ports: tuple[Port, ...]) -> int | None:
    """The port people know the service by: said, else the published one of the lowest target."""
    said = treatment.values.get("port")
    if said is not None:
        match = next((p.published for p in ports if p.target == said and p.published), None)
        taken = any(p.published == said for p in ports)
        return int(said) if taken or match is None else match
    published = [port for port in ports if port.published and port.protocol == "tcp"]
    if not published:
        return None
    return min(published, key=lambda port: port.target).published


def probe_of(
    treatment: Treatment,
    port: int | None,
    ports: tuple[Port, ...],
    healthcheck: HealthCheck | None,
    exposed: tuple[str, ...] = (),
) -> ProbeSpec:
    """How to ask the service whether it is well: HTTP, its own healthcheck, TCP, or not at all.

    Without a port of its own, one that it only shows to others (`exposed`, `8000/tcp`) is asked at
    the container's address.
    """
    target = next((p.target for p in ports if p.published == port and port is not None), port)
    if target is None:
        inner = [int(e.partition("/")[0]) for e in exposed if e.endswith("/tcp")]
        inner += [p.target for p in ports if p.protocol == "tcp"]
        target = min(inner, default=None)
    said = treatment.values
    has_check = healthcheck is not None and healthcheck.test[:1] not in ((), ("NONE",))
    if said.get("path") and target is not None:
        kind = ProbeKind.HTTP
    elif has_check:
        kind = ProbeKind.ENGINE
    else:
        kind = ProbeKind.TCP if target is not None else ProbeKind.NONE
    base = ProbeSpec()
    return ProbeSpec(
        kind=kind,
        port=target,
        path=said.get("path", base.path),
        interval_s=said.get("interval", base.interval_s),
        timeout_s=said.get("timeout", base.timeout_s),
        failures=said.get("failures", base.failures),
        successes=said.get("successes", base.successes),
        startup_s=said.get("startup", base.startup_s),
        match=said.get("match", base.match),
    )


def recovery_of(treatment: Treatment) -> RecoverySpec:
    """How the hub heals the service."""
    said, base = treatment.values, RecoverySpec()
    return RecoverySpec(
        policy=said.get("policy", base.policy),
        grace_s=said.get("grace", base.grace_s),
        max_restarts=said.get("max_restarts", base.max_restarts),
        window_s=said.get("window", base.window_s),
        backoff_s=said.get("backoff", base.backoff_s),
        max_backoff_s=said.get("max_backoff", base.max_backoff_s),
        reset_s=said.get("reset", base.reset_s),
        replace_after=said.get("replace_after", base.replace_after),
        objective_s=said.get("objective", base.objective_s),
    )
