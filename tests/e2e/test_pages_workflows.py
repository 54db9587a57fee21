"""Workflows and runs in a real browser: begin, follow live, cancel, retry, resume, read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from controller import clock
from controller.model.run import Run
from tests.e2e import pages_support_runs as runs
from tests.e2e.pages_support_browser import Stage, arrive, staged

pytestmark = pytest.mark.asyncio(loop_scope="module")
R, S = runs.R, runs.S
# Ids of runs in the order in which the page was told of them.
HEAR = """
() => new Promise((heard) => {
  window.heard = [];
  const source = new EventSource("/events");
  source.addEventListener("run", (event) => window.heard.push(JSON.parse(event.data).id));
  source.addEventListener("open", heard);
})
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    module_stage.hub.reset()
    return module_stage


def told(stage: Stage, run: Run) -> str:
    """The address of a run that the hub knows."""
    stage.hub.flows.tell(run)
    return f"/dashboard/workflows/runs/{run.id}"


async def drawn(page: Page, step: str) -> str:
    """What the drawing says of a step."""
    return " ".join((await page.locator(f"#dag-{step}").text_content() or "").split())


async def test_a_run_is_begun_by_a_form_and_followed_to_its_end(stage: Stage) -> None:
    async with stage.page("/dashboard/workflows") as page:
        await expect(page.locator("h1")).to_have_text("3 workflows, none of them running")
        await page.get_by_role("link", name="Run saju_processing").click()
        await page.get_by_label("Date and time").fill("1992-10-24T05:30")
        await page.get_by_label("Gender").select_option("female")
        await page.get_by_label("tags").fill("one\ntwo")
        await page.get_by_label("city").fill("Seoul")
        await page.get_by_role("button", name="Run saju_processing").click()
        await expect(page.locator("h1")).to_have_text("saju_processing is running")
        ((_, given, _),) = stage.hub.flows.sent
        assert given == {
            "datetime": "1992-10-24T05:30", "gender": "female", "tags": ["one", "two"],
            "place": {"city": "Seoul"},
        }  # fmt: skip
        (run,) = stage.hub.flows.live()
        run = runs.went(run, "calculate", S.RUNNING, 0, 0)
        stage.hub.flows.tell(run)
        await expect(page.locator("#dag-calculate")).to_contain_text("running")
        run = runs.went(run, "calculate", S.SUCCEEDED, 0, 0.14, output=runs.OUTPUT)
        stage.hub.flows.tell(runs.went(run, "monitor", S.RUNNING, 0.2, 0))
        await expect(page.locator("#step-calculate")).to_contain_text("done")
        assert await drawn(page, "calculate") == "calculate saju-service done 140 ms"
        await expect(page.locator("#step-monitor")).to_contain_text("running")
        done = replace(runs.succeeded(), id=run.id)
        stage.hub.flows.tell(done)
        await expect(page.locator("h1")).to_contain_text("saju_processing succeeded")
        await expect(page.locator(".lead")).to_have_text("All 3 steps are done.")
        await expect(page.locator("#announcer")).to_contain_text("saju_processing succeeded")


async def test_a_waiting_run_says_for_what_and_leads_to_the_incident(stage: Stage) -> None:
    stage.hub.night(clock.now())
    async with stage.page(told(stage, runs.waiting())) as page:
        await expect(page.locator("h1")).to_have_text("saju_processing is waiting")
        await expect(page.locator(".lead")).to_contain_text("test-service is being restarted")
        held = page.locator("#step-quality-check")
        await expect(held).to_contain_text("held")
        await expect(held).to_contain_text("held for 1 min")
        await held.get_by_role("link", name="See the incident").click()
        await expect(page).to_have_url(re.compile(r"/dashboard/incidents/inc-1$"))


async def test_time_goes_on_between_two_answers(stage: Stage) -> None:
    async with stage.page(told(stage, runs.running(ago=50))) as page:
        count = page.locator(".hero .facts [data-elapsed]")
        first = await count.inner_text()
        await expect(count).not_to_have_text(first)
        assert re.fullmatch(r"5\d s|1 min \d s", await count.inner_text())
        # It stops with the run.
        stage.hub.flows.tell(replace(runs.succeeded(), id=runs.running().id))
        await expect(page.locator(".hero .facts")).to_contain_text("Took 1.2 s")
        await expect(page.locator(".hero [data-elapsed]")).to_have_count(0)


