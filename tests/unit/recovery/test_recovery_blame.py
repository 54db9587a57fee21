"""Whose fault it is: roots before dependants, nobody before everybody was asked, and storms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from controller.model.incident import Evidence
from controller.model.observation import State
from controller.model.probe import ProbeResult
from controller.model.text import text
from controller.model.view import Health, Verdict
from controller.recovery.blame import Blame, blame, storm
from controller.recovery.scene import Busy, Scene
from controller.recovery.trouble import trouble_of
from tests.unit.core.core_builders import NOW, service
from tests.unit.recovery.ward import Ward, probed

SINCE = NOW + timedelta(seconds=10)
SECOND = timedelta(seconds=1)


def verdict(health: str) -> Verdict:
    return Verdict(Health(health), text("health.ok"))


def blamed(ward: Ward, name: str = "web", after_s: float = 11) -> Blame:
    trouble = trouble_of(ward.sights[name])
    assert trouble is not None
    scene = Scene(ward.stack, ward.sights)
    return blame(scene, name, trouble, NOW + timedelta(seconds=after_s))


ASKED_BEFORE: Mapping[str, Any] = {"good_at": SINCE - SECOND}
ASKED_AFTER: Mapping[str, Any] = {"good_at": SINCE}
NOT_WELL = [Health.UNHEALTHY, Health.FAILED, Health.STARTING, Health.STOPPED, Health.HELD]


@pytest.mark.parametrize(
    ("need", "root", "expected"),
    [
        ("db", ASKED_AFTER, Blame()),
        ("db", ASKED_BEFORE, Blame(unsure=("db",))),
        ("db", {"good_at": None}, Blame(unsure=("db",))),
        ("db", {**ASKED_AFTER, "suspect": True}, Blame(unsure=("db",))),
        ("db", {"probed": False, "good_at": None}, Blame()),
        ("db:healthy", {**ASKED_AFTER, "verdict": verdict("unhealthy")}, Blame("db")),
        *[("db", {**ASKED_AFTER, "verdict": verdict(h)}, Blame("db")) for h in NOT_WELL],
        ("db", {**ASKED_AFTER, "busy": Busy.PERSON}, Blame("db")),
        ("db", {**ASKED_AFTER, "busy": Busy.HUB}, Blame("db")),
        ("db?", {"verdict": verdict("failed")}, Blame()),
        ("db?", ASKED_BEFORE, Blame()),
        ("db:completed", {"verdict": verdict("stopped"), "state": State.EXITED}, Blame()),
        ("db:completed", {"verdict": verdict("failed"), "state": State.EXITED}, Blame("db")),
        ("db:completed", {"verdict": verdict("starting")}, Blame()),
    ],
)
def test_a_dependant_is_judged_by_what_it_needs(
    need: str, root: dict[str, Any], expected: Blame
) -> None:
    ward = Ward((probed("web", need), probed("db")))
    ward.fails_probes("web", since=SINCE)
    ward.see("db", **root)
    assert blamed(ward) == expected


def test_a_dependant_that_looks_sick_before_its_root_does_is_not_judged_yet() -> None:
    ward = Ward((probed("web", "db"), probed("db")))
    ward.fails_probes("web", since=SINCE)
    ward.see("db", good_at=SINCE - SECOND)
    assert blamed(ward) == Blame(unsure=("db",))
    ward.see("db", suspect=True)
    assert blamed(ward) == Blame(unsure=("db",))
    ward.fails_probes("db", since=SINCE + SECOND)
    assert blamed(ward) == Blame("db")


def test_what_flaps_is_judged_by_what_its_root_said_after_its_last_complaint() -> None:
    ward = Ward((probed("web", "db"), probed("db")))
    said = text("probe.http", status=500)
    signs = [(0, False), (2, True), (4, False), (5, False), (6, True)]
    probes = tuple(ProbeResult(SINCE + s * SECOND, ok, said) for s, ok in signs)
    ward.fails_probes("web", since=SINCE, evidence=Evidence(last_probes=probes))
    ward.see("db", good_at=SINCE + 4 * SECOND)
    assert blamed(ward, after_s=20) == Blame(unsure=("db",))
    ward.see("db", good_at=SINCE + 5 * SECOND)
    assert blamed(ward, after_s=20) == Blame()


def test_one_sick_dependency_of_several_is_enough() -> None:
    ward = Ward((probed("web", "db", "cache"), probed("db"), probed("cache")))
    ward.fails_probes("web", since=SINCE)
    ward.dies("cache")
    assert blamed(ward) == Blame("cache")


def test_what_is_not_seen_is_not_blamed() -> None:
    ward = Ward((probed("web", "db"), probed("db")))
    ward.fails_probes("web", since=SINCE)
    del ward.sights["db"]
    assert blamed(ward) == Blame()


@pytest.mark.parametrize(
    ("good_s", "expected"),
    [(-599, Blame()), (5, Blame(unsure=("db",)))],
    ids=["asked after the clock was set back", "stamped before it was set back"],
)
def test_a_clock_set_back_does_not_hide_who_was_asked_last(good_s: float, expected: Blame) -> None:
    ward = Ward((probed("web", "db"), probed("db")))
    ward.fails_probes("web", since=SINCE)
    ward.see("db", good_at=NOW + timedelta(seconds=good_s))
    assert blamed(ward, after_s=-590) == expected


def scene(ward: Ward) -> Scene:
    return Scene(ward.stack, ward.sights)


@pytest.mark.parametrize(
    ("sick", "of", "storms"),
    [(2, 3, False), (3, 5, True), (3, 6, False), (4, 6, True), (0, 3, False), (3, 3, True)],
)
def test_over_half_of_the_stack_and_three_at_least_are_a_storm(
    sick: int, of: int, storms: bool
) -> None:
    ward = Ward(tuple(probed(f"s{i}") for i in range(of)))
    for i in range(sick):
        ward.hangs(f"s{i}")
    assert storm(scene(ward), NOW) is storms


def test_suspects_count_in_a_storm_before_they_are_judged() -> None:
    ward = Ward(tuple(probed(f"s{i}") for i in range(3)))
    for i in range(3):
        ward.see(f"s{i}", suspect=True)
    assert storm(scene(ward), NOW)


def test_dependants_of_a_sick_root_are_no_storm() -> None:
    ward = Ward((*(probed(f"s{i}", "db") for i in range(9)), probed("db")))
    for name in ward.sights:
        ward.hangs(name)
    assert not storm(scene(ward), NOW)


def test_deaths_are_no_storm_and_one_shots_and_unprobed_services_are_not_judged() -> None:
    ward = Ward(
        (
            *(probed(f"s{i}") for i in range(3)),
            *(service(f"u{i}") for i in range(9)),
            probed("last", "job:completed"),
            probed("job"),
        )
    )
    for i in range(3):
        ward.dies(f"s{i}")
    assert not storm(scene(ward), NOW)
    for i in range(3):
        ward.hangs(f"s{i}")
    ward.see("job", verdict=verdict("stopped"), state=State.EXITED)
    assert storm(scene(ward), NOW), "three of four that are judged"
