"""The keys of config.yaml: how the hub treats the stack that the compose files declare.

Every key carries its description; docs and the JSON Schema for editors are generated from here.
Unknown keys are refused, so that a typing error never silently means "default".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from pydantic import Field, field_validator

from controller.config.managed import check_http_path
from controller.config.settings_alerts import AlertsSettings
from controller.config.settings_base import Count, Grace, Pattern, PortNumber, Seconds, Strict
from controller.config.settings_logs import LogsSettings
from controller.config.settings_metrics import MetricsSettings
from controller.config.settings_workflows import RunsSettings, WorkflowSettings
from controller.model.spec import RecoveryPolicy


class ProbeSettings(Strict):
    """How often and how patiently the hub asks a service whether it is well."""

    interval: Seconds | None = Field(
        None, description="Time between two probes; seconds or text like 2s. Default 2s."
    )
    timeout: Seconds | None = Field(
        None, description="Time a probe may take before it counts as failed. Default 1s."
    )
    failures: Count | None = Field(
        None, description="Failed probes in a row that make a service unhealthy. Default 3."
    )
    successes: Count | None = Field(
        None, description="Good probes in a row that make a service healthy again. Default 1."
    )
    startup: Seconds | None = Field(
        None, description="Time after a start in which failed probes do not count. Default 60s."
    )
    match: Pattern | None = Field(
        None,
        description="Regular expression that must be found in the first 64 KiB of the HTTP answer "
        "($$ stands for $). Default: the status alone decides.",
    )


class RecoverySettings(Strict):
    """How a service is healed."""

    policy: RecoveryPolicy | None = Field(
        None,
        description="restart: the hub heals it; none: it watches and tells, and leaves it alone. "
        "Default restart.",
    )
    grace: Grace | None = Field(
        None,
        description="Time a hung process gets to end before it is killed, 0 to 300s. Default 1s.",
    )
    max_restarts: Count | None = Field(
        None, description="Restarts within `window` after which the hub gives up. Default 10."
    )
    window: Seconds | None = Field(
        None, description="The sliding time over which restarts are counted. Default 30m."
    )
    backoff: Seconds | None = Field(
        None,
        description="Pause before the second restart, which doubles with each further one; "
        "the first follows at once. Default 1s.",
    )
    max_backoff: Seconds | None = Field(
        None, description="The longest pause between two restarts. Default 5m."
    )
    reset: Seconds | None = Field(
        None,
        description="Time of health in one piece after which the next restart is the first again. "
        "Default 10m.",
    )
    replace_after: Count | None = Field(
        None,
        description="Restarts in a row that did not help, after which the container is made anew. "
        "Default 3.",
    )
    objective: Seconds | None = Field(
        None,
        description="Time within which it is meant to be well again; rehearsals measure against "
        "it. Default 30s.",
    )


class LimitSettings(Strict):
    """What keeps healing from becoming a storm, over the whole stack."""

    at_once: Count | None = Field(
        None, description="Services restarted at the same time. Default 2."
    )
    per_minute: Count | None = Field(None, description="Restarts in any minute. Default 10.")
    hold: Seconds | None = Field(
        None,
        description="How long nothing is restarted because of probes after more than half of the "
        "stack failed at once. Default 60s.",
    )


class ManagedService(Strict):
    """A service of the compose files that the hub starts, watches and heals."""

    name: str = Field(description="The service's name in the compose files.", min_length=1)
    port: PortNumber | None = Field(
        None,
        description="The port people know the service by, published on the host. "
        "Default: the label heal7.port, else the published port of the lowest target.",
    )
    health_endpoint: str | None = Field(
        None,
        description="HTTP path that answers 2xx or 3xx while the service is well, such as /health. "
        "Default: the label heal7.health.path, else no HTTP probe.",
    )
    probe: ProbeSettings = Field(
        default_factory=lambda: ProbeSettings(),
        description="How this service is probed; labels heal7.probe.* set the same.",
    )
    recovery: RecoverySettings = Field(
        default_factory=lambda: RecoverySettings(),
        description="How this service is healed; labels heal7.recovery.* set the same.",
    )

    @field_validator("health_endpoint")
    @classmethod
    def _path(cls, value: str | None) -> str | None:
        return value if value is None else check_http_path(value)


class OrchestrationSettings(Strict):
    """Which stack the hub answers for."""

    managed_services: list[ManagedService] = Field(
        default_factory=list,
        description="The services the hub answers for, in the order they are shown. "
        'Services with the label heal7.managed: "true" are managed too.',
    )
    compose_files: list[str] | None = Field(
        None,
        description="Compose files that declare the services, relative to this file; "
        "later ones are merged over earlier ones. Default: compose.yaml (or compose.yml, "
        "docker-compose.yml) and its override, beside this file or in the folder compose.",
        min_length=1,
    )
    project: str | None = Field(
        None,
        description="Name of the Compose project, the prefix of all container names. "
        "Default: COMPOSE_PROJECT_NAME, else the compose files' name, else heal7.",
    )
    recovery: RecoverySettings = Field(
        default_factory=lambda: RecoverySettings(),
        description="How services are healed that say nothing else themselves.",
    )
    limits: LimitSettings = Field(
        default_factory=lambda: LimitSettings(),
        description="What keeps healing from becoming a storm, over the whole stack.",
    )


class ServerSettings(Strict):
    """Where the hub listens."""

    host: str = Field("127.0.0.1", description="Address to listen on; loopback only, for now.")
    port: PortNumber = Field(8015, description="Port of the hub's API and dashboard.")

    @field_validator("host")
    @classmethod
    def _loopback(cls, value: str) -> str:
        if value == "localhost":
            return value
        try:
            loopback = ipaddress.ip_address(value).is_loopback
        except ValueError as error:
            raise ValueError("an IP address is asked for, such as 127.0.0.1") from error
        if not loopback:
            raise ValueError(
                "the hub listens on loopback only, because whoever reaches it can drive Docker and "
                "it has no roles and tokens yet; use 127.0.0.1, and an SSH tunnel from elsewhere"
            )
        return value


class Settings(Strict):
    """config.yaml as a whole."""

    orchestration: OrchestrationSettings = Field(
        default_factory=lambda: OrchestrationSettings(),
        description="Which stack the hub answers for, and how.",
    )
    workflows: Mapping[str, WorkflowSettings] = Field(
        default_factory=dict, description="Workflows across services, by name."
    )
    runs: RunsSettings = Field(
        default_factory=lambda: RunsSettings(),
        description="What becomes of runs that have ended, and when schedules are meant.",
    )
    logs: LogsSettings = Field(
        default_factory=lambda: LogsSettings(),
        description="What is kept of what services write.",
    )
    alerts: AlertsSettings = Field(
        default_factory=lambda: AlertsSettings(),
        description="Who is told of what goes wrong, and when.",
    )
    metrics: MetricsSettings = Field(
        default_factory=lambda: MetricsSettings(),
        description="What is measured, and how long that is kept.",
    )
    server: ServerSettings = Field(
        default_factory=lambda: ServerSettings(), description="Where the hub listens."
    )
