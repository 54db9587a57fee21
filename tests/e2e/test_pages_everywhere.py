"""What must hold on every page: whoever cannot see or use a mouse gets everything, and nothing
foreign ever runs.

One page is led through all addresses; a new page of the dashboard belongs into `PATHS`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from controller import clock
from controller.model.hub_state import AuditLine
from controller.model.log import Level
from controller.model.recovery import Pause
from controller.model.text import Text
from controller.model.view import Health
from tests.e2e import pages_support_runs as runs
from tests.e2e.pages_support import healthy
from tests.e2e.pages_support_browser import Stage, arrive, staged
from tests.e2e.pages_support_data import PORTS, audited
from tests.e2e.pages_support_healing import crash, probes
from tests.e2e.pages_support_logs import HOSTILE

pytestmark = pytest.mark.asyncio(loop_scope="module")
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
RUN = runs.stuck()
PATHS = (
    "/dashboard",
    "/dashboard/services",
    "/dashboard/services/crawling-service",
    "/dashboard/services/unknown",
    "/dashboard/incidents",
    "/dashboard/incidents/inc-1",
    "/dashboard/workflows",
    "/dashboard/workflows/saju_processing",
    f"/dashboard/workflows/runs/{RUN.id}",
    "/dashboard/logs",
    "/dashboard/admin",
    "/dashboard/alerts",
    "/dashboard/metrics",
)
# The rules of WCAG 2.2 A and AA and axe's own; what is found is told with where it is.
FAULTS = """
async ([theme, only]) => (await axe.run(document, { preload: false, resultTypes: ["violations"],
    ...(only && { runOnly: only }) }))
  .violations.filter((v) => ["serious", "critical"].includes(v.impact))
  .flatMap((v) => v.nodes.map((n) => `${location.pathname} ${theme} ${v.id}: ${n.target} ${
      n.any.map((a) => a.message).join("; ").slice(0, 200)}`))
"""
INJECTED = """
() => [...document.querySelectorAll("main script, main iframe, main [onload], main [onerror], "
  + "img, main b > i, main object, main embed, main style, main link")]
  .map((e) => e.outerHTML.slice(0, 80))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        await stage.hub.logs.day(list(PORTS))
        yield stage


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    hub = module_stage.hub
    hub.reset()
    hub.history()
    hub.trouble()
    hub.night(clock.now())
    hub.flows.tell(RUN, runs.running())
    hub.abandon("old", "older")
    hub.audited = audited(hub.now)
    hub.probed["crawling-service"] = probes(hub.now, Text("demo.slow"))
    hub.pause_ = Pause(clock.now(), "10.0.0.117 Mozilla/5.0")
    return module_stage


async def arrives(page: Page, address: str) -> None:
    await arrive(page, address)
    await expect(page.locator("#link")).to_have_attribute("data-state", "live")


async def faults(page: Page) -> list[str]:
    """In both themes, of which the second only differs in its colours."""
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = await page.evaluate(FAULTS, ["light", None])
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return [*found, *await page.evaluate(FAULTS, ["dark", ["color-contrast"]])]


async def test_every_page_can_be_used_by_everybody(stage: Stage) -> None:
    found: list[str] = []
    async with stage.page(refused=True) as page:
        for path in PATHS:
            await arrives(page, stage.hub.url + path)
            await page.evaluate(AXE)
            await page.evaluate(
                "document.querySelectorAll('details').forEach(d => (d.open = true))"
            )
            found += await faults(page)
        await arrives(page, stage.hub.url + "/dashboard/services")
        await page.evaluate(AXE)
        await page.locator("#do-restart-").click()
        await expect(page.locator(".plan li").first).to_be_visible()
        found += await faults(page)
        await page.keyboard.press("Escape")
        await page.keyboard.press("Control+k")
        await expect(page.get_by_role("option").first).to_be_visible()
        found += await faults(page)
        await page.keyboard.press("Escape")
        await page.keyboard.press("?")
        await expect(page.locator("#shortcuts")).to_be_visible()
        found += await faults(page)
    assert found == []


async def test_nothing_foreign_runs_anywhere(stage: Stage) -> None:
    hub = stage.hub
    name = HOSTILE[0] + "\"'&/" + HOSTILE[2]
    words = Text("demo.foreign", {"words": " ".join(HOSTILE)})
    own = replace(
        healthy(name, 8012, hub.now), reason=words, image=name, health=Health.FAILED,
        depends_on=(name,),
    )  # fmt: skip
    hub.services |= {name: own, "plain": replace(own, name="plain", depends_on=(name,))}
    hub.project, hub.warnings, hub.store_problem = name, HOSTILE, name
    hub.abandon(*HOSTILE)
    hub.chains = {name: [(name, name)]}
    told = crash("inc-evil", name, timedelta(minutes=3), hub.now)
    seen = replace(told.evidence, log_tail=HOSTILE, engine_error=HOSTILE[0])
    hub.tell(replace(told, cause=words, evidence=seen, closed_at=None, outcome=None))
    hub.audited = [AuditLine(9, hub.now, name, name, (name,), name, None)]
    hub.probed[name] = probes(hub.now, words)
    run = replace(RUN, id="run_evil", input={HOSTILE[0]: list(HOSTILE)}, by=name)
    hub.flows.tell(run)
    await hub.logs.say(name, *HOSTILE, level=Level.ERROR, run=run.id)
    quoted = "%2F".join(part.replace("%", "%25") for part in name.split("/"))
    async with stage.page(refused=True) as page:
        for path in (
            *PATHS,
            f"/dashboard/services/{quoted.replace('?', '%3F').replace('#', '%23')}",
            "/dashboard/incidents/inc-evil",
            f"/dashboard/workflows/runs/{run.id}",
            "/dashboard/logs?q=pwned",
            "/dashboard/logs?q=%3Cimg+src%3Dx+onerror%3D%22window.pwned%3D1%22%3E",
            "/dashboard/services?find=%3Cimg+src%3Dx+onerror%3Dwindow.pwned%3D1%3E",
        ):
            await arrives(page, stage.hub.url + path)
            assert await page.evaluate("window.pwned") is None, path
            assert await page.evaluate(INJECTED) == [], path
            assert await page.evaluate("window.cspFaults") == [], path
        await arrives(page, stage.hub.url + "/dashboard/services")
        hub.change(name, restarts=3)
        await page.keyboard.press("Control+k")
        await expect(page.locator("#palette-words")).to_be_focused()
        await page.keyboard.type("onerror")
        await expect(page.get_by_role("option").first).to_contain_text("onerror")
        await page.locator("[data-do=restart]").first.click()
        await expect(page.locator("#confirm-title")).to_contain_text("onerror")
        await expect(page.locator(".plan li").first).to_contain_text("onerror")
        assert await page.evaluate("window.pwned") is None
        assert await page.evaluate(INJECTED) == []
