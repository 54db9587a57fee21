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
    device_requests,
    devices,
    expose,
    file_mounts,
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
    scalar,
    size,
    texts,
    without_extensions,
)
from controller.config.compose.rebase import is_remote
from controller.config.compose.units import go_text
from controller.config.node import Node, plain


def canonical_service(name: str, node: Node, context: Context) -> dict[str, Any]:
    """One service in canonical form; `command` and `entrypoint` are always there."""
    service: dict[str, Any] = {"command": None, "entrypoint": None}
    for key, child in node.map().items():
        if key.startswith("x-") or key == "extends":
            continue
        value = _SERVICE.get(key, plain_value)(child, context.at(f"services.{name}.{key}"))
        if value is None and key not in _MAY_BE_NOTHING:
            continue
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
        if key in ("enable_ipv4", "enable_ipv6") or not is_empty(value):
            resource[key] = value
    legacy = node.get("external", "name")
    if legacy is not None:
        if "name" in resource:
            context.fault(legacy, "name and external.name exclude each other; only use name")
        resource.setdefault("name", legacy.value)
        context.warn(legacy, "external.name is deprecated; use name and external: true")
    if is_network:
        resource.setdefault("ipam", {})
    options = resource.get("driver_opts", {})
    if resource.get("driver") == "local" and options.get("o") == "bind" and "device" in options:
        options["device"] = context.path(options["device"])
    return resource


def canonical_file(node: Node, context: Context) -> dict[str, Any]:
    """A top-level secret or config, its file absolute."""
    resource = canonical_resource(node, context, is_network=False)
    if "file" in resource:
        resource["file"] = context.path(resource["file"])
    return resource


_MAY_BE_NOTHING = frozenset({"command", "entrypoint", "init", "attach", "scale"})
_KEEP_EMPTY = _MAY_BE_NOTHING | {
    *("blkio_config", "deploy", "develop", "healthcheck", "logging", "network_mode")
}


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
    if node.value == "":
        return {}
    if isinstance(node.value, str):
        build: dict[str, Any] = {"context": node.value}
    else:
        build = {}
        for key, child in node.map().items():
            if not key.startswith("x-"):
                value = _BUILD.get(key, plain_value)(child, context)
                if key in ("sbom", "provenance") or not is_empty(value):
                    build[key] = value
    where = str(build.get("context", "."))
    build["context"] = where if is_remote(where) else context.path(where)
    if node.get("dockerfile") is None and "dockerfile_inline" not in build:
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
            test = (
                ["CMD-SHELL", child.value]
                if isinstance(child.value, str)
                else texts(child, context)
            )
            if test:
                check[key] = test
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
        name: _ENDPOINT(child, context) if isinstance(child.value, dict) else None
        for name, child in node.map().items()
    }


def _external(node: Node, _context: Context) -> bool:
    return True if isinstance(node.value, dict) else bool(shapes.as_boolean(node))


def _deploy(node: Node, context: Context) -> dict[str, Any] | None:
    if node.value is None:
        return None
    return {"resources": {}, "placement": {}, **_DEPLOY(node, context)}


_LIMITS = mapped({"cpus": number, "memory": size, "pids": integer, "devices": device_requests})
_UPDATE = mapped(
    {"parallelism": integer, "delay": duration, "monitor": duration, "max_failure_ratio": number},
    keep=("parallelism",),
)
_DEPLOY = mapped(
    {
        "replicas": integer,
        "labels": labels,
        "resources": mapped(
            {"limits": _LIMITS, "reservations": _LIMITS}, keep=("limits", "reservations")
        ),
        "restart_policy": mapped(
            {"delay": duration, "window": duration, "max_attempts": integer},
            keep=("max_attempts",),
        ),
        "update_config": _UPDATE,
        "rollback_config": _UPDATE,
    },
    keep=(
        *("replicas", "resources", "placement"),
        *("restart_policy", "update_config", "rollback_config"),
    ),
)


def _additional_contexts(node: Node, context: Context) -> dict[str, str]:
    for item in node.items():
        if "=" not in str(item.value):
            context.fault(item, f"found {shapes.described(item)}; allowed: name=where")
    found = labels(node, context)
    return {key: text if is_remote(text) else context.path(text) for key, text in found.items()}


def _as_text(node: Node, _context: Context) -> str:
    return go_text(scalar(node))


