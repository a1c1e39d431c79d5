"""Finds the files of a table, tells their format, and opens them as one table."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from tfx_wine_ext.columnar.csv_table import CsvTable
from tfx_wine_ext.columnar.example_table import ExampleTable
from tfx_wine_ext.columnar.files import LocalFiles
from tfx_wine_ext.columnar.layout import fixed_folder, is_hidden, is_hidden_folder, visible
from tfx_wine_ext.columnar.parquet_source import MAGIC
from tfx_wine_ext.columnar.parquet_table import ParquetTable
from tfx_wine_ext.columnar.shard_files import check_shards, check_shards_of_pattern
from tfx_wine_ext.columnar.table_source import (
    GZIP_ERRORS,
    TableFileError,
    TableSource,
    damaged,
    opened,
)
from tfx_wine_ext.columnar.tfrecord import CRC_BYTES, LENGTH_BYTES, is_front
from tfx_wine_ext.suggestions import hint, path_hint

Kind = Literal["parquet", "csv", "tfrecord"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_OF_EXTENSION: dict[str, Kind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
}
SPLIT = "Split-"
DEFAULT_SPLIT = "train"
_COMPRESSED = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "data compressed by bzip2",
    b"\x28\xb5\x2f\xfd": "data compressed by Zstandard",
    b"\xfd7zX": "data compressed by xz",
}


def open_table(
    path: str,
    *,
    kind: Kind | None = None,
    split: str | None = None,
    reads: Callable[..., bool] = lambda *names: True,
    hive_partitioning: bool = True,
) -> TableSource:
    """Opens a table of one or more files.

    Args:
        path: A file; a folder of such files; a pattern with wildcards (``**`` crosses folders); or
            the folder of a TFX Examples artifact, with a ``Split-NAME`` folder for each split.
        kind: The format of the files. Default: None, told by their extensions (``.gz`` on top of
            ``.csv`` or ``.tfrecord`` does not matter), and by their first bytes if there is none.
        split: Of an Examples artifact. Default: None, ``train`` if the path is one.
        reads: Whether a column is read; see `ParquetTable` for fields of structs. Default: all are.
        hive_partitioning: Read the names ``key=value`` of folders below `partition_root` as
            columns. Only Parquet files have such columns. Default: True.

    Raises:
        TableFileError: There is no such file, the files are of several kinds or of none that is
            known, one of them cannot be used, or one of a numbered set (``-00001-of-00003``) is
            missing; of a set that `path` does not mean as a whole, none is missed.

    Example:
        >>> import pyarrow as pa, pyarrow.parquet as pq, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pq.write_table(pa.table({"x": [1, 2]}), f"{folder}/a.parquet")
        ...     table = open_table(folder)
        ...     table.kind, table.rows, table.names
        ('parquet', 2, ['x'])
    """
    folder = split_folder(path, split)
    paths = find_table_files(folder)
    kind = kind or _common_kind(paths)
    if kind == "parquet":
        root = partition_root(folder) if hive_partitioning else None
        source: TableSource = ParquetTable(paths, reads, root=root)
    else:
        source = (CsvTable if kind == "csv" else ExampleTable)(paths, reads)
    if source.rows == 0:
        raise TableFileError(f"{path}: expected at least one row, found none")
    return source


def split_folder(path: str, split: str | None = None) -> str:
    """Returns the folder of a split if the path is that of an Examples artifact, else the path.

    Args:
        path: Any path.
        split: Name of the split; None: ``train``.

    Raises:
        TableFileError: There is no such split, or a split is named and the path is no artifact.
    """
    splits = examples_splits(path)
    if not splits:
        if split is None:
            return path
        raise TableFileError(
            f"{path}: expected a folder of TFX Examples with a folder {SPLIT}{split}, found none; "
            "name a split only for the folder of an Examples artifact"
        )
    if (split or DEFAULT_SPLIT) not in splits:
        raise TableFileError(
            f"{path}: expected the split {split or DEFAULT_SPLIT!r}, found {splits}; name one of "
            f"these{hint(split or DEFAULT_SPLIT, splits)}"
        )
    return os.path.join(path, SPLIT + (split or DEFAULT_SPLIT))


def examples_splits(path: str) -> list[str]:
    """Returns the names of the splits of an Examples artifact; none if the path is not its folder.

    Example:
        >>> examples_splits("no-such-folder")
        []
    """
    if not os.path.isdir(path):
        return []
    with os.scandir(path) as entries:
        names = [e.name for e in entries if e.is_dir() and e.name.startswith(SPLIT)]
    return sorted(name[len(SPLIT) :] for name in names)


def find_table_files(path: str) -> list[str]:
    """Lists the files of a table, in the order in which they are read: by name.

    Files and folders whose names begin with ``_`` or ``.`` are passed over unless they are named
    so (see `visible`). Of a folder, the files in it are taken, and all that is below folders of
    Hive partitions, ``key=value``.

    Args:
        path: A file, a folder, or a pattern.

    Raises:
        TableFileError: There is none, or one of a numbered set (``-00001-of-00003``) is missing; of
            a set that `path` does not mean as a whole, none is missed.
    """
    if "://" in path:
        raise TableFileError(
            f"{path}: expected a path on this machine, found an address; copy the files here, or "
            "mount the store"
        )
    if os.path.isdir(path):
        paths = _files_in(path, lambda name: "=" in name)
        if paths:
            check_shards(paths)
            return paths
        if _files_in(path, lambda name: True):
            within = os.path.join(path, "**", "*")
            raise TableFileError(
                f"{path}: expected files in this folder, found only folders; name one of them, or "
                f"match what is in them: {within!r}"
            )
        raise TableFileError(f"{path}: expected files in this folder, found none")
    try:
        os.lstat(path)
        return [path]
    except PermissionError as error:
        raise TableFileError(
            f"{path}: cannot be looked for ({error.strerror}); ask for the permission to look into "
            "its folder, or name another path"
        ) from error
    except (OSError, ValueError):
        pass  # There is none of this name.
    matching = LocalFiles().glob(path)
    paths = visible(matching, path)
    if paths:
        check_shards_of_pattern(paths, path)
        return paths
    if matching:
        raise TableFileError(
            f"{path}: matches hidden files only ({matching[0]}); names that begin with _ or . "
            "mark what is not data: name them so in the pattern to read them"
        )
    if glob.glob(path, recursive=True):
        raise TableFileError(f"{path}: matches folders only; match what is in them: {path}/*")
    raise TableFileError(
        f"{path}: expected a file, a folder or a pattern that matches, found nothing there; check "
        f"the path{path_hint(path)}"
    )


def partition_root(path: str) -> str:
    """Returns the folder of a table: names of folders below it may be Hive partitions.

    It is what the path fixes, as what was named is no column, and what is found in it is one. So
    a table that lies in ``year=2024`` has no column ``year`` where that folder, or a file in it,
    is named, as `pyarrow.parquet.read_table` has it for a folder; and has one where ``year=*`` or
    the folder above is.

    Args:
        path: A file, a folder, or a pattern, as for `find_table_files`.

    Example:
        >>> partition_root("data/year=*/*.parquet"), partition_root("data/year=2024/*.parquet")
        ('data', 'data/year=2024')
    """
    if os.path.isdir(path):
        return path
    return os.path.dirname(path) if os.path.lexists(path) else fixed_folder(path)


def _files_in(folder: str, enters: Callable[[str], bool]) -> list[str]:
    """Lists the visible files of a folder, and those below the folders that are entered."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.path, entry.is_dir()) for entry in entries]
    except OSError as error:
        raise TableFileError(
            f"{folder}: cannot be listed ({error.strerror}); check that it may be read"
        ) from error
    paths = []
    for name, path, is_folder in found:
        if not is_folder:
            paths += [] if is_hidden(name) else [path]
        elif not is_hidden_folder(name) and enters(name):
            if os.path.islink(path) and f"{os.path.realpath(folder)}/".startswith(
                f"{os.path.realpath(path)}/"
            ):
                raise TableFileError(
                    f"{path}: is a link to a folder above it; remove it, or match the files by a "
                    "pattern"
                )
            paths += _files_in(path, lambda name: True)
    return sorted(paths)


