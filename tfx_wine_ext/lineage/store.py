"""Opens a metadata store for reading: whatever is wrong with it is said before MLMD touches it.

MLMD makes tables where it finds none, waits 20 s and more for a lock, and for minutes for a server
that does not answer. So the questions are put in another order here: is there such a file, is it
SQLite, has it MLMD's tables, of this schema version, is it locked; or, is there a server.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sqlite3
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

# TFX holds a lock for milliseconds.
LOCK_SECONDS = 5.0
CONNECT_SECONDS = 5.0
# Of one call to a server, if the configuration does not say; a bulk read is one call.
CALL_SECONDS = 120.0

_SQLITE_MAGIC = b"SQLite format 3\x00"
_TABLES = {"Type", "Artifact", "Execution", "Event", "Context", "Association", "MLMDEnv"}
# What MLMD says, which alone knows the version that it is made for.
_OTHER_VERSION = re.compile(r"database version (\d+) is \w+ than library version (\d+)")
_PORTS = {"mysql": 3306, "postgresql": 5432}
_EXPECTED = (
    "expected the path of an SQLite file, sqlite:///path, mysql://user:password@host:port/db, "
    "postgresql://user:password@host:port/db, grpc://host:port, or a ConnectionConfig as JSON"
)


class StoreError(ValueError):
    """A metadata store cannot be opened or read; the message is one line and has no password."""


class ReadOnlyStore(metadata_store.MetadataStore):  # type: ignore[misc]  # MLMD has no types.
    """MLMD's client, opened by `open_store`: for calls that read.

    Attributes:
        name: What people call the store; without the password.
        sqlite_file: Path of the file, if it is one.
    """

    def __init__(self, config: Any, name: str, sqlite_file: str | None) -> None:
        """Connects."""
        super().__init__(config)
        self.name = name
        self.sqlite_file = sqlite_file


def open_store(where: str | os.PathLike[str]) -> ReadOnlyStore:
    """Opens a metadata store to read it; nothing is created, migrated or written.

    Args:
        where: Path of an SQLite file; or ``sqlite:///path``, ``mysql://user:password@host:port/db``
            (``mysql:///db?socket=/path`` for a socket), ``postgresql://user:password@host:port/db``,
            ``grpc://host:port`` of an MLMD server; or MLMD's ``ConnectionConfig`` (or
            ``MetadataStoreClientConfig``) as protobuf JSON, the text or the path of a file with it.

    Returns:
        MLMD's own client. It is not meant for writing: on SQLite and PostgreSQL the database
        refuses; of MySQL and of an MLMD server only the account's rights keep anybody from it.

    Raises:
        StoreError: There is no such store, it is none of MLMD's, its schema is of another version,
            it is locked for longer than `LOCK_SECONDS`, or its server does not answer within
            `CONNECT_SECONDS`.

    Example:
        >>> open_store("no/such/metadata.db")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.lineage.store.StoreError: no/such/metadata.db: expected a metadata store, \
