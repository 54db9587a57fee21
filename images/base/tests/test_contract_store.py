"""Documents: bounded, safe between threads, and never read on the event loop."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from heal7_contract.database import Database
from heal7_contract.documents import DocumentStore, Retention


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[DocumentStore]:
    database = Database(tmp_path / "store.sqlite3")
    yield DocumentStore(database, {"few": Retention(keep=5), "short": Retention(10, 60)}, clock)
    database.close()


def test_put_get_replace_delete(store: DocumentStore) -> None:
    store.put("notes", "a", {"text": "첫째", "n": 1})
    store.put("notes", "a", {"text": "둘째"})
    assert store.get("notes", "a") == {"text": "둘째"}
    assert store.get("notes", "b") is None
    assert store.delete("notes", "a") is True
    assert store.delete("notes", "a") is False


def test_kinds_are_apart(store: DocumentStore) -> None:
    store.put("notes", "a", {"n": 1})
    assert store.get("other", "a") is None


def test_find_newest_first_with_conditions(store: DocumentStore) -> None:
    for n in range(6):
        store.put("notes", f"k{n}", {"n": n, "state": "open" if n % 2 else "closed"})
    assert [d["n"] for d in store.find("notes", where={"state": "open"})] == [5, 3, 1]
    assert [d["n"] for d in store.find("notes", limit=2, offset=1)] == [4, 3]
    assert store.find("notes", where={"n": 4})[0]["state"] == "closed"
    assert len(store.find("notes", where={"absent": None})) == 6
    assert store.count("notes") == 6


def test_a_page_beyond_all_numbers_is_empty(store: DocumentStore) -> None:
    store.put("notes", "a", {"n": 1})
    assert store.find("notes", limit=2**80) == [{"n": 1}]
    assert store.find("notes", offset=2**80) == []


def test_update_sees_the_old_one(store: DocumentStore) -> None:
    assert store.update("notes", "a", lambda old: {"n": 1} if old is None else old) == {"n": 1}
    assert store.update("notes", "a", lambda old: {"n": (old or {})["n"] + 1}) == {"n": 2}
    assert store.update("notes", "a", lambda _: None) is None
    assert store.get("notes", "a") is None


def test_a_failing_update_changes_nothing(store: DocumentStore) -> None:
    store.put("notes", "a", {"n": 1})
    with pytest.raises(ZeroDivisionError):
        store.update("notes", "a", lambda _: {"n": 1 // 0})
    assert store.get("notes", "a") == {"n": 1}


def test_updates_from_many_threads_lose_nothing(store: DocumentStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(200):
            pool.submit(store.update, "notes", "a", lambda old: {"n": (old or {"n": 0})["n"] + 1})
    assert store.get("notes", "a") == {"n": 200}


def test_bounded_by_count(store: DocumentStore) -> None:
    for n in range(40):
        store.put("few", f"k{n}", {"n": n})
    assert [d["n"] for d in store.find("few")] == [39, 38, 37, 36, 35]


def test_bounded_by_age_even_when_nothing_is_written(store: DocumentStore, clock: Clock) -> None:
    store.put("short", "a", {"n": 1})
    clock.now += 61
    assert store.get("short", "a") is None
    assert store.find("short") == []
    assert store.count("short") == 0
    store.update("short", "a", lambda old: {"found": old})
    assert store.get("short", "a") == {"found": None}


@pytest.mark.parametrize("kind", ["", "Notes", "no tes", "x; DROP TABLE actions", "1st"])
def test_a_kind_is_a_name(store: DocumentStore, kind: str) -> None:
    with pytest.raises(ValueError, match="no kind of document"):
        store.put(kind, "a", {})


async def test_the_event_loop_is_refused(store: DocumentStore) -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        store.put("notes", "a", {})
