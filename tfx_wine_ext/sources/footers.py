"""Footers of Parquet files: checks, fingerprints, and files that are decoded as they were found.

Footers are read first, so that unusable files are refused before any worker starts.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import io
import json
import os
import re
import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tfx_wine_ext import safe_arrow
from tfx_wine_ext.errors import Advice, Option, Remedy, TfxWineExtError
from tfx_wine_ext.files.choose import has_scheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.int96 import Int96Error, footer_of_bytes, with_timestamps
from tfx_wine_ext.sources.layout import Partitions, fixed_folder, visible
from tfx_wine_ext.sources.managed_tables import managed_table_of
from tfx_wine_ext.sources.shard_files import check_shards_of_pattern
from tfx_wine_ext.sources.source import (
    ADD_FILES,
    BUFFER_BYTES,
    FAILED_REQUEST,
    TableFileError,
    one_line,
)
from tfx_wine_ext.sources.stamps import Stamp, rewritten, stamp_of

# See `ParquetFileError`.
ErrorKind = Literal["damaged", "unsupported", "memory", "changed", "unreadable", "unusable"]

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
# The fingerprint of a file up to this size covers all of its bytes, which detects every change. The
# fingerprint of a larger file covers its size and footer, which costs no more for a terabyte.
WHOLE_FILE_FINGERPRINT_BYTES = 8 * 1024 * 1024
# A column chunk with more packed bytes is read in pieces.
LARGE_CHUNK_BYTES = 64 * 1024 * 1024
# Threads that read footers: on object stores latency dominates.
FOOTER_READERS = 16
# Some writers add a checksum to every page; pyarrow can verify it from version 13 on.
_CHECK_PAGES = {
    option: True
    for option in inspect.signature(pq.ParquetFile).parameters
    if option == "page_checksum_verification"
}
# The same for every reader, including that of the footer, so that all see the same types.
# INT96 is read as bytes and decoded by int96.py; this option sets the types in the schema.
READER_OPTIONS: dict[str, Any] = {"coerce_int96_timestamp_unit": "us"}
# pyarrow's messages, in a plain OSError, for valid files that it does not support.
_UNSUPPORTED = re.compile(
    "not (yet |currently )?(implemented|supported)|only supports|unsupported|not recognized"
    "|unknown (encoding|orc type kind)|expected all lists to be of size",
    re.IGNORECASE,
)
_ENCRYPTED = re.compile("decrypt", re.IGNORECASE)


class ParquetFileError(TableFileError):
    """A Parquet file cannot be used.

    Attributes:
        kind: ``damaged``: another copy may be intact. ``unsupported``: probably intact, but not
            supported by this library or this version of pyarrow. ``memory``: memory has run out.
            ``changed``: it changed since the run began. ``unreadable``: a disk or a connection
            failed. ``unusable``: anything else, such as a missing path.
    """

    kind: ErrorKind = "unusable"

    def __init__(
        self,
        path: str,
        found: str,
        remedy: Advice | Iterable[Advice],
        kind: ErrorKind = "unusable",
        **place: Any,
    ) -> None:
        super().__init__(found, remedy, path=path, **place)
        self.kind = kind


@dataclass(frozen=True)
class RowGroup:
    """One row group, or what other formats have: its index in the file, rows if known, and size."""

    index: int
    rows: int | None
    uncompressed_bytes: int


@dataclass(frozen=True)
class Footer:
    """The footer of one Parquet file, or what is known about a file of another format.

    Attributes:
        path: The file.
        size: Bytes in the file.
        digest: 32 hexadecimal digits, computed from the whole file up to
            `WHOLE_FILE_FINGERPRINT_BYTES`, and from size and footer of a larger one; "" for other
            formats, of which all bytes are read for a fingerprint.
        schema: The Arrow schema of the file.
        row_groups: The row groups in file order.
        stamp: Of a local file, to detect later writes.
        partitions: Hive partitions in the file's path; `with_partitions` adds their columns to
            `schema`. Default: none.
        in_path: The partition columns that the file itself lacks. Default: none.
    """

    path: str
    size: int
    digest: str
    schema: pa.Schema
    row_groups: tuple[RowGroup, ...]
    stamp: Stamp | None = None
    partitions: Partitions = ()
    in_path: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows in the file, as far as it is known."""
        return sum(group.rows or 0 for group in self.row_groups)


class NoFilesError(TfxWineExtError, FileNotFoundError):
    """No file matches a pattern."""


