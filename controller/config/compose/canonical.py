"""Every syntax of a key becomes one, in the shape of the reference's normalised JSON.

Input is a merged tree that has passed `schema.py`; output is plain data: durations as `1m30s`,
sizes as byte counts in text, paths absolute, short ports and mounts spelt out. What is empty is
left out, as the reference leaves it out.
"""

from __future__ import annotations

import shlex
from typing import Any

from controller.config.compose import shapes
from controller.config.compose.canonical_lists import (
    devices,
    expose,
    file_mounts,
    gpus,
    hosts,
    ports,
    ulimits,
    volumes,
)
from controller.config.compose.canonical_values import (
    Context,
    Convert,
    boolean,
    duration,
    integer,
    is_empty,
    labels,
    mapped,
    number,
    pairs,
    paths,
    plain_value,
    size,
    texts,
)
from controller.config.compose.rebase import is_remote
from controller.config.node import Node


def canonical_service(name: str, node: Node, context: Context) -> dict[str, Any]:
    """One service in canonical form; `command` and `entrypoint` are always there."""
    service: dict[str, Any] = {"command": None, "entrypoint": None}
    for key, child in node.map().items():
        if key.startswith("x-") or key == "extends":
            continue
        value = _SERVICE.get(key, plain_value)(child, context.at(f"services.{name}.{key}"))
        if key in _KEEP_EMPTY or not is_empty(value):
            service[key] = value
    return service


def canonical_resource(node: Node, context: Context, *, is_network: bool) -> dict[str, Any]:
    """A top-level network or volume; `external` becomes a boolean, a network always has `ipam`."""
    resource: dict[str, Any] = {}
    for key, child in node.map().items():
        if key.startswith("x-"):
            continue
        value = _RESOURCE.get(key, plain_value)(child, context)
        if key == "enable_ipv6" or not is_empty(value):
            resource[key] = value
    legacy = node.get("external", "name")
    if legacy is not None:
        resource.setdefault("name", legacy.value)
        context.warn(legacy, "external.name is deprecated; use name and external: true")
    if is_network:
        resource.setdefault("ipam", {})
    return resource


def canonical_file(node: Node, context: Context) -> dict[str, Any]:
    """A top-level secret or config, its file absolute."""
    resource = canonical_resource(node, context, is_network=False)
    if "file" in resource:
        resource["file"] = context.path(resource["file"])
    return resource


_KEEP_EMPTY = {"command", "entrypoint", "init", "attach", "scale"}


def _command(node: Node, context: Context) -> list[str] | None:
    if node.value is None:
        return None
    if isinstance(node.value, list):
        return [str(item.value) for item in node.value]
    try:
        return shlex.split(str(node.value))
    except ValueError as error:
        context.fault(node, f"the command cannot be split into words: {error}")
        return None


def _environment(node: Node, context: Context) -> dict[str, str | None]:
    found = pairs(node)
    for key in found:
        if not key or key != key.strip() or "\0" in key:
            context.report.fault(
                node.where(key), f"{context.key}: the name {key!r} is empty or has spaces around it"
            )
    return {k: context.env.get(k) if v is None else v for k, v in found.items()}


def _build_args(node: Node, context: Context) -> dict[str, str]:
    found = {k: context.env.get(k) if v is None else v for k, v in pairs(node).items()}
    return {key: value for key, value in found.items() if value is not None}


def _build(node: Node, context: Context) -> dict[str, Any]:
    if isinstance(node.value, str):
        build: dict[str, Any] = {"context": node.value}
    else:
        build = {}
        for key, child in node.map().items():
            if not key.startswith("x-"):
                value = _BUILD.get(key, plain_value)(child, context)
                if not is_empty(value):
                    build[key] = value
    where = str(build.get("context", "."))
    build["context"] = where if is_remote(where) else context.path(where)
    if "dockerfile" not in build and "dockerfile_inline" not in build:
        build["dockerfile"] = "Dockerfile"
    return build


def _depends_on(node: Node, _context: Context) -> dict[str, Any]:
    if isinstance(node.value, list):
        return {
            str(item.value): {"condition": "service_started", "required": True}
            for item in node.value
        }
    found: dict[str, Any] = {}
    for name, child in node.map().items():
        condition, restart = child.get("condition"), child.get("restart")
        required = child.get("required")
        entry: dict[str, Any] = {
            "condition": condition.value if condition else "service_started",
            "required": True if required is None else shapes.as_boolean(required),
        }
        if restart is not None and shapes.as_boolean(restart):
            entry["restart"] = True
        found[name] = entry
    return found


