"""Where the killed hubs keep their runs, as the driver and the hub's process name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from controller.store.journal import Backend
from controller.store.journal_sqlite import SqliteBackend

_POSTGRES = "postgresql://"


class Store(Protocol):
    """One journal. `address` is what the hub's process is told."""

    @property
    def address(self) -> str: ...

    def died(self) -> None:
        """The hub on it is dead: let the next one have its runs."""


@dataclass(frozen=True, slots=True)
class SqliteStore:
    file: Path

    @property
    def address(self) -> str:
        return str(self.file)

    def died(self) -> None:
        """Whoever opens the file has it."""


@dataclass(frozen=True, slots=True)
class PostgresStore:
    dsn: str

    @property
    def address(self) -> str:
        return self.dsn

    def died(self) -> None:
        """Its lease runs out at once: nobody's waiting for it is tested here."""
        import psycopg

        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("UPDATE heal7.hub SET expires_at = '-infinity'")


def backend_of(address: str) -> Backend:
    if address.startswith(_POSTGRES):
        from controller.store.journal_postgres import PostgresBackend

        return PostgresBackend(address)
    return SqliteBackend(Path(address))
