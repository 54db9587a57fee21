"""Several files become one tree, key by key, by the reference's rules.

Scalars, `command`, `entrypoint` and `healthcheck.test` are replaced; mappings merge by key; lists
append and then keep the last of those that mean the same thing (one variable, one mount target,
one published port). `!reset` deletes, `!override` replaces. Trees have passed `schema.py` before.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from controller.config.compose.mount_text import split_mount
from controller.config.compose.units import go_text
from controller.config.node import Node, Report, Value, plain

Path = tuple[str, ...]

_REPLACED = (
    "services/*/command",
    "services/*/entrypoint",
    "services/*/healthcheck/test",
    "services/*/ulimits/*",
)
_KEY_VALUE = (
    "networks/*/labels",
    "volumes/*/labels",
    "services/*/annotations",
    "services/*/build/args",
    "services/*/build/additional_contexts",
    "services/*/build/labels",
    "services/*/deploy/labels",
    "services/*/environment",
    "services/*/labels",
    "services/*/sysctls",
    "services/*/volumes/*/volume/labels",
)
_TEXT_OR_LIST = (
    "services/*/dns",
    "services/*/dns_search",
    "services/*/env_file",
    "services/*/label_file",
    "services/*/tmpfs",
)
_NAMED = ("services/*/networks", "services/*/models")


def _matches(path: Path, patterns: tuple[str, ...]) -> bool:
    joined = "/".join(path)
    depth = len(path)
    return any(
        pattern.count("/") + 1 == depth and fnmatchcase(joined, pattern) for pattern in patterns
    )


def merge_all(trees: list[Node], report: Report) -> Node:
    """One tree out of many, later ones winning; every list made unique on the way."""
    merged = _clean(trees[0], ())
    for tree in trees[1:]:
        merged = _merge(merged, tree, (), report)
    return merged


def merge_service(base: Node, over: Node, name: str, report: Report) -> Node:
    """What a service says, over what it extends."""
    return _merge(_clean(base, ("services", name)), over, ("services", name), report)


def beside(ours: Node, included: Node, kind: str, report: Report) -> Node:
    """A section with what an included file adds to it. What both declare must be the same."""
    found = dict(ours.map())
    for name, theirs in included.map().items():
        mine = found.setdefault(name, theirs)
        if mine is not theirs and plain(mine) != plain(theirs):
            report.fault(
                mine.mark,
                f"{kind}.{name}: the included file at {theirs.mark} declares it too; "
                "change it in a further file, such as compose.override.yaml",
            )
    return Node(found, ours.mark, ours.tag)


def _clean(node: Node, path: Path) -> Node:
    """A tree without its merge instructions, its lists unique."""
    if isinstance(node.value, dict):
        kept: Value = {
            key: _clean(child, (*path, key))
            for key, child in node.value.items()
            if child.tag != "!reset"
        }
    elif isinstance(node.value, list):
        items = [_clean(child, (*path, "[]")) for child in node.value if child.tag != "!reset"]
        kept = _unique(items, path)
    elif node.tag is None:
        return node
    else:
        kept = node.value
    return Node(kept, node.mark)


def _merge(base: Node, over: Node, path: Path, report: Report) -> Node:
    if over.tag == "!override" or _matches(path, _REPLACED):
        return _clean(over, path)
    if over.value is None:
        # A variable without a value is said: it takes the place of one that has a value.
        return over if _matches(path[:-1], _KEY_VALUE) else base
    base, over = _alike(base, over, path)
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        if path[2:] == ("logging",) and _drivers_differ(base, over):
            return _clean(over, path)
        return _merge_maps(base, over, path, report)
    if isinstance(base.value, list) and isinstance(over.value, list):
        added = [_clean(child, (*path, "[]")) for child in over.value if child.tag != "!reset"]
        return Node(_unique([*base.value, *added], path), over.mark)
    if base.value is not None and (
        isinstance(base.value, (dict, list)) or isinstance(over.value, (dict, list))
    ):
        report.fault(
            over.mark,
            f"{'.'.join(path)}: a {over.kind} cannot be merged into the {base.kind} at {base.mark}",
        )
    return _clean(over, path)


def _merge_maps(base: Node, over: Node, path: Path, report: Report) -> Node:
    merged = dict(base.map())
    for key, child in over.map().items():
        below = (*path, key)
        if child.tag == "!reset":
            merged.pop(key, None)
        elif key in merged:
            merged[key] = _merge(merged[key], child, below, report)
        else:
            merged[key] = _clean(child, below)
    return Node(merged, over.mark)


def _drivers_differ(base: Node, over: Node) -> bool:
    ours, theirs = base.get("driver"), over.get("driver")
    return ours is not None and theirs is not None and ours.value != theirs.value


def _alike(base: Node, over: Node, path: Path) -> tuple[Node, Node]:
    """Both sides in one syntax, where a key has two."""
    convert: Callable[[Node], Node] | None = None
    if _matches(path, _KEY_VALUE):
        convert = _pairs_to_map
    elif _matches(path, _TEXT_OR_LIST):
        convert = _text_to_list
    elif _matches(path, _NAMED):
        convert = _names_to_map
    elif path[2:] == ("depends_on",):
        convert = _dependencies_to_map
    elif path[2:] in (("extra_hosts",), ("build", "extra_hosts")):
        convert = _hosts_to_list
    elif path[2:] == ("build",):
        convert = _context_to_map
    elif path[2:] == ("gpus",):
        convert = _all_to_list
    return (convert(base), convert(over)) if convert else (base, over)


def _pairs_to_map(node: Node) -> Node:
    if not isinstance(node.value, list):
        return node
    pairs: dict[str, Node] = {}
    for item in node.value:
        key, equals, value = str(item.value).partition("=")
        pairs[key] = Node(value if equals else None, item.mark)
    return Node(pairs, node.mark)


def _text_to_list(node: Node) -> Node:
    return node if isinstance(node.value, list) else Node([node], node.mark)


def _names_to_map(node: Node) -> Node:
    if not isinstance(node.value, list):
        return node
    return Node({str(item.value): Node(None, item.mark) for item in node.value}, node.mark)


def _dependencies_to_map(node: Node) -> Node:
    if not isinstance(node.value, list):
        return node
    entries = {
        str(item.value): Node(
            {
                "condition": Node("service_started", item.mark),
                "required": Node(True, item.mark),
            },
            item.mark,
        )
        for item in node.value
    }
    return Node(entries, node.mark)


def _hosts_to_list(node: Node) -> Node:
    if not isinstance(node.value, dict):
        return node
    lines = [
        Node(f"{host}={go_text(_scalar(address))}", address.mark)
        for host, value in node.value.items()
        for address in (value.items() if isinstance(value.value, list) else [value])
    ]
    return Node(list(lines), node.mark)


def _context_to_map(node: Node) -> Node:
    if isinstance(node.value, str):
        return Node({"context": node}, node.mark)
    return node


def _all_to_list(node: Node) -> Node:
    if isinstance(node.value, str):
        return Node([Node({"count": node}, node.mark)], node.mark)
    return node


def _scalar(node: Node) -> str | int | float | bool | None:
    return None if isinstance(node.value, (dict, list)) else node.value


def _unique(items: list[Node], path: Path) -> list[Node]:
    """The items, each later one in place of an earlier one that means the same."""
    key_of = _UNIQUE.get(_kind(path)) if path[:1] == ("services",) else None
    if key_of is None:
        return items
    kept: dict[str, Node] = {}
    for item in items:
        kept[key_of(item)] = item
    return list(kept.values())


def _kind(path: Path) -> str:
    """What of a service it is: its name of a network does not matter."""
    below = path[2:]
    return "/".join(("networks", "*", *below[2:]) if below[:1] == ("networks",) else below)


def _pair_key(item: Node) -> str:
    return str(item.value).partition("=")[0]


def _whole(item: Node) -> str:
    return go_text(_scalar(item))


def _port_key(item: Node) -> str:
    if not isinstance(item.value, dict):
        return go_text(_scalar(item))
    part = {key: go_text(_scalar(child)) for key, child in item.value.items()}
    return (
        f"{part.get('host_ip', '0.0.0.0')}:{part.get('published', '')}"  # noqa: S104
        f":{part.get('target', '')}/{part.get('protocol', 'tcp')}"
    )


def _mount_key(item: Node) -> str:
    if isinstance(item.value, dict):
        target = item.get("target")
        return str(target.value) if target else f"{item.mark}"
    try:
        return split_mount(str(item.value)).target
    except ValueError:
        return str(item.value)


def _device_key(item: Node) -> str:
    if isinstance(item.value, dict):
        named = item.get("target") or item.get("source")
        return str(named.value) if named else f"{item.mark}"
    parts = str(item.value).split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def _file_key(item: Node) -> str:
    named = item.get("path") if isinstance(item.value, dict) else item
    return str(named.value) if named else f"{item.mark}"


def _target_key(folder: str) -> Callable[[Node], str]:
    """Where a secret or config is mounted; by its name in `folder` where nothing else is said."""

    def key(item: Node) -> str:
        if not isinstance(item.value, dict):
            return f"{folder}/{item.value}"
        target, source = item.get("target"), item.get("source")
        if target is not None:
            return str(target.value)
        return f"{folder}/{source.value}" if source else f"{item.mark}"

    return key


_UNIQUE: dict[str, Callable[[Node], str]] = {
    "annotations": _pair_key,
    "build/extra_hosts": _whole,
    "build/tags": _pair_key,
    "cap_add": _pair_key,
    "cap_drop": _pair_key,
    "configs": _target_key(""),
    "devices": _device_key,
    "dns": _pair_key,
    "dns_opt": _pair_key,
    "dns_search": _pair_key,
    "env_file": _file_key,
    "environment": _pair_key,
    "expose": _whole,
    "extra_hosts": _whole,
    "labels": _pair_key,
    "links": _pair_key,
    "networks/*/aliases": _pair_key,
    "networks/*/link_local_ips": _pair_key,
    "ports": _port_key,
    "profiles": _pair_key,
    "secrets": _target_key("/run/secrets"),
    "sysctls": _pair_key,
    "tmpfs": _pair_key,
    "volumes": _mount_key,
}
