"""The version of this command, to compare with the hub's."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "heal7-hub"


def own_version() -> str:
    """The installed distribution's version; in a bare checkout the one in pyproject.toml.

    '' where neither is there, as in an image that holds the package alone.
    """
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        declared = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if not declared.is_file():
        return ""
    return str(tomllib.loads(declared.read_text("utf-8"))["project"]["version"])
