"""The tree that every stage of the loader works on, because a late fault must still say where.

A YAML document becomes `Node`s that carry file and line. Merging several files or interpolating
makes new nodes and keeps their marks, so the last stage can name the line a person has to mend.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeAlias

from controller.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; `line` counts from 1, 0 where the source has no lines."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


Scalar: TypeAlias = "bool | int | float | str | None"
Value: TypeAlias = "Scalar | list[Node] | dict[str, Node]"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands: the line of its key in a mapping, of its item in a list.

    `tag` is set only for the merge instructions `!reset` and `!override`.
    """

    value: Value
    mark: Mark
    tag: str | None = None

    @property
    def kind(self) -> str:
        """What a person would call the value: nothing, boolean, number, text, list or mapping."""
        return _KINDS[type(self.value)]

    def map(self) -> dict[str, Node]:
        """The entries of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def items(self) -> list[Node]:
        """The items of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    def get(self, *path: str | int) -> Node | None:
        """The node at `path` below this one, or None."""
        node: Node | None = self
        for step in path:
            if node is None:
                return None
            if isinstance(node.value, dict):
                node = node.value.get(str(step))
            elif isinstance(node.value, list) and isinstance(step, int):
                node = node.value[step] if step < len(node.value) else None
            else:
                return None
        return node

    def where(self, *path: str | int) -> Mark:
        """The mark of the deepest node on the way to `path`.

        A name looked up in a list finds the item that is or begins with it (`KEY=…`, `name:…`).
        """
        node = self
        for step in path:
            below = node.get(step) or _named_item(node, str(step))
            if below is None:
                break
            node = below
        return node.mark


_KINDS: dict[type, str] = {
    type(None): "nothing",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "mapping",
}


def _named_item(node: Node, name: str) -> Node | None:
    for item in node.items():
        if isinstance(item.value, str) and (
            item.value == name or item.value.startswith((f"{name}=", f"{name}:"))
        ):
            return item
    return None


def plain(node: Node) -> Any:
    """The bare Python value of a tree."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


# Nobody mends more at once, and a hostile file could hold a fault in every byte.
MAX_FAULTS = 100
_MANY = 100


@dataclass(slots=True)
class Report:
    """What the stages found wrong or worth saying, so that a person gets all of it at once."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    # While files are still to be merged, another one may bring a key that is missing here.
    partial: bool = False
    # Laid over what another file says, a key without a value changes nothing.
    laid_over: bool = False
    # Characters that variables have come to so far.
    produced: int = 0
    # Values of services that extend another, so far.
    extended: int = 0
    _said: set[str] = field(default_factory=set)

    def fault(self, mark: Mark, text: str, *, word: str = "", known: Collection[str] = ()) -> None:
        """Something that stops the load; beyond a hundred only that there are more.

        With `word`, what was found, the nearest of the `known` words is suggested.
        """
        if len(self.faults) < MAX_FAULTS:
            self._append(self.faults, f"{mark}: {text}{nearest(word, known) if word else ''}")
        elif len(self.faults) == MAX_FAULTS:
            self.faults.append(f"{mark}: there are more faults from here on")

    def missing(self, mark: Mark, text: str) -> None:
        """A fault about a key that is not there, unless the tree is still a part of a whole."""
        if not self.partial:
            self.fault(mark, text)

    def warn(self, mark: Mark, text: str) -> None:
        """Something that is read and cannot be honoured, or disagrees."""
        self._append(self.warnings, f"{mark}: {text}")

    def check(self, *, remedy: str = "correct the file at the line named") -> None:
        """Raises ConfigError with every fault so far, if there is one."""
        if self.faults:
            raise ConfigError(list(self.faults), remedy=remedy)

    def _append(self, sentences: list[str], sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            sentences.append(sentence)


def nearest(word: str, known: Collection[str]) -> str:
    """` (did you mean "x"?)` for the known word closest to `word`, or an empty string."""
    word = word[:80]
    likely = list(known)
    if len(likely) > _MANY:
        # Comparing is slow: of very many, only those that begin alike are looked at.
        likely = [n for n in likely if n[:1] == word[:1] and abs(len(n) - len(word)) <= 3][:_MANY]
    choices = {name.lower(): name for name in likely}
    found = get_close_matches(word.lower(), list(choices), n=1, cutoff=0.6)
    return f' (did you mean "{choices[found[0]]}"?)' if found else ""
