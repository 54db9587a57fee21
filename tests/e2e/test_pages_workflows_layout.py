"""The pages of workflows and runs at every width, in both languages and themes: nothing overflows.

`HEAL7_SHOTS=folder` keeps a screenshot of each, to be looked at.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from playwright.async_api import expect

from controller import clock
from tests.e2e import pages_support_runs as runs
from tests.e2e.pages_support_browser import Stage, staged
from tests.e2e.test_pages_layout import fits

pytestmark = pytest.mark.asyncio(loop_scope="module")
RUNS = {
    "succeeded": runs.succeeded, "waiting": runs.waiting, "running": runs.running,
    "compensated": runs.compensated, "stuck": runs.stuck, "undoing": runs.undoing,
    "cancelled": runs.cancelled, "wide": runs.wide,
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    module_stage.hub.reset()
    module_stage.hub.night(clock.now())
    module_stage.hub.flows.day()
    return module_stage


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize(
    "path",
    ["", "/workflows", "/workflows/saju_processing", "/workflows/document_automation",
     "/workflows/data_collection"],
)  # fmt: skip
async def test_workflows_fit(stage: Stage, path: str, lang: str) -> None:
    async with stage.page(f"/dashboard{path}", lang=lang) as page:
        await fits(page, f"flows{path.replace('/', '-')}-{lang}")


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("name", list(RUNS))
async def test_a_run_fits(stage: Stage, name: str, lang: str) -> None:
    run = RUNS[name]()
    stage.hub.flows.tell(run)
    async with stage.page(f"/dashboard/workflows/runs/{run.id}", lang=lang) as page:
        await fits(page, f"run-{name}-{lang}")
        for folded in await page.locator(".json > summary").all():
            await folded.click()
        await fits(page, f"run-{name}-{lang}-unfolded")


@pytest.mark.parametrize("lang", ["en", "ko"])
async def test_what_is_wrong_in_the_form_fits(stage: Stage, lang: str) -> None:
    async with stage.page("/dashboard/workflows/saju_processing", lang=lang, refused=True) as page:
        await page.locator("#f-0").fill("never")
        await page.locator("#f-1").select_option(index=1)
        await page.locator("#f-6").fill("{")
        await page.locator("#run-form .primary").click()
        await expect(page.locator("#run-form .fault")).to_have_count(1)
        await fits(page, f"flows-form-{lang}")
        await page.locator("#f-6").fill("[]")
        await page.locator("#run-form .primary").click()
        await expect(page.locator("#fault-f-0")).to_be_visible()
        await fits(page, f"flows-form-refused-{lang}")


async def test_long_names_wrap(stage: Stage) -> None:
    long = "averylongname" * 5
    step = runs.step(long, "averylongservicename" * 4, "calculate" * 9)
    second = runs.step(f"{long}2", "saju-service", "calculate", long)
    definition = replace(runs.SAJU, name=f"workflow-{long}", steps=(step, second), output=None)
    stage.hub.flows.define(definition)
    run = runs.run(
        "10000001", definition, runs.R.RUNNING, 5, key="k" * 255, input={"x": "y" * 3000}
    )
    stage.hub.flows.tell(run)
    for path in ("", f"/{definition.name}", f"/runs/{run.id}"):
        async with stage.page(f"/dashboard/workflows{path}") as page:
            await fits(page, f"long-flows{path[:5].replace('/', '-')}")
