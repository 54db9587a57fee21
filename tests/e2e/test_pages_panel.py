"""The panel in a real browser: the drawing, hundreds of services, and narrowing them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from playwright.async_api import expect

from controller.model.text import Text
from controller.model.view import Health
from tests.e2e.pages_support import healthy
from tests.e2e.pages_support_browser import Stage, staged

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
        await page.reload()
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
