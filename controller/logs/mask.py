"""Secrets out of logs before anybody keeps them; pure.

By name, as `password=…` or `"api_key": "…"`, by form, as in addresses and headers, and by value:
what a service is given under a secret's name in its environment is masked wherever it appears.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from controller.model.masking import MASK, is_secret, masked_text

_SHORTEST = 6
_HINTS = (
    "pass", "pwd", "secret", "token", "key", "auth", "cred", "cookie", "bearer", "basic ", "://",
    "signature", "jwt", "otp",
)  # fmt: skip
# A name, what stands between it and its value, and the value up to where the form ends it.
_NAMED = re.compile(
    r"""(?P<name>[A-Za-z][\w.-]{1,63})(?P<between>\\?["']?\s?[=:]\s?)"""
    r"""(?P<value>\\?"(?:[^"\\]|\\.){1,4096}?\\?"|'[^']{1,4096}'|[^\s"',;&|)}\]{\[]{1,4096})"""
)


def masker(
    environments: Iterable[Mapping[str, str | None]], patterns: Iterable[str] = ()
) -> Callable[[str], str]:
    """A function that masks a text. `environments` are those of all services, `patterns` regular
    expressions of what is secret besides."""
    values = {
        value
        for environment in environments
        for name, value in environment.items()
        if value and len(value) >= _SHORTEST and is_secret(name) and not _is_plain(value)
    }
    others = [re.compile(pattern) for pattern in patterns]
    by_value = _any_of(values)

    def mask(text: str) -> str:
        low = text.lower()
        for hint in _HINTS:
            if hint in low:
                text = _NAMED.sub(_hidden, masked_text(text))
                break
        if by_value is not None and by_value.search(text) is not None:
            text = by_value.sub(MASK, text)
        for other in others:
            text = other.sub(MASK, text)
        return text

    return mask


def _hidden(found: re.Match[str]) -> str:
    value = found["value"]
    if not is_secret(found["name"]) or value in ("null", "None", "true", "false", "True", "False"):
        return found[0]
    if MASK in value or value.lower() in ("bearer", "basic"):
        return found[0]
    quote = value[0] if value[0] in "\"'" else '\\"' if value.startswith('\\"') else ""
    return f"{found['name']}{found['between']}{quote}{MASK}{quote}"


def _is_plain(value: str) -> bool:
    """A path to a secret's file, a number or a word that says yes is no secret."""
    return value.startswith("/") or value.isdecimal() or value.lower() in ("disabled", "enabled")


def _any_of(values: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
