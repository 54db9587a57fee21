"""Real Chromium for the pages' tests, with a witness for everything that must never happen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    async_playwright,
    expect,
)

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
# Chromium drops what it is loading when a network of the machine changes, and containers that come
# and go elsewhere on it do that.
DROPPED = "ERR_NETWORK_CHANGED"
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
    profiles: dict[tuple[str, str], BrowserContext] = field(default_factory=dict)

    async def profile(self, lang: str, theme: str) -> BrowserContext:
        """A profile without cookies. Its cache stays, as a reader's does: loading every file anew
        is what made these tests slow, and those that need an empty cache make their own."""
        if (lang, theme) not in self.profiles:
            context = await self.browser.new_context(
                locale=LOCALES[lang],
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
            )
            context.set_default_timeout(10_000)
            await context.add_init_script(WITNESS)
            self.profiles[lang, theme] = context
        await self.profiles[lang, theme].clear_cookies()
        return self.profiles[lang, theme]

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
        """A live page of a reader without preferences.

        On leaving it fails on any script error, console error, CSP violation or request to
        another host. `refused`: answers with an error status are part of the test.
        """
        page = await (await self.profile(lang, theme)).new_page()
        await page.set_viewport_size({"width": width, "height": 900 if width > 500 else 844})
        faults: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            lost = message.text.startswith("Failed to load resource")
            if message.type in ("error", "warning") and not (
                lost and (refused or DROPPED in message.text)
            ):
                faults.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request", lambda r: None if r.url.startswith(self.hub.url) else faults.append(r.url)
        )
        try:
            await arrive(page, self.hub.url + path)
            await expect(page.locator("#link")).to_have_attribute("data-state", "live")
            yield page
            faults += await page.evaluate("window.cspFaults")
        finally:
            await page.close()
        assert faults == []


async def arrive(page: Page, address: str) -> None:
    """Load a page whole, again where the machine's network changed meanwhile."""
    dropped: list[str] = []

    def failed(request: Request) -> None:
        if DROPPED in (request.failure or ""):
            dropped.append(request.url)

    page.on("requestfailed", failed)
    for _ in range(5):
        dropped.clear()
        try:
            await page.goto(address)
        except Error as error:
            # The error's own page may still be on its way when it is tried again.
            if DROPPED not in str(error) and "chrome-error://" not in str(error):
                raise
            continue
        if not dropped:
            break
    page.remove_listener("requestfailed", failed)


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Hub and browser for a module's tests, in the module's event loop."""
    async with serving(FakeHub()) as hub, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            yield Stage(hub, browser)
        finally:
            await browser.close()
