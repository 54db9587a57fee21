"""Sends one message over one channel, through Apprise, in a thread of its own.

A channel that hangs must keep neither the hub nor another channel waiting. What Apprise says of a
failure is kept for people, without the address, which holds secrets.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol
from urllib.parse import unquote

from controller.config.channels import quiet_apprise
from controller.model.alert import Severity
from controller.model.masking import MASK

log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0
_LONGEST = 300
_SECRET_LENGTH = 4


class Sender(Protocol):
    """What the desk needs of whatever sends."""

    async def send(self, channel: str, severity: Severity, title: str, body: str) -> str | None:
        """None where it arrived, else why it did not."""


class AppriseSender:
    """`addresses` by the channel's name."""

    def __init__(self, addresses: Mapping[str, str], timeout_s: float = _TIMEOUT_S):
        self._addresses = addresses
        self._timeout_s = timeout_s
        self._stuck: dict[str, asyncio.Future[str | None]] = {}

    async def send(self, channel: str, severity: Severity, title: str, body: str) -> str | None:
        if channel not in self._addresses:
            return "the channel is not configured any more"
        before = self._stuck.get(channel)
        if before is not None and not before.done():
            return f"the message before it has been under way for over {self._timeout_s:.0f} s"
        address = self._addresses[channel]
        work = _aside(f"alerts to {channel}", lambda: _notify(address, severity, title, body))
        done, _ = await asyncio.wait({work}, timeout=self._timeout_s)
        if not done:
            self._stuck[channel] = work
            return f"no answer within {self._timeout_s:.0f} s"
        return work.result()


def _aside(name: str, work: Callable[[], str | None]) -> asyncio.Future[str | None]:
    """What `work` says, from a thread that keeps no hub from ending, as those of a pool would."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str | None] = loop.create_future()

    def tell(said: str | None) -> None:
        if not future.done():
            future.set_result(said)

    def run() -> None:
        said = work()
        # The hub may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, said)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _notify(address: str, severity: Severity, title: str, body: str) -> str | None:
    """Blocks. None where it arrived."""
    # Loading it takes a third of a second, and a hub without channels never needs it.
    from apprise import Apprise, NotifyFormat, NotifyType

    kinds = {
        Severity.CRITICAL: NotifyType.FAILURE,
        Severity.WARNING: NotifyType.WARNING,
        Severity.INFO: NotifyType.INFO,
    }
    with _said() as said:
        try:
            channel = Apprise()
            if not channel.add(address):
                return "Apprise cannot read the address"
            good = channel.notify(
                body=body, title=title, notify_type=kinds[severity], body_format=NotifyFormat.TEXT
            )
        except Exception as error:  # noqa: BLE001 - over a hundred plugins, each with its own faults
            log.warning("a channel broke: %s", type(error).__name__)
            return _shown(f"{type(error).__name__}: {error}", address)
    if good:
        return None
    return _shown(" ".join(said) or "it was refused, and nothing says why", address)


class _Ear(logging.Handler):
    """Hears what this thread's plugin complains of."""

    def __init__(self, into: list[str]):
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._into.append(record.getMessage())


@contextmanager
def _said() -> Iterator[list[str]]:
    quiet_apprise()
    said: list[str] = []
    ear = _Ear(said)
    own = logging.getLogger("apprise")
    own.addHandler(ear)
    try:
        yield said
    finally:
        own.removeHandler(ear)


def _shown(text: str, address: str) -> str:
    """The text without the address and any part of it that may be a secret."""
    _, _, rest = address.partition("://")
    parts = {address, rest, *re.split(r"[/:@?&=#,]+", rest)}
    parts |= {unquote(part) for part in parts}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SECRET_LENGTH and part not in ("localhost", "127.0.0.1"):
            text = text.replace(part, MASK)
    return text[:_LONGEST]


def kind_of(address: str) -> str:
    """All of an address that is ever shown: what kind it is."""
    return f"{address.partition('://')[0]}://{MASK}"
