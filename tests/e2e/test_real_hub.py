"""The real hub's pages in a real browser: a person acts, things break, and the page tells."""

from __future__ import annotations

import asyncio
import os
import re
import signal

import httpx
from playwright.async_api import Page, Response, expect

from controller import clock
from tests.e2e.e2e_support import HUB, PORTS, PROJECT, Home, browsing
from tests.e2e.pages_support_browser import arrive

SERVICES = f"{HUB}/dashboard/services"
METHODS = {"get", "post", "put", "patch", "delete"}


async def live(page: Page, address: str) -> None:
    """Open a page and wait until it hears events; what is loaded now is marked."""
    await arrive(page, address)
    await expect(page.locator("#link")).to_have_attribute("data-state", "live")
    await page.evaluate("window.loadedOnce = true")


async def never_reloaded(page: Page) -> None:
    assert await page.evaluate("window.loadedOnce") is True


async def ask(what: str) -> None:
    """Of the hub, beside the page."""
    async with httpx.AsyncClient(base_url=HUB, trust_env=False) as client:
        (await client.post(f"/orchestration/{what}")).raise_for_status()


async def act(page: Page, verb: str, service: str) -> None:
    """Press the button, read the plan, confirm, follow it to its good end, close."""
    title = verb.capitalize()
    row = page.locator(f'[data-row="{service}"]')
    await row.locator(f"#do-{verb}-{service}").click()
    dialog = page.get_by_role("dialog", name=f"{title} {service}?")
    await expect(dialog.locator(".plan li").first).to_contain_text(f"{title} {service}")
    await dialog.locator("#confirm-go").click()
    await expect(dialog.locator(".progress")).to_be_visible()
    await expect(dialog.locator(".progress-line")).to_contain_text(f"{title} {service}: done")
    await expect(dialog.locator(".results li")).to_contain_text(service)
    await dialog.locator("#confirm-close").click()
    await expect(dialog).to_be_hidden()


async def test_a_service_is_stopped_and_started_from_the_page(home: Home) -> None:
    name = "test-service"
    async with browsing() as page:
        await live(page, SERVICES)
        row = page.locator(f'[data-row="{name}"]')
        await expect(row).to_contain_text("Healthy")

        await act(page, "stop", name)
        await expect(row).to_contain_text("Stopped")
        stopped = home.client.services()[name]
        assert (stopped["desired"], stopped["state"]) == ("stopped", "exited")
        assert home.witness.one(PROJECT, name)["State"]["Status"] == "exited"
        await expect(row.locator(".reason")).to_have_text(stopped["reason"])
        await expect(page.locator("h1")).to_have_text("4 healthy, 1 stopped on request")

        await act(page, "start", name)
        await expect(row).to_contain_text("Healthy")
        await expect(row.locator(".reason")).to_have_text(home.client.services()[name]["reason"])
        await expect(page.locator("h1")).to_have_text("All 5 services are healthy")
        assert home.witness.one(PROJECT, name)["State"]["Status"] == "running"
        await never_reloaded(page)


async def test_a_cancelled_stop_changes_nothing(home: Home) -> None:
    lives = home.lives()
    async with browsing() as page:
        await live(page, SERVICES)
        await page.locator("#do-stop-saju-service").click()
        await expect(page.locator("#confirm .plan li").first).to_be_visible()
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.locator("#confirm")).to_be_hidden()
        assert home.lives() == lives
        await expect(page.locator('[data-row="saju-service"]')).to_contain_text("Healthy")


async def test_a_killed_service_is_shown_failed_and_healed_without_reload(home: Home) -> None:
    name = "crawling-service"
    async with browsing() as page:
        await live(page, SERVICES)
        # Held while we look: it would be well again before a person could read it.
        await ask("pause")
        row = page.locator(f'[data-row="{name}"]')
        await expect(row).to_contain_text("Healthy")

        began = clock.monotonic()
        os.kill(home.witness.one(PROJECT, name)["State"]["Pid"], signal.SIGKILL)
        await expect(row).to_contain_text("Failed")
        print(f"kill -9 to the page: {clock.monotonic() - began:.2f} s")
        await expect(row.locator(".reason")).to_contain_text("137")
        await expect(page.locator("h1")).to_have_text("1 service needs attention")
        await expect(page).to_have_title(re.compile(r"^\(1\) "))

        await ask("resume")
        await expect(row).to_contain_text("Healthy")
        await never_reloaded(page)


async def test_a_page_goes_on_hearing_after_the_hub_was_killed(home: Home) -> None:
    name = "ai-monitoring-service"
    async with browsing(refused=True) as page:
        await live(page, SERVICES)

        def answered(response: Response) -> bool:
            return response.url == f"{HUB}/events" and response.ok

        async with page.expect_event("response", answered):
            os.kill(home.hub()["State"]["Pid"], signal.SIGKILL)
        # Soon enough to be heard of, not found by the page's own slow round.
        await asyncio.to_thread(home.client.done, f"services/{name}/stop")
        row = page.locator(f'[data-row="{name}"]')
        await expect(row).to_contain_text("Stopped")
        await expect(page.locator("#link")).to_have_attribute("data-state", "live")
        await never_reloaded(page)


async def test_the_api_is_documented_without_the_internet(home: Home) -> None:
    described = home.client.get("/openapi.json").json()["paths"]
    operations = sum(len(METHODS & set(calls)) for calls in described.values())
    async with browsing() as page:
        await arrive(page, f"{HUB}/docs")
        await expect(page.locator(".opblock").first).to_be_visible()
        await expect(page.locator(".opblock")).to_have_count(operations)
        status = page.locator(".opblock", has_text="/orchestration/status").first
        await status.locator("button.opblock-summary-control").click()
        await expect(status.locator(".responses-inner")).to_contain_text("200")


async def test_a_korean_browser_gets_korean(home: Home) -> None:
    async with browsing(locale="ko-KR", theme="dark") as page:
        await live(page, f"{HUB}/dashboard")
        await expect(page.locator("html")).to_have_attribute("lang", "ko")
        await expect(page.locator("h1")).to_have_text("서비스 5개가 모두 정상입니다")
        await page.get_by_role("link", name="서비스", exact=True).click()
        for name in PORTS:
            await expect(page.locator(f'[data-row="{name}"]')).to_contain_text("정상")
        await asyncio.to_thread(home.client.done, "services/saju-service/restart")
        await expect(page.locator('[data-row="saju-service"]')).to_contain_text("정상")
