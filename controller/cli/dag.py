"""Draws a graph of steps as lines: what must wait stands below, what runs side by side branches.

Every step stands under the one that all ways to it come through (its dominator). So a chain stays
one column, parallel branches get tree lines, and where they join the drawing goes back to the
column in which they parted.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

Needs = tuple[tuple[str, tuple[str, ...]], ...]
"""Every step with those it waits for, in the order of the definition."""

_UTF8 = ("├─ ", "└─ ", "│  ")
_ASCII = ("|- ", "`- ", "|  ")


@dataclass(frozen=True, slots=True)
class Placed:
    """One line of the drawing. `joins` are the steps it waits for, where there are several."""

    id: str
    lead: str
    joins: tuple[str, ...] = ()


@lru_cache(maxsize=16)
def drawn(needs: Needs, *, utf8: bool) -> tuple[Placed, ...]:
    """The steps in an order in which they can run. What waits for an unknown step or in a circle,
    which no hub accepts, is drawn as if it did not."""
    graph = _ordered(dict(needs))
    dominators = _dominators(graph)
    children = _children(graph, dominators)
    made: list[Placed] = []
    # Not by recursion: a chain is as deep as it is long.
    todo = list(_beneath(None, "", children, utf8=utf8))[::-1]
    while todo:
        step, lead, below = todo.pop()
        joins = graph[step] if len(graph[step]) > 1 else ()
        made.append(Placed(step, lead, joins))
        todo.extend(list(_beneath(step, below, children, utf8=utf8))[::-1])
    return tuple(made)


def _ordered(needs: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The same graph, every step after those it waits for, else as it was."""
    place = {step: number for number, step in enumerate(needs)}
    left = {step: {n for n in needs[step] if n in place} for step in needs}
    dependants: dict[str, list[str]] = {step: [] for step in needs}
    for step, waits in left.items():
        for need in waits:
            dependants[need].append(step)
    ready = [place[step] for step, waits in left.items() if not waits]
    steps, made = list(needs), dict[str, tuple[str, ...]]()
    heapq.heapify(ready)
    while len(made) < len(steps):
        if not ready:
            # A circle: broken at the first step of it.
            stuck = next(step for step in steps if step not in made)
            left[stuck] = set()
            ready.append(place[stuck])
        step = steps[heapq.heappop(ready)]
        made[step] = tuple(n for n in dict.fromkeys(needs[step]) if n in made)
        for dependant in dependants[step]:
            left[dependant].discard(step)
            if not left[dependant] and dependant not in made and place[dependant] not in ready:
                heapq.heappush(ready, place[dependant])
    return made


def _dominators(graph: Mapping[str, tuple[str, ...]]) -> dict[str, str | None]:
    """For each step the nearest one that every way to it comes through; None is the beginning."""
    above: dict[str, str | None] = {}
    depth: dict[str | None, int] = {None: 0}
    for step, needs in graph.items():
        common: str | None = needs[0] if needs else None
        for need in needs[1:]:
            other: str | None = need
            while common != other:
                if common is not None and depth[common] >= depth[other]:
                    common = above[common]
                elif other is not None:
                    other = above[other]
        above[step], depth[step] = common, depth[common] + 1
    return above


def _children(
    graph: Mapping[str, tuple[str, ...]], above: Mapping[str, str | None]
) -> dict[str | None, list[list[str]]]:
    """What stands under each step, in stages: a stage waits for something of those before it."""
    stage: dict[str, int] = {}
    made: dict[str | None, list[list[str]]] = {}
    for step, needs in graph.items():
        parent = above[step]
        stages = made.setdefault(parent, [])
        waits = (_sibling(need, parent, above) for need in needs if need != parent)
        stage[step] = max((stage[sibling] + 1 for sibling in waits), default=0)
        if stage[step] == len(stages):
            stages.append([])
        stages[stage[step]].append(step)
    return made


def _sibling(step: str, parent: str | None, above: Mapping[str, str | None]) -> str:
    """The step that stands under `parent` and that `step` belongs to."""
    while (higher := above[step]) != parent:
        assert higher is not None
        step = higher
    return step


def _beneath(
    parent: str | None, lead: str, children: Mapping[str | None, list[list[str]]], *, utf8: bool
) -> Iterator[tuple[str, str, str]]:
    """The steps under `parent`: each with its lead, and the lead of what stands under it."""
    branch, last, trunk = _UTF8 if utf8 else _ASCII
    for stage in children.get(parent, []):
        if len(stage) == 1:
            yield stage[0], lead, lead
            continue
        for step in stage[:-1]:
            yield step, lead + branch, lead + trunk
        yield stage[-1], lead + last, lead + "   "
