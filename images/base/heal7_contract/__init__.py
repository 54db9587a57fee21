"""The thin contract the five services share, so that what a service is *for* is all its own code.

Importing this package stays cheap on purpose (no web framework): `Service.run` first takes over
SIGTERM and only then pays for the heavy imports, so that a stop during start-up is obeyed.
"""

from __future__ import annotations

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
