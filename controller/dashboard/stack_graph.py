"""The stack as a drawing: which service needs which, and how each is now.

A red row says that something is broken; the drawing says what it takes down with it. Where a stack
is too large to be read as one picture, only what is in trouble or under way is drawn, with its
neighbours: that is the part somebody looks for. Pure; the same is said in words beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.dashboard import dag, wording
from controller.dashboard.marks import Mark, Tone
from controller.dashboard.present import Row
from controller.i18n import word

MOST = 40
_QUIET = (Tone.OK, Tone.IDLE)


@dataclass(frozen=True, slots=True)
class Node:
    """A service in the drawing; `note` is short."""

    name: str
    x: float
    y: float
    tone: Tone
    icon: str
    word: str
    note: str


@dataclass(frozen=True, slots=True)
class Way:
    """A line from what is needed to what needs it; `cut` where what is needed is not well."""

    line: str
    tip: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """The same in words: a service, what it needs and what needs it."""

    name: str
    tone: Tone
    icon: str
    word: str
    needs: tuple[Mark, ...]
    needed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """The drawing, ready to print; `left_out` counts services that are not in it."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    ways: tuple[Way, ...]
    listed: tuple[Listed, ...]
    left_out: int
    says: str


def draw(rows: Sequence[Row], language: str) -> Drawn | None:
    """None where there is nothing to draw: fewer than two services, or a large stack at rest."""
    by_name = {row.name: row for row in rows}
    needed_by = _needed_by(rows)
    shown = [by_name[name] for name in _chosen(rows, needed_by)]
    if len(shown) < 2:
        return None
    kept = {row.name for row in shown}
    needs = {row.name: [n.name for n in row.needs if n.name in kept] for row in shown}
    drawing = dag.draw(needs)
    if drawing is None:
        return None
    return Drawn(
        width=int(drawing.width),
        height=int(drawing.height),
        nodes=tuple(_node(by_name[at.id], at, language) for at in drawing.nodes),
        ways=tuple(
            Way(edge.line, edge.head, by_name[edge.before].tone is not Tone.OK)
            for edge in drawing.edges
        ),
        listed=tuple(
            Listed(r.name, r.tone, r.icon, r.word, r.needs, tuple(needed_by.get(r.name, ())))
            for r in shown
        ),
        left_out=len(rows) - len(shown),
        says=word("ui.stack.says", language, n=len(shown)),
    )


def _chosen(rows: Sequence[Row], needed_by: Mapping[str, Sequence[str]]) -> list[str]:
    """Every service of a small stack; of a large one those that are not at rest, the worst first,
    each with its neighbours as long as there is room."""
    if len(rows) <= MOST:
        return [row.name for row in rows]
    restless = [row for row in rows if row.tone not in _QUIET]
    restless.sort(key=lambda row: not row.attention)
    chosen: dict[str, None] = {}
    for row in restless:
        around = (row.name, *(need.name for need in row.needs), *needed_by.get(row.name, ()))
        for name in around:
            if len(chosen) < MOST:
                chosen[name] = None
    return [row.name for row in rows if row.name in chosen]


def _needed_by(rows: Sequence[Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        for need in row.needs:
            found.setdefault(need.name, []).append(row.name)
    return found


def _node(row: Row, at: dag.Node, language: str) -> Node:
    note = row.response if row.response != wording.NOTHING else ""
    return Node(row.name, at.x, at.y, row.tone, row.icon, row.word, note)
