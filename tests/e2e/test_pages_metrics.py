"""The page of metrics in a real browser: it fits, one can look into it by mouse and by keyboard, it
compares with yesterday, and it is complete without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.pages_support_browser import Stage, staged
from tests.e2e.pages_support_data import PORTS
from tests.e2e.test_pages_layout import fits

pytestmark = pytest.mark.asyncio(loop_scope="module")
SERVICES = list(PORTS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with staged() as opened:
        await opened.hub.metrics.fill(31, every_s=300)
        await opened.hub.metrics.fill(1)
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
