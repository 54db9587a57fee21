"""What a test run made, and what was there before: it may undo the one and never touch the other.

A live service holds other people's things. Their ids are met in its lists, and a generator uses
what it meets.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_ID = re.compile(r"(?:.*_)?(?:id|ids|uuid)", re.IGNORECASE)
_LONG = 16
_CLASSES = (string.digits, string.ascii_lowercase, string.ascii_uppercase)


def ids_in(document: object, name: str = "") -> Iterator[str]:
    """Every value under a name such as `id`, `report_id` or `process_ids`, at any depth."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield from ids_in(value, str(key))
    elif isinstance(document, list):
        for value in document:
            yield from ids_in(value, name)
    elif _ID.fullmatch(name) and _is_id(document):
        yield str(document)


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and value != ""


@dataclass(slots=True)
class Ledger:
    """`careful`: only ids that this run made may be used in what changes something.

    Without it (a service whose ids nobody can guess) ids that were met nowhere may be used too.
    """

    careful: bool
    protected: frozenset[str] = frozenset()
    made: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)

    def meet(self, document: object) -> None:
        """Remembers ids of a reply to a question."""
        self.met.update(found for found in ids_in(document) if found not in self.made)

    def make(self, ident: str) -> bool:
        """Remembers an id that a request of this run brought about; False if it was there."""
        if ident in self.met or ident in self.protected:
            return False
        self.made.add(ident)
        return True

    def permits(self, value: object) -> bool:
        """Whether something that changes or removes may name this."""
        text = str(value)
        if text in self.protected:
            return False
        return text in self.made or not (self.careful or text in self.met)


def stand_in(value: object) -> object:
    """An id of the same form that names nothing: it is too long to be hit by chance."""
    if isinstance(value, int) and not isinstance(value, bool):
        return 2_000_000_000 + secrets.randbelow(100_000_000)
    text = str(value)
    if text.isascii() and text.isdigit():
        return str(2_000_000_000 + secrets.randbelow(100_000_000))
    if len(text) < _LONG:
        return secrets.token_hex(_LONG)
    head, underscore, rest = text.partition("_")
    if not underscore or len(rest) < _LONG:
        head, underscore, rest = "", "", text
    return head + underscore + "".join(_other(character, rest) for character in rest)


def _other(character: str, text: str) -> str:
    hexadecimal = set(text) <= set("0123456789abcdef-")
    if hexadecimal and character != "-":
        return secrets.choice("0123456789abcdef")
    for kind in _CLASSES:
        if character in kind:
            return secrets.choice(kind)
    return character
