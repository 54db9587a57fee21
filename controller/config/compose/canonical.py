"""Every syntax of a key becomes one, in the shape of the reference's normalised JSON.

Input is a merged tree that has passed `schema.py`; output is plain data: durations as `1m30s`,
sizes as byte counts in text, paths absolute, short ports and mounts spelt out. What is empty is
left out, as the reference leaves it out.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.config.compose import shapes
from controller.config.compose.mount_text import split_mount
from controller.config.compose.port_text import check_ip, parse_range, split_port
from controller.config.compose.units import (
    format_duration,
    go_text,
    parse_bytes,
    parse_duration,
)
from controller.config.node import Node, Report, plain


@dataclass(frozen=True, slots=True)
class Context:
    """What the canonical form depends on beside the tree: the environment and where paths start."""

    project_directory: str
    env: Mapping[str, str]
    report: Report

    def path(self, text: str) -> str:
        """An absolute path; `~` is the home directory of the environment."""
        if text == "~" or text.startswith("~/"):
            text = self.env.get("HOME", "/root") + text[1:]
        return posixpath.normpath(posixpath.join(self.project_directory, text))


Convert = Callable[[Node, Context], Any]


def canonical_service(node: Node, context: Context) -> dict[str, Any]:
    """One service in canonical form; `command` and `entrypoint` are always there."""
    service: dict[str, Any] = {"command": None, "entrypoint": None}
    for key, child in node.map().items():
        if key.startswith("x-") or key == "extends":
            continue
        value = _SERVICE.get(key, _plain)(child, context)
        if key in _KEEP_EMPTY or not _is_empty(value):
            service[key] = value
    return service


def canonical_resource(node: Node, context: Context, *, is_network: bool) -> dict[str, Any]:
    """A top-level network or volume; `external` becomes a boolean, a network always has `ipam`."""
    resource: dict[str, Any] = {}
    for key, child in node.map().items():
        if key.startswith("x-"):
            continue
        value = _RESOURCE.get(key, _plain)(child, context)
        if key == "enable_ipv6" or not _is_empty(value):
            resource[key] = value
    legacy = node.get("external", "name")
    if legacy is not None:
        resource.setdefault("name", legacy.value)
        context.report.warn(legacy.mark, "external.name is deprecated: use name and external: true")
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


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {}) or value == 0


def _plain(node: Node, _context: Context) -> Any:
    return _without_extensions(plain(node))


def _without_extensions(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_extensions(v) for k, v in value.items() if not k.startswith("x-")}
    if isinstance(value, list):
        return [_without_extensions(item) for item in value]
    return value


def _boolean(node: Node, _context: Context) -> bool | None:
    return shapes.as_boolean(node)


def _integer(node: Node, _context: Context) -> int | None:
    return shapes.as_integer(node)


def _number(node: Node, _context: Context) -> float | int | None:
    number = shapes.as_number(node)
    return int(number) if number is not None and number.is_integer() else number


def _scalar(node: Node) -> str | int | float | bool | None:
    return None if isinstance(node.value, (dict, list)) else node.value


def _text(node: Node, _context: Context) -> str:
    return go_text(_scalar(node))


def _size(node: Node, _context: Context) -> str:
    value = node.value
    assert isinstance(value, (int, float, str))
    number = parse_bytes(value)
    return str(number) if number else ""


def _duration(node: Node, _context: Context) -> str:
    return format_duration(parse_duration(str(node.value)))


def _texts(node: Node, _context: Context) -> list[str]:
    if isinstance(node.value, list):
        return [go_text(_scalar(item)) for item in node.value]
    return [go_text(_scalar(node))]


def _command(node: Node, context: Context) -> list[str] | None:
    if node.value is None:
        return None
    if isinstance(node.value, list):
        return [str(item.value) for item in node.value]
    try:
        return shlex.split(str(node.value))
    except ValueError as error:
        context.report.fault(node.mark, f"the command cannot be split into words: {error}")
        return None


def _pairs(node: Node) -> dict[str, str | None]:
    if isinstance(node.value, dict):
        return {
            key: None if child.value is None else go_text(_scalar(child))
            for key, child in node.value.items()
        }
    pairs: dict[str, str | None] = {}
    for item in node.items():
        key, equals, value = str(item.value).partition("=")
        pairs[key] = value if equals else None
    return pairs


def _labels(node: Node, _context: Context) -> dict[str, str]:
    return {key: value or "" for key, value in _pairs(node).items()}


def _environment(node: Node, context: Context) -> dict[str, str | None]:
    pairs = _pairs(node)
    for key in pairs:
        if not key or key != key.strip() or "\0" in key:
            context.report.fault(
                node.where(key), f"environment: the name {key!r} is empty or has spaces around it"
            )
    return {k: context.env.get(k) if v is None else v for k, v in pairs.items()}


def _build_args(node: Node, context: Context) -> dict[str, str]:
    found = {k: context.env.get(k) if v is None else v for k, v in _pairs(node).items()}
    return {key: value for key, value in found.items() if value is not None}


def _build(node: Node, context: Context) -> dict[str, Any]:
    if isinstance(node.value, str):
        build: dict[str, Any] = {"context": node.value}
    else:
        build = {}
        for key, child in node.map().items():
            if not key.startswith("x-"):
                value = _BUILD.get(key, _plain)(child, context)
                if not _is_empty(value):
                    build[key] = value
    where = str(build.get("context", "."))
    build["context"] = where if _is_remote(where) else context.path(where)
    if "dockerfile" not in build and "dockerfile_inline" not in build:
        build["dockerfile"] = "Dockerfile"
    return build


def _is_remote(where: str) -> bool:
    return "://" in where or where.startswith(("git@", "github.com/", "service:", "target:"))


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


def _paths(node: Node, context: Context) -> list[str]:
    return [context.path(text) for text in _texts(node, context)]


def _hosts(node: Node, context: Context) -> list[str]:
    lines: set[str] = set()
    if isinstance(node.value, dict):
        for host, value in node.value.items():
            for address in _texts(value, context):
                lines.add(_host_line(host, address, value, context))
    for item in node.items():
        text = str(item.value)
        host, separator, addresses = text.partition("=" if "=" in text else ":")
        if not separator:
            context.report.fault(item.mark, f"extra_hosts: {text!r} has no address; host=address")
            continue
        for address in addresses.split(","):
            lines.add(_host_line(host, address, item, context))
    return sorted(lines)


def _host_line(host: str, address: str, node: Node, context: Context) -> str:
    if not host or ":" in host or "=" in host:
        context.report.fault(node.mark, f"extra_hosts: {host!r} is not a host name")
    if len(address) > 2 and address[0] == "[" and address[-1] == "]":
        address = address[1:-1]
    return f"{host}={address}"


def _healthcheck(node: Node, context: Context) -> dict[str, Any]:
    check: dict[str, Any] = {}
    for key, child in node.map().items():
        if key == "test":
            check[key] = (
                ["CMD-SHELL", child.value]
                if isinstance(child.value, str)
                else _texts(child, context)
            )
        elif key == "retries":
            check[key] = shapes.as_integer(child)
        elif key == "disable":
            if shapes.as_boolean(child):
                check[key] = True
        elif not key.startswith("x-"):
            check[key] = _duration(child, context)
    return check


def _ports(node: Node, context: Context) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for item in node.items():
        try:
            entries = [_long_port(item)] if isinstance(item.value, dict) else _short_ports(item)
        except ValueError as error:
            context.report.fault(item.mark, f"ports: {go_text(_scalar(item))!r}: {error}")
            continue
        found.extend(entry for entry in entries if entry not in found)
    return found


def _short_ports(item: Node) -> list[dict[str, Any]]:
    entries = []
    for port in split_port(go_text(_scalar(item))):
        entry: dict[str, Any] = {"mode": "ingress", "target": port.target}
        if port.host_ip:
            entry["host_ip"] = port.host_ip
        if port.published:
            entry["published"] = port.published
        entry["protocol"] = port.protocol
        entries.append(entry)
    return entries


def _long_port(item: Node) -> dict[str, Any]:
    target = item.get("target")
    if target is None:
        raise ValueError("the key target is missing")
    entry: dict[str, Any] = {"mode": "ingress"}
    for key, child in item.map().items():
        if not key.startswith("x-"):
            entry[key] = shapes.as_integer(child) if key == "target" else go_text(_scalar(child))
    if entry.get("published"):
        parse_range(entry["published"])
    else:
        entry.pop("published", None)
    if entry.get("host_ip"):
        check_ip(entry["host_ip"])
    entry.setdefault("protocol", "tcp")
    return entry


def _volumes(node: Node, context: Context) -> list[dict[str, Any]]:
    found = []
    for item in node.items():
        try:
            mount = (
                _long_mount(item, context)
                if isinstance(item.value, dict)
                else _short_mount(item, context)
            )
        except ValueError as error:
            context.report.fault(item.mark, f"volumes: {go_text(_scalar(item))!r}: {error}")
            continue
        found.append(mount)
    return found


def _short_mount(item: Node, context: Context) -> dict[str, Any]:
    text = split_mount(str(item.value))
    for word in text.unknown:
        context.report.warn(item.mark, f"volumes: the option {word!r} is not known and ignored")
    mount: dict[str, Any] = {"type": "bind" if text.is_bind else "volume"}
    if text.source:
        mount["source"] = context.path(text.source) if text.is_bind else text.source
    mount["target"] = text.target
    if text.read_only:
        mount["read_only"] = True
    if text.is_bind or text.selinux or text.propagation:
        bind = {"selinux": text.selinux, "propagation": text.propagation}
        mount["bind"] = {key: value for key, value in bind.items() if value}
        if text.is_bind:
            mount["bind"]["create_host_path"] = True
    if not text.is_bind or text.nocopy:
        mount["volume"] = {"nocopy": True} if text.nocopy else {}
    return mount


def _long_mount(item: Node, context: Context) -> dict[str, Any]:
    mount: dict[str, Any] = {}
    for key, child in item.map().items():
        if key.startswith("x-"):
            continue
        value = _MOUNT.get(key, _plain)(child, context)
        if key in ("bind", "volume", "tmpfs", "image") or not _is_empty(value):
            mount[key] = value
    if not mount.get("target"):
        raise ValueError("the key target is missing")
    mount["target"] = posixpath.normpath(mount["target"]).replace("//", "/")
    if mount["type"] == "bind":
        if not mount.get("source"):
            raise ValueError("a bind needs a source path")
        mount["source"] = context.path(mount["source"])
    if "bind" in mount:
        mount["bind"].setdefault("create_host_path", True)
    return mount


def _mapped(converts: Mapping[str, Convert], keep: tuple[str, ...] = ()) -> Convert:
    """A converter of a mapping whose keys have converters of their own; empty values drop out."""

    def convert(node: Node, context: Context) -> dict[str, Any]:
        found = {}
        for key, child in node.map().items():
            if not key.startswith("x-"):
                value = converts.get(key, _plain)(child, context)
                if key in keep or not _is_empty(value):
                    found[key] = value
        return found

    return convert


def _each(convert: Convert) -> Convert:
    return lambda node, context: [convert(item, context) for item in node.items()]


def _tmpfs_mode(node: Node, _context: Context) -> int | None:
    number = shapes.as_integer(node)
    return int(str(node.value), 8) if isinstance(node.value, str) and number is not None else number


def _networks(node: Node, context: Context) -> dict[str, Any]:
    if isinstance(node.value, list):
        return {str(item.value): None for item in node.value}
    return {
        name: _ENDPOINT(child, context) if child.map() else None
        for name, child in node.map().items()
    }


def _ulimits(node: Node, _context: Context) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, child in node.map().items():
        found[name] = (
            {key: shapes.as_integer(child.map()[key]) for key in ("soft", "hard")}
            if isinstance(child.value, dict)
            else shapes.as_integer(child)
        )
    return found


def _devices(node: Node, _context: Context) -> list[dict[str, str]]:
    found = []
    for item in node.items():
        if isinstance(item.value, dict):
            entry = _without_extensions(plain(item))
        else:
            source, _, rest = str(item.value).partition(":")
            target, _, permissions = rest.partition(":")
            entry = {"source": source, "target": target, "permissions": permissions}
        entry["target"] = entry.get("target") or entry["source"]
        entry["permissions"] = entry.get("permissions") or "rwm"
        found.append(entry)
    return found


def _file_mounts(default_folder: str) -> Convert:
    def convert(node: Node, _context: Context) -> list[dict[str, Any]]:
        found = []
        for item in node.items():
            entry: dict[str, Any] = (
                _without_extensions(plain(item))
                if isinstance(item.value, dict)
                else {"source": item.value}
            )
            if default_folder:
                entry.setdefault("target", f"{default_folder}/{entry.get('source')}")
            found.append(entry)
        return found

    return convert


def _gpus(node: Node, _context: Context) -> list[Any]:
    if isinstance(node.value, str):
        return [{"count": -1}]
    return [_without_extensions(plain(item)) for item in node.items()]


def _external(node: Node, _context: Context) -> bool:
    return True if isinstance(node.value, dict) else bool(shapes.as_boolean(node))


_LIMITS = _mapped({"cpus": _number, "memory": _size, "pids": _integer})
_DEPLOY = _mapped(
    {
        "replicas": _integer,
        "labels": _labels,
        "resources": _mapped({"limits": _LIMITS, "reservations": _LIMITS}),
        "restart_policy": _mapped(
            {"delay": _duration, "window": _duration, "max_attempts": _integer},
            keep=("max_attempts",),
        ),
    },
    keep=("replicas",),
)
_BUILD: dict[str, Convert] = {
    "args": _build_args,
    "labels": _labels,
    "additional_contexts": _labels,
    "shm_size": _size,
    "extra_hosts": _hosts,
    "ulimits": _ulimits,
    "secrets": _file_mounts(""),
    "no_cache": _boolean,
    "privileged": _boolean,
    "pull": _boolean,
}
_ENDPOINT = _mapped({"priority": _integer, "gw_priority": _integer, "driver_opts": _labels})
_MOUNT: dict[str, Convert] = {
    "read_only": _boolean,
    "bind": _mapped({"create_host_path": _boolean}, keep=("create_host_path",)),
    "volume": _mapped({"nocopy": _boolean, "labels": _labels}),
    "tmpfs": _mapped({"size": _size, "mode": _tmpfs_mode}),
}
_SERVICE: dict[str, Convert] = {
    **dict.fromkeys(("annotations", "labels", "sysctls"), _labels),
    **dict.fromkeys(
        ("attach", "init", "oom_kill_disable", "privileged", "read_only", "stdin_open", "tty"),
        _boolean,
    ),
    **dict.fromkeys(
        ("cpu_count", "cpu_quota", "cpu_shares", "oom_score_adj", "pids_limit", "scale"), _integer
    ),
    **dict.fromkeys(("cpus", "cpu_percent"), _number),
    **dict.fromkeys(
        ("mem_limit", "mem_reservation", "memswap_limit", "shm_size", "mem_swappiness"), _size
    ),
    **dict.fromkeys(("dns", "dns_search", "expose", "group_add", "tmpfs"), _texts),
    "build": _build,
    "command": _command,
    "configs": _file_mounts(""),
    "depends_on": _depends_on,
    "deploy": _DEPLOY,
    "devices": _devices,
    "entrypoint": _command,
    "env_file": _env_file,
    "environment": _environment,
    "extra_hosts": _hosts,
    "gpus": _gpus,
    "healthcheck": _healthcheck,
    "label_file": _paths,
    "logging": _mapped({"options": _labels}),
    "networks": _networks,
    "models": _networks,
    "ports": _ports,
    "secrets": _file_mounts("/run/secrets"),
    "stop_grace_period": _duration,
    "ulimits": _ulimits,
    "volumes": _volumes,
}
_RESOURCE: dict[str, Convert] = {
    "labels": _labels,
    "driver_opts": _labels,
    "external": _external,
    "internal": _boolean,
    "attachable": _boolean,
    "enable_ipv4": _boolean,
    "enable_ipv6": _boolean,
}
