"""Prepares a store in an SQLite file for reading, without writing to it or beside it.

SQLite writes even if it is only used for reading: it rolls back the unfinished transaction of a
killed process, by the journal beside the file, and reads a write-ahead log by means of a third
file. Such a store is copied, with its journal or log, into a private folder where SQLite may write.
Sources: https://www.sqlite.org/lockingv3.html
("hot journals", and the bytes that are locked), https://www.sqlite.org/walformat.html,
https://www.sqlite.org/fileformat.html ("the database header").
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

from tfx_wine_ext.documents import DocumentError, open_regular
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.suggestions import path_hint

LOCK_SECONDS = 5.0
"""How long a lock on an SQLite file is waited for; TFX holds one for milliseconds."""

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
# SQLite's messages quote the file: where a text in it is damaged, Python has an error without a
# message, or in later releases the other one.
_FAULTS = (sqlite3.DatabaseError, UnicodeDecodeError)
_TABLES = {"Type", "Artifact", "Execution", "Event", "Context", "Association", "MLMDEnv"}
# Those of which MLMD reads what is asked for here.
_READ_TABLES = _TABLES | {
    *("ArtifactProperty", "ContextProperty", "EventPath", "ExecutionProperty", "TypeProperty")
}
# What SQLite may hold in a column of a declared type. It lets anything be stored anywhere, and MLMD
# aborts the process, without an exception, where it reads something else.
_STORED = {
    "INT": ("integer",),
    "INTEGER": ("integer",),
    "TINYINT": ("integer",),
    "BOOLEAN": ("integer",),
    "DOUBLE": ("real", "integer"),
    "VARCHAR": ("text",),
    "TEXT": ("text",),
}
_TRUE_OR_FALSE = ("is_custom_property", "is_index_step", "bool_value")
# The bytes of the file by which SQLite's processes agree: a reader takes the pending one for the
# time it takes to get the shared ones.
_PENDING, _SHARED, _SHARED_BYTES = 0x40000000, 0x40000002, 510
# The beginning of a write-ahead log, which changes whenever it is begun anew.
_LOG_HEADER_BYTES = 32
_GIVE_ANOTHER = "give the file that a pipeline wrote"
_RESTORE = (
    "restore it from a backup, or copy it anew, with the files -journal and -wal beside it, while "
    "no pipeline runs"
)


@dataclasses.dataclass(frozen=True)
class ReadableFile:
    """An SQLite file that can be read without writing.

    Attributes:
        path: Of the file to read.
        folder: The private folder in which it is a copy, to be deleted after use; None if it is
            the store's own file.
    """

    path: str
    folder: str | None


def readable_file(path: str) -> ReadableFile:
    """Checks that a file is a metadata store, and copies it if it cannot be read directly.

    Args:
        path: Path of the store.

    Raises:
        StoreError: The file does not exist, is not a metadata store, is damaged, is locked for
            longer than `LOCK_SECONDS`, or there is no space for the copy.
    """
    _check_header(path)
    real = os.path.realpath(path)
    readable = ReadableFile(path, None)
    try:
        if _size(f"{real}-wal"):
            readable = _recovered(path, real, "-wal")
        elif _is_hot(path, real):
            readable = _recovered(path, real, "-journal")
        elif not _is_unicode(path):  # MLMD takes its name as a text.
            readable = _recovered(path, real, "")
        _check_size(readable.path, path)
        _check_tables(readable.path, path)
        _check_values(readable.path, path)
    except BaseException:
        delete(readable)
        raise
    return readable


def check_writable_file(path: str) -> None:
    """Checks that a file can be written, or made where there is none.

    Args:
        path: Path of the store.

    Raises:
        StoreError: There is no such folder, the rights are missing, the file is no SQLite database,
            has tables that are not MLMD's, is damaged, or is locked for longer than `LOCK_SECONDS`.
    """
    folder = os.path.dirname(os.path.abspath(path))
    expected = "a folder in which an SQLite file can be made"
    if not os.path.isdir(folder):
        raise StoreError(path, expected, f"no folder {folder}", "make it, or give another path")
    if not os.path.exists(path):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(path, expected, f"no right to write in {folder}", "check its rights")
        return
    try:
        connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
        with contextlib.closing(connection):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except _FAULTS as error:
        if "readonly" in str(error) or "unable to open" in str(error):
            raise StoreError(
                path,
                "an SQLite file that may be written",
                str(error),
                "check the rights of the file and of its folder",
            ) from None
        raise _unreadable(path, error) from None
    # MLMD would make its tables beside those of others, and aborts the process over wrong values.
    if query(path, "SELECT name FROM sqlite_master LIMIT 1"):
        _check_tables(path, path)
        _check_values(path, path)


def delete(file: ReadableFile) -> None:
    """Deletes the copy, if there is one.

    Args:
        file: From `readable_file`.
    """
    if file.folder is not None:
        shutil.rmtree(file.folder, ignore_errors=True)


def query(path: str, statement: str, name: str | None = None) -> list[tuple[Any, ...]]:
    """Runs a read-only query on a file; its path may contain any characters.

    Args:
        path: Path of the file.
        statement: A SELECT statement.
        name: Name of the store in errors. Default: the path.

    Raises:
        StoreError: The file is locked for longer than `LOCK_SECONDS`, or is damaged.

    Example:
        >>> query("gone.db", "SELECT 1")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.lineage.errors.StoreError: gone.db: expected an SQLite database that can be \
