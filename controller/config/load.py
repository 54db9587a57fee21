"""The door of the configuration: files in, one checked and frozen `HubConfig` out.

Compose files say what a container is, config.yaml how the hub treats it. This is where the two
meet, and where a person hears of everything on which they disagree.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from controller import __version__
from controller.config.builds import warn_of_builds
from controller.config.channels import channel_addresses, check_alerts
from controller.config.compose.discover import NAMES, default_files, files_in, named_files
from controller.config.compose.pipeline import Compiled, Request, compile_stack, environment
from controller.config.compose.project import check_name
from controller.config.compose.to_spec import replicas_of, to_stack
from controller.config.files import STDIN, FileReader
from controller.config.managed import (
    Treatment,
    combine,
    from_labels,
    managed_label,
)
from controller.config.node import Mark, Report
from controller.config.settings import RecoverySettings, Settings
from controller.config.settings_reader import SettingsFile, read_settings
from controller.config.settings_workflows import check_database
from controller.config.workflows import Services, read_workflows
from controller.errors import ConfigError
from controller.model.spec import HealingLimits, ProbeKind, StackSpec, replica
from controller.model.workflow import Definition

DEFAULT_PROJECT = "heal7"
_MOST_REPLICAS = 200
# Of all services that run in several; each is a service of its own to the hub.
_MOST_IN_ALL = 1000


@dataclass(frozen=True, slots=True)
class HubConfig:
    """Everything the hub was told. `workflows` are by name, in the order of config.yaml; `digest`
    changes when a byte of any of `sources` does; `runs_database` is an address with its password,
    `channels` are those of messages, with their secrets.
    """

    settings: Settings
    stack: StackSpec
    workflows: Mapping[str, Definition]
    sources: tuple[Path, ...]
    digest: str
    runs_database: str | None = field(default=None, repr=False)
    channels: Mapping[str, str] = field(default_factory=dict, repr=False)


def load(config_file: Path, env: Mapping[str, str]) -> HubConfig:
    """Reads config.yaml and the compose files it names.

    `env` serves `${VAR}` and `HEAL7__SECTION__KEY`. Raises ConfigError with every fault found, each
    `file:line: key: what is wrong`.
    """
    reader = FileReader()
    report = Report()
    path = os.path.abspath(config_file)
    found = read_settings(reader.read(path) or "", path, env, report)
    orchestration = found.settings.orchestration
    base = os.path.dirname(path)
    files = _compose_files(base, orchestration.compose_files)
    if orchestration.project is not None:
        mark = found.tree.where("orchestration", "project")
        check_name(orchestration.project, f"{mark}: orchestration.project")
    request = Request(
        files=files,
        project_directory=os.path.dirname(files[0]),
        env=env,
        project=orchestration.project,
        fallback_project=DEFAULT_PROJECT,
    )
    compiled = compile_stack(request, reader)
    compiled.report.warnings[:0] = report.warnings
    treatments = _treatments(found, compiled)
    workflows = _workflows(found, compiled, treatments)
    channels = channel_addresses(
        found, lambda file: reader.read(file, missing_ok=True), base, compiled.report
    )
    check_alerts(found, compiled.model["services"], compiled.report)
    _check_push(found, compiled)
    if not compiled.model["services"]:
        compiled.report.fault(Mark(files[0]), "no service is declared, or none is enabled")
    _check_replicas(compiled)
    compiled.report.check()
    stack = to_stack(compiled, treatments, __version__, base)
    warn_of_builds(stack, compiled.tree, compiled.report)
    _warn_of_unasked(stack, treatments, compiled.report)
    warnings = tuple(compiled.report.warnings)
    stack = replace(stack, limits=_limits(found.settings), warnings=warnings)
    _check_push_port(found, stack)
    database = _runs_database(found, reader, base)
    sources, digest = reader.sources, reader.digest()
    return HubConfig(found.settings, stack, workflows, sources, digest, database, channels)


def _warn_of_unasked(
    stack: StackSpec, treatments: Mapping[str, Treatment | None], report: Report
) -> None:
    """Services that would pass for well whatever they answer, since nobody knows where to ask."""
    for spec in stack.services.values():
        declared = spec.replica_of or spec.name
        treatment = treatments.get(declared)
        path = treatment.values.get("path") if treatment else None
        if treatment and path and spec.probe.kind is not ProbeKind.HTTP and spec.number == 1:
            report.warn(
                treatment.marks["path"],
                f"services.{declared}: {path} is not asked, for no port of it is known; "
                "set heal7.port, or `expose` the port",
            )


def _check_replicas(compiled: Compiled) -> None:
    """That no two would be called alike, and that this is one machine."""
    services = compiled.model["services"]
    replicas = replicas_of(services)
    if (total := sum(replicas.values())) > _MOST_IN_ALL:
        compiled.report.fault(
            compiled.tree.where("services"),
            f"services: {total} containers of services that run in several; at most {_MOST_IN_ALL} "
            "are run",
        )
    for name, count in replicas.items():
        mark = compiled.tree.where("services", name)
        if count > _MOST_REPLICAS:
            compiled.report.fault(
                mark, f"services.{name}: {count} containers; at most {_MOST_REPLICAS} are run"
            )
        for number in range(1, min(count, _MOST_REPLICAS) + 1):
            key = replica(name, number)
            if key in services:
                compiled.report.fault(
                    compiled.tree.where("services", key),
                    f"services.{key}: a container of {name} is called the same; rename this one",
                )


def _check_push(found: SettingsFile, compiled: Compiled) -> None:
    """Who is sent the metrics must be there."""
    name = found.settings.metrics.push_to
    if name is not None and name not in compiled.model["services"]:
        mark = found.tree.where("metrics", "push_to")
        compiled.report.fault(
            mark,
            f"metrics.push_to: {name!r} is not in the compose files",
            word=name,
            known=compiled.model["services"],
        )


def _check_push_port(found: SettingsFile, stack: StackSpec) -> None:
    """Raises ConfigError where nothing could ever be sent."""
    name = found.settings.metrics.push_to
    members = stack.members(name) if name is not None else ()
    if name is not None and not any(stack.services[key].probe.port for key in members):
        mark = found.tree.where("metrics", "push_to")
        raise ConfigError(
            [f"{mark}: metrics.push_to: the hub knows no port of {name!r}"],
            remedy="give it a port under orchestration.managed_services, or the label heal7.port",
        )


def _runs_database(found: SettingsFile, reader: FileReader, base: str) -> str | None:
    """The address of the database of runs; raises ConfigError where its file holds none."""
    said = found.settings.runs
    if said.database_file is None:
        return said.database
    path = os.path.normpath(os.path.join(base, os.path.expanduser(said.database_file)))
    address = (reader.read(path) or "").strip()
    try:
        return check_database(address)
    except ValueError as error:
        raise ConfigError([f"{path}:1: {error}"], remedy="write the address into it") from error


def normalise(
    files: Sequence[str | Path],
    env_files: Sequence[str | Path],
    profiles: Sequence[str],
    project: str | None,
    project_directory: str | Path | None,
    env: Mapping[str, str],
    warnings: list[str] | None = None,
) -> dict[str, Any]:
    """The normalised compose model, in the shape of `docker compose config --format json`.

    `warnings`, if given, receives a sentence for all that is read and not honoured.
    Without `files` those of COMPOSE_FILE or of the folder count. Raises ConfigError.
    """
    here = os.path.abspath(project_directory or os.getcwd())
    envs = tuple(os.path.abspath(file) for file in env_files)
    reader = FileReader()
    paths = tuple(STDIN if file == STDIN else os.path.abspath(file) for file in files)
    paths = paths or _discovered(here, envs, env, reader)
    first = os.getcwd() if paths[0] == STDIN else os.path.dirname(paths[0])
    request = Request(
        files=paths,
        project_directory=here if project_directory else first,
        env=env,
        env_files=envs,
        profiles=tuple(profiles),
        project=project,
    )
    compiled = compile_stack(request, reader)
    if warnings is not None:
        warnings.extend(compiled.report.warnings)
    return compiled.model


def _compose_files(base: str, said: Sequence[str] | None) -> tuple[str, ...]:
    """The files that config.yaml names, else those that lie beside it or in the folder compose."""
    if said is not None:
        return tuple(
            os.path.normpath(os.path.join(base, os.path.expanduser(name))) for name in said
        )
    for folder in (base, os.path.join(base, "compose")):
        found = files_in(folder, os.path.isfile)
        if found:
            return found
    raise ConfigError(
        [f"{base}: there is no {NAMES[0]}, neither here nor in the folder compose"],
        remedy="name the compose files under orchestration.compose_files",
    )


def _discovered(
    folder: str, env_files: tuple[str, ...], env: Mapping[str, str], reader: FileReader
) -> tuple[str, ...]:
    """The files that COMPOSE_FILE names, else those of the folder or of one above it."""
    known = environment(folder, env_files, env, reader, Report())
    found = named_files(known, folder) or default_files(folder, os.path.isfile)
    if not found:
        raise ConfigError(
            [f"{folder}: no compose file here or in a folder above"],
            remedy=f"name one with -f, or make a {NAMES[0]}",
        )
    return found


def _from_settings(found: SettingsFile) -> dict[str, tuple[Treatment, Mark]]:
    """What config.yaml says of each managed service, and where its entry begins."""
    said: dict[str, tuple[Treatment, Mark]] = {}
    for at, service in enumerate(found.settings.orchestration.managed_services):
        base = ("orchestration", "managed_services", at)
        values: dict[str, Any] = {
            "port": service.port,
            "path": service.health_endpoint,
            **service.probe.model_dump(),
            **service.recovery.model_dump(),
        }
        places = {
            "port": ("port",),
            "path": ("health_endpoint",),
            **{key: ("recovery", key) for key in RecoverySettings.model_fields},
        }
        values = {key: value for key, value in values.items() if value is not None}
        marks = {key: found.tree.where(*base, *places.get(key, ("probe", key))) for key in values}
        said[service.name] = (Treatment(values, marks), found.tree.where(*base, "name"))
    return said


def _limits(settings: Settings) -> HealingLimits:
    said, base = settings.orchestration.limits, HealingLimits()
    return HealingLimits(
        at_once=said.at_once or base.at_once,
        per_minute=said.per_minute or base.per_minute,
        hold_s=said.hold or base.hold_s,
    )


def _treatments(found: SettingsFile, compiled: Compiled) -> dict[str, Treatment | None]:
    """How each service is treated, None where it is not managed; disagreements are reported."""
    report, services = compiled.report, compiled.model["services"]
    said = _from_settings(found)
    _check_named(found, said, compiled)
    usual = found.settings.orchestration.recovery.model_dump(exclude_none=True)
    result: dict[str, Treatment | None] = {}
    for name, service in services.items():
        labels = service.get("labels", {})

        def where(label: str, service_name: str = name) -> Mark:
            return compiled.tree.where("services", service_name, "labels", label)

        labelled = from_labels(name, labels, where, report)
        switch = managed_label(name, labels, where, report)
        if name not in said:
            result[name] = labelled.over(usual) if switch else None
            if switch and said:
                report.warn(
                    where("heal7.managed"),
                    f"services.{name}: managed by its label, and not listed under "
                    f"orchestration.managed_services in {found.tree.mark.file}",
                )
            continue
        treatment, mark = said[name]
        if switch is False:
            report.warn(
                mark, f"{name} is managed here and not at {where('heal7.managed')}; this one counts"
            )
        result[name] = combine(name, treatment, labelled, report).over(usual)
        _compare_port(name, treatment, compiled)
    if services and not any(entry is not None for entry in result.values()):
        report.warn(
            found.tree.where("orchestration"),
            'no service is managed; list some here or label them heal7.managed: "true"',
        )
    return result


def _check_named(
    found: SettingsFile, said: Mapping[str, tuple[Treatment, Mark]], compiled: Compiled
) -> None:
    services = compiled.model["services"]
    known = compiled.tree.get("services")
    for name, (_, mark) in said.items():
        if name in services:
            continue
        disabled = known is not None and name in known.map()
        why = "is in a profile that is not enabled" if disabled else "is not in the compose files"
        compiled.report.fault(
            mark,
            f"orchestration.managed_services: {name!r} {why}",
            word="" if disabled else name,
            known=services,
        )
    names = [service.name for service in found.settings.orchestration.managed_services]
    for at, name in enumerate(names):
        if name in names[:at]:
            compiled.report.fault(
                found.tree.where("orchestration", "managed_services", at),
                f"orchestration.managed_services[{at}]: {name!r} is listed twice",
            )


def _compare_port(name: str, treatment: Treatment, compiled: Compiled) -> None:
    port = treatment.values.get("port")
    entries = compiled.model["services"][name].get("ports", [])
    published = [entry["published"] for entry in entries if entry.get("published")]
    if port is None or not published or str(port) in published:
        return
    place = compiled.tree.where("services", name, "ports")
    compiled.report.warn(
        treatment.marks["port"],
        f"{name}: the port is {port} here, and {place} publishes {', '.join(published)}; "
        "this one counts",
    )


def _workflows(
    found: SettingsFile, compiled: Compiled, treatments: Mapping[str, Treatment | None]
) -> dict[str, Definition]:
    """The workflows on the services that are enabled; what is wrong with them is reported."""
    declared = compiled.tree.get("services")
    enabled = compiled.model["services"]
    disabled = frozenset(declared.map() if declared is not None else ()) - frozenset(enabled)
    managed = {name: treatments.get(name) is not None for name in enabled}
    return read_workflows(found, Services(managed, disabled), compiled.report)
