"""Every page at every width, in both languages and themes: nothing overflows, nothing overlaps.

`HEAL7_SHOTS=folder` keeps a screenshot of each, to be looked at.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from controller import clock
from controller.errors import ConflictError
from controller.model.recovery import Pause
from controller.model.rehearsal import Stage as Station
from controller.model.text import text
from tests.e2e.pages_support import healthy
from tests.e2e.pages_support_browser import Stage, staged
from tests.e2e.pages_support_data import audited
from tests.e2e.pages_support_healing import crash

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOTS = os.environ.get("HEAL7_SHOTS")
SIZES = ((1440, 900), (1024, 900), (390, 844))
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

# Names of elements that stick out of the window, and of controls that a finger cannot hit.
OVERFLOWING = """
() => [...document.querySelectorAll("body *")]
  .filter((e) => e.checkVisibility() && !e.closest(".unseen, .skip, svg, option"))
  .filter((e) => { const r = e.getBoundingClientRect();
    return r.width > 1 && (r.right > innerWidth + 1 || r.left < -1); })
  .filter((e) => !e.matches(".facts") && !e.closest("nav") && !e.parentElement.matches(".facts"))
  .map((e) => e.className || e.tagName)
"""
CUT = """
() => [...document.querySelectorAll("button, .badge, h1, h2, .name, .reason, td, th")]
  .filter((e) => e.checkVisibility() && !e.closest(".unseen") && !e.matches(".compact"))
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline")
  .map((e) => `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 30)}`)
"""


# Charts are drawn anew, to measure, in a frame after their room has changed.
DRAWN = """
async () => {
  const fit = (e) => e.offsetWidth <= e.closest(".chart-plot").clientWidth + 1;
  for (let n = 0; n < 300 && ![...document.querySelectorAll(".u-wrap")].every(fit); n++)
    await new Promise(requestAnimationFrame);
}
"""
# One way to the browser and back for all of it.
LOOK = f"""async () => {{
  await ({DRAWN})();
  return [document.documentElement.scrollWidth, ({OVERFLOWING})(), ({CUT})()];
}}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    hub = module_stage.hub
    hub.reset()
    hub.history()
    hub.trouble()
    hub.night(clock.now())
    hub.abandon("a-service-that-nobody-speaks-of", "old")
    hub.audited = audited(hub.now)
    hub.begin("restart", ["ai-monitoring-service"])
    hub.advance()
    return module_stage


async def fits(page: Page, name: str) -> None:
    """The page as it is, in every size and theme."""
    for width, height in SIZES:
        await page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES if SHOTS else ():
            await page.emulate_media(color_scheme=theme)
            path = f"{SHOTS}/{name}-{width}-{theme}.png"
            await page.screenshot(path=path, full_page=width <= 1000)
        wide, sticking_out, cut = await page.evaluate(LOOK)
        assert wide <= width, width
        assert sticking_out == [], width
        assert cut == [], width
    await page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize(
    "path",
    [
        "/dashboard",
        "/dashboard/services",
        "/dashboard/services/crawling-service",
        "/dashboard/admin",
    ],
)
async def test_nothing_overflows(stage: Stage, path: str, lang: str) -> None:
    name = f"{path.rsplit('/', 1)[-1]}-{lang}"
    async with stage.page(path, lang=lang) as page:
        await fits(page, name)
        if path == "/dashboard":
            await page.locator(".op summary").first.click()
            await page.locator("#op-past-0 > summary").click()
            await fits(page, f"{name}-unfolded")


@pytest.mark.parametrize("lang", ["en", "ko"])
async def test_a_service_in_several_containers_fits(stage: Stage, lang: str) -> None:
    stage.hub.scale("saju-service", 3)
    async with stage.page("/dashboard/services/saju-service", lang=lang) as page:
        await expect(page.locator(".rows.latest li")).to_have_count(3)
        await expect(page.locator("#do-restart-saju-service")).to_be_visible()
        await fits(page, f"replicas-{lang}")


