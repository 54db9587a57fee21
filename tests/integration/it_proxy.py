"""A Unix socket that leads to the engine until a test cuts it, or lets it hang."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

_ENGINE = "/var/run/docker.sock"
_VERBS = (b"GET ", b"POST ", b"DELETE ", b"HEAD ", b"PUT ")


class SocketProxy:
    """Stands between one hub and the engine. `requests` counts what the hub has asked so far."""

    def __init__(self, path: Path):
        self.path = path
        self.requests = 0
        self._flows = threading.Event()
        self._flows.set()
        self._pairs: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def open(self) -> None:
        """Listen (again)."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """End every connection and refuse new ones, as an engine that was stopped."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # Wakes the thread that waits in accept, which closing alone does not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            self.path.unlink()
        self._flows.set()
        with self._lock:
            ends = list(self._pairs)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hang(self) -> None:
        """Accept and take everything, and pass nothing on, as an engine that is frozen."""
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                inside, _ = listener.accept()
            except OSError:
                return
            outside = socket.socket(socket.AF_UNIX)
            outside.connect(_ENGINE)
            with self._lock:
                self._pairs |= {inside, outside}
            for ends in ((inside, outside), (outside, inside)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                if data.startswith(_VERBS):
                    self.requests += 1
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._pairs -= {source, sink}
