"""Secrets are recognised by name in every spelling, and nothing else is lost."""

from __future__ import annotations

import pytest

from controller.model.masking import MASK, is_secret, masked, masked_text


@pytest.mark.parametrize(
    "name",
    [
        "password", "PASSWORD", "db_password", "dbPassword", "userpassword", "passwd", "pwd",
        "secret", "client_secret", "clientSecret", "clientsecret", "token", "accessToken",
        "access-token", "authtoken", "api_key", "apiKey", "apikey", "API_KEY", "X-API-Key",
        "Authorization", "Cookie", "Set-Cookie", "credentials", "private_key", "AWSAccessKey",
        "jwt", "pin", "session_id", "OPENAI_API_KEY", "connectionString",
    ],
)  # fmt: skip
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret(name)
    assert masked({name: "s3cr3t"}) == {name: MASK}


@pytest.mark.parametrize(
    "name",
    ["name", "author", "key", "document_id", "passed", "passenger", "secretary", "spin", "compass",
     "monkey", "tokenizer", "pinned", "authors", "url", "bypass", ""],
)  # fmt: skip
def test_what_only_looks_alike_is_shown(name: str) -> None:
    assert masked({name: "seen"}) == {name: "seen"}


def test_it_is_found_however_deep_and_whatever_it_is() -> None:
    given = {
        "a": [{"token": ["x", "y"]}, {"login": {"user": "kim", "password": 1234}}],
        "credentials": {"user": "kim", "key": "k"},
    }
    assert masked(given) == {
        "a": [{"token": MASK}, {"login": {"user": "kim", "password": MASK}}],
        "credentials": MASK,
    }
    assert given["a"][0] == {"token": ["x", "y"]}


def test_what_says_nothing_and_what_counts_stays() -> None:
    given = {"password": None, "has_password": True, "tokens": 512, "token": 7, "pin": 7}
    assert masked(given) == given | {"pin": MASK}


def test_order_and_plain_values_stay() -> None:
    given = {"b": 1, "secret": "x", "a": [1.5, None, False, "사주", (1, 2)]}
    assert list(masked(given)) == ["b", "secret", "a"]
    assert masked(given)["a"] == [1.5, None, False, "사주", [1, 2]]
    assert masked("plain") == "plain"
    assert masked(None) is None


def test_depth_is_no_matter() -> None:
    deep: object = {"password": "x"}
    for _ in range(50_000):
        deep = [deep]
    found = masked(deep)
    for _ in range(50_000):
        found = found[0]
    assert found == {"password": MASK}


def test_secrets_inside_a_text_are_found() -> None:
    assert masked_text("postgres://hub:hunter2@db:5432/x") == f"postgres://hub:{MASK}@db:5432/x"
    assert masked_text("Authorization: Bearer abcdef123456.x") == f"Authorization: Bearer {MASK}"
    assert (
        masked_text("http://demo-site:8080/a@b and 10:30") == "http://demo-site:8080/a@b and 10:30"
    )
    assert masked({"note": "redis://:hunter2@cache"}) == {"note": f"redis://:{MASK}@cache"}
