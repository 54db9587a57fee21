"""The stage of `extends` and `include`, which for now refuses them by name.

A file that uses them means more than it says, so reading on would start the wrong containers.
"""

from __future__ import annotations

from controller.config.node import Node, Report


def refuse_inheritance(tree: Node, report: Report) -> None:
    """Writes a fault for every `include` and `extends`, with the way around it."""
    include = tree.get("include")
    if include is not None:
        report.fault(
            include.mark,
            "include: not supported yet; list the files under orchestration.compose_files instead",
        )
    services = tree.get("services")
    for name, service in services.map().items() if services else ():
        extends = service.get("extends")
        if extends is not None:
            report.fault(
                extends.mark,
                f"services.{name}.extends: not supported yet; write the keys out, "
                "or share them with a YAML anchor and <<",
            )
