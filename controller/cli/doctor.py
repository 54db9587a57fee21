"""What is wrong with this machine, and how to mend it: facts in, checks out. Pure.

Each check says what was found, and where it is not well, what a person must do. A fact that could
not be learned makes a warning that says so, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controller.cli import words

FREE_FAIL_BYTES = 512 * 1024**2
FREE_WARN_BYTES = 3 * 1024**3
SKEW_WARN_S = 2.0
SKEW_FAIL_S = 60.0
CLOCK_BEHIND_FAIL_S = 86_400.0


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """`found` is one sentence; `remedy` is set wherever the status is not ok."""

    name: str
    status: Status
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class HubFact:
    """`error` is '' where the hub answered. `engine` and `paused` are the hub's own words."""

    url: str
    error: str = ""
    version: str = ""
    engine: str = ""
    paused: bool = False
    config_digest: str = ""


class Socket(StrEnum):
    """What became of asking the engine on this host."""

    ANSWERS = "answers"
    MISSING = "missing"
    DENIED = "denied"
    SILENT = "silent"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class EngineFact:
    """The engine on this host. `skew_s` is its clock minus ours, None where not known."""

    address: str
    socket: Socket
    version: str = ""
    api_version: str = ""
    error: str = ""
    skew_s: float | None = None


@dataclass(frozen=True, slots=True)
class ConfigFact:
    """`faults` are `file:line: text`; `digest` is '' where it could not be loaded."""

    path: str
    faults: tuple[str, ...] = ()
    remedy: str = ""
    warnings: tuple[str, ...] = ()
    digest: str = ""


class PortState(StrEnum):
    FREE = "free"
    OURS = "ours"
    TAKEN = "taken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PortFact:
    """One published port of one service (or the hub's own)."""

    service: str
    port: int
    state: PortState
    holder: str = ""


@dataclass(frozen=True, slots=True)
class ImageFact:
    """`present` is None where the engine could not be asked. `source` is where the hub takes a
    missing one from: `build`, `pull`, `own` (made by `heal7 images build`), or '' for nowhere."""

    reference: str
    present: bool | None
    source: str


@dataclass(frozen=True, slots=True)
class OrphanFact:
    """A container of the project whose service is in none of its files."""

    name: str
    service: str
    state: str
    since: datetime


