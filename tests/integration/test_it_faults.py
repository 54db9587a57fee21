"""Faults on the real engine: the home stack's images, frozen, slowed, killed and given back."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from controller import clock
from controller.engine import faults
from controller.engine.client import DockerEngine
from controller.engine.faults import LABEL_FAULT, Injection
from controller.engine.mapping import ImageMissingError
from controller.errors import EngineConflictError, EngineError, EngineNotFoundError
from controller.model.observation import State
from controller.model.rehearsal import Fault
from tests.integration.conftest import Ports
from tests.integration.it_engine import PROJECT, SERVICE, Json, Witness
from tests.integration.it_wait import eventually, pause

HUB_IMAGE = "heal7/hub:0.1.0"
SERVICE_IMAGE = "heal7/saju-service:0.1.0"
LIMIT_S = 60.0
TIMEOUT_S = 0.4


@dataclass(frozen=True, slots=True)
class Target:
    """One service's container that serves on `port` of loopback."""

    engine: DockerEngine
    witness: Witness
    project: str
    id: str
    port: int

    def answers(self, timeout_s: float = TIMEOUT_S, after_s: float = 0.0) -> bool:
        pause(after_s)
        url = f"http://127.0.0.1:{self.port}/health"
        try:
            with urllib.request.urlopen(url, timeout=timeout_s) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def inject(self, fault: Fault, **more: Any) -> Injection:
        wanted: dict[str, Any] = {
            "image": HUB_IMAGE,
            "limit_s": LIMIT_S,
            "probe_timeout_s": TIMEOUT_S,
        }
        return faults.inject(self.engine, self.id, fault, **{**wanted, **more})

    def helpers(self) -> list[Json]:
        label = f"{faults.LABEL_FAULT_PROJECT}={self.project}"
        found: list[Json] = self.witness.api.api.containers(all=True, filters={"label": label})
        return found

    def state(self) -> State:
        return self.engine.inspect(self.id).state

    def frozen(self) -> list[bool]:
        return [_stands_still(pid) for pid in self.engine.top_pids(self.id)]


def _stands_still(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


Make = Callable[..., Target]


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    found = DockerEngine()
    yield found
    found.close()


@pytest.fixture
def make(engine: DockerEngine, witness: Witness, free_port: Ports) -> Iterator[Make]:
    api = witness.api.api
    project = clock.new_id("heal7-it-faults").replace("_", "-")

    def build(*, init: bool = True, service: str = "saju") -> Target:
        port = free_port()
        made = api.create_container(
            SERVICE_IMAGE,
            labels={PROJECT: project, SERVICE: service},
            user="10001:10001",
            ports=[8012],
            host_config=api.create_host_config(
                init=init,
                port_bindings={8012: ("127.0.0.1", port)},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                tmpfs={"/data": "uid=10001", "/tmp": ""},
            ),
        )["Id"]
        api.start(made)
        target = Target(engine, witness, project, made, port)
        eventually(target.answers, what="the service answers")
        return target

    yield build
    faults.sweep(engine, project)
    witness.remove_containers(project)


@pytest.fixture(params=[True, False], ids=["init", "no-init"])
def target(make: Make, request: pytest.FixtureRequest) -> Target:
    return make(init=request.param)


def test_a_hang_freezes_every_process_until_it_is_undone(target: Target) -> None:
    before = clock.now()
    injection = target.inject(Fault.HANG)
    assert before <= injection.injected_at <= clock.now()
    assert all(target.frozen())
    assert not target.answers(1.0)
    assert target.state() is State.RUNNING
    faults.undo(target.engine, injection)
    assert target.answers(5.0)
    assert not any(target.frozen())
    eventually(lambda: not target.helpers(), what="the helper is gone")
    faults.undo(target.engine, injection)


def test_the_helper_can_do_little_and_is_ours_to_find(make: Make) -> None:
    target = make(service="web")
    injection = target.inject(Fault.HANG)
    raw = target.witness.api.api.inspect_container(injection.helper_id)
    host, labels = raw["HostConfig"], raw["Config"]["Labels"]
    assert labels[LABEL_FAULT] == "web"
    assert PROJECT not in labels
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], ["KILL"])
    assert (host["NetworkMode"], host["PidMode"]) == ("none", "host")
    assert host["ReadonlyRootfs"]
    assert host["AutoRemove"]
    assert not host["Privileged"]
    assert not raw["Mounts"]


