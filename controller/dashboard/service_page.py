"""One service to page: what it is, what it needs, and what it was told to be.

Keys stand as Compose and config.yaml spell them, so that whoever wants to change one knows what to
look for. What stands behind a secret's name is never shown. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.dashboard import wording
from controller.dashboard.marks import Mark
from controller.dashboard.present import Row
from controller.dashboard.workflows import span
from controller.i18n import word
from controller.model.masking import MASK, hides
from controller.model.spec import ContainerSpec, Mount, Port, ProbeKind, ServiceSpec
from controller.model.view import ServiceView, StackView

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the table of facts."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Group:
    """A part of what is configured, as pairs of key and value."""

    key: str
    title: str
    pairs: tuple[tuple[str, str], ...]


def facts(view: ServiceView, row: Row, language: str) -> tuple[Fact, ...]:
    """What is known of it now; what was not seen is not there."""
    found = {
        "desired": word(f"ui.service.desired.{view.desired}", language),
        "state": word(f"ui.service.state.{view.state}", language),
        "image": view.image,
        "container": row.container,
        "port": f"{row.port} {row.port_word}".strip() if row.port else "",
        "uptime": row.uptime,
        "response": row.response,
        "load": f"{row.cpu} · {row.memory}" if row.cpu != wording.NOTHING else "",
    }
    return tuple(
        Fact(word(f"ui.service.fact.{name}", language), value)
        for name, value in found.items()
        if value and value != wording.NOTHING
    )


def neighbours(
    name: str, view: StackView, known: Mapping[str, Mark]
) -> tuple[Sequence[Mark], Sequence[Mark]]:
    """What it needs, and what needs it."""
    own = next((s for s in view.services if s.name == name), None)
    needs = own.depends_on if own else ()
    needed_by = [s.name for s in view.services if name in s.depends_on]
    return [known[n] for n in needs if n in known], [known[n] for n in needed_by if n in known]


def configuration(spec: ServiceSpec, mask: Mask, language: str) -> tuple[Group, ...]:
    """Everything that was declared, in groups; empty ones are left out."""
    container = spec.container
    groups: dict[str, Iterable[tuple[str, str]]] = {
        "container": _container(container, mask),
        "limits": _limits(container),
        "environment": (
            (name, _secret(name, value, mask)) for name, value in container.environment
        ),
        "mounts": ((m.target, _mount(m)) for m in container.mounts),
        "networks": ((n.network, ", ".join(n.aliases)) for n in container.networks),
        "probe": _probe(spec, language),
        "recovery": _recovery(spec, language),
    }
    return tuple(
        Group(key, word(f"ui.service.config.{key}", language), kept)
        for key, pairs in groups.items()
        if (kept := tuple((k, v) for k, v in pairs if v))
    )


def _secret(name: str, value: str | None, mask: Mask) -> str:
    if not value:
        return wording.NOTHING
    return MASK if hides(name, value) else mask(value)


def _container(spec: ContainerSpec, mask: Mask) -> list[tuple[str, str]]:
    return [
        ("image", spec.image),
        ("command", mask(" ".join(spec.command or ()))),
        ("entrypoint", mask(" ".join(spec.entrypoint or ()))),
        ("ports", ", ".join(_port(port) for port in spec.ports)),
        ("user", spec.user or ""),
        ("working_dir", spec.working_dir or ""),
        ("network_mode", spec.network_mode or ""),
        ("restart", spec.restart),
        ("read_only", "true" if spec.read_only else ""),
        ("privileged", "true" if spec.privileged else ""),
    ]


def _limits(spec: ContainerSpec) -> list[tuple[str, str]]:
    return [
        ("mem_limit", wording.size(spec.mem_limit) if spec.mem_limit else ""),
        ("cpus", f"{spec.nano_cpus / 1e9:g}" if spec.nano_cpus else ""),
        ("pids_limit", str(spec.pids_limit or "")),
        ("shm_size", wording.size(spec.shm_size) if spec.shm_size else ""),
    ]


def _probe(spec: ServiceSpec, language: str) -> list[tuple[str, str]]:
    probe = spec.probe
    asked = [("type", str(probe.kind))]
    if probe.kind is ProbeKind.HTTP:
        asked += [("path", probe.path), ("match", probe.match or "")]
    if probe.kind in (ProbeKind.HTTP, ProbeKind.TCP):
        asked += [
            ("port", str(probe.port or "")),
            ("interval", span(probe.interval_s, language)),
            ("timeout", span(probe.timeout_s, language)),
            ("failures", str(probe.failures)),
            ("successes", str(probe.successes)),
            ("startup", span(probe.startup_s, language)),
        ]
    return asked


def _recovery(spec: ServiceSpec, language: str) -> list[tuple[str, str]]:
    said = spec.recovery
    return [
        ("policy", str(said.policy)),
        ("max_restarts", f"{said.max_restarts} / {span(said.window_s, language)}"),
        ("backoff", f"{span(said.backoff_s, language)} – {span(said.max_backoff_s, language)}"),
        ("grace", span(said.grace_s, language)),
        ("objective", span(said.objective_s, language)),
    ]


def _port(port: Port) -> str:
    published = f"{port.host_ip + ':' if port.host_ip else ''}{port.published or '?'}"
    return f"{published} → {port.target}/{port.protocol}"


def _mount(mount: Mount) -> str:
    source = mount.source or mount.type
    return f"{mount.type}: {source}{' (ro)' if mount.read_only else ''}"