class IsFolderError(TfxWineExtError, IsADirectoryError):
    """Only a folder matches a pattern for files."""


def find_files(pattern: str, files: Files) -> list[str]:
    """Lists the files that match a pattern, sorted by name, which is the reading order.

    Files and folders whose names begin with ``_`` or ``.`` are skipped unless the pattern spells
    them so; see `visible`.

    Args:
        pattern: A path with wildcards, by Beam's rules: ``**`` stands for any text with slashes in
            it, so that ``**.parquet`` matches in folders of folders, and ``**/*`` only there; a
            linked folder below a wildcard, such as ``latest``, is not entered.
        files: The file system.

    Returns:
        At least one path.

    Raises:
        FileNotFoundError: nothing matches.
        IsADirectoryError: only a folder matches.
        LostRowsError: a file of a numbered set (``-00001-of-00003``) is missing, or sets are mixed.
    """
    matching = _matching(pattern, files)
    paths = visible(matching, pattern)
    if paths:
        check_shards_of_pattern(paths, pattern)
        return paths
    if matching:
        raise NoFilesError(
            f"only hidden files ({matching[0]})",
            "names that begin with _ or . mark what is not data: name them so in the pattern to "
            "read them",
            path=pattern,
            expected="Parquet files",
        )
    if files.is_dir(pattern):
        remedy = f"match its files: {pattern}/*"
        raise IsFolderError("a folder", remedy, path=pattern, expected="Parquet files")
    raise NoFilesError(
        "none",
        "check the folder and the pattern: **/*.parquet matches files in folders of folders",
        path=pattern,
        expected="Parquet files",
    )


def _matching(pattern: str, files: Files) -> list[str]:
    """Finds files by Beam's rules, which enter no linked folder below the first wildcard."""
    found = _matching_by_name(pattern, files)
    if has_scheme(pattern):
        return found
    folder, is_linked = fixed_folder(pattern), functools.lru_cache(maxsize=None)(os.path.islink)

    def is_below_link(path: str) -> bool:
        parent = os.path.dirname(path)
        return len(parent) > len(folder) and (is_linked(parent) or is_below_link(parent))

    return [path for path in found if not is_below_link(path)]


def _matching_by_name(pattern: str, files: Files) -> list[str]:
    matching = files.glob(pattern)
    if "**" not in pattern:
        return matching
    parts = pattern.split("/")
    first = next(i for i, part in enumerate(parts) if "**" in part)
    below = files.glob("/".join([*parts[:first], "**"]))
    by_rule = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(
        by_rule.get(piece) or (piece.replace("[!", "[^") if piece[:1] == "[" else re.escape(piece))
        for piece in re.split(r"(\*\*|\*|\?|\[[^]]+\])", pattern)
    )
    return sorted(path for path in {*matching, *below} if re.fullmatch(expression, path, re.DOTALL))


def read_footer(path: str, files: Files) -> Footer:
    """Reads and checks the footer of one Parquet file.

    Args:
        path: The file.
        files: The file system of the file.

    Returns:
        The footer, with the digest for `content_fingerprint`.

    Raises:
        ParquetFileError: if the file cannot be opened, is empty, truncated, encrypted, not
            Parquet, or its footer cannot be decoded.
    """
    with OpenParquet(path, files) as opened:
        return opened.footer


