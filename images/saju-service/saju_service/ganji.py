"""The sexagenary cycle and what follows from a character alone: element, polarity, relation.

A pillar is its number in the cycle, 0 = 甲子 … 59 = 癸亥; stem and branch are it modulo 10 and 12.
"""

from __future__ import annotations

STEMS_HANJA = "甲乙丙丁戊己庚辛壬癸"
STEMS_HANGUL = "갑을병정무기경신임계"
BRANCHES_HANJA = "子丑寅卯辰巳午未申酉戌亥"
BRANCHES_HANGUL = "자축인묘진사오미신유술해"
ELEMENTS = "목화토금수"
DAY_MASTER = "일간"

_BRANCH_ELEMENT = (4, 2, 0, 0, 2, 1, 1, 2, 3, 3, 2, 4)
# 子癸 丑己 寅甲 卯乙 辰戊 巳丙 午丁 未己 申庚 酉辛 戌戊 亥壬
_MAIN_HIDDEN_STEM = (9, 5, 0, 1, 4, 2, 3, 5, 6, 7, 4, 8)
# 월률분야: initial, middle and main 기 of the twelve branches; some have no middle one.
# fmt: off
_HIDDEN_STEMS = (
    "임계", "계신기", "무병갑", "갑을", "을계무", "무경병",
    "병기정", "정을기", "무임경", "경신", "신정무", "무갑임",
)
# fmt: on
STAGES = ("장생", "목욕", "관대", "건록", "제왕", "쇠", "병", "사", "묘", "절", "태", "양")
# The branch at which each stem is born (장생); yin stems run backwards from it (음포태).
_BORN_AT = (11, 6, 2, 9, 2, 9, 5, 0, 8, 3)
# By how many steps of the generating cycle the other element follows one's own; of the two
# names the first is for equal polarity.
_RELATIONS = (
    ("비견", "겁재"),
    ("식신", "상관"),
    ("편재", "정재"),
    ("편관", "정관"),
    ("편인", "정인"),
)


def index60(stem: int, branch: int) -> int:
    """The pillar with this stem (0-9) and branch (0-11), which must be of equal parity."""
    return (6 * stem - 5 * branch) % 60


def hanja(pillar: int) -> str:
    """Two characters, such as 甲子."""
    return STEMS_HANJA[pillar % 10] + BRANCHES_HANJA[pillar % 12]


def hangul(pillar: int) -> str:
    """Two syllables, such as 갑자."""
    return STEMS_HANGUL[pillar % 10] + BRANCHES_HANGUL[pillar % 12]


def is_yang(stem: int) -> bool:
    """甲丙戊庚壬 are yang."""
    return stem % 2 == 0


def relation(day_stem: int, other_stem: int) -> str:
    """십신: what `other_stem` is to the day's stem."""
    steps = (other_stem // 2 - day_stem // 2) % 5
    return _RELATIONS[steps][(day_stem + other_stem) % 2]


def branch_relation(day_stem: int, branch: int) -> str:
    """십신 of a branch, by its main hidden stem."""
    return relation(day_stem, _MAIN_HIDDEN_STEM[branch])


def branch_element(branch: int) -> int:
    """The branch's own element, a place in ELEMENTS."""
    return _BRANCH_ELEMENT[branch]


def hidden_stems(branch: int) -> list[str]:
    """지장간 (hangul) in the order in which they rule the month; the last is the main one."""
    return list(_HIDDEN_STEMS[branch])


def stage(day_stem: int, branch: int) -> str:
    """12운성: how the day's stem fares at a branch."""
    step = 1 if is_yang(day_stem) else -1
    return STAGES[(branch - _BORN_AT[day_stem]) * step % 12]


def element_counts(pillars: tuple[int, ...]) -> dict[str, int]:
    """오행 of all characters, a branch by its own element."""
    counts = dict.fromkeys(ELEMENTS, 0)
    for pillar in pillars:
        counts[ELEMENTS[pillar % 10 // 2]] += 1
        counts[ELEMENTS[_BRANCH_ELEMENT[pillar % 12]]] += 1
    return counts


def void_branches(day_pillar: int) -> tuple[str, str]:
    """공망: the two branches (hangul) that the day's decade leaves without a stem."""
    first = (day_pillar - day_pillar % 10 + 10) % 12
    return BRANCHES_HANGUL[first], BRANCHES_HANGUL[first + 1]
