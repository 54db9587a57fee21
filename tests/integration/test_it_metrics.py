"""What is measured of a real container agrees with what the engine itself counts, a planned stop is
not held against anyone, and a hub that is killed loses nothing of it."""

from __future__ import annotations

import textwrap
import time
from typing import Any

import httpx
import pytest
import yaml

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubClient, HubProcess
from tests.integration.it_stack import SERVER, Stack, serving
from tests.integration.it_wait import eventually

# Burns half a core, writes a megabyte a second through to the disk, and sends to its gateway.
BUSY = textwrap.dedent("""
    import os, socket, threading, time
    def burn():
        while True:
            until = time.thread_time() + 0.05
            began = time.monotonic()
            while time.thread_time() < until:
                pass
            time.sleep(max(0.0, began + 0.1 - time.monotonic()))
    def write():
        with open('/var/tmp/heal7-busy', 'wb', buffering=0) as file:
            while True:
                file.seek(0)
                file.write(os.urandom(1 << 18))
                os.fsync(file.fileno())
                time.sleep(0.25)
    def send():
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            out.sendto(b'x' * 1000, ('10.255.255.1', 9))
            time.sleep(0.01)
    for work in (burn, write, send):
        threading.Thread(target=work, daemon=True).start()
""")
INTERVAL_S = 5


def counters(client: HubClient, service: str) -> dict[str, float]:
    """Of `/metrics`, by the last words of their names."""
    found = {}
    for line in client.get("/metrics").text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.endswith(f'{{service="{service}"}}') and "_service_" in name:
            found[name.partition("{")[0].removeprefix("heal7_service_")] = float(value)
    return found


def engine_counts(witness: Witness, stack: Stack) -> dict[str, float]:
    """The same, as the engine counts it."""
    stats = witness.container(stack.project, "busy").stats(stream=False)
    networks = stats["networks"].values()
    blocks = stats["blkio_stats"].get("io_service_bytes_recursive") or []
    memory = stats["memory_stats"]
    cache = memory["stats"].get("total_inactive_file", memory["stats"].get("inactive_file", 0))
    # A kernel that counts no disks for containers has no rows, and then nobody may say zero.
    written = {
        "disk_written_bytes_total": sum(b["value"] for b in blocks if b["op"].lower() == "write")
    }
    return (written if blocks else {}) | {
        "cpu_seconds_total": stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        "network_receive_bytes_total": sum(one["rx_bytes"] for one in networks),
        "network_transmit_bytes_total": sum(one["tx_bytes"] for one in networks),
        "memory_bytes": memory["usage"] - cache,
    }


def history(client: HubClient, **asked: Any) -> dict[str, dict[str, Any]]:
    answer = client.get("/metrics/history?" + str(httpx.QueryParams(asked)))
    assert answer.status_code == 200, answer.text
    return {one["metric"]: one for one in answer.json()["series"]}


@pytest.fixture(scope="module")
def stack(make_stack: MakeStack, image: str, free_port: Ports) -> Stack:
    made = make_stack({"busy": serving(image, free_port(), program=BUSY + SERVER)})
    config = yaml.safe_load(made.config.read_text())
    made.config.write_text(yaml.safe_dump(config | {"metrics": {"interval": f"{INTERVAL_S}s"}}))
    return made


@pytest.fixture(scope="module")
def hub(stack: Stack, make_hub: MakeHub) -> HubProcess:
    started = make_hub(stack).start().wait_ready()
    started.client.done("start-all")
    return started


def test_what_is_measured_is_what_the_engine_counts(
    hub: HubProcess, stack: Stack, witness: Witness
) -> None:
    sent = "network_transmit_bytes_total"
    first = eventually(
        lambda: found if sent in (found := counters(hub.client, "busy")) else None, 30
    )
    before = engine_counts(witness, stack)
    # The hub reads every five seconds: what it says next is of between the two looks.
    old = counters(hub.client, "busy")["cpu_seconds_total"]
    eventually(lambda: counters(hub.client, "busy")["cpu_seconds_total"] != old)
    seen = counters(hub.client, "busy")
    after = engine_counts(witness, stack)
    assert {name for name in seen if name.endswith("_total")} >= set(before) - {"memory_bytes"}
    for name in set(before) - {"memory_bytes"}:
        assert before[name] <= seen[name] <= after[name], name
    assert ("disk_written_bytes_total" in seen) == ("disk_written_bytes_total" in after)
    assert seen["cpu_seconds_total"] > first["cpu_seconds_total"]
    assert seen["memory_bytes"] == pytest.approx(after["memory_bytes"], rel=0.3)


def test_the_charts_show_what_it_does(hub: HubProcess) -> None:
    def whole() -> dict[str, Any] | None:
        found = history(hub.client, service="busy", since="5m", points=60)
        cpu = [value for value in found["cpu_percent"]["values"] if value is not None]
        return found if len(cpu) >= 2 else None

    found = eventually(whole)
    # A busy machine lets it do less than it would: what it did in all says how much.
    counted = counters(hub.client, "busy")
    alive_s = hub.client.services()["busy"]["uptime_s"]
    for metric, name, unit in (
        ("cpu_percent", "cpu_seconds_total", 100),
        ("network_tx_bytes_per_s", "network_transmit_bytes_total", 1),
        ("disk_write_bytes_per_s", "disk_written_bytes_total", 1),
    ):
        if name not in counted:
            assert (name, found[metric]["whole"]) == ("disk_written_bytes_total", None)
            continue
        expected = counted[name] / alive_s * unit
        assert found[metric]["whole"] == pytest.approx(expected, rel=0.6), metric
    assert found["response_p95_ms"]["whole"] > 0
    assert found["memory_bytes"]["whole"] > 1 << 20
    own = history(hub.client, since="5m")
    assert own["memory_bytes"]["whole"] > 1 << 24
    assert own["cpu_percent"]["whole"] > 0
    assert own["store_bytes"]["whole"] > 1 << 12


def test_a_planned_stop_counts_for_nothing_and_a_killed_hub_loses_nothing(
    hub: HubProcess, stack: Stack, make_hub: MakeHub
) -> None:
    def samples(client: HubClient) -> int:
        values = history(client, service="busy", since="10m", points=120)["availability"]
        assert values["whole"] is None or values["whole"] > 0.9
        return sum(value is not None for value in values["values"])

    eventually(lambda: samples(hub.client) >= 2)
    hub.client.done("services/busy/stop")
    taken = time.monotonic()  # noqa: TID251 - a span
    eventually(lambda: time.monotonic() > taken + INTERVAL_S)  # noqa: TID251
    hub.client.done("services/busy/start")
    found = history(hub.client, service="busy", since="10m", points=120)
    assert found["availability"]["whole"] == pytest.approx(1, abs=0.02)
    known = samples(hub.client)
    hub.kill9()
    again = make_hub(stack).start().wait_ready()
    assert samples(again.client) >= known
    again.stop()
