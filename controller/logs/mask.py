"""Secrets out of logs before anybody keeps them; pure.

By name, as `password=…` or `"api_key": "…"`, by form, as in addresses and headers, and by value:
what a service is given under a secret's name in its environment is masked wherever it appears.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from controller.model.masking import MASK, hides, is_secret, masked_text

_SHORTEST = 6
_NO_SECRETS = frozenset({"null", "None", "nil", "true", "false", "True", "False"})
_HINTS = (
    "pass", "pwd", "secret", "token", "key", "auth", "cred", "cookie", "bearer", "basic ", "://",
    "signature", "jwt", "otp",
)  # fmt: skip
# A name and what stands between it and its value; then the value up to where the form ends it.
_NAMED = re.compile(r"""(?<![\w.-])([A-Za-z][\w.-]{1,63})\\?["']?\s?[=:]\s?""")
_VALUE = re.compile(
    r"(?P<open>\\\")(?:[^\"\\]|\\[^\"]){1,4096}\\\""
    r"|\"(?:[^\"\\]|\\.){1,4096}\"|'[^']{1,4096}'|[^\s\"',;&|)}\]{\[\\]{1,4096}"
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
                text = _by_name(masked_text(text))
                break
        if by_value is not None and by_value.search(text) is not None:
            text = by_value.sub(MASK, text)
        for other in others:
            text = other.sub(MASK, text)
        return text

    return mask


def _by_name(text: str) -> str:
    parts: list[str] = []
    done = 0
    for named in _NAMED.finditer(text):
        if named.start() < done or not is_secret(named[1]):
            continue
        found = _VALUE.match(text, named.end())
        if found is not None and _is_hidden(named[1], found[0]):
            quote = found["open"] or (found[0][0] if found[0][0] in "\"'" else "")
            parts += [text[done : named.end()], quote, MASK, quote]
            done = found.end()
    return "".join([*parts, text[done:]]) if parts else text


def _is_hidden(name: str, value: str) -> bool:
    if value in _NO_SECRETS or MASK in value or value.lower() in ("bearer", "basic"):
        return False
    return hides(name, 0 if value.isdecimal() else value)


def _is_plain(value: str) -> bool:
    """A path to a secret's file, a number or a word that says yes is no secret."""
    return value.startswith("/") or value.isdecimal() or value.lower() in ("disabled", "enabled")


def _any_of(values: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
