"""Alerts about conditions: one for each cause while it lasts, resolved when it is over.

An alert is a stored document; the book finds the one that is not over for a cause, so that neither
a restart nor a second look raises it twice. Blocking: call it from the pool.
"""

from __future__ import annotations

import hashlib

from ai_monitoring import records
from ai_monitoring.models import Alert, AlertStatus, AuditEntry
from ai_monitoring.monitor import AlertKind
from heal7_contract import DocumentStore
from heal7_contract.documents import Document

_OVER = (AlertStatus.RESOLVED, AlertStatus.ROLLED_BACK)
_STANDING = (AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED)


def raise_alert(
    store: DocumentStore, kind: AlertKind, cause: str, service: str, message: str
) -> Alert | None:
    """None where one stands for this cause already."""
    if standing(store, {"cause": cause}):
        return None
    at = records.now()
    digest = hashlib.sha256(f"{kind}\0{cause}\0{at}".encode()).hexdigest()[:32]
    alert = Alert(
        id=f"alert_{digest}",
        kind=kind,
        status=AlertStatus.OPEN,
        service=service,
        message=message,
        cause=cause,
        created_at=at,
        audit=[AuditEntry(at=at, event="raised")],
    )
    store.put(records.ALERTS, alert.id, alert.model_dump(mode="json"))
    return alert


def standing(store: DocumentStore, where: dict[str, str]) -> list[Document]:
    """Alerts that are not over, newest first."""
    found = []
    for status in _STANDING:
        found += store.find(records.ALERTS, where={**where, "status": status.value}, limit=1_000)
    return found


def resolve_where(store: DocumentStore, where: dict[str, str], note: str) -> list[str]:
    """Resolves what stands; returns the ids."""
    ids = [str(alert["id"]) for alert in standing(store, where)]
    for ident in ids:
        resolve(store, ident, AuditEntry(at=records.now(), event="resolved", note=note))
    return ids


def resolve(store: DocumentStore, ident: str, entry: AuditEntry) -> Document | None:
    """The alert afterwards, None where there is none; what is over stays as it is."""

    def change(before: Document | None) -> Document | None:
        if before is None or before["status"] in _OVER:
            return before
        return records.with_entry(before, AlertStatus.RESOLVED, entry)

    return store.update(records.ALERTS, ident, change)
