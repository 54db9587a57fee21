"""Containers that no file speaks of: which they are, and that nothing else is ever removed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import container, seen, service, stack

from controller.errors import NotFoundError
from controller.model.observation import ContainerObs, State
from controller.orchestrator.orphans import chosen, orphans, removal

DECLARED = replace(stack(service("web"), service("db")), disabled=frozenset({"debug"}))
OLD = container("old")
ENDED = container("gone", state=State.EXITED)


def names(*found: ContainerObs) -> list[str]:
    return [one.service for one in orphans(DECLARED, seen(*found))]


def test_services_under_a_profile_that_nobody_enabled_are_declared() -> None:
    assert names(container("web"), container("debug"), OLD, container("db")) == ["old"]


def test_what_is_going_and_the_hub_are_no_orphans() -> None:
    assert names(replace(OLD, state=State.REMOVING), replace(ENDED, is_hub=True)) == []


def test_every_container_of_a_service_that_is_gone_is_one() -> None:
    second = replace(OLD, id="2" * 64, name="heal7-old-2", number=2)
    assert [one.name for one in orphans(DECLARED, seen(second, ENDED, OLD))] == [
        "heal7-gone-1",
        "heal7-old-1",
        "heal7-old-2",
    ]


def test_only_what_runs_is_stopped_first() -> None:
    plan = removal([OLD, ENDED, replace(container("still"), state=State.PAUSED)])
    assert [line.partition(":")[0] for line in str(plan).splitlines()] == [
        "1 stop old [heal7-old-1]",
        "2 remove old [heal7-old-1] after 1",
        "3 remove gone [heal7-gone-1]",
        "4 unpause still [heal7-still-1]",
        "5 stop still [heal7-still-1] after 4",
        "6 remove still [heal7-still-1] after 5",
    ]


def test_they_are_named_by_name_or_id_each_once() -> None:
    assert chosen([OLD, ENDED], [OLD.name, OLD.id]) == (OLD,)


@pytest.mark.parametrize("wanted", ["heal7-web-1", "../images/x", ""])
def test_nothing_else_can_be_meant(wanted: str) -> None:
    with pytest.raises(NotFoundError, match="is not an orphan"):
        chosen([OLD], [OLD.name, wanted])


def test_more_containers_than_are_declared_are_no_orphans() -> None:
    third = replace(container("web"), number=3, name="heal7-web-3")
    found = replace(seen(), containers={"web-3": (third,), "old": (OLD,)})
    for count in (0, 2):
        assert orphans(replace(DECLARED, replicas={"web": count}), found) == (OLD,)
