"""MariaDB (MySQL's protocol) as the metadata store, its accounts and its failures."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engines import stores
from engines.checks import Check, EngineError
from engines.installing import system
from engines.servers import HOST, server
from engines.wine import Result


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Runs the target."""
    # The path of a socket may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="mariadb-") as data:
        yield from stores.checks(MariaDB(Path(data), folder / "server.log"), folder, in_process)


class MariaDB(stores.Database):
    """A server whose accounts have passwords; root has none, and comes through the socket."""

    kind = "mysql"

    def __init__(self, folder: Path, log: Path) -> None:
        """Makes the data."""
        super().__init__(folder)
        self._log = log
        # As root it runs only if told to.
        self._user = ["--user=root"] if os.geteuid() == 0 else []
        # The packages with the programs alone: they set up no server on the machine.
        self._programs = {
            program: system(program, package)
            for program, package in (
                ("mariadbd", "mariadb-server-core"),
                ("mariadb-install-db", "mariadb-server-core"),
                ("mariadb", "mariadb-client-core"),
                ("mariadb-dump", "mariadb-client-core"),
            )
        }
        self._run(
            "mariadb-install-db",
            "--no-defaults",
            *self._user,
            f"--datadir={folder}/data",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Runs the server."""
        command = [
            self._programs["mariadbd"],
            "--no-defaults",
            *self._user,
            f"--datadir={self.folder}/data",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            f"--port={self.port}",
            f"--bind-address={HOST}",
        ]
        with server(command, self._log, self._answers) as process:
            yield process

    def make(self) -> None:
        """Makes databases and accounts."""
        statements = []
        for user, password in stores.PASSWORDS.items():
            # Not only on localhost: which name the server has for 127.0.0.1 depends on the machine.
            secret = stores.literal(password)
            statements.append(f"CREATE USER {user}@'%' IDENTIFIED BY {secret}")
        for database in (stores.STORE, stores.NEW, stores.STOPPED, stores.EMPTY):
            statements.append(f"CREATE DATABASE {database}")
            statements.append(f"GRANT ALL ON {database}.* TO {stores.WRITER}@'%'")
        for database in (stores.STORE, stores.EMPTY):
            statements.append(f"GRANT SELECT ON {database}.* TO {stores.READER}@'%'")
        # They would be asked for a password first, on a machine of that name.
        statements.append("DELETE FROM mysql.global_priv WHERE User = ''")
        statements.append("FLUSH PRIVILEGES")
        self.sql("mysql", *statements)

    def sql(self, database: str, *statements: str) -> str:
        """Runs statements with all rights, and returns what they print."""
        to_run = ";".join(statements)
        return self._run("mariadb", *self._to, "-BN", database, "-e", to_run).decode()

    def dump(self) -> bytes:
        """Returns all that the databases hold, as SQL."""
        return self._run("mariadb-dump", *self._to, "--all-databases")

    @property
    def _to(self) -> tuple[str, ...]:
        return "--no-defaults", f"--socket={self.folder}/socket", "--user=root"

    def _answers(self) -> bool:
        try:
            self.sql("mysql", "SELECT 1")
        except EngineError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> bytes:
        # The password of an account is not root's.
        env = {name: value for name, value in os.environ.items() if name != "MYSQL_PWD"}
        done = subprocess.run([self._programs[program], *arguments], capture_output=True, env=env)
        if done.returncode:
            raise EngineError(f"{program}: {done.stderr.decode(errors='replace')}")
        return done.stdout
