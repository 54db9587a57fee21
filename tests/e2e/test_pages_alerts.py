"""The page of alerts in a real browser: it fits, it is live, and its forms can be used."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from controller.model.alert import Rule, Severity
from controller.model.text import text
from tests.e2e.pages_support_alerts import EVIL
from tests.e2e.pages_support_browser import Stage, staged
from tests.e2e.test_pages_layout import fits

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGE = "/dashboard/alerts"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    module_stage.hub.reset()
    return module_stage


@pytest.mark.parametrize("lang", ["en", "ko"])
async def test_it_fits(stage: Stage, lang: str) -> None:
    stage.hub.alerts.night()
    long_one = "a-service-with-a-name-that-nobody-would-ever-choose-but-somebody-did-" * 2
    stage.hub.alerts.raise_alert(
        Rule.ERROR_RATE, Severity.WARNING, service=long_one, folded=(long_one, EVIL),
        cause=text("alert.error_rate", count=150, minutes=5, last="x" * 300),
    )  # fmt: skip
    async with stage.page(f"{PAGE}?tested=dlv_0", lang=lang) as page:
        await page.locator("#make-silence summary").click()
        await fits(page, f"alerts-{lang}")


async def test_it_is_live_and_its_forms_work(stage: Stage) -> None:
    alerts = stage.hub.alerts
    async with stage.page(PAGE) as page:
        await expect(page.locator("#nav-firing")).to_be_hidden()
        alert = alerts.raise_alert(Rule.GAVE_UP, Severity.CRITICAL, service="saju-service")
        card = page.locator(f"#{alert.id}")
        await expect(card).to_contain_text("saju-service: healing has given up")
        await expect(page.locator("#nav-firing")).to_have_text("1")
        # What somebody is choosing is not changed under their hand.
        await card.locator("[name=duration]").select_option("8h")
        alerts.raise_alert(Rule.ENGINE_UNREACHABLE, Severity.CRITICAL)
        await expect(page.locator("#nav-firing")).to_have_text("2")
        await expect(card.locator("[name=duration]")).to_have_value("8h")
        await page.locator(f"#ack-{alert.id}").click()
        await expect(card).to_contain_text("acknowledged by browser")
        await card.get_by_role("button", name="Silence").click()
        await expect(page.get_by_role("button", name="Tell again of saju-service")).to_be_visible()
        await page.get_by_role("button", name="Send a test over ops").click()
        await expect(page.locator("#tested")).to_contain_text("arrived at ops")
        alerts.resolve(alert.id)
        await expect(page.locator(".past .alert")).to_contain_text("The service is well again.")


async def test_a_message_leads_to_its_alert_and_nothing_foreign_runs(stage: Stage) -> None:
    alerts = stage.hub.alerts
    alerts.night()
    cause = text("alert.log_pattern", count=1, minutes=5, name=EVIL, last=EVIL)
    alerts.raise_alert(Rule.LOG_PATTERN, Severity.INFO, service=EVIL, cause=cause, folded=(EVIL,))
    oldest = alerts.over[-1]
    async with stage.page(f"{PAGE}#{oldest.id}") as page:
        await expect(page.locator(f"#{oldest.id}")).to_be_in_viewport()
        await expect(page.locator(".alert-title", has_text="onerror")).to_be_visible()
        assert await page.evaluate("window.pwned") is None
