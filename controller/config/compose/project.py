"""The project's name, from which every container, network and volume takes its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from controller.config.compose.interpolate import InterpolationError, Interpolator
from controller.config.node import Node, Report
from controller.errors import ConfigError

_VALID = re.compile(r"[a-z0-9][a-z0-9_-]*")


def normalise_name(text: str) -> str:
    """Lower case, without anything but `[a-z0-9_-]`, leading `_-` stripped."""
    return re.sub(r"[^a-z0-9_-]", "", text.lower()).lstrip("_-")


def check_name(name: str, origin: str) -> str:
    """The name itself. Raises ConfigError where the engine's tools could not use it."""
    if not _VALID.fullmatch(name):
        raise ConfigError(
            [f"{origin}: found project name {name!r}; allowed: a-z 0-9 _ -, a-z or 0-9 first"],
            remedy=f"use {normalise_name(name) or 'heal7'!r}, for example",
        )
    return name


def declared_name(trees: Sequence[Node], env: Mapping[str, str]) -> str:
    """The last `name:` of the files, interpolated and normalised; '' where none says one."""
    name = ""
    for tree in trees:
        node = tree.get("name")
        if node is None or not isinstance(node.value, str):
            continue
        try:
            name = Interpolator(env.get, set(), Report()).expand(node.value) or name
        except InterpolationError as error:
            raise ConfigError(
                [f"{node.mark}: name: {error}"], remedy="correct the name, or set the variable"
            ) from error
    return normalise_name(name)
