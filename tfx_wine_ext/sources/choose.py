"""Finds the files of a table, detects their format, and opens them as one table."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tfx_wine_ext.artifacts.layout import SPLIT, splits_of
from tfx_wine_ext.columnar.tfrecord import is_front
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.files.choose import files_for, has_scheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources import avro
from tfx_wine_ext.sources.arrow_ipc import ArrowTable, is_arrow
from tfx_wine_ext.sources.avro import AvroTable
from tfx_wine_ext.sources.csv import CsvTable
from tfx_wine_ext.sources.description_files import is_description, read_description
from tfx_wine_ext.sources.examples import ExampleTable
from tfx_wine_ext.sources.footers import FOOTER_READERS, MAGIC
from tfx_wine_ext.sources.formats import (
    Reading,
    TableFormat,
    every,
    format_of_extension,
    register_format,
    registered_formats,
)
from tfx_wine_ext.sources.json_lines import JsonTable, is_json
from tfx_wine_ext.sources.layout import fixed_folder, is_hidden, is_hidden_folder, visible
from tfx_wine_ext.sources.managed_tables import is_delta_table
from tfx_wine_ext.sources.orc import OrcTable
from tfx_wine_ext.sources.orc_tail import MAGIC as ORC_MAGIC
from tfx_wine_ext.sources.parquet import ParquetSource
from tfx_wine_ext.sources.schemas import is_text
from tfx_wine_ext.sources.shard_files import check_shards, check_shards_of_pattern
from tfx_wine_ext.sources.source import (
    GZIP_ERRORS,
    PACKED,
    TableFileError,
    TableSource,
    damaged,
    opened,
    raw,
)
from tfx_wine_ext.suggestions import hint, path_hint

DEFAULT_SPLIT = "train"
# The first bytes of a file, by which formats are told.
HEAD_BYTES = 64
# Bytes that are requested for them from an object store: a packed file needs more.
_HEAD_BUFFER_BYTES = 64 * 1024
_COMPRESSED = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "data compressed by bzip2",
    b"\xfd7zX": "data compressed by xz",
}


def _is_binary(head: bytes) -> bool:
    """Tells first bytes from text: the first column of a CSV file may be named ORCID."""
    return any(byte < ord(" ") and byte not in b"\t\r\n" for byte in head)


register_format(
    "parquet",
    label="Parquet",
    extensions=[".parquet", ".pq"],
    holds=lambda head: head.startswith(MAGIC) and _is_binary(head),
)(ParquetSource.open)


@register_format("csv", label="CSV", extensions=[".csv", ".tsv"], packed=True)
def _open_csv(paths: Sequence[str], how: Reading) -> TableSource:
    return CsvTable(paths, how.reads, lambda name: is_text(name, how.cast))


@register_format(
    "tfrecord",
    label="TFRecord of tf.train.Example",
    extensions=[".tfrecord", ".tfrecords"],
    holds=is_front,
    packed=True,
)
def _open_examples(paths: Sequence[str], how: Reading) -> TableSource:
    return ExampleTable(paths, how.reads, how.files)


register_format(
    "orc",
    label="ORC",
    extensions=[".orc"],
    holds=lambda head: head.startswith(ORC_MAGIC) and _is_binary(head),
)(OrcTable.open)
register_format(
    "arrow",
    label="Arrow IPC or Feather",
    extensions=[".arrow", ".arrows", ".ipc", ".feather"],
    holds=lambda head: is_arrow(head) and _is_binary(head),
)(ArrowTable.open)
register_format(
    "json",
    label="JSON lines",
    extensions=[".jsonl", ".ndjson", ".json"],
    holds=is_json,
    packed=True,
)(JsonTable.open)
register_format(
    "avro",
    label="Avro",
    extensions=[".avro"],
    holds=lambda head: head.startswith(avro.MAGIC),
)(AvroTable.open)


def open_table(
    path: str,
    *,
    kind: str | None = None,
    split: str | None = None,
    reads: Callable[..., bool] = every,
    hive_partitioning: bool = True,
) -> TableSource:
    """Opens a table of one or more files.

    Args:
        path: A file; a folder of files; a pattern with wildcards (``**`` crosses folders); or the
            folder of a TFX Examples artifact, with a ``Split-NAME`` folder for each split. Or the
            folder of a Delta Lake table, of which the latest version is read; or a file
            ``NAME.source.yaml`` that describes a table, see `read_description`.
        kind: The name of the format of the files; see `registered_formats`. Default: None, detected
            by their extensions (ignoring ``.gz`` and ``.zst``), and otherwise by their first bytes.
        split: The split of an Examples artifact. Default: None, ``train`` for an artifact.
        reads: Whether a column is read; see `FileTable` for fields of structs. Default: all are.
        hive_partitioning: Read folder names ``key=value`` below `partition_root` as columns, in
            formats whose files state their columns (not CSV and TFRecord). Default: True.

    Raises:
        TableFileError: There is no file, the files have different or unknown formats, a file cannot
            be used, or a file of a numbered set (``-00001-of-00003``) is missing, if `path` selects
            the whole set.

    Example:
        >>> import pyarrow as pa, pyarrow.parquet as pq, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pq.write_table(pa.table({"x": [1, 2]}), f"{folder}/a.parquet")
        ...     table = open_table(folder)
        ...     table.kind, table.rows, table.names
        ('parquet', 2, ['x'])
    """
    how = Reading(reads, flat=True, root="" if hive_partitioning else None)
    source = open_path(split_folder(path, split), how, kind)
    if source.rows == 0:
        raise TableFileError("none", path=path, expected="at least one row")
    return source


def open_path(path: str, how: Reading, kind: str | None = None) -> TableSource:
    """Opens what a path names: files, a Delta Lake table, or what a file describes.

    Args:
        path: See `open_table`; of an artifact the folder of a split.
        how: How the table is read; unless ``root`` is None, it is the `partition_root` of the path.
        kind: The name of the format of the files. Default: None, detected.

    Raises:
        TableFileError: See `open_table`.
    """
    if is_description(path):
        return _open_description(path, how, kind)
    if kind is None and is_delta_table(path, how.files):
        from tfx_wine_ext.sources.delta import Delta

        return Delta(path).open(how)
    paths = find_table_files(path)
    if how.root is not None:
        how = dataclasses.replace(how, root=partition_root(path))
    return open_files(paths, how, kind)


def _open_description(path: str, how: Reading, kind: str | None) -> TableSource:
    """Opens the table that a file describes, which says what format its files have."""
    if kind is not None:
        raise TableFileError(
            repr(kind),
            "name the format in the description",
            path=path,
            argument=Option.FORMAT,
            expected="no format, as this file describes the table",
        )
    return read_description(path).open(how)


def open_files(paths: Sequence[str], how: Reading, kind: str | None = None) -> TableSource:
    """Opens files of one format as a table.

    Args:
        paths: The files in reading order, at least one.
        how: How they are read.
        kind: The name of their format. Default: None, detected; see `open_table`.

    Raises:
        TableFileError: See `open_table`.
    """
    formats = registered_formats()
    kind = kind or _common_kind(paths)
    if kind not in formats:
        raise TableFileError(
            repr(kind),
            f"name one of these{hint(kind, formats)}",
            argument=Option.FORMAT,
            expected=f"one of the formats {', '.join(formats)}",
        )
    codecs = (
        _of_each(paths, lambda path: _codec(path, how.files)) if not formats[kind].packed else ()
    )
    for path, codec in zip(paths, codecs):
        if codec:
            raise TableFileError(
                f"packed by {codec}",
                ("unpack it first", f"use the compression within {formats[kind].label} files"),
                path=path,
                expected=f"a file of {formats[kind].label} as it was written",
            )
    return formats[kind].opens(paths, how)


def split_folder(path: str, split: str | None = None) -> str:
    """Returns the folder of a split if the path is an Examples artifact, else the path.

    Args:
        path: Any path.
        split: Name of the split; None: ``train``.

    Raises:
        TableFileError: The split does not exist, or a split is given for another path.
    """
    splits = examples_splits(path)
    if not splits:
        if split is None:
            return path
        raise TableFileError(
            "none",
            "name a split only for the folder of an Examples artifact",
            path=path,
            expected=f"a folder of TFX Examples with a folder {SPLIT}{split}",
        )
    split = split or DEFAULT_SPLIT
    if split not in splits:
        remedy = f"name one of these{hint(split, splits)}"
        raise TableFileError(str(splits), remedy, path=path, expected=f"the split {split!r}")
    return os.path.join(path, SPLIT + split)


def examples_splits(path: str) -> list[str]:
    """Returns the names of the splits of an Examples artifact; none for other paths.

    Example:
        >>> examples_splits("no-such-folder")
        []
    """
    if has_scheme(path):
        files = files_for(path)
        return splits_of(files.names(path)) if files.is_dir(path) else []
    if not os.path.isdir(path):
        return []
    with os.scandir(path) as entries:
        return splits_of(entry.name for entry in entries if entry.is_dir())


def find_table_files(path: str) -> list[str]:
    """Lists the files of a table, sorted by name, which is the reading order.

    Files and folders whose names begin with ``_`` or ``.`` are skipped unless they are named
    explicitly (see `visible`). For a folder, its files and all files below Hive partitions,
    ``key=value``, are listed.

    Args:
        path: A file, a folder, or a pattern.

    Raises:
        TableFileError: There are no files, or a file of a numbered set (``-00001-of-00003``) is
            missing, if `path` selects the whole set.
    """
    files = files_for(path)
    if files.is_dir(path):
        paths = _files_in(path, lambda name: "=" in name)
        if paths:
            check_shards(paths)
            return paths
        if _files_in(path, lambda name: True):
            within = os.path.join(path, "**", "*")
            raise TableFileError(
                "only folders",
                ("name one of them", f"match their files: {within!r}"),
                path=path,
                expected="files in this folder",
            )
        raise TableFileError("none", path=path, expected="files in this folder")
    if _is_there(path):
        return [path]
    matching = files.glob(path)
    paths = visible(matching, path)
    if paths:
        check_shards_of_pattern(paths, path)
        return paths
    if matching:
        raise TableFileError(
            f"matches hidden files only ({matching[0]})",
            "names that begin with _ or . mark what is not data: name them so in the pattern to "
            "read them",
            path=path,
        )
    if not has_scheme(path) and glob.glob(path, recursive=True):
        raise TableFileError("matches folders only", f"match what is in them: {path}/*", path=path)
    raise TableFileError(
        "nothing there",
        f"check the path{path_hint(path)}",
        path=path,
        expected="a file, a folder or a pattern that matches",
    )


def partition_root(path: str) -> str:
    """Returns the root folder of a table: folder names below it may be Hive partitions.

    It is the fixed part of the path. A table in ``year=2024`` has no column ``year`` if that
    folder, or a file in it, is named, as in `pyarrow.parquet.read_table`; it has one if ``year=*``
    or the parent folder is named.

    Args:
        path: A file, a folder, or a pattern, as for `find_table_files`.

    Example:
        >>> partition_root("data/year=*/*.parquet"), partition_root("data/year=2024/*.parquet")
        ('data', 'data/year=2024')
    """
    if files_for(path).is_dir(path):
        return path
    return os.path.dirname(path) if _is_there(path) else fixed_folder(path)


def _is_there(path: str) -> bool:
    """Tells whether a path, which is no pattern, exists, if only as a broken link.

    Raises:
        TableFileError: Access to its folder is denied.
    """
    if has_scheme(path):
        return files_for(path).exists(path)
    try:
        os.lstat(path)
    except PermissionError as error:
        raise TableFileError(
            f"cannot be looked for ({error.strerror})",
            ("request access to its folder", "name another path"),
            path=path,
        ) from error
    except (OSError, ValueError):
        return False
    return True


def _files_in(folder: str, enters: Callable[[str], bool]) -> list[str]:
    """Lists the visible files of a folder, and of the subfolders that are entered."""
    if has_scheme(folder):
        return _remote_files_in(folder.rstrip("/"), enters)
    try:
        with os.scandir(folder) as entries:
            listed = [(entry.name, entry.path, entry.is_dir()) for entry in entries]
    except OSError as error:
        raise TableFileError(
            f"cannot be listed ({error.strerror})", "check that it may be read", path=folder
        ) from error
    paths = []
    for name, path, is_folder in listed:
        if not is_folder:
            paths += [] if is_hidden(name) else [path]
        elif not is_hidden_folder(name) and enters(name):
            if os.path.islink(path) and f"{os.path.realpath(folder)}/".startswith(
                f"{os.path.realpath(path)}/"
            ):
                raise TableFileError(
                    "is a link to a folder above it",
                    ("remove it", "match the files by a pattern"),
                    path=path,
                )
            paths += _files_in(path, lambda name: True)
    return sorted(paths)


def _remote_files_in(folder: str, enters: Callable[[str], bool]) -> list[str]:
    """Does what `_files_in` does by listing once all that is below the folder."""
    paths = []
    for path in files_for(folder).glob(f"{glob.escape(folder)}/**"):
        *folders, name = path[len(folder) + 1 :].split("/")
        hidden = is_hidden(name) or any(map(is_hidden_folder, folders))
        if not hidden and (not folders or enters(folders[0])):
            paths.append(path)
    return paths


def _of_each(paths: Sequence[str], of_one: Callable[[str], str | None]) -> list[str | None]:
    """Asks about files in parallel: on object stores latency dominates."""
    with ThreadPoolExecutor(FOOTER_READERS) as pool:
        return list(pool.map(of_one, paths))


def _codec(path: str, files: Files) -> str | None:
    with raw(path, files, buffer_bytes=_HEAD_BUFFER_BYTES) as (_, codec):
        return codec


def _common_kind(paths: Sequence[str]) -> str:
    kinds: dict[str, list[str]] = {}
    for path, kind in zip(paths, _of_each(paths, _kind_of)):
        if kind:
            kinds.setdefault(kind, []).append(path)
    if not kinds:
        raise _unknown_kind(paths[0])
    if len(kinds) > 1:
        found = " and ".join(
            f"{len(of_kind)} of {kind} ({of_kind[0]})" for kind, of_kind in sorted(kinds.items())
        )
        raise TableFileError(found, "match only those of one kind", expected="files of one kind")
    return next(iter(kinds))


def _kind_of(path: str) -> str | None:
    """Detects the format of a file by its extension and first bytes, which must agree.

    Returns:
        The format; None for an empty file without a known extension, such as a shard without rows.
    """
    stem, extension = os.path.splitext(path)
    if extension in PACKED:
        extension = os.path.splitext(stem)[1]
    formats = registered_formats()
    named = format_of_extension(extension)
    is_empty = False
    with opened(path, buffer_bytes=_HEAD_BUFFER_BYTES) as (_, stream):
        try:
            head = stream.read(HEAD_BYTES)
            is_empty = not head
        except GZIP_ERRORS as error:
            if named is None:
                raise damaged(path, error) from error
            head = b""  # The reader reports the damage.
    held = _held(head, formats.values(), named)
    for magic, what in _COMPRESSED.items():
        # A format of another package may be an archive by itself.
        if head.startswith(magic) and not held and (named is None or named.packed):
            raise TableFileError(what, "unpack it first", path=path, expected="a table")
    if named and held and named != held:
        remedies = ("rename it", Remedy(Option.FORMAT, held.name))
        raise TableFileError(f"is named {extension} but holds {held.name}", remedies, path=path)
    kind = named or held
    if kind is None and not is_empty:
        raise _unknown_kind(path)
    return kind.name if kind else None


def _held(
    head: bytes, formats: Iterable[TableFormat], named: TableFormat | None
) -> TableFormat | None:
    """Returns the format that the first bytes have: that of the name, if this is possible."""
    if named and named.holds(head):
        return named
    return next((each for each in formats if each.holds(head)), None)


def _unknown_kind(path: str) -> TableFileError:
    known = "; ".join(
        f"{each.label} ({', '.join(each.extensions)})" for each in registered_formats().values()
    )
    return TableFileError(
        "neither its name nor its first bytes tell its format",
        (f"use an extension of what is read: {known}", Remedy(Option.FORMAT)),
        path=path,
    )
