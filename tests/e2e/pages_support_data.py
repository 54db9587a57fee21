"""Believable facts for the fake hub: the five services, their sentences, workflows and plans.

The sentences are the stand-in's own, so that the core's catalogue may change freely.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from controller.model.hub_state import (
    AuditLine,
    EngineState,
    HubState,
    StoreState,
    TaskState,
)
from controller.model.observation import State
from controller.model.spec import (
    ContainerSpec,
    Dependency,
    Mount,
    NetworkAttachment,
    Port,
    ServiceSpec,
)
from controller.model.text import Text
from controller.model.view import Desired, Health, ServiceView

SENTENCES = {
    "demo.ok": {
        "en": "Answers GET /health with 200.",
        "ko": "GET /health 요청에 200으로 응답합니다.",
    },
    "demo.slow": {
        "en": "3 probes in a row took longer than 2 s; "
        "the last answer was 503 Service Unavailable.",
        "ko": "프로브 3회 연속 2초를 넘겼습니다. 마지막 응답은 503 Service Unavailable입니다.",
    },
    "demo.crashed": {
        "en": "Exited with code 137 (out of memory, limit 256 MB) 4 times in 10 minutes; "
        "the hub gave up.",
        "ko": "10분 동안 4번 종료 코드 137(메모리 부족, 한도 256 MB)로 종료되어 "
        "복구를 중단했습니다.",
    },
    "demo.blocked": {
        "en": "Waits for {service}, which failed.",
        "ko": "실패한 {service} 서비스를 기다립니다.",
    },
    "demo.stopped": {"en": "Stopped by an operator.", "ko": "운영자가 중지했습니다."},
    "demo.starting": {
        "en": "Started; waiting for the first good answer on /health.",
        "ko": "시작했습니다. /health의 첫 정상 응답을 기다립니다.",
    },
    "demo.wanted": {"en": "An operator asked for it.", "ko": "운영자가 요청했습니다."},
    "demo.dependency": {
        "en": "{service} depends on it.",
        "ko": "{service} 서비스가 의존합니다.",
    },
    "demo.foreign": {"en": "{words}", "ko": "{words}"},
}
PORTS = {
    "paperwork-service": 8010,
    "test-service": 8011,
    "saju-service": 8012,
    "crawling-service": 8013,
    "ai-monitoring-service": 8014,
}
NEEDS = {
    "paperwork-service": ("crawling-service",),
    "ai-monitoring-service": (),
    "test-service": ("saju-service", "ai-monitoring-service"),
    "saju-service": ("ai-monitoring-service",),
    "crawling-service": ("ai-monitoring-service",),
}
WORKFLOWS = {
    "saju_processing": [
        ("saju-service", "calculate"),
        ("ai-monitoring-service", "monitor"),
        ("test-service", "quality-check"),
    ],
    "document_automation": [
        ("paperwork-service", "process"),
        ("crawling-service", "crawl"),
        ("ai-monitoring-service", "monitor"),
    ],
    "data_collection": [
        ("crawling-service", "crawl"),
        ("ai-monitoring-service", "monitor"),
        ("test-service", "validate"),
    ],
}
PLAN = {
    "start": ("start", "await_healthy"),
    "stop": ("stop",),
    "restart": ("stop", "start", "await_healthy"),
    "remove_orphans": ("stop", "remove"),
}
AGENTS = ("127.0.0.1 Mozilla/5.0", "local heal7/0.1.0", "127.0.0.1 curl/7.88.1")
OUTCOME = {
    "start": "started",
    "stop": "stopped",
    "restart": "restarted",
    "remove_orphans": "removed",
}


def declared(view: ServiceView) -> ServiceSpec:
    """What a compose file might say of this service, secrets among it."""
    port = view.port or 8000
    container = ContainerSpec(
        name=f"heal7-{view.name}-1",
        image=view.image,
        command=("serve", "--key", "hunter2-value"),
        environment=(
            ("HEAL7_PORT", str(port)),
            ("API_KEY", "hunter2-value"),
            ("DATABASE_URL", "postgresql://app:hunter2-value@db:5432/app"),
            ("EMPTY", None),
        ),
        ports=(Port(port, port, host_ip="127.0.0.1"),),
        mounts=(Mount("volume", "/data", "heal7_data"),),
        networks=(NetworkAttachment("heal7_default", (view.name,)),),
        mem_limit=256 << 20,
        nano_cpus=1_500_000_000,
        restart="unless-stopped",
    )
    needs = tuple(Dependency(name) for name in view.depends_on)
    return ServiceSpec(view.name, container, "c0ffee", needs, port=port)


def healthy(name: str, port: int, now: datetime, index: int = 0) -> ServiceView:
    """A service that has been well for hours, with believable measures."""
    return ServiceView(
        name=name,
        port=port,
        desired=Desired.RUNNING,
        state=State.RUNNING,
        health=Health.HEALTHY,
        reason=Text("demo.ok"),
        since=now - timedelta(hours=3, minutes=11 + index),
        container_id=f"{0x9F3A7C21 + index * 7919:x}".ljust(64, "0"),
        image=f"heal7/{name}:0.1.0",
        depends_on=NEEDS.get(name, ()),
        started_at=now - timedelta(hours=3, minutes=12 + index),
        restarts=(0, 1, 0, 0, 2)[index % 5],
        response_ms=(3.8, 2.1, 6.4, 41.7, 12.3)[index % 5],
        cpu_percent=(0.4, 0.2, 1.9, 3.2, 0.7)[index % 5],
        memory_bytes=(61, 48, 58, 83, 77)[index % 5] << 20,
        port_open=True,
    )


def state_of(engine: tuple[bool, datetime], now: datetime, problem: str) -> HubState:
    """A hub that has been well for nine hours, but for what the test wants."""
    began = now - timedelta(hours=9, minutes=5)
    connected, since = engine
    return HubState(
        version="0.1.0",
        digest="c0ffee",
        started_at=began,
        died="",
        engine=EngineState(
            connected, since, "unix:///var/run/docker.sock", "27.5.1", "/var/lib/docker"
        ),
        stores=(
            StoreState("hub", "/var/lib/heal7/hub.sqlite3", 921_600, None, ""),
            StoreState("logs", "/var/lib/heal7/logs.sqlite3", 400 << 20, 500 << 20, problem),
            StoreState("runs", "postgresql://heal7:•••@db/runs", None, None, ""),
        ),
        tasks=tuple(TaskState(name, began) for name in ("follow engine events", "heal", "observe")),
        event_streams=3,
        log_streams=1,
        settings=(("server.port", "8015"), ("runs.database", "•••"), ("logs.keep_days", "14")),
        files=("/etc/heal7/config.yaml", "/etc/heal7/compose.yaml"),
    )


def audited(now: datetime, n: int = 30) -> list[AuditLine]:
    """Newest first: people, and the hub's own healing."""
    kinds = (
        ("restart", "cause.restart"),
        ("pause", "cause.pause"),
        ("heal", "cause.dependency_of"),
    )
    return [
        AuditLine(
            n - i,
            now - timedelta(minutes=7 * i + 1),
            AGENTS[i % 3],
            kinds[i % 3][0],
            ("saju-service",) if i % 3 != 1 else (),
            kinds[i % 3][1],
            None,
        )
        for i in range(n)
    ]
