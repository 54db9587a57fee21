"""The whole application where no engine answers: it says so, and no input makes it fail."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from controller import __version__
from controller.api import problems
from controller.api.guard import MAX_BODY_BYTES, Guard
from controller.bootstrap.app import create_app
from controller.bootstrap.hub import Hub
from controller.config.load import load

ROOT = Path(__file__).parents[3]
PROBLEM = "application/problem+json"
CONFIG = load(ROOT / "config.yaml", {})
SERVICES = CONFIG.stack.managed


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder, ended = tmp_path_factory.mktemp("hub"), list[int]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{folder}/nobody.sock")
        patch.setattr(signal, "raise_signal", ended.append)
        running = Hub(CONFIG, folder / "state")
        yield running
        assert ended == [], f"a background task ended: {running.died}"


@pytest.fixture(scope="module")
def app(hub: Hub) -> FastAPI:
    return create_app(hub)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost:8015") as opened,
    ):
        yield opened


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


# -- the hub about itself


async def test_health_is_degraded(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "degraded",
        "role": "orchestration_hub",
        "managed_services": len(SERVICES),
        "version": __version__,
        "engine": "unreachable",
        "paused": False,
        "config_digest": CONFIG.digest,
    }


async def test_alive_and_not_ready(client: httpx.AsyncClient) -> None:
    alive, ready = await client.get("/livez"), await client.get("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"ready": True})
    assert ready.status_code == 503
    assert ready.json()["checks"]["engine"] == "does not answer"
    assert ready.json()["checks"]["store"] == "ok"
    for said in ("verbose=true", "verbose"):
        verbose = await client.get(f"/livez?{said}")
        assert verbose.json()["checks"] == {"background_tasks": "ok"}
    assert (await client.get("/livez?verbose=perhaps")).status_code == 422


async def test_metrics_say_that_the_engine_is_gone(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "heal7_engine_connected 0.0" in answer.text
    assert f'heal7_build_info{{version="{__version__}"}} 1.0' in answer.text
    for name in SERVICES:
        assert f'heal7_service_up{{service="{name}"}} 0.0' in answer.text
        assert f'heal7_service_health{{health="unknown",service="{name}"}} 1.0' in answer.text


@pytest.mark.parametrize(("language", "word"), [("en", "engine"), ("ko-KR", "엔진")])
async def test_status_is_answered_from_memory(
    client: httpx.AsyncClient, language: str, word: str
) -> None:
    answer = await client.get("/orchestration/status", headers={"Accept-Language": language})
    body = answer.json()
    assert (body["orchestration_hub"], body["total_services"]) == ("active", len(SERVICES))
    assert (body["running"], body["healthy"]) == (0, 0)
    assert [s["name"] for s in body["services"]] == list(SERVICES)
    for shown in body["services"]:
        assert (shown["health"], shown["state"]) == ("unknown", "missing")
        assert word in shown["reason"]


async def test_one_service(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/orchestration/services/{SERVICES[0]}")
    assert answer.status_code == 200
    assert answer.json()["recent_probes"] == []


# -- what cannot be done


@pytest.mark.parametrize(
    "path",
    [
        "/orchestration/start-all",
        "/orchestration/stop-all",
        "/orchestration/restart-all",
        "/orchestration/start-all?dry_run=true",
        "/orchestration/start-all?wait=false",
        *(f"/orchestration/services/{SERVICES[0]}/{verb}" for verb in ("start", "stop", "restart")),
    ],
)
async def test_acts_say_when_to_come_back(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path)
    body = problem(answer, 503)
    assert body["type"] == "urn:heal7:problem:engine-unreachable"
    assert body["remedy"]
    assert int(answer.headers["retry-after"]) > 0
    assert (await client.get("/orchestration/operations")).json() == []


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
@pytest.mark.parametrize("name", ["nope", "..", "%2e%2e%2fimages", "%00", "a" * 5000, "가"])
async def test_unknown_services(client: httpx.AsyncClient, verb: str, name: str) -> None:
    problem(await client.post(f"/orchestration/services/{name}/{verb}"), 404)


async def test_an_unknown_service_is_told_with_the_known_ones(client: httpx.AsyncClient) -> None:
    for answer in (
        await client.get("/orchestration/services/nope"),
        await client.post("/orchestration/services/nope/start"),
    ):
        body = problem(answer, 404)
        assert body["type"] == "urn:heal7:problem:unknown-service"
        assert SERVICES[0] in body["remedy"]


async def test_unknown_operation(client: httpx.AsyncClient) -> None:
    assert problem(await client.get("/orchestration/operations/op_nope"), 404)["detail"]


@pytest.mark.parametrize("path", ["/nope", "/orchestration", "/orchestration/services", "/docs/x"])
async def test_unknown_paths(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/orchestration/start-all"),
        ("POST", "/orchestration/status"),
        ("DELETE", f"/orchestration/services/{SERVICES[0]}"),
        ("PUT", "/health"),
    ],
)
async def test_wrong_methods(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, path)
    assert "/docs" in problem(answer, 405)["remedy"]
    assert answer.headers["allow"]


@pytest.mark.parametrize("query", ["wait=maybe", "dry_run=2", "wait=", "wait=true&dry_run=x"])
async def test_wrong_parameters(client: httpx.AsyncClient, query: str) -> None:
    body = problem(await client.post(f"/orchestration/start-all?{query}"), 422)
    assert body["type"] == "urn:heal7:problem:invalid-request"
    assert any(fault.startswith("query.") for fault in body["faults"])


@pytest.mark.parametrize("length", [str(MAX_BODY_BYTES + 1), "9" * 5000, "-1", "abc", "²", ""])
async def test_bodies_too_large_or_of_no_length(client: httpx.AsyncClient, length: str) -> None:
    headers = {b"content-length": length.encode("latin-1")}
    answer = await client.post("/orchestration/start-all", headers=headers)
    problem(answer, 413)


# -- who is let in


async def test_foreign_requests_are_refused_everywhere(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/events", "/metrics", "/dashboard", "/docs", "/nope"):
        answer = await client.get(path, headers={"Host": "evil.example"})
        assert "localhost" in problem(answer, 403)["remedy"]
    problem(await client.get("/health", headers={"Origin": "http://evil.example"}), 403)
    problem(await client.get("/health", headers={"Sec-Fetch-Site": "cross-site"}), 403)


async def test_two_hosts_are_none(client: httpx.AsyncClient) -> None:
    headers = [("Host", "localhost:8015"), ("Host", "localhost:8015")]
    problem(await client.get("/health", headers=headers), 403)


async def test_every_answer_tells_browsers_not_to_guess(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/nope", "/docs"):
        answer = await client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


async def test_a_body_without_a_length_is_cut_off() -> None:
    """Chunks over the limit reach no application: it sees a client that went away."""
    got: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            got.append(message["type"])
        got.append(message["type"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 400_000, "more_body": True}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "headers": [(b"host", b"localhost")]}
    await Guard(application)(scope, receive, send)
    assert got == ["http.request", "http.request", "http.disconnect"]


async def test_a_foreign_websocket_is_closed() -> None:
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("reached")

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "headers": [(b"host", b"evil.example")]}
    await Guard(application)(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


# -- live events


async def stream(hub: Hub, client: httpx.AsyncClient, headers: dict[Any, Any]) -> str:
    """What a client hears until the hub goes down."""
    listening = asyncio.create_task(client.get("/events", headers=headers))
    async with asyncio.timeout(60):
        # The application answers when the stream ends, so the end comes with the first listener.
        while not listening.done():
            hub.bus.close()
            await asyncio.sleep(0)
    answer = listening.result()
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return answer.text


async def test_a_client_resumes_where_it_was(hub: Hub, client: httpx.AsyncClient) -> None:
    before = hub.bus.last_id
    hub.bus.publish("service", lambda language: f'{{"in":"{language}"}}')
    headers = {"Last-Event-ID": str(before), "Accept-Language": "ko"}
    heard = await stream(hub, client, headers)
    assert f'id: {before + 1}\nevent: service\ndata: {{"in":"ko"}}\n\n' in heard
    assert "resync" not in heard


async def test_a_client_from_another_time_is_told_to_look_anew(
    hub: Hub, client: httpx.AsyncClient
) -> None:
    assert "event: resync" in await stream(hub, client, {"Last-Event-ID": "3"})


@pytest.mark.parametrize("sent", ["²", "9" * 5000, "-1", "x", "", "1.5"])
async def test_odd_ids_are_as_good_as_none(hub: Hub, client: httpx.AsyncClient, sent: str) -> None:
    heard = await stream(hub, client, {b"last-event-id": sent.encode("latin-1")})
    assert heard.startswith("retry: 1000\n")
    assert "resync" not in heard


# -- the description of it all


PROMISED = {
    ("get", "/health"),
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/events"),
    ("get", "/orchestration/status"),
    ("post", "/orchestration/start-all"),
    ("post", "/orchestration/stop-all"),
    ("post", "/orchestration/restart-all"),
    ("post", "/orchestration/services/{name}/start"),
    ("post", "/orchestration/services/{name}/stop"),
    ("post", "/orchestration/services/{name}/restart"),
    ("get", "/orchestration/services/{name}"),
    ("get", "/orchestration/operations"),
    ("get", "/orchestration/operations/{operation_id}"),
}
# Pages for people, and the files they are made of; everything else is part of the API.
PAGES = ("/docs", "/dashboard", "/openapi.json", "/favicon.ico")


async def test_every_endpoint_is_described(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()
    found = {(m, path) for path, item in described["paths"].items() for m in item}
    assert found >= PROMISED
    for path, item in described["paths"].items():
        for method, operation in item.items():
            assert operation.get("summary"), f"{method} {path} has no summary"
            assert operation["tags"], f"{method} {path} has no tag"
            for status, answer in operation["responses"].items():
                assert answer["description"], f"{method} {path} {status} says nothing"
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    assert parameter["description"], f"{method} {path} {parameter['name']}"


async def test_only_pages_are_left_out(app: FastAPI, client: httpx.AsyncClient) -> None:
    described = set((await client.get("/openapi.json")).json()["paths"])
    for path in _paths(app.routes):
        page = path == "/" or path.startswith(PAGES)
        assert page != (path in described), path


def _paths(routes: Any) -> set[str]:
    found: set[str] = set()
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None:
            found |= _paths(inner.routes)
        elif getattr(route, "path", None):
            found.add(route.path)
    return found


async def test_every_reference_in_the_description_leads_somewhere(
    client: httpx.AsyncClient,
) -> None:
    described = (await client.get("/openapi.json")).json()
    schemas = described["components"]["schemas"]

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*(references(v) for v in value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    named = {r.removeprefix("#/components/schemas/") for r in references(described)}
    assert named <= set(schemas)
    assert "Problem" in named


async def test_the_reference_works_without_the_internet(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("</script>", "")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon.png", "init.js"):
        assert f'"/docs/{name}"' in page.text
        assert (await client.get(f"/docs/{name}")).status_code == 200
    assert "/openapi.json" in (await client.get("/docs/init.js")).text


async def test_the_pages_open_without_an_engine(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", follow_redirects=True)
    assert answer.status_code == 200
    assert str(answer.url).endswith("/dashboard")


async def test_a_bug_is_a_problem_without_details() -> None:
    application = FastAPI()
    problems.install(application)

    @application.get("/breaks")
    async def breaks() -> None:
        raise RuntimeError("the secret is 42")

    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as alone:
        body = problem(await alone.get("/breaks"), 500)
    assert "42" not in str(body)
