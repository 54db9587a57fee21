"""The drawing of a workflow: what waits stands right of what it waits for, and nothing overlaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from controller.dashboard import dag

Needs = Mapping[str, Sequence[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Needs:
    """Any acyclic graph of a few steps, not in order."""
    n = draw(st.integers(1, 14))
    names = draw(st.permutations([f"s{at}" for at in range(n)]))
    needs = {
        name: draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=4)) if at else []
        for at, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


def everything_before(needs: Needs, step: str) -> set[str]:
    return {far for need in needs[step] for far in (need, *everything_before(needs, need))}


def drawn(needs: Needs) -> dag.Drawing:
    drawing = dag.draw(needs)
    assert drawing is not None
    return drawing


@given(graphs())
def test_every_step_stands_right_of_what_it_waits_for(needs: Needs) -> None:
    at = {node.id: node for node in drawn(needs).nodes}
    assert list(at) == list(needs)
    for step, before in needs.items():
        for need in before:
            assert at[need].x + dag.WIDTH < at[step].x


@given(graphs())
def test_no_two_steps_overlap_and_all_is_inside(needs: Needs) -> None:
    drawing = drawn(needs)
    for one, other in combinations(drawing.nodes, 2):
        apart = abs(one.x - other.x) >= dag.WIDTH or abs(one.y - other.y) >= dag.HEIGHT
        assert apart, (one, other)
    for node in drawing.nodes:
        assert 0 <= node.x <= drawing.width - dag.WIDTH
        assert 0 <= node.y <= drawing.height - dag.HEIGHT


@given(graphs())
def test_fewer_lines_say_the_same(needs: Needs) -> None:
    fewer = dag.without_detours(needs)
    for step in needs:
        assert everything_before(fewer, step) == everything_before(needs, step)
        for need in fewer[step]:
            others = [other for other in fewer[step] if other != need]
            assert all(need not in everything_before(needs, other) for other in others)
    lines = {(edge.before, edge.after) for edge in drawn(needs).edges}
    assert lines == {(need, step) for step, before in fewer.items() for need in before}


def test_a_chain_is_one_line_and_branches_stand_side_by_side() -> None:
    chain = drawn({"a": [], "b": ["a"], "c": ["b"]})
    assert len({node.y for node in chain.nodes}) == 1
    fork = {node.id: node for node in drawn({"a": [], "b": ["a"], "c": ["a"]}).nodes}
    assert fork["b"].x == fork["c"].x
    assert fork["b"].y < fork["a"].y < fork["c"].y


def test_a_line_that_passes_a_layer_leaves_room_for_itself() -> None:
    drawing = drawn({"a": [], "b": ["a"], "c": ["b"], "d": ["c", "x"], "x": []})
    at = {node.id: node for node in drawing.nodes}
    passing = next(edge for edge in drawing.edges if edge.before == "x")
    # It runs straight beside the layers of b and c, and not through them.
    levels = [float(part.split()[-1]) for part in passing.line.split("H")[:-1]]
    assert len(levels) == 2
    for level in levels:
        for step in ("b", "c"):
            assert not at[step].y <= level <= at[step].y + dag.HEIGHT


def test_lines_do_not_cross_where_they_need_not() -> None:
    needs = {"a": [], "b": [], "c": [], "z": ["a"], "y": ["b"], "x": ["c"]}
    at = {node.id: node for node in drawn(needs).nodes}
    assert at["a"].y == at["z"].y
    assert at["b"].y == at["y"].y
    assert at["c"].y == at["x"].y


def test_too_many_steps_are_not_drawn() -> None:
    assert dag.draw({f"s{n}": [] for n in range(dag.MOST)}) is not None
    assert dag.draw({f"s{n}": [] for n in range(dag.MOST + 1)}) is None
