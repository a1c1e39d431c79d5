"""PostgreSQL as the metadata store, its accounts and its failures."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from engines import stores
from engines.checks import Check, EngineError
from engines.installing import system
from engines.servers import HOST, server
from engines.wine import Result

_DEBIAN = Path("/usr/lib/postgresql")


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Runs the target."""
    with postgresql(folder / "server.log") as database:
        yield from stores.checks(database, folder, in_process)


def install() -> None:
    """Installs PostgreSQL by apt, if it is missing.

    Raises:
        EngineError: It cannot be installed.
    """
    if not programs():
        system("pg_ctlcluster", "postgresql")


def programs() -> Path | None:
    """Returns the folder of PostgreSQL's programs, None if it is not installed."""
    found = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextlib.contextmanager
def postgresql(log: Path) -> Iterator[PostgreSQL]:
    """Makes the data of a server, which `PostgreSQL.running` runs; removes them at the end.

    Args:
        log: What the server says.

    Raises:
        EngineError: PostgreSQL is not installed and cannot be, or does not work.
    """
    install()
    # Not in the checkout: PostgreSQL refuses to run as root, and others may not enter it. The path
    # of the socket may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        yield PostgreSQL(Path(folder), log)


class PostgreSQL(stores.Database):
    """A server whose accounts have passwords; `boss` has all rights, through the socket only."""

    kind = "postgresql"

    def __init__(self, folder: Path, log: Path) -> None:
        """Makes the data."""
        super().__init__(folder)
        self._log, self._programs = log, programs()
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            self._as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            shutil.chown(folder, "nobody", "nogroup")
        methods = ["--auth-local=trust", "--auth-host=scram-sha-256"]
        self._run("initdb", "-D", f"{folder}/data", "-U", "boss", "--no-sync", *methods)

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Runs the server."""
        options = ["-p", str(self.port), "-k", str(self.folder), "-c", f"listen_addresses={HOST}"]
        command = [*self._as_user, self._path("postgres"), "-D", f"{self.folder}/data", *options]
        with server(command, self._log, self._answers, cwd=self.folder) as process:
            try:
                yield process
            finally:
                # By SIGTERM it would wait for clients, and those of MLMD cannot be closed.
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGQUIT)

    def make(self) -> None:
        """Makes databases and accounts."""
        for user, password in stores.PASSWORDS.items():
            self.sql("postgres", f"CREATE ROLE {user} LOGIN PASSWORD {stores.literal(password)}")
        for database in (stores.STORE, stores.NEW, stores.STOPPED, stores.EMPTY):
            self.sql("postgres", f"CREATE DATABASE {database} OWNER {stores.WRITER}")
        # Tables are made later, by the first run.
        rights = f"ALTER DEFAULT PRIVILEGES FOR ROLE {stores.WRITER} GRANT SELECT ON TABLES TO"
        self.sql(stores.STORE, f"{rights} {stores.READER}")

    def sql(self, database: str, *statements: str) -> str:
        """Runs statements with all rights, and returns what they print."""
        options = [option for statement in statements for option in ("-c", statement)]
        return self._run(
            "psql", "--no-psqlrc", *self._to, "-d", database, "-Atq", *options
        ).decode()

    def dump(self) -> bytes:
        """Returns all that the databases hold, as SQL."""
        return self._run("pg_dumpall", *self._to)

    @property
    def _to(self) -> Sequence[str]:
        return "-h", str(self.folder), "-p", str(self.port), "-U", "boss"

    def _answers(self) -> bool:
        try:
            self._run("pg_isready", *self._to)
        except EngineError:
            return False
        return True

    def _path(self, program: str) -> str:
        if self._programs is None:
            raise EngineError("PostgreSQL is not installed: install the package postgresql")
        return str(self._programs / program)

    def _run(self, program: str, *arguments: str) -> bytes:
        command = [*self._as_user, self._path(program), *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True)
        if done.returncode:
            raise EngineError(f"{program}: {done.stderr.decode(errors='replace')}")
        return done.stdout
