"""Facts from text: what is found, and that what is doubtful is said and not guessed."""

from __future__ import annotations

import pytest

from paperwork_service.classify import classify
from paperwork_service.facts import check_digit_ok, find_facts, find_urls


@pytest.mark.parametrize(
    ("text", "value", "currency"),
    [
        ("합계 1,650,000원", 1_650_000, "KRW"),
        ("합계 1650000 원정", 1_650_000, "KRW"),
        ("대금 165만원", 1_650_000, "KRW"),
        ("보증금 1억 2,000만원", 120_000_000, "KRW"),
        ("예산 3조 5천억원", 3_500_000_000_000, "KRW"),
        ("금액 1.5억원", 150_000_000, "KRW"),
        ("₩ 12,000", 12_000, "KRW"),
        ("USD 1,234.56", 1234.56, "USD"),
        ("단가 12.5원", 12.5, "KRW"),
        ("공급가액\t1,500,000", 1_500_000, None),
        ("99.90 EUR", 99.9, "EUR"),
    ],
)
def test_amounts(text: str, value: float, currency: str | None) -> None:
    (amount,) = find_facts(text).amounts
    assert (amount.value, amount.currency) == (value, currency)


@pytest.mark.parametrize(
    "text", ["제1원칙", "수량 1", "승인번호 20250203-00017", "2025년", "v1,2", "합계 3건"]
)
def test_what_is_no_amount(text: str) -> None:
    assert find_facts(text).amounts == ()


@pytest.mark.parametrize(
    "text",
    ["합계 11650,000원", "합계 1,65,000원", "합계 1,6500원", "합계 650.000원", "합계 1.650.000원"],
)
def test_misplaced_commas_give_no_value_and_a_doubt(text: str) -> None:
    facts = find_facts(text)
    assert facts.amounts[0].value is None
    assert "misplaced" in facts.doubts[0]


def test_labels_are_the_nearest_known_words_on_the_line() -> None:
    facts = find_facts("공급가액 1,500,000원 세 액 150,000원\n합계금액: 1,650,000원\n기타 5,000원")
    assert [a.label for a in facts.amounts] == ["공급가액", "세액", "합계금액", None]


def test_a_sum_that_does_not_add_up_is_a_doubt() -> None:
    assert find_facts("공급가액 1,500,000원 세액 150,000원 합계 1,650,000원").doubts == ()
    (doubt,) = find_facts("공급가액 1,500,000원 부가세 150,000원 합계 1,660,000원").doubts
    assert doubt == "공급가액 1,500,000 + 세액 150,000 is not 합계 1,660,000"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("발행일 2025년 02월 03일", "2025-02-03"),
        ("작성일: 2025-2-3", "2025-02-03"),
        ("2025.02.03.", "2025-02-03"),
        ("2024/02/29", "2024-02-29"),
        ("2025년 2월 30일", None),
    ],
)
def test_dates(text: str, value: str | None) -> None:
    facts = find_facts(text)
    assert [day.value for day in facts.dates] == [value]
    assert bool(facts.doubts) == (value is None)


@pytest.mark.parametrize("text", ["2025-0203", "20250203-00017", "10.2025.02.03", "2025.02-03"])
def test_what_is_no_date(text: str) -> None:
    assert find_facts(text).dates == ()


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("124-81-00998", True),
        ("220-81-62517", True),
        ("123-45-67890", False),
        ("124-81-00999", False),
        ("12-3", False),
    ],
)
def test_the_check_digit_of_business_numbers(number: str, valid: bool) -> None:
    assert check_digit_ok(number) is valid


def test_a_business_number_is_not_a_part_of_a_longer_one() -> None:
    assert find_facts("계좌 110-123-45-67890").business_numbers == ()
    assert find_facts("공급받는자 등록번호 124-81-00998").business_numbers[0].label == "공급받는자"


def test_urls_lose_the_sentence_around_them_and_come_once() -> None:
    text = (
        "참고 http://demo-site:8080/terms/2025.html. (https://a.example/x_(y)), "
        "https://b.example/에 있다 <https://c.example/?q=1&r=2>"
    )
    links = ["https://b.example/", "mailto:x@example.com", "https://d.example/"]
    assert tuple(url.value for url in find_urls(text, links)) == (
        "http://demo-site:8080/terms/2025.html",
        "https://a.example/x_(y)",
        "https://b.example/",
        "https://c.example/?q=1&r=2",
        "https://d.example/",
    )


def test_numbers_inside_urls_are_no_facts() -> None:
    facts = find_facts("https://a.example/2025-02-03/124-81-00998")
    assert (facts.dates, facts.business_numbers) == ((), ())


def test_a_hostile_line_takes_no_time() -> None:
    for line in ("1" * 200_000, "1," * 100_000, "1천 " * 60_000, "http://" * 30_000, "(" * 9_000):
        find_facts(line)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("견적서\n유효기간 30일\n단가 1,000원", "quotation"),
        ("영수증\n결제 금액 5,000원\n카드번호 1234", "receipt"),
        ("거래명세서\n인수자", "delivery_note"),
        ("회의록\n참석자: 셋\n안건: 하나", "minutes"),
        ("오늘은 날씨가 좋다.", "unknown"),
        ("", "unknown"),
    ],
)
def test_types(text: str, kind: str) -> None:
    found = classify(text)
    assert found.type == kind
    assert found.reasons
    assert (found.confidence > 0) == (kind != "unknown")


def test_equal_evidence_is_not_decided() -> None:
    assert classify("계약서 겸 영수증").type == "unknown"
