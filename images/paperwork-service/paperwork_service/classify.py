"""Says what kind of paper a text is, by counting telling words, and shows the words it counted.

Pure. The confidence is a share of evidence, not a probability: top / (top + second + 2). The 2
keeps a single weak word from looking sure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNKNOWN = "unknown"
_ENOUGH = 4
_TITLE_BONUS = 3
_ALONE_BONUS = 6
_TITLE_WEIGHT = 4
_TITLE_LINES = 3
_WORDS: dict[str, tuple[tuple[str, int], ...]] = {
    "invoice": (
        ("세금계산서", 5),
        ("(?<!세금)계산서", 3),
        ("공급가액", 2),
        ("세액", 2),
        ("공급받는자", 2),
        ("청구합니다|청구금액|청구서", 2),
        ("승인번호", 1),
        ("(?i:tax invoice|invoice)", 4),
    ),
    "contract": (
        ("계약서", 5),
        ("계약을 체결", 3),
        ("계약기간", 2),
        (r"이하 ?[\"“'‘「]?갑", 2),
        (r"제 ?\d+ ?조", 2),
        ("서명|날인", 1),
        ("(?i:agreement|hereinafter)", 3),
    ),
    "quotation": (("견적서", 5), ("견적", 2), ("유효기간", 1), ("단가", 1), ("(?i:quotation)", 4)),
    "receipt": (
        ("영수증", 5),
        ("영수함|영수합니다", 3),
        ("결제", 1),
        ("승인번호", 1),
        ("카드번호", 2),
    ),
    "delivery_note": (("거래명세서|거래명세표", 5), ("납품", 2), ("인수자", 2), ("단가", 1)),
    "minutes": (("회의록", 5), ("참석자", 2), ("안건", 2), ("의결", 1)),
    "certificate": (("증명서", 5), ("위와 같이 증명", 3), ("발급번호|발급일", 2)),
}


@dataclass(frozen=True, slots=True)
class Classified:
    """`reasons` are the words counted, strongest first; for `unknown` why nothing was decided."""

    type: str
    confidence: float
    reasons: tuple[str, ...]


def classify(text: str) -> Classified:
    """Each word counts once; a title word in the first lines counts more."""
    title = "\n".join([line for line in text.splitlines() if line.strip()][:_TITLE_LINES])
    scored = sorted(
        ((_evidence(text, title, words), name) for name, words in _WORDS.items()),
        key=lambda entry: (-sum(points for points, _ in entry[0]), entry[1]),
    )
    (evidence, name), (runner_up, second_name) = scored[0], scored[1]
    top, second = (sum(points for points, _ in found) for found in (evidence, runner_up))
    if top < _ENOUGH:
        return Classified(UNKNOWN, 0.0, ("too few telling words were found",))
    if top == second:
        return Classified(UNKNOWN, 0.0, (f"{name} and {second_name} are equally likely",))
    reasons = tuple(why for _, why in sorted(evidence, key=lambda entry: -entry[0]))
    return Classified(name, round(top / (top + second + 2), 2), reasons)


def _evidence(text: str, title: str, words: tuple[tuple[str, int], ...]) -> list[tuple[int, str]]:
    """(points, sentence) for every word found."""
    found = []
    for pattern, points in words:
        match = re.search(pattern, text)
        if match is None:
            continue
        bonus, place = _title(pattern, title) if points >= _TITLE_WEIGHT else (0, "")
        found.append((points + bonus, f"{match.group()!r}{place} (+{points + bonus})"))
    return found


def _title(pattern: str, title: str) -> tuple[int, str]:
    """What standing in the first lines adds, and most where the line holds nothing else."""
    if any(re.fullmatch(pattern, "".join(line.split())) for line in title.splitlines()):
        return _ALONE_BONUS, " as the title"
    return (_TITLE_BONUS, " near the top") if re.search(pattern, title) else (0, "")