class OpenParquet:
    """One open Parquet file, whose decoded content always matches its digest.

    A file of up to `WHOLE_FILE_FINGERPRINT_BYTES` is read into memory and decoded from there, so
    later changes of the file have no effect. For a larger file the footer is read once and kept,
    and `verify` compares the file with it after the last read. Use it as a context manager.

    Args:
        path: The file.
        files: The file system of the file.

    Attributes:
        footer: The footer.

    Raises:
        ParquetFileError: see `read_footer`.

    Example:
        >>> import tempfile
        >>> from tfx_wine_ext.files.local import LocalFiles
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pq.write_table(pa.table({"x": [1, 2]}), f"{folder}/a.parquet")
        ...     with OpenParquet(f"{folder}/a.parquet", LocalFiles()) as opened:
        ...         rows = opened.reader().read().to_pylist()
        ...         opened.verify()
        >>> rows
        [{'x': 1}, {'x': 2}]
    """

    def __init__(self, path: str, files: Files) -> None:
        self._path = path
        self._files = files
        self._stream = _opened(path, files)
        try:
            self._stamp = stamp_of(self._stream)
            size, content = _whole_or_footer(path, self._stream)
            self._whole = content if len(content) == size else None
            if self._whole is None:
                self._footer_bytes = len(content)
            digest = _digest(size, content)
            self._footer_only = content if self._whole else MAGIC + content
            self._metadata, schema, row_groups = _decoded(path, self._footer_only)
            leaves = self._metadata.schema
            self._has_int96 = any(
                leaves.column(i).physical_type == "INT96" for i in range(len(leaves))
            )
            if self._has_int96:
                length = (
                    _footer_bytes(path, size, content[:4], content[-8:])
                    if self._whole
                    else len(content)
                )
                self._metadata = _with_int96_as_bytes(path, content[-length:-8])
        except BaseException:
            self._stream.close()
            raise
        self.footer = Footer(path, size, digest, schema, row_groups, self._stamp)

    def __enter__(self) -> OpenParquet:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The columns of the file."""
        return frozenset(self.footer.schema.names)

    def reader(self) -> pq.ParquetFile:
        """Returns a reader of the rows, in which INT96 is 12 bytes; see `with_timestamps`."""
        return self._reader

    @functools.cached_property
    def _reader(self) -> pq.ParquetFile:
        source = self._stream if self._whole is None else pa.BufferReader(self._whole)
        # Without a buffer, Arrow keeps a column chunk as it is in the file until its last row.
        size = BUFFER_BYTES if _has_large_chunk(self._metadata) else 0
        return pq.ParquetFile(source, metadata=self._metadata, buffer_size=size, **_CHECK_PAGES)

    def with_timestamps(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Returns a batch of the reader's with the types of the footer's schema.

        Raises:
            Int96Error: An INT96 timestamp does not fit.
        """
        if not self._has_int96 or not batch.num_columns:
            return batch
        columns = []
        for name, array in zip(batch.schema.names, batch.columns):
            try:
                columns.append(with_timestamps(array, self.footer.schema.field(name).type))
            except Int96Error as error:
                error.column = name
                raise
        return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)

    def footer_stream(self) -> BinaryIO:
        """Returns a file that holds only the footer."""
        return io.BytesIO(self._footer_only)

    def check(self, digest: str, stamp: Stamp | None) -> None:
        """Checks that the file still has the digest and stamp of an earlier read.

        Raises:
            ParquetFileError: the file has changed.
        """
        if self.footer.digest != digest or rewritten(stamp, self._stamp):
            raise ParquetFileError(
                self._path, "it changed after the run had begun", ADD_FILES, "changed"
            )

    def verify(self) -> None:
        """Checks, after the last read, that the file did not change while it was read.

        For a local file, size, footer and modification time are read through the same handle. A
        handle of a remote file may return buffered data, so size and footer are read through a new
        one.

        Raises:
            ParquetFileError: the file has changed.
        """
        if self._whole is not None:
            return
        if self._stamp is None:
            with _opened(self._path, self._files) as stream:
                size = stream.seek(0, 2)
                stream.seek(max(size - self._footer_bytes, 0))
                footer = stream.read(self._footer_bytes)
        else:
            # Bypasses Python's buffer, which may hold old data.
            descriptor = self._stream.fileno()
            size = os.fstat(descriptor).st_size
            footer = os.pread(descriptor, self._footer_bytes, max(size - self._footer_bytes, 0))
        if _digest(size, footer) != self.footer.digest:
            found = "it was overwritten while it was read"
        elif stamp_of(self._stream) != self._stamp:
            found = "it was written to while it was read (its time of modification has changed)"
        else:
            return
        raise ParquetFileError(self._path, found, ADD_FILES, "changed")


def _opened(path: str, files: Files) -> BinaryIO:
    try:
        return files.open(path)
    except TfxWineExtError as error:
        raise ParquetFileError.of(error) from error
    except Exception as error:
        raise ParquetFileError(
            path, f"cannot be opened ({error})", "check that it exists and is readable"
        ) from error


def _digest(size: int, content: bytes) -> str:
    digest = hashlib.sha256(struct.pack("<Q", size))
    digest.update(content)
    return digest.hexdigest()[:32]


