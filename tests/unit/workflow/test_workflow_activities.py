"""What a service answers, as a step keeps it; asked over real HTTP on loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from controller.health.probe import Target
from controller.model.workflow import Call
from controller.workflow.activities import MAX_BYTES, Asking, Broken, HttpCaller
from controller.workflow.outcome import Ending, Outcome

Said = tuple[int, bytes, dict[str, str]]


class Service:
    """Answers with `says`, and remembers what it was asked."""

    def __init__(self) -> None:
        self.says: Said = (200, b"{}", {})
        self.asked: list[tuple[str, str, bytes, dict[str, str]]] = []

    async def answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = (request.method, request.raw_path, await request.read(), headers)
        self.asked.append(asked)
        status, body, more = self.says
        return web.Response(status=status, body=body, headers=more)


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def target(service: Service) -> AsyncIterator[Target]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Target("life", "127.0.0.1", int(runner.addresses[0][1]))
    await runner.cleanup()


@pytest.fixture
async def caller() -> AsyncIterator[HttpCaller]:
    made = HttpCaller()
    yield made
    await made.close()


def asking(call: Call, **context: Any) -> Asking:
    return Asking(call, context, "run_1", "a", "run_1:a", "ab" * 16, 5.0)


POST = Call("POST", "/actions/go", {"n": "${{ input }}"}, "go")


async def test_a_step_sends_its_key_and_where_it_belongs(
    service: Service, target: Target, caller: HttpCaller
) -> None:
    assert (await caller.call(target, asking(POST, input=1))).__class__ is Outcome
    method, path, body, headers = service.asked[0]
    assert (method, path, json.loads(body)) == ("POST", "/actions/go", {"n": 1})
    assert headers["idempotency-key"] == "run_1:a"
    assert headers["x-workflow-run"] == "run_1"
    assert headers["x-workflow-step"] == "a"
    assert headers["traceparent"].startswith(f"00-{'ab' * 16}-")


async def test_what_fills_a_path_cannot_leave_it(
    service: Service, target: Target, caller: HttpCaller
) -> None:
    call = Call("DELETE", "/things/${{ input }}")
    await caller.call(target, asking(call, input="../x?y=1"))
    assert service.asked[0][:3] == ("DELETE", "/things/..%2Fx%3Fy%3D1", b"")


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"", None),
        (b"plain", "plain"),
        (b"NaN", "NaN"),
        (b'{"n": 1e999}', '{"n": 1e999}'),
        (b'["\\ud800"]', ["?"]),
        (b'["\\ud83d\\ude00"]', ["\U0001f600"]),
        (b"[" * 5000, "[" * 5000),
    ],
)
async def test_whatever_is_answered_can_be_kept_and_sent_on(
    service: Service, target: Target, caller: HttpCaller, body: bytes, output: Any
) -> None:
    service.says = (200, body, {})
    found = await caller.call(target, asking(POST))
    assert isinstance(found, Outcome)
    assert (found.ending, found.output) == (Ending.DONE, output)
    json.dumps(found.output, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("status", "headers", "ending", "again_s"),
    [
        (204, {}, Ending.DONE, None),
        (302, {"Location": "http://example.invalid"}, Ending.PERMANENT, None),
        (404, {}, Ending.PERMANENT, None),
        (409, {}, Ending.PERMANENT, None),
        (409, {"Retry-After": "1"}, Ending.TEMPORARY, 1.0),
        (429, {"Retry-After": "soon"}, Ending.TEMPORARY, None),
        (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, Ending.TEMPORARY, 0.0),
        (503, {"Retry-After": "999999"}, Ending.TEMPORARY, 3600.0),
    ],
)
async def test_a_status_says_whether_to_ask_again(
    service: Service,
    target: Target,
    caller: HttpCaller,
    status: int,
    headers: dict[str, str],
    ending: Ending,
    again_s: float | None,
) -> None:
    service.says = (status, b"", headers)
    found = await caller.call(target, asking(POST))
    assert isinstance(found, Outcome)
    assert (found.ending, found.retry_after_s) == (ending, again_s)


async def test_a_problem_is_told_in_its_own_words(
    service: Service, target: Target, caller: HttpCaller
) -> None:
    problem = {"title": "No", "detail": "Not like that.", "remedy": "Ask nicely."}
    service.says = (422, json.dumps(problem).encode(), {})
    found = await caller.call(target, asking(POST))
    assert isinstance(found, Outcome)
    assert found.error is not None
    assert (found.error.status, found.error.detail) == (422, "Not like that. Ask nicely.")


async def test_what_is_too_large_is_refused_both_ways(
    service: Service, target: Target, caller: HttpCaller
) -> None:
    service.says = (200, b"x" * (MAX_BYTES + 1), {})
    found = await caller.call(target, asking(POST))
    assert isinstance(found, Outcome)
    assert found.error is not None
    assert found.error.reason.key == "run.output_too_large"
    found = await caller.call(target, asking(POST, input="x" * MAX_BYTES))
    assert isinstance(found, Outcome)
    assert found.error is not None
    assert found.error.reason.key == "run.input_too_large"
    assert len(service.asked) == 1


async def test_a_service_that_is_not_there_breaks_off(caller: HttpCaller, target: Target) -> None:
    nobody = Target("life", "127.0.0.1", 1)
    assert isinstance(await caller.call(nobody, asking(POST)), Broken)


@pytest.mark.parametrize("part", [".", "..", "", None])
async def test_what_would_name_another_thing_is_not_asked_for(
    service: Service, target: Target, caller: HttpCaller, part: str | None
) -> None:
    found = await caller.call(target, asking(Call("DELETE", "/things/${{ input }}"), input=part))
    assert isinstance(found, Outcome)
    assert found.ending is Ending.PERMANENT
    assert service.asked == []


async def test_a_bad_expression_fails_before_anything_is_sent(
    service: Service, target: Target, caller: HttpCaller
) -> None:
    call = Call("POST", "/x", "${{ length(input) }}")
    found = await caller.call(target, asking(call, input=1))
    assert isinstance(found, Outcome)
    assert found.ending is Ending.PERMANENT
    assert service.asked == []
