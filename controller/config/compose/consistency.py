"""Faults that only the whole model shows: references to nothing, contradictions, cycles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from controller.config.compose.defaults import SHARED_NAMESPACES
from controller.config.node import Node, Report

Service = Mapping[str, Any]


class _Check:
    """One service under examination; `fault` knows where its keys stand."""

    def __init__(
        self, name: str, service: Service, model: Mapping[str, Any], tree: Node, report: Report
    ) -> None:
        self.name = name
        self.service = service
        self.model = model
        self._tree = tree
        self._report = report

    def fault(self, text: str, *path: str, word: str = "", known: Collection[str] = ()) -> None:
        mark = self._tree.where("services", self.name, *path)
        key = ".".join(("services", self.name, *path[:1]))
        self._report.fault(mark, f"{key}: {text}", word=word, known=known)


def check_consistency(
    model: Mapping[str, Any], disabled: Collection[str], tree: Node, report: Report
) -> None:
    """Writes a fault for each contradiction in the enabled services of a model with defaults.

    `disabled` names the services whose profile is not enabled; `tree` gives places of faults.
    """
    for name, service in model["services"].items():
        check = _Check(name, service, model, tree, report)
        for rule in _RULES:
            rule(check)
        _dependencies(check, disabled)
    _container_names(model, tree, report)
    _cycles(model, tree, report)
    _resources(model, tree, report)


def _has_image(c: _Check) -> None:
    if not (c.service.get("image") or c.service.get("build") or c.service.get("provider")):
        c.fault("neither an image nor a build is given; add `image: name:tag`")


def _build(c: _Check) -> None:
    build = c.service.get("build", {})
    if build.get("dockerfile") and build.get("dockerfile_inline"):
        c.fault("dockerfile and dockerfile_inline exclude each other", "build", "dockerfile")
    services = c.model["services"]
    for name, place in build.get("additional_contexts", {}).items():
        target = place.removeprefix("service:")
        if target == place:
            continue
        where = ("build", "additional_contexts", name)
        if target not in services:
            c.fault(f"{name}: there is no service {target!r}", *where, word=target, known=services)
        elif not services[target].get("build"):
            c.fault(f"{name}: the service {target!r} is not built here", *where)
    platforms, platform = build.get("platforms"), c.service.get("platform")
    if platforms and platform and platform not in platforms:
        c.fault(f"build.platforms must include the platform {platform}", "build", "platforms")


def _networks(c: _Check) -> None:
    mode = str(c.service.get("network_mode", ""))
    if mode and c.service.get("networks"):
        c.fault("network_mode and networks exclude each other", "network_mode")
    known = c.model.get("networks", {})
    for key in c.service.get("networks") or {}:
        if key not in known:
            c.fault(f"the network {key!r} is not declared", "networks", key, word=key, known=known)


def _volumes(c: _Check) -> None:
    known = c.model.get("volumes", {})
    for mount in c.service.get("volumes", []):
        source = mount.get("source")
        if mount["type"] == "volume" and source and source not in known:
            c.fault(
                f"the volume {source!r} is not declared under the top-level key volumes",
                "volumes",
                source,
                word=source,
                known=known,
            )


def _mount_targets(c: _Check) -> None:
    seen: set[str] = set()
    targets = [("tmpfs", entry.split(":")[0]) for entry in c.service.get("tmpfs", [])]
    targets += [("volumes", mount["target"]) for mount in c.service.get("volumes", [])]
    for key, target in targets:
        if target in seen:
            c.fault(f"two mounts have the target {target}", key)
        seen.add(target)


def _files(c: _Check) -> None:
    for kind in ("secrets", "configs"):
        known = c.model.get(kind, {})
        for mount in c.service.get(kind, []):
            source = str(mount.get("source"))
            if source not in known:
                c.fault(
                    f"the {kind[:-1]} {source!r} is not declared", kind, word=source, known=known
                )
    secrets = c.model.get("secrets", {})
    for mount in c.service.get("build", {}).get("secrets", []):
        if mount.get("source") not in secrets:
            c.fault(
                f"the secret {mount.get('source')!r} is not declared",
                "build",
                word=str(mount.get("source")),
                known=secrets,
            )
    for key in c.service.get("models") or {}:
        if key not in c.model.get("models", {}):
            c.fault(f"the model {key!r} is not declared", "models")


def _develop(c: _Check) -> None:
    for watch in c.service.get("develop", {}).get("watch", []):
        if not watch.get("target") and watch["action"] not in ("rebuild", "restart"):
            c.fault(f"the action {watch['action']} needs a target", "develop", "watch")


def _healthcheck(c: _Check) -> None:
    test = c.service.get("healthcheck", {}).get("test")
    if test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        c.fault(
            f"found test {test[0]!r} first; allowed: CMD, CMD-SHELL or NONE", "healthcheck", "test"
        )


def _scale(c: _Check) -> None:
    scale = c.service.get("scale")
    replicas = (c.service.get("deploy") or {}).get("replicas")
    if scale is not None and replicas is not None and scale != replicas:
        c.fault(f"scale is {scale} and deploy.replicas is {replicas}; they must agree", "scale")
    count = scale if scale is not None else replicas
    if (count or 1) > 1 and c.service.get("container_name"):
        c.fault("container_name allows one container, more are asked for", "container_name")


_TWICE = (
    ("cpus", ("limits", "cpus")),
    ("mem_limit", ("limits", "memory")),
    ("mem_reservation", ("reservations", "memory")),
    ("pids_limit", ("limits", "pids")),
)


def _limits(c: _Check) -> None:
    resources = (c.service.get("deploy") or {}).get("resources") or {}
    for key, (part, field) in _TWICE:
        ours, theirs = c.service.get(key), (resources.get(part) or {}).get(field)
        if part in resources and ours is not None and ours != theirs:
            c.fault(f"{key} and deploy.resources.{part}.{field} differ; they must agree", key)


_RULES: tuple[Callable[[_Check], None], ...] = (
    _has_image,
    _build,
    _networks,
    _volumes,
    _mount_targets,
    _files,
    _develop,
    _healthcheck,
    _scale,
    _limits,
)


def _dependencies(c: _Check, disabled: Collection[str]) -> None:
    for name, entry in c.service.get("depends_on", {}).items():
        if name in c.model["services"] or (name in disabled and not entry["required"]):
            continue
        path = _said_by(c.service, name)
        if name in disabled:
            c.fault(
                f"depends on {name!r}, whose profile is not enabled; "
                "enable it or set required: false",
                *path,
            )
        else:
            services = c.model["services"]
            c.fault(f"depends on {name!r}, which does not exist", *path, word=name, known=services)


def _said_by(service: Service, name: str) -> tuple[str, ...]:
    """The key by which a service depends on another; some keys imply it."""
    for key in SHARED_NAMESPACES:
        if service.get(key) == f"service:{name}":
            return (key,)
    for key in ("links", "volumes_from"):
        if any(name in (entry, entry.split(":")[0]) for entry in service.get(key, [])):
            return (key, name)
    return ("depends_on", name)


def _container_names(model: Mapping[str, Any], tree: Node, report: Report) -> None:
    seen: dict[str, str] = {}
    for name, service in model["services"].items():
        container = service.get("container_name")
        if container is None:
            continue
        if container in seen:
            report.fault(
                tree.where("services", name, "container_name"),
                f"services.{name}.container_name: {container!r} is taken by {seen[container]!r}",
            )
        seen[container] = name


# One cut often opens many cycles; after a few the rest is noise.
_MAX_CYCLES = 10


def _cycles(model: Mapping[str, Any], tree: Node, report: Report) -> None:
    services = model["services"]
    done: set[str] = set()
    found = 0
    for start in services:
        for cycle in _cycles_from(start, services, done):
            shown = cycle if len(cycle) <= 12 else [*cycle[:10], "…", cycle[-1]]
            report.fault(
                tree.where("services", cycle[0], "depends_on", cycle[1]),
                f"services.{cycle[0]}.depends_on: a dependency cycle: {' -> '.join(shown)}",
            )
            found += 1
            if found == _MAX_CYCLES:
                return


def _cycles_from(
    start: str, services: Mapping[str, Service], done: set[str]
) -> Iterator[list[str]]:
    """Cycles reachable from `start`; walks with its own stack, as chains may be long."""
    if start in done:
        return
    path = [start]
    on_path = {start}
    pending = [iter(services[start].get("depends_on", {}))]
    while pending:
        below = next(pending[-1], None)
        if below is None:
            done.add(path[-1])
            on_path.discard(path.pop())
            pending.pop()
        elif below in on_path:
            yield [*path[path.index(below) :], below]
        elif below in services and below not in done:
            path.append(below)
            on_path.add(below)
            pending.append(iter(services[below].get("depends_on", {})))


def _resources(model: Mapping[str, Any], tree: Node, report: Report) -> None:
    for key, volume in model.get("volumes", {}).items():
        extra = sorted(set(volume) - {"name", "external"})
        if volume.get("external") and extra:
            report.fault(
                tree.where("volumes", key),
                f"volumes.{key}: an external volume takes no {', '.join(extra)}",
            )
    for kind, ways in (("secrets", ("file", "environment")), ("configs", _CONFIG_WAYS)):
        for key, entry in model.get(kind, {}).items():
            given = [way for way in ways if way in entry]
            if entry.get("external"):
                continue
            if len(given) != 1:
                report.fault(
                    tree.where(kind, key), f"{kind}.{key}: give exactly one of {', '.join(ways)}"
                )


_CONFIG_WAYS = ("file", "environment", "content")
