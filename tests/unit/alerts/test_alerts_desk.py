"""From a fault to a message at a real receiver: stored first, sent once, and nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from controller import clock
from controller.alerts.outbox import Pulse
from controller.alerts.rules import Route
from controller.errors import ConflictError, NotFoundError, StoreError
from controller.model.alert import AlertState, DeliveryState, News, Rule, Severity
from controller.model.view import Health
from controller.store.alerts import Changes
from tests.unit.alerts.receiver import RULES, Office, Receiver, opened, receiving
from tests.unit.alerts.watch import GIVEN_UP, run_end

BOTH = replace(RULES, channels=("ops", "mail"))


async def test_a_fault_and_its_end_arrive_once_each(office: Office, receiver: Receiver) -> None:
    office.senses.watch.down("root")
    for _ in range(3):
        await office.settle()
    assert receiver.titles == ["[CRITICAL] root is down"]
    assert receiver.got[0]["type"] == "failure"
    alert = office.desk.open()[0]
    assert alert.id in receiver.got[0]["message"]
    office.senses.watch.up("root")
    for _ in range(3):
        await office.settle()
    assert receiver.titles[1:] == ["[RESOLVED] root is down"]
    stored = await office.desk.alert(alert.id)
    assert stored.state is AlertState.RESOLVED
    assert [one.state for one in await office.desk.deliveries(alert.id)] == [DeliveryState.SENT] * 2
    assert [one.state for one in office.published] == [AlertState.FIRING, AlertState.RESOLVED]


async def test_a_hub_that_was_killed_tells_nothing_twice_and_forgets_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.status = 503
    async with opened(tmp_path, RULES, {"ops": receiver.address}) as office:
        office.senses.watch.down("root")
        await office.settle()
        (alert,) = office.desk.open()
        silence = await office.desk.silence("other", None, 3_600, "kim", "deploy")
    receiver.status = 200
    async with opened(tmp_path, RULES, {"ops": receiver.address}) as again:
        assert again.desk.open() == [alert]
        assert again.desk.silences() == [silence]
        assert again.desk.channels()["ops"].error
        (waiting,) = again.desk.waiting()
        await again.store.save(Changes((), [replace(waiting, next_at=clock.now())]))
    async with opened(tmp_path, RULES, {"ops": receiver.address}) as third:
        third.senses.watch.down("root")
        await third.settle()
        await third.settle()
        assert receiver.titles == ["[CRITICAL] root is down"]
        assert third.desk.waiting() == ()
    async with opened(tmp_path, RULES, {"ops": receiver.address}) as fourth:
        fourth.senses.watch.down("root")
        await fourth.settle()
        assert len(receiver.got) == 1


async def test_how_a_channel_was_outlives_the_hub(tmp_path: Path, receiver: Receiver) -> None:
    async with opened(tmp_path, BOTH, {"ops": receiver.address, "mail": "json://x"}) as office:
        assert office.desk.channels() == {"ops": Pulse(), "mail": Pulse()}
        await office.desk.test("ops")
        receiver.status = 500
        office.senses.watch.down("root")
        await office.settle()
        (before,) = [pulse for name, pulse in office.desk.channels().items() if name == "ops"]
    rules = replace(BOTH, channels=("ops", "new"))
    async with opened(tmp_path, rules, {"ops": receiver.address, "new": "json://x"}) as again:
        after = again.desk.channels()
        assert (after["ops"].sent_at, after["ops"].error) == (before.sent_at, before.error)
        assert after["ops"].bad_since is not None
        assert after["new"] == Pulse()


async def test_a_dead_channel_is_told_over_the_others(tmp_path: Path, receiver: Receiver) -> None:
    with receiving() as mail:
        mail.status = 500
        async with opened(
            tmp_path, BOTH, {"ops": receiver.address, "mail": mail.address}
        ) as office:
            office.senses.watch.change("root", reason=GIVEN_UP, health=Health.FAILED)
            await office.settle()
            await office.settle()
            assert receiver.titles[1:] == ["[WARNING] The channel mail is dead"]
            assert "hunter2secret" not in receiver.got[1]["message"]
            assert "500" in receiver.got[1]["message"]
            assert [one.channel for one in office.desk.waiting()] == ["mail"]
            mail.status = 200
            assert (await office.desk.test("mail")).state is DeliveryState.SENT
            await office.settle()
            assert receiver.titles[2:] == ["[RESOLVED] The channel mail is dead"]


async def test_a_test_says_how_it_went_and_is_not_tried_again(
    office: Office, receiver: Receiver
) -> None:
    assert (await office.desk.test("ops")).state is DeliveryState.SENT
    assert receiver.titles == ["[TEST] HEAL7 Hub"]
    receiver.status = 401
    failed = await office.desk.test("ops")
    assert (failed.state, failed.news) == (DeliveryState.FAILED, News.TEST)
    assert failed.error
    assert "hunter2secret" not in failed.error
    assert office.desk.waiting() == ()
    with pytest.raises(NotFoundError, match="no channel 'chat'"):
        await office.desk.test("chat")


async def test_who_acknowledges_is_kept_and_nobody_is_told_again(
    office: Office, receiver: Receiver
) -> None:
    office.senses.watch.down("root")
    await office.settle()
    (alert,) = office.desk.open()
    known = await office.desk.acknowledge(alert.id, "kim")
    assert (known.state, known.acked_by) == (AlertState.ACKNOWLEDGED, "kim")
    assert await office.desk.acknowledge(alert.id, "lee") == known
    assert office.desk.firing == 0
    await office.settle()
    assert len(receiver.got) == 1
    page = await office.desk.alerts(AlertState.ACKNOWLEDGED, None, 10, None)
    assert page.alerts == (known,)
    with pytest.raises(NotFoundError):
        await office.desk.acknowledge("alt_none", "kim")


async def test_a_failed_run_is_over_when_it_is_acknowledged(office: Office) -> None:
    office.desk.run_ended(run_end("run_1"))
    await office.settle()
    (alert,) = office.desk.open()
    assert office.desk.holds("run_1")
    await office.desk.acknowledge(alert.id, "kim")
    await office.settle()
    assert office.desk.open() == []
    with pytest.raises(ConflictError, match="is over"):
        await office.desk.acknowledge(alert.id, "kim")


async def test_up_to_when_runs_were_seen_outlives_the_hub(tmp_path: Path) -> None:
    begun = clock.epoch()
    async with opened(tmp_path, RULES, {}) as office:
        assert office.seen >= begun
        end = replace(run_end("run_1"), at=begun + 1_000)
        office.desk.run_ended(end)
        await office.desk.turn_once()
    async with opened(tmp_path, RULES, {}) as again:
        assert again.seen == end.at


async def test_a_silence_holds_and_its_end_tells_what_lasts(
    office: Office, receiver: Receiver
) -> None:
    silence = await office.desk.silence("root", None, 600, "kim", "deploy")
    office.senses.watch.down("root")
    await office.settle()
    assert receiver.got == []
    (alert,) = office.desk.open()
    assert office.desk.silence_of(alert) == silence
    await office.desk.unsilence(silence.id, "kim")
    await office.settle()
    assert receiver.titles == ["[CRITICAL] root is down"]
    with pytest.raises(NotFoundError):
        await office.desk.unsilence(silence.id, "kim")


async def test_a_silence_that_is_made_during_a_turn_survives_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = asyncio.Event(), asyncio.Event()
    save = office.store.save

    async def slow(changes: Changes) -> None:
        writing.set()
        await go_on.wait()
        await save(changes)

    monkeypatch.setattr(office.store, "save", slow)
    office.senses.watch.down("root")
    turn = asyncio.create_task(office.desk.turn_once())
    await writing.wait()
    making = asyncio.create_task(office.desk.silence(None, Rule.SLOW, 60, "kim", ""))
    await asyncio.sleep(0)
    go_on.set()
    await turn
    made = await making
    await office.settle()
    assert office.desk.silences() == [made]


async def test_a_store_that_cannot_write_keeps_nobody_from_being_told(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0
    save = office.store.save

    async def broken(_: Changes) -> None:
        nonlocal attempts
        attempts += 1
        raise StoreError("disk I/O error", remedy="Free some space.")

    monkeypatch.setattr(office.store, "save", broken)
    office.senses.watch.down("root")
    await office.settle()
    await office.settle()
    assert receiver.titles == [
        "[CRITICAL] root is down",
        "[CRITICAL] The hub cannot write its own state",
    ]
    with pytest.raises(StoreError):
        await office.desk.acknowledge(office.desk.open()[0].id, "kim")
    attempts = 0
    loop = asyncio.create_task(office.desk.run())
    await asyncio.sleep(0.3)
    loop.cancel()
    assert attempts < 5
    monkeypatch.setattr(office.store, "save", save)
    await office.settle()
    assert office.desk.problem is None
    page = await office.desk.alerts(None, None, 10, None)
    assert {alert.rule for alert in page.alerts} == {Rule.SERVICE_DOWN, Rule.STORE_FAILING}
    assert len(await office.desk.deliveries()) >= 2


async def test_a_fault_of_its_own_is_told_and_stops_nothing_else(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("nosuch")

    monkeypatch.setattr(office.senses, "facts", broken)
    await office.desk._turn_or_say()
    await office.desk._turn_or_say()
    assert office.desk.fault == "KeyError: 'nosuch'"
    assert [record.message for record in caplog.records] == ["alerts stand still"]
    monkeypatch.undo()
    await office.desk._turn_or_say()
    assert office.desk.fault is None


async def test_a_channel_that_hangs_keeps_no_other_waiting(
    tmp_path: Path, receiver: Receiver
) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hung = f"json://127.0.0.1:{port}/?rto=1&cto=1&retry=0"
    async with server, opened(tmp_path, BOTH, {"ops": receiver.address, "mail": hung}) as office:
        office.senses.watch.down("root")
        await office.desk.turn_once()
        assert await asyncio.to_thread(receiver.arrived.wait, 5)
        assert [one.channel for one in office.desk.waiting() if one.channel == "mail"]


async def test_history_ends_somewhere_and_goes_page_by_page(tmp_path: Path) -> None:
    async with opened(tmp_path, RULES, {}, keep=10) as office:
        for _ in range(13):
            office.senses.watch.down("root")
            await office.desk.turn_once()
            office.senses.watch.up("root")
            await office.desk.turn_once()
        first = await office.desk.alerts(AlertState.RESOLVED, "root", 6, None)
        second = await office.desk.alerts(AlertState.RESOLVED, "root", 6, first.next)
        assert (len(first.alerts), len(second.alerts), second.next) == (6, 4, None)
        ids = [alert.id for alert in (*first.alerts, *second.alerts)]
        assert ids == sorted(ids, reverse=True)
        assert (await office.desk.alerts(None, "other", 6, None)).alerts == ()


async def test_who_did_what_is_audited(office: Office, tmp_path: Path) -> None:
    office.senses.watch.down("root")
    await office.settle()
    (alert,) = office.desk.open()
    await office.desk.acknowledge(alert.id, "kim")
    silence = await office.desk.silence("root", None, 60, "lee", "")
    await office.desk.unsilence(silence.id, "kim")

    def read(c: sqlite3.Connection) -> list[tuple[str, str]]:
        return [(row["who"], row["action"]) for row in c.execute("SELECT * FROM audit")]

    assert await office.database.read(read) == [
        ("kim", "alert_ack"),
        ("lee", "silence"),
        ("kim", "unsilence"),
    ]


async def test_a_route_tells_only_whom_it_names(tmp_path: Path, receiver: Receiver) -> None:
    rules = replace(BOTH, routes=(Route(("ops",), Severity.CRITICAL), Route(("mail",))))
    with receiving() as mail:
        addresses = {"ops": receiver.address, "mail": mail.address}
        async with opened(tmp_path, rules, addresses) as office:
            office.desk.run_ended(run_end("run_1"))
            await office.settle()
            assert receiver.got == []
            assert mail.titles == ["[WARNING] A run of orders failed"]
