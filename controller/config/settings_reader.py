"""From the text of config.yaml to `Settings`, with every fault at its line.

Variables are filled in as in Compose files, `HEAL7__SECTION__KEY` variables override, and what
pydantic finds wrong is told by file, line and key with the nearest known key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from controller.config.compose.interpolate import InterpolationError, Interpolator
from controller.config.node import Mark, Node, Report, Value, nearest, plain
from controller.config.settings import Settings
from controller.config.yaml12 import read
from controller.errors import ConfigError

OVERRIDE_PREFIX = "HEAL7__"
# Below this key everything may hold a secret, so no fault repeats it.
_SECRET = ("alerts", "channels")
# Workflow expressions are evaluated when a workflow runs, never at load.
_EXPRESSION = re.compile(r"(\$\{\{.*?\}\})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The settings, and the tree they came from for the places of later faults."""

    settings: Settings
    tree: Node


def read_settings(text: str, file: str, env: Mapping[str, str], report: Report) -> SettingsFile:
    """Settings of a config.yaml text. Raises ConfigError with every fault found."""
    tree = read(text, file)
    if not isinstance(tree.value, dict):
        raise ConfigError(
            [f"{tree.mark}: found {tree.kind}; config.yaml is a mapping"],
            remedy="write sections such as orchestration: and server:",
        )
    tree = _interpolated(tree, Interpolator(env.get, set(), report), report)
    tree = _overridden(tree, env, report)
    report.check(remedy=f"correct {file}")
    try:
        settings = Settings.model_validate(plain(tree))
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            report.fault(_place(tree, fault["loc"]), _sentence(fault))
        report.check(remedy=f"correct {file} at the lines named")
        raise ConfigError([str(error)]) from error
    return SettingsFile(settings, tree)


def _interpolated(node: Node, worker: Interpolator, report: Report) -> Node:
    value: Value = node.value
    if isinstance(value, str) and "$" in value:
        worker.unset = set()
        parts = _EXPRESSION.split(value)
        try:
            parts[::2] = [worker.expand(part) for part in parts[::2]]
        except InterpolationError as error:
            report.fault(node.mark, str(error))
        for name in sorted(worker.unset):
            report.warn(node.mark, f"the variable {name} is not set, taken as empty")
        value = "".join(parts)
    elif isinstance(value, list):
        value = [_interpolated(child, worker, report) for child in value]
    elif isinstance(value, dict):
        value = {key: _interpolated(child, worker, report) for key, child in value.items()}
    return Node(value, node.mark, node.tag)


def _overridden(tree: Node, env: Mapping[str, str], report: Report) -> Node:
    """The tree with the values of `HEAL7__A__B` variables set at `a.b`."""
    for name in sorted(env):
        if not name.startswith(OVERRIDE_PREFIX):
            continue
        path = name[len(OVERRIDE_PREFIX) :].lower().split("__")
        mark = Mark(f"environment variable {name}")
        if not all(path):
            report.fault(mark, "the name has an empty part; write HEAL7__SECTION__KEY")
            continue
        try:
            value = _remarked(read(env[name], mark.file), mark) if env[name] else Node("", mark)
        except ConfigError as error:
            report.faults.extend(error.faults)
            continue
        tree = _with_value(tree, path, value, report)
    return tree


def _remarked(node: Node, mark: Mark) -> Node:
    value: Value = node.value
    if isinstance(value, list):
        value = [_remarked(child, mark) for child in value]
    elif isinstance(value, dict):
        value = {key: _remarked(child, mark) for key, child in value.items()}
    return Node(value, mark)


def _with_value(node: Node, path: list[str], value: Node, report: Report) -> Node:
    if not path:
        return value
    if node.value is not None and not isinstance(node.value, dict):
        report.fault(value.mark, f"{path[0]!r} lies below a {node.kind}, which holds no keys")
        return node
    entries = dict(node.map())
    below = entries.get(path[0], Node(None, value.mark))
    entries[path[0]] = _with_value(below, path[1:], value, report)
    return Node(entries, node.mark)


def _place(tree: Node, loc: tuple[int | str, ...]) -> Mark:
    return tree.where(*loc)


def _dotted(loc: tuple[int | str, ...]) -> str:
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _sentence(fault: Any) -> str:
    loc = fault["loc"]
    where = _dotted(loc)
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key{nearest(str(loc[-1]), _known_keys(loc[:-1]))}"
    if fault["type"] == "missing":
        return f"{where}: the key is missing"
    message = str(fault["msg"]).removeprefix("Value error, ")
    found = fault["input"]
    told = isinstance(found, (str, int, float)) and loc[:2] != _SECRET
    shown = f"found {found!r}; " if told else ""
    return f"{where}: {shown[:80]}{message}"


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at a place of the settings."""
    model: Any = Settings
    for step in loc:
        if isinstance(step, str) and _is_model(model):
            field = model.model_fields.get(step)
            model = field.annotation if field else None
        else:
            model = next(iter(get_args(model)[-1:]), None)
        model = _inner_model(model)
    return list(model.model_fields) if _is_model(model) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _inner_model(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        return next((arg for arg in get_args(kind) if _is_model(arg)), kind)
    return kind
