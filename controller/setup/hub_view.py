"""Refuses a configuration that means another stack to the hub's container than to this shell.

The container sees the folder of config.yaml and `HEAL7__…` overrides. A compose file elsewhere, or
a variable that only this shell has, would make the hub start something else than was shown here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from controller.config.load import HubConfig, load
from controller.config.settings_reader import OVERRIDE_PREFIX
from controller.errors import ConfigError, SetupError

# What the engine gives the hub, which is root in its container.
_HOME = {"HOME": "/root"}


def overrides(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that `heal7 up` hands on to the hub."""
    return {k: v for k, v in environment.items() if k.startswith(OVERRIDE_PREFIX)}


def check(config: Path, loaded: HubConfig, environment: Mapping[str, str]) -> None:
    """Raise SetupError where the hub would read another stack out of `config` than `loaded`.

    `config` is absolute; `loaded` was read with `environment`.
    """
    folder = os.path.realpath(config.parent)
    for source in loaded.sources:
        if not Path(os.path.realpath(source)).is_relative_to(folder):
            raise SetupError(
                f"{source} lies outside {folder}, the only folder that the hub's container sees.",
                remedy="Put config.yaml in a folder that holds all its compose and env files.",
            )
    if not _same_to_the_hub(config, loaded, environment):
        names = ", ".join(_variables_named(loaded.sources, environment)) or "some of them"
        raise SetupError(
            "Variables of this shell change the configuration, and the hub's container does not "
            f"have them: {names}.",
            remedy="Write them into the .env file beside the first compose file, "
            "or their values into the files themselves.",
        )


def _same_to_the_hub(config: Path, loaded: HubConfig, environment: Mapping[str, str]) -> bool:
    try:
        theirs = load(config, {**_HOME, **overrides(environment)})
    except ConfigError:
        return False
    return (theirs.stack, theirs.settings) == (loaded.stack, loaded.settings)


def _variables_named(sources: tuple[Path, ...], environment: Mapping[str, str]) -> list[str]:
    """The variables of the environment whose names stand in the files, or that Compose reads."""
    words = set(re.findall(r"\w+", " ".join(path.read_text("utf-8") for path in sources)))
    words |= {"COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"}
    return sorted(words & set(environment))
