"""The one door to PostgreSQL: a connection that comes back, and errors that people can read.

The driver is loaded when the first connection is made, so a hub that keeps its runs in SQLite pays
nothing for it. A statement is a transaction of its own unless `transaction` says otherwise: a hub
that freezes between two statements of one would keep others waiting for its locks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from controller.errors import StoreError, StoreFullError
from controller.store.journal import StoreGoneError

if TYPE_CHECKING:
    from psycopg import Connection, Error

_FULL = "53100"
# A server that is gone without a word is given up after about six seconds.
_PATIENCE = {
    "connect_timeout": 3,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,
}


class Link:
    """One connection to the database that `dsn` names, for one thread, with these `settings`.

    Raises StoreError with the host and the database, and never with the password.
    """

    def __init__(self, dsn: str, settings: Mapping[str, str]):
        self._dsn = dsn
        self._settings = settings
        self._connection: Connection[Any] | None = None
        self._password = ""
        self.name = "the PostgreSQL database"
        """Which one it is, for people; known once a connection was tried."""

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Carry out one statement; its rows."""
        with self._explained() as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def do(self, sql: str, *values: object) -> int:
        """Carry out one statement; how many rows it changed."""
        with self._explained() as connection:
            return connection.execute(sql.encode(), values or None).rowcount

    def read(self, sql: str, *values: object) -> list[Any]:
        """Like `rows`, for what may be asked twice: a connection that was idle while the server
        was restarted is noticed only when it is used."""
        was_open = self.is_open
        try:
            return self.rows(sql, *values)
        except StoreGoneError:
            if not was_open:
                raise
        return self.rows(sql, *values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is done inside is done as a whole or not at all."""
        with self._explained() as connection, connection.transaction():
            yield

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _explained(self) -> Iterator[Connection[Any]]:
        import psycopg

        try:
            yield self._open()
        except psycopg.Error as error:
            raise self._store_error(error) from error
        except UnicodeError as error:
            raise StoreError(f"{self.name}: {error}") from error

    def _open(self) -> Connection[Any]:
        if self._connection is not None:
            return self._connection
        import psycopg

        given = self._parsed()
        patience: dict[str, Any] = {k: v for k, v in _PATIENCE.items() if k not in given}
        made: Connection[Any] = psycopg.connect(self._dsn, autocommit=True, **patience)
        try:
            for setting, value in self._settings.items():
                made.execute("SELECT set_config(%s, %s, false)", (setting, value))
        except BaseException:
            made.close()
            raise
        self._connection = made
        return made

    def _parsed(self) -> Mapping[str, Any]:
        from psycopg import ProgrammingError, pq
        from psycopg.conninfo import conninfo_to_dict

        try:
            given = conninfo_to_dict(self._dsn)
        except ProgrammingError:
            # What the driver says of it may quote it, and the password is in it.
            raise StoreError(
                "The address of the PostgreSQL database cannot be read.",
                remedy="Write it as postgresql://user:password@host:5432/database.",
            ) from None
        usual = {o.keyword.decode(): (o.val or b"").decode() for o in pq.Conninfo.get_defaults()}
        host, port, user, database = (
            given.get(key) or usual.get(key) for key in ("host", "port", "user", "dbname")
        )
        self.name = f"PostgreSQL database {database or user} at {host or 'this machine'}:{port}"
        self._password = str(given.get("password") or usual.get("password") or "")
        return given

    def _store_error(self, error: Error) -> StoreError:
        said = " ".join(str(error).split())
        if self._password:
            said = said.replace(self._password, "***")
        detail = f"{self.name}: {said}"
        if error.sqlstate == _FULL:
            return StoreFullError(
                detail, remedy="Free some space on its disk; nothing acknowledged is lost."
            )
        if self._connection is None or self._connection.closed:
            self.close()
            return StoreGoneError(
                detail, remedy="See that it runs and that the hub may connect; runs wait for it."
            )
        return StoreError(detail, remedy="See what the database's own log says about it.")
