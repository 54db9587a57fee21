"""Converters of the keys that are lists with a short and a long syntax into the long one."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from controller.config.compose import shapes
from controller.config.compose.canonical_values import (
    Context,
    Convert,
    boolean,
    is_empty,
    labels,
    mapped,
    plain_value,
    scalar,
    size,
    texts,
    without_extensions,
)
from controller.config.compose.mount_text import split_mount
from controller.config.compose.port_text import PROTOCOLS, check_ip, parse_range, split_port
from controller.config.compose.units import go_text
from controller.config.node import Node, plain


def hosts(node: Node, context: Context) -> list[str]:
    """Extra hosts as sorted `host=address` lines."""
    lines: set[str] = set()
    if isinstance(node.value, dict):
        for host, value in node.value.items():
            for address in texts(value, context):
                lines.add(_host_line(host, address, value, context))
    for item in node.items():
        text = str(item.value)
        host, separator, addresses = text.partition("=" if "=" in text else ":")
        if not separator:
            context.fault(item, f"{text!r} has no address; host=address")
            continue
        for address in addresses.split(","):
            lines.add(_host_line(host, address, item, context))
    return sorted(lines)


def _host_line(host: str, address: str, node: Node, context: Context) -> str:
    if not host or ":" in host or "=" in host:
        context.fault(node, f"{host!r} is not a host name")
    if len(address) > 2 and address[0] == "[" and address[-1] == "]":
        address = address[1:-1]
    return f"{host}={address}"


def ports(node: Node, context: Context) -> list[dict[str, Any]]:
    """Published ports in long syntax, one entry for each target port."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for item in node.items():
        try:
            entries = (
                [_long_port(item)] if isinstance(item.value, dict) else _short_ports(item, context)
            )
        except ValueError as error:
            context.fault(item, f"{_shown(item)}{error}")
            continue
        for entry in entries:
            found.setdefault(tuple(sorted(entry.items())), entry)
    return list(found.values())


def _shown(item: Node) -> str:
    return "" if isinstance(item.value, dict) else f"{go_text(scalar(item))[:60]!r}: "


def _short_ports(item: Node, context: Context) -> list[dict[str, Any]]:
    entries = []
    context.room.take(0)
    parsed = split_port(go_text(scalar(item)))
    context.room.take(len(parsed))
    for port in parsed:
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
            entry[key] = shapes.as_integer(child) if key == "target" else go_text(scalar(child))
    if entry.get("published"):
        parse_range(entry["published"])
    else:
        entry.pop("published", None)
    if entry.get("host_ip"):
        check_ip(entry["host_ip"])
    entry.setdefault("protocol", "tcp")
    if entry["protocol"] not in PROTOCOLS:
        raise ValueError(
            f"found protocol {entry['protocol'][:20]!r}; allowed: {', '.join(PROTOCOLS)}"
        )
    return entry


def volumes(node: Node, context: Context) -> list[dict[str, Any]]:
    """Mounts in long syntax; sources of binds absolute."""
    found = []
    for item in node.items():
        try:
            mount = (
                _long_mount(item, context)
                if isinstance(item.value, dict)
                else _short_mount(item, context)
            )
        except ValueError as error:
            context.fault(item, f"{_shown(item)}{error}")
            continue
        found.append(mount)
    return found


def _bound(source: str, context: Context) -> str:
    """What is mounted: a path that is absolute stays as it is written."""
    return source if source.startswith("/") else context.path(source)


def _short_mount(item: Node, context: Context) -> dict[str, Any]:
    text = split_mount(str(item.value))
    for word in text.unknown:
        context.warn(item, f"the option {word!r} is not known and ignored")
    mount: dict[str, Any] = {"type": "bind" if text.is_bind else "volume"}
    if text.source:
        mount["source"] = _bound(text.source, context) if text.is_bind else text.source
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
        value = _MOUNT.get(key, plain_value)(child, context)
        if key in ("bind", "volume", "tmpfs", "image") or not is_empty(value):
            mount[key] = value
    if not mount.get("target"):
        raise ValueError("the key target is missing")
    mount["target"] = posixpath.normpath(mount["target"]).replace("//", "/")
    if mount["type"] == "bind":
        if not mount.get("source"):
            raise ValueError("a bind needs a source path")
        mount["source"] = _bound(mount["source"], context)
    return mount


