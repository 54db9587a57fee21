"""The whole hub killed over the home stack's own services, on the machine's engine.

The diamond's steps are real work: four pillars, a look at the timing, a check of the chart, a page
of the demo site, a check of records (which a quarter of the runs fail), and an invoice read. What
was done how often is told by the services' own metrics, which no hub can touch.
"""

from __future__ import annotations

import random  # noqa: TID251 - seeded, so that a failure can be repeated
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from bench import stack as http
from bench.chaos.arena import RESILIENT, Arena, port_of
from controller.workflow.faultpoints import POINTS
from tests.crash import flow
from tests.crash.campaign import AT_RANDOM, Findings, Kill
from tests.crash.service import What
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack
from tests.integration.it_wait import eventually, pause

_BIRTH = {"datetime": "1992-10-24T05:30", "gender": "female", "longitude": 126.978}
_GOOD, _BAD = [{"n": 1}], [{"n": "one"}]
_RULE = {"type": "object", "properties": {"n": {"type": "integer"}}}
_TIMING = [{"service": "saju-service", "latency_ms": 12.5, "status": "succeeded"}]
_INVOICE = http.ROOT / "images" / "paperwork-service" / "tests" / "data" / "invoice.pdf"
_LIFE_S = 90.0
_LATEST_S = 2.0
_ENDED = ("succeeded", "compensated", "failed", "compensation_failed", "cancelled")
_ACTIONS = {
    "a": ("saju-service", "calculate"),
    "b": ("ai-monitoring-service", "monitor"),
    "c": ("test-service", "quality-check"),
    "d": ("crawling-service", "crawl"),
    "e": ("test-service", "validate"),
    "f": ("paperwork-service", "process"),
}
_REFUSES = "e"
_METRIC = re.compile(r'heal7_actions_total\{action="([^"]+)",outcome="([^"]+)"\} (\S+)')
Json = dict[str, Any]


def _workflow() -> Json:
    inputs: Mapping[str, Json] = {
        "a": _BIRTH,
        "b": {"workflow_run": "${{ run.id }}", "steps": _TIMING},
        "c": {"service": "saju-service", "result": "${{ steps.a.output.result }}"},
        "d": {"start_urls": ["http://demo-site:8080/"], "max_pages": 1, "max_depth": 0},
        "e": {"records": "${{ input.records }}", "schema": _RULE, "must_pass": True},
        "f": {"document_id": "${{ input.document }}", "operations": ["extract"]},
    }
    steps = [
        {
            "id": step,
            "service": service,
            "action": action,
            "needs": list(flow.NEEDS[step]),
            "input": inputs[step],
        }
        for step, (service, action) in _ACTIONS.items()
    ]
    return {"steps": steps, "output": "${{ steps.a.output.result.pillars }}"}


def planned(number: int, chance: random.Random) -> list[Kill]:
    """Every point as often as that allows, the rest at random."""
    each = number * 3 // 4 // len(POINTS)
    made = [Kill(point, chance.randint(1, 2)) for point in POINTS for _ in range(each)]
    made += [Kill(None, after_s=chance.uniform(0, _LATEST_S)) for _ in range(number - len(made))]
    chance.shuffle(made)
    return made


