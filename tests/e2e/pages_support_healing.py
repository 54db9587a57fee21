"""The healing side of the fake hub: incidents, rehearsals and the pause, as a test wants them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from controller import clock
from controller.api import render_healing
from controller.errors import HubError, NotFoundError, UnknownServiceError
from controller.model.incident import Act, Ending, Entry, Evidence, Incident, Kind
from controller.model.observation import State
from controller.model.probe import ProbeResult
from controller.model.recovery import Pause
from controller.model.rehearsal import Fault, Rehearsal, Stage
from controller.model.text import Text
from controller.model.view import Health, ServiceView

HEALING_SENTENCES = {
    "demo.gone": {
        "en": "Its main process was killed by signal 9 (exit code 137).",
        "ko": "메인 프로세스가 시그널 9로 강제 종료되었습니다(종료 코드 137).",
    },
    "demo.hung": {
        "en": "5 probes in a row got no answer within 2 s, although port 8012 is open.",
        "ko": "포트 8012는 열려 있지만 5회 연속 2초 안에 응답하지 않았습니다.",
    },
    "demo.memory": {
        "en": "It used more memory than its limit of 256 MB.",
        "ko": "메모리 한도 256 MB를 넘었습니다.",
    },
    "demo.by_hand": {
        "en": "Somebody stopped its container with docker stop.",
        "ko": "누군가 docker stop으로 컨테이너를 중지했습니다.",
    },
    "demo.at_once": {
        "en": "it should run; the first try is made at once",
        "ko": "실행되어야 하는 서비스이므로 바로 시도",
    },
    "demo.backoff": {
        "en": "try {n} of 5 after a pause of {seconds} s",
        "ko": "{seconds}초 기다린 뒤 5번 중 {n}번째 시도",
    },
    "demo.budget": {
        "en": "5 restarts within 10 minutes are used up",
        "ko": "10분 동안 허용된 재시작 5회를 모두 사용함",
    },
    "demo.root_first": {
        "en": "not restarted, because {service} is the one that is sick",
        "ko": "{service} 서비스가 원인이므로 재시작하지 않음",
    },
    "demo.detected": {
        "en": "Detected after {ms} ms, waiting for it to be healthy again.",
        "ko": "{ms} ms 만에 감지했으며 정상이 되기를 기다립니다.",
    },
    "demo.passed": {
        "en": "Detected and healed well within the objective.",
        "ko": "목표 시간 안에 감지하고 복구했습니다.",
    },
}


def probes(at: datetime, said: Text, n: int = 5) -> tuple[ProbeResult, ...]:
    """Good at first, then silent."""
    return tuple(
        ProbeResult(
            at - timedelta(seconds=2 * (n - i)),
            i < 2,
            said if i >= 2 else Text("probe.http", {"status": 200}),
            None if i >= 2 else 3.9,
            True,
        )
        for i in range(n)
    )


LOG = tuple(
    f"2026-11-24T03:12:{i:02d}.{i * 37 % 1000:03d}Z {'ERROR' if i > 36 else 'INFO '} crawler.fetch "
    f"job={4100 + i} url=https://example.org/list?page={i} "
    + ("pool exhausted: 20 of 20 connections in use, waited 30.0 s" if i > 36 else "status=200")
    for i in range(42)
)


def crash(identifier: str, service: str, ago: timedelta, now: datetime, tries: int = 1) -> Incident:
    """A crash that is healed by the last of `tries`."""
    at = now - ago
    entries = []
    when = at + timedelta(milliseconds=180)
    for n in range(1, tries + 1):
        cause = Text("demo.at_once") if n == 1 else Text("demo.backoff", {"n": n, "seconds": n * 2})
        entries.append(
            Entry(
                when, Act.RESTART, cause, "done" if n == tries else "failed",
                when + timedelta(seconds=1.4), None if n == tries else Text("demo.slow"),
                None if n == tries else "pool exhausted: 20 of 20 connections in use", f"op-{n}",
            )
        )  # fmt: skip
        when += timedelta(seconds=2 + n * 2)
    return Incident(
        identifier, service, Kind.CRASH, Text("demo.gone"), at,
        at + timedelta(milliseconds=140), "life-1", when, Ending.RECOVERED,
        Evidence(
            "9f3a7c21" * 8, 137, False, "", probes(at, Text("probe.refused", {"port": 8013})), LOG
        ),
        tuple(entries),
    )  # fmt: skip


class HealingFacts(ABC):
    """What the hub remembers of healing. `told` are all incidents; order does not matter."""

    calls: list[str]
    services: dict[str, ServiceView]
    refusal: HubError | None

    def forget(self) -> None:
        self.pause_: Pause | None = None
        self.told: dict[str, Incident] = {}
        self.drills: list[Rehearsal] = []
        self.sent: list[dict[str, Any]] = []

    @abstractmethod
    def publish(self, event: str, data: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def change(self, name: str, **facts: Any) -> None: ...

    # -- HubPort
    @property
    def paused(self) -> Pause | None:
        return self.pause_

    def open_incidents(self) -> Sequence[Incident]:
        return tuple(i for i in self.told.values() if i.is_open)

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> Sequence[Incident]:
        if service is not None and service not in self.services:
            raise UnknownServiceError(f"{service} is not managed.")
        found = [
            i
            for i in self.told.values()
            if service in (None, i.service) and is_open in (None, i.is_open)
        ]
        return sorted(found, key=lambda i: i.opened_at, reverse=True)[:limit]

    async def incident(self, incident_id: str) -> Incident:
        if incident_id not in self.told:
            raise NotFoundError("No such incident.")
        return self.told[incident_id]

    async def list_incidents(
        self, request: Request, service: str | None = None, limit: int = 50
    ) -> JSONResponse:
        """The API's answer, for scripts."""
        language = request.headers["accept-language"]
        found = await self.incidents(service, None, limit)
        return JSONResponse([render_healing.incident(one, language) for one in found])

    def rehearsals(self) -> Sequence[Rehearsal]:
        return tuple(self.drills)

    # -- what tests do to it
    def tell(self, *incidents: Incident) -> None:
        """Incidents are recorded (anew), and everybody hears of it."""
        for incident in incidents:
            self.told[incident.id] = incident
            if incident.is_open:
                self.change(incident.service, incident=incident.id)
        self.publish("incident", {"id": incidents[-1].id})

    def night(self, now: datetime) -> None:
        """Every kind and ending: one given up, one that waits for it, one being healed, the rest
        over."""
        gone = crash("inc-1", "crawling-service", timedelta(minutes=6), now, tries=3)
        gave_up = Entry(
            gone.timeline[-1].at + timedelta(seconds=9), Act.GIVE_UP, Text("demo.budget")
        )
        root = replace(
            gone, kind=Kind.OOM, cause=Text("demo.memory"), closed_at=gave_up.at,
            outcome=Ending.GAVE_UP, evidence=replace(gone.evidence, oom_killed=True),
            timeline=(*gone.timeline[:2], replace(gone.timeline[2], outcome="failed"), gave_up),
        )  # fmt: skip
        at = root.opened_at + timedelta(seconds=2)
        held = Entry(at, Act.BLOCK, Text("demo.root_first", {"service": "crawling-service"}))
        waits = Incident(
            "inc-2", "paperwork-service", Kind.DEPENDENCY,
            Text("demo.blocked", {"service": "crawling-service"}), at, at,
            timeline=(held,), root="inc-1", runs_held=("run_01", "run_02"),
        )  # fmt: skip
        silence, at_once = Text("probe.timeout", {"seconds": 2}), Text("demo.at_once")
        at = now - timedelta(seconds=48)
        hung = Incident(
            "inc-3", "saju-service", Kind.HANG, Text("demo.hung"), at, at + timedelta(seconds=6),
            evidence=Evidence("1c" * 32, last_probes=probes(at, silence)),
            timeline=(Entry(at + timedelta(seconds=6), Act.RESTART, at_once, "running"),),
        )  # fmt: skip
        past = crash("inc-4", "ai-monitoring-service", timedelta(hours=2, minutes=50), now, tries=2)
        drilled = replace(
            crash("inc-5", "test-service", timedelta(hours=5), now), rehearsal="drill-0"
        )
        config = Incident(
            "inc-6", "saju-service", Kind.CONFIG_ERROR,
            Text("fail.image_missing", {"image": "heal7/saju-service:0.2.0"}),
            now - timedelta(days=1), now - timedelta(days=1), closed_at=now - timedelta(hours=23),
            outcome=Ending.OPERATOR,
            evidence=Evidence(engine_error="No such image: heal7/saju-service:0.2.0"),
        )  # fmt: skip
        stopped = Incident(
            "inc-7", "test-service", Kind.STOPPED_OUTSIDE, Text("demo.by_hand"),
            now - timedelta(days=2), now - timedelta(days=2),
            closed_at=now - timedelta(days=2) + timedelta(minutes=20), outcome=Ending.EXTERNAL,
        )  # fmt: skip
        self.change(
            "crawling-service", state=State.EXITED, health=Health.FAILED,
            reason=Text("demo.crashed"), started_at=None, restarts=3,
        )  # fmt: skip
        self.tell(root, waits, hung, past, drilled, config, stopped)
        self.drills = [self.drill("drill-0", "test-service", Fault.CRASH, Stage.PASSED, now)]

    def drill(
        self, identifier: str, service: str, fault: Fault, stage: Stage, now: datetime
    ) -> Rehearsal:
        begun = Rehearsal(
            identifier, service, fault, stage, now, "127.0.0.1 Mozilla/5.0", 10.0,
            Text("demo.at_once"),
        )  # fmt: skip
        if stage is not Stage.PASSED:
            return begun
        at = now - timedelta(hours=5)
        return replace(
            begun, requested_at=at, injected_at=at, detected_ms=140, healed_ms=3580,
            dependants_ms={"paperwork-service": 4100}, incident="inc-5",
            ended_at=at + timedelta(seconds=5), verdict=Text("demo.passed"),
        )  # fmt: skip

    def rehearse_on(self, **facts: Any) -> None:
        """The newest rehearsal moves."""
        self.drills[0] = replace(self.drills[0], **facts)
        self.publish("rehearsal", {"id": self.drills[0].id})

    def hold(self, pause: Pause | None) -> None:
        self.pause_ = pause
        self.publish("hub", {"paused": pause is not None})

    # -- HTTP
    async def ask_pause(self) -> JSONResponse:
        if self.refusal:
            raise self.refusal
        self.hold(Pause(clock.now(), "127.0.0.1 Mozilla/5.0"))
        return JSONResponse({"paused": True})

    async def ask_resume(self) -> JSONResponse:
        self.hold(None)
        return JSONResponse({"paused": False})

    async def ask_rehearsal(self, request: Request, service: str) -> JSONResponse:
        body = await request.json()
        self.sent.append({"service": service} | body)
        if self.refusal and not body["force"]:
            raise self.refusal
        begun = self.drill(
            f"drill-{len(self.drills) + 1}", service, Fault(body["fault"]), Stage.INJECTING,
            clock.now(),
        )  # fmt: skip
        self.drills.insert(0, begun)
        self.publish("rehearsal", {"id": begun.id})
        return JSONResponse({"id": begun.id, "stage": begun.stage}, 202)
