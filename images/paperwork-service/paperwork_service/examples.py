"""One filled-in example a template, as GET /templates shows it and the tests read it back.

The parties are invented, their business numbers too: they only pass the check digit.
"""

from __future__ import annotations

from typing import Any

_SUPPLIER: dict[str, Any] = {
    "business_number": "123-45-67891",
    "name": "주식회사 힐세븐",
    "representative": "김한결",
    "address": "서울특별시 종로구 새문안로 7, 7층",
    "business_type": "정보통신업",
    "business_item": "데이터 제공",
    "contact": "02-700-0007",
}
_RECIPIENT: dict[str, Any] = {
    "business_number": "220-81-62517",
    "name": "절기 데이터 포털",
    "representative": "이서윤",
    "address": "대전광역시 유성구 과학로 24",
}
_ITEMS: list[dict[str, Any]] = [
    {
        "name": "만세력 데이터 제공 용역",
        "specification": "1년",
        "quantity": 1,
        "unit_price": 1_200_000,
    },
    {"name": "절기 시각표 검증", "specification": "회", "quantity": 2, "unit_price": 150_000},
]
_PARTY = ("name", "representative", "business_number", "address")
_TRADE = {"supplier": _SUPPLIER, "recipient": _RECIPIENT, "items": _ITEMS}

EXAMPLES: dict[str, dict[str, Any]] = {
    "tax_invoice": {
        **_TRADE,
        "issued": "2025-02-03",
        "approval_number": "20250203-00017",
        "totals": {"supply": 1_500_000, "tax": 150_000, "total": 1_650_000},
    },
    "quotation": {
        **_TRADE,
        "number": "2025-017",
        "issued": "2025-01-20",
        "valid_until": "2025-02-19",
        "delivery": "계약 후 14일 이내",
        "payment": "세금계산서 발행 후 30일 이내",
        "note": "견적은 유효기간 안에 주문하실 때에 한합니다.",
    },
    "statement": {**_TRADE, "number": "2025-031", "traded": "2025-02-03"},
    "contract": {
        "client": {member: _RECIPIENT[member] for member in _PARTY},
        "contractor": {member: _SUPPLIER[member] for member in _PARTY},
        "purpose": "을은 갑에게 만세력 데이터를 제공하고 갑은 그 대가를 지급한다.",
        "starts": "2025-02-03",
        "ends": "2026-02-02",
        "amount": 1_650_000,
        "installments": [
            {"label": "계약금", "amount": 650_000, "due": "2025-02-10"},
            {"label": "잔금", "amount": 1_000_000, "due": "2025-12-31"},
        ],
        "articles": [
            {
                "title": "비밀유지",
                "text": "갑과 을은 계약을 이행하며 알게 된 비밀을 제3자에게 알리지 아니한다.",
            },
            {
                "title": "해지",
                "text": "계약을 위반하고 14일 안에 바로잡지 아니하면 상대방은 해지할 수 있다.",
            },
        ],
        "signed": "2025-02-03",
    },
    "minutes": {
        "title": "2월 정기 운영 회의",
        "held": "2025-02-04",
        "time": "10:00~11:00",
        "place": "본사 7층 회의실",
        "author": "박도윤",
        "attendees": ["김한결", "이서윤", "박도윤"],
        "absent": ["최지우"],
        "agenda": [
            {
                "title": "절기 데이터 제공 일정",
                "discussion": "시험 운영 결과를 검토하였다.",
                "decision": "3월 1일부터 정식으로 제공한다.",
            },
            {
                "title": "장애 대응 절차",
                "decision": "복구 연습을 매달 한 번 실시하기로 의결하였다.",
            },
        ],
        "tasks": [{"what": "제공 안내문 발송", "who": "박도윤", "due": "2025-02-14"}],
        "next_meeting": "2025-03-04",
    },
    "employment_certificate": {
        "number": "2025-003",
        "name": "박도윤",
        "born": "1990-05-17",
        "address": "경기도 성남시 분당구 판교로 235",
        "department": "데이터사업부",
        "position": "책임연구원",
        "joined": "2019-03-04",
        "purpose": "금융기관 제출용",
        "company": _SUPPLIER,
        "issued": "2025-02-05",
    },
}
