"""Removes what a run made: an action by its compensation, a thing by the DELETE of its path.

As soon as a case is over, so that the target never holds more than a few of them: services keep
only so many, and the oldest that would have to go are other people's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests

from examiner.contract.ledger import Ledger, ids_in

REASON = "made by a contract test"
MAX_LEFT = 20
_TIMEOUT = 15


@dataclass(slots=True)
class Cleaner:
    """`left` are sentences about what could not be removed."""

    url: str
    document: Mapping[str, Any]
    session: requests.Session
    ledger: Ledger
    made: int = 0
    removed: int = 0
    left: list[str] = field(default_factory=list)
    _pending: list[tuple[str, str]] = field(default_factory=list)

    def note(self, path: str, reply: object) -> None:
        """A request to `path` that may change something was answered well."""
        if path.endswith("/compensate") or not isinstance(reply, Mapping):
            return
        undo = f"{path}/compensate"
        if undo in self.document["paths"]:
            ident = reply.get("id")
            if isinstance(ident, str) and self.ledger.make(ident):
                self._made(undo, ident)
                for inner in ids_in(reply.get("result")):
                    self.ledger.make(inner)
            return
        remove = self._deletion(path)
        found = next(ids_in(dict(reply)), None)
        if found is not None and "{" not in path and self.ledger.make(found) and remove:
            self._made(remove, found)

    def flush(self) -> None:
        """Removes all that is noted and not removed yet."""
        pending, self._pending = self._pending, []
        for path, ident in pending:
            try:
                status = self._remove(path, ident)
            except requests.RequestException as error:
                self._leave(f"{path} {ident}: {type(error).__name__}")
                continue
            if status < 300 or status in (404, 410):
                self.removed += 1
            else:
                self._leave(f"{path} {ident}: {status}")

    def _remove(self, path: str, ident: str) -> int:
        if path.endswith("/compensate"):
            body = {"id": ident, "reason": REASON}
            return self.session.post(self.url + path, json=body, timeout=_TIMEOUT).status_code
        filled = path[: path.rindex("{")] + quote(ident, safe="")
        return self.session.delete(self.url + filled, timeout=_TIMEOUT).status_code

    def _made(self, path: str, ident: str) -> None:
        self.made += 1
        self._pending.append((path, ident))

    def _leave(self, sentence: str) -> None:
        if len(self.left) < MAX_LEFT:
            self.left.append(sentence)

    def _deletion(self, path: str) -> str | None:
        for found, methods in self.document["paths"].items():
            head, _, last = found.rpartition("/")
            if head == path.rstrip("/") and last.startswith("{") and "delete" in methods:
                return str(found)
        return None

    def snapshot(self) -> dict[str, Any]:
        """In the shape of the report."""
        return {"made": self.made, "removed": self.removed, "left": list(self.left)}
