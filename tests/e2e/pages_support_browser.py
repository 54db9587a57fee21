"""Real Chromium for the pages' tests, with a witness for everything that must never happen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.e2e.pages_support import FakeHub, serving

CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOCALES = {"en": "en-US", "ko": "ko-KR"}
WITNESS = """
window.cspFaults = [];
addEventListener("securitypolicyviolation",
    (e) => window.cspFaults.push(`${e.violatedDirective} ${e.blockedURI}`));
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The fake hub and a browser that looks at it."""

    hub: FakeHub
    browser: Browser

    @asynccontextmanager
    async def page(
        self,
        path: str = "/dashboard",
        *,
        lang: str = "en",
        theme: str = "light",
        width: int = 1440,
        refused: bool = False,
    ) -> AsyncIterator[Page]:
        """A live page in a fresh browser profile.

        On leaving it fails on any script error, console error, CSP violation or request to
        another host. `refused`: answers with an error status are part of the test.
        """
        context = await self.browser.new_context(
            viewport={"width": width, "height": 900 if width > 500 else 844},
            locale=LOCALES[lang],
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        await context.add_init_script(WITNESS)
        page = await context.new_page()
        faults: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not (
                refused and message.text.startswith("Failed to load resource")
            ):
                faults.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request", lambda r: None if r.url.startswith(self.hub.url) else faults.append(r.url)
        )
        await page.goto(self.hub.url + path)
        await expect(page.locator("#link")).to_have_attribute("data-state", "live")
        yield page
        faults += await page.evaluate("window.cspFaults")
        await context.close()
        assert faults == []


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Hub and browser for a module's tests, in the module's event loop."""
    async with serving(FakeHub()) as hub, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            yield Stage(hub, browser)
        finally:
            await browser.close()
