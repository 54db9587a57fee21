"""Freezes every process of one container for a while. Runs alone, in a helper container.

`controller.engine.faults` passes this file's text to a `python3 -c` that sees the host's
processes: it may import nothing but the standard library. It thaws what it froze when its time is
over, when it is asked to stop (SIGTERM) and when the container's main process has gone, so that a
hub that dies leaves no frozen service behind.

A process is signalled through a handle (pidfd) whose holder was looked at after the handle was
opened: a process id that was given to another meanwhile is never hit. What stood still before
is left alone.

Arguments: container id, main process id, limit_s, frozen_s, thawed_s; with `frozen_s` 0 it is
frozen all the time. Says `injected <unix time>` once everything stands still, or `failed: <why>`.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import sys
import time

_monotonic, _unix_time = time.monotonic, time.time  # noqa: TID251 - no hub, no clock of the hub's
_ID = re.compile(r"[0-9a-f]{64}\Z")
_PROC = "/proc"
_STILL_WITHIN_S = 2.0
_ROUND_S = 0.005
_LINGER_S = 3.0


class FreezeError(Exception):
    """The container cannot be frozen; the text says why."""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""  # the process has gone


def _is_in(pid: int, container_id: str) -> bool:
    return container_id in _read(f"{_PROC}/{pid}/cgroup")


def _state(pid: int) -> str:
    """The kernel's letter for what the process does; "X" where it has gone."""
    # The name in brackets may itself hold spaces and brackets.
    after_name = _read(f"{_PROC}/{pid}/stat").rpartition(")")[2].split()
    return after_name[0] if after_name else "X"


class Container:
    """The processes of one container that this program froze, each by its handle."""

    def __init__(self, container_id: str, main_pid: int):
        self._id = container_id
        self._held: dict[int, int] = {}
        self.main = self._handle(main_pid)

    def _handle(self, pid: int) -> int:
        """A handle of the process, -1 where it has gone or is none of the container's."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return -1
        if _is_in(pid, self._id):
            return handle
        os.close(handle)
        return -1

    def _signal(self, pid: int, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(self._held[pid], number)
        except ProcessLookupError:
            os.close(self._held.pop(pid))

    def freeze(self) -> None:
        """Stop all, also those born meanwhile, and wait until nothing moves any more."""
        deadline = _monotonic() + _STILL_WITHIN_S
        for pid in tuple(self._held):
            self._signal(pid, signal.SIGSTOP)
        while moving := [pid for pid in self._members() if self._moves(pid)]:
            for pid in moving:
                if pid not in self._held and (handle := self._handle(pid)) >= 0:
                    self._held[pid] = handle
                if pid in self._held:
                    self._signal(pid, signal.SIGSTOP)
            if _monotonic() > deadline:
                raise FreezeError(f"processes {moving} do not stand still")
            time.sleep(_ROUND_S)

    def _moves(self, pid: int) -> bool:
        """What is deep in the kernel ("D") stops on its way out, once it was signalled."""
        return _state(pid) not in ("TtZXxD" if pid in self._held else "TtZXx")

    def thaw(self) -> None:
        for pid in tuple(self._held):
            self._signal(pid, signal.SIGCONT)

    def _members(self) -> list[int]:
        pids = [int(name) for name in os.listdir(_PROC) if name.isdigit()]
        return [pid for pid in pids if _is_in(pid, self._id)]


class Wait:
    """Waits that SIGTERM, SIGINT and the end of the main process cut short."""

    def __init__(self, main: int, limit_s: float):
        self._ends_at = _monotonic() + limit_s
        woken, wakes = socket.socketpair()
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        self._ends = (woken, wakes)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self._poll = select.poll()
        self._poll.register(woken, select.POLLIN)
        if main >= 0:
            self._poll.register(main, select.POLLIN)

    def over(self, seconds: float | None = None) -> bool:
        """Let `seconds` (None: all that is left) go by; whether it is time to end."""
        left = self._ends_at - _monotonic()
        wait = left if seconds is None else min(seconds, left)
        if self._poll.poll(max(0.0, wait) * 1000):
            return True
        return wait >= left


def run(container_id: str, main_pid: int, limit_s: float, frozen_s: float, thawed_s: float) -> None:
    """Freeze, say so, wait, thaw. Raises FreezeError or OSError, with all thawed again."""
    if not _ID.match(container_id):
        raise FreezeError(f"{container_id!r} is no full container id: it could match others too")
    container = Container(container_id, main_pid)
    if container.main < 0:
        raise FreezeError("the container's main process has gone")
    wait = Wait(container.main, limit_s)
    try:
        container.freeze()
        print(f"injected {_unix_time():.6f}", flush=True)
        while not wait.over(frozen_s or None):
            container.thaw()
            if wait.over(thawed_s):
                break
            container.freeze()
    finally:
        container.thaw()


def main(arguments: list[str]) -> int:
    container_id, main_pid, *seconds = arguments
    limit_s, frozen_s, thawed_s = map(float, seconds)
    try:
        run(container_id, int(main_pid), limit_s, frozen_s, thawed_s)
    except (FreezeError, OSError) as error:
        print(f"failed: {error}", flush=True)
        # This container goes with its output: stay until somebody could read it.
        Wait(-1, _LINGER_S).over()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