def _env_file(node: Node, context: Context) -> list[dict[str, Any]]:
    entries = []
    for item in node.items() if isinstance(node.value, list) else [node]:
        if isinstance(item.value, dict):
            required = item.get("required")
            entry = {
                "path": context.path(str(item.value["path"].value)),
                "required": True if required is None else shapes.as_boolean(required),
            }
            if item.get("format"):
                entry["format"] = "raw"
        else:
            entry = {"path": context.path(str(item.value)), "required": True}
        entries.append(entry)
    return entries


def _healthcheck(node: Node, context: Context) -> dict[str, Any]:
    check: dict[str, Any] = {}
    for key, child in node.map().items():
        if key == "test":
            check[key] = (
                ["CMD-SHELL", child.value]
                if isinstance(child.value, str)
                else texts(child, context)
            )
        elif key == "retries":
            check[key] = shapes.as_integer(child)
        elif key == "disable":
            if shapes.as_boolean(child):
                check[key] = True
        elif not key.startswith("x-"):
            check[key] = duration(child, context)
    return check


def _networks(node: Node, context: Context) -> dict[str, Any]:
    if isinstance(node.value, list):
        return {str(item.value): None for item in node.value}
    return {
        name: _ENDPOINT(child, context) if child.map() else None
        for name, child in node.map().items()
    }


def _external(node: Node, _context: Context) -> bool:
    return True if isinstance(node.value, dict) else bool(shapes.as_boolean(node))


_LIMITS = mapped({"cpus": number, "memory": size, "pids": integer})


_DEPLOY = mapped(
    {
        "replicas": integer,
        "labels": labels,
        "resources": mapped({"limits": _LIMITS, "reservations": _LIMITS}),
        "restart_policy": mapped(
            {"delay": duration, "window": duration, "max_attempts": integer},
            keep=("max_attempts",),
        ),
    },
    keep=("replicas",),
)


_BUILD: dict[str, Convert] = {
    "args": _build_args,
    "labels": labels,
    "additional_contexts": labels,
    "shm_size": size,
    "extra_hosts": hosts,
    "ulimits": ulimits,
    "secrets": file_mounts(""),
    "no_cache": boolean,
    "privileged": boolean,
    "pull": boolean,
}


_ENDPOINT = mapped({"priority": integer, "gw_priority": integer, "driver_opts": labels})


_SERVICE: dict[str, Convert] = {
    **dict.fromkeys(("annotations", "labels", "sysctls"), labels),
    **dict.fromkeys(
        ("attach", "init", "oom_kill_disable", "privileged", "read_only", "stdin_open", "tty"),
        boolean,
    ),
    **dict.fromkeys(
        ("cpu_count", "cpu_quota", "cpu_shares", "oom_score_adj", "pids_limit", "scale"), integer
    ),
    **dict.fromkeys(("cpus", "cpu_percent"), number),
    **dict.fromkeys(
        ("mem_limit", "mem_reservation", "memswap_limit", "shm_size", "mem_swappiness"), size
    ),
    **dict.fromkeys(("dns", "dns_search", "group_add", "tmpfs"), texts),
    "build": _build,
    "command": _command,
    "configs": file_mounts(""),
    "depends_on": _depends_on,
    "deploy": _DEPLOY,
    "devices": devices,
    "entrypoint": _command,
    "env_file": _env_file,
    "environment": _environment,
    "expose": expose,
    "extra_hosts": hosts,
    "gpus": gpus,
    "healthcheck": _healthcheck,
    "label_file": paths,
    "logging": mapped({"options": labels}),
    "networks": _networks,
    "models": _networks,
    "ports": ports,
    "secrets": file_mounts("/run/secrets"),
    "stop_grace_period": duration,
    "ulimits": ulimits,
    "volumes": volumes,
}


_RESOURCE: dict[str, Convert] = {
    "labels": labels,
    "driver_opts": labels,
    "external": _external,
    "internal": boolean,
    "attachable": boolean,
    "enable_ipv4": boolean,
    "enable_ipv6": boolean,
}
