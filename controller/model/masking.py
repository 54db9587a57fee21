"""Secrets out of what people and logs see, recognised by the names of the keys that hold them.

What a workflow is given and answered passes through pages, answers and logs; a password in it must
not. Names are all that can be gone by: a value does not say that it is secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MASK = "•••"
_WORDS = frozenset(
    {
        "auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "jwt",
        "otp", "pass", "passcode", "passphrase", "passwd", "password", "passwords", "pin", "pwd",
        "secret", "secrets", "signature",
    }
)  # fmt: skip
# A number under these names counts something: tokens of a text, say.
_COUNTED = frozenset({"token", "tokens"})
# Written as one word or as several.
_JOINED = re.compile(
    r"password|passphrase|passwd|api_?key|access_?key|private_?key|signing_?key|encryption_?key"
    r"|(?:access|auth|refresh|session|id|bearer)token|clientsecret|set_?cookie|session_?id"
    r"|connection_?string"
)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^/\s:@\"']{0,256}):[^/\s@\"']+@", re.I)
_IN_HEADER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.I)


def masked(value: Any) -> Any:
    """`value`, any JSON, with everything behind a secret's name replaced; never changes `value`.

    Not by recursion: what a service answers may be nested deeper than Python's stack.
    """
    whole: list[Any] = [None]
    todo: list[tuple[Any, Any, Any]] = [(whole, 0, value)]
    while todo:
        into, at, found = todo.pop()
        if isinstance(found, Mapping):
            # First the keys, so that they keep their order.
            into[at] = made = dict.fromkeys(found)
            for key, child in found.items():
                if hides(str(key), child):
                    made[key] = MASK
                else:
                    todo.append((made, key, child))
        elif isinstance(found, (list, tuple)):
            into[at] = items = [None] * len(found)
            todo += [(items, place, child) for place, child in enumerate(found)]
        else:
            into[at] = masked_text(found) if isinstance(found, str) else found
    return whole[0]


def masked_text(text: str) -> str:
    """A sentence without the password of an address and without an Authorization header's value."""
    if "://" in text:
        text = _IN_ADDRESS.sub(rf"\1:{MASK}@", text)
    return _IN_HEADER.sub(rf"\1 {MASK}", text)


def is_secret(name: str) -> bool:
    """Whether what stands behind this name, of a key, header or variable, is not to be shown."""
    words = _words(name)
    return bool(words & (_WORDS | _COUNTED)) or _JOINED.search(_snake(name)) is not None


def hides(name: str, value: Any) -> bool:
    """Whether `value` is not to be shown under this name. Nothing, yes and no are no secrets, and a
    number is none where tokens are counted."""
    if value is None or isinstance(value, bool) or not is_secret(name):
        return False
    if not isinstance(value, (int, float)):
        return True
    return bool(_words(name) & _WORDS) or _JOINED.search(_snake(name)) is not None


@lru_cache(maxsize=4096)
def _snake(name: str) -> str:
    """`X-API-Key`, `apiKey` and `api_key` are one name."""
    return "_".join(part.lower() for part in _PARTS.findall(name[:256]))


def _words(name: str) -> frozenset[str]:
    return frozenset(_snake(name).split("_"))