def _decoded(
    path: str, footer_only: bytes
) -> tuple[pq.FileMetaData, pa.Schema, tuple[RowGroup, ...]]:
    """Decodes the footer at the end of the bytes, including its length and the magic number."""
    try:
        parquet = pq.ParquetFile(
            pa.BufferReader(footer_only), **READER_OPTIONS, **thrift_limits(len(footer_only))
        )
        metadata = parquet.metadata
        row_groups = tuple(
            RowGroup(i, group.num_rows, group.total_byte_size)
            for i, group in ((i, metadata.row_group(i)) for i in range(metadata.num_row_groups))
        )
        return metadata, parquet.schema_arrow, row_groups
    except Exception as error:
        raise decoding_error(
            path, "its footer cannot be decoded", error, "write the file again"
        ) from error


def _with_int96_as_bytes(path: str, metadata: bytes) -> pq.FileMetaData:
    try:
        edited = footer_of_bytes(metadata)
    except Exception as error:
        raise decoding_error(
            path, "its footer cannot be decoded", error, "write the file again"
        ) from error
    end = struct.pack("<I", len(edited)) + MAGIC
    return _decoded(path, MAGIC + edited + end)[0]


def thrift_limits(footer_bytes: int) -> dict[str, int]:
    """Returns pyarrow's limits for the metadata of a footer of this length.

    No list in it can have more elements, and no string more bytes, than the footer has bytes. With
    these limits very wide tables can be read, beyond pyarrow's default of a million elements, while
    small files with absurd sizes are refused.
    """
    limit = min(footer_bytes, 2**31 - 1)
    return {"thrift_string_size_limit": limit, "thrift_container_size_limit": limit}


def decoding_error(
    path: str, what: str, error: Exception, remedy: str, **place: Any
) -> ParquetFileError:
    """Classifies an error that was raised while a file was decoded.

    Args:
        path: The file.
        what: What failed, such as ``its footer cannot be decoded``.
        error: The error.
        remedy: What to do if the file is damaged.
        place: `column`, `row` and `unit` of the error, if known.
    """
    says = one_line(error)
    if isinstance(error, MemoryError):
        return ParquetFileError(
            path,
            f"{what}: memory has run out ({says})",
            "provide more memory, or write the file with smaller row groups; the file may be "
            "intact, unless the number is absurd",
            "memory",
            **place,
        )
    if safe_arrow.UNSAFE_TYPE in says:
        return ParquetFileError(
            path,
            f"it has a column of the type {safe_arrow.UNSAFE_TYPE}, which runs code from the file",
            "write it again without that type (with the storage type of the column)",
            "unsupported",
            **place,
        )
    outside = type(error).__module__.partition(".")[0] not in ("builtins", "pyarrow")
    failed = isinstance(error, OSError) and (error.errno or type(error) is not OSError)
    if outside or failed or FAILED_REQUEST in says:
        return ParquetFileError(
            path,
            f"it cannot be read ({says or type(error).__name__})",
            "check the disk or the connection, then run again",
            "unreadable",
            **place,
        )
    if _ENCRYPTED.search(says):
        column = place.get("column")
        leave_out = Remedy(Option.EXCLUDE_COLUMNS, column and (column,))
        return ParquetFileError(
            path,
            f"{what}: it is encrypted ({says})",
            ("decrypt it first, as keys are not supported", leave_out),
            "unsupported",
            **place,
        )
    if isinstance(error, (NotImplementedError, pa.ArrowCapacityError)) or _UNSUPPORTED.search(says):
        return ParquetFileError(
            path,
            f"{what} by pyarrow {pa.__version__} ({says})",
            "if other readers can read it, the file is intact: use a newer pyarrow, or write it "
            "with types, encodings and compression that this version supports",
            "unsupported",
            **place,
        )
    return ParquetFileError(path, f"{what} ({says})", remedy, "damaged", **place)


def _has_large_chunk(metadata: pq.FileMetaData) -> bool:
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    return any(
        group.column(index).total_compressed_size > LARGE_CHUNK_BYTES
        for group in groups
        if group.total_byte_size > LARGE_CHUNK_BYTES
        for index in range(group.num_columns)
    )


def _whole_or_footer(path: str, stream: BinaryIO) -> tuple[int, bytes]:
    """Returns the size and the bytes for the digest, after checking both ends of the file."""
    try:
        return _read_whole_or_footer(path, stream)
    except ParquetFileError:
        raise
    except Exception as error:
        raise decoding_error(
            path, "it cannot be read", error, "check the disk, then run again"
        ) from error


