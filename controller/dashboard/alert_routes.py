"""The page of alerts. Everything a person does here is a form, so that it works without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from controller import clock
from controller.alerts.outbox import Pulse
from controller.config.managed import parse_days
from controller.dashboard import alerts, preferences
from controller.dashboard.present import Headline
from controller.dashboard.run_routes import Frame
from controller.errors import HubError, QuestionError, StoreError, UnknownServiceError
from controller.i18n import word
from controller.model.alert import Alert, AlertState, Delivery, Rule, Silence
from controller.store.alerts import Page

_WHERE = "/dashboard/alerts"
_LISTED = 30
_MESSAGES = 300
_COMMENT = 500
_FIELDS = 8


class AlertsPort(Protocol):
    """What the pages need of alerts. What is awaited may raise StoreError."""

    @property
    def kinds(self) -> Mapping[str, str]:
        """What each channel is."""

    @property
    def firing(self) -> int:
        """How many nobody has acknowledged."""

    def open(self) -> Sequence[Alert]:
        """The worst first."""

    def silences(self) -> Sequence[Silence]: ...

    def silence_of(self, alert: Alert) -> Silence | None: ...

    def channels(self) -> Mapping[str, Pulse]: ...

    def waiting(self) -> Sequence[Delivery]: ...

    async def alerts(
        self, state: AlertState | None, service: str | None, limit: int, cursor: str | None
    ) -> Page: ...

    async def deliveries(
        self, alert: str | None = None, channel: str | None = None, limit: int = 50
    ) -> Sequence[Delivery]: ...

    async def acknowledge(self, alert_id: str, by: str) -> Alert:
        """Raises NotFoundError, ConflictError."""

    async def alert(self, alert_id: str) -> Alert:
        """Raises NotFoundError."""

    async def silence(
        self, service: str | None, rule: Rule | None, lasting_s: float, by: str, comment: str
    ) -> Silence:
        """Raises ConflictError."""

    async def unsilence(self, silence_id: str, by: str) -> None:
        """Raises NotFoundError."""

    async def test(self, channel: str) -> Delivery:
        """Raises NotFoundError."""


class AlertPages:
    """The endpoints."""

    def __init__(self, port: AlertsPort, frame: Frame):
        self._port = port
        self._frame = frame

    def register(self, routes: APIRouter, fragments: str) -> None:
        routes.get(_WHERE)(self.page)
        routes.get(f"{fragments}alerts")(self.part)
        routes.post(f"{_WHERE}/silences")(self.silence)
        routes.post(f"{_WHERE}/silences/{{silence_id}}/remove")(self.unsilence)
        routes.post(f"{_WHERE}/channels/{{name}}/test")(self.test)
        routes.post(f"{_WHERE}/{{alert_id}}/ack")(self.acknowledge)

    async def page(self, request: Request) -> HTMLResponse:
        return await self._page(request, None)

    async def part(self, request: Request) -> HTMLResponse:
        return self._frame.part(request, "alerts", await self._facts(request, None))

    async def acknowledge(self, request: Request, alert_id: str) -> Response:
        try:
            await self._port.acknowledge(alert_id, _asker(request))
        except HubError as error:
            return await self._page(request, error)
        return _back()

    async def silence(self, request: Request) -> Response:
        """Of what an alert is about, or of what was chosen."""
        body = (await request.body()).decode("utf-8", "replace")
        try:
            said = _said(body, _language(request))
            service, rule, lasting_s = self._asked(request, said)
            comment = said.get("comment", "")[:_COMMENT]
            await self._port.silence(service, rule, lasting_s, _asker(request), comment)
        except HubError as error:
            return await self._page(request, error)
        return _back()

    def _asked(
        self, request: Request, said: Mapping[str, str]
    ) -> tuple[str | None, Rule | None, float]:
        """Raises UnknownServiceError, QuestionError."""
        language = _language(request)
        service = said.get("service") or None
        if service is not None and service not in self._names(language):
            raise UnknownServiceError(word("ui.alerts.no_service", language, name=service[:100]))
        try:
            rule = Rule(said["rule"]) if said.get("rule") else None
            lasting_s = parse_days(said.get("duration", ""))
        except ValueError as error:
            raise QuestionError(word("ui.alerts.no_sense", language)) from error
        return service, rule, max(1.0, lasting_s)

    async def unsilence(self, request: Request, silence_id: str) -> Response:
        try:
            await self._port.unsilence(silence_id, _asker(request))
        except HubError as error:
            return await self._page(request, error)
        return _back()

    async def test(self, request: Request, name: str) -> Response:
        try:
            sent = await self._port.test(name)
        except HubError as error:
            return await self._page(request, error)
        return _back(tested=sent.id)

    async def _page(self, request: Request, refusal: HubError | None) -> HTMLResponse:
        facts = await self._facts(request, refusal)
        page = self._frame.page(request, "alerts", facts, "alerts" + facts["query"])
        if refusal is not None:
            page.status_code = refusal.status
        return page

    async def _facts(self, request: Request, refusal: HubError | None) -> dict[str, Any]:
        language, now = _language(request), clock.now()
        port, is_open = self._port, self._port.open()
        past, unread = await self._past(request.query_params.get("before") or None)
        query = _query(request)
        sent = await self._sent()
        return await self._frame.pressing() | {
            "refusal": refusal,
            "summary": alerts.headline(is_open, language),
            "lines": [alerts.line(a, port.silence_of(a), language, now) for a in is_open],
            "past": [alerts.line(a, None, language, now) for a in past.alerts],
            "older": f"{_WHERE}?{urlencode({'before': past.next})}" if past.next else "",
            "unread": unread,
            "silences": [alerts.quiet(one, language, now) for one in port.silences()],
            "channels": alerts.channels(port.channels(), port.kinds, port.waiting(), language, now),
            "told": alerts.told(sent, language),
            "tested": _tested(sent, request.query_params.get("tested", ""), language),
            "durations": alerts.DURATIONS,
            "rules": [(rule, alerts.rule_name(rule, language)) for rule in Rule],
            "names": self._names(language),
            "query": query,
            "wakes": "",
        }

    def _names(self, language: str) -> list[str]:
        """What alerts are about: each of several containers by itself."""
        return [name for name, one in self._frame.marks(language).items() if one.containers == 1]

    async def _past(self, before: str | None) -> tuple[Page, bool]:
        try:
            return await self._port.alerts(AlertState.RESOLVED, None, _LISTED, before), False
        except StoreError:
            return Page(()), True

    async def _sent(self) -> Sequence[Delivery]:
        """The last messages; nothing where they cannot be read."""
        try:
            return await self._port.deliveries(limit=_MESSAGES)
        except StoreError:
            return ()


def _said(body: str, language: str) -> dict[str, str]:
    """The first value of each field. Raises QuestionError."""
    try:
        given = parse_qs(body, max_num_fields=_FIELDS)
    except ValueError as error:
        raise QuestionError(word("ui.alerts.no_sense", language)) from error
    return {name: values[0].strip() for name, values in given.items()}


def _tested(sent: Sequence[Delivery], delivery_id: str, language: str) -> Headline | None:
    found = next((one for one in sent if one.id == delivery_id), None)
    return alerts.tested(found, language) if found is not None else None


def _back(**query: str) -> RedirectResponse:
    return RedirectResponse(f"{_WHERE}?{urlencode(query)}" if query else _WHERE, status_code=303)


def _query(request: Request) -> str:
    """The address again, without what nobody asked for."""
    kept = {name: request.query_params.get(name, "") for name in ("before", "tested")}
    query = urlencode({name: value[:100] for name, value in kept.items() if value})
    return f"?{query}" if query else ""


def _asker(request: Request) -> str:
    """Where it came from, and with what; as the API notes it."""
    agent = request.headers.get("user-agent", "unknown").split(" ")[0][:60]
    return f"{request.client.host if request.client else 'local'} {agent}"


def _language(request: Request) -> str:
    return preferences.of_request(request.cookies, request.headers.get("accept-language")).language
