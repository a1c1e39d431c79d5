"""Opens a metadata store for reading, and reports problems before MLMD accesses it.

MLMD creates missing tables, waits 20 s and more for a lock, and minutes for a server that does not
answer. So this module first checks whether the file exists, is SQLite, has MLMD's tables of this
schema version, and is not locked; or whether the server answers.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator
from typing import Any

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from tfx_wine_ext.lineage.connection import Sqlite, address, name_of, parsed, quoted, store_name
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.lineage.opening import CONNECT_SECONDS, check_reachable, opened, told
from tfx_wine_ext.lineage.sqlite_file import (
    LOCK_SECONDS,
    ReadableFile,
    delete,
    is_idle_wal,
    readable_file,
    uri,
)

__all__ = [
    "CONNECT_SECONDS",
    "LOCK_SECONDS",
    "ReadOnlyStore",
    "StoreError",
    "open_store",
    "store_name",
]

CALL_SECONDS = 120.0
"""How long one call to a gRPC server may take, unless its configuration says otherwise."""


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
            without ``:password`` if it is in the environment variable ``MYSQL_PWD`` or
            ``PGPASSWORD``; ``grpc://host:port`` of an MLMD server; or MLMD's ``ConnectionConfig``
            (or ``MetadataStoreClientConfig``) as protobuf JSON, the text or the path of a file with
            it.

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
    check_reachable(*address(config), name, str(config.WhichOneof("config")))
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
    return opened(lambda: ReadOnlyStore(config, name, file, folder), config, name, file)


def _open_server(config: Any, name: str) -> ReadOnlyStore:
    check_reachable(config.host, config.port, name)
    if not config.HasField("client_timeout_sec"):
        config.client_timeout_sec = CALL_SECONDS
    if not config.channel_arguments.HasField("max_receive_message_length"):
        # gRPC's own limit is 4 MB, which a bulk read exceeds.
        config.channel_arguments.max_receive_message_length = -1
    store = ReadOnlyStore(config, name)
    try:
        store.get_artifact_types()
    except errors.StatusError as error:
        found = told(config, str(error))
        raise StoreError(name, "MLMD's gRPC server", found, "check host and port") from None
    return store
