"""The page of logs in a real browser: search, follow, context, and nothing foreign that runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import expect

from controller.model.log import Level, Stream
from tests.e2e import pages_support_runs as runs
from tests.e2e.pages_support_browser import Stage, arrive, staged
from tests.e2e.pages_support_data import PORTS
from tests.e2e.pages_support_logs import HOSTILE
from tests.e2e.test_pages_layout import fits

pytestmark = pytest.mark.asyncio(loop_scope="module")
SERVICES = list(PORTS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        await stage.hub.logs.day(SERVICES)
        yield stage


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    module_stage.hub.reset()
    return module_stage


@pytest.mark.parametrize("lang", ["en", "ko"])
async def test_it_fits(stage: Stage, lang: str) -> None:
    async with stage.page("/dashboard/logs", lang=lang) as page:
        await expect(page.locator("#log-tail")).to_have_attribute("data-state", "following")
        await fits(page, f"logs-{lang}")
        await page.locator(".log-more summary").first.click()
        await page.locator("#log-services summary").click()
        await fits(page, f"logs-{lang}-open")
    async with stage.page("/dashboard/logs?q=nothing&level=error&until=1d", lang=lang) as page:
        await fits(page, f"logs-{lang}-none")


async def test_the_newest_is_in_sight_and_new_ones_come_live(stage: Stage) -> None:
    logs = stage.hub.logs
    async with stage.page("/dashboard/logs?service=saju-service") as page:
        await expect(page.locator("#log-tail")).to_have_attribute("data-state", "following")
        await logs.say("saju-service", "live one", level=Level.ERROR)
        await logs.say("test-service", "not of this service")
        row = page.locator(".entry", has_text="live one")
        await expect(row).to_be_in_viewport()
        assert "t-bad" in (await row.get_attribute("class") or "")
        # Whoever reads further up is left alone, and told.
        await logs.say("saju-service", *(f"filler {n}" for n in range(80)))
        await expect(page.locator(".entry", has_text="filler 79")).to_be_in_viewport()
        await page.locator("#log-box").evaluate("box => (box.scrollTop = -400)")
        top = await page.locator("#log-box").evaluate("box => box.scrollHeight + box.scrollTop")
        await logs.say("saju-service", "while away")
        await expect(page.locator("#log-new")).to_have_text(re.compile("1 new"))
        now = await page.locator("#log-box").evaluate("box => box.scrollHeight + box.scrollTop")
        assert abs(now - top) < 3
        await page.locator("#log-new").click()
        await expect(page.locator(".entry", has_text="while away")).to_be_in_viewport()


async def test_it_can_be_held_and_goes_on_without_a_gap(stage: Stage) -> None:
    logs = stage.hub.logs
    async with stage.page("/dashboard/logs?q=held") as page:
        await expect(page.locator("#log-tail")).to_have_attribute("data-state", "following")
        await page.locator("#log-live").click()
        await expect(page.locator("#log-tail")).to_have_attribute("data-state", "held")
        await logs.say("saju-service", "held 1", "held 2")
        await page.locator("#log-live").click()
        await expect(page.locator(".entry")).to_have_count(2)
        await logs.say("saju-service", "held 3")
        await expect(page.locator(".entry")).to_have_count(3)
        assert await page.locator(".entry .log-text").all_inner_texts() == [
            "held 1", "held 2", "held 3",
        ]  # fmt: skip


async def test_search_by_form_and_context(stage: Stage) -> None:
    async with stage.page("/dashboard/logs") as page:
        await page.locator("[name=q]").fill("database LOCKED")
        await page.locator("[name=level]").select_option("error")
        await page.locator(".log-form .primary").click()
        await expect(page.locator(".entry")).to_have_count(1)
        assert await page.locator(".entry mark").all_inner_texts() == ["database", "locked"]
        await page.locator(".log-context").click()
        await expect(page.locator(".entry.hit")).to_be_in_viewport()
        texts = await page.locator(".entry .log-text").all_inner_texts()
        assert any("nearly used up" in text for text in texts)
        # A context does not move.
        await expect(page.locator("#log-live")).to_be_hidden()


async def test_services_are_chosen_by_keyboard(stage: Stage) -> None:
    async with stage.page("/dashboard/logs") as page:
        await page.locator("#log-services summary").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("Escape")
        await page.wait_for_url(re.compile(r"service="))
        names = set(await page.locator(".log-who").all_inner_texts())
        assert len(names) == 1


async def test_a_question_that_makes_no_sense_is_told(stage: Stage) -> None:
    async with stage.page("/dashboard/logs?since=yesterday", refused=True) as page:
        await expect(page.get_by_role("alert")).to_contain_text("yesterday")
        await expect(page.locator(".entry").first).to_be_visible()


async def test_nothing_foreign_runs(stage: Stage) -> None:
    logs = stage.hub.logs
    name = "<b>evil</b>"
    await logs.say(name, *HOSTILE, level=Level.ERROR)
    async with stage.page("/dashboard/logs?q=pwned") as page:
        await expect(page.locator("#log-tail")).to_have_attribute("data-state", "following")
        await logs.say(name, *HOSTILE)
        await expect(page.locator(".entry")).to_have_count(8)
        assert await page.evaluate("window.pwned") is None
        assert await page.locator(".entry img, .entry script, .entry svg, .entry i").count() == 0
        await expect(page.locator(".log-who").first).to_have_text(name)
    async with stage.page("/dashboard/logs?q=gnp") as page:
        text = await page.locator(".entry .log-text").first.inner_text()
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert "␛[31m" in text


async def test_without_scripts_it_is_a_page_like_any_other(stage: Stage) -> None:
    context = await stage.browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await arrive(page, stage.hub.url + "/dashboard/logs")
    await expect(page.locator(".entry").last).to_be_in_viewport()
    await expect(page.locator("#log-live")).to_be_hidden()
    await page.locator("[name=q]").fill("주문")
    await page.locator(".log-form .primary").click()
    await expect(page.locator(".entry").first).to_contain_text("처리를 마쳤습니다")
    await context.close()


async def test_what_is_missing_is_said_in_the_readers_language(stage: Stage) -> None:
    stage.hub.logs.problems["db"] = "no readable driver"
    async with stage.page("/dashboard/logs?level=warning", lang="ko") as page:
        await expect(page.locator(".by-hub .log-text")).to_contain_text("약 42초 분량의 출력이")
        await expect(page.locator(".notice", has_text="db")).to_contain_text("no readable driver")
    stage.hub.logs.problems.clear()


async def test_older_entries_are_a_link_away(stage: Stage) -> None:
    await stage.hub.logs.say("old-service", *(f"paged {n:03d}" for n in range(450)), ago_s=7200)
    async with stage.page("/dashboard/logs?q=paged") as page:
        await expect(page.locator(".entry")).to_have_count(200)
        await page.locator(".log-older a").click()
        await expect(page.locator(".entry").first).to_contain_text("paged 050")
        await expect(page.locator(".entry").last).to_contain_text("paged 249")


async def test_a_run_shows_what_services_wrote_for_it(stage: Stage) -> None:
    run = runs.succeeded()
    stage.hub.flows.tell(run)
    await stage.hub.logs.say("saju-service", "calculated for the run", run=run.id)
    async with stage.page(f"/dashboard/workflows/runs/{run.id}") as page:
        await expect(page.locator(".of-run .entry")).to_contain_text("calculated for the run")
        await fits(page, "run-with-logs")
        await page.locator("#logs-title a").click()
        await expect(page.locator(".entry")).to_have_count(1)


async def test_times_are_the_readers_own(stage: Stage) -> None:
    context = await stage.browser.new_context(timezone_id="Asia/Seoul")
    page = await context.new_page()
    await stage.hub.logs.say("clock-service", "what time is it", stream=Stream.ERR)
    await arrive(page, stage.hub.url + "/dashboard/logs?service=clock-service")
    time = page.locator(".log-at")
    at = datetime.fromisoformat(await time.get_attribute("datetime") or "") + timedelta(hours=9)
    await expect(time).to_have_text(f"{at:%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}")
    await context.close()
