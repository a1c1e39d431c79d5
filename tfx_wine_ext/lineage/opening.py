"""Lets MLMD open a store, and says in one line why it does not.

MLMD waits minutes for a server that does not answer, and hides why a server refuses.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any, TypeVar

from tfx_wine_ext.lineage.connection import PASSWORD_VARIABLES, passwords
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.lineage.sqlite_file import ReadableFile, damaged

CONNECT_SECONDS = 5.0
"""How long a server may take to answer at all."""

# What is sent to a server, and how its answer begins. MySQL speaks first: the length and number of
# a message, then the version of the protocol or an error. PostgreSQL is asked whether it encrypts.
_GREETINGS = {
    "mysql": (b"", re.compile(rb"(?s)...\x00[\x0a\xff]")),
    "postgresql": (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", re.compile(b"[SNE]")),
}
# What MLMD says, which alone knows the version that it is made for.
_OTHER_VERSION = re.compile(r"database version (\d+) is \w+ than library version (\d+)")
# Tables are made at this moment, and the account may not make them, or must not.
_NO_TABLES = re.compile(
    r"CREATE TABLE|CREATE command denied|permission denied for (schema|database)"
)
# What MLMD puts before the words of the server; MariaDB's client says everything twice.
_BEFORE = re.compile(r".*(PostgreSQL metadata source error:|mysql_query failed:)")
_TWICE = re.compile(r"errno: (?P<said>.*), error: (?P=said)$")
_SAID_LENGTH = 300
# Lines of MLMD's log, each with the lines in which a message of the server goes on.
_LOGGED = re.compile(
    r"^(?:WARNING: Logging before InitGoogleLogging.*\n|"
    r"[IWE]\d{4} .*\b(?:postgresql|mysql)_metadata_source\.cc:\d+\] "
    r"(?P<said>.*\n(?:(?:\t|LINE |DETAIL:|HINT:| +\^).*\n)*))",
    re.MULTILINE,
)
_REASON = "PostgreSQL error: "
_Opened = TypeVar("_Opened")
# Descriptor 2 belongs to all threads.
_overhearing = threading.Lock()


def check_reachable(host: str, port: int | None, name: str, kind: str = "") -> None:
    """Tests whether a server answers: MLMD's clients would wait for minutes, or for ever.

    Args:
        host: The server's name or address.
        port: Its port; None for a socket, which is not tested.
        name: Of the store, in the error.
        kind: ``mysql`` or ``postgresql``; by default any server will do.

    Raises:
        StoreError: Nothing, or another server, answers there within `CONNECT_SECONDS`.
    """
    if port is None:
        return
    call, answers = _GREETINGS.get(kind, (b"", None))
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS) as connection:
            if answers is None:
                return
            connection.sendall(call)
            if answers.match(connection.recv(1024)):
                return
        found = f"one that is no {kind} server"
    except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host.
        why = "no answer" if isinstance(error, TimeoutError) else getattr(error, "strerror", None)
        found = f"none within {CONNECT_SECONDS:g} s ({why or error})"
    raise StoreError(
        name,
        f"a server at {host}:{port}",
        found,
        "check host and port, and that the server runs",
    )


def opened(
    make: Callable[[], _Opened],
    config: Any,
    name: str,
    file: ReadableFile | None = None,
    *,
    to_write: bool = False,
) -> _Opened:
    """Opens a store.

    Args:
        make: Makes MLMD's client.
        config: Its configuration.
        name: Of the store, in the error.
        file: The SQLite file; None for a server.
        to_write: Whether MLMD may make its tables.

    Raises:
        StoreError: MLMD does not open the store.
    """
    # A server's reason is in MLMD's log. Where MLMD ends the process over a file, it must be seen.
    log = overheard() if file is None else contextlib.nullcontext(lambda: "")
    with log as said:
        try:
            return make()
        except (RuntimeError, UnicodeError) as error:  # UnicodeError: bytes that are no text.
            raise _refused(config, name, f"{error} {said()}", file, to_write) from None


def told(config: Any, message: str) -> str:
    """Returns what MLMD says, in one line without a password.

    Args:
        config: The configuration of the store.
        message: What it says.
    """
    variables = (os.environ.get(name) for name in PASSWORD_VARIABLES.values())
    for password in filter(None, (*passwords(config), *variables)):
        message = message.replace(password, "***")
    said = " ".join(message.split())
    said = _TWICE.sub(lambda match: match["said"], _BEFORE.sub("", said, count=1).strip())
    return said[:_SAID_LENGTH]


@contextlib.contextmanager
def overheard() -> Iterator[Callable[[], str]]:
    """Keeps MLMD's log off stderr, and yields what gives the reason that is only there.

    MLMD's errors about PostgreSQL do not say why it refused a login. What others write to stderr
    meanwhile gets there afterwards.
    """
    with _overhearing, tempfile.TemporaryFile() as log, contextlib.ExitStack() as stack:
        try:
            before = os.dup(2)
        except OSError:  # It is closed.
            yield lambda: ""
            return
        stack.callback(_give_back, before, log)
        os.dup2(log.fileno(), 2)
        yield lambda: "".join(
            match["said"].removeprefix(_REASON)
            for match in _LOGGED.finditer(_content(log))
            if (match["said"] or "").startswith(_REASON)
        )


def _give_back(descriptor: int, log: IO[bytes]) -> None:
    os.dup2(descriptor, 2)
    rest = _LOGGED.sub("", _content(log)).encode(errors="surrogateescape")
    with contextlib.suppress(OSError):  # Nobody reads it any more.
        os.write(descriptor, rest)
    os.close(descriptor)


def _content(log: IO[bytes]) -> str:
    return os.pread(log.fileno(), 2**20, 0).decode(errors="surrogateescape")


def _refused(
    config: Any, name: str, message: str, file: ReadableFile | None, to_write: bool
) -> StoreError:
    """Says in one line why MLMD did not open a store."""
    said = told(config, message)
    version = _OTHER_VERSION.search(said)
    if version:
        return StoreError(
            name,
            f"schema version {version[2]} of MLMD",
            version[1],
            "read it with the ml-metadata that wrote it, or let a newer TFX migrate a copy; "
            "nothing is migrated here",
        )
    if file is not None:
        return damaged(file.path, name) or StoreError(
            name,
            "a whole metadata store",
            f"that MLMD cannot open it: {said or 'it does not say why'}",
            "restore it from a backup, or let the pipeline run once on a copy",
        )
    if _NO_TABLES.search(said) or "read-only transaction" in said:
        if to_write:
            return StoreError(
                name,
                "the tables of MLMD, or an account that may make them",
                said,
                "check the name of the database, and give the account the right to create tables",
            )
        return StoreError(
            name,
            "the tables of MLMD",
            "none that this account may read, and they are not made here",
            "check the name of the database, and the account's right to SELECT",
        )
    kind = config.WhichOneof("config")
    variable = PASSWORD_VARIABLES.get(kind)
    if "mysql_real_connect failed" in said:
        said = "that the server refuses the login"
    return StoreError(
        name,
        "a metadata store that opens",
        said or "that it does not, and MLMD does not say why",
        f"check user, password (${variable}, unless the address has it) and database"
        if variable
        else "check its rights, and that nothing else locks it",
    )
