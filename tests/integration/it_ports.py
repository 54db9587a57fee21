"""Ports for whatever the tests start: free ones that nobody else is about to take."""

from __future__ import annotations

import os
import socket


class Ports:
    """Free ports of loopback, below what the kernel gives to outgoing connections."""

    def __init__(self) -> None:
        # Where two runs share a machine they begin at different places, and so do the workers of
        # one run, each of which has a range to itself.
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        self._next = 20_000 + worker % 4 * 3_000 + os.getpid() * 61 % 1_000

    def __call__(self) -> int:
        while True:
            self._next += 1
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", self._next))
                except OSError:
                    continue
                return self._next
