"""The panel in a real browser: the drawing, hundreds of services, and narrowing them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import expect

from controller.model.text import Text
from controller.model.view import Health
from tests.e2e import pages_support_runs as runs
from tests.e2e.pages_support import healthy
from tests.e2e.pages_support_browser import Stage, arrive, staged
from tests.e2e.pages_support_data import audited
from tests.e2e.pages_support_healing import crash, probes

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    module_stage.hub.reset()
    return module_stage


def many(stage: Stage, n: int) -> None:
    names = [f"service-{i:03d}" for i in range(n)]
    stage.hub.services = {
        name: replace(
            healthy(name, 9000 + i, stage.hub.now, i), depends_on=(names[i // 3],) if i else ()
        )
        for i, name in enumerate(names)
    }


async def test_the_drawing_follows_the_stack_and_leads_to_services(stage: Stage) -> None:
    async with stage.page() as page:
        node = page.locator('[data-node="crawling-service"]')
        await expect(node).to_contain_text("Healthy")
        await expect(page.locator(".way.cut")).to_have_count(0)
        stage.hub.trouble()
        await expect(node).to_contain_text("Failed")
        assert "t-bad" in (await node.get_attribute("class") or "")
        await expect(page.locator(".way.cut")).to_have_count(2)
        # The same in words, for whoever does not see it.
        await page.locator("#stack-list summary").click()
        line = page.locator("#stack-list li", has_text="needed by paperwork-service")
        await expect(line).to_contain_text("crawling-service Failed")
        assert await node.get_attribute("href") == "/dashboard/services/crawling-service"


async def test_of_hundreds_one_row_is_swapped_and_what_was_narrowed_stays_so(stage: Stage) -> None:
    many(stage, 300)
    async with stage.page("/dashboard/services") as page:
        await page.evaluate(
            "for (const row of document.querySelectorAll('[data-row]')) row.old = 1"
        )
        sizes: list[int] = []
        page.on("response", lambda r: sizes.append(int(r.headers.get("content-length", "0"))))
        stage.hub.change("service-200", health=Health.UNHEALTHY, reason=Text("demo.slow"))
        row = page.locator("#row-service-200")
        await expect(row).to_contain_text("Unhealthy")
        assert await page.evaluate("[...document.querySelectorAll('[data-row]')].every(r => r.old)")
        assert sizes
        assert max(sizes) < 20_000
        await page.locator("#narrow-words").fill("service-20 unhealthy")
        await expect(page.locator("#services-table tbody tr:visible")).to_have_count(1)
        await expect(page.locator("#narrow-count")).to_have_text("1 of 300 services")
        stage.hub.change("service-201", health=Health.UNHEALTHY, reason=Text("demo.slow"))
        await expect(page.locator("#services-table tbody tr:visible")).to_have_count(2)
        await page.locator("#narrow-words").fill("")
        await page.locator("#narrow-state").select_option("warn bad")
        await expect(page.locator("#services-table tbody tr:visible")).to_have_count(2)
        # The address remembers it.
        await arrive(page, page.url)
        await expect(page.locator("#narrow-count")).to_have_text("2 of 300 services")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_large_stack_is_grouped_on_the_overview(stage: Stage) -> None:
    many(stage, 120)
    async with stage.page() as page:
        await expect(page.locator(".chips-of-services li")).to_have_count(120)
        await expect(page.locator("#stack")).to_have_count(0)
        stage.hub.change("service-030", health=Health.FAILED, reason=Text("demo.crashed"))
        await expect(page.locator(".row.urgent")).to_have_count(1)
        await expect(page.locator('[data-node="service-030"]')).to_contain_text("Failed")
        await expect(page.locator("[data-node]")).to_have_count(5)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_palette_goes_and_does_by_keys_alone(stage: Stage) -> None:
    stage.hub.trouble()
    async with stage.page() as page:
        await page.keyboard.press("Control+k")
        words = page.get_by_role("combobox", name="What are you looking for?")
        await expect(words).to_be_focused()
        await expect(page.get_by_role("option").first).to_be_visible()
        await page.keyboard.type("restart saju")
        await expect(page.get_by_role("option")).to_have_count(1)
        chosen = page.locator('[role="option"][aria-selected="true"]')
        await expect(chosen).to_contain_text("Restart saju-service")
        active = await words.get_attribute("aria-activedescendant")
        assert active == await chosen.get_attribute("id")
        await page.keyboard.press("Enter")
        # The same confirmation as the button's.
        dialog = page.get_by_role("dialog", name="Restart saju-service?")
        await expect(dialog.locator(".plan li")).to_have_count(3)
        assert not stage.hub.asked
        await page.keyboard.press("Escape")
        await page.keyboard.press("?")
        await expect(page.locator("#shortcuts")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.keyboard.press("Control+k")
        await page.keyboard.type("crawling")
        await expect(page.get_by_role("option").first).to_contain_text("crawling-service")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{stage.hub.url}/dashboard/services/crawling-service")
        await expect(page.locator("#link")).to_have_attribute("data-state", "live")
        await page.keyboard.press("Control+k")
        await page.keyboard.type("dark")
        await expect(page.get_by_role("option")).to_have_count(1)
        await page.keyboard.press("Enter")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_one_service_is_told_whole_and_lives(stage: Stage) -> None:
    hub = stage.hub
    hub.probed["saju-service"] = probes(hub.now, Text("demo.slow"))
    await hub.logs.say("saju-service", "calculated 8 pillars")
    hub.tell(crash("inc-past", "saju-service", timedelta(hours=2), hub.now))
    run = runs.succeeded()
    hub.flows.tell(run)
    async with stage.page("/dashboard/services/saju-service") as page:
        await expect(page.locator("h1")).to_have_text("saju-service Healthy")
        await expect(page.locator("#log-tail")).to_have_attribute("data-state", "following")
        await expect(page.locator(".entry")).to_contain_text(["calculated 8 pillars"])
        await expect(page.locator("#incident-inc-past")).to_contain_text("Recovered")
        await expect(page.locator(f"#run-{run.id}")).to_contain_text("Succeeded")
        await expect(page.locator(".probes tbody tr")).to_have_count(5)
        facts = page.locator(".facts-of")
        await expect(facts).to_contain_text("heal7/saju-service:0.1.0")
        await facts.get_by_role("link", name="test-service").focus()
        await page.locator("#config-environment summary").click()
        await expect(page.locator("#config-environment")).to_contain_text("API_KEY•••")
        assert "hunter2" not in await page.content()
        await hub.logs.say("saju-service", "a new one")
        await hub.logs.say("test-service", "of another")
        await expect(page.locator(".entry", has_text="a new one")).to_be_visible()
        hub.change("saju-service", health=Health.UNHEALTHY, reason=Text("demo.slow"))
        await expect(page.locator("h1")).to_have_text("saju-service Unhealthy")
        await expect(page.locator("#config-environment")).to_have_attribute("open", "")
        await expect(page.locator(".entry", has_text="of another")).to_have_count(0)
        await page.locator("#do-restart-saju-service").click()
        await page.locator("#confirm-go").click()
        await expect(page.locator(".current")).to_contain_text("Restart saju-service")
        hub.finish()
        await expect(page.locator("#confirm .results")).to_contain_text("restarted")


async def test_the_hubs_page_tells_and_pauses(stage: Stage) -> None:
    stage.hub.audited = audited(stage.hub.now)
    stage.hub.store_problem = "disk full"
    async with stage.page("/dashboard/admin") as page:
        await expect(page.locator("h1")).to_have_text("The hub cannot keep everything")
        await expect(page.locator(".stores")).to_contain_text("disk full")
        await expect(page.locator(".stores")).to_contain_text("80 % of 500 MB")
        await expect(page.locator(".audit tbody tr")).to_have_count(25)
        await page.get_by_role("link", name="Older").click()
        await expect(page.locator(".audit tbody tr")).to_have_count(5)
        await page.get_by_role("button", name="Pause healing").click()
        await page.locator("#confirm-go").click()
        await expect(page.locator(".notice.paused")).to_be_visible()
        # Still the older ones, and not moved by what is new.
        await expect(page.locator(".audit tbody tr")).to_have_count(5)