found no such file: give the path that the pipeline's metadata_connection_config names
    """
    text = os.fspath(where).strip()
    config = _config(text)
    name = _name(config)
    if isinstance(config, metadata_store_pb2.MetadataStoreClientConfig):
        return _open_server(config, name)
    kind = config.WhichOneof("config")
    config.retry_options.max_num_retries = 1
    if kind == "sqlite":
        path = _path(config.sqlite.filename_uri)
        _check_sqlite(path)
        config.sqlite.filename_uri = _uri(path) if _is_idle_wal(path) else path
        config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
        return _open(config, name, path)
    _check_reachable(*_address(config), name)
    with _read_only_postgresql():
        return _open(config, name, None)


def store_name(where: str | os.PathLike[str]) -> str:
    """Returns what to call a store on a page or in a message: never with a password.

    Args:
        where: As for `open_store`.

    Raises:
        StoreError: It is not understood.

    Example:
        >>> store_name("mysql://me:secret@db.example.com:3306/mlmd")
        'mysql://me@db.example.com:3306/mlmd'
    """
    return _name(_config(os.fspath(where).strip()))


def _config(text: str) -> Any:
    if text.startswith("{"):
        return _from_json(text, "the ConnectionConfig given as text")
    scheme, separator, _ = text.partition("://")
    if separator:
        return _from_url(text, scheme.lower())
    path = Path(text)
    try:
        with path.open("rb") as file:
            is_json = file.read(64).lstrip().startswith(b"{")
        if is_json:
            return _from_json(path.read_text(encoding="utf-8"), text)
    except (OSError, UnicodeDecodeError):
        pass  # What is wrong with it is said by `_check_sqlite`.
    return _sqlite(text)


def _sqlite(path: str) -> metadata_store_pb2.ConnectionConfig:
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = path
    return config


def _from_json(text: str, where: str) -> Any:
    """Reads the one or the other message, whichever it is."""
    found = []
    for message in (
        metadata_store_pb2.ConnectionConfig(),
        metadata_store_pb2.MetadataStoreClientConfig(),
    ):
        try:
            json_format.Parse(text, message)
        except json_format.ParseError as error:
            found.append(str(error).splitlines()[0])
            continue
        is_client = isinstance(message, metadata_store_pb2.MetadataStoreClientConfig)
        if is_client or message.WhichOneof("config") in ("sqlite", "mysql", "postgresql"):
            return message
        found.append(f"{message.WhichOneof('config') or 'no database'}")
    # The parser's message may hold a part of the text, and so a password; its kind is enough.
    raise StoreError(
        f"{where}: expected MLMD's ConnectionConfig as JSON with one of sqlite, mysql and "
        "postgresql, found JSON that is none; an example: "
        '{"sqlite": {"filename_uri": "metadata.db"}}'
    )


def _from_url(text: str, scheme: str) -> Any:
    try:
        url = urllib.parse.urlsplit(text)
        port = url.port
    except ValueError:
        raise StoreError(
            f"the {scheme} URL of a metadata store: expected a port between 0 and 65535, found "
            "another one or a bracket in the host: write special characters of the password as %XX"
        ) from None
    unquote = urllib.parse.unquote
    host, user, password = (unquote(x or "") for x in (url.hostname, url.username, url.password))
    database, options = unquote(url.path[1:]), dict(urllib.parse.parse_qsl(url.query))
    if scheme == "sqlite":
        # Three slashes: a path from the folder one is in; four: from the root.
        return _sqlite(unquote(text[len("sqlite://") :]).removeprefix("/"))
    if scheme == "grpc":
        if not host or not port:
            raise StoreError(f"{_bare(url)}: expected grpc://host:port, found no host or no port")
        client = metadata_store_pb2.MetadataStoreClientConfig()
        client.host, client.port = host, port
        return client
    config = metadata_store_pb2.ConnectionConfig()
    if scheme == "mysql":
        mysql = config.mysql
        mysql.host, mysql.port, mysql.database = host, port or _PORTS["mysql"], database
        mysql.user, mysql.password, mysql.socket = user, password, options.pop("socket", "")
        mysql.skip_db_creation = True
    elif scheme in ("postgresql", "postgres"):
        server = config.postgresql
        server.host, server.port, server.dbname = host, str(port or _PORTS["postgresql"]), database
        server.user, server.password = user, password
        if "sslmode" in options:
            server.ssloption.sslmode = options.pop("sslmode")
        server.skip_db_creation = True
    else:
        raise StoreError(f"{_bare(url)}: {_EXPECTED}; found the scheme {scheme!r}")
    if not database or not (host or config.mysql.socket):
        raise StoreError(
            f"{_bare(url)}: expected {scheme}://user:password@host:port/database, found no "
            f"{'database' if host else 'host'}"
        )
    if options:
        raise StoreError(
            f"{_bare(url)}: options of the URL are socket (mysql) and sslmode (postgresql), found "
            f"{', '.join(sorted(options))}: give a ConnectionConfig as JSON for others"
        )
    return config


def _bare(url: urllib.parse.SplitResult) -> str:
    """Returns a URL without its password."""
    user, at, host = url.netloc.rpartition("@")
    return f"{url.scheme}://{user.partition(':')[0]}{at}{host}{url.path}"


def _name(config: Any) -> str:
    if isinstance(config, metadata_store_pb2.MetadataStoreClientConfig):
        return f"grpc://{config.host}:{config.port}"
    kind = config.WhichOneof("config")
    if kind == "sqlite":
        return _path(config.sqlite.filename_uri)
    server = config.mysql if kind == "mysql" else config.postgresql
    database = server.database if kind == "mysql" else server.dbname
    host, port = _address(config)
    user = f"{server.user}@" if server.user else ""
    return (
        f"{kind}://{user}{host}:{port}/{database}" if port else f"{kind}://{user}{host}/{database}"
    )


def _address(config: Any) -> tuple[str, int | None]:
    """Returns host and port; no port for a socket."""
    if config.WhichOneof("config") == "mysql":
        if config.mysql.socket:
            return str(config.mysql.socket), None
        return str(config.mysql.host), int(config.mysql.port or _PORTS["mysql"])
    server = config.postgresql
    host = str(server.hostaddr or server.host or "localhost")
    return host, None if host.startswith("/") else int(server.port or _PORTS["postgresql"])


def _check_sqlite(path: str) -> None:
    """Looks at a file by Python's own SQLite, which can be told not to write and not to wait."""
    try:
        with open(path, "rb") as file:
            magic = file.read(len(_SQLITE_MAGIC))
    except FileNotFoundError:
        raise StoreError(
            f"{path}: expected a metadata store, found no such file: give the path that the "
            "pipeline's metadata_connection_config names"
        ) from None
    except IsADirectoryError:
        raise StoreError(
            f"{path}: expected a metadata store, found a folder: give the file in it, which TFX "
            "usually calls metadata.db or metadata.sqlite"
        ) from None
    except OSError as error:
        raise StoreError(
            f"{path}: expected a metadata store that can be read: {error.strerror}"
        ) from None
    if magic != _SQLITE_MAGIC:
        what = "an empty file" if not magic else "a file of another kind"
        raise StoreError(
            f"{path}: expected an SQLite database with a metadata store, found {what}; {_EXPECTED}"
        )
    try:
        rows = query_sqlite(path, "SELECT name FROM sqlite_master WHERE type = 'table'")
        missing = sorted(_TABLES - {row[0] for row in rows})
        if missing:
            raise StoreError(
                f"{path}: expected the tables of MLMD, found an SQLite database without "
                f"{', '.join(missing)}: give the file that a pipeline wrote"
            )
        versions = [row[0] for row in query_sqlite(path, "SELECT schema_version FROM MLMDEnv")]
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path}: expected an SQLite database that can be read, found: {error}: copy it anew "
            "from where the pipeline runs"
        ) from None
    if len(versions) != 1:
        raise StoreError(
            f"{path}: expected one schema version in the table MLMDEnv, found {len(versions)}: "
            "give the file that a pipeline wrote"
        )


