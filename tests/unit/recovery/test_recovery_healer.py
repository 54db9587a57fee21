"""What healing does for each way a service falls ill, and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from controller.model.incident import Act, Ending, Kind
from controller.model.observation import State
from controller.model.recovery import Attempt, Record
from controller.model.spec import (
    HealingLimits,
    HealthCheck,
    ProbeKind,
    ProbeSpec,
    RecoveryPolicy,
)
from controller.model.text import text
from controller.model.view import Desired, Health, Verdict
from controller.recovery.healer import exempt
from controller.recovery.scene import Busy, Memory
from tests.unit.core.core_builders import NOW, service
from tests.unit.recovery.ward import (
    Ward,
    crash_loop,
    healed,
    lines,
    probed,
    shown,
)

ONE = (probed("web"),)
PAIR = (probed("web", "db"), probed("db"))


def test_nothing_is_done_where_nothing_is_wrong() -> None:
    ward = Ward(PAIR)
    turn = ward.turn()
    assert (turn.orders, turn.incidents, shown(turn), turn.look_again_at) == ((), (), {}, None)


def test_a_crash_is_started_at_once_and_its_incident_tells_all() -> None:
    ward = Ward(ONE)
    ward.dies("web", 3)
    ward.later(0.2)
    order = ward.heal()
    assert (order.service, order.act, order.life) == ("web", Act.START, "web@1")
    assert order.cause == text("incident.at_once")
    incident = ward.incident("web")
    assert incident is not None
    assert (order.incident, incident.kind, incident.detect_ms) == (incident.id, Kind.CRASH, 200)
    ward.later(1)
    ward.ends(order, life=2)
    turn = ward.turn()
    assert turn.orders == ()
    (closed,) = ward.closed
    assert (closed.outcome, closed.recover_ms) == (Ending.RECOVERED, 1200)
    assert lines(closed.timeline) == ["start done"]
    assert shown(turn) == {}


def test_a_hang_is_ended_after_a_short_grace_and_other_failures_after_the_declared_one() -> None:
    ward = Ward((probed("web", grace_s=2), probed("api", grace_s=2)), HealingLimits(at_once=2))
    ward.hangs("web")
    ward.fails_probes("api")
    web, api = ward.turn().orders
    assert (web.act, web.grace_s) == (Act.RESTART, 2)
    assert (api.act, api.grace_s) == (Act.RESTART, 10)
    kinds = [i.kind for i in ward.memory.incidents.values()]
    assert kinds == [Kind.HANG, Kind.UNHEALTHY]


def test_out_of_memory_is_named_and_started_again() -> None:
    ward = Ward(ONE)
    ward.dies("web", 137, oom_killed=True)
    assert ward.heal().act is Act.START
    incident = ward.incident("web")
    assert incident is not None
    assert (incident.kind, incident.cause) == (Kind.OOM, text("exit.oom"))


def test_a_container_that_vanished_is_made_again() -> None:
    ward = Ward(ONE)
    ward.vanishes("web")
    order = ward.heal()
    assert (order.act, order.life) == (Act.START, "")


def test_a_configuration_error_is_tried_slowly_and_never_given_up() -> None:
    ward = Ward((probed("web", max_restarts=2),))
    ward.fails_to_start("web", "fail.port_taken", port="8000")
    waits = []
    for _ in range(8):
        turn = ward.turn()
        assert turn.orders == ()
        assert turn.look_again_at is not None
        waits.append((turn.look_again_at - ward.now).total_seconds())
        ward.now = turn.look_again_at
        ward.ends(ward.heal(), "failed")
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
    assert ward.record("web").restarts == ()
    incident = ward.incident("web")
    assert incident is not None
    assert incident.kind is Kind.CONFIG_ERROR


def test_a_registry_that_keeps_one_waiting_keeps_no_other_from_being_healed() -> None:
    ward = Ward((probed("web"), probed("api")), HealingLimits(at_once=1))
    ward.fails_to_start("web", "fail.pull_silent", image="far:1", seconds="60")
    ward.turn()
    ward.later(10)
    assert ward.heal().service == "web"
    ward.see("web", busy=Busy.HUB)
    ward.dies("api")
    assert ward.heal().service == "api"


def test_a_lost_namespace_needs_a_new_container() -> None:
    ward = Ward(ONE)
    ward.fails_to_start("web", "fail.namespace_gone", detail="no such container")
    order = ward.heal()
    assert (order.act, order.cause) == (Act.REPLACE, text("incident.replaced"))


def test_a_lost_share_is_made_anew_once_its_owner_is_well() -> None:
    ward = Ward((probed("net"), probed("app", "net:healthy")))
    lost = Verdict(Health.UNHEALTHY, text("health.lost_share", service="net"))
    ward.starts("net")
    ward.see("app", verdict=lost, since=ward.now)
    assert ward.turn().orders == ()
    incident = ward.incident("app")
    assert incident is not None
    assert incident.kind is Kind.DEPENDENCY
    # Nothing that its own probes say is worse than before: what it lost is lost all the same.
    ward.later(5)
    ward.is_well("net")
    order = ward.heal()
    assert (order.service, order.act, order.cause) == ("app", Act.REPLACE, lost.reason)


def test_after_enough_tries_in_a_row_the_container_is_made_anew() -> None:
    ward = Ward((probed("web", replace_after=2),))
    acts = []
    for life in range(1, 7):
        ward.dies("web", life=f"web@{life}")
        ward.turn()
        ward.later(60)
        acts.append(ward.heal().act if not ward.record("web").attempt else Act.START)
        ward.memory = replace(
            ward.memory,
            records={"web": replace(ward.record("web"), attempt=None)},
        )
    assert acts == [Act.START, Act.START, Act.REPLACE, Act.START, Act.START, Act.REPLACE]


def test_flapping_and_late_failures_count_as_the_hubs_verdict_says() -> None:
    ward = Ward(ONE)
    verdict = Verdict(Health.UNHEALTHY, text("health.flapping", bad=5, count=20))
    ward.fails_probes("web", verdict=verdict)
    assert ward.heal().act is Act.RESTART


def test_a_dependant_is_blocked_then_asked_anew_then_healed_only_by_newer_bad_signs() -> None:
    ward = Ward(PAIR)
    ward.hangs("db")
    ward.fails_probes("web")
    turn = ward.turn()
    (order,) = turn.orders
    assert order.service == "db"
    assert shown(turn)["web"] is Health.BLOCKED
    web, db = ward.incident("web"), ward.incident("db")
    assert web is not None
    assert db is not None
    assert (web.kind, web.root, lines(web.timeline)) == (Kind.DEPENDENCY, db.id, ["block"])
    ward.later(5)
    ward.ends(order, life=2)
    turn = ward.turn()
    assert turn.forgive == ("web",)
    assert turn.orders == ()
    assert shown(turn)["web"] is Health.BLOCKED
    assert ward.timeline("web") == ["block", "unblock"]
    assert ward.turn().forgive == (), "it is forgiven once"
    ward.later(5)
    ward.see("db", good_at=ward.now)
    ward.fails_probes("web", since=ward.now)
    assert ward.heal().service == "web"


def test_a_dependant_that_answers_again_was_never_touched() -> None:
    ward = Ward(PAIR)
    ward.hangs("db")
    ward.fails_probes("web")
    order = ward.heal()
    ward.later(5)
    ward.ends(order, life=2)
    ward.turn()
    ward.is_well("web")
    assert ward.turn().orders == ()
    assert sorted((i.service, i.restarts) for i in ward.closed) == [("db", 1), ("web", 0)]


def test_a_dependant_that_died_with_its_root_is_started_after_it() -> None:
    ward = Ward(PAIR)
    ward.dies("db")
    ward.dies("web")
    order = ward.heal()
    assert order.service == "db"
    ward.later(1)
    ward.ends(order, life=2)
    assert ward.heal().service == "web"


def test_a_dependency_is_asked_before_its_dependant_is_judged() -> None:
    ward = Ward(PAIR)
    ward.later(5)
    ward.fails_probes("web")
    turn = ward.turn()
    assert (turn.ask, turn.orders, turn.incidents) == (frozenset({"db"}), (), ())
    assert turn.look_again_at == ward.now + timedelta(seconds=1)
    ward.see("db", good_at=ward.now)
    assert ward.heal().service == "web"


def test_what_died_has_its_incident_at_once_and_waits_for_its_dependency_to_answer() -> None:
    ward = Ward(PAIR)
    ward.later(5)
    ward.dies("web")
    turn = ward.turn()
    assert (turn.ask, turn.orders, len(turn.opened)) == (frozenset({"db"}), (), 1)
    ward.see("db", good_at=ward.now)
    assert ward.heal().service == "web"


def test_those_that_asked_to_follow_are_restarted_along() -> None:
    specs = (
        probed("web", "db!"),
        probed("old", "db!"),
        probed("left", "db!", policy=RecoveryPolicy.NONE),
        probed("tired", "db!"),
        replace(probed("foreign", "db!"), managed=False),
        probed("db"),
    )
    ward = Ward(specs)
    ward.see("old", desired=Desired.STOPPED, state=State.EXITED)
    ward.memory = Memory({"tired": Record(gave_up_at=NOW, gave_up_life="tired@1")})
    ward.fails_probes("tired")
    ward.dies("db")
    assert ward.heal().followers == ("web",)


def test_a_follower_with_an_incident_is_told_of_its_restart() -> None:
    ward = Ward((probed("web", "db!"), probed("db")))
    ward.fails_probes("web")
    ward.dies("db")
    order = ward.heal()
    assert (order.service, order.followers) == ("db", ("web",))
    ward.see("db", busy=Busy.HUB)
    ward.see("web", busy=Busy.HUB)
    ward.turn()
    ward.see("web", busy=Busy.NO)
    ward.ends(order, life=2)
    ward.is_well("web", 2)
    ward.turn()
    told = {i.service: lines(i.timeline) for i in ward.closed}
    assert told["db"] == ["start done"]
    assert told["web"] == ["restart done"]


def test_a_sick_follower_gets_no_order_of_its_own() -> None:
    ward = Ward((probed("web", "db!?"), probed("db")), HealingLimits(at_once=2))
    ward.hangs("web")
    ward.hangs("db")
    order = ward.heal()
    assert (order.service, order.followers) == ("db", ("web",))
    assert ward.record("web").attempt is None


def test_the_engines_own_check_is_waited_for_one_round_after_its_root_is_well() -> None:
    check = HealthCheck(("CMD", "true"), interval_s=5, timeout_s=2)
    asked = healed(service("web", "db", probe=ProbeSpec(ProbeKind.ENGINE)))
    spec = replace(asked, container=replace(asked.container, healthcheck=check))
    ward = Ward((spec, probed("db")))
    ward.fails_probes("web", suspect=False)
    ward.dies("db")
    order = ward.heal()
    ward.later(3)
    ward.ends(order, life=2)
    turn = ward.turn()
    assert (turn.orders, turn.look_again_at) == ((), ward.now + timedelta(seconds=7))
    ward.later(6.9)
    assert ward.turn().orders == ()
    ward.later(0.1)
    assert ward.heal().service == "web"


def test_what_left_the_stack_leaves_no_incident_open() -> None:
    ward = Ward((probed("web"), probed("gone")))
    ward.dies("gone")
    ward.heal()
    only = Ward(ONE, memory=ward.memory)
    only.turn()
    assert [(i.service, i.outcome) for i in only.closed] == [("gone", Ending.OPERATOR)]
    assert exempt(only.memory) <= {"gone"}


def test_a_record_of_a_service_that_left_takes_nobodys_place() -> None:
    left = Record(attempt=Attempt(NOW, Act.START, "x", text("incident.at_once")))
    ward = Ward(ONE, HealingLimits(at_once=1), memory=Memory({"gone": left}))
    ward.dies("web")
    assert ward.heal().service == "web"


def test_a_rehearsal_is_named_in_the_incident_it_caused() -> None:
    ward = Ward(ONE)
    ward.dies("web")
    ward.turn(rehearsals={"web": "reh_1"})
    incident = ward.incident("web")
    assert incident is not None
    assert incident.rehearsal == "reh_1"


def test_a_clock_set_back_does_not_keep_a_planned_try_waiting() -> None:
    ward = Ward(ONE)
    crash_loop(ward, 3)
    ward.dies("web", life="web@4")
    ward.turn()
    ward.later(-600)
    turn = ward.turn()
    assert turn.look_again_at == ward.now + timedelta(seconds=4)
    ward.later(4)
    assert ward.heal().act is Act.REPLACE
