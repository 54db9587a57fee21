"""What a page already shows need not be sent again: which rows changed since it was told last.

One of five hundred services changes; a browser that gets all of them anew is busy for half a
second. So every answer carries a token that stands for the versions of its rows, and whoever gives
it back gets only rows of another version. A token that is not known (the hub was restarted, or it
is old) gets everything, so nothing can stay wrong for longer than one answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

_KEPT = 32
_WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Patch:
    """`token` stands for what is shown now; `changed` are the keys of rows to send, None for a
    whole answer."""

    token: str
    changed: frozenset[str] | None
    versions: Mapping[str, int]

    def version(self, key: str) -> str:
        return f"{self.versions[key] & _WORD:x}"

    @property
    def partial(self) -> bool:
        return self.changed is not None

    def sends(self, key: str) -> bool:
        return self.changed is None or key in self.changed


class Told:
    """The versions behind the last tokens. Versions differ from process to process, as hashes of
    texts do, so a token of another process is never taken for one of ours by accident."""

    def __init__(self) -> None:
        self._versions: OrderedDict[str, Mapping[str, int]] = OrderedDict()

    def patch(self, since: str, rows: Mapping[str, Hashable], around: Hashable = None) -> Patch:
        """What to send to whoever was told `since`. `around` is what all rows stand in: where that
        or the set of rows differs, everything is sent."""
        versions = {key: hash(row) for key, row in rows.items()}
        setting = hash((around, tuple(versions)))
        token = f"{setting & _WORD:x}-{hash(tuple(versions.values())) & _WORD:x}"
        before = self._versions.get(since)
        same_setting = since.partition("-")[0] == token.partition("-")[0]
        self._versions[token] = versions
        self._versions.move_to_end(token)
        while len(self._versions) > _KEPT:
            self._versions.popitem(last=False)
        if before is None or not same_setting:
            return Patch(token, None, versions)
        changed = frozenset(key for key, version in versions.items() if before.get(key) != version)
        return Patch(token, changed, versions)
