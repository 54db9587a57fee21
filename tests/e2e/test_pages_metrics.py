"""The page of metrics in a real browser: it fits, one can look into it by mouse and by keyboard, it
compares with yesterday, and it is complete without scripts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import expect

from controller import clock
from tests.e2e.pages_support_browser import Stage, arrive, staged
from tests.e2e.pages_support_data import PORTS
from tests.e2e.pages_support_healing import crash
from tests.e2e.test_pages_layout import fits

pytestmark = pytest.mark.asyncio(loop_scope="module")
SERVICES = list(PORTS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with staged() as opened:
        now = clock.epoch()
        await opened.hub.metrics.fill(7, every_s=120, now=now - 86_400)
        await opened.hub.metrics.fill(7, every_s=120, now=now)
        yield opened


async def test_it_fits_and_tells_everything(stage: Stage) -> None:
    async with stage.page("/dashboard/metrics?compare=yesterday", lang="ko") as page:
        await expect(page.locator(".charts").first.locator("canvas")).to_have_count(6)
        await fits(page, "metrics-ko")
    async with stage.page("/dashboard/metrics") as page:
        table = page.locator(".measured").first
        await expect(table.locator("tbody tr")).to_have_count(len(SERVICES))
        first = await table.locator("tbody tr").first.inner_text()
        for told in (SERVICES[0], "ms", "100 %", "open", "in ", "MB"):
            assert told in first
        await expect(page.locator(".charts canvas").first).to_be_visible()
        await fits(page, "metrics-en")


async def test_one_looks_into_it_by_mouse(stage: Stage) -> None:
    now = clock.now()
    told = crash("inc-1", SERVICES[0], timedelta(hours=5), now)
    stage.hub.told["inc-1"] = replace(told, closed_at=now - timedelta(hours=1))
    async with stage.page("/dashboard/metrics?compare=yesterday") as page:
        section = page.locator(".charts").first
        plots = section.locator(".chart-plot")
        await expect(section.locator("canvas")).to_have_count(6)
        await section.scroll_into_view_if_needed()
        box = await plots.first.bounding_box()
        assert box is not None
        middle = box["y"] + 60
        await page.mouse.move(box["x"] + 250, middle)
        read = section.locator(".chart-read").first
        await expect(read).to_have_text(
            re.compile(r"^\d\d:\d\d CPU [\d.]+ % \(yesterday [\d.]+ %\) · Incident: Its main pro")
        )
        memory = section.locator(".chart-read").nth(1)
        await expect(memory).to_contain_text("Memory")
        time = (await read.inner_text())[:5]
        assert (await memory.inner_text()).startswith(time), "all point at the same moment"
        before = len(stage.hub.calls)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 330, middle, steps=3)
        await page.mouse.up()
        whole = page.locator("#chart-whole")
        await expect(whole).to_be_visible()
        await expect(page.locator("#chart-zoomed")).to_have_text(re.compile(r"\d\d:\d\d.* to "))
        asked = [call for call in stage.hub.calls[before:] if "/metrics/history" in call]
        assert asked
        assert all("until=" in call for call in asked)
        await whole.click()
        await expect(whole).to_be_hidden()


async def test_one_looks_into_it_by_keyboard_and_reads_it_as_a_table(stage: Stage) -> None:
    async with stage.page("/dashboard/metrics?service=test-service", lang="ko") as page:
        assert await page.locator(".charts").count() == 1
        plot = page.locator(".chart-plot").first
        await expect(plot).to_have_role("application")
        await expect(plot).to_have_accessible_name(re.compile("test-service의 CPU: 화살표 키"))
        await plot.focus()
        read = page.locator(".chart-read").first
        texts = [""]
        for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
            await page.keyboard.press(key)
            await expect(read).not_to_have_text(texts[-1])
            texts.append(await read.inner_text())
            assert re.match(r"\d\d:\d\d CPU ", texts[-1])
        assert await read.get_attribute("aria-live") == "polite"
        await page.keyboard.press("+")
        await expect(page.locator("#chart-whole")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#chart-whole")).to_be_hidden()
        await page.locator(".chart-table summary").first.click()
        rows = page.locator(".chart-rows").first.locator("tbody tr")
        # The newest point is only begun, and may hold nothing yet.
        await expect(rows.nth(1)).to_contain_text("%")
        assert await rows.count() > 30
        # It was away for half an hour, and no line is drawn across.
        assert "확인 안 됨" in await page.locator(".chart-rows").first.inner_text()


async def test_new_figures_come_without_a_reload(stage: Stage) -> None:
    names = [SERVICES[0]]
    async with stage.page(f"/dashboard/metrics?range=1h&service={names[0]}") as page:
        await expect(page.locator(".chart-plot canvas").first).to_be_visible()
        # As often as the length of a point allows, instead of every ten seconds.
        await page.locator(".charts").evaluate("section => (section.dataset.refresh = 1)")
        await page.locator(".chart-plot").first.focus()
        await page.keyboard.press("+")
        await page.keyboard.press("Escape")
        await stage.hub.metrics.put(int(clock.epoch()) // 10 * 10, names, cpu=77.7)
        # The chart's newest point may hold the sample before as well: then it is the mean of both.
        newest = re.compile(r"^(77\.7|39\.\d|40) %$")
        await expect(page.locator(".chart-now").first).to_have_text(newest)
        stage.hub.change(names[0], restarts=1)
        await expect(page.locator(f"#measured-{names[0]} td").first).to_contain_text("77.7 %")


async def test_it_is_complete_without_scripts(stage: Stage) -> None:
    context = await stage.browser.new_context(java_script_enabled=False, locale="en-US")
    page = await context.new_page()
    await arrive(page, f"{stage.hub.url}/dashboard/metrics?compare=yesterday")
    first = page.locator(".charts").first
    await expect(first.locator("svg.chart-still")).to_have_count(6)
    drawing = first.get_by_role("img").first
    await expect(drawing).to_have_accessible_name(
        re.compile(r"CPU of .*: CPU mean [\d.]+ %, peak [\d.]+ %, yesterday [\d.]+ %")
    )
    assert len(await first.locator("path.c1").first.get_attribute("d") or "") > 200
    await expect(first.locator("path.before").first).to_be_attached()
    await page.get_by_role("link", name="24 h").click()
    await expect(page.locator(".segments [aria-current]")).to_have_text("24 h")
    await expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "true")
    await page.locator("#metrics-service").select_option(SERVICES[1])
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".charts-head .name")).to_have_text(SERVICES[1])
    await context.close()