read, found that it cannot be: unable to open database file; try again
    """
    name = path if name is None else name
    try:
        return _query(path, statement)
    except _FAULTS as error:
        raise _unreadable(name, error) from None


def damaged(path: str, name: str) -> StoreError | None:
    """Checks all pages of a file; returns what is wrong, or None.

    Args:
        path: Path of the file.
        name: Name of the store in errors.
    """
    try:
        [[answer]] = _query(path, "PRAGMA quick_check(1)")
    except _FAULTS as error:
        return _unreadable(name, error)
    if answer == "ok":
        return None
    return _unreadable(name, sqlite3.DatabaseError(f"malformed: {' '.join(str(answer).split())}"))


def uri(path: str) -> str:
    """Returns the URI by which SQLite opens a file read only.

    In its mode "WAL" it makes two files beside it even then, unless nothing is said to change.

    Args:
        path: Of the file.
    """
    how = "&immutable=1" if is_idle_wal(path) else ""
    quoted = urllib.parse.quote(os.fsencode(os.path.abspath(path)))
    return f"file:{quoted}?mode=ro{how}"


def _query(path: str, statement: str) -> list[tuple[Any, ...]]:
    opened = sqlite3.connect(uri(path), uri=True, timeout=LOCK_SECONDS)
    with contextlib.closing(opened) as connection:
        return connection.execute(statement).fetchall()


def _unreadable(name: str, error: Exception) -> StoreError:
    said = str(error)
    if isinstance(error, UnicodeDecodeError) or not said:
        said = "a text in it is not UTF-8"
    if "locked" in said:
        return StoreError(
            name,
            "a metadata store that can be read",
            f"it locked by another process for more than {LOCK_SECONDS:g} s",
            "try again when that has ended, or read a copy of the file",
        )
    if any(word in said for word in ("malformed", "not a database", "UTF-8")):
        return StoreError(
            name, "an SQLite database that can be read", f"it damaged ({said})", _RESTORE
        )
    return StoreError(
        name, "an SQLite database that can be read", f"that it cannot be: {said}", "try again"
    )


def _header(path: str) -> bytes:
    with open_regular(path) as file:
        return file.read(_HEADER_BYTES)


def _check_header(path: str) -> None:
    expected = "a metadata store"
    try:
        header = _header(path)
    except FileNotFoundError:
        dangling = os.path.islink(path)
        raise StoreError(
            path,
            expected,
            f"a link to {os.readlink(path)}, which is not there" if dangling else "no such file",
            "give the path that the pipeline's metadata_connection_config names"
            + ("" if dangling else path_hint(path)),
        ) from None
    except IsADirectoryError:
        raise StoreError(
            path,
            expected,
            "a folder",
            "give the file in it, which TFX usually calls metadata.db or metadata.sqlite",
        ) from None
    except DocumentError as error:
        raise StoreError(
            path, f"{expected} in {error.expected}", error.found, _GIVE_ANOTHER
        ) from None
    except OSError as error:
        raise StoreError(
            path, f"{expected} that can be read", str(error.strerror), "check its rights"
        ) from None
    if not header.startswith(_MAGIC):
        found = "a file of another kind, or an encrypted one" if header else "an empty file"
        if header and _MAGIC.startswith(header):
            found = "only its beginning"
        raise StoreError(path, "an SQLite database with a metadata store", found, _GIVE_ANOTHER)


def _check_size(path: str, name: str) -> None:
    """Compares the size with a valid header's: a copy may be truncated."""
    header = _header(path)
    size = os.path.getsize(path)
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32], "big")
    is_valid = (
        len(header) == _HEADER_BYTES
        and page in {2**power for power in range(9, 17)}
        and header[24:28] == header[92:96]
    )
    if len(header) < _HEADER_BYTES or (is_valid and size < page * pages):
        whole = f"{page * pages:,} bytes, as its header says" if is_valid else "a whole database"
        found = f"{size:,} bytes: it was cut short"
        raise StoreError(name, whole, found, _RESTORE)


