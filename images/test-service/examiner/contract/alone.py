"""Work in a process of its own, whose memory goes with it.

The library keeps what it compiled of a document, a good part of it where nothing of ours reaches,
and each phase compiles it anew in another form: one after the other in one process they would hold
the sum of all phases, and not what the largest needs.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

_PR_SET_PDEATHSIG = 1
_T = TypeVar("_T")


def leave_with_parent() -> None:
    """The kernel ends this process when the one that made it is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def alone(work: Callable[[], _T]) -> _T:
    """What `work` returns, which has to be picklable; this process must have no other threads.

    If the process is killed or fails, so does this one: its own parent tells why.
    """
    context = multiprocessing.get_context("fork")
    hear, say = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, say))
    process.start()
    # As long as this end is open here, the other one never reads an end.
    say.close()
    try:
        result: _T = hear.recv()
    except EOFError:
        process.join()
        if process.exitcode == -signal.SIGKILL:
            signal.raise_signal(signal.SIGKILL)
        sys.exit(1)
    process.join()
    return result


def _work(work: Callable[[], _T], say: Connection) -> None:
    leave_with_parent()
    say.send(work())
