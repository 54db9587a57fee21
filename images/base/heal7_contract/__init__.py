"""The thin contract the five services share, so that what a service is *for* is all its own code.

Names load at first use: `heal7_contract.launch` must be able to take over SIGTERM before anything
heavy is imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heal7_contract.context import Context
    from heal7_contract.documents import DocumentStore
    from heal7_contract.journal import StoredAction
    from heal7_contract.models import StrictModel
    from heal7_contract.problem import Problem
    from heal7_contract.service import Action, Service

__all__ = [
    "Action",
    "Context",
    "DocumentStore",
    "Problem",
    "Service",
    "StoredAction",
    "StrictModel",
]

_HOMES = {
    "Action": "service",
    "Context": "context",
    "DocumentStore": "documents",
    "Problem": "problem",
    "Service": "service",
    "StoredAction": "journal",
    "StrictModel": "models",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found
