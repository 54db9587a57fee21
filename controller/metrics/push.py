"""Sends what the hub measures to a service that cannot ask for it.

The hub listens on loopback, which a container does not reach. Opening the hub for it would weaken
every hub; sending needs no more than what the hub does anyway to probe its services.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import aiohttp

from controller.health.probe import Target

log = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
_PATH = "/metrics/job/hub"  # as Pushgateway's clients have it


class Pusher:
    """`text` makes what is sent, `target` says where its receiver listens now, if anywhere."""

    def __init__(
        self,
        receiver: str,
        text: Callable[[], bytes],
        content_type: str,
        target: Callable[[str], Target | None],
        interval_s: float,
    ):
        self._receiver = receiver
        self._text = text
        self._content_type = content_type
        self._target = target
        self._interval_s = interval_s
        self._fault: str | None = None

    async def run(self) -> None:
        """Send until cancelled."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                self._note(await self.push(session))
                await asyncio.sleep(self._interval_s)

    async def push(self, session: aiohttp.ClientSession) -> str | None:
        """Once; why it did not arrive, or None. A receiver that is down is no fault of pushing."""
        target = self._target(self._receiver)
        if target is None:
            return None
        host = f"[{target.host}]" if ":" in target.host else target.host
        try:
            async with session.put(
                f"http://{host}:{target.port}{_PATH}",
                data=self._text(),
                headers={"Content-Type": self._content_type},
                allow_redirects=False,
            ) as answer:
                return None if answer.status < 300 else f"it answered {answer.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return str(error) or type(error).__name__

    def _note(self, fault: str | None) -> None:
        """Said when it changes, not at every interval."""
        if fault is not None and self._fault is None:
            log.warning("metrics do not arrive at %s: %s", self._receiver, fault)
        elif fault is None and self._fault is not None:
            log.info("metrics arrive at %s again", self._receiver)
        self._fault = fault
