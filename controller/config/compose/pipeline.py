"""The stages in order: sources (read, include, extend, merge), canonical, defaults, checks.

Each stage is pure; reading is a function handed in. Faults are gathered as far as a stage can go
on, then raised together.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.config.compose import dotenv
from controller.config.compose.canonical import (
    canonical_file,
    canonical_resource,
    canonical_service,
)
from controller.config.compose.canonical_values import Context
from controller.config.compose.consistency import check_consistency
from controller.config.compose.defaults import with_defaults
from controller.config.compose.honoured import warn_unhonoured
from controller.config.compose.profiles import is_enabled, without_unused
from controller.config.compose.project import check_name, declared_name, normalise_name
from controller.config.compose.schema import check_structure
from controller.config.compose.sources import Place, Reader, Sources
from controller.config.node import Node, Report, plain
from controller.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Request:
    """What to compile. Paths are absolute; `env_files` empty means `.env` of the project directory.

    `project` is a name a person chose; `fallback_project` serves where no file names one either.
    `profiles` empty means those of COMPOSE_PROFILES.
    """

    files: tuple[str, ...]
    project_directory: str
    env: Mapping[str, str]
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    project: str | None = None
    fallback_project: str | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """The normalised model (shape of `docker compose config --format json`) and its sources.

    `tree` is the merged tree, kept for the places of later faults; `disabled` are services of
    profiles that nobody enabled; `contents` has what the variables hold that secrets and configs
    are made of, by section and key.
    """

    model: dict[str, Any]
    tree: Node
    report: Report
    project_directory: str
    files: tuple[str, ...]
    disabled: frozenset[str] = frozenset()
    contents: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)


def compile_stack(request: Request, reader: Reader) -> Compiled:
    """Runs every stage. Raises ConfigError with all faults of the first stage that finds any."""
    report = Report()
    folder = request.project_directory
    env = environment(folder, request.env_files, request.env, reader, report)
    sources = Sources(reader, report)
    trees = _load(request, sources)
    name = _project_name(request, trees, env)
    env["COMPOSE_PROJECT_NAME"] = name
    tree = _merge(request, trees, env, sources, report)
    context = Context(folder, env, report)
    model = with_defaults({"name": name, **_canonical(tree, context)})
    report.check()
    profiles = request.profiles or tuple(
        part.strip() for part in env.get("COMPOSE_PROFILES", "").split(",") if part.strip()
    )
    disabled = {k for k, s in model["services"].items() if not is_enabled(s, profiles)}
    model["services"] = {k: s for k, s in model["services"].items() if k not in disabled}
    check_consistency(model, disabled, tree, report)
    for service_name, service in model["services"].items():
        _read_mapping_files(service_name, service, tree, context, reader)
    report.check()
    model = without_unused(model)
    warn_unhonoured(model, tree, report)
    extensions = {k: plain(v) for k, v in tree.map().items() if k.startswith("x-")}
    contents = _contents(model, tree, env, sources.scoped, report)
    return Compiled(
        {**model, **extensions}, tree, report, folder, request.files, frozenset(disabled), contents
    )


def _contents(
    model: Mapping[str, Any],
    tree: Node,
    env: Mapping[str, str],
    scoped: Mapping[tuple[str, str, str], str],
    report: Report,
) -> dict[tuple[str, str], str]:
    """What the variables hold that secrets and configs are made of; one that is not set is told."""
    found: dict[tuple[str, str], str] = {}
    for kind in ("secrets", "configs"):
        for key, resource in model.get(kind, {}).items():
            variable = resource.get("environment")
            if not variable:
                continue
            value = scoped.get((kind, key, variable), env.get(variable))
            if value is None:
                place = tree.where(kind, key, "environment")
                report.warn(place, f"{kind}.{key}: the variable {variable} is not set; it is empty")
            found[kind, key] = value or ""
    return found


def environment(
    folder: str,
    env_files: tuple[str, ...],
    env: Mapping[str, str],
    reader: Reader,
    report: Report,
) -> dict[str, str]:
    """Variables for interpolation: the shell, then later env files, then earlier ones."""
    named = env_files or tuple(
        posixpath.join(folder, part.strip())
        for part in env.get("COMPOSE_ENV_FILES", "").split(",")
        if part.strip()
    )
    files = [(path, False) for path in named]
    if not files and env.get("COMPOSE_DISABLE_ENV_FILE", "").lower() not in ("1", "true"):
        files = [(posixpath.join(folder, ".env"), True)]
    texts = ((path, reader.read(path, missing_ok=optional)) for path, optional in files)
    found = dotenv.parse_all(texts, env, report)
    report.check()
    return {**found, **env}


def _load(request: Request, sources: Sources) -> list[Node]:
    trees = sources.documents(request.files)
    if all(tree.value == {} for tree in trees):
        raise ConfigError(
            [f"{path}: the file is empty" for path in request.files] or ["no compose file given"],
            remedy="name a compose file with at least one service",
        )
    return trees


def _project_name(request: Request, trees: list[Node], env: Mapping[str, str]) -> str:
    if request.project:
        return check_name(request.project, "the project name given")
    if env.get("COMPOSE_PROJECT_NAME"):
        return check_name(env["COMPOSE_PROJECT_NAME"], "COMPOSE_PROJECT_NAME")
    name = declared_name(trees, env) or request.fallback_project
    if name:
        return name
    said = next((node for tree in trees if (node := tree.get("name"))), None)
    if said is not None and isinstance(said.value, str) and said.value:
        check_name("", f"{said.mark}: name")
    folder = normalise_name(posixpath.basename(request.project_directory))
    if not folder:
        raise ConfigError(
            [f"{request.project_directory}: no project name can be made of the folder's name"],
            remedy="set COMPOSE_PROJECT_NAME or the top-level key name",
        )
    return folder


def _merge(
    request: Request, trees: list[Node], env: Mapping[str, str], sources: Sources, report: Report
) -> Node:
    folder = request.project_directory
    report.partial = True
    merged = sources.merged(trees, Place(folder, folder, env, request.files))
    report.partial = False
    check_structure(merged, report)
    report.check()
    return merged


def _canonical(tree: Node, context: Context) -> dict[str, Any]:
    def section(kind: str) -> dict[str, Node]:
        node = tree.get(kind)
        return node.map() if node else {}

    return {
        "services": {k: canonical_service(k, n, context) for k, n in section("services").items()},
        "networks": {
            k: canonical_resource(n, context.at(f"networks.{k}"), is_network=True)
            for k, n in section("networks").items()
        },
        "volumes": {
            k: canonical_resource(n, context.at(f"volumes.{k}"), is_network=False)
            for k, n in section("volumes").items()
        },
        "secrets": {k: canonical_file(n, context) for k, n in section("secrets").items()},
        "configs": {k: canonical_file(n, context) for k, n in section("configs").items()},
        "models": {k: plain(n) for k, n in section("models").items()},
    }


def _read_mapping_files(
    name: str, service: dict[str, Any], tree: Node, context: Context, reader: Reader
) -> None:
    """Folds env_file into `environment` and label_file into `labels`; the keys' own values win."""
    environment: dict[str, str | None] = service.get("environment", {})
    found: dict[str, str | None] = {}
    for entry in service.pop("env_file", []):
        text = _inside(
            name, "env_file", entry["path"], not entry["required"], tree, reader, context
        )
        if text is None:
            continue
        if entry.get("format") == "raw":
            found.update(dotenv.parse_raw(text, entry["path"], context.env.get, context.report))
            continue
        known = {**environment, **context.env}
        found.update(dotenv.parse(text, entry["path"], known.get, context.report, dict(found)))
    if found or environment:
        service["environment"] = {**found, **environment}
    labels: dict[str, str] = {}
    for path in service.pop("label_file", []):
        text = _inside(name, "label_file", path, False, tree, reader, context)
        if text is not None:
            labels.update(dotenv.parse(text, path, labels.get, context.report))
    if labels:
        service["labels"] = {**labels, **service.get("labels", {})}


def _inside(
    service: str,
    key: str,
    path: str,
    missing_ok: bool,
    tree: Node,
    reader: Reader,
    context: Context,
) -> str | None:
    try:
        return reader.read(path, root=context.project_directory, missing_ok=missing_ok)
    except ConfigError as error:
        mark = tree.where("services", service, key)
        for fault in error.faults:
            context.report.fault(mark, f"services.{service}.{key}: {fault}")
        return None
