"""Readings weighed against each other: what is believed, what is given up, and what is said."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from PIL import Image, ImageDraw, ImageFont

from paperwork_service.crosscheck import Lines, SeenLine, confirm, source_of
from paperwork_service.facts import Facts, Place, find_facts
from paperwork_service.limits import LIMITS
from paperwork_service.picture import prepare, skew
from paperwork_service.seen import Line, PageSeen, Word
from paperwork_service.tesseract import parse

_FONT = "/usr/share/fonts/truetype/nanum/NanumGothic.ttf"


def words(text: str, row: int, confidence: float = 0.9) -> Line:
    """Words side by side, each as wide as it is long, on a row of its own."""
    found, at = [], 0
    for token in text.split(" "):
        box = (at / 200, row / 20, (at + len(token)) / 200, row / 20 + 0.02)
        found.append(Word(token, confidence, *box))
        at += len(token) + 1
    return found


def weighed(
    text: Sequence[str], korean: Sequence[str], english: Sequence[str], confidence: float = 0.9
) -> Facts:
    """The facts of a page of which three readings are given, each line at the same place."""
    page = PageSeen(
        1,
        [words(line, row, confidence) for row, line in enumerate(text)],
        [words(line, row) for row, line in enumerate(korean)],
        [words(line, row) for row, line in enumerate(english)],
    )
    lines: Lines = {row: SeenLine(page, line) for row, line in enumerate(page.lines)}
    return confirm(find_facts("\n".join(text)), lines)


@pytest.mark.parametrize(
    ("text", "korean", "english", "value"),
    [
        ("150,000원", "150,000원", "150,000H", 150_000),
        ("1500,000원", "1500,000원", "1,500,000H", 1_500_000),  # the comma lost, the digits not
        ("1,650,000원", "1,650,000원", "1,650,0008", 1_650_000),  # 원 read as one more digit
        ("1.500.000원", "1,500,000원", "1,500,000H", 1_500_000),
        ("500원", "500원", "5008", 500),
        ("2,549,977원", "22549,977원", "2,549,.97721", 2_549_977),
        ("9,578,442원", "9578,442원", "9,578, 4422", 9_578_442),
        ("1억원", "1억원", "12]", None),
        ("150,000원", "150,000원", "160,000H", None),  # two models differ
        ("150,000원", "160,000원", "150,000H", None),
        ("11000원", "11000원", "1,000H", None),
        ("150,000원", "150,000원", "SHS", None),  # nobody confirms it
        ("USD 1,234.56", "USD 1,234.56", "USD 1,234.57", None),
    ],
)
def test_an_amount_needs_two_models_and_no_contradiction(
    text: str, korean: str, english: str, value: int | None
) -> None:
    facts = weighed([text], [korean], [english])
    assert [amount.value for amount in facts.amounts] == [value]
    assert any("no value is given" in doubt for doubt in facts.doubts) is (value is None)


SUM = "공급가액 {}원 세액 {}원 합계 {}원"


def test_the_sum_decides_between_readings() -> None:
    read = SUM.format("1500,000", "150,000", "11650,000")
    looked = SUM.format("1,500,000", "150,000", "1,650,000")
    facts = weighed([read], [read], [looked])
    assert [amount.value for amount in facts.amounts] == [1_500_000, 150_000, 1_650_000]
    assert facts.doubts == ()


def test_a_sum_that_no_reading_makes_leaves_none_of_its_amounts() -> None:
    read = SUM.format("1,500,000", "150,000", "1,660,000")
    facts = weighed([read], [read], [read])
    assert [amount.value for amount in facts.amounts] == [None, None, None]
    assert any("the sum does not hold" in doubt for doubt in facts.doubts)


def test_a_sum_fills_in_digits_whose_commas_were_lost() -> None:
    read = SUM.format("25,499,770", "2549,977", "28,049,747")
    korean = SUM.format("25,499,770", "22549,977", "28,049,747")
    facts = weighed([read], [korean], [SUM.format("25,499,770", "SHSSHSSH", "28,049,747")])
    assert [amount.value for amount in facts.amounts] == [25_499_770, 2_549_977, 28_049_747]


def test_what_is_agreed_stays_where_the_rest_of_a_sum_is_lost() -> None:
    read = SUM.format("25,499,770", "9,999,999", "28,049,747")
    facts = weighed([read], [read], [SUM.format("25,499,770", "SHSSHSSHS", "28,049,747")])
    assert [amount.value for amount in facts.amounts] == [25_499_770, None, 28_049_747]
    assert len(facts.doubts) == 1


def test_a_sum_of_which_nothing_is_agreed_proves_nothing() -> None:
    read = SUM.format("1,100,000", "110,000", "1,210,000")
    facts = weighed([read], [read], [SUM.format("9,900,001", "990,007", "9,990,002")])
    assert [amount.value for amount in facts.amounts] == [None, None, None]


def test_a_number_torn_at_its_comma_is_no_number() -> None:
    facts = weighed(["합계 15,672 888원"], ["합계 15,672 888원"], ["A 15,672 888H"])
    assert {amount.value for amount in facts.amounts} == {None}
    beside = "계약금 650,000원 2025년 3 1,200,000원"
    facts = weighed([beside], [beside], ["A 650,000H 20254 3 1,200,000H"])
    assert [amount.value for amount in facts.amounts] == [650_000, 1_200_000]


@pytest.mark.parametrize(
    ("text", "korean", "english", "value"),
    [
        ("2025년 02월 03일", "2025년 02월 03일", "20254 02H 032", "2025-02-03"),
        ("2025년 02월 03일", "2025년 02월 08일", "20254 02H 032", None),
        ("2025년 02월 03일", "2025년 02월 03일", "20264 02H 032", None),
        ("2025년 02월 03일", "2025년 02월 03일", "", None),
    ],
)
def test_a_date_needs_both_models(text: str, korean: str, english: str, value: str | None) -> None:
    assert [day.value for day in weighed([text], [korean], [english]).dates] == [value]


@pytest.mark.parametrize(
    ("english", "value"), [("123-45-67891", "123-45-67891"), ("128-45-67891", None)]
)
def test_a_business_number_needs_both_models(english: str, value: str | None) -> None:
    number = "123-45-67891"
    (found,) = weighed([number], [number], [english]).business_numbers
    assert (found.text, found.value) == (number, value)


def test_a_url_that_readings_differ_on_is_not_offered_to_be_crawled() -> None:
    url = "http://demo-site:8080/a.html"
    assert weighed([url], ["?"], [url]).urls[0].value == url
    assert weighed([url], ["?"], [url.replace("a.html", "o.html")]).urls[0].value is None


def test_what_a_label_promises_and_what_is_read_unsurely_is_said() -> None:
    lost = ["등록번호 123-45-6789l", "합계 l,65O,OOO월 1234"]
    doubts = weighed(lost, lost, lost).doubts
    assert "what follows '등록번호' could not be read" in doubts
    assert "what follows '합계' could not be read" in doubts
    unsure = weighed(["20231Ose"], ["?"], ["?"], confidence=0.4).doubts
    assert unsure == ("'20231Ose' may be a number or a date that was misread",)
    assert weighed(["20231Ose"], ["?"], ["?"], confidence=0.8).doubts == ()


def test_facts_say_where_they_come_from() -> None:
    page = PageSeen(3, [words("합계 1,000원", 2, 0.7)], [], [])
    lines: Lines = {5: SeenLine(page, page.lines[0])}
    seen = source_of(Place(5, 3, 9), lines, None)
    assert (seen.method, seen.page, seen.confidence) == ("ocr", 3, 0.7)
    assert seen.box == [0.015, 0.1, 0.045, 0.12]
    told = source_of(Place(0, 0, 2), lines, 1)
    assert (told.method, told.page, told.confidence, told.box) == ("text", 1, None, None)
    assert source_of(Place(None), lines, None).page is None


def test_syllables_are_put_together_as_the_text_has_them() -> None:
    head = "level page_num block_num par_num line_num word_num left top width height conf text"
    rows = [
        (1, 100, 100, 50, 20, 90.0, "세"), (1, 160, 100, 40, 20, 80.0, "금"),
        (1, 300, 100, 50, 20, 70.0, "1,000"), (2, 100, 200, 50, 20, -1.0, "끝"),
    ]  # fmt: skip
    table = [
        f"5\t1\t1\t1\t{line}\t1\t{left}\t{top}\t{wide}\t{high}\t{sure}\t{text}"
        for line, left, top, wide, high, sure, text in rows
    ]
    first, second = parse(
        "\n".join([head.replace(" ", "\t"), *table, "세금 1,000", "", "끝"]), 1000, 500
    )
    assert [(word.text, word.confidence) for word in first] == [("세금", 0.8), ("1,000", 0.7)]
    assert (first[0].left, first[0].right) == (0.1, 0.2)
    assert [(word.text, word.confidence) for word in second] == [("끝", 0.0)]
    # A text that does not fit the table leaves the words as they are.
    apart = parse("\n".join([head.replace(" ", "\t"), *table, "다른 글"]), 1000, 500)
    assert [word.text for line in apart for word in line] == ["세", "금", "1,000", "끝"]


@pytest.mark.parametrize("angle", [-4.0, -1.3, -0.4, 0.0, 0.7, 2.5])
def test_lines_are_made_level(angle: float) -> None:
    page = Image.new("L", (1200, 900), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.truetype(_FONT, 30)
    for row in range(9):
        pen.text((80, 60 + 90 * row), "공급가액 1,500,000원 세액 150,000원", font=font, fill=0)
    turned = page.rotate(angle, Image.Resampling.BICUBIC, fillcolor=255)
    assert skew(turned) == pytest.approx(-angle, abs=0.3)
    assert abs(skew(prepare(turned, LIMITS))) <= 0.3
