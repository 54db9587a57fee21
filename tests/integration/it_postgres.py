"""A PostgreSQL of the tests' own: a cluster in a folder that goes with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.integration.it_ports import Ports
from tests.integration.it_wait import eventually

PASSWORD = "not-to-be-shown"


class Cluster:
    """A PostgreSQL server. It refuses to run as root, so root lends it another user."""

    def __init__(self, folder: Path, port: int):
        self._data = folder / "data"
        self._folder = folder
        self._port = port
        self._server: subprocess.Popen[bytes] | None = None
        self._user = "postgres" if os.geteuid() == 0 else None

    def make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            for path in (self._folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        # Only the making is not synced; what the server writes later is.
        words = ["-U", "heal7", "-A", "scram-sha-256", "--pwfile", str(secret), "--no-sync"]
        words += ["-E", "UTF8", "--locale", "C.UTF-8", "-D", str(self._data)]
        made = subprocess.run(
            [_program("initdb"), *words], user=self._user, cwd="/", capture_output=True, check=False
        )
        assert made.returncode == 0, made.stderr.decode()

    def start(self) -> None:
        words = ["-D", str(self._data), "-k", str(self._folder), "-h", "127.0.0.1"]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                [_program("postgres"), *words, "-p", str(self._port)],
                user=self._user,
                cwd="/",
                stdout=log,
                stderr=log,
                # A Ctrl-C for the tests is not one for the server: it is ended by its owner.
                process_group=0,
            )
        eventually(self._answers, 30, f"PostgreSQL: {self.log}")

    def _answers(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, self.log.read_text()[-2000:]
        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def log(self) -> Path:
        return self._folder / "server.log"

    def crash(self) -> None:
        """As `pg_ctl stop -m immediate` does: nothing is written to disk any more."""
        server, self._server = self._server, None
        if server is None:
            return
        server.send_signal(signal.SIGQUIT)
        try:
            server.wait(60)
        finally:
            server.kill()

    def dsn(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://heal7:{password}@127.0.0.1:{self._port}/{database}"

    def empty_database(self) -> str:
        """The address of one in which there never was a hub. There is but one, since each has
        hundreds of files to sync."""
        dsn = self.dsn("postgres")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS heal7 CASCADE")
        return dsn


class Look:
    """What the tests themselves look up and do in a hub's database."""

    def __init__(self, dsn: str):
        self._dsn = dsn

    def rows(self, sql: str, *values: object) -> list[Any]:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            found = connection.execute(sql.encode(), values or None)
            return found.fetchall() if found.description else []

    def hubs(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT id FROM heal7.hub ORDER BY id")]

    def expire(self, hub: str) -> None:
        """As if that hub had not been heard of for long."""
        self.rows("UPDATE heal7.hub SET expires_at = '-infinity' WHERE id = %s", hub)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="heal7-pg-"))
    cluster = Cluster(folder, Ports()())
    try:
        cluster.make()
        cluster.start()
        yield cluster
    finally:
        try:
            # Nobody needs its files any more, so it need not tidy them up.
            cluster.crash()
        finally:
            shutil.rmtree(folder)


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(found[-1]) if found else shutil.which(name)
    assert path, f"there is no {name}: apt-get install postgresql"
    return path
