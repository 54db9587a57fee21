"""No secret is kept, nothing else is hidden, and reading slows down before anybody is hurt."""

from __future__ import annotations

import pytest

from controller.logs.budget import LINE_COST, Budget, Lag
from controller.logs.mask import masker

mask = masker(
    [{"DB_PASSWORD": "correct-horse", "API_KEY_FILE": "/run/secrets/key", "PORT": "123456"}]
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=opensesame user=ann", "password=••• user=ann"),
        ("PASSWORD: opensesame", "PASSWORD: •••"),
        ('{"api_key": "k-1", "n": 1}', '{"api_key": "•••", "n": 1}'),
        ('{"apiKey":"k\\"-1","n":1}', '{"apiKey":"•••","n":1}'),
        ("{'token': 'abc', 'n': 1}", "{'token': '•••', 'n': 1}"),
        (r'"body": "{\"client_secret\": \"abc def\"}"', r'"body": "{\"client_secret\": \"•••\"}"'),
        ("GET /x?access_token=abc&n=1 HTTP/1.1", "GET /x?access_token=•••&n=1 HTTP/1.1"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer •••"),
        ("postgres://app:hunter2@db/app", "postgres://app:•••@db/app"),
        ("it is correct-horse, really", "it is •••, really"),
        ("비밀번호 password=가나다라", "비밀번호 password=•••"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the token has expired",
        "max_tokens=4096 total",
        "password: null",
        '{"password": null, "authorized": true}',
        "key=value monkey: banana",
        "listening on 123456 with /run/secrets/key",
        "http://host:8010/path?author=ann",
        "passed: 12 tests, bypass=3",
        "",
    ],
)
def test_nothing_else_is_hidden(text: str) -> None:
    assert mask(text) == text


def test_patterns_of_the_operator() -> None:
    own = masker([], [r"\b\d{6}-\d{7}\b"])
    assert own("주민번호 900101-1234567 확인") == "주민번호 ••• 확인"


def test_a_budget_lets_bursts_pass_and_holds_the_rate() -> None:
    budget = Budget(1_000.0, now=0.0, burst_s=2.0)
    assert budget.spend(2_000 - LINE_COST, 1, now=0.0) == 0
    assert budget.spend(500 - LINE_COST, 1, now=0.0) == pytest.approx(0.5)
    assert budget.spend(0, 0, now=0.5) == 0
    # What is not used is not saved up beyond the burst.
    assert budget.spend(2_500, 0, now=100.0) == pytest.approx(0.5)


def test_only_who_is_far_behind_and_does_not_catch_up_is_skipped() -> None:
    catching_up, losing, near = Lag(), Lag(), Lag()
    assert not any(catching_up.hopeless(600.0 - 2 * t, t) for t in range(200))
    assert not any(near.hopeless(9.0, t) for t in range(100))
    hopeless = [t for t in range(20) if losing.hopeless(5.0 + t, t)]
    assert hopeless
    assert 7 <= hopeless[0] <= 9
