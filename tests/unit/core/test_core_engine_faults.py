"""Freezing processes: which are hit and which never, and how often a slow one is let run."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller import clock
from controller.engine import freezer
from controller.engine.faults import duty

CID = "c" * 64
OTHER = "d" * 64


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc of the test's own: true states, invented control groups."""
    monkeypatch.setattr(freezer, "_PROC", str(tmp_path))
    (tmp_path / "self").mkdir()
    return tmp_path


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    born = [subprocess.Popen(["sleep", "60"]) for _ in range(3)]
    yield born
    for child in born:
        child.kill()
        child.wait()


def known(proc: Path, pid: int, container_id: str) -> None:
    folder = proc / str(pid)
    folder.mkdir(exist_ok=True)
    (folder / "cgroup").write_text(f"4:memory:/docker/{container_id}\n0::/\n")
    if not (folder / "stat").exists():
        (folder / "stat").symlink_to(f"/proc/{pid}/stat")


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_only_the_containers_processes_stop_and_go_on(
    proc: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    main, second, stranger = (child.pid for child in children)
    known(proc, main, CID)
    known(proc, second, CID)
    known(proc, stranger, OTHER)
    container = freezer.Container(CID, main)
    assert container.main >= 0
    container.freeze()
    assert [state(pid) for pid in (main, second)] == ["T", "T"]
    assert state(stranger) == "S"
    container.thaw()
    assert "T" not in [state(pid) for pid in (main, second)]


def test_who_is_born_between_two_beats_is_frozen_too(
    proc: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    main, second, _ = (child.pid for child in children)
    known(proc, main, CID)
    container = freezer.Container(CID, main)
    container.freeze()
    container.thaw()
    known(proc, second, CID)
    container.freeze()
    assert state(second) == "T"


def test_who_ended_meanwhile_is_forgotten(
    proc: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    main, second, _ = (child.pid for child in children)
    known(proc, main, CID)
    known(proc, second, CID)
    container = freezer.Container(CID, main)
    container.freeze()
    children[1].kill()
    children[1].wait()
    container.thaw()
    container.freeze()
    assert state(main) == "T"


def test_what_stood_still_before_is_left_alone(
    proc: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    child = children[0]
    known(proc, child.pid, CID)
    child.send_signal(signal.SIGSTOP)
    while state(child.pid) != "T":
        pass
    container = freezer.Container(CID, child.pid)
    container.freeze()
    container.thaw()
    assert state(child.pid) == "T"


def test_a_main_process_of_another_container_is_refused(
    proc: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    known(proc, children[0].pid, OTHER)
    with pytest.raises(freezer.FreezeError, match="has gone"):
        freezer.run(CID, children[0].pid, 1, 0, 0)


def test_a_main_process_that_has_gone_is_refused(
    proc: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    children[0].kill()
    children[0].wait()
    with pytest.raises(freezer.FreezeError, match="has gone"):
        freezer.run(CID, children[0].pid, 1, 0, 0)


@pytest.mark.parametrize("text", ["", "c", "/", "C" * 64, f"{CID}\n"])
def test_what_could_match_others_is_refused(text: str) -> None:
    with pytest.raises(freezer.FreezeError, match="full container id"):
        freezer.run(text, 1, 1, 0, 0)


@pytest.mark.parametrize(
    ("stat", "letter"), [("7 (a b) c) S 1 2", "S"), ("7 (x) T 1", "T"), ("", "X")]
)
def test_the_state_of_a_process(proc: Path, stat: str, letter: str) -> None:
    (proc / "7").mkdir()
    (proc / "7" / "stat").write_text(stat)
    assert freezer._state(7) == letter
    assert freezer._state(8) == "X"


@pytest.mark.parametrize("timeout_s", [0.1, 0.5, 1.0, 2.0, 5.0])
def test_most_probes_of_a_slow_service_time_out(timeout_s: float) -> None:
    frozen_s, thawed_s = duty(timeout_s)
    assert thawed_s > 0
    assert (frozen_s - timeout_s) / (frozen_s + thawed_s) > 0.75


def test_the_wait_ends_with_its_time_or_when_asked() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        wait = freezer.Wait(-1, 0.2)
        assert not wait.over(0.01)
        begun = clock.monotonic()
        assert wait.over()
        assert clock.monotonic() - begun < 5
        asked = freezer.Wait(-1, 60)
        signal.raise_signal(signal.SIGTERM)
        assert asked.over()
        assert clock.monotonic() - begun < 10
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
