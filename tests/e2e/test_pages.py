"""What a person does on the pages, done in a real browser: watch, act, be refused, lose the hub."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from controller.model.text import Text
from controller.model.view import Health
from tests.e2e.pages_support import conflict, healthy, no_engine
from tests.e2e.pages_support_browser import Stage, arrive, staged

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOSTILE = '<img src=x onerror="window.pwned=1">"\'&</script>'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    module_stage.hub.reset()
    return module_stage


async def confirm(page: Page, name: str) -> None:
    """Press a button, wait for the plan, confirm."""
    await page.get_by_role("button", name=name, exact=True).click()
    await expect(page.locator("#confirm .plan li").first).to_be_visible()
    await page.locator("#confirm-go").click()


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/services"])
async def test_a_change_appears_without_reload_and_without_losing_the_place(
    stage: Stage, path: str
) -> None:
    async with stage.page(path) as page:
        await page.evaluate("window.same = true")
        await page.locator("#do-stop-saju-service").focus()
        stage.hub.change("saju-service", health=Health.UNHEALTHY, reason=Text("demo.slow"))
        service = page.locator('[data-row="saju-service"]')
        await expect(service).to_contain_text("Unhealthy")
        await expect(service).to_contain_text("3 probes in a row took longer than 2 s")
        await expect(page.locator("h1")).to_have_text("1 service needs attention")
        await expect(page).to_have_title(re.compile(r"^\(1\) "))
        await expect(page.locator("#announcer")).to_contain_text("1 service needs attention")
        assert await page.evaluate("window.same")
        if path == "/dashboard/services":
            await expect(page.locator("#do-stop-saju-service")).to_be_focused()


async def test_what_needs_attention_comes_first_worst_first(stage: Stage) -> None:
    stage.hub.trouble()
    async with stage.page() as page:
        names = await page.locator("[data-row]").evaluate_all("r => r.map(e => e.dataset.row)")
        assert names == [
            "crawling-service",
            "saju-service",
            "paperwork-service",
            "test-service",
            "ai-monitoring-service",
        ]


async def test_an_action_shows_its_plan_then_progress_then_the_outcome(stage: Stage) -> None:
    async with stage.page("/dashboard/services") as page:
        stage.hub.settled = {"ai-monitoring-service": "already_running"}
        await page.locator("#do-restart-saju-service").click()
        dialog = page.get_by_role("dialog", name="Restart saju-service?")
        await expect(dialog).to_be_visible()
        steps = dialog.locator(".plan li")
        await expect(steps).to_have_count(3)
        await expect(steps.nth(0)).to_contain_text("Stop saju-service")
        await expect(steps.nth(0)).to_contain_text("An operator asked for it.")
        await expect(steps.nth(1)).to_contain_text("after 1")
        await expect(dialog).to_contain_text("Already as desired: ai-monitoring-service")
        await expect(dialog).to_contain_text("Needed by test-service.")
        assert not stage.hub.asked, "a dry run changes nothing"

        await dialog.locator("#confirm-go").click()
        await expect(dialog.locator("progress")).to_have_attribute("value", "0")
        stage.hub.advance()
        await expect(dialog.locator("progress")).to_have_attribute("value", "1")
        await expect(dialog.locator(".steps li").nth(0)).to_contain_text("done")
        await expect(dialog.locator(".steps li").nth(1)).to_contain_text("under way")
        await expect(page.locator(".current")).to_contain_text("1 of 3 steps")
        await expect(page.locator('[data-row="saju-service"]')).to_contain_text("Restarting")
        stage.hub.finish()
        await expect(dialog.locator(".progress-line")).to_contain_text("Restart saju-service: done")
        await expect(dialog.locator(".results")).to_contain_text("restarted")
        await expect(page.locator("#announcer")).to_contain_text("Restart saju-service: done")
        await expect(dialog.locator("#confirm-close")).to_have_text("Close")
        await expect(dialog.locator("#confirm-close")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_hidden()
        await expect(page.locator("#do-restart-saju-service")).to_be_focused()
        await expect(page.locator('[data-row="saju-service"]')).to_contain_text("Healthy")


async def test_what_no_file_speaks_of_is_named_and_removed_on_request(stage: Stage) -> None:
    async with stage.page("/dashboard/services") as page:
        found = page.locator("#orphans")
        await expect(found).to_have_count(0)
        stage.hub.abandon("old", "older")
        await expect(found).to_contain_text("heal7-old-1 – service old, running, created 3 d ago")
        await found.get_by_role("button", name="Remove orphans").click()
        dialog = page.get_by_role(
            "dialog", name="Remove 2 containers that no compose file speaks of?"
        )
        await expect(dialog.locator(".plan li")).to_have_count(4)
        await expect(dialog).to_contain_text("What they wrote outside of volumes is lost.")
        # One that appears meanwhile was not agreed to.
        stage.hub.abandon("old", "older", "oldest")
        await dialog.locator("#confirm-go").click()
        assert stage.hub.asked[0].targets == ("old", "older")
        stage.hub.abandon("oldest")
        stage.hub.finish()
        await expect(dialog.locator(".results")).to_contain_text("removed")
        await expect(dialog.locator(".progress-line")).to_contain_text(
            "Remove orphans: old, older: done"
        )
        await dialog.locator("#confirm-close").click()
        await expect(found.get_by_role("button")).to_have_attribute(
            "data-title", "Remove heal7-oldest-1, which no compose file speaks of?"
        )
    assert "POST /orchestration/orphans/remove?wait=false" in stage.hub.calls


async def test_cancelling_does_nothing(stage: Stage) -> None:
    async with stage.page() as page:
        await page.get_by_role("button", name="Stop all").click()
        await expect(page.locator(".plan li")).to_have_count(5)
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.locator("#confirm")).to_be_hidden()
        assert not stage.hub.asked
        assert [c for c in stage.hub.calls if c.startswith("POST")] == [
            "POST /orchestration/stop-all?dry_run=true"
        ]


async def test_the_whole_stack_stops_and_starts_in_the_background(stage: Stage) -> None:
    async with stage.page() as page:
        await confirm(page, "Stop all")
        await page.get_by_role("button", name="Continue in background").click()
        await expect(page.locator(".current")).to_contain_text("Stop all services")
        stage.hub.finish()
        await expect(page.locator(".toast")).to_contain_text("Stop all services: done")
        await expect(page.locator("h1")).to_have_text("Everything is stopped")
        await confirm(page, "Start all")
        stage.hub.finish({"crawling-service": "address already in use"})
        await expect(page.locator("#confirm .results")).to_contain_text("address already in use")
        await expect(page.locator("#confirm .progress-line")).to_contain_text("crawling-service")
        await page.get_by_role("button", name="Close").first.click()
        await expect(page.locator('[data-row="crawling-service"]')).to_contain_text("Failed")


async def test_a_refusal_says_why_and_what_to_do_and_can_be_tried_again(stage: Stage) -> None:
    async with stage.page(refused=True) as page:
        stage.hub.refusal = no_engine()
        await page.locator("#do-restart-saju-service").click()
        problem = page.locator("#confirm-problem")
        await expect(problem).to_contain_text("The Docker engine did not answer within 2 s.")
        await expect(problem).to_contain_text("What to do: Run heal7 doctor")
        stage.hub.refusal = None
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator(".plan li")).to_have_count(3)
        await expect(problem).to_be_hidden()
        stage.hub.refusal = conflict()
        await page.locator("#confirm-go").click()
        await expect(problem).to_contain_text("Another operation is under way")
        await expect(problem).to_contain_text("saju-service is being stopped by operation op-17.")
        stage.hub.refusal = None
        stage.hub.down = True
        await page.get_by_role("button", name="Try again").click()
        await expect(problem).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#confirm")).to_be_hidden()
        stage.hub.rise()


async def test_a_busy_service_cannot_be_asked_twice(stage: Stage) -> None:
    stage.hub.begin("restart", ["saju-service"])
    async with stage.page() as page:
        await page.locator("#do-stop-saju-service").press("Enter")
        await expect(page.locator("#announcer")).to_contain_text("Another operation")
        await expect(page.locator("#confirm")).to_be_hidden()


async def test_stale_facts_are_greyed_and_say_since_when(stage: Stage) -> None:
    async with stage.page("/dashboard/services", refused=True) as page:
        stage.hub.fall()
        await expect(page.locator("#stale")).to_contain_text("What you see is from")
        await expect(page.locator("#link")).to_contain_text("Reconnecting")
        await expect(page.locator("#live")).to_have_css("filter", "grayscale(1)")
        stage.hub.rise()
        stage.hub.services["saju-service"] = replace(
            stage.hub.services["saju-service"], health=Health.FAILED
        )
        await expect(page.locator("#stale")).to_be_hidden(timeout=15_000)
        await expect(page.locator('[data-row="saju-service"]')).to_contain_text("Failed")
        await expect(page.locator("#link")).to_contain_text("Live")


async def test_a_refresh_that_got_lost_is_made_again_soon(stage: Stage) -> None:
    async with stage.page(refused=True) as page:
        lost: list[str] = []

        async def lose_one(route: Route) -> None:
            if lost:
                return await route.continue_()
            lost.append(route.request.url)
            return await route.abort()

        await page.route("**/fragments/**", lose_one)
        stage.hub.change("saju-service", health=Health.FAILED)
        await expect(page.locator('[data-row="saju-service"]')).to_contain_text("Failed")
        assert len(lost) == 1


async def test_an_unreachable_engine_is_the_headline(stage: Stage) -> None:
    async with stage.page() as page:
        stage.hub.lose_engine()
        await expect(page.locator("h1")).to_have_text("The Docker engine cannot be reached")
        await expect(page.locator(".facts")).to_contain_text("unreachable for 3 min")
        await expect(page.locator(".notice")).to_contain_text("last known state")
        await expect(page.locator(".rows").first).to_have_css("filter", "grayscale(1)")


async def test_language_follows_the_browser_and_the_choice_is_kept(stage: Stage) -> None:
    async with stage.page("/dashboard/services", lang="ko") as page:
        await expect(page.locator("html")).to_have_attribute("lang", "ko")
        await expect(page.locator("h1")).to_have_text("서비스 5개가 모두 정상입니다")
        await page.locator("#do-stop-saju-service").click()
        await expect(page.locator(".plan")).to_contain_text("운영자가 요청했습니다.")
        await page.get_by_role("button", name="취소").click()
        await page.get_by_role("button", name="English").click()
        await expect(page).to_have_url(stage.hub.url + "/dashboard/services")
        await expect(page.locator("h1")).to_have_text("All 5 services are healthy")
        await page.get_by_role("link", name="Overview").click()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await page.locator("#do-stop-saju-service").click()
        await expect(page.locator(".plan")).to_contain_text("An operator asked for it.")


async def test_theme_follows_the_system_and_the_choice_is_kept(stage: Stage) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    async with stage.page(theme="dark") as page:
        dark = await page.evaluate(background)
        await page.get_by_role("button", name="switch to light").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "light")
        light = await page.evaluate(background)
        assert dark != light
        await page.get_by_role("link", name="Services").click()
        assert await page.evaluate(background) == light
        await page.get_by_role("button", name="switch to dark").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert await page.evaluate(background) == dark


async def test_everything_can_be_done_by_keyboard(stage: Stage) -> None:
    async with stage.page("/dashboard/services") as page:
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(page.locator("#do-pause-")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(page.locator("#do-restart-")).to_be_focused()
        # Stop all, the service's name, what it needs: all lead somewhere.
        for _ in range(4):
            await page.keyboard.press("Tab")
        await expect(page.locator("#do-restart-paperwork-service")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator(".plan li")).to_have_count(3)
        await expect(page.locator("#confirm-close")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator("#do-restart-paperwork-service")).to_be_focused()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await expect(page.locator(".plan li")).to_have_count(1)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator(".progress")).to_be_visible()
        stage.hub.finish()
        await expect(page.locator("#confirm-close")).to_be_focused()
        await page.keyboard.press("Enter")
        # Stop became Start: the focus stays with the service.
        await expect(page.locator('[data-row="paperwork-service"]')).to_be_focused()


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/services"])
async def test_hostile_names_and_reasons_are_only_text(stage: Stage, path: str) -> None:
    hub = stage.hub
    hostile = replace(
        healthy(HOSTILE, 8012, hub.now),
        reason=Text("demo.foreign", {"words": HOSTILE}),
        image=HOSTILE,
        health=Health.FAILED,
        depends_on=(HOSTILE,),
    )
    hub.services = {HOSTILE: hostile}
    hub.project, hub.warnings = HOSTILE, (HOSTILE,)
    hub.chains = {HOSTILE: [(HOSTILE, HOSTILE)]}
    async with stage.page(path) as page:
        await expect(page.locator("#live")).to_contain_text(HOSTILE)
        hub.change(HOSTILE, restarts=3)
        await page.locator("button[data-verb=restart]").last.click()
        await expect(page.locator("#confirm-title")).to_have_text(f"Restart {HOSTILE}?")
        await expect(page.locator(".plan li").first).to_contain_text(HOSTILE)
        await page.locator("#confirm-go").click()
        await expect(page.locator(".progress")).to_contain_text(HOSTILE)
        await page.locator("#confirm-close").click()
        hub.finish({HOSTILE: HOSTILE})
        await expect(page.locator(".toast")).to_contain_text(HOSTILE)
        assert await page.evaluate("window.pwned") is None
        assert await page.locator("img, #live script").count() == 0


async def test_a_reader_keeps_what_they_unfolded(stage: Stage) -> None:
    stage.hub.history()
    async with stage.page() as page:
        await page.locator("#op-past-0 > summary").click()
        await expect(page.locator("#op-past-0 .detail")).to_be_visible()
        stage.hub.change("saju-service", health=Health.UNHEALTHY)
        await expect(page.locator('[data-row="saju-service"]')).to_contain_text("Unhealthy")
        await expect(page.locator("#op-past-0 .detail")).to_be_visible()


async def test_a_storm_of_events_is_coalesced(stage: Stage) -> None:
    async with stage.page() as page:
        before = len([c for c in stage.hub.calls if "fragments/overview" in c])
        for number in range(200):
            stage.hub.change("saju-service", restarts=number, response_ms=float(number + 100))
        await expect(page.locator('[data-row="saju-service"]')).to_contain_text("299 ms")
        assert len([c for c in stage.hub.calls if "fragments/overview" in c]) - before <= 4


async def test_without_scripts_the_page_still_tells_everything(stage: Stage) -> None:
    stage.hub.trouble()
    context = await stage.browser.new_context(java_script_enabled=False, locale="en-US")
    page = await context.new_page()
    await arrive(page, stage.hub.url + "/dashboard")
    await expect(page.locator("h1")).to_have_text("3 services need attention")
    await expect(page.locator("body")).to_contain_text("the hub gave up")
    await expect(page.locator("body")).to_contain_text("heal7 start, stop or restart")
    await expect(page.locator("button[data-verb]").first).to_be_hidden()
    await page.get_by_role("button", name="한국어").click()
    await expect(page.locator("h1")).to_have_text("서비스 3개를 확인해야 합니다")
    await context.close()


async def test_a_dialog_opened_anew_before_its_closing_was_told_still_works(stage: Stage) -> None:
    async with stage.page("/dashboard/services") as page:
        await page.locator("#do-restart-paperwork-service").click()
        await expect(page.locator(".plan li")).to_have_count(3)
        # The close event is a task of its own; a click in the same task comes before it.
        await page.evaluate(
            "document.getElementById('confirm').close();"
            "document.getElementById('do-stop-paperwork-service').click()"
        )
        await expect(page.locator(".plan li")).to_have_count(1)
