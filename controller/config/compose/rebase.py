"""Relative paths of a tree made absolute: an included or extended file means its own folder.

What the project's own files say is resolved later, against the project directory.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping

from controller.config.node import Node

# A path of another system is left as it is, as the reference leaves it.
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")
Change = Callable[[str], str]


def absolute(text: str, folder: str, env: Mapping[str, str]) -> str:
    """The path as seen from `folder`; `~` is the home directory of the environment."""
    if _WINDOWS.match(text):
        return text
    if text == "~" or text.startswith("~/"):
        text = env.get("HOME", "/root") + text[1:]
    return posixpath.normpath(posixpath.join(folder, text))


def is_remote(where: str) -> bool:
    """Whether a build context is fetched or made by the builder, and no folder."""
    return "://" in where or where.startswith(("git@", "github.com/", "service:", "target:"))


def rebase(tree: Node, folder: str, env: Mapping[str, str]) -> Node:
    """The tree of a whole file, its relative paths seen from `folder`."""

    def path(text: str) -> str:
        return absolute(text, folder, env) if text else text

    def context(text: str) -> str:
        return text if is_remote(text) else path(text)

    def short_mount(text: str) -> str:
        source, colon, rest = text.partition(":")
        return f"{path(source)}{colon}{rest}" if colon and source[:1] in (".", "~") else text

    def mount(node: Node) -> Node:
        if isinstance(node.value, str):
            return _text(node, short_mount)
        kind = node.get("type")
        is_bind = kind is not None and kind.value == "bind"
        return _keys(node, {"source": _texts(path)}) if is_bind else node

    def driver_options(node: Node) -> Node:
        option, driver = node.get("driver_opts", "o"), node.get("driver")
        is_bind = option is not None and option.value == "bind"
        if not is_bind or driver is None or driver.value != "local":
            return node
        return _keys(node, {"driver_opts": _each_key({"device": _texts(path)})})

    build = _or_text(
        context,
        {"context": _texts(context), "additional_contexts": _pairs(context)},
    )
    service = {
        "build": build,
        "env_file": _each(_or_text(path, {"path": _texts(path)})),
        "label_file": _texts(path),
        "extends": _each_key({"file": _texts(path)}),
        "volumes": _each(mount),
        "develop": _each_key({"watch": _each(_each_key({"path": _texts(path)}))}),
    }
    file = _each(_each_key({"file": _texts(path)}))
    return _keys(
        tree,
        {
            "services": _each(_each_key(service)),
            "configs": file,
            "secrets": file,
            "volumes": _each(driver_options),
        },
    )


def _text(node: Node, change: Change) -> Node:
    if not isinstance(node.value, str):
        return node
    return Node(change(node.value), node.mark, node.tag)


def _texts(change: Change) -> Callable[[Node], Node]:
    """A text, or each text of a list."""

    def apply(node: Node) -> Node:
        if isinstance(node.value, list):
            return Node([_text(item, change) for item in node.value], node.mark, node.tag)
        return _text(node, change)

    return apply


def _pairs(change: Change) -> Callable[[Node], Node]:
    """The values of a mapping or of KEY=value lines."""

    def line(text: str) -> str:
        key, equals, value = text.partition("=")
        return f"{key}={change(value)}" if equals else text

    def apply(node: Node) -> Node:
        if isinstance(node.value, list):
            return _texts(line)(node)
        return _each(_texts(change))(node)

    return apply


def _each(change: Callable[[Node], Node]) -> Callable[[Node], Node]:
    """Each value of a mapping, each item of a list, or the value itself."""

    def apply(node: Node) -> Node:
        if isinstance(node.value, dict):
            changed = {key: change(child) for key, child in node.value.items()}
            return Node(changed, node.mark, node.tag)
        if isinstance(node.value, list):
            return Node([change(child) for child in node.value], node.mark, node.tag)
        return change(node)

    return apply


def _keys(node: Node, changes: Mapping[str, Callable[[Node], Node]]) -> Node:
    if not isinstance(node.value, dict):
        return node
    changed = {
        key: changes[key](child) if key in changes else child for key, child in node.value.items()
    }
    return Node(changed, node.mark, node.tag)


def _each_key(changes: Mapping[str, Callable[[Node], Node]]) -> Callable[[Node], Node]:
    return lambda node: _keys(node, changes)


def _or_text(
    change: Change, changes: Mapping[str, Callable[[Node], Node]]
) -> Callable[[Node], Node]:
    """A text of its own, or a mapping with such texts."""
    return lambda node: _keys(_text(node, change), changes)
