"""What is watched, from the environment: read once, with a sentence for each mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
MAX_TARGETS = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """`targets` are asked (name → URL of its metrics), `pushed` are told of by themselves."""

    targets: Mapping[str, str]
    pushed: frozenset[str]
    interval_s: float


def settings_from(env: Mapping[str, str]) -> Settings:
    """HEAL7_MONITOR_TARGETS, HEAL7_MONITOR_PUSHED, HEAL7_MONITOR_INTERVAL_S.

    Raises ValueError naming the variable and what it should hold.
    """
    targets = dict(_target(entry) for entry in _entries(env, "HEAL7_MONITOR_TARGETS"))
    if len(targets) > MAX_TARGETS:
        raise ValueError(f"HEAL7_MONITOR_TARGETS: at most {MAX_TARGETS} targets are asked")
    pushed = frozenset(_entries(env, "HEAL7_MONITOR_PUSHED"))
    for name in pushed:
        if not _NAME.fullmatch(name) or name in targets:
            raise ValueError(
                f"HEAL7_MONITOR_PUSHED: {name!r} is no name of its own; write for example hub"
            )
    text = env.get("HEAL7_MONITOR_INTERVAL_S", "").strip() or "15"
    if not text.isdecimal() or not 5 <= int(text) <= 300:
        raise ValueError(f"HEAL7_MONITOR_INTERVAL_S is {text!r}; use 5 to 300 seconds")
    return Settings(targets, pushed, float(text))


def _entries(env: Mapping[str, str], variable: str) -> list[str]:
    return [entry for entry in re.split(r"[,\s]+", env.get(variable, "")) if entry]


def _target(entry: str) -> tuple[str, str]:
    name, equals, url = entry.partition("=")
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not (equals and _NAME.fullmatch(name) and fits and "@" not in url):
        raise ValueError(
            f"HEAL7_MONITOR_TARGETS: {entry!r} is not name=http://host:port/metrics; write for "
            "example saju-service=http://saju-service:8012/metrics"
        )
    return name, url
