"""Concludes from engine state, probes and wish what a service is, and says why; pure.

The order of the questions is the point: what the engine does not know nobody knows, a process that
is gone needs no probe, and only a running one is judged by its answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from controller.health.history import ProbeHistory
from controller.model.observation import ContainerObs, State
from controller.model.probe import ProbeResult
from controller.model.recovery import Healing
from controller.model.spec import ProbeKind, ProbeSpec, ServiceSpec
from controller.model.text import Text, text
from controller.model.view import Desired, Health, Verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one service.

    `note` is why the last attempt to change it failed, while that still explains its state;
    `phase` what is being done to it right now; `one_shot` that others wait for it to finish;
    `lost_share` the service of which it holds a namespace or volumes of a container that is gone.
    """

    spec: ServiceSpec
    desired: Desired
    container: ContainerObs | None
    probes: ProbeHistory | None
    engine_connected: bool
    note: Verdict | None = None
    phase: Text | None = None
    one_shot: bool = False
    healing: Healing | None = None
    lost_share: str | None = None


def conclude(evidence: Evidence, now: datetime) -> Verdict:
    """The verdict as people see it: an operation under way shows as `starting`, not as failed, and
    what recovery has decided is said instead of the symptom it saw."""
    verdict = judge(evidence, now)
    gone = (Health.FAILED, Health.STOPPED, Health.BLOCKED)
    if evidence.phase is not None and verdict.health in gone:
        return Verdict(Health.STARTING, evidence.phase)
    decided = evidence.healing.verdict if evidence.healing else None
    if decided is not None and verdict.health is not Health.UNKNOWN:
        return decided
    return verdict


def judge(evidence: Evidence, now: datetime) -> Verdict:
    """The bare verdict, as the executor's gates and recovery need it."""
    if not evidence.engine_connected:
        return Verdict(Health.UNKNOWN, text("health.engine_unreachable"))
    container = evidence.container
    if container is None:
        return _absent(evidence)
    match container.state:
        case State.RUNNING:
            return _running(evidence, container, now)
        case State.PAUSED:
            return Verdict(Health.HELD, text("health.paused"))
        case State.RESTARTING:
            return Verdict(Health.STARTING, text("health.restarting"))
        case State.REMOVING:
            return Verdict(Health.UNKNOWN, text("health.removing"))
        case State.CREATED:
            return _absent(evidence)
        case _:
            return _ended(evidence, container)


def _absent(evidence: Evidence) -> Verdict:
    if evidence.desired is Desired.STOPPED:
        return Verdict(Health.STOPPED, text("health.stopped_never_started"))
    if evidence.note is not None:
        return evidence.note
    missing = evidence.container is None
    return Verdict(Health.FAILED, text("health.missing" if missing else "health.never_started"))


def _ended(evidence: Evidence, container: ContainerObs) -> Verdict:
    code = container.exit_code if container.exit_code is not None else -1
    if evidence.one_shot and code == 0:
        return Verdict(Health.STOPPED, text("health.completed"))
    if evidence.desired is Desired.STOPPED:
        return Verdict(Health.STOPPED, text("health.stopped", code=code))
    if evidence.note is not None:
        return evidence.note
    return Verdict(Health.FAILED, exit_sentence(container))


def exit_sentence(container: ContainerObs) -> Text:
    """Why a container ended, from its exit code; OOM only where it ended the main process."""
    code = container.exit_code if container.exit_code is not None else -1
    if container.oom_killed and code == 137:
        return text("exit.oom")
    if code in (126, 127):
        return text("exit.command", code=code)
    if code > 128:
        return text("exit.signal", code=code, signal=code - 128)
    return text("exit.code", code=code)


def _running(evidence: Evidence, container: ContainerObs, now: datetime) -> Verdict:
    if evidence.lost_share is not None:
        return Verdict(Health.UNHEALTHY, text("health.lost_share", service=evidence.lost_share))
    kind = evidence.spec.probe.kind
    if kind is ProbeKind.NONE:
        return Verdict(Health.HEALTHY, text("health.running_unprobed"))
    if kind is ProbeKind.ENGINE:
        return _by_healthcheck(container)
    return _by_probes(evidence, container, now)


def _by_healthcheck(container: ContainerObs) -> Verdict:
    match container.health:
        case "healthy":
            return Verdict(Health.HEALTHY, text("health.healthcheck_ok"))
        case "unhealthy":
            return Verdict(Health.UNHEALTHY, text("health.healthcheck_failed"))
        case "starting":
            return Verdict(Health.STARTING, text("health.healthcheck_starting"))
        case _:
            return Verdict(Health.HEALTHY, text("health.running_unprobed"))


def _by_probes(evidence: Evidence, container: ContainerObs, now: datetime) -> Verdict:
    probe, history = evidence.spec.probe, evidence.probes
    if history is None or history.incarnation != container.incarnation:
        return Verdict(Health.STARTING, text("health.not_probed"))
    if history.forgiven:
        return Verdict(Health.STARTING, text("health.asked_anew"))
    if history.last is None:
        return Verdict(Health.STARTING, text("health.not_probed"))
    if history.ready_at is None:
        return _before_ready(history, history.last, container, probe, now)
    return _since_ready(history, history.last, probe)


def _before_ready(
    history: ProbeHistory,
    last: ProbeResult,
    container: ContainerObs,
    probe: ProbeSpec,
    now: datetime,
) -> Verdict:
    since = container.started_at or history.results[0].at
    started_long_ago = (now - since).total_seconds() >= probe.startup_s
    if not started_long_ago or not _bad_for_long(history, probe, now):
        return Verdict(Health.STARTING, text("health.waiting", last=last.said))
    seconds = round(probe.startup_s)
    return Verdict(Health.UNHEALTHY, text("health.never_ready", seconds=seconds, last=last.said))


def _bad_for_long(history: ProbeHistory, probe: ProbeSpec, now: datetime) -> bool:
    """Bad for as long as a ready service may be: a hub that has just come back knows nothing of
    a long life, asks quickly, and must not condemn it for one slow moment."""
    if history.first_bad_at is None or history.failures_in_a_row < probe.failures:
        return False
    bad_s = (now - history.first_bad_at).total_seconds()
    return bad_s >= (probe.failures - 1) * probe.interval_s


def _since_ready(history: ProbeHistory, last: ProbeResult, probe: ProbeSpec) -> Verdict:
    if history.unhealthy and last.ok:
        good = history.successes_in_a_row
        return Verdict(
            Health.UNHEALTHY, text("health.recovering", good=good, needed=probe.successes)
        )
    if history.unhealthy:
        count = history.failures_in_a_row
        return Verdict(Health.UNHEALTHY, text("health.failing", count=count, last=last.said))
    if history.flapping:
        bad = sum(not result.ok for result in history.window)
        return Verdict(
            Health.UNHEALTHY, text("health.flapping", bad=bad, count=len(history.window))
        )
    return Verdict(Health.HEALTHY, text("health.ok"))