def run(number: int, runs: int, chance: random.Random, step: Callable[[], None]) -> Findings:
    """Kill the hub so often over about so many runs, and judge."""
    with Arena() as arena:
        services, volumes = arena.home(RESILIENT)
        flows = {flow.NAME: _workflow()}
        home = arena.stack(services, volumes=volumes, workflows=flows)
        # The services are started once, and no hub that is killed ever touches them.
        arena.hub(home).stop()
        play = _Play(home, arena.free_port(), _document(home))
        for at, kill in enumerate(planned(number, chance), start=1):
            play.life(kill, -(-runs * at // number))
            step()
        return play.judged()


def _document(home: Stack) -> str:
    """What the last step reads, kept by paperwork-service."""
    found = httpx.post(
        f"http://127.0.0.1:{port_of(home, 'paperwork-service')}/documents",
        files={"file": ("invoice.pdf", _INVOICE.read_bytes(), "application/pdf")},
        trust_env=False,
    )
    assert found.status_code in (200, 201), found.text
    document: str = found.json()["document_id"]
    return document


@dataclass(slots=True)
class _Wish:
    """One run that somebody wants; `ids` are those it was acknowledged as."""

    key: str
    given: Json
    fails: bool
    ids: set[str] = field(default_factory=set)
    end: Json | None = None


class _Play:
    """Hubs one after the other, and one person who asks each of them again."""

    def __init__(self, home: Stack, port: int, document: str):
        self._home = home
        self._port = port
        self._document = document
        self._wishes: list[_Wish] = []
        self._killed: Counter[str] = Counter()

    def life(self, kill: Kill, runs: int) -> None:
        """One hub, from its start to its death."""
        hub = HubProcess(self._home.config, self._home.state, self._port, kill.environment)
        hub.start()
        try:
            self._until_listening(hub)
            while len(self._wishes) < runs:
                self._wish()
            self._ask_all(hub)
            if kill.point is None:
                pause(kill.after_s)
                assert not hub.is_dead(), hub.log.read_text()[-2000:]
            else:
                eventually(lambda: self._dies(hub, str(kill.point)), _LIFE_S, f"dies at {kill}")
        finally:
            hub.kill9()
            hub.client.close()
        self._killed[kill.point or AT_RANDOM] += 1

    def _until_listening(self, hub: HubProcess) -> None:
        eventually(lambda: hub.is_dead() or _answers(hub), 30, f"the hub listens: {hub.log}")

    def _dies(self, hub: HubProcess, point: str) -> bool:
        """Whether it is dead; where nothing is left to do, there must be more."""
        if not hub.is_dead():
            self._ask_all(hub)
            if all(self._has_ended(hub, wish) for wish in self._wishes):
                self._wish(fails=point.endswith("_undo"))
        return hub.is_dead()

    def _wish(self, *, fails: bool = False) -> None:
        number = len(self._wishes) + 1
        fails = fails or number % 4 == 0
        given = {"records": _BAD if fails else _GOOD, "document": self._document}
        self._wishes.append(_Wish(f"wish-{number}", given, fails))

    def _ask_all(self, hub: HubProcess) -> None:
        for wish in self._wishes:
            if not wish.ids:
                self._ask(hub, wish)

    def _ask(self, hub: HubProcess, wish: _Wish) -> None:
        address = f"http://127.0.0.1:{hub.port}/workflows/{flow.NAME}/runs"
        key = {"Idempotency-Key": wish.key}
        try:
            answer = httpx.post(
                address, json={"input": wish.given}, headers=key, timeout=20, trust_env=False
            )
        except httpx.TransportError:
            return
        if answer.status_code != 503:
            assert answer.status_code in (200, 202), answer.text
            wish.ids.add(answer.json()["id"])

    def _has_ended(self, hub: HubProcess, wish: _Wish) -> bool:
        if wish.end is not None or not wish.ids:
            return wish.end is not None
        try:
            answer = hub.client.get(f"/workflows/runs/{min(wish.ids)}")
        except httpx.TransportError:
            return False
        if answer.status_code == 404 or answer.json().get("status") in _ENDED:
            wish.end = answer.json()
        return wish.end is not None

    def judged(self) -> Findings:
        """The last hub brings everything to its end; then the services are asked."""
        hub = HubProcess(self._home.config, self._home.state, self._port).start().wait_ready()
        try:
            for wish in self._wishes:
                self._ask(hub, wish)
            for wish in self._wishes:
                eventually(partial(self._has_ended, hub, wish), _LIFE_S, wish.key)
            listed = hub.client.get("/workflows/runs?limit=500").json()["runs"]
        finally:
            hub.stop()
            hub.client.close()
        done = _done(self._home)
        return Findings(
            violations=list(_faults(self._wishes, listed, done)),
            kills=self._killed,
            ends=Counter(str((wish.end or {}).get("status")) for wish in self._wishes),
            requests=_requests(done),
            acknowledged=len(self._wishes),
            survived=[int(_was_held(wish.end or {})) for wish in self._wishes],
        )


def _was_held(end: Json) -> bool:
    return any(step["held_ms"] for step in end.get("steps", ()))


def _answers(hub: HubProcess) -> bool:
    try:
        return hub.client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def _done(home: Stack) -> Counter[tuple[str, str]]:
    """How often each action came to each outcome, as the services count."""
    found: Counter[tuple[str, str]] = Counter()
    for service in {service for service, _ in _ACTIONS.values()}:
        status, body = http.request(port_of(home, service), "GET", "/metrics")
        assert status == 200, (service, status)
        for action, outcome, number in _METRIC.findall(body.decode()):
            found[action, outcome] += int(float(number))
    return found


def _faults(
    wishes: Sequence[_Wish], listed: Sequence[Json], done: Counter[tuple[str, str]]
) -> Iterator[str]:
    for wish in wishes:
        end = wish.end or {}
        if len(wish.ids) != 1:
            yield f"{wish.key}: acknowledged as {sorted(wish.ids)}"
        wanted = "compensated" if wish.fails else "succeeded"
        if end.get("status") != wanted:
            yield f"{wish.key}: must be {wanted}: {end.get('status')}, {end.get('reason')}"
            continue
        for step in end["steps"]:
            yield from _of_step(wish, step)
    if {run["id"] for run in listed} != {run for wish in wishes for run in wish.ids}:
        yield "the runs that are listed are not those that were acknowledged"
    failed = sum(wish.fails for wish in wishes)
    for step, (_, action) in _ACTIONS.items():
        executed = len(wishes) - (failed if step >= _REFUSES else 0)
        if done[action, "completed"] != executed:
            yield f"{action}: executed {done[action, 'completed']} times, not {executed}"
        undone = failed if step <= _REFUSES else 0
        if done[action, "compensated"] != undone:
            yield f"{action}: undone {done[action, 'compensated']} times, not {undone}"


def _of_step(wish: _Wish, step: Json) -> Iterator[str]:
    name = step["id"]
    status = "succeeded"
    if wish.fails and name >= _REFUSES:
        status = "failed" if name == _REFUSES else "pending"
    undo = "done" if wish.fails and name <= _REFUSES else "none"
    found = (step["compensation"] or {}).get("status", "none")
    if (step["status"], found) != (status, undo):
        yield f"{wish.key}: {name} is {step['status']}, its undo {found}"
    if step["attempts"] != int(status != "pending"):
        yield f"{wish.key}: {name} was charged {step['attempts']} attempts"


def _requests(done: Counter[tuple[str, str]]) -> Counter[str]:
    names = {
        "completed": What.EXECUTED,
        "replayed": What.REPLAYED,
        "refused": What.REFUSED,
        "compensated": What.UNDONE,
        "failed": What.BUSY,
    }
    found: Counter[str] = Counter()
    for (_, outcome), number in done.items():
        found[names[outcome]] += number
    return found
