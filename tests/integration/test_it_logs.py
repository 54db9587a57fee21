"""What services really write is kept: whole, once, readable, and without their secrets."""

from __future__ import annotations

import json
import re
import textwrap
import threading
from typing import Any

import httpx
import pytest

from controller import clock
from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubClient, HubProcess
from tests.integration.it_stack import SERVER, Stack, serving
from tests.integration.it_wait import eventually

SECRET = "correct-horse-battery"
SAID = textwrap.dedent(f"""
    import json, logging, os, sys, traceback
    run = "run_0192f3c4a1b2_9f3a61c2"
    print(json.dumps({{"level": "warning", "msg": "재고가 부족합니다", "run": run}}), flush=True)
    print("connecting with {SECRET} to postgres://app:hunter2@db/app", flush=True)
    print("password=opensesame api_key: 'k-123456'", flush=True)
    print("\\x1b[31mcolour\\x1b[0m <script>alert(1)</script>", flush=True)
    print("x" * 40000, flush=True)
    try:
        {{}}["ledger"]
    except KeyError:
        traceback.print_exc()
""")
# Numbers as fast as PER_S says, from where it is asked to begin.
COUNTS = textwrap.dedent("""
    import os, threading, time
    def count():
        n, per_s = 0, float(os.environ["PER_S"])
        began = time.monotonic()
        while True:
            # A line at once: others print beside it.
            os.write(1, f"number {n} {os.environ.get('MARK', '')}\\n".encode())
            n += 1
            time.sleep(max(0, began + n / per_s - time.monotonic()))
    threading.Thread(target=count, daemon=True).start()
""")
TICKS = textwrap.dedent("""
    import threading, time
    def tick():
        while True:
            print("tick", time.time(), flush=True)
            time.sleep(0.05)
    threading.Thread(target=tick, daemon=True).start()
""")
FLOODS = textwrap.dedent("""
    import sys, threading
    def flood():
        piece = ("flood " + "y" * 200 + "\\n") * 500
        while True:
            sys.stdout.write(piece)
    threading.Thread(target=flood, daemon=True).start()
""")


def found(client: HubClient, **asked: Any) -> list[dict[str, Any]]:
    answer = client.get("/logs?" + str(httpx.QueryParams(asked)))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["entries"])


def all_of(client: HubClient, **asked: Any) -> list[dict[str, Any]]:
    """Every entry that fits, oldest first."""
    whole: list[dict[str, Any]] = []
    asked |= {"order": "oldest", "limit": "1000"}
    while True:
        body = client.get("/logs?" + str(httpx.QueryParams(asked))).json()
        whole += body["entries"]
        if body["next"] is None:
            return whole
        asked["cursor"] = body["next"]


def ticks(port: int, count: int) -> list[float]:
    """How late ticks came by the live stream, in seconds."""
    late: list[float] = []
    address = f"http://127.0.0.1:{port}/logs/stream?service=quiet&q=tick"
    with httpx.stream("GET", address, timeout=60) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                late.append(clock.epoch() - float(json.loads(line[6:])["text"].split()[1]))
            if len(late) == count:
                break
    return late


def numbers(client: HubClient, service: str) -> list[int]:
    texts = [one["text"] for one in all_of(client, service=service, q="number")]
    return [int(re.match(r"number (\d+)", text)[1]) for text in texts]  # type: ignore[index]


@pytest.fixture(scope="module")
def stack(make_stack: MakeStack, free_port: Ports, image: str) -> Stack:
    talker = serving(image, free_port(), program=SAID + SERVER, environment={"DB_PASSWORD": SECRET})
    return make_stack({"talker": talker, "quiet": serving(image, free_port())})


@pytest.fixture(scope="module")
def hub(stack: Stack, make_hub: MakeHub) -> HubProcess:
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    eventually(lambda: found(hub.client, service="talker", q="KeyError"))
    return hub


def test_levels_runs_and_korean_words(hub: HubProcess) -> None:
    (entry,) = found(hub.client, q="재고", level="warning")
    assert (entry["service"], entry["level"], entry["stream"]) == (
        "talker",
        "warning",
        "stdout",
    )
    assert entry["run"] == "run_0192f3c4a1b2_9f3a61c2"
    assert found(hub.client, run="run_0192f3c4a1b2_9f3a61c2") == [entry]
    assert found(hub.client, q="재고", level="error") == []
    assert found(hub.client, q="재고", service="quiet") == []


def test_a_trace_is_one_entry(hub: HubProcess) -> None:
    (entry,) = found(hub.client, level="error", service="talker")
    assert entry["text"].startswith("Traceback")
    assert entry["text"].endswith("KeyError: 'ledger'")
    assert entry["stream"] == "stderr"


