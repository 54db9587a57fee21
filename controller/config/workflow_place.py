"""Where in config.yaml something stands, so that a fault names its line and its key."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from controller.config.node import Node, Report


@dataclass(frozen=True, slots=True)
class Place:
    """One key: its path in the tree, as a person writes it in `name`, and whom to tell."""

    tree: Node
    report: Report
    path: tuple[str | int, ...] = ()
    name: str = ""

    def at(self, *steps: str | int) -> Place:
        """The place below this one."""
        name = self.name
        for step in steps:
            name += f"[{step}]" if isinstance(step, int) else f".{step}" if name else step
        return Place(self.tree, self.report, (*self.path, *steps), name)

    def fault(self, text: str, *, word: str = "", known: Collection[str] = ()) -> None:
        mark = self.tree.where(*self.path)
        self.report.fault(mark, f"{self.name}: {text}", word=word, known=known)

    def warn(self, text: str) -> None:
        self.report.warn(self.tree.where(*self.path), f"{self.name}: {text}")

    def leaves(self) -> Iterator[tuple[Place, Any]]:
        """Every text, number, boolean and nothing at or below this place."""
        node = self.tree.get(*self.path)
        if node is not None:
            yield from _leaves(self, node)


def _leaves(place: Place, node: Node) -> Iterator[tuple[Place, Any]]:
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from _leaves(place.at(key), child)
    elif isinstance(node.value, list):
        for at, child in enumerate(node.value):
            yield from _leaves(place.at(at), child)
    else:
        yield place, node.value
