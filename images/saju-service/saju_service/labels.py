"""Names for people, in Korean and English: what the characters of a chart are called.

The chart itself keeps to hanja and hangul, which programs compare. These names stand beside it,
romanised by the Revised Romanization of Korean.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from saju_service import ganji

Language = Literal["ko", "en"]
Labels = Literal["none", "ko", "en", "both"]
Name = dict[Language, str]

_STEMS = ("Gap", "Eul", "Byeong", "Jeong", "Mu", "Gi", "Gyeong", "Sin", "Im", "Gye")
_BRANCHES = ("Ja", "Chuk", "In", "Myo", "Jin", "Sa", "O", "Mi", "Sin", "Yu", "Sul", "Hae")
_POLARITY: tuple[Name, Name] = ({"ko": "양", "en": "Yang"}, {"ko": "음", "en": "Yin"})
# fmt: off
_ANIMALS_KO = (
    "쥐", "소", "호랑이", "토끼", "용", "뱀", "말", "양", "원숭이", "닭", "개", "돼지",
)
_ANIMALS_EN = (
    "Rat", "Ox", "Tiger", "Rabbit", "Dragon", "Snake", "Horse", "Goat", "Monkey", "Rooster",
    "Dog", "Pig",
)
# fmt: on
ELEMENTS: dict[str, Name] = {
    "목": {"ko": "목(木, 나무)", "en": "Wood"},
    "화": {"ko": "화(火, 불)", "en": "Fire"},
    "토": {"ko": "토(土, 흙)", "en": "Earth"},
    "금": {"ko": "금(金, 쇠)", "en": "Metal"},
    "수": {"ko": "수(水, 물)", "en": "Water"},
}
RELATIONS: dict[str, Name] = {
    "일간": {"ko": "일간(日干)", "en": "Day Master"},
    "비견": {"ko": "비견(比肩)", "en": "Friend"},
    "겁재": {"ko": "겁재(劫財)", "en": "Rob Wealth"},
    "식신": {"ko": "식신(食神)", "en": "Eating God"},
    "상관": {"ko": "상관(傷官)", "en": "Hurting Officer"},
    "편재": {"ko": "편재(偏財)", "en": "Indirect Wealth"},
    "정재": {"ko": "정재(正財)", "en": "Direct Wealth"},
    "편관": {"ko": "편관(偏官)", "en": "Seven Killings"},
    "정관": {"ko": "정관(正官)", "en": "Direct Officer"},
    "편인": {"ko": "편인(偏印)", "en": "Indirect Resource"},
    "정인": {"ko": "정인(正印)", "en": "Direct Resource"},
}
STAGES: dict[str, Name] = {
    "장생": {"ko": "장생(長生)", "en": "Birth"},
    "목욕": {"ko": "목욕(沐浴)", "en": "Bath"},
    "관대": {"ko": "관대(冠帶)", "en": "Capping"},
    "건록": {"ko": "건록(建祿)", "en": "Office"},
    "제왕": {"ko": "제왕(帝旺)", "en": "Prime"},
    "쇠": {"ko": "쇠(衰)", "en": "Decline"},
    "병": {"ko": "병(病)", "en": "Illness"},
    "사": {"ko": "사(死)", "en": "Death"},
    "묘": {"ko": "묘(墓)", "en": "Tomb"},
    "절": {"ko": "절(絶)", "en": "Extinction"},
    "태": {"ko": "태(胎)", "en": "Conception"},
    "양": {"ko": "양(養)", "en": "Nurture"},
}
DIRECTIONS: dict[str, Name] = {
    "forward": {"ko": "순행(順行)", "en": "Forward"},
    "backward": {"ko": "역행(逆行)", "en": "Backward"},
}


def pillar(number: int) -> Name:
    """경오(庚午) and Gyeong-o (Yang Metal Horse)."""
    stem, branch = number % 10, number % 12
    element = ELEMENTS[ganji.ELEMENTS[stem // 2]]["en"]
    animal = _ANIMALS_EN[branch]
    return {
        "ko": f"{ganji.hangul(number)}({ganji.hanja(number)})",
        "en": f"{_STEMS[stem]}-{_BRANCHES[branch].lower()} "
        f"({_POLARITY[stem % 2]['en']} {element} {animal})",
    }


def stem(number: int) -> Name:
    """갑(甲), 양목 and Gap, Yang Wood."""
    return _character(
        ganji.STEMS_HANGUL[number], ganji.STEMS_HANJA[number], _STEMS[number], number, number // 2
    )


def branch(number: int) -> Name:
    """자(子), 양수, 쥐 and Ja, Yang Water, Rat."""
    name = _character(
        ganji.BRANCHES_HANGUL[number],
        ganji.BRANCHES_HANJA[number],
        _BRANCHES[number],
        number,
        ganji.branch_element(number),
    )
    return {
        "ko": f"{name['ko']}, {_ANIMALS_KO[number]}",
        "en": f"{name['en']}, {_ANIMALS_EN[number]}",
    }


def only(name: Name, wanted: Labels) -> Name:
    """The name in the languages that are wanted."""
    return name if wanted == "both" else {k: v for k, v in name.items() if k == wanted}


def chosen(names: dict[str, Name], used: Iterable[str], wanted: Labels) -> dict[str, Name]:
    """Of a list of names those that a chart uses, each once."""
    return {key: only(names[key], wanted) for key in dict.fromkeys(used)}


def _character(hangul: str, hanja: str, roman: str, parity: int, element: int) -> Name:
    polarity, name = _POLARITY[parity % 2], ganji.ELEMENTS[element]
    return {
        "ko": f"{hangul}({hanja}), {polarity['ko']}{name}",
        "en": f"{roman}, {polarity['en']} {ELEMENTS[name]['en']}",
    }