@dataclass(frozen=True, slots=True)
class DiskFact:
    """Free and total bytes of the file system that holds `path`."""

    path: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class ClockFact:
    """`newest_file` is the latest change of a file of ours: a right clock is not before it."""

    now: datetime
    newest_file: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was learned about this machine, at one moment."""

    own_version: str
    hub: HubFact
    engine: EngineFact
    config: ConfigFact
    ports: tuple[PortFact, ...]
    images: tuple[ImageFact, ...]
    disks: tuple[DiskFact, ...]
    clock: ClockFact
    orphans: tuple[OrphanFact, ...] = ()


def evaluate(facts: Facts) -> list[Check]:
    """Every check, in the order a person should mend them."""
    judges: tuple[Callable[[Facts], Iterator[Check]], ...] = (
        _engine,
        _hub,
        _config,
        _images,
        _ports,
        _orphans,
        _disk,
        _clock,
    )
    return [check for judge in judges for check in judge(facts)]


def _engine(facts: Facts) -> Iterator[Check]:
    engine = facts.engine
    if engine.socket is Socket.ANSWERS:
        found = f"Docker Engine {engine.version} (API {engine.api_version}) at {engine.address}."
        yield Check("engine", Status.OK, found)
    elif engine.socket is Socket.REMOTE:
        yield Check(
            "engine",
            Status.WARN,
            f"DOCKER_HOST is {engine.address}; only an engine on this host can be checked.",
            "Unset DOCKER_HOST to check this host, or run `heal7 doctor` on that one.",
        )
    else:
        yield Check("engine", Status.FAIL, *_SOCKET_FAULTS[engine.socket](engine))


_SOCKET_FAULTS: dict[Socket, Callable[[EngineFact], tuple[str, str]]] = {
    Socket.MISSING: lambda e: (
        f"There is no Docker socket at {e.address}.",
        "Install and start an engine with `heal7 setup` (as root on Debian 12 or 13).",
    ),
    Socket.DENIED: lambda e: (
        f"This user may not use the Docker socket {e.address}.",
        "Run as root, or join the docker group (`usermod -aG docker USER`) and sign in again.",
    ),
    Socket.SILENT: lambda e: (
        f"The Docker socket {e.address} is there, but no engine answers: {e.error}.",
        "Start the engine: `systemctl start docker`, or `heal7 setup` where there is no systemd.",
    ),
}


def _hub(facts: Facts) -> Iterator[Check]:
    hub = facts.hub
    if hub.error:
        yield Check("hub", Status.FAIL, hub.error, "Start the hub with `heal7 up`.")
        return
    if hub.version and hub.version != facts.own_version:
        yield Check(
            "hub",
            Status.WARN,
            f"The hub at {hub.url} is version {hub.version}, this command {facts.own_version}.",
            "Bring the hub to this version with `heal7 up`.",
        )
    else:
        yield Check("hub", Status.OK, f"Version {hub.version or 'unknown'} at {hub.url}.")
    if hub.engine and hub.engine != "connected":
        yield Check(
            "hub's engine",
            Status.FAIL,
            f"The hub says that its engine is {hub.engine}.",
            "Mend the engine as above; the hub connects again by itself.",
        )
    elif hub.engine:
        yield Check("hub's engine", Status.OK, "The hub is connected to its engine.")
    if hub.paused:
        yield Check(
            "hub paused",
            Status.WARN,
            "The hub is paused: it watches and does not heal.",
            "Resume it when the maintenance is over.",
        )


def _config(facts: Facts) -> Iterator[Check]:
    config = facts.config
    for fault in config.faults:
        yield Check("config", Status.FAIL, fault, config.remedy or f"Correct it in {config.path}.")
    for warning in config.warnings:
        yield Check("config", Status.WARN, warning, "Change what it names, or leave it so.")
    if not config.faults and not config.warnings:
        yield Check("config", Status.OK, f"{config.path} is valid.")
    if not config.digest or not facts.hub.config_digest:
        return
    if config.digest != facts.hub.config_digest:
        yield Check(
            "config in use",
            Status.WARN,
            f"{config.path} (or a file it names) has changed since the hub loaded it.",
            "Run `heal7 up`, which restarts the hub with it; `heal7 plan` shows what follows.",
        )
    else:
        yield Check("config in use", Status.OK, "The hub runs with the configuration of now.")


_MISSING_IMAGE = {
    "own": (Status.FAIL, "Build it with `heal7 images build`."),
    "build": (Status.WARN, "The next start builds it; so does `heal7 compose build` now."),
    "pull": (Status.WARN, "The next start pulls it; so does `heal7 compose pull` now."),
    "": (Status.FAIL, "Fetch it with `docker pull {image}`: its pull_policy is never."),
}


def _images(facts: Facts) -> Iterator[Check]:
    missing = [image for image in facts.images if image.present is False]
    for image in missing:
        status, remedy = _MISSING_IMAGE[image.source]
        found = f"{image.reference} is not on this machine."
        yield Check("image", status, found, remedy.format(image=image.reference))
    if missing or not facts.images:
        return
    if any(image.present is None for image in facts.images):
        yield Check(
            "images",
            Status.WARN,
            "The engine could not be asked for the images.",
            "Mend the engine first, then run `heal7 doctor` again.",
        )
    else:
        found = f"{words.plural(len(facts.images), 'image')} named, none missing."
        yield Check("images", Status.OK, found)


def _ports(facts: Facts) -> Iterator[Check]:
    bad = False
    for fact in facts.ports:
        if fact.state is PortState.TAKEN:
            bad = True
            by = f" by {fact.holder}" if fact.holder else ""
            yield Check(
                "port",
                Status.FAIL,
                f"Port {fact.port} of {fact.service} is taken{by}.",
                f"Stop what holds it (`ss -ltnp 'sport = :{fact.port}'` names it), or publish "
                f"{fact.service} on another port.",
            )
        elif fact.state is PortState.UNKNOWN:
            bad = True
            yield Check(
                "port",
                Status.WARN,
                f"Whether port {fact.port} of {fact.service} is free cannot be told: "
                f"{fact.holder}.",
                "Run `heal7 doctor` as root on the machine of the hub.",
            )
    if facts.ports and not bad:
        numbers = ", ".join(str(port) for port in sorted({fact.port for fact in facts.ports}))
        yield Check("ports", Status.OK, f"Free or ours: {numbers}.")


def _orphans(facts: Facts) -> Iterator[Check]:
    for orphan in facts.orphans:
        yield Check(
            "orphan",
            Status.WARN,
            f"{orphan.name} ({orphan.state}, since {orphan.since:%Y-%m-%d %H:%M} UTC) belongs to "
            f"the service {orphan.service}, of which no compose file speaks.",
            f"Remove it with `heal7 compose orphans --remove {orphan.name}`, or declare "
            f"{orphan.service} again.",
        )


def _disk(facts: Facts) -> Iterator[Check]:
    for disk in facts.disks:
        found = f"{words.size(disk.free)} of {words.size(disk.total)} free under {disk.path}."
        if disk.free >= FREE_WARN_BYTES:
            yield Check("disk", Status.OK, found)
            continue
        status = Status.FAIL if disk.free < FREE_FAIL_BYTES else Status.WARN
        yield Check(
            "disk",
            status,
            found,
            f"Make room for at least {words.size(FREE_WARN_BYTES)}: `docker system df` shows "
            "what images, containers and build cache take.",
        )


def _clock(facts: Facts) -> Iterator[Check]:
    now, newest = facts.clock.now, facts.clock.newest_file
    remedy = "Set the clock and keep it set: `timedatectl set-ntp true`."
    behind = (newest - now).total_seconds() if newest else 0.0
    if behind > CLOCK_BEHIND_FAIL_S:
        found = f"The clock says {now:%Y-%m-%d %H:%M} UTC, before files of ours were written."
        yield Check("clock", Status.FAIL, found, remedy)
        return
    skew = facts.engine.skew_s
    if skew is not None and abs(skew) > SKEW_WARN_S:
        status = Status.FAIL if abs(skew) > SKEW_FAIL_S else Status.WARN
        direction = "ahead of" if skew > 0 else "behind"
        found = f"The engine's clock is {abs(skew):.0f} s {direction} this command's."
        yield Check("clock", status, found, remedy)
        return
    yield Check(
        "clock",
        Status.OK,
        f"{now:%Y-%m-%d %H:%M:%S} UTC, in step with the engine."
        if skew is not None
        else f"{now:%Y-%m-%d %H:%M:%S} UTC.",
    )