def test_a_hang_undoes_itself_when_its_time_is_over(target: Target) -> None:
    """What happens where the hub dies meanwhile: nobody calls undo."""
    injection = target.inject(Fault.HANG, limit_s=2.0)
    assert not target.answers()
    eventually(target.answers, what="it runs again")
    assert clock.now() - injection.injected_at < timedelta(seconds=6)
    eventually(lambda: not target.helpers(), what="the helper is gone")


def test_a_hung_container_can_be_stopped_and_its_next_life_is_left_alone(make: Make) -> None:
    """What healing does: the fault ends with the life it was injected into."""
    target = make()
    target.inject(Fault.HANG)
    assert target.engine.stop(target.id, 1)
    target.engine.start(target.id)
    eventually(target.answers, what="the next life answers")
    eventually(lambda: not target.helpers(), what="the helper is gone")
    assert not any(target.frozen())


def test_what_stood_still_before_is_not_set_going(make: Make) -> None:
    # Without an init: docker-init hands the signal that sets it going on to its child.
    target = make(init=False)
    (pid,) = target.engine.top_pids(target.id)
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: _stands_still(pid))
    faults.undo(target.engine, target.inject(Fault.HANG))
    assert target.frozen() == [True]
    os.kill(pid, signal.SIGCONT)
    eventually(target.answers)


def test_slow_lets_few_probes_through(make: Make) -> None:
    target = make()
    injection = target.inject(Fault.SLOW)
    seen = [target.answers(after_s=0.3) for _ in range(24)]
    faults.undo(target.engine, injection)
    assert 1 <= sum(seen) <= 12, seen
    assert target.answers(5.0)


def test_a_crash_is_a_killed_main_process(target: Target) -> None:
    before = clock.now()
    injection = target.inject(Fault.CRASH)
    eventually(lambda: target.state() is State.EXITED)
    found = target.engine.inspect(target.id)
    assert found.exit_code == 137
    assert found.finished_at is not None
    assert before <= injection.injected_at <= found.finished_at
    faults.undo(target.engine, injection)
    assert target.helpers() == []


def test_a_stop_is_one_beside_the_hub(target: Target) -> None:
    target.inject(Fault.STOP)
    assert target.state() is State.EXITED


@pytest.mark.parametrize("fault", Fault)
def test_what_does_not_run_cannot_be_hurt(make: Make, fault: Fault) -> None:
    target = make()
    target.engine.stop(target.id, 3)
    with pytest.raises(EngineConflictError):
        target.inject(fault)
    assert target.helpers() == []


@pytest.mark.parametrize("fault", Fault)
def test_a_container_that_is_gone_is_said_to_be(make: Make, fault: Fault) -> None:
    target = make()
    target.engine.remove(target.id, force=True)
    with pytest.raises(EngineNotFoundError):
        target.inject(fault)


def test_a_missing_image_is_said_with_its_remedy(make: Make) -> None:
    target = make()
    with pytest.raises(ImageMissingError) as caught:
        target.inject(Fault.HANG, image="heal7/none:0")
    assert "heal7/none:0" in str(caught.value.remedy)
    assert target.answers()


def test_a_main_process_that_is_not_the_containers_is_never_touched(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process id was given to another one meanwhile: here, to this test."""
    target = make()
    real = faults._target
    stale: Callable[..., Any] = lambda *a: _with_pid(real(*a), os.getpid())  # noqa: E731
    monkeypatch.setattr(faults, "_target", stale)
    with pytest.raises(EngineError, match="main process has gone"):
        target.inject(Fault.HANG)
    assert target.answers()
    eventually(lambda: not target.helpers(), what="the helper is gone")


def _with_pid(target: Any, pid: int) -> Any:
    return type(target)(target.id, pid, target.service, target.project)


def test_the_sweep_of_a_new_hub_undoes_what_the_last_one_left(make: Make) -> None:
    target = make()
    target.inject(Fault.HANG)
    assert faults.sweep(target.engine, "another-project") == 0
    assert not target.answers()
    assert faults.sweep(target.engine, target.project) == 1
    assert target.answers(5.0)
    eventually(lambda: not target.helpers(), what="the helper is gone")
    assert faults.sweep(target.engine, target.project) == 0