def _tmpfs_mode(node: Node, _context: Context) -> int | None:
    if isinstance(node.value, str):
        # The reference takes a number only; a file that works there must say the same here.
        raise ValueError(f"found tmpfs mode {node.value[:20]!r} as text; write it without quotes")
    return shapes.as_integer(node)


_MOUNT: dict[str, Convert] = {
    "read_only": boolean,
    "bind": mapped({"create_host_path": boolean}, keep=("create_host_path",)),
    "volume": mapped({"nocopy": boolean, "labels": labels}),
    "tmpfs": mapped({"size": size, "mode": _tmpfs_mode}),
}


def ulimits(node: Node, _context: Context) -> dict[str, Any]:
    """Limits as one number, or soft and hard."""
    found: dict[str, Any] = {}
    for name, child in node.map().items():
        found[name] = (
            {key: shapes.as_integer(child.map()[key]) for key in ("soft", "hard")}
            if isinstance(child.value, dict)
            else shapes.as_integer(child)
        )
    return found


def devices(node: Node, context: Context) -> list[dict[str, str]]:
    """Devices in long syntax."""
    found = []
    for item in node.items():
        if isinstance(item.value, dict):
            entry = without_extensions(plain(item))
        else:
            source, _, rest = str(item.value).partition(":")
            target, _, permissions = rest.partition(":")
            entry = {"source": source, "target": target, "permissions": permissions}
            entry["target"] = target or source
            if ":" in permissions:
                context.fault(item, "too many colons; write source[:target[:permissions]]")
        if not entry.get("target"):
            context.fault(item, "the key target is missing")
        entry["permissions"] = entry.get("permissions") or "rwm"
        found.append(entry)
    return found


def _file_mode(node: Node, context: Context) -> str:
    """A mode in octal digits, with the leading zero that makes it one."""
    value = node.value
    if isinstance(value, str) and re.fullmatch("[0-7]{1,5}", value):
        return f"0{int(value, 8):o}"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return f"0{value:o}"
    context.fault(node, f"found mode {shapes.described(node)}; allowed: octal digits, like 0440")
    return ""


def file_mounts(default_folder: str) -> Convert:
    """A converter of secrets or configs into long syntax."""

    def convert(node: Node, context: Context) -> list[dict[str, Any]]:
        found = []
        for item in node.items():
            entry: dict[str, Any] = (
                without_extensions(plain(item))
                if isinstance(item.value, dict)
                else {"source": item.value}
            )
            mode = item.get("mode")
            if mode is not None:
                entry["mode"] = _file_mode(mode, context)
            if default_folder:
                entry.setdefault("target", f"{default_folder}/{entry.get('source')}")
            found.append({key: value for key, value in entry.items() if value != ""})
        return found

    return convert


def device_requests(node: Node, context: Context) -> list[dict[str, Any]]:
    """Device requests; `all` is a count of -1, and so is none where no device is named."""
    if isinstance(node.value, str):
        return [{"count": -1}]
    found = []
    for item in node.items():
        entry = _DEVICE_REQUEST(item, context)
        if "count" in entry and "device_ids" in entry:
            context.fault(item, "count and device_ids exclude each other")
        elif "device_ids" not in entry:
            entry.setdefault("count", -1)
        found.append(entry)
    return found


def _count(node: Node, context: Context) -> int | None:
    if node.value == "all":
        return -1
    number = shapes.as_integer(node)
    if number is None:
        context.fault(node, f"found {shapes.described(node)} as count; allowed: all or a number")
    return number


_DEVICE_REQUEST = mapped({"count": _count, "options": labels}, keep=("count",))


def expose(node: Node, context: Context) -> list[str]:
    """Ports or ranges that other containers may reach, as text."""
    found = texts(node, context)
    for item, entry in zip(node.items(), found, strict=True):
        port, slash, protocol = entry.partition("/")
        try:
            first, last = parse_range(port)
            context.room.take(last - first + 1)
            if slash and protocol not in PROTOCOLS:
                raise ValueError(f"the protocol is one of {', '.join(PROTOCOLS)}")
        except ValueError as error:
            context.fault(item, f"{entry!r}: {error}")
    return found
