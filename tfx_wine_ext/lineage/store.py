"""Opens a metadata store for reading, and reports problems before MLMD accesses it.

MLMD creates missing tables, waits 20 s and more for a lock, and minutes for a server that does not
answer. So this module first checks whether the file exists, is SQLite, has MLMD's tables of this
schema version, and is not locked; or whether the server answers.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import weakref
from collections.abc import Iterator
from typing import Any

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from tfx_wine_ext.lineage.connection import Sqlite, address, name_of, parsed, quoted, store_name
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.lineage.sqlite_file import (
    LOCK_SECONDS,
    ReadableFile,
    damaged,
    delete,
    is_idle_wal,
    readable_file,
    uri,
)

__all__ = ["LOCK_SECONDS", "ReadOnlyStore", "StoreError", "open_store", "store_name"]

CONNECT_SECONDS = 5.0
"""How long a server may take to answer at all."""

CALL_SECONDS = 120.0
"""How long one call to a gRPC server may take, unless its configuration says otherwise."""

# What MLMD says, which alone knows the version that it is made for.
_OTHER_VERSION = re.compile(r"database version (\d+) is \w+ than library version (\d+)")
_SAID_LENGTH = 300


class ReadOnlyStore(metadata_store.MetadataStore):  # MLMD has no types.
    """MLMD's client, opened by `open_store`: for calls that read.

    Attributes:
        name: The store's name for people, without the password.
        sqlite_file: Path of the file that is read, the store's own or a copy; None for a server.
        folder: Folder of the store's own file; None for a server.
    """

    def __init__(
        self,
        config: Any,
        name: str,
        sqlite_file: ReadableFile | None = None,
        folder: str | None = None,
    ) -> None:
        """Connects."""
        super().__init__(config)
        self.name = name
        self.sqlite_file = sqlite_file and sqlite_file.path
        self.folder = folder
        if sqlite_file is not None:
            # MLMD's clients cannot be closed.
            weakref.finalize(self, delete, sqlite_file)


def open_store(where: str | os.PathLike[str]) -> ReadOnlyStore:
    """Opens a metadata store for reading; nothing is created, migrated or written.

    Args:
        where: Path of an SQLite file; or ``sqlite:///path``, ``mysql://user:password@host:port/db``
            (``mysql:///db?socket=/path`` for a socket), ``postgresql://user:password@host:port/db``,
            ``grpc://host:port`` of an MLMD server; or MLMD's ``ConnectionConfig`` (or
            ``MetadataStoreClientConfig``) as protobuf JSON, the text or the path of a file with it.

    Returns:
        MLMD's own client. Do not write with it: SQLite and PostgreSQL refuse; on MySQL and an MLMD
        server only the account's rights prevent it.

    An SQLite file with an unfinished transaction of a killed process, or with changes in its
    write-ahead log, is copied together with its journal or log, and the copy is recovered and read.
    The copy is deleted with the client.

    Raises:
        StoreError: The store does not exist, is not an MLMD store, has another schema version, is
            damaged, is locked for longer than `LOCK_SECONDS`, there is no space for a required
            copy, or its server does not answer within `CONNECT_SECONDS`.

    Example:
        >>> open_store("no/such/metadata.db")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.lineage.errors.StoreError: no/such/metadata.db: expected a metadata store, \
found no such file; give the path that the pipeline's metadata_connection_config names
    """
    config = parsed(where)
    if isinstance(config, Sqlite):
        return _open_sqlite(config)
    name = name_of(config)
    if isinstance(config, metadata_store_pb2.MetadataStoreClientConfig):
        return _open_server(config, name)
    config.retry_options.max_num_retries = 1
    _check_reachable(*address(config), name)
    with _read_only_postgresql():
        return _open(quoted(config), name)


def _open_sqlite(store: Sqlite) -> ReadOnlyStore:
    file = readable_file(store.path)
    config = metadata_store_pb2.ConnectionConfig()
    config.CopyFrom(store.options)
    config.retry_options.max_num_retries = 1
    try:
        config.sqlite.filename_uri = uri(file.path) if is_idle_wal(file.path) else file.path
        config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
        return _open(config, store.path, file, os.path.dirname(os.path.realpath(store.path)))
    except BaseException:
        delete(file)
        raise


def _check_reachable(host: str, port: int | None, name: str) -> None:
    """Tests the connection, since MLMD would wait for the system's timeout: minutes."""
    if port is None:
        return
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise StoreError(
            name,
            f"a server at {host}:{port}",
            f"none within {CONNECT_SECONDS:g} s ({why})",
            "check host and port, and that the server runs",
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


def _open(
    config: Any, name: str, file: ReadableFile | None = None, folder: str | None = None
) -> ReadOnlyStore:
    try:
        return ReadOnlyStore(config, name, file, folder)
    except (RuntimeError, UnicodeError) as error:  # UnicodeError: bytes that are no text.
        raise _refused(config, name, str(error), file) from None


def _refused(config: Any, name: str, message: str, file: ReadableFile | None) -> StoreError:
    """Says in one line why MLMD did not open a store."""
    said = " ".join(message.split())
    for server in (config.mysql, config.postgresql):
        if server.password:
            said = said.replace(server.password, "***")
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
            f"that MLMD cannot open it: {said[:_SAID_LENGTH] or 'it does not say why'}",
            "restore it from a backup, or let the pipeline run once on a copy",
        )
    if "CREATE TABLE" in said or "read-only transaction" in said:
        return StoreError(
            name,
            "the tables of MLMD",
            "none, and they are not made here",
            "check the name of the database",
        )
    return StoreError(
        name,
        "a metadata store that opens",
        said[:_SAID_LENGTH],
        "check user, password and database",
    )


def _open_server(config: Any, name: str) -> ReadOnlyStore:
    _check_reachable(config.host, config.port, name)
    if not config.HasField("client_timeout_sec"):
        config.client_timeout_sec = CALL_SECONDS
    if not config.channel_arguments.HasField("max_receive_message_length"):
        # gRPC's own limit is 4 MB, which a bulk read exceeds.
        config.channel_arguments.max_receive_message_length = -1
    store = ReadOnlyStore(config, name)
    try:
        store.get_artifact_types()
    except errors.StatusError as error:
        said = " ".join(str(error).split())[:_SAID_LENGTH]
        raise StoreError(name, "MLMD's gRPC server", said, "check host and port") from None
    return store