def _common_kind(paths: Sequence[str]) -> Kind:
    kinds: dict[Kind, list[str]] = {}
    for path in paths:
        kind = _kind_of(path)
        if kind:
            kinds.setdefault(kind, []).append(path)
    if not kinds:
        raise _unknown_kind(paths[0])
    if len(kinds) > 1:
        found = " and ".join(
            f"{len(of_kind)} of {kind} ({of_kind[0]})" for kind, of_kind in sorted(kinds.items())
        )
        raise TableFileError(
            f"expected files of one kind, found {found}; match only those of one kind"
        )
    return next(iter(kinds))


def _kind_of(path: str) -> Kind | None:
    """Tells the format of a file by its extension and first bytes, which must not disagree.

    Returns:
        None of a file without content whose name does not tell: a shard that got no row.
    """
    stem, extension = os.path.splitext(path)
    if extension == ".gz":
        extension = os.path.splitext(stem)[1]
    named = KIND_OF_EXTENSION.get(extension.lower())
    is_empty = False
    with opened(path) as (_, stream):
        try:
            head = stream.read(LENGTH_BYTES + CRC_BYTES)
            is_empty = not head
        except GZIP_ERRORS as error:
            if named is None:
                raise damaged(path, error) from error
            head = b""  # Whoever reads it in earnest says what is wrong with it.
    for magic, what in _COMPRESSED.items():
        if head.startswith(magic):
            raise TableFileError(f"{path}: expected a table, found {what}; unpack it first")
    held: Kind | None = (
        "parquet" if head.startswith(MAGIC) else "tfrecord" if is_front(head) else None
    )
    if named and held and named != held:
        raise TableFileError(
            f"{path}: is called {extension} and holds {held}; rename it, or say --format {held}"
        )
    kind = named or held
    if kind is None and not is_empty:
        raise _unknown_kind(path)
    return kind


def _unknown_kind(path: str) -> TableFileError:
    return TableFileError(
        f"{path}: neither its name nor its first bytes tell what kind of file it is; call it "
        f"{', '.join(KIND_OF_EXTENSION)}, or say --format {'|'.join(KINDS)}"
    )
