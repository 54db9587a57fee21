"""Turns a template's data into a paper. Pure; every sum on it comes from `money`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from paperwork_service.money import in_words, won
from paperwork_service.paper import Block, Column, Pairs, Paper, Signatures, Sums, Table, Text
from paperwork_service.templates import (
    Company,
    Contract,
    EmploymentCertificate,
    Minutes,
    Party,
    Quotation,
    Statement,
    TaxInvoice,
    Trade,
)

_WEEKDAYS = "월화수목금토일"
_TAXES = {"taxable": "과세 10 %", "zero_rated": "영세율", "exempt": "면세"}


def tax_invoice(data: TaxInvoice) -> Paper:
    """세금계산서, or 계산서 where the goods are exempt from tax."""
    title = "계산서" if data.tax == "exempt" else "세금계산서"
    head = [["작성일", _day(data.issued)], ["승인번호", data.approval_number or "-"]]
    blocks: list[Block] = [
        Pairs([head, *_parties(data)]),
        _items(data),
        _sums(data),
        Text(f"위 금액을 {data.claim}합니다.", align="right", bold=True, space=10),
        *_note(data.note),
    ]
    return Paper(title, "공급받는자 보관용", data.supplier.name, blocks)


def quotation(data: Quotation) -> Paper:
    """견적서, addressed to its recipient."""
    blocks: list[Block] = [
        Text(f"{data.recipient.name} 귀하", bold=True, size=12),
        Text("아래와 같이 견적합니다.", space=2),
        Pairs(
            [
                [["견적일", _day(data.issued)], ["유효기간", f"{_day(data.valid_until)}까지"]],
                [["납품 조건", data.delivery or "-"], ["결제 조건", data.payment or "-"]],
                *_parties(data),
            ]
        ),
        Text(
            f"견적 금액: {in_words(data.sums.total)} (부가가치세 {_TAXES[data.tax]})",
            bold=True,
            size=11,
            space=8,
        ),
        _items(data),
        _sums(data),
        *_note(data.note),
    ]
    return Paper("견적서", _number(data.number), data.supplier.name, blocks)


def statement(data: Statement) -> Paper:
    """거래명세서 with a place for whoever takes the goods over."""
    blocks: list[Block] = [
        Pairs([[["거래일", _day(data.traded)], ["과세 구분", _TAXES[data.tax]]], *_parties(data)]),
        _items(data),
        _sums(data),
        *_note(data.note),
        Text("위와 같이 거래하였음을 확인합니다.", space=10),
        Signatures([["공급자", f"{data.supplier.name} (인)"], ["인수자", "              (인)"]]),
    ]
    return Paper("거래명세서", _number(data.number), data.supplier.name, blocks)


def contract(data: Contract) -> Paper:
    """용역계약서: articles that every such contract has, then those of the request."""
    payment = f"을의 용역에 대한 계약금액은 금 {won(data.amount)}(부가가치세 포함)으로 한다."
    articles = [
        ("목적", data.purpose),
        ("계약기간", f"계약기간은 {_day(data.starts)}부터 {_day(data.ends)}까지로 한다."),
        ("계약금액", f"{payment}\n({in_words(data.amount)})"),
        *((article.title, article.text) for article in data.articles),
    ]
    blocks: list[Block] = [
        Text(
            f'{data.client.name}(이하 "갑"이라 한다)과 {data.contractor.name}(이하 "을"이라 '
            "한다)은 다음과 같이 계약을 체결하고 신의에 따라 성실히 이행한다.",
        )
    ]
    for number, (title, text) in enumerate(articles, start=1):
        blocks += [Text(f"제{number}조 ({title})", bold=True, space=8), Text(text, space=2)]
        if title == "계약금액" and number == 3 and data.installments:
            blocks.append(_installments(data))
    blocks += [
        Text(
            "이 계약을 증명하기 위하여 계약서 2통을 작성하여 갑과 을이 서명 또는 날인한 후 "
            "각 1통씩 보관한다.",
            space=12,
        ),
        Text(f"계약일 {_day(data.signed)}", align="center", bold=True, size=11, space=12),
        Signatures([_side("갑", data.client), _side("을", data.contractor)]),
    ]
    return Paper(data.title, "", data.client.name, blocks)


def minutes(data: Minutes) -> Paper:
    """회의록: what was on the agenda, what was decided, who does what."""
    when = f"{_day(data.held)} ({_WEEKDAYS[data.held.weekday()]}) {data.time}".strip()
    people = [[["참석자", f"{', '.join(data.attendees)} ({len(data.attendees)}명)"]]]
    if data.absent:
        people.append([["불참자", ", ".join(data.absent)]])
    blocks: list[Block] = [
        Pairs(
            [
                [["회의명", data.title]],
                [["회의일", when]],
                [["장소", data.place or "-"], ["작성자", data.author]],
                *people,
            ]
        )
    ]
    for number, item in enumerate(data.agenda, start=1):
        blocks.append(Text(f"안건 {number}. {item.title}", bold=True, size=11, space=10))
        for label, text in (("논의", item.discussion), ("결정", item.decision)):
            if text:
                blocks.append(Text(f"[{label}] {text}", space=3))
    if data.tasks:
        rows = [[t.what, t.who, t.due.isoformat() if t.due else "-"] for t in data.tasks]
        centred = [Column(title, 0.2, "center") for title in ("담당", "기한")]
        table = Table([Column("할 일", 0.6), *centred], rows)
        blocks += [Text("실행 항목", bold=True, size=11, space=12), table]
    if data.next_meeting:
        blocks.append(Text(f"다음 회의일 {_day(data.next_meeting)}", space=10))
    return Paper("회의록", "", data.author, blocks)


def employment_certificate(data: EmploymentCertificate) -> Paper:
    """재직증명서."""
    company = data.company
    blocks: list[Block] = [
        Pairs(
            [
                [["성명", data.name], ["생년월일", _day(data.born)]],
                [["주소", data.address or "-"]],
                [["소속", data.department], ["직위", data.position]],
                [["입사일", _day(data.joined)], ["용도", data.purpose]],
            ]
        ),
        Text("위와 같이 재직하고 있음을 증명합니다.", align="center", size=13, space=60),
        Text(f"발급일 {_day(data.issued)}", align="center", size=12, space=50),
        Text(company.name, align="center", bold=True, size=15, space=50),
        Text(f"대표자 {company.representative} (직인)", align="center", size=12, space=6),
        Text(f"사업자등록번호 {company.business_number}", align="center", space=6),
        *([Text(company.address, align="center", space=3)] if company.address else []),
    ]
    return Paper("재직증명서", _number(data.number), company.name, blocks)


Composer = Callable[[Any], Paper]


def _day(day: date) -> str:
    return f"{day.year}년 {day.month}월 {day.day}일"


def _number(number: str) -> str:
    return f"제 {number} 호" if number else ""


def _parties(data: Trade) -> list[list[list[str]]]:
    """Supplier on the left, recipient on the right; rows that neither fills are left out."""
    rows = [
        _row("{} 등록번호", data, lambda c: c.business_number),
        _row("{} 상호", data, lambda c: c.name),
        _row("대표자", data, lambda c: c.representative),
        _row("주소", data, lambda c: c.address),
        _row("업태 / 종목", data, _trade),
        _row("연락처", data, lambda c: c.contact),
    ]
    return [row for row in rows if any(value != "-" for _, value in row)]


def _row(label: str, data: Trade, value: Callable[[Company], str]) -> list[list[str]]:
    sides = (("공급자", data.supplier), ("공급받는자", data.recipient))
    return [[label.format(name), value(company) or "-"] for name, company in sides]


def _trade(company: Company) -> str:
    return " / ".join(part for part in (company.business_type, company.business_item) if part)


def _items(data: Trade) -> Table:
    noted = any(item.note for item in data.items)
    columns = [
        Column("번호", 0.06, "center"),
        Column("품목", 0.22 if noted else 0.32),
        Column("규격", 0.12, "center"),
        Column("수량", 0.09, "right"),
        Column("단가", 0.13, "right"),
        Column("공급가액", 0.15, "right"),
        Column("세액", 0.13, "right"),
        *([Column("비고", 0.10, "center")] if noted else []),
    ]
    rows = []
    for number, item in enumerate(data.items, start=1):
        sums = item.sums(taxed=data.taxed)
        amounts = (f"{item.unit_price:,}", f"{sums.supply:,}", f"{sums.tax:,}")
        quantity = f"{item.quantity:,.3f}".rstrip("0").rstrip(".")
        cells = [str(number), item.name, item.specification, quantity, *amounts]
        rows.append([*cells, item.note] if noted else cells)
    return Table(columns, rows)


def _sums(data: Trade) -> Sums:
    found = data.sums
    return Sums(
        [
            ["공급가액", won(found.supply)],
            ["세액", won(found.tax)],
            ["합계", won(found.total)],
        ]
    )


def _note(note: str) -> list[Block]:
    return [Text("비고", bold=True, space=10), Text(note, space=2)] if note.strip() else []


def _installments(data: Contract) -> Table:
    columns = [
        Column("구분", 0.3, "center"),
        Column("금액", 0.35, "right"),
        Column("지급일", 0.35, "center"),
    ]
    rows = [[part.label, won(part.amount), _day(part.due)] for part in data.installments]
    return Table(columns, rows)


def _side(role: str, party: Party) -> list[str]:
    number = f"사업자등록번호 {party.business_number}" if party.business_number else ""
    signer = f"{party.representative or party.name} (인)"
    return [f"{role}  {party.name}", *(line for line in (number, party.address) if line), signer]