async def test_only_its_own_run_wakes_the_page_of_a_run(stage: Stage) -> None:
    async with stage.page(told(stage, runs.running())) as page:
        await page.evaluate(HEAR)
        stage.hub.calls.clear()
        stage.hub.flows.tell(runs.compensated(), runs.succeeded())
        await page.wait_for_function("id => window.heard.includes(id)", arg=runs.succeeded().id)
        stage.hub.flows.tell(runs.went(runs.running(), "monitor", S.SUCCEEDED, 0, 1))
        await expect(page.locator("#step-monitor")).to_contain_text("done")
        assert len([call for call in stage.hub.calls if "/fragments/" in call]) == 1


async def test_a_run_is_cancelled_after_asking(stage: Stage) -> None:
    async with stage.page(told(stage, runs.running())) as page:
        await page.get_by_role("button", name="Cancel run").click()
        await expect(page.locator("#confirm")).to_contain_text(
            "Cancel this run of saju_processing?"
        )
        await expect(page.locator("#confirm-note")).to_contain_text("is undone, last step first")
        assert stage.hub.flows.acted == []
        await page.locator("#confirm-go").click()
        await expect(page.locator(".toast")).to_contain_text("The run is being cancelled.")
        await expect(page.get_by_role("button", name="Cancel run")).to_have_count(0)
        assert stage.hub.flows.acted == [("cancel", runs.running().id)]


async def test_a_refusal_is_said_in_the_dialog(stage: Stage) -> None:
    stage.hub.flows.refusal = runs.over()
    async with stage.page(told(stage, runs.running()), refused=True) as page:
        await page.get_by_role("button", name="Cancel run").click()
        await page.locator("#confirm-go").click()
        await expect(page.locator("#confirm-problem")).to_contain_text("The run has ended")
        await page.keyboard.press("Escape")
        await expect(page.locator("#do-cancel")).to_be_focused()


async def test_a_failed_run_is_retried_as_a_new_one(stage: Stage) -> None:
    async with stage.page(told(stage, runs.compensated())) as page:
        await expect(page.locator("h1")).to_have_text("saju_processing failed and was undone")
        await page.get_by_role("button", name="Run again").click()
        await page.locator("#confirm-go").click()
        await expect(page).to_have_url(re.compile(r"c0ffee012$"))
        await expect(page.locator(".hero")).to_contain_text("Repeats run_0192f3c4a1b2_c0ffee01")


async def test_a_failed_undo_is_resumed(stage: Stage) -> None:
    async with stage.page(told(stage, runs.stuck())) as page:
        path = page.locator(".undo-path li")
        await expect(path).to_have_count(2)
        await expect(path.first).to_contain_text("quality-check undone")
        await expect(path.last).to_contain_text("calculate undo failed")
        await expect(path.last).to_contain_text("database is locked")
        await page.get_by_role("button", name="Resume undoing").click()
        await page.locator("#confirm-go").click()
        await expect(page.locator("h1")).to_have_text("saju_processing is being undone")
        assert stage.hub.flows.acted == [("resume", runs.stuck().id)]


async def test_what_is_unfolded_stays_so_and_hides_secrets(stage: Stage) -> None:
    async with stage.page(told(stage, runs.running())) as page:
        output = page.locator("#output-calculate")
        await output.locator("summary").click()
        await expect(output.locator("pre")).to_contain_text('"token": "•••"')
        stage.hub.flows.tell(replace(runs.succeeded(), id=runs.running().id))
        await expect(page.locator("h1")).to_contain_text("saju_processing succeeded")
        await expect(output.locator("pre")).to_be_visible()
        assert "hunter2" not in await page.content()


async def test_a_workflow_without_input_is_run_after_asking(stage: Stage) -> None:
    async with stage.page("/dashboard/workflows") as page:
        await page.get_by_role("button", name="Run document_automation").click()
        await expect(page.locator("#confirm")).to_contain_text("Run document_automation?")
        await page.locator("#confirm-go").click()
        await expect(page.locator("h1")).to_have_text("document_automation is running")
        assert [sent[:2] for sent in stage.hub.flows.sent] == [("document_automation", None)]