@pytest.mark.parametrize("lang", ["en", "ko"])
async def test_the_dialog_fits_in_every_phase(stage: Stage, lang: str) -> None:
    hub = stage.hub
    hub.reset()
    async with stage.page("/dashboard", lang=lang) as page:
        await page.locator("#do-restart-").click()
        await expect(page.locator(".plan li")).to_have_count(15)
        await fits(page, f"dialog-plan-{lang}")
        await page.keyboard.press("Escape")
        await page.locator("#do-restart-saju-service").click()
        await expect(page.locator(".plan li")).to_have_count(3)
        await fits(page, f"dialog-one-{lang}")
        await page.locator("#confirm-go").click()
        await expect(page.locator("#confirm progress")).to_be_visible()
        hub.advance()
        await expect(page.locator("#confirm .steps .t-ok").first).to_be_visible()
        await fits(page, f"dialog-progress-{lang}")
        line = f"COPY --from=build {'/opt/very/long/path' * 9} /app"
        hub.progress(text("phase.building", step=3, of=12, line=line))
        await expect(page.locator("#confirm .steps .detail")).to_contain_text("/opt/very/long")
        await fits(page, f"dialog-building-{lang}")
        hub.finish({"saju-service": "OCI runtime: bind 0.0.0.0:8012: address already in use"})
        await expect(page.locator("#confirm .results")).to_be_visible()
        await fits(page, f"dialog-failed-{lang}")


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("path", ["", "/inc-1", "/inc-2", "/inc-3", "/inc-5", "/inc-6", "/unknown"])
async def test_incidents_fit(stage: Stage, path: str, lang: str) -> None:
    unknown = path == "/unknown"
    address = f"/dashboard/incidents{path}"
    async with stage.page(address, lang=lang, refused=unknown) as page:
        await fits(page, f"incidents{path.replace('/', '-')}-{lang}")
        for folded in await page.locator(".op:not([open]) > summary").all():
            await folded.click()
        await fits(page, f"incidents{path.replace('/', '-')}-{lang}-unfolded")


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("path", ["", "/services", "/incidents", "/incidents/inc-3"])
async def test_the_pause_fits(stage: Stage, path: str, lang: str) -> None:
    stage.hub.pause_ = Pause(clock.now(), "10.0.0.117 Mozilla/5.0")
    async with stage.page(f"/dashboard{path}", lang=lang) as page:
        await expect(page.locator(".notice.paused")).to_be_visible()
        await fits(page, f"paused{path.replace('/', '-')}-{lang}")


@pytest.mark.parametrize("lang", ["en", "ko"])
async def test_a_rehearsal_fits_in_every_phase(stage: Stage, lang: str) -> None:
    hub, name = stage.hub, lang
    hub.reset()
    hub.refusal = ConflictError(
        "crawling-service failed 6 minutes ago, so the stack is sick already.",
        remedy="Heal it first, or rehearse anyway.",
    )
    async with stage.page("/dashboard/services", lang=lang, refused=True) as page:
        await page.locator("#do-rehearse-ai-monitoring-service").click()
        await fits(page, f"rehearse-choose-{name}")
        await page.locator(".faults input").nth(1).check()
        await page.locator("#confirm-go").click()
        await expect(page.locator("#confirm-problem")).to_be_visible()
        await fits(page, f"rehearse-refused-{name}")
        await page.locator("#confirm-go").click()
        await expect(page.locator("#confirm .stations")).to_be_visible()
        await fits(page, f"rehearse-begun-{name}")
        hub.rehearse_on(
            stage=Station.PASSED, injected_at=clock.now(), ended_at=clock.now(), detected_ms=140,
            healed_ms=3580, incident="inc-5",
            dependants_ms={"saju-service": 4100, "crawling-service": None},
        )  # fmt: skip
        await expect(page.locator("#confirm .progress.t-ok")).to_be_visible()
        await fits(page, f"rehearse-passed-{name}")


async def test_long_names_wrap(stage: Stage) -> None:
    hub = stage.hub
    hub.reset()
    long = "averylongservicename" * 6
    hub.services = {long: healthy(long, 8010, hub.now)}
    hub.tell(replace(crash("inc-long", long, timedelta(minutes=1), hub.now), closed_at=None))
    for path in ("", "/services", f"/services/{long}", "/incidents", "/incidents/inc-long"):
        async with stage.page(f"/dashboard{path}") as page:
            await fits(page, f"long{path.replace('/', '-')}")
