"""Measures what OCR makes of worse and worse scans: how many facts are right, given up, or wrong.

    .venv/bin/python images/paperwork-service/scripts/measure_ocr.py [PAGES OF EACH KIND]

Draws invoices with numbers of its own choice, spoils them as scanners, fax machines and phones do,
and reads them back. What counts most is the last column: facts stated with a wrong value.
"""

from __future__ import annotations

import io
import random  # noqa: TID251 - the pages of a measurement, always the same ones
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HOME), str(HOME.parent / "base")]

from PIL import Image, ImageDraw, ImageFilter, ImageFont  # noqa: E402

from paperwork_service.limits import LIMITS  # noqa: E402
from paperwork_service.read_pdf import read_picture  # noqa: E402
from paperwork_service.summary import summarise  # noqa: E402

_FONT = "/usr/share/fonts/truetype/nanum/NanumGothic.ttf"
Spoil = Callable[[Image.Image, random.Random], Image.Image]


@dataclass(frozen=True)
class Invoice:
    lines: tuple[str, ...]
    facts: frozenset[tuple[str, object]]


def invoice(dice: random.Random) -> Invoice:
    """Its lines and the facts that stand in them."""
    supply = dice.randrange(1_000, 99_000_000, 10)
    tax = supply // 10
    day = (dice.randrange(2019, 2027), dice.randrange(1, 13), dice.randrange(1, 29))
    number = f"{dice.randrange(100, 999)}-{dice.randrange(10, 99)}-{dice.randrange(10000, 99999)}"
    return Invoice(
        (
            "세금계산서",
            f"발행일 {day[0]}년 {day[1]:02}월 {day[2]:02}일",
            f"공급자 주식회사 힐세븐 등록번호 {number}",
            "품목 만세력 데이터 제공 용역 수량 1",
            f"공급가액 {supply:,}원   세액 {tax:,}원   합계 {supply + tax:,}원",
            "위 금액을 청구합니다.",
        ),
        frozenset(
            {
                *(("amount", value) for value in (supply, tax, supply + tax)),
                ("date", f"{day[0]}-{day[1]:02}-{day[2]:02}"),
                ("number", number),
            }
        ),
    )


def drawn(paper: Invoice) -> Image.Image:
    """The page as a clean scan at 200 dpi would be."""
    page = Image.new("L", (1654, 1000), 255)
    pen = ImageDraw.Draw(page)
    for row, line in enumerate(paper.lines):
        size = 56 if row == 0 else 34
        pen.text((110, 150 + 110 * row), line, font=ImageFont.truetype(_FONT, size), fill=0)
    return page


def _noise(page: Image.Image, sigma: float) -> Image.Image:
    return Image.blend(page, Image.effect_noise(page.size, sigma), 0.35)


def _jpeg(page: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    page.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("L")


def _smaller(page: Image.Image, share: float) -> Image.Image:
    return page.resize((round(page.width * share), round(page.height * share)))


SPOILS: dict[str, Spoil] = {
    "clean": lambda page, dice: page,
    "turned up to 4°": lambda page, dice: page.rotate(
        dice.uniform(-4, 4), Image.Resampling.BICUBIC, fillcolor=255
    ),
    "specks": lambda page, dice: _noise(page, 60),
    "JPEG at 20": lambda page, dice: _jpeg(page, 20),
    "blurred": lambda page, dice: page.filter(ImageFilter.GaussianBlur(1.6)),
    "100 dpi": lambda page, dice: _smaller(page, 0.5),
    "75 dpi": lambda page, dice: _smaller(page, 0.38),
    "fax": lambda page, dice: _smaller(page, 0.6).point(lambda v: 255 if v > 150 else 0),
    "all of it": lambda page, dice: _jpeg(
        _noise(_smaller(page, 0.6), 50).rotate(dice.uniform(-2, 2), fillcolor=235), 35
    ),
}


def read(page: Image.Image, folder: Path) -> tuple[set[tuple[str, object]], bool]:
    """The facts stated, and whether a person is asked to look."""
    path = folder / "page.png"
    page.save(path)
    reading = read_picture(str(path), LIMITS, ocr=True)
    result = summarise("doc", "image", reading, ["extract", "ocr", "classify"])
    assert result.fields is not None
    stated: set[tuple[str, object]] = {("amount", a.value) for a in result.fields.amounts}
    stated |= {("date", day.value) for day in result.fields.dates}
    stated |= {("number", number.value) for number in result.fields.business_numbers}
    return {fact for fact in stated if fact[1] is not None}, result.needs_review


def main(count: int) -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    print(f"{'':16} {'facts':>6} {'right':>6} {'given up':>9} {'silent':>7} {'WRONG':>6}")
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, spoil in SPOILS.items():
            tally: Counter[str] = Counter()
            for _ in range(count):
                paper = invoice(dice)
                stated, review = read(spoil(drawn(paper), dice), Path(folder))
                missing = len(paper.facts - stated)
                tally["facts"] += len(paper.facts)
                tally["right"] += len(paper.facts & stated)
                tally["given up" if review else "silent"] += missing
                tally["wrong"] += len(stated - paper.facts)
                if missing and not review:
                    print("  silent:", sorted(paper.facts - stated, key=str), "of", paper.lines)
                if stated - paper.facts:
                    print("  wrong:", sorted(stated - paper.facts, key=str), "of", paper.lines)
            show(name, tally)
            total += tally
    show("in all", total)


def show(name: str, tally: Counter[str]) -> None:
    print(
        f"{name:16} {tally['facts']:6} {tally['right']:6} {tally['given up']:9} "
        f"{tally['silent']:7} {tally['wrong']:6}",
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
