"""What the READMEs promise: every command in them is run, and does what is said of it.

The user's README, which describes the system that this one replaces, is held to as well: its curl
examples are run byte for byte.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import expect

from tests.e2e.e2e_support import (
    HUB,
    HUB_CONTAINER,
    HUB_PORT,
    HUB_PROJECT,
    PORTS,
    PROJECT,
    ROOT,
    Command,
    Home,
    blocks,
    browsing,
    commands,
    shell,
)
from tests.e2e.pages_support_browser import arrive

ENGLISH = (ROOT / "README.md").read_text("utf-8")
KOREAN = (ROOT / "README.ko.md").read_text("utf-8")
OWN_STACK = "heal7 up --config /path/to/config.yaml"
# Run by the tests that take the stack down.
APART = ("make down", OWN_STACK)

# Source: README of the user's dashboard-service (Korean), sections 실행 방법 and 주요 엔드포인트.
USERS_CURLS = [
    (
        "curl http://localhost:8015/health",
        '{"status":"healthy","role":"orchestration_hub","managed_services":5}',
    ),
    (
        "curl http://localhost:8015/orchestration/status  ",
        '{"orchestration_hub":"active","total_services":5}',
    ),
    ("curl -X POST http://localhost:8015/orchestration/start-all", '{"success":true}'),
]
USERS_SCRIPT = "bash scripts/start_heal7_services.sh"
USERS_DASHBOARD = "http://localhost:8015/dashboard"


def shows_the_stack(printed: str) -> None:
    """The table of services and the dashboard's address, as `make up` prints them."""
    for name, port in PORTS.items():
        assert re.search(rf"(?m)^{name} +http://localhost:{port} +healthy ", printed), printed
    assert f"Dashboard: {HUB}/dashboard" in printed


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def volumes(home: Home) -> set[str]:
    filters = {"label": f"com.docker.compose.project={PROJECT}"}
    return {str(volume.name) for volume in home.witness.api.volumes.list(filters=filters)}


def test_make_up_from_nothing_and_again(home: Home) -> None:
    shell("make down")
    first = shell("make up")
    shows_the_stack(first.out)
    services = home.client.services()
    assert {name: service["port"] for name, service in services.items()} == PORTS
    assert {service["health"] for service in services.values()} == {"healthy"}
    for port in PORTS.values():
        assert httpx.get(f"http://localhost:{port}/health", trust_env=False).status_code == 200
    hub = home.hub()
    assert (hub["Name"], hub["State"]["Status"]) == (f"/{HUB_CONTAINER}", "running")
    assert hub["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    lives = home.lives()
    assert len(lives) == 6

    second = shell("make up")
    print(f"make up: from nothing {first.seconds:.1f} s, again {second.seconds:.1f} s")
    shows_the_stack(second.out)
    assert home.lives() == lives


def test_make_down_takes_everything_but_the_data(home: Home) -> None:
    data = volumes(home)
    assert len(data) == 5
    shell("make down")
    assert home.lives() == {}
    assert [port for port in (HUB_PORT, *PORTS.values()) if not is_free(port)] == []
    networks = {network.name for network in home.witness.api.networks.list()}
    assert not networks & {f"{PROJECT}_default", f"{HUB_PROJECT}_default"}
    assert volumes(home) == data


def test_both_readmes_hold_the_same_commands_and_files() -> None:
    assert commands(ENGLISH) == commands(KOREAN)
    assert blocks(ENGLISH, "yaml") == blocks(KOREAN, "yaml")
    lines = [command.line for command in commands(ENGLISH)]
    assert len(lines) > 10
    assert set(APART) <= set(lines)
    # No block is left out for being called something else.
    fences = re.findall(r"(?m)^```(\w*)$", ENGLISH + KOREAN)
    assert set(fences) == {"bash", "yaml", ""}


def test_every_command_of_the_readme_does_what_it_says(home: Home) -> None:
    for command in commands(ENGLISH):
        if command.line in APART:
            continue
        printed = shell(command.line).out
        if command.line.startswith("curl"):
            answers(command, json.loads(printed))
        elif command.line == "make up":
            shows_the_stack(printed)
    # The last ones: start what stop-all had stopped, restart saju-service, run a workflow on it.
    assert home.client.services()["saju-service"]["health"] == "healthy"


def answers(command: Command, body: dict[str, Any]) -> None:
    """The answer holds what the README shows of it; a verb has succeeded."""
    for key, value in command.shows.items():
        assert body[json.loads(key)] == json.loads(value), command.line
    if "-X POST" in command.line:
        assert body["success"] is True, body


@pytest.mark.parametrize(("line", "least"), USERS_CURLS)
def test_the_users_own_examples_answer_what_their_readme_shows(
    home: Home, line: str, least: str
) -> None:
    body = json.loads(shell(line).out)
    assert body == {**body, **json.loads(least)}


def test_the_users_script_starts_the_whole_system(home: Home) -> None:
    home.client.done("stop-all")
    shows_the_stack(shell(USERS_SCRIPT).out)
    assert {s["health"] for s in home.client.services().values()} == {"healthy"}


async def test_the_users_dashboard_opens_in_a_browser(home: Home) -> None:
    async with browsing() as page:
        await arrive(page, USERS_DASHBOARD)
        await expect(page.locator("#link")).to_have_attribute("data-state", "live")
        await expect(page.locator("h1")).to_have_text("All 5 services are healthy")
        for name in PORTS:
            await expect(page.locator(f'[data-row="{name}"]')).to_contain_text("Healthy")


# A web server such as a stranger's image could hold: port 80, and /healthz.
SHOP = """\
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(b"the shop is open\\n")
ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""


@pytest.fixture
def shop_image(home: Home) -> Iterator[str]:
    """An image of the tests' own, for the one that the README's example leaves to its reader."""
    tag = f"heal7-e2e-web:{os.getpid()}"
    command = json.dumps(["python3", "-c", SHOP])
    dockerfile = f"FROM heal7/python-base:3.13-trixie\nSTOPSIGNAL SIGINT\nCMD {command}\n"
    images = home.witness.api.images
    images.build(fileobj=BytesIO(dockerfile.encode()), tag=tag, rm=True)
    yield tag
    images.remove(tag, force=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_stack_of_ones_own_runs_as_the_readme_shows(
    home: Home, shop_image: str, tmp_path: Path
) -> None:
    port = free_port()
    for text in blocks(ENGLISH, "yaml"):
        name = re.match(r"# (\S+)\n", text)
        assert name is not None, text
        filled = text.replace("your/web:1", shop_image).replace("8080:80", f"{port}:80")
        (tmp_path / name[1]).write_text(filled)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compose.yaml", "config.yaml"]
    # One hub at a time: the home stack makes room for it.
    shell("make down")
    try:
        up = shell(OWN_STACK.replace("/path/to", str(tmp_path)))
        assert re.search(rf"(?m)^web +http://localhost:{port} +healthy ", up.out), up.out
        served = httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
        assert served.text == "the shop is open\n"
        services = home.client.services()
        assert (list(services), services["web"]["port"]) == (["web"], port)
        lives = {**home.witness.lives("shop"), **home.witness.lives(HUB_PROJECT)}
        assert set(lives) == {"shop-web-1", HUB_CONTAINER}
        assert home.client.done("services/web/restart")["web"]["outcome"] == "restarted"
        shell("heal7 doctor", cwd=tmp_path)
    finally:
        shell(f"heal7 down --config {tmp_path}/config.yaml")
    assert home.witness.lives("shop") == {}
