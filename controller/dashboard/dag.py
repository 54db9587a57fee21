"""A workflow's steps as a drawing: where each stands and which line leads from what to what.

Nobody reads "needs" off a table at three in the morning. Layers from left to right, each step right
of everything it waits for; the order within a layer keeps lines from crossing where it can. Pure
geometry: what a step looks like is the page's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

MOST = 60
WIDTH, HEIGHT = 196, 64
_ACROSS, _DOWN, _EDGE = 56, 18, 8
_LINE = 22
_SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Node:
    """Where a step stands: its upper left corner."""

    id: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Edge:
    """`after` waits for `before`. `line` is an SVG path; `head` the tip of its arrow, and `tail`
    the tip of one that leads back, for the way in which steps are undone."""

    before: str
    after: str
    line: str
    head: str
    tail: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything to draw, in units of a pixel."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(slots=True)
class _Spot:
    """A place in a layer: a step, or where a long line passes by."""

    key: str
    layer: int
    is_step: bool
    y: float = 0.0


def draw(needs: Mapping[str, Sequence[str]]) -> Drawing | None:
    """`needs` has every step, in the order of the definition. None where they are too many."""
    if len(needs) > MOST or not needs:
        return None
    direct = without_detours(needs)
    layer = layers(direct)
    spots = [_Spot(step, layer[step], True) for step in direct]
    ways: dict[tuple[str, str], list[_Spot]] = {}
    for step, before in direct.items():
        for need in before:
            between = [
                _Spot(f"{need}>{step}@{at}", at, False)
                for at in range(layer[need] + 1, layer[step])
            ]
            spots += between
            ways[need, step] = between
    columns = _columns(spots, ways)
    _spread(columns)
    by_key = {spot.key: spot for column in columns for spot in column}
    lines = [
        _edge(by_key[before], between, by_key[after]) for (before, after), between in ways.items()
    ]
    return Drawing(
        width=len(columns) * (WIDTH + _ACROSS) - _ACROSS + 2 * _EDGE,
        height=max(spot.y + _tall(spot) for spot in by_key.values()) + _EDGE,
        nodes=tuple(Node(step, _x(by_key[step]), by_key[step].y) for step in direct),
        edges=tuple(lines),
    )


def without_detours(needs: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The same order with fewer lines: what a step waits for through another needs no own one."""
    above: dict[str, set[str]] = {}
    for step in _in_order(needs):
        above[step] = {far for need in needs[step] for far in (need, *above.get(need, ()))}
    return {
        step: tuple(
            need
            for need in dict.fromkeys(before)
            if need in needs and not any(need in above.get(other, ()) for other in before)
        )
        for step, before in needs.items()
    }


def layers(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many steps at least come before each, one after another."""
    found: dict[str, int] = {}
    for step in _in_order(needs):
        found[step] = max((found.get(need, -1) + 1 for need in needs[step]), default=0)
    return found


def _in_order(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """Every step after all that it waits for. A circle or an unknown step, which no checked
    definition has, is not waited for."""
    placed: dict[str, None] = {}
    left = dict(needs)
    while left:
        free = [step for step, before in left.items() if all(need in placed for need in before)]
        for step in free or left:
            placed[step] = None
        left = {step: before for step, before in left.items() if step not in placed}
    return list(placed)


def _columns(
    spots: Sequence[_Spot], ways: Mapping[tuple[str, str], Sequence[_Spot]]
) -> list[list[_Spot]]:
    """Spots by layer, each layer in the order that its neighbours suggest (barycentres)."""
    columns: list[list[_Spot]] = [[] for _ in range(1 + max(spot.layer for spot in spots))]
    for spot in spots:
        columns[spot.layer].append(spot)
    before: dict[str, list[str]] = {spot.key: [] for spot in spots}
    after: dict[str, list[str]] = {spot.key: [] for spot in spots}
    for (first, last), between in ways.items():
        way = [first, *(spot.key for spot in between), last]
        for one, next_one in pairwise(way):
            after[one].append(next_one)
            before[next_one].append(one)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            _sort(column, before if forward else after, columns)
    return columns


def _sort(
    column: list[_Spot], beside: Mapping[str, Sequence[str]], columns: Sequence[Sequence[_Spot]]
) -> None:
    place = {spot.key: at / len(c) for c in columns for at, spot in enumerate(c, start=1)}

    def middle(spot: _Spot) -> float:
        found = [place[key] for key in beside[spot.key]]
        return fmean(found) if found else place[spot.key]

    column.sort(key=middle)


def _spread(columns: Sequence[Sequence[_Spot]]) -> None:
    """Every layer from top to bottom, centred beside the tallest."""
    heights = [sum(_tall(spot) + _DOWN for spot in column) - _DOWN for column in columns]
    tallest = max(heights)
    for column, height in zip(columns, heights, strict=True):
        y = _EDGE + (tallest - height) / 2
        for spot in column:
            spot.y = y
            y += _tall(spot) + _DOWN


def _tall(spot: _Spot) -> float:
    return HEIGHT if spot.is_step else _LINE


def _x(spot: _Spot) -> float:
    return _EDGE + spot.layer * (WIDTH + _ACROSS)


def _middle(spot: _Spot) -> float:
    return spot.y + _tall(spot) / 2


def _edge(first: _Spot, between: Sequence[_Spot], last: _Spot) -> Edge:
    """A soft line from side to side; beside a layer that it only passes it runs straight."""
    x, y = _x(first) + WIDTH, _middle(first)
    start, line = (x, y), f"M{x:g} {y:g}"
    for spot in (*between, last):
        to_x, to_y = _x(spot), _middle(spot)
        bend = (to_x - x) / 2
        line += f"C{x + bend:g} {y:g} {to_x - bend:g} {to_y:g} {to_x:g} {to_y:g}"
        x, y = to_x, to_y
        if not spot.is_step:
            x += WIDTH
            line += f"H{x:g}"
    return Edge(first.key, last.key, line, _tip(x, y, -6), _tip(*start, 6))


def _tip(x: float, y: float, back: float) -> str:
    return f"M{x + back:g} {y - 4:g}L{x:g} {y:g}L{x + back:g} {y + 4:g}"
