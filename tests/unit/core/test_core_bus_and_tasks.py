"""The event bus, the wake queue and the guarded tasks."""

from __future__ import annotations

import asyncio
import logging

import pytest

from controller.tasks import Tasks, WakeQueue
from controller.telemetry.bus import Bus, Event, Subscription


def say(bus: Bus, *kinds: str) -> None:
    for kind in kinds:
        bus.publish(kind, lambda language: f"{language}!")


async def heard(listener: Subscription, count: int) -> list[str]:
    async with asyncio.timeout(60):
        return [event.kind for _ in range(count) if (event := await listener.get())]


async def until_dropped(listener: Subscription) -> list[Event]:
    found = []
    async with asyncio.timeout(60):
        while (event := await listener.get()) is not None:
            found.append(event)
    return found


async def test_listeners_hear_what_happens_after_they_came() -> None:
    bus = Bus()
    say(bus, "before")
    first, second = bus.subscribe(), bus.subscribe()
    say(bus, "a", "b")
    assert await heard(first, 2) == await heard(second, 2) == ["a", "b"]


async def test_ids_grow_by_one_from_the_first() -> None:
    bus = Bus(100)
    listener = bus.subscribe()
    assert bus.last_id == 99
    say(bus, "a", "b")
    bus.close()
    assert [event.id for event in await until_dropped(listener)] == [100, 101]
    assert bus.last_id == 101


async def test_a_client_resumes_after_the_id_it_knows() -> None:
    bus = Bus()
    say(bus, "a", "b", "c")
    listener = bus.subscribe(after=1)
    say(bus, "d")
    assert await heard(listener, 3) == ["b", "c", "d"]


async def test_whether_everything_since_is_still_known() -> None:
    bus = Bus(10)
    assert bus.complete_since(9)
    assert not bus.complete_since(8)
    assert not bus.complete_since(10)
    say(bus, *["x"] * 520)
    assert bus.complete_since(bus.last_id)
    assert bus.complete_since(bus.last_id - 512)
    assert not bus.complete_since(bus.last_id - 513)


async def test_a_slow_listener_is_dropped_and_told_after_what_it_has() -> None:
    bus = Bus()
    slow, prompt = bus.subscribe(), bus.subscribe()
    for _ in range(300):
        say(bus, "x")
        await heard(prompt, 1)
    got = await until_dropped(slow)
    assert [event.id for event in got] == list(range(1, 257))
    assert await slow.get() is None
    assert [e.id for e in await _drain(bus.subscribe(after=256), bus)] == list(range(257, 301))


async def test_resuming_never_skips_an_event_however_many_were_missed() -> None:
    bus = Bus()
    say(bus, *["x"] * 300)
    listener = bus.subscribe(after=0)
    await heard(listener, 10)
    # There is room again; but what comes now must not be heard before 257 to 300.
    say(bus, "late")
    rest = await until_dropped(listener)
    assert [event.id for event in rest] == list(range(11, 257))
    again = bus.subscribe(after=256)
    assert [event.id for event in await _drain(again, bus)] == list(range(257, 302))


async def _drain(listener: Subscription, bus: Bus) -> list[Event]:
    bus.unsubscribe(listener)
    listener.end()
    return await until_dropped(listener)


async def test_closing_ends_those_who_wait() -> None:
    bus = Bus()
    listener = bus.subscribe()
    waiting = asyncio.create_task(until_dropped(listener))
    await asyncio.sleep(0)
    bus.close()
    assert await waiting == []


def test_each_language_is_rendered_once() -> None:
    calls: list[str] = []

    def renderer(language: str) -> str:
        calls.append(language)
        return language.upper()

    event = Event(1, "service", renderer)
    told = [event.frame(language).decode() for language in ("en", "ko", "en")]
    assert [frame.splitlines()[-2] for frame in told] == ["data: EN", "data: KO", "data: EN"]
    assert calls == ["en", "ko"]


# -- the wake queue


async def test_duplicates_collapse() -> None:
    queue = WakeQueue()
    for key in ("a", "b", "a"):
        queue.wake(key)
    assert await queue.take(5) == {"a", "b"}


async def test_all_is_all_whatever_else_was_woken() -> None:
    queue = WakeQueue()
    queue.wake("a")
    queue.wake_all()
    assert await queue.take(5) is None
    queue.wake("b")
    assert await queue.take(5) == {"b"}


async def test_silence_is_a_reason_to_look_at_all() -> None:
    assert await WakeQueue().take(0.001) is None


async def test_who_waits_is_woken() -> None:
    queue = WakeQueue()
    waiting = asyncio.create_task(queue.take(5))
    await asyncio.sleep(0)
    queue.wake("a")
    assert await waiting == {"a"}


# -- guarded tasks


@pytest.fixture
def died() -> asyncio.Queue[str]:
    return asyncio.Queue()


async def forever() -> None:
    await asyncio.Event().wait()


async def breaks() -> None:
    raise RuntimeError("a bug")


async def ends() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("work", [breaks, ends])
async def test_a_guarded_loop_that_ends_takes_the_hub_down(
    died: asyncio.Queue[str], caplog: pytest.LogCaptureFixture, work: object
) -> None:
    tasks = Tasks(died.put_nowait)
    tasks.guard("observe", work())  # type: ignore[operator]
    async with asyncio.timeout(60):
        assert await died.get() == "observe"
    assert "background task observe ended" in caplog.text
    await tasks.close()


async def test_work_that_ends_by_itself_takes_nothing_down(
    died: asyncio.Queue[str], caplog: pytest.LogCaptureFixture
) -> None:
    tasks = Tasks(died.put_nowait)
    with caplog.at_level(logging.ERROR):
        await asyncio.wait([tasks.spawn("fails", breaks()), tasks.spawn("works", ends())])
        await asyncio.sleep(0)
    assert "task fails failed" in caplog.text
    assert died.empty()
    await tasks.close()


async def test_closing_ends_everything_and_is_no_death(died: asyncio.Queue[str]) -> None:
    tasks = Tasks(died.put_nowait)
    tasks.guard("observe", forever())
    spawned = tasks.spawn("operation", forever())
    assert tasks.names() == ["observe", "operation"]
    await tasks.close()
    assert spawned.cancelled()
    assert tasks.names() == []
    assert died.empty()
