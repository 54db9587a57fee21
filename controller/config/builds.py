"""What can be told of builds when the configuration is loaded, long before one is needed.

A context that the hub may not read and a Dockerfile that only BuildKit can run are warnings here:
as long as their images are on the machine, nothing has to be built.
"""

from __future__ import annotations

import os
from pathlib import Path

from controller.config.compose.build import only_buildkit
from controller.config.files import FileReader
from controller.config.node import Node, Report
from controller.errors import ConfigError
from controller.model.build import BuildSpec
from controller.model.spec import StackSpec


def warn_of_builds(stack: StackSpec, tree: Node, report: Report) -> None:
    """Write a warning for each build of the stack that cannot succeed as it stands."""
    # A reader of its own: a Dockerfile is no part of the configuration's digest.
    reader = FileReader()
    for name, service in stack.services.items():
        build = service.source.build
        if build is None or build.is_remote:
            continue
        place, key = tree.where("services", name, "build", "context"), f"services.{name}.build"
        if not is_inside(build.context, build.root):
            report.warn(place, f"{key}.context: {outside(build)}")
        elif build.inline is None:
            for line, feature in only_buildkit(_dockerfile(build, reader)):
                report.warn(
                    place,
                    f"{key}.dockerfile: {feature} in line {line} of {build.dockerfile} needs "
                    "BuildKit, so the hub cannot build it",
                )


def is_inside(path: str, root: str) -> bool:
    """Whether the real place of `path` is `root` or below it."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def outside(build: BuildSpec) -> str:
    """Why that context is not read, and what to do about it."""
    return (
        f"{build.context} lies outside {build.root}, the folder of config.yaml, and the hub reads "
        "nothing else: put config.yaml into a folder that holds both, or build the image yourself"
    )


def _dockerfile(build: BuildSpec, reader: FileReader) -> str:
    """Its text; '' where there is none to be read, which only a build needs."""
    try:
        path = os.path.join(build.context, build.dockerfile)
        return reader.read(path, root=build.root, missing_ok=True) or ""
    except ConfigError:
        return ""