def _path(node: Node, context: Context) -> str:
    return context.path(str(node.value))


_HOOK = mapped({"command": _command, "environment": _environment, "privileged": boolean})


def _hooks(node: Node, context: Context) -> list[dict[str, Any]]:
    return [{"command": None, **_HOOK(item, context)} for item in node.items()]


_WATCH = mapped(
    {
        "path": _path,
        "ignore": texts,
        "include": texts,
        "initial_sync": boolean,
        "exec": lambda node, context: {"command": None, **_HOOK(node, context)},
    }
)


def _develop(node: Node, context: Context) -> dict[str, Any] | None:
    if node.value is None:
        return None
    watch = node.get("watch")
    entries = (
        [{"exec": {"command": None}, **_WATCH(item, context)} for item in watch.items()]
        if watch
        else []
    )
    return {"watch": entries} if entries else {}


def _options(node: Node, context: Context) -> dict[str, list[str]]:
    return {key: texts(child, context) for key, child in node.map().items()}


def _blkio(node: Node, context: Context) -> dict[str, Any]:
    """The reference prints these without names of its own: `Path`, `Rate`, `Weight`."""
    found: dict[str, Any] = {}
    for key, child in node.map().items():
        if key == "weight":
            found |= {key: shapes.as_integer(child)} if shapes.as_integer(child) else {}
        elif key == "weight_device":
            found[key] = [
                {"Path": _text_at(item, "path"), "Weight": _number_at(item, "weight")}
                for item in child.items()
            ]
        elif not key.startswith("x-"):
            found[key] = [
                {"Path": _text_at(item, "path"), "Rate": _size_at(item, "rate", context)}
                for item in child.items()
            ]
    return found


def _text_at(node: Node, key: str) -> str:
    child = node.get(key)
    return "" if child is None else str(child.value)


def _number_at(node: Node, key: str) -> int:
    child = node.get(key)
    return 0 if child is None else shapes.as_integer(child) or 0


def _size_at(node: Node, key: str, context: Context) -> str:
    child = node.get(key)
    return "0" if child is None else size(child, context) or "0"


_BUILD: dict[str, Convert] = {
    "args": _build_args,
    "labels": labels,
    "additional_contexts": _additional_contexts,
    "sbom": _as_text,
    "provenance": _as_text,
    "shm_size": size,
    "extra_hosts": hosts,
    "ulimits": ulimits,
    "secrets": file_mounts(""),
    "no_cache": boolean,
    "no_cache_filter": texts,
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
        (
            *("cpu_count", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime"),
            *("cpu_shares", "oom_score_adj", "pids_limit", "scale"),
        ),
        integer,
    ),
    **dict.fromkeys(("cpus", "cpu_percent"), number),
    **dict.fromkeys(
        ("mem_limit", "mem_reservation", "memswap_limit", "shm_size", "mem_swappiness"), size
    ),
    **dict.fromkeys(("dns_search", "group_add", "tmpfs"), texts),
    **dict.fromkeys(("post_start", "pre_start", "pre_stop"), _hooks),
    "blkio_config": _blkio,
    "build": _build,
    "command": _command,
    "configs": file_mounts(""),
    "depends_on": _depends_on,
    "deploy": _deploy,
    "develop": _develop,
    "dns": lambda node, context: [text for text in texts(node, context) if text],
    "devices": devices,
    "entrypoint": _command,
    "env_file": _env_file,
    "environment": _environment,
    "expose": expose,
    "extra_hosts": hosts,
    "gpus": device_requests,
    "healthcheck": _healthcheck,
    "label_file": paths,
    "logging": mapped({"options": labels}),
    "networks": _networks,
    "models": _networks,
    "ports": ports,
    "provider": mapped({"options": _options}),
    "secrets": file_mounts("/run/secrets"),
    "stop_grace_period": duration,
    "storage_opt": labels,
    "ulimits": ulimits,
    "volumes": volumes,
}


def _pools(node: Node, _context: Context) -> list[Any]:
    return [without_extensions(plain(item)) for item in node.items()]


_RESOURCE: dict[str, Convert] = {
    "labels": labels,
    "driver_opts": labels,
    "external": _external,
    "internal": boolean,
    "attachable": boolean,
    "enable_ipv4": boolean,
    "enable_ipv6": boolean,
    "ipam": mapped({"config": _pools}),
}