def _path(filename: str) -> str:
    """Returns the path that a file name of a ConnectionConfig means: it may be a URI."""
    if not filename.startswith("file:"):
        return filename
    return urllib.parse.unquote(urllib.parse.urlsplit(filename).path)


def _uri(path: str) -> str:
    how = "&immutable=1" if _is_idle_wal(path) else ""
    return f"file:{urllib.parse.quote(os.path.abspath(path))}?mode=ro{how}"


def _is_idle_wal(path: str) -> bool:
    """Tells whether a file is in SQLite's mode "WAL" and nobody has it open.

    SQLite makes two files beside such a one even to read it, unless it is told that nothing
    changes. Source: https://www.sqlite.org/fileformat.html, "the database header", and
    https://www.sqlite.org/uri.html, "immutable".
    """
    with open(path, "rb") as file:
        header = file.read(20)
    return header[18:20] == b"\x02\x02" and not os.path.exists(f"{path}-wal")


def query_sqlite(path: str, statement: str) -> list[tuple[Any, ...]]:
    """Runs a query on a store's file, read only, whatever characters are in its path.

    Args:
        path: Of the file.
        statement: A SELECT statement.

    Raises:
        StoreError: The file is locked for longer than `LOCK_SECONDS`.
        sqlite3.DatabaseError: What SQLite says about anything else.
    """
    opened = sqlite3.connect(_uri(path), uri=True, timeout=LOCK_SECONDS)
    with contextlib.closing(opened) as connection:
        try:
            return connection.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise StoreError(
                f"{path}: expected a metadata store that can be read, found it locked by another "
                f"process for more than {LOCK_SECONDS:g} s: try again when that has ended, or read "
                "a copy of the file"
            ) from None


