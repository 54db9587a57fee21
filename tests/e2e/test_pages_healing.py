"""Incidents, the pause and rehearsals in a real browser: read, follow, pause, break on purpose."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from controller import clock
from controller.errors import ConflictError
from controller.model.incident import Act, Ending, Entry, Evidence
from controller.model.rehearsal import Stage as Station
from controller.model.text import Text
from controller.model.view import Health
from tests.e2e.pages_support_browser import Stage, arrive, staged
from tests.e2e.pages_support_healing import crash, probes

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOSTILE = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">"\'&</pre>'
GIVEN_UP = "1 service was given up and needs a person"
SICK = ConflictError(
    "crawling-service failed 6 minutes ago, so the stack is sick already.",
    remedy="Heal it first, or rehearse anyway.",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    module_stage.hub.reset()
    module_stage.hub.night(clock.now())
    return module_stage


async def listed(page: Page) -> list[str]:
    """The ids of the incidents shown, in their order."""
    rows = page.locator(".incidents tbody tr")
    return list(await rows.evaluate_all("rows => rows.map(r => r.id.slice(9))"))


async def test_open_incidents_come_first_then_the_newest(stage: Stage) -> None:
    async with stage.page("/dashboard/incidents") as page:
        assert await listed(page) == [
            "inc-3", "inc-2", "inc-1", "inc-4", "inc-5", "inc-6", "inc-7",
        ]  # fmt: skip
        await expect(page.locator("h1")).to_have_text(GIVEN_UP)
        await expect(page.locator(".facts")).to_contain_text("2 open")
        await expect(page.locator("#nav-open")).to_have_attribute("title", "2 open, 1 given up")
        await expect(page).to_have_title(re.compile(r"^\(3\) Incidents"))
        recovered = page.locator("#incident-inc-4")
        await expect(recovered).to_contain_text("Recovered")
        await expect(recovered).to_contain_text("Its main process was killed by signal 9")
        await expect(recovered.locator(".c-when")).to_have_text("2 h 50 min ago")
        await expect(recovered.locator("time")).to_have_attribute("title", re.compile("20"))
        await expect(recovered.locator(".c-detected")).to_have_text("140 ms")
        await expect(recovered.locator(".c-recovered")).to_have_text("10.2 s")
        await expect(recovered.locator(".c-restarts")).to_have_text("2")
        await expect(page.locator("#incident-inc-5")).to_contain_text("Rehearsal")
        await expect(page.locator("#incident-inc-1 .c-recovered")).to_have_text("–")


async def test_what_was_given_up_stays_pressing_until_it_is_well(stage: Stage) -> None:
    hub = stage.hub
    async with stage.page("/dashboard/services") as page:
        row = page.locator('[data-row="crawling-service"]')
        await row.get_by_role("link", name="Out of memory, see the incident").click()
        await expect(page.locator(".facts")).to_contain_text("Gave up")
        await expect(page.locator(".facts")).to_contain_text("given up after 19.2 s")
        await expect(page.locator(".timeline > li").last).to_contain_text("5 restarts within 10")
        await page.get_by_role("link", name="All incidents").click()
        await expect(page.locator("#incident-inc-1")).to_have_class(re.compile("urgent"))
        hub.change("crawling-service", health=Health.HEALTHY, reason=Text("demo.ok"))
        await expect(page.locator("h1")).to_have_text("2 incidents are open")
        await expect(page.locator("#incident-inc-1")).not_to_have_class(re.compile("urgent"))
        await expect(page.locator("#nav-open")).to_have_text("2")


async def test_the_list_is_filtered_by_its_address(stage: Stage) -> None:
    async with stage.page("/dashboard/incidents") as page:
        await page.get_by_role("link", name="Closed").click()
        assert await listed(page) == ["inc-1", "inc-4", "inc-5", "inc-6", "inc-7"]
        await page.locator("select[name=service]").select_option("saju-service")
        await page.get_by_role("button", name="Show").click()
        await expect(page).to_have_url(re.compile(r"\?state=closed&service=saju-service$"))
        assert await listed(page) == ["inc-6"]
        # What arrives live obeys the same filter.
        new = crash("inc-8", "saju-service", timedelta(minutes=1), clock.now())
        stage.hub.tell(new, crash("inc-9", "test-service", timedelta(minutes=1), clock.now()))
        await expect(page.locator("#incident-inc-8")).to_be_visible()
        assert await listed(page) == ["inc-8", "inc-6"]
        # The choice of a language leads back to the same list.
        await page.get_by_role("button", name="한국어").click()
        await expect(page).to_have_url(re.compile(r"state=closed"))
        assert await listed(page) == ["inc-8", "inc-6"]


async def test_a_choice_under_way_survives_a_refresh(stage: Stage) -> None:
    async with stage.page("/dashboard/incidents") as page:
        await page.locator("select[name=service]").select_option("saju-service")
        stage.hub.tell(crash("inc-8", "test-service", timedelta(minutes=1), clock.now()))
        await expect(page.locator("#incident-inc-8")).to_be_visible()
        await expect(page.locator("select[name=service]")).to_have_value("saju-service")


async def test_nothing_recorded_is_said_as_just_that(stage: Stage) -> None:
    stage.hub.reset()
    async with stage.page("/dashboard/incidents") as page:
        await expect(page.locator("h1")).to_have_text("No incident is open")
        await expect(page.locator(".empty")).to_contain_text("No incident has been recorded.")
        await expect(page.locator("#nav-open")).to_be_hidden()
        stage.hub.tell(crash("inc-8", "test-service", timedelta(minutes=1), clock.now()))
        await expect(page.locator("#incident-inc-8")).to_be_visible()
        await expect(page.locator(".facts")).to_contain_text("the last one began 1 min ago")
    async with stage.page("/dashboard/incidents?service=saju-service") as page:
        await expect(page.locator(".empty")).to_contain_text("No recorded incident matches.")
        await page.get_by_role("link", name="Show all").click()
        await expect(page.locator("#incident-inc-8")).to_be_visible()


async def test_a_story_grows_while_it_is_read(stage: Stage) -> None:
    hub = stage.hub
    async with stage.page("/dashboard/incidents/inc-3") as page:
        await expect(page).to_have_title(re.compile("saju-service stopped answering"))
        await expect(page.locator("h1")).to_have_text("saju-service stopped answering")
        await expect(page.locator(".todo")).to_contain_text("the hub is working on it")
        points = page.locator(".timeline > li")
        await expect(points).to_have_count(4)
        await expect(points.nth(2)).to_contain_text("Restart under way")
        await expect(points.nth(3)).to_contain_text("Not over yet")
        await page.evaluate("window.same = true")
        now, open_ = clock.now(), hub.told["inc-3"]
        failed = replace(
            open_.timeline[0], outcome="failed", ended_at=now,
            failure=Text("demo.slow"), detail="bind: address already in use",
        )  # fmt: skip
        again = Entry(now, Act.RESTART, Text("demo.backoff", {"n": 2, "seconds": 4}), "done", now)
        hub.tell(replace(
            open_, timeline=(failed, again), closed_at=now, outcome=Ending.RECOVERED,
        ))  # fmt: skip
        await expect(points.last).to_contain_text("Recovered")
        await expect(points.nth(2)).to_contain_text("3 probes in a row took longer than 2 s")
        await expect(points.nth(2).locator(".detail")).to_have_text("bind: address already in use")
        await expect(points.nth(3)).to_contain_text("try 2 of 5 after a pause of 4 s")
        await expect(page.locator(".todo")).to_contain_text("Nothing has to be done")
        await expect(page.locator(".done")).to_contain_text("Restarted it 2 times.")
        await expect(page.locator(".done")).to_contain_text("One of these tries failed.")
        await expect(page.locator("#nav-open")).to_have_text("2")
        assert await page.evaluate("window.same")


async def test_the_evidence_shows_the_end_of_the_log_first(stage: Stage) -> None:
    async with stage.page("/dashboard/incidents/inc-1") as page:
        evidence = page.locator(".evidence")
        await expect(evidence).to_contain_text("Exit code 137")
        await expect(evidence).to_contain_text("killed for using more memory than allowed")
        await expect(evidence.locator(".probes tbody tr")).to_have_count(5)
        await expect(evidence.locator(".probes")).to_contain_text("connection to port 8013 refused")
        log = page.locator("#log")
        # In a reversed column 0 is the end, and the beginning lies above it.
        await expect(log).to_have_js_property("scrollTop", 0)
        beginning = await log.evaluate(
            "e => { e.scrollTop = -1e6; const top = e.scrollTop; e.scrollTop = 0; return top; }"
        )
        assert beginning < -100
        await log.focus()
        await page.keyboard.press("Home")
        await expect(log).to_have_js_property("scrollTop", beginning)


async def test_a_dependant_leads_to_the_incident_that_caused_it(stage: Stage) -> None:
    async with stage.page("/dashboard/incidents/inc-2") as page:
        await expect(page.locator(".done")).to_contain_text("did not touch the container")
        held = page.locator("section", has_text="left undone on purpose").last
        await expect(held).to_contain_text("not restarted, because crawling-service is the one")
        await expect(held).to_contain_text("run_01")
        await page.get_by_role("link", name="crawling-service ran out of memory").click()
        await expect(page).to_have_url(stage.hub.url + "/dashboard/incidents/inc-1")
        await expect(page.locator(".todo")).to_contain_text("Raise its memory limit")


async def test_a_story_offers_what_brings_the_service_back(stage: Stage) -> None:
    stage.hub.trouble()
    async with stage.page("/dashboard/incidents/inc-1") as page:
        await expect(page.locator(".todo")).to_contain_text("Then press Start.")
        await page.locator("#do-start-crawling-service").click()
        await expect(page.locator(".plan li").first).to_be_visible()
        await page.locator("#confirm-go").click()
        await expect(page.locator("#confirm .progress")).to_be_visible()
        stage.hub.finish()
        await expect(page.locator("#confirm .progress-line")).to_contain_text("done")
        await page.locator("#confirm-close").click()
        await expect(page.locator(".now")).to_contain_text("Healthy")


async def test_an_unknown_incident_is_a_page_that_stays_live(stage: Stage) -> None:
    async with stage.page("/dashboard/incidents/no/such%20one", refused=True) as page:
        await expect(page.locator("h1")).to_have_text("This incident is not known")
        await expect(page.locator("#link")).to_contain_text("Live")
        await page.get_by_role("link", name="All incidents").click()
        await expect(page.locator("h1")).to_have_text(GIVEN_UP)


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/services"])
async def test_a_service_in_trouble_links_to_its_incident(stage: Stage, path: str) -> None:
    hub = stage.hub
    hub.change("saju-service", health=Health.UNHEALTHY, reason=Text("demo.slow"), restarts=4)
    async with stage.page(path) as page:
        row = page.locator('[data-row="saju-service"]')
        await expect(row).to_contain_text("3 probes in a row took longer than 2 s")
        if path.endswith("services"):
            await expect(row.get_by_role("link", name="4 restarts")).to_have_attribute(
                "href", "/dashboard/incidents?service=saju-service"
            )
        await row.get_by_role("link", name="Hang, see the incident").press("Enter")
        await expect(page).to_have_url(hub.url + "/dashboard/incidents/inc-3")


async def test_the_overview_shows_the_last_five(stage: Stage) -> None:
    async with stage.page() as page:
        await expect(page.locator(".latest li")).to_have_count(5)
        await expect(page.locator(".latest li").first).to_contain_text("Hang · Being healed")
        stage.hub.tell(crash("inc-8", "test-service", timedelta(seconds=30), clock.now()))
        await expect(page.locator(".latest li").first).to_contain_text("30 s ago")
        await page.locator(".latest a").first.click()
        await expect(page.locator("h1")).to_have_text("test-service crashed")


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/services"])
async def test_healing_is_paused_and_resumed_on_purpose(stage: Stage, path: str) -> None:
    async with stage.page(path) as page:
        await page.locator("#do-pause-").press("Enter")
        dialog = page.get_by_role("dialog", name="Pause healing?")
        await expect(dialog).to_contain_text("brings nothing back by itself until someone resumes")
        await expect(dialog.locator("#confirm-close")).to_be_focused()
        await page.keyboard.press("Escape")
        assert stage.hub.paused is None
        await page.locator("#do-pause-").click()
        await dialog.locator("#confirm-go").click()
        banner = page.locator(".notice.paused")
        await expect(banner).to_contain_text("the hub watches, but touches nothing")
        await expect(banner).to_contain_text("Since just now, by browser.")
        await expect(page.locator(".toast")).to_contain_text("Healing is paused")
        await expect(page.locator("#do-pause-")).to_have_count(0)
        await page.locator("#do-resume-").click()
        await page.get_by_role("dialog", name="Resume healing?").locator("#confirm-go").click()
        await expect(banner).to_have_count(0)
        await expect(page.locator("#do-pause-")).to_be_visible()
        posts = [call for call in stage.hub.calls if call.startswith("POST /orchestration/")]
        assert posts[-2:] == ["POST /orchestration/pause", "POST /orchestration/resume"]


async def test_a_story_says_that_nobody_heals_while_paused(stage: Stage) -> None:
    async with stage.page("/dashboard/incidents/inc-3") as page:
        await expect(page.locator(".todo")).to_contain_text("the hub is working on it")
        await stage.hub.ask_pause()
        await expect(page.locator(".todo")).to_contain_text("The hub is paused and will not act.")
        await expect(page.locator(".notice.paused")).to_be_visible()


async def test_a_rehearsal_is_chosen_followed_and_ends_in_its_incident(stage: Stage) -> None:
    hub = stage.hub
    async with stage.page("/dashboard/services") as page:
        await page.locator("#do-rehearse-saju-service").press("Enter")
        dialog = page.get_by_role("dialog", name="Rehearse a fault on saju-service?")
        await expect(dialog).to_contain_text("The service is really disturbed")
        await expect(dialog).to_contain_text("Needed by test-service.")
        await expect(dialog.locator(".faults label")).to_have_count(4)
        go = dialog.locator("#confirm-go")
        await expect(go).to_be_disabled()
        await dialog.get_by_role("radio", name="Crash").focus()
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_visible()
        await page.keyboard.press("ArrowDown")
        await expect(dialog.get_by_role("radio", name="Hang")).to_be_checked()
        await page.keyboard.press("Enter")
        await expect(go).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(dialog.locator(".stations li").nth(0)).to_have_class("t-busy")
        assert hub.sent == [{"service": "saju-service", "fault": "hang", "force": False}]

        hub.rehearse_on(stage=Station.DETECTING, injected_at=clock.now())
        await expect(dialog.locator(".progress-line")).to_contain_text("waiting for detection")
        hub.rehearse_on(
            stage=Station.HEALING, detected_ms=3100, incident="inc-3",
            verdict=Text("demo.detected", {"ms": 3100}),
        )  # fmt: skip
        await expect(dialog.locator(".measures")).to_contain_text("3.1 s")
        await expect(dialog.locator(".measures")).to_contain_text("10.0 s")
        await expect(dialog.locator(".stations li").nth(1)).to_have_class("t-ok")
        await expect(page.locator(".current")).to_contain_text("Hang of saju-service")
        hub.rehearse_on(
            stage=Station.PASSED, healed_ms=5400, ended_at=clock.now(),
            dependants_ms={"test-service": 6000}, verdict=Text("demo.passed"),
        )  # fmt: skip
        await expect(dialog.locator(".progress-line")).to_contain_text("passed")
        await expect(dialog).to_contain_text("Detected and healed well within the objective.")
        await expect(dialog).to_contain_text("test-service 6.0 s")
        await expect(page.locator("#announcer")).to_contain_text("Hang of saju-service: passed")
        await expect(dialog.locator("#confirm-close")).to_be_focused()
        await dialog.get_by_role("link", name="See its incident").click()
        await expect(page).to_have_url(hub.url + "/dashboard/incidents/inc-3")


async def test_a_refused_rehearsal_says_why_before_it_may_be_forced(stage: Stage) -> None:
    hub = stage.hub
    async with stage.page("/dashboard/services", refused=True) as page:
        hub.refusal = SICK
        await page.locator("#do-rehearse-saju-service").click()
        go = page.locator("#confirm-go")
        await expect(go).to_have_text("Rehearse a fault")
        await page.get_by_role("radio", name="Stop").check()
        await go.click()
        problem = page.locator("#confirm-problem")
        await expect(problem).to_contain_text("so the stack is sick already")
        await expect(problem).to_contain_text("What to do: Heal it first, or rehearse anyway.")
        await expect(page.locator("#confirm-close")).to_be_focused()
        await expect(go).to_have_text("Rehearse anyway")
        assert [sent["force"] for sent in hub.sent] == [False]
        await go.click()
        await expect(page.locator("#confirm .stations")).to_contain_text("Left alone")
        assert [sent["force"] for sent in hub.sent] == [False, True]
        assert hub.sent[1]["fault"] == "stop"
        await page.get_by_role("button", name="Continue in background").click()
        hub.rehearse_on(stage=Station.FAILED, injected_at=clock.now(), ended_at=clock.now())
        await expect(page.locator(".toast")).to_contain_text("Stop of saju-service: failed")


async def test_a_hub_that_does_not_answer_is_asked_again_without_force(stage: Stage) -> None:
    async with stage.page("/dashboard/services", refused=True) as page:
        await page.locator("#do-rehearse-saju-service").click()
        await page.get_by_role("radio", name="Crash").check()
        stage.hub.down = True
        await page.locator("#confirm-go").click()
        await expect(page.locator("#confirm-problem")).to_be_visible()
        stage.hub.rise()
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator("#confirm .stations")).to_be_visible()
        assert [sent["force"] for sent in stage.hub.sent] == [False]


async def test_what_does_not_run_cannot_be_rehearsed(stage: Stage) -> None:
    stage.hub.trouble()
    async with stage.page("/dashboard/services") as page:
        await expect(page.locator("#do-rehearse-saju-service")).to_be_visible()
        await expect(page.locator("#do-rehearse-crawling-service")).to_have_count(0)


async def test_hostile_causes_and_logs_are_only_text(stage: Stage) -> None:
    hub, now, said = stage.hub, clock.now(), Text("demo.foreign", {"words": HOSTILE})
    entry = Entry(now, Act.RESTART, said, "failed", now, said, HOSTILE, HOSTILE)
    hub.tell(
        replace(
            crash("inc-8", "saju-service", timedelta(minutes=1), now),
            cause=said, closed_at=None, outcome=None,
            timeline=(entry, replace(entry, act=Act.HOLD)),
            evidence=Evidence(HOSTILE, 1, False, HOSTILE, probes(now, said), (HOSTILE, HOSTILE)),
            runs_held=(HOSTILE,), root="inc-9",
        ),
        replace(crash("inc-9", HOSTILE, timedelta(hours=1), now), id="inc-9"),
    )  # fmt: skip
    for path in (
        "",
        "/services",
        "/incidents",
        f"/incidents?service={HOSTILE}",
        "/incidents/inc-8",
    ):
        async with stage.page(f"/dashboard{path}") as page:
            hub.publish("incident", {"id": HOSTILE})
            await expect(page.locator("h1")).to_be_visible()
            if path != "/services":
                await expect(page.locator("#live")).to_contain_text(HOSTILE[:60])
            if path.endswith("inc-8"):
                await expect(page.locator("#log")).to_contain_text(HOSTILE)
            assert await page.evaluate("window.pwned") is None
            assert await page.locator("img, #live script").count() == 0


async def test_without_scripts_incidents_are_read_and_filtered(stage: Stage) -> None:
    context = await stage.browser.new_context(java_script_enabled=False, locale="en-US")
    page = await context.new_page()
    await arrive(page, stage.hub.url + "/dashboard/incidents")
    await page.locator("select[name=service]").select_option("crawling-service")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".incidents tbody tr")).to_have_count(1)
    await page.get_by_role("link", name="crawling-service").click()
    await expect(page.locator("h1")).to_have_text("crawling-service ran out of memory")
    await expect(page.locator("#log")).to_contain_text("pool exhausted")
    await expect(page.locator("button[data-verb]").first).to_be_hidden()
    await context.close()
