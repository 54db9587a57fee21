"""What goes wrong with a channel is told, without its secrets, and keeps nobody waiting."""

from __future__ import annotations

import asyncio
import io
import logging

import pytest

from controller.alerts.sender import AppriseSender, kind_of
from controller.model.alert import Severity
from tests.unit.alerts.receiver import receiving


async def send(sender: AppriseSender, channel: str = "ops") -> str | None:
    return await sender.send(channel, Severity.CRITICAL, "title", "body")


async def test_what_arrives_is_what_was_said() -> None:
    with receiving() as receiver:
        assert await send(AppriseSender({"ops": receiver.address})) is None
        (got,) = receiver.got
        assert (got["title"], got["message"], got["type"]) == ("title", "body", "failure")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("json://ops:hunter2secret@127.0.0.1:1/tok3ntok3n?retry=0", "error"),
        ("nosuch://hunter2secret", "cannot read"),
        ("slack://hunter2secret", "cannot read"),
    ],
)
async def test_a_failure_says_why_and_no_secret(address: str, said: str) -> None:
    logged = io.StringIO()
    # As the hub logs; pytest's own way to listen hears also what nobody else does.
    hub_log = logging.StreamHandler(logged)
    logging.getLogger().addHandler(hub_log)
    why = await send(AppriseSender({"ops": address})) or ""
    logging.getLogger().removeHandler(hub_log)
    assert said in why
    for secret in ("hunter2secret", "tok3ntok3n"):
        assert secret not in why + logged.getvalue()


async def test_a_message_that_hangs_is_given_up_and_is_the_only_one_of_its_channel() -> None:
    asked = 0

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = AppriseSender({"ops": f"json://127.0.0.1:{port}/?rto=3&retry=0"}, timeout_s=0.5)
    async with server:
        assert await send(sender) == "no answer within 0 s"
        assert "under way" in (await send(sender) or "")
        assert asked == 1
    assert await send(sender, "nosuch") == "the channel is not configured any more"


async def test_messages_leave_nothing_behind() -> None:
    own = logging.getLogger("apprise")
    with receiving() as receiver:
        sender = AppriseSender({"ops": receiver.address})
        await send(sender)
        before = len(own.handlers)
        for _ in range(5):
            await send(sender)
    assert len(own.handlers) <= before
    assert not own.propagate


def test_all_that_is_shown_of_an_address_is_its_kind() -> None:
    assert kind_of("slack://TokenA/TokenB/TokenC/#ops") == "slack://•••"
