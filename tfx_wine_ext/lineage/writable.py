"""Tells before a pipeline runs whether it can write to its metadata store."""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections import Counter
from collections.abc import Iterator

from absl import logging
from ml_metadata import errors
from ml_metadata.metadata_store import ListOptions, metadata_store
from ml_metadata.proto import metadata_store_pb2

from tfx_wine_ext.lineage.connection import address, file_of, name_of
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.lineage.opening import check_reachable, opened, overheard, told
from tfx_wine_ext.lineage.sqlite_file import check_writable_file

__all__ = ["check_writable"]

# The types of the contexts that TFX makes first.
_CONTEXT_TYPES = ("pipeline", "pipeline_run", "node", "execution_cache")
# What databases say where two processes make the tables at the same time: the later one has to try
# again, as TFX does.
_CONCURRENT = re.compile("duplicate key|concurrent|already exists|deadlock", re.IGNORECASE)
_TRIES = 10


def check_writable(config: metadata_store_pb2.ConnectionConfig) -> None:
    """Checks within seconds that a pipeline can write to its metadata store.

    The server must answer, accept the login, have the database, in it MLMD's tables of this
    schema version, and let the account write. Like the pipeline itself, the check makes missing
    tables and TFX's types of contexts, but not in an SQLite file with tables of something else. It
    records nothing else.

    Args:
        config: The pipeline's ``metadata_connection_config``, as `connection_config` makes it.

    Raises:
        StoreError: The store cannot be written; the message says why, without a password.

    Example:
        >>> from tfx_wine_ext.lineage.connection import connection_config
        >>> check_writable(connection_config("/no/such/metadata.db"))
        Traceback (most recent call last):
        ...
        tfx_wine_ext.lineage.errors.StoreError: /no/such/metadata.db: expected a folder in which \
an SQLite file can be made, found no folder /no/such; make it, or give another path
    """
    tried = metadata_store_pb2.ConnectionConfig()
    tried.CopyFrom(config)
    tried.retry_options.max_num_retries = 1
    if tried.HasField("sqlite"):
        name = file_of(tried.sqlite)
        check_writable_file(name)
    else:
        name = name_of(tried)
        check_reachable(*address(tried), name, str(tried.WhichOneof("config")))
    store = _opened(tried, name)
    # As in `opened`: where MLMD ends the process over a file, its log must be seen.
    log = contextlib.nullcontext() if tried.HasField("sqlite") else overheard()
    with log, _quiet():
        try:
            twice = _types_twice(store)
            _write_nothing(store)
        except errors.StatusError as error:
            raise StoreError(
                name,
                "a metadata store that this account may write",
                told(tried, str(error)),
                "give it the rights to select, insert and update, or name another account",
            ) from None
    if twice:
        raise StoreError(
            name,
            "each type of contexts and artifacts once",
            f"twice: {', '.join(twice)}, as if two processes had made them at the same time; "
            "TFX does not find what was recorded under the second",
            "use a new database, and let a first run end before others start on it",
        )


def _opened(config: metadata_store_pb2.ConnectionConfig, name: str) -> metadata_store.MetadataStore:
    for left in reversed(range(_TRIES)):
        try:
            return opened(lambda: metadata_store.MetadataStore(config), config, name, to_write=True)
        except StoreError as error:
            if not left or not _CONCURRENT.search(str(error)):
                raise
            time.sleep(random.random())
    raise AssertionError


def _types_twice(store: metadata_store.MetadataStore) -> list[str]:
    """Returns the types that MLMD made twice: on PostgreSQL nothing keeps it from that."""
    kinds = (store.get_context_types(), store.get_artifact_types())
    counts = [Counter(type_.name for type_ in types if not type_.version) for types in kinds]
    return [name for count in counts for name, times in count.items() if times > 1]


def _write_nothing(store: metadata_store.MetadataStore) -> None:
    """Lets the database say whether it would take a row, by one that it has already."""
    for name in _CONTEXT_TYPES:
        store.put_context_type(
            metadata_store_pb2.ContextType(name=name), can_add_fields=True, can_omit_fields=True
        )
    for there in store.get_contexts(ListOptions(limit=1)):
        with contextlib.suppress(errors.AlreadyExistsError):
            store.put_contexts([metadata_store_pb2.Context(type_id=there.type_id, name=there.name)])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps MLMD from warning of the error that is raised."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)
