"""Compose files broken in every way a hand, a merge or an enemy breaks them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random  # noqa: TID251 - seeded, the same mutants every time

from tests.unit.config.compose_corpus import BODIES, file_of

_PIECES = (
    *("", "~", "null", "true", "0", "-1", "1e400", "99999999999999999999", ".inf", "0x", "017"),
    *("[", "]", "{", "}", ":", ": ", "- ", "*a", "&a ", "<<: ", "!reset ", "!override ", "!!map "),
    *("${A}", "${A:-${B:-", "${", "$$", "$", "${A:?", "\t", "\r", "\n", "  ", "#", "'", '"', "|"),
    *("\x00", "\x1b", "\ufeff", "\u2028", "한글", "😀", "a" * 300, "[" * 70, "{a: " * 70),
    *(
        "../../etc/passwd",
        "/dev/zero",
        "service:web",
        "container:",
        "80-90:80-99",
        "::",
        "1.2.3.4:",
    ),
)


def mutants(seed: int, count: int) -> Iterator[str]:
    """`count` texts, the same ones for the same seed."""
    chance = Random(seed)
    for _ in range(count):
        text = file_of(*chance.sample(BODIES, chance.choice((1, 1, 2, 3))))
        for _ in range(chance.choice((1, 1, 2, 4, 8))):
            text = _mutated(text, chance)
        yield text


def _mutated(text: str, chance: Random) -> str:
    if not text:
        return text
    if chance.random() < 0.6:
        return _reworded(text, chance)
    at = chance.randrange(len(text))
    to = min(len(text), at + chance.choice((0, 1, 1, 3, 12)))
    way = chance.randrange(6)
    if way == 0:
        return text[:at] + text[to:]
    if way == 1:
        return text[:at] + text[at:to] * 2 + text[to:]
    if way == 2:
        lines = text.split("\n")
        here, there = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[here], lines[there] = lines[there], lines[here]
        return "\n".join(lines)
    if way == 3:
        lines = text.split("\n")
        line = chance.randrange(len(lines))
        lines[line] = " " * chance.randrange(9) + lines[line].lstrip()
        return "\n".join(lines)
    return text[:at] + chance.choice(_PIECES) + text[to:]


_WORD = re.compile(r"[\w./$-]+")
_WORDS = sorted({word for body in BODIES for word in _WORD.findall(body)})


def _reworded(text: str, chance: Random) -> str:
    """Another word in place of one, which mostly stays YAML and mostly means something wrong."""
    places = list(_WORD.finditer(text))
    if not places:
        return text
    start, end = chance.choice(places).span()
    return f"{text[:start]}{chance.choice(_WORDS)}{text[end:]}"