def test_secrets_are_not_kept(hub: HubProcess) -> None:
    whole = json.dumps([one["text"] for one in all_of(hub.client)], ensure_ascii=False)
    for secret in (SECRET, "hunter2", "opensesame", "k-123456"):
        assert secret not in whole
    assert "password=•••" in whole


def test_a_long_line_is_whole(hub: HubProcess) -> None:
    (entry,) = found(hub.client, q="x" * 300)
    assert len(entry["text"]) == 40_000


def test_context_and_download(hub: HubProcess) -> None:
    (hit,) = found(hub.client, q="재고")
    context = hub.client.get(f"/logs/{hit['id']}/context?count=2").json()
    texts = [one["text"][:12] for one in context["entries"]]
    assert texts[0].startswith("{")
    assert texts[1].startswith("connecting")
    text = hub.client.get("/logs/download?service=talker&q=colour").text
    assert "talker" in text
    assert text.count("\n") == 1
    lines = hub.client.get("/logs/download?format=ndjson").text.splitlines()
    assert {json.loads(line)["service"] for line in lines} == {"talker", "quiet"}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("service=nobody", 404),
        ("level=loud", 422),
        ("since=yesterday", 422),
        ("cursor=x", 422),
        ("limit=0", 422),
        ("until=99999999999d", 422),
        ("q=" + "x" * 501, 422),
        ("since=9999-12-31T23:59:59Z", 200),
        ("q=%22%00%ff", 200),
        ("cursor=" + "9" * 19 + "-1", 422),
    ],
)
def test_bad_questions(hub: HubProcess, asked: str, status: int) -> None:
    answer = hub.client.get(f"/logs?{asked}")
    assert answer.status_code == status
    if status >= 400:
        assert answer.json()["detail"]


def test_what_a_removed_container_wrote_stays(
    hub: HubProcess, stack: Stack, witness: Witness
) -> None:
    before = found(hub.client, service="talker", q="KeyError")
    hub.client.done("services/talker/stop")
    witness.remove_containers(stack.project)
    eventually(lambda: hub.client.services()["talker"]["state"] == "missing")
    hub.client.done("services/talker/start")
    after = eventually(
        lambda: (
            f if len(f := found(hub.client, service="talker", q="KeyError")) > len(before) else None
        )
    )
    assert len(after) == len(before) + 1


@pytest.fixture(scope="module")
def counting(make_stack: MakeStack, free_port: Ports, image: str) -> Stack:
    program = COUNTS + SERVER
    return make_stack(
        {"counter": serving(image, free_port(), program=program, environment={"PER_S": "400"})}
    )


def test_nothing_is_lost_or_doubled_when_the_hub_is_away_or_killed(
    counting: Stack, make_hub: MakeHub
) -> None:
    hub = make_hub(counting).start().wait_ready()
    hub.client.done("start-all")
    eventually(lambda: len(found(hub.client, service="counter", limit=1000)) > 500)
    hub.kill9()
    hub.start().wait_ready()
    reached = max(numbers(hub.client, "counter"), default=0)
    hub.stop()
    hub.start().wait_ready()
    eventually(lambda: max(numbers(hub.client, "counter")) > reached + 1_000)
    seen = numbers(hub.client, "counter")
    assert sorted(seen) == list(range(len(seen)))
    assert seen == sorted(seen)
    hub.stop()


def test_following_live(counting: Stack, make_hub: MakeHub) -> None:
    hub = make_hub(counting).start().wait_ready()
    hub.client.done("start-all")
    got: list[int] = []
    ended = threading.Event()

    def listen() -> None:
        with httpx.stream(
            "GET",
            f"http://127.0.0.1:{hub.port}/logs/stream?service=counter&q=number&tail=50",
            timeout=60,
        ) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    got.append(int(json.loads(line[6:])["text"].split()[1]))
                if len(got) >= 600:
                    break
        ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert ended.wait(60)
    thread.join()
    assert got == list(range(got[0], got[0] + len(got)))


def test_a_flood_hurts_neither_the_hub_nor_the_others(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str
) -> None:
    small = {"driver": "json-file", "options": {"max-size": "20m", "max-file": "2"}}
    stack = make_stack(
        {
            "quiet": serving(image, free_port(), program=TICKS + SERVER),
            "loud": serving(image, free_port(), program=FLOODS + SERVER, logging=small),
        }
    )
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("services/quiet/start")
    hub.client.post("/orchestration/services/loud/start", wait="false")
    eventually(lambda: found(hub.client, service="loud", q="flood", limit=1))
    late = ticks(hub.port, 80)
    asked = clock.monotonic()
    hub.client.services()
    answered_s = clock.monotonic() - asked
    hub.client.verb("services/loud/stop")
    hub.stop()
    assert sorted(late)[75] < 1.0, late
    assert answered_s < 1.0