def _check_tables(path: str, name: str) -> None:
    tables = query(path, "SELECT name FROM sqlite_master WHERE type = 'table'", name)
    missing = sorted(_TABLES - {row[0] for row in tables})
    if missing:
        raise StoreError(
            name,
            "the tables of MLMD",
            f"an SQLite database without {', '.join(missing)}",
            _GIVE_ANOTHER,
        )
    versions = query(path, "SELECT schema_version FROM MLMDEnv", name)
    if len(versions) != 1 or not isinstance(versions[0][0], int):
        found = f"{len(versions)} of them" if len(versions) != 1 else f"{versions[0][0]!r:.60}"
        raise StoreError(
            name, "one schema version, a number, in the table MLMDEnv", found, _GIVE_ANOTHER
        )


def _check_values(path: str, name: str) -> None:
    """Checks, with a query for each table, that all columns hold types that MLMD can read."""
    for table in sorted(_READ_TABLES):
        # A text: in double quotes, "Type" would be the column of that name.
        columns = query(path, f"SELECT name, type FROM pragma_table_info('{table}')", name)
        wrong = {
            column: f"typeof({_quoted(column)}) NOT IN {(*stored, 'null')}"
            + (f" OR {_quoted(column)} NOT IN (0, 1)" if column in _TRUE_OR_FALSE else "")
            + (" OR (is_index_step AND step_index IS NULL)" if column == "step_index" else "")
            for column, type_ in columns
            if (stored := _STORED.get(str(type_).partition("(")[0].upper())) is not None
        }
        rows = f"FROM {_quoted(table)}"
        # Of a table without wrong values this takes less time than the maxima of all columns.
        any_is = " OR ".join(wrong.values())
        if not wrong or not query(path, f"SELECT 1 {rows} WHERE {any_is} LIMIT 1", name):
            continue
        of_columns = ", ".join(f"max({is_wrong})" for is_wrong in wrong.values())
        [wrong_values] = query(path, f"SELECT {of_columns} {rows}", name)
        for column, is_wrong in zip(wrong, wrong_values):
            if is_wrong:
                type_ = dict(columns)[column]
                raise StoreError(
                    name,
                    f"values of the type {type_} in the column {column} of the table {table}",
                    "others, which no MLMD has written",
                    _RESTORE,
                )