async def test_what_is_typed_survives_what_happens_meanwhile(stage: Stage) -> None:
    async with stage.page("/dashboard/workflows/saju_processing") as page:
        await page.get_by_label("Date and time").fill("1992")
        stage.hub.flows.tell(runs.running())
        await expect(page.locator(f"#run-{runs.running().id}")).to_be_visible()
        await expect(page.get_by_label("Date and time")).to_have_value("1992")


async def test_what_is_wrong_is_shown_where_the_reader_is(stage: Stage) -> None:
    path = "/dashboard/workflows/saju_processing"
    async with stage.page(path, lang="ko", width=390, refused=True) as page:
        await page.get_by_label("날짜와 시각").fill("never")
        await page.get_by_label("성별").select_option("female")
        await page.get_by_role("button", name="saju_processing 실행").click()
        wrong = page.get_by_label("날짜와 시각")
        await expect(wrong).to_be_focused()
        await expect(wrong).to_be_in_viewport()
        await expect(wrong).to_have_accessible_description("'never' is no date")
        await expect(wrong).to_have_value("never")


async def test_runs_arrive_in_the_list_and_on_the_overview(stage: Stage) -> None:
    for path in ("/dashboard/workflows", "/dashboard"):
        stage.hub.reset()
        async with stage.page(path) as page:
            stage.hub.flows.tell(runs.waiting())
            row = page.locator(f"#run-{runs.waiting().id}")
            await expect(row).to_contain_text("Waiting")
            await expect(row).to_contain_text("test-service is being restarted")
            await expect(row.locator("[data-elapsed]")).to_have_text(re.compile(r"1 min \d+ s"))


async def test_a_wide_drawing_scrolls_in_its_own_box_to_where_the_run_is(stage: Stage) -> None:
    run = runs.wide()
    for name in ("parse-b", "merge", "enrich", "score"):
        run = runs.went(run, name, S.SUCCEEDED, 9, 1)
    run = runs.went(run, "publish", S.RUNNING, 10, 0)
    async with stage.page(told(stage, run), width=390) as page:
        await expect(page.locator("#dag-publish .node-box")).to_be_in_viewport(ratio=0.5)
        await expect(page.locator("#dag-fetch .node-box")).not_to_be_in_viewport()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.locator(".dag-box").focus()
        before = await page.locator(".dag-box").evaluate("e => e.scrollLeft")
        await page.keyboard.press("ArrowLeft")
        await page.wait_for_function(
            "before => document.querySelector('.dag-box').scrollLeft < before", arg=before
        )


async def test_a_node_leads_to_its_step(stage: Stage) -> None:
    async with stage.page(told(stage, runs.succeeded())) as page:
        await page.locator("#dag-quality-check").click()
        await expect(page).to_have_url(re.compile("#step-quality-check$"))
        await expect(page.locator("#step-quality-check")).to_be_in_viewport()
        # The picture is not in the way of the keyboard or a screen reader; the list says it all.
        assert await page.locator(".dag").get_attribute("aria-hidden") == "true"
        assert await page.locator(".dag a:not([tabindex='-1'])").count() == 0


async def test_a_form_and_a_button_work_without_scripts(stage: Stage) -> None:
    context = await stage.browser.new_context(java_script_enabled=False, locale="en-US")
    page = await context.new_page()
    await arrive(page, f"{stage.hub.url}/dashboard/workflows/saju_processing")
    assert await page.locator("meta[http-equiv=refresh]").count() == 0
    await page.get_by_label("Date and time").fill("1992-10-24T05:30")
    await page.get_by_label("Gender").select_option("male")
    await page.get_by_role("button", name="Run saju_processing").click()
    await expect(page.locator("h1")).to_have_text("saju_processing is running")
    await page.get_by_role("button", name="Cancel run").click()
    await expect(page.locator(".lead")).to_have_text("It is being cancelled.")
    assert [verb for verb, _ in stage.hub.flows.acted] == ["cancel"]
    await context.close()