def _check_reachable(host: str, port: int | None, name: str) -> None:
    """Asks for a connection, as MLMD would wait for as long as the system likes: minutes."""
    if port is None:
        return
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise StoreError(
            f"{name}: expected a server at {host}:{port}, found none within "
            f"{CONNECT_SECONDS:g} s ({why}): check host and port, and that the server runs"
        ) from None


@contextlib.contextmanager
def _read_only_postgresql() -> Iterator[None]:
    """Makes PostgreSQL refuse writing, by the variable that its client library reads.

    MLMD, finding no tables, would make them. A session that is set so stays so.
    """
    before = os.environ.get("PGOPTIONS")
    os.environ["PGOPTIONS"] = f"{before or ''} -c default_transaction_read_only=on".strip()
    try:
        yield
    finally:
        if before is None:
            del os.environ["PGOPTIONS"]
        else:
            os.environ["PGOPTIONS"] = before


def _open(config: Any, name: str, sqlite_file: str | None) -> ReadOnlyStore:
    try:
        return ReadOnlyStore(config, name, sqlite_file)
    except RuntimeError as error:
        raise _refused(config, name, str(error)) from None


def _refused(config: Any, name: str, message: str) -> StoreError:
    """Says in a line why MLMD did not open a store."""
    said = " ".join(message.split())
    for server in (config.mysql, config.postgresql):
        if server.password:
            said = said.replace(server.password, "***")
    if "CREATE TABLE" in said or "read-only transaction" in said:
        return StoreError(
            f"{name}: expected the tables of MLMD, found none, and they are not made here: check "
            "the name of the database"
        )
    version = _OTHER_VERSION.search(said)
    if version:
        return StoreError(
            f"{name}: expected schema version {version[2]} of MLMD, found {version[1]}: read it "
            "with the ml-metadata that wrote it, or let a newer TFX migrate a copy; nothing is "
            "migrated here"
        )
    return StoreError(
        f"{name}: expected a metadata store that opens, found: {said[:300]}: check user, password "
        "and database"
    )


def _open_server(config: Any, name: str) -> ReadOnlyStore:
    _check_reachable(config.host, config.port, name)
    if not config.HasField("client_timeout_sec"):
        config.client_timeout_sec = CALL_SECONDS
    if not config.channel_arguments.HasField("max_receive_message_length"):
        # gRPC's own limit is 4 MB, which a bulk read exceeds.
        config.channel_arguments.max_receive_message_length = -1
    store = ReadOnlyStore(config, name, None)
    try:
        store.get_artifact_types()
    except errors.StatusError as error:
        said = " ".join(str(error).split())
        raise StoreError(
            f"{name}: expected MLMD's gRPC server, found: {said[:300]}: check host and port"
        ) from None
    return store
