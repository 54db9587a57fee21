"""docs/bring-your-own-stack.md as a stranger follows it: every command, on three stacks."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import docker
import httpx
import pytest
from docker.errors import ImageNotFound

from tests.e2e.e2e_support import HUB_PROJECT, PROJECT, ROOT, Done, Home, blocks, shell
from tests.integration.it_ports import Ports
from tests.integration.it_wait import eventually

STACKS = ROOT / "tests" / "stacks"
IMAGE = "heal7/test-stack:1"
GUIDE = (ROOT / "docs" / "bring-your-own-stack.md").read_text("utf-8")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class Stack:
    """One of tests/stacks. `order` are services that start one after another, `killed` is the
    container that the guide's `docker kill` means here, `says` what the published page holds."""

    name: str
    database: str
    killed: str
    order: tuple[str, ...]
    path: str
    says: str


BLOG = Stack("blog", "db", "blog-db-1", ("db", "backend", "proxy"), "/", "First\nSecond")
PHOTOS = Stack(
    "photos", "database", "photos_postgres", ("database", "server"), "/api/server/ping", "stand-in"
)
CLOUD = Stack("cloud", "db", "cloud-db-1", (), "/status.php", "stand-in")


@pytest.fixture(scope="module")
def image() -> None:
    """The programs that the stacks are made of, unless this machine has them."""
    api = docker.from_env(timeout=900)
    try:
        api.images.get(IMAGE)
    except ImageNotFound:
        proxies = {name: os.environ[name] for name in _PROXIES if os.environ.get(name)}
        api.images.build(path=str(STACKS / "image"), tag=IMAGE, buildargs=proxies, rm=True)
    finally:
        api.close()


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """The guide's commands, in its order."""
    return [line for block in blocks(GUIDE, "bash") for line in block.splitlines()]


def command(lines: list[str], words: str, stack: Stack, folder: Path) -> str:
    """The guide's line that has these words, for this stack instead of the guide's own."""
    (line,) = (line for line in lines if words in line)
    told = line.replace("shop-db-1", stack.killed).replace("shop/", f"{folder}/")
    return re.sub(r"\bdb$", stack.database, told)


@pytest.mark.parametrize("stack", [BLOG, PHOTOS, CLOUD], ids=lambda stack: stack.name)
def test_every_command_of_the_guide_on(
    machine: Home, image: None, lines: list[str], stack: Stack, tmp_path: Path
) -> None:
    folder = tmp_path / stack.name
    shutil.copytree(STACKS / stack.name, folder)
    given = folder / "example.env"
    variables = given.read_text() if given.exists() else ""
    port = Ports()()
    (folder / ".env").write_text(f"{variables}PORT={port}\n")
    untried = set(lines)

    def run(words: str) -> Done:
        line = command(lines, words, stack, folder)
        untried.remove(next(one for one in lines if words in one))
        return shell(line)

    # One hub at a time.
    shell(f"heal7 down --project {PROJECT}")
    try:
        assert run("heal7 compose config").out == ""
        up = run("heal7 up")
        assert re.search(rf"http://localhost:{port} +healthy ", up.out), up.out
        services = machine.client.services()
        assert {one["health"] for one in services.values()} == {"healthy"}, up.out
        started = [machine.witness.started(stack.name, name) for name in stack.order]
        assert started == sorted(started)
        assert f"{len(services)} services, {len(services)} running" in run("heal7 ps").out
        before = machine.witness.one(stack.name, stack.database)
        run("docker kill")

        def healed() -> bool:
            now = machine.witness.one(stack.name, stack.database)
            lives = now["State"]["Running"] and now["State"] != before["State"]
            well = {one["health"] for one in machine.client.services().values()} == {"healthy"}
            return bool(lives and well)

        eventually(healed, 60, "the stack is well again")
        page = httpx.get(f"http://127.0.0.1:{port}{stack.path}", trust_env=False)
        assert stack.says in page.text
        assert re.search(r"crash +recovered", run("heal7 incidents").out)
        assert "stop" in run("heal7 plan").out
        assert "Everything is well." in run("heal7 doctor").out
    finally:
        down = run("heal7 down")
    assert "Down in" in down.out
    assert machine.witness.lives(stack.name) == {}
    assert machine.witness.lives(HUB_PROJECT) == {}
    assert untried == set()
    machine.witness.sweep(stack.name)
    built = {"label": f"com.docker.compose.project={stack.name}"}
    for made in machine.witness.api.images.list(filters=built):
        machine.witness.api.images.remove(str(made.id), force=True)