def _read_whole_or_footer(path: str, stream: BinaryIO) -> tuple[int, bytes]:
    size = stream.seek(0, 2)
    if size <= WHOLE_FILE_FINGERPRINT_BYTES:
        stream.seek(0)
        content = stream.read()
        _footer_bytes(path, len(content), content[:4], content[-8:])
        return len(content), content
    stream.seek(0)
    head = stream.read(4)
    stream.seek(size - 8)
    footer_bytes = _footer_bytes(path, size, head, stream.read(8))
    stream.seek(size - footer_bytes)
    return size, stream.read(footer_bytes)


def _footer_bytes(path: str, size: int, head: bytes, tail: bytes) -> int:
    """Returns the footer's length, including its end, as given by the last 8 bytes of the file."""
    if size < 12:
        raise ParquetFileError(
            path,
            f"{size} bytes",
            "it is empty or truncated: write or copy it again",
            "damaged",
            expected="a Parquet file, which has at least 12 bytes",
        )
    if ENCRYPTED_MAGIC in (head, tail[4:]):
        raise ParquetFileError(
            path,
            "is encrypted (magic PARE)",
            "decrypt it first: keys are not supported",
            "unsupported",
        )
    if head != MAGIC:
        raise ParquetFileError(
            path,
            f"{head!r}",
            "it is another kind of file: narrow the pattern, or convert it",
            expected=f"a Parquet file, which starts with {MAGIC!r}",
        )
    if tail[4:] != MAGIC:
        raise ParquetFileError(
            path,
            f"{tail[4:]!r}",
            "it is truncated or still being written: write or copy it again",
            "damaged",
            expected=f"a Parquet file, which ends with {MAGIC!r}",
        )
    footer_bytes = int(struct.unpack("<I", tail[:4])[0]) + 8
    if footer_bytes > size - 4:
        raise ParquetFileError(
            path,
            f"its footer claims {footer_bytes} bytes of {size}",
            "it is truncated or corrupt: write or copy it again",
            "damaged",
        )
    return footer_bytes


def read_footers(paths: Sequence[str], files: Files) -> list[Footer]:
    """Reads many footers in parallel, and returns them in the order of `paths`.

    Args:
        paths: The files.
        files: The file system of the files.

    Returns:
        One footer per file.

    Raises:
        ParquetFileError: for the first file, in the order of `paths`, that cannot be used, or that
            belongs to a Delta Lake, Iceberg, Hudi, Paimon or transactional Hive table.
    """
    table = managed_table_of(paths, files)
    if table is not None:
        article = "an" if table.format[0] in "AEIOU" else "a"
        raise ParquetFileError(
            table.path,
            f"belongs to {article} {table.format} table ({table.folder}), whose folder also holds "
            "rows that were deleted or replaced",
            table.remedies,
            "unsupported",
        )
    with ThreadPoolExecutor(FOOTER_READERS) as pool:
        return list(pool.map(lambda path: read_footer(path, files), paths))


def content_fingerprint(footers: Sequence[Footer]) -> str:
    """Fingerprints the content of a list of files, in order.

    It does not include names, folders or times: files that were touched, copied or renamed keep
    their fingerprint as long as their order by name is the same. It includes the values of Hive
    partitions, which are content. Any change of a file up to `WHOLE_FILE_FINGERPRINT_BYTES` is
    detected. A change of a larger file is detected if its size or footer changes; the footer holds
    the position and size of every column chunk, the writer's version, and minimum, maximum and null
    count of every column in every row group. Changes that keep all of these, such as swapping two
    values in an uncompressed column chunk of a large file, are not detected.

    Args:
        footers: The footers in reading order.

    Returns:
        ``parquet-v1:`` and 32 hexadecimal digits.

    Example:
        >>> content_fingerprint([])
        'parquet-v1:e3b0c44298fc1c149afbf4c8996fb924'
    """
    digest = hashlib.sha256()
    for footer in footers:
        digest.update(footer.digest.encode())
        if footer.partitions:
            digest.update(json.dumps(sorted(footer.partitions)).encode())
    return f"parquet-v1:{digest.hexdigest()[:32]}"


def schema_fingerprint(schema: pa.Schema) -> str:
    """Fingerprints names, types and order of the columns, without any metadata.

    Args:
        schema: An Arrow schema.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> a = pa.schema([("x", pa.int64())])
        >>> schema_fingerprint(a) == schema_fingerprint(a.with_metadata({"pandas": "{}"}))
        True
        >>> schema_fingerprint(a) == schema_fingerprint(pa.schema([("x", pa.int32())]))
        False
    """
    lines = (f"{field.name!r}: {field.type}" for field in schema)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