def _quoted(identifier: str) -> str:
    escaped = identifier.replace('"', '""')
    return f'"{escaped}"'


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _is_unicode(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_idle_wal(path: str) -> bool:
    """Tells whether a file is in SQLite's mode "WAL" and has nothing in its log.

    Args:
        path: Of the file.
    """
    try:
        header = _header(path)
    except (OSError, DocumentError):
        return False  # SQLite says what is wrong.
    return header[18:20] == b"\x02\x02" and not _size(f"{os.path.realpath(path)}-wal")


def _is_hot(path: str, real: str) -> bool:
    """Tells whether the journal beside a file must be rolled back first, by asking SQLite."""
    if not _size(f"{real}-journal"):
        return False
    try:
        _query(path, "SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        # "attempt to write a readonly database", or "unable to open database file".
        if "readonly" in str(error) or "unable to open" in str(error):
            return True
        raise _unreadable(path, error) from None
    except _FAULTS as error:
        raise _unreadable(path, error) from None
    return False


def _recovered(path: str, real: str, suffix: str) -> ReadableFile:
    """Copies a store with its journal or log, and lets SQLite recover the copy."""
    needed = _size(real) + 2 * _size(f"{real}{suffix}")
    folder = tempfile.mkdtemp(prefix="tfx-wine-ext-store-")
    copy = os.path.join(folder, "metadata.db")
    copied = ReadableFile(copy, folder)
    try:
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise _no_room(path, needed, folder, f"{free:,} bytes")
        with _shared_lock(real, path):
            _copy(real, copy, suffix)
        connection = sqlite3.connect(copy, isolation_level=None)
        with contextlib.closing(connection):
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    except _FAULTS as error:
        delete(copied)
        raise _unreadable(path, error) from None
    except OSError as error:
        delete(copied)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(path, needed, folder, "less") from None
        raise StoreError(
            path,
            f"to copy it with the file {os.path.basename(real)}{suffix} beside it, which a process "
            "that was killed has left",
            f"that this cannot be done: {error.strerror or error}",
            "give the right to read both files",
        ) from None
    except BaseException:
        delete(copied)
        raise
    return copied


def _no_room(path: str, needed: int, folder: str, found: str) -> StoreError:
    parent = os.path.dirname(folder)
    return StoreError(
        path,
        f"{needed:,} bytes free in {parent} for a copy, as a process that writes it was killed or "
        "has it open",
        found,
        "name a folder with more room in $TMPDIR, or let the pipeline run once, which recovers it",
    )


def _copy(real: str, copy: str, suffix: str) -> None:
    """Copies the file first, and then its journal or log.

    Changes that another process moves meanwhile from the log to the file are still in the log,
    unless the log is restarted, which its header shows.
    """
    for _ in range(10):
        before = _log_header(f"{real}{suffix}") if suffix == "-wal" else b""
        shutil.copyfile(real, copy)
        if suffix:
            with contextlib.suppress(FileNotFoundError):  # Gone: then all of it is in the file.
                shutil.copyfile(f"{real}{suffix}", f"{copy}{suffix}")
        if suffix != "-wal" or before == _log_header(f"{real}{suffix}"):
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{copy}{suffix}")
    raise OSError(errno.EBUSY, "it is written all the time")


def _log_header(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_LOG_HEADER_BYTES)
    except FileNotFoundError:
        return b""


@contextlib.contextmanager
def _shared_lock(real: str, name: str) -> Iterator[None]:
    """Holds a reader's lock, during which other processes only change the log."""
    with open_regular(real) as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _PENDING)
                try:
                    fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED)
                finally:
                    fcntl.lockf(file, fcntl.LOCK_UN, 1, _PENDING)
                break
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    break  # A file system without locks, where writers have none either.
                if time.monotonic() > deadline:
                    raise _unreadable(name, sqlite3.OperationalError("locked")) from None
            time.sleep(0.02)
        yield
