"""The data of each template, as strict models: what an office's papers are filled in with."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from heal7_contract import StrictModel
from paperwork_service.facts import check_digit_ok
from paperwork_service.money import Sums, added, line_sums

Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Maybe = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Prose = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]*$")]
_MOST = 10**15
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")]
Won = Annotated[int, Field(ge=0, le=_MOST)]
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2199, 12, 31))]


def _checked(number: str) -> str:
    if not check_digit_ok(number):
        raise ValueError("its check digit is wrong: no such business number can exist")
    return number


def _thousandths(quantity: float) -> float:
    if round(quantity, 3) != quantity:
        raise ValueError("at most three decimals are printed")
    return quantity


Quantity = Annotated[
    float, Field(gt=0, le=1_000_000_000, examples=[1, 2.5]), AfterValidator(_thousandths)
]
BusinessNumber = Annotated[
    str,
    Field(pattern=r"^\d{3}-\d{2}-\d{5}$", examples=["123-45-67891"]),
    AfterValidator(_checked),
]


class Company(StrictModel):
    """A business as its registration names it."""

    business_number: BusinessNumber
    name: Line
    representative: Line
    address: Maybe = ""
    business_type: Maybe = ""
    business_item: Maybe = ""
    contact: Maybe = ""


class Claimed(StrictModel):
    """Sums the sender reckons with; refused when they are not those of the items."""

    supply: Won
    tax: Won
    total: Won


class Item(StrictModel):
    """`unit_price` is in won, without tax; the sums are computed."""

    name: Line
    specification: Maybe = ""
    quantity: Quantity
    unit_price: Won
    note: Maybe = ""

    def sums(self, *, taxed: bool) -> Sums:
        return line_sums(self.quantity, self.unit_price, taxed=taxed)


class Trade(StrictModel):
    """What tax invoice, quotation and statement share: two parties, items and their sums."""

    supplier: Company
    recipient: Company
    items: list[Item] = Field(min_length=1, max_length=500)
    tax: Literal["taxable", "zero_rated", "exempt"] = "taxable"
    totals: Claimed | None = None
    note: Prose = ""

    @property
    def taxed(self) -> bool:
        return self.tax == "taxable"

    @property
    def sums(self) -> Sums:
        return added(item.sums(taxed=self.taxed) for item in self.items)

    @model_validator(mode="after")
    def _sums_hold(self) -> Trade:
        found, claimed = self.sums, self.totals
        if found.total > _MOST:
            raise ValueError(f"the total is above {_MOST:,} won")
        if claimed is None:
            return self
        wanted = (found.supply, found.tax, found.total)
        if (claimed.supply, claimed.tax, claimed.total) != wanted:
            raise ValueError(
                "totals are not those of the items: supply {:,}, tax {:,}, total {:,}".format(
                    *wanted
                )
            )
        return self


class TaxInvoice(Trade):
    """세금계산서. `claim`: asked for (청구) or received (영수)."""

    issued: Day
    approval_number: Maybe = ""
    claim: Literal["청구", "영수"] = "청구"


class Quotation(Trade):
    """견적서."""

    number: Maybe = ""
    issued: Day
    valid_until: Day
    delivery: Maybe = ""
    payment: Maybe = ""

    @model_validator(mode="after")
    def _in_order(self) -> Quotation:
        if self.valid_until < self.issued:
            raise ValueError("valid_until is before issued")
        return self


class Statement(Trade):
    """거래명세서."""

    number: Maybe = ""
    traded: Day


class Party(StrictModel):
    """One side of a contract; a person has no business number."""

    name: Line
    representative: Maybe = ""
    business_number: BusinessNumber | None = None
    address: Maybe = ""


class Installment(StrictModel):
    """`label` such as 계약금, 중도금, 잔금."""

    label: Line
    amount: Won
    due: Day


class Article(StrictModel):
    title: Line
    text: Annotated[Prose, Field(min_length=1)]


class Contract(StrictModel):
    """용역계약서. `amount` is in won with tax; installments must add up to it."""

    title: Line = "용역계약서"
    client: Party
    contractor: Party
    purpose: Annotated[Prose, Field(min_length=1)]
    starts: Day
    ends: Day
    amount: Won
    installments: list[Installment] = Field(default=[], max_length=50)
    articles: list[Article] = Field(default=[], max_length=100)
    signed: Day

    @model_validator(mode="after")
    def _consistent(self) -> Contract:
        if self.ends < self.starts:
            raise ValueError("ends is before starts")
        paid = sum(part.amount for part in self.installments)
        if self.installments and paid != self.amount:
            raise ValueError(f"installments add up to {paid:,}, the amount is {self.amount:,}")
        return self


class Agenda(StrictModel):
    title: Line
    discussion: Prose = ""
    decision: Prose = ""


class Task(StrictModel):
    what: Line
    who: Line
    due: Day | None = None


class Minutes(StrictModel):
    """회의록."""

    title: Line
    held: Day
    time: Maybe = ""
    place: Maybe = ""
    author: Line
    attendees: list[Name] = Field(min_length=1, max_length=200)
    absent: list[Name] = Field(default=[], max_length=200)
    agenda: list[Agenda] = Field(min_length=1, max_length=100)
    tasks: list[Task] = Field(default=[], max_length=200)
    next_meeting: Day | None = None


class EmploymentCertificate(StrictModel):
    """재직증명서. Without the resident number, which no template should carry around."""

    number: Maybe = ""
    name: Line
    born: Day
    address: Maybe = ""
    department: Line
    position: Line
    joined: Day
    purpose: Line = "제출용"
    company: Company
    issued: Day

    @model_validator(mode="after")
    def _in_order(self) -> EmploymentCertificate:
        if not self.born < self.joined <= self.issued:
            raise ValueError("born, joined and issued are not in this order")
        return self
