"""The home stack as people meet it: commands typed in the checkout, the engine, a real browser."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import ConsoleMessage, Page, async_playwright

from controller import clock
from tests.e2e.pages_support_browser import ARGS, CHROMIUM, PATIENCE_MS, WITNESS
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubClient
from tests.integration.it_wait import eventually

ROOT = Path(__file__).resolve().parents[2]
HUB_PORT = 8015
HUB = f"http://localhost:{HUB_PORT}"
PROJECT = "heal7"
HUB_PROJECT = "heal7-hub"
HUB_CONTAINER = "heal7-hub"
PORTS = {
    "paperwork-service": 8010,
    "test-service": 8011,
    "saju-service": 8012,
    "crawling-service": 8013,
    "ai-monitoring-service": 8014,
}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended well: what it wrote, and how long it took."""

    out: str
    err: str
    seconds: float


def shell(command: str, cwd: Path = ROOT, timeout: float = 900) -> Done:
    """Runs a line as a person's own shell would. Raises AssertionError where it ends badly."""
    # The tests' own runner may set a width, by which tables would be broken.
    foreign = ("HEAL7", "COMPOSE_", "COLUMNS", "LINES")
    ours = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    began = clock.monotonic()
    run = subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env={**ours, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    took = clock.monotonic() - began
    assert run.returncode == 0, f"{command} left with {run.returncode}\n{run.stdout}\n{run.stderr}"
    return Done(run.stdout, run.stderr, took)


@dataclass(slots=True)
class Command:
    """A command of a README, and the fields of the answer that the comment below it shows."""

    line: str
    shows: dict[str, str] = field(default_factory=dict)


def blocks(markdown: str, language: str) -> list[str]:
    """The contents of every fenced block of a language, in order."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", markdown)


def commands(markdown: str) -> list[Command]:
    """Every command of every bash block, in order."""
    return list(_commands("".join(blocks(markdown, "bash")).splitlines()))


def _commands(lines: list[str]) -> Iterator[Command]:
    current: Command | None = None
    for line in lines:
        if line.startswith("#"):
            assert current is not None, line
            current.shows |= dict(re.findall(r'("\w+"):("[^"]*"|[\w.]+)', line))
        elif line.strip():
            if current is not None:
                yield current
            current = Command(line)
    if current is not None:
        yield current


@dataclass(frozen=True, slots=True)
class Home:
    """The home stack on its own ports, asked through the hub and behind the hub's back."""

    client: HubClient
    witness: Witness

    def lives(self) -> dict[str, tuple[str, str]]:
        """By container name, hub included: its id and when it was started."""
        return {**self.witness.lives(PROJECT), **self.witness.lives(HUB_PROJECT)}

    def hub(self) -> Json:
        """The hub's container as the engine describes it."""
        return self.witness.one(HUB_PROJECT, "hub")

    def wait_healthy(self) -> None:
        """Wait until all five are; a hub that is away meanwhile is waited for too."""

        def well() -> bool:
            found = self._services()
            return set(found) == set(PORTS) and {one["health"] for one in found.values()} == {
                "healthy"
            }

        eventually(well, 60, "five healthy services")

    def wait_ready(self) -> None:
        """Wait until the hub answers that it has seen its services."""
        eventually(lambda: bool(self._services()), 60, "a hub that is ready")

    def _services(self) -> dict[str, Json]:
        """The status, or nothing as long as the hub is not ready."""
        try:
            if self.client.get("/readyz").status_code != 200:
                return {}
            return self.client.services()
        except httpx.HTTPError:
            return {}


@asynccontextmanager
async def browsing(
    *, locale: str = "en-US", theme: str = "light", refused: bool = False
) -> AsyncIterator[Page]:
    """A fresh browser of a person with that language.

    On leaving it fails on any script error, console error or warning, CSP violation, or request to
    anywhere but the hub. `refused`: connections that fail are part of the test.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            context = await browser.new_context(
                viewport={"width": 1440, "height": 900},
                locale=locale,
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
            )
            context.set_default_timeout(PATIENCE_MS)
            await context.add_init_script(WITNESS)
            page = await context.new_page()
            faults: list[str] = []
            page.on("console", lambda m: faults.extend(_faults_in(m, refused)))
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on(
                "request",
                lambda r: None if r.url.startswith((HUB, "data:")) else faults.append(r.url),
            )
            yield page
            faults += await page.evaluate("window.cspFaults")
            assert faults == []
        finally:
            await browser.close()


def _faults_in(message: ConsoleMessage, refused: bool) -> Iterator[str]:
    expected = refused and "net::ERR_" in message.text
    if message.type in ("error", "warning") and not expected:
        yield message.text
