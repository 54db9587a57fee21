"""Removes what a run made: an action by its compensation, a thing by the DELETE of its path.

Soon after a case is over, so that the target never holds more than a few of them: services keep
only so many, and the oldest that would have to go are other people's. Never while a request is
under way: where the same bytes have the same id, that may be the very thing the request is given.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import requests

from examiner.contract.findings import Removals
from examiner.contract.ledger import Ledger, ids_in

REASON = "made by a contract test"
_TIMEOUT = 15


class Pending(NamedTuple):
    """What removes a thing, its id, and the case that made it."""

    path: str
    ident: str
    case: str


@dataclass(slots=True)
class Cleaner:
    """Counts in `removals` what it did."""

    url: str
    document: Mapping[str, Any]
    session: requests.Session
    ledger: Ledger
    removals: Removals
    _pending: list[Pending] = field(default_factory=list)
    _over: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, path: str, reply: object, case: str) -> None:
        """A request to `path` that may change something was answered well."""
        if path.endswith("/compensate") or not isinstance(reply, Mapping):
            return
        undo = f"{path}/compensate"
        if undo in self.document["paths"]:
            ident = reply.get("id")
            if isinstance(ident, str) and self.ledger.make(ident):
                self._made(undo, ident, case)
                for inner in ids_in(reply.get("result")):
                    self.ledger.make(inner)
            return
        remove = self._deletion(path)
        found = next(ids_in(dict(reply)), None)
        if found is not None and "{" not in path and self.ledger.make(found) and remove:
            self._made(remove, found, case)

    def finish(self, cases: Iterable[str]) -> None:
        """What these cases made is needed no more; from any thread."""
        with self._lock:
            self._over.update(cases)

    def flush(self, *, finished_only: bool = False) -> None:
        """Removes what is not removed yet; from the thread that sends the requests, between two."""
        with self._lock:
            due = [one for one in self._pending if not finished_only or one.case in self._over]
            self._pending = [one for one in self._pending if one not in due]
            self._over.clear()
        for path, ident, _ in due:
            try:
                status = self._remove(path, ident)
            except requests.RequestException as error:
                self.removals.leave(f"{path} {ident}: {type(error).__name__}")
                continue
            if status < 300 or status in (404, 410):
                self.removals.removed += 1
            else:
                self.removals.leave(f"{path} {ident}: {status}")

    def _remove(self, path: str, ident: str) -> int:
        if path.endswith("/compensate"):
            body = {"id": ident, "reason": REASON}
            return self.session.post(self.url + path, json=body, timeout=_TIMEOUT).status_code
        filled = path[: path.rindex("{")] + quote(ident, safe="")
        return self.session.delete(self.url + filled, timeout=_TIMEOUT).status_code

    def _made(self, path: str, ident: str, case: str) -> None:
        with self._lock:
            again = [one for one in self._pending if (one.path, one.ident) == (path, ident)]
            self._pending = [one for one in self._pending if one not in again]
            self.removals.made += not again
            self._pending.append(Pending(path, ident, case))

    def _deletion(self, path: str) -> str | None:
        for found, methods in self.document["paths"].items():
            head, _, last = found.rpartition("/")
            if head == path.rstrip("/") and last.startswith("{") and "delete" in methods:
                return str(found)
        return None
