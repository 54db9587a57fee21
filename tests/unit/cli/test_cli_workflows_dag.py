"""The drawing of a graph: chains in a column, branches with lines, joins back where they parted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.cli.dag import Needs, drawn


def graph(**needs: str) -> Needs:
    return tuple((step, tuple(waits.split())) for step, waits in needs.items())


def shown(needs: Needs, *, utf8: bool = True) -> list[str]:
    return [f"{place.lead}{place.id}" for place in drawn(needs, utf8=utf8)]


def test_a_chain_is_a_column() -> None:
    assert shown(graph(a="", b="a", c="b")) == ["a", "b", "c"]


def test_branches_and_their_join() -> None:
    needs = graph(a="", b="a", c="a", d="b c", e="d")
    assert shown(needs) == ["a", "├─ b", "└─ c", "d", "e"]
    assert shown(needs, utf8=False) == ["a", "|- b", "`- c", "d", "e"]
    assert {p.id: p.joins for p in drawn(needs, utf8=True) if p.joins} == {"d": ("b", "c")}


def test_a_branch_within_a_branch() -> None:
    needs = graph(a="", b="a", b1="b", c="a", d="b1 c", x="", z="x d")
    assert shown(needs) == ["├─ a", "│  ├─ b", "│  │  b1", "│  └─ c", "│  d", "└─ x", "z"]


def test_what_waits_for_some_branches_stands_below_all() -> None:
    needs = graph(a="", b="", c="", d="a b", e="c")
    assert shown(needs) == ["├─ a", "├─ b", "└─ c", "   e", "d"]


def test_what_no_hub_accepts_is_drawn_all_the_same() -> None:
    assert sorted(p.id for p in drawn(graph(a="b", b="a", c="gone"), utf8=True)) == ["a", "b", "c"]


def test_a_thousand_steps_in_a_row() -> None:
    needs = tuple((f"s{i}", (f"s{i - 1}",) if i else ()) for i in range(1500))
    assert [place.lead for place in drawn(needs, utf8=True)] == [""] * 1500


@st.composite
def graphs(draw: st.DrawFn) -> Needs:
    size = draw(st.integers(1, 9))
    waits = [draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set() for i in range(size)]
    steps = [(f"s{i}", tuple(f"s{n}" for n in sorted(waits[i]))) for i in range(size)]
    return tuple(draw(st.permutations(steps)))


@given(graphs())
def test_every_step_once_and_below_what_it_waits_for(needs: Needs) -> None:
    order = [place.id for place in drawn(needs, utf8=True)]
    assert sorted(order) == sorted(step for step, _ in needs)
    line = {step: number for number, step in enumerate(order)}
    assert all(line[need] < line[step] for step, waits in needs for need in waits)


@given(graphs())
def test_a_line_goes_in_by_one_branch_at_most(needs: Needs) -> None:
    depths = [len(place.lead) // 3 for place in drawn(needs, utf8=True)]
    assert depths[0] <= 1
    assert all(after <= before + 1 for before, after in pairwise(depths))


@pytest.mark.parametrize("utf8", [True, False])
def test_nothing_to_draw(utf8: bool) -> None:
    assert drawn((), utf8=utf8) == ()
