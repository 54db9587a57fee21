"""Every refusal is problem+json with a remedy, and every status is in the OpenAPI document."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract_demo import Demo

from heal7_contract.testing import client

LIMIT = 8000


@pytest.fixture
async def http(tmp_path: Path):
    async with client(Demo(max_body_bytes=LIMIT).service, tmp_path) as opened:
        yield opened


def assert_problem(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = reply.json()
    assert {"type", "title", "status", "detail", "code", "remedy", "instance"} <= set(body)
    assert (body["status"], body["code"]) == (status, code)
    assert body["instance"] == reply.request.url.path
    assert body["remedy"]
    return body


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"number": "3"}', "body.number"),
        ('{"number": 3.0}', "body.number"),
        ('{"number": true}', "body.number"),
        ('{"number": 3, "other": 1}', "body.other"),
        ("{}", "body.number"),
        ("{", "body"),
        ("", "body"),
        ("[]", "body"),
        ('{"number": NaN}', "body.number"),
        ('{"number": 3, "mode": "\\ud800"}', "body"),
        ("[" * 900, "body"),
        (f'{{"number": {"9" * 5000}}}', "body"),
    ],
)
async def test_a_wrong_body_names_the_field(http, text, field) -> None:
    reply = await http.post("/actions/double", content=text)
    body = assert_problem(reply, 422, "invalid_input")
    assert body["errors"][0]["field"] == field


async def test_a_refusal_does_not_repeat_the_value(http) -> None:
    reply = await http.post("/actions/double", content='{"number": "hunter2"}')
    assert "hunter2" not in reply.text


async def test_a_framework_endpoint_refuses_the_same_way(http) -> None:
    reply = await http.post("/echo", json={"a": "x"})
    assert_problem(reply, 422, "invalid_input")


@pytest.mark.parametrize("path", ["/actions/double", "/echo"])
@pytest.mark.parametrize("media", [None, "application/x-www-form-urlencoded", "application/json"])
async def test_json_is_taken_as_curl_sends_it(http, path, media) -> None:
    headers = {"content-type": media} if media else {}
    reply = await http.post(path, content=b'{"number": 1}', headers=headers)
    assert reply.status_code == 200


async def test_unknown_path(http) -> None:
    assert_problem(await http.get("/nothing"), 404, "not_found")
    assert_problem(await http.post("/actions/nothing", json={}), 404, "not_found")


async def test_wrong_method_names_the_right_one(http) -> None:
    reply = await http.get("/actions/double")
    assert_problem(reply, 405, "method_not_allowed")
    assert reply.headers["allow"] == "POST"


async def test_a_problem_raised_by_an_endpoint(http) -> None:
    assert_problem(await http.get("/notes/none"), 404, "no_note")


async def test_a_defect_is_500_and_tells_no_secret(http) -> None:
    reply = await http.post("/actions/double", json={"number": 1, "mode": "crash"})
    assert_problem(reply, 500, "internal_error")
    assert "12345" not in reply.text


@pytest.mark.parametrize("path", ["/actions/double", "/echo"])
async def test_a_declared_body_above_the_limit(http, path) -> None:
    reply = await http.post(path, content=b" " * (LIMIT + 1))
    assert assert_problem(reply, 413, "body_too_large")["limit_bytes"] == LIMIT


@pytest.mark.parametrize("path", ["/actions/double", "/echo"])
async def test_a_streamed_body_above_the_limit(http, path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    assert_problem(await http.post(path, content=pieces()), 413, "body_too_large")


@pytest.mark.parametrize("key", ["", "x" * 256, "k\ney", "키"])
async def test_an_unusable_key(http, key) -> None:
    headers = {"Idempotency-Key": key.encode()}
    reply = await http.post("/actions/double", json={"number": 1}, headers=headers)
    assert_problem(reply, 422, "invalid_idempotency_key")


@pytest.mark.parametrize("body", [{"reason": "x"}, {"id": "a"}, {"id": 1, "reason": "x"}])
async def test_a_compensation_must_name_what_and_why(http, body) -> None:
    reply = await http.post("/actions/double/compensate", json=body)
    assert_problem(reply, 422, "invalid_input")


async def test_an_unusable_store_is_503_while_health_stands(tmp_path: Path) -> None:
    demo = Demo()
    async with client(demo.service, tmp_path / "missing") as http:
        reply = await http.post("/actions/double", json={"number": 1})
        assert_problem(reply, 503, "store_unavailable")
        assert reply.headers["retry-after"]
        ready = await http.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["ready"] is False
        assert "SQLite" in ready.json()["checks"]["store"]
        assert (await http.get("/health")).status_code == 200


async def test_every_status_is_documented(http) -> None:
    document = (await http.get("/openapi.json")).json()
    action = document["paths"]["/actions/double"]["post"]
    assert {"200", "409", "413", "418", "422", "500", "503"} <= set(action["responses"])
    undo = document["paths"]["/actions/double/compensate"]["post"]
    assert {"200", "413", "422", "500", "503"} <= set(undo["responses"])
    assert {"200", "404"} <= set(document["paths"]["/notes/{ident}"]["get"]["responses"])
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status not in ("200", "503") and status >= "4":
                    assert list(response["content"]) == ["application/problem+json"]


async def test_every_reference_in_the_document_resolves(http) -> None:
    document = (await http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert {"Ask", "Told", "ProblemBody", "CompensateRequest"} <= set(schemas)
    missing = {ref for ref in _references(document) if ref.rsplit("/", 1)[1] not in schemas}
    assert not missing
    assert "HTTPValidationError" not in str(document["paths"])


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(_references(value) for value in node))
    return set()
