"""Real Chromium for the pages' tests, with a witness for everything that must never happen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

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
PATIENCE_MS = 20_000  # tells broken from busy
expect.set_options(timeout=PATIENCE_MS)
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
Theme = Literal["light", "dark"]
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
    idle: dict[tuple[str, str], list[Page]] = field(default_factory=dict)

    async def profile(self, lang: str, theme: str) -> BrowserContext:
        """A profile without cookies. Its cache stays, as a reader's does: loading every file anew
        is what made these tests slow, and those that need an empty cache make their own."""
        if (lang, theme) not in self.profiles:
            context = await self.browser.new_context(
                locale=LOCALES[lang],
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
            )
            context.set_default_timeout(PATIENCE_MS)
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
        theme: Theme = "light",
        width: int = 1440,
        refused: bool = False,
    ) -> AsyncIterator[Page]:
        """A live page of a reader without preferences.

        On leaving it fails on any script error, console error, CSP violation or request to
        another host. `refused`: answers with an error status are part of the test.
        """
        page = await self._blank(lang, theme)
        await page.set_viewport_size({"width": width, "height": 900 if width > 500 else 844})
        faults: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            lost = message.text.startswith("Failed to load resource")
            if message.type in ("error", "warning") and not (
                lost and (refused or DROPPED in message.text)
            ):
                faults.append(message.text)

        def broke(error: Error) -> None:
            faults.append(str(error))

        def left(request: Request) -> None:
            if not request.url.startswith(self.hub.url):
                faults.append(request.url)

        page.on("console", heard)
        page.on("pageerror", broke)
        page.on("request", left)
        try:
            await arrive(page, self.hub.url + path)
            # Told by the browser, where an expectation would ask every tenth of a second.
            await page.locator('#link[data-state="live"]').wait_for()
            yield page
            faults += await page.evaluate("window.cspFaults")
        except BaseException:
            await page.close()
            raise
        page.remove_listener("console", heard)
        page.remove_listener("pageerror", broke)
        page.remove_listener("request", left)
        await page.unroute_all()
        await page.goto("about:blank")
        self.idle[lang, theme].append(page)
        assert faults == []

    async def _blank(self, lang: str, theme: Theme) -> Page:
        """A page that shows nothing, left by the test before where there was one: opening takes
        longer than what many a test does with it."""
        context = await self.profile(lang, theme)
        idle = self.idle.setdefault((lang, theme), [])
        page = idle.pop() if idle else await context.new_page()
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        return page


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
