"""The keys of config.yaml under `alerts`: who is told, of what, how soon and how often.

Every rule has defaults that fit most, so that a channel is all that has to be given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from controller.config.managed import parse_days
from controller.config.settings_base import Count, Pattern, Strict, not_boolean

_SEVERITY = Literal["critical", "warning", "info"]


def _long(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("a duration is a number of seconds, or text like 30s or 5m")
    return parse_days(value)


def _name(value: str) -> str:
    if not value or len(value) > 40 or not all(c.isalnum() or c in "-_." for c in value):
        raise ValueError("a name of at most 40 letters, digits, dots, - and _ is asked for")
    return value


Wait = Annotated[float, BeforeValidator(_long, json_schema_input_type=float | str)]
Name = Annotated[str, AfterValidator(_name)]
Percent = Annotated[float, BeforeValidator(not_boolean), Field(ge=0.1, le=90)]
Many = Annotated[int, BeforeValidator(not_boolean), Field(ge=1, le=1_000_000)]
Days = Annotated[float, BeforeValidator(not_boolean), Field(ge=0.5, le=365)]
Millis = Annotated[float, BeforeValidator(not_boolean), Field(ge=1, le=600_000)]


class RuleSettings(Strict):
    """What every rule can be told."""

    enabled: bool | None = Field(None, description="false: never an alert. Default true.")
    severity: _SEVERITY | None = Field(
        None, description="critical, warning or info. Default: as docs/alerts.md lists them."
    )
    after: Wait | None = Field(
        None, description="How long it must last before somebody is told, such as 0s or 2m."
    )
    quiet: Wait | None = Field(
        None, description="How long it must be gone before it is over, such as 30s."
    )


class FlappingSettings(RuleSettings):
    """A service that has to be restarted again and again."""

    count: Count | None = Field(None, description="So many restarts by healing. Default 3.")
    window: Wait | None = Field(None, description="Within this time. Default 10m.")


class SlowSettings(RuleSettings):
    """A service that is well and slow."""

    response: Millis | None = Field(
        None,
        description="Milliseconds that 95 of 100 of its last probes must stay below. Default 500.",
    )


class ErrorRateSettings(RuleSettings):
    """A service that writes many errors into its log."""

    count: Many | None = Field(None, description="So many lines of level error. Default 100.")
    window: Wait | None = Field(None, description="Within this time. Default 5m.")


class LogPatternSettings(Strict):
    """Lines of a log that are worth an alert."""

    name: Name = Field(description="What the alert calls it.")
    match: Pattern = Field(
        description="Regular expression that is looked for in the first 2,000 characters of a line "
        "($$ stands for $)."
    )
    service: str | None = Field(None, description="Only in this one's log. Default: in any.")
    severity: _SEVERITY = Field("warning", description="How bad that is. Default warning.")
    count: Many = Field(1, description="So many of them. Default 1.")
    window: Wait = Field(300.0, description="Within this time. Default 5m.")


class LogPatternsSettings(RuleSettings):
    """Lines of logs by pattern."""

    patterns: list[LogPatternSettings] = Field(
        default_factory=list, description="The patterns; none by default.", max_length=20
    )


class DiskSettings(RuleSettings):
    """Disks that the hub and the engine write to."""

    free: Percent | None = Field(
        None, description="Percent of a disk that must stay free. Default 10."
    )
    critical_free: Percent | None = Field(None, description="Below this it is critical. Default 3.")


class CertificateSettings(RuleSettings):
    """The certificate of an engine that is reached over TLS."""

    days: Days | None = Field(None, description="So many days before it expires. Default 21.")
    critical_days: Days | None = Field(
        None, description="From so many days before, it is critical. Default 3."
    )


def _rule(meaning: str) -> Any:
    return Field(default_factory=lambda: RuleSettings(), description=meaning)


class RulesSettings(Strict):
    """What is worth an alert."""

    service_down: RuleSettings = _rule("A service that should run is down. After 1m.")
    unhealthy: RuleSettings = _rule("A service runs and does not answer well. After 1m.")
    gave_up: RuleSettings = _rule("Healing has given up on a service.")
    stack_failing: RuleSettings = _rule(
        "Over half of the stack fails its probes at once, so the cause is elsewhere. After 1m."
    )
    flapping: FlappingSettings = Field(
        default_factory=lambda: FlappingSettings(),
        description="A service that healing has to restart again and again.",
    )
    slow: SlowSettings = Field(
        default_factory=lambda: SlowSettings(),
        description="A service that is well and slow. After 2m.",
    )
    error_rate: ErrorRateSettings = Field(
        default_factory=lambda: ErrorRateSettings(),
        description="A service that writes many errors into its log.",
    )
    log_pattern: LogPatternsSettings = Field(
        default_factory=lambda: LogPatternsSettings(),
        description="Lines of logs that are worth an alert.",
    )
    run_failed: RuleSettings = _rule("A run of a workflow failed (and was undone).")
    compensation_failed: RuleSettings = _rule("A run failed and could not be undone.")
    disk_full: DiskSettings = Field(
        default_factory=lambda: DiskSettings(),
        description="A disk of the hub or of the engine is nearly full. After 1m.",
    )
    engine_unreachable: RuleSettings = _rule("The Docker Engine does not answer. After 30s.")
    certificate_expiring: CertificateSettings = Field(
        default_factory=lambda: CertificateSettings(),
        description="The certificate of an engine that is reached over TLS is about to expire.",
    )
    store_failing: RuleSettings = _rule("The hub cannot write what it must keep. After 15s.")
    channel_dead: RuleSettings = _rule("Nothing gets through a channel. After 2m.")


class RouteSettings(Strict):
    """Who is told of what."""

    channels: list[str] = Field(description="Names of channels.", min_length=1)
    severity: _SEVERITY = Field("info", description="Of alerts at least this bad. Default info.")
    services: list[str] = Field(
        default_factory=list, description="Of these services. Default: of anything."
    )


class ChannelSettings(Strict):
    """Where messages go."""

    address: SecretStr | None = Field(None, description="The address; the short form is it alone.")
    file: str | None = Field(
        None,
        description="A file that holds the address instead, since that has secrets in it; relative "
        "to config.yaml.",
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> ChannelSettings:
        if (self.address is None) == (self.file is None):
            raise ValueError("either the address is given, or a file that holds it")
        return self


def _address(value: Any) -> Any:
    return {"address": value} if isinstance(value, str) else value


class AlertsSettings(Strict):
    """Who is told of what goes wrong, and when."""

    channels: Mapping[
        Name,
        Annotated[
            ChannelSettings,
            BeforeValidator(_address, json_schema_input_type=str | ChannelSettings),
        ],
    ] = Field(
        default_factory=dict,
        description="Addresses in the form of Apprise, by a name of your own, such as "
        "slack://…, tgram://…, mailto://… or json://…, or a file that holds one.",
    )
    routes: list[RouteSettings] = Field(
        default_factory=list,
        description="Who is told of what. Default: every channel of everything.",
    )
    rules: RulesSettings = Field(
        default_factory=lambda: RulesSettings(), description="What is worth an alert."
    )
    renotify: Wait = Field(
        4 * 3600.0,
        description="After how long somebody is told again of what nobody has acknowledged; "
        "0s: never. Default 4h.",
    )
    language: Literal["en", "ko"] = Field(
        "en", description="Language of the messages, en or ko. Default en."
    )
    link: str | None = Field(
        None,
        description="Where messages say the dashboard is. Default: http://localhost and the "
        "hub's port.",
        pattern=r"^https?://[^\s]+$",
    )
    keep: Annotated[int, BeforeValidator(not_boolean), Field(ge=10, le=100_000)] = Field(
        1_000, description="How many alerts that are over are kept. Default 1000."
    )
