"""Parquet files as a source of Arrow batches: footers, fingerprints and row groups.

Everything that can be known without reading data is read from the footers first, so that a
file that cannot work is refused before any worker starts.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import os
import re
import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfx_wine_ext import safe_arrow
from tfx_wine_ext.columnar.casts import parsed_value
from tfx_wine_ext.columnar.files import Files, IrregularFileError, check_regular_file
from tfx_wine_ext.columnar.int96 import Int96Error, footer_of_bytes, with_timestamps
from tfx_wine_ext.columnar.layout import NULL_PARTITION, Partitions, visible
from tfx_wine_ext.columnar.managed_tables import managed_table_of
from tfx_wine_ext.columnar.shard_files import check_shards_of_pattern
from tfx_wine_ext.columnar.values import unwrap
from tfx_wine_ext.columnar.widening import InexactValueError, widened
from tfx_wine_ext.columnar.wording import Argument, Message, Setting

# See `ParquetFileError`.
ErrorKind = Literal["damaged", "unsupported", "memory", "changed", "unreadable", "unusable"]
# See `Footer`.
Stamp = tuple[int, int, int]

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
# A file up to this size is fingerprinted by all of its bytes: one small read that leaves no
# change unnoticed. A larger one by its size and footer, so that a terabyte costs no more.
WHOLE_FILE_FINGERPRINT_BYTES = 8 * 1024 * 1024
# A batch has so many bytes, by what the rows of its row group have on average.
BATCH_BYTES = 64 * 1024 * 1024
# Footers are read by this many threads: on object stores the time is all latency.
FOOTER_READERS = 16
# Some writers put a checksum on every page; pyarrow looks at it from version 13 on.
_CHECK_PAGES = {
    option: True
    for option in inspect.signature(pq.ParquetFile).parameters
    if option == "page_checksum_verification"
}
# One way for every reader, that of the footer included, so that all see the same types.
# INT96 is read as bytes and decoded by us, see int96.py; this is for the types in the schema.
READER_OPTIONS: dict[str, Any] = {"coerce_int96_timestamp_unit": "us"}
# What pyarrow says, as a plain OSError, of what is sound and it cannot do.
_UNSUPPORTED = re.compile(
    "not (yet |currently )?(implemented|supported)|only supports|unsupported|not recognized"
    "|unknown encoding",
    re.IGNORECASE,
)
_ENCRYPTED = re.compile("decrypt", re.IGNORECASE)
_ADD_FILES = "let writers add new files instead of changing old ones, then run again"


class ParquetFileError(ValueError):
    """A Parquet file cannot be used; the message names the file, the cause and the remedy.

    Attributes:
        path: The file.
        found: What is wrong with it.
        remedy: What to do.
        kind: ``damaged``: another copy may be sound. ``unsupported``: sound as far as is known,
            but not for this library, or not for this version of pyarrow. ``memory``: nothing is
            wrong with it, memory has run out. ``changed``: it is not what the run had begun with.
            ``unreadable``: a disk or a connection failed. ``unusable``: anything else, such as a
            path that is not there.
    """

    def __init__(
        self,
        path: str,
        found: str | Message,
        remedy: str | Message,
        kind: ErrorKind = "unusable",
    ) -> None:
        """Composes the message ``Parquet file PATH: FOUND; REMEDY``."""
        super().__init__(Message(f"Parquet file {path}: ", found, "; ", remedy))
        self.path = path
        self.found = found
        self.remedy = remedy
        self.kind: ErrorKind = kind

    def __reduce__(
        self,
    ) -> tuple[type[ParquetFileError], tuple[str, str | Message, str | Message, ErrorKind]]:
        """Lets the error cross process boundaries whole."""
        return ParquetFileError, (self.path, self.found, self.remedy, self.kind)


@dataclass(frozen=True)
class RowGroup:
    """One row group: its number in the file, its rows and its uncompressed bytes."""

    index: int
    rows: int
    uncompressed_bytes: int


@dataclass(frozen=True)
class Footer:
    """What the footer of one file says.

    Attributes:
        path: The file.
        size: Bytes in the file.
        digest: 32 hexadecimal digits; of the whole file up to
            `WHOLE_FILE_FINGERPRINT_BYTES`, of size and footer above.
        schema: The Arrow schema of the file.
        row_groups: In file order.
        stamp: Of a local file, what notices that it was written to later in the run: its device,
            its number there, and the time of its last modification in nanoseconds.
        partitions: What the folders of the file say; see `with_partitions`, which adds their
            columns to `schema`. Default: nothing.
        in_path: Those of these columns that the file itself has not. Default: none.
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
        """Rows in the file."""
        return sum(group.rows for group in self.row_groups)


def find_files(pattern: str, files: Files) -> list[str]:
    """Lists the files that match a pattern, in the order in which they are read: by name.

    Files and folders whose names begin with ``_`` or ``.`` are passed over unless the pattern
    names them so; see `visible`.

    Args:
        pattern: A path with wildcards.
        files: The file system.

    Returns:
        At least one path.

    Raises:
        FileNotFoundError: nothing matches.
        IsADirectoryError: a folder does, and no file.
        LostRowsError: one of a numbered set (``-00001-of-00003``) is missing, or two are mixed.
    """
    matching = files.glob(pattern)
    paths = visible(matching, pattern)
    if paths:
        check_shards_of_pattern(paths, pattern)
        return paths
    if matching:
        raise FileNotFoundError(
            f"{pattern}: matches hidden files only ({matching[0]}); names that begin with _ or . "
            "mark what is not data: name them so in the pattern (input_config) to read them"
        )
    if files.is_dir(pattern):
        raise IsADirectoryError(
            f"{pattern}: expected Parquet files, found a folder; match what is in it: {pattern}/*"
        )
    raise FileNotFoundError(
        f"{pattern}: no file matches; check the folder (input_base) and the pattern "
        "(input_config): **/*.parquet matches files in folders of folders"
    )


def read_footer(path: str, files: Files) -> Footer:
    """Reads and checks the footer of one Parquet file.

    Args:
        path: The file.
        files: The file system it lies on.

    Returns:
        The footer, with the digest that `content_fingerprint` is made of.

    Raises:
        ParquetFileError: if the file cannot be opened, is empty, truncated, encrypted, not
            Parquet, or its footer cannot be decoded.
    """
    with OpenParquet(path, files) as opened:
        return opened.footer


class OpenParquet:
    """One Parquet file, open once: what is read from it is what its digest was made of.

    A file of up to `WHOLE_FILE_FINGERPRINT_BYTES` is read into memory at once, and decoded from
    there: whatever happens to the file meanwhile, the digest is that of what is decoded. Of a
    larger one the footer is kept and never read again, and `verify` compares the file with it
    after the last read. Use it as a context manager.

    Args:
        path: The file.
        files: The file system it lies on.

    Attributes:
        footer: What the footer says.

    Raises:
        ParquetFileError: see `read_footer`.

    Example:
        >>> import tempfile
        >>> from tfx_wine_ext.columnar.files import LocalFiles
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
            self._stamp = _stamp(self._stream)
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

    def reader(self) -> pq.ParquetFile:
        """Returns a reader of the rows, in which INT96 is 12 bytes; see `with_timestamps`."""
        source = self._stream if self._whole is None else pa.BufferReader(self._whole)
        return pq.ParquetFile(source, metadata=self._metadata, **_CHECK_PAGES)

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
                raise Int96Error(f"column {name!r}: {error}") from None
        return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)

    def footer_stream(self) -> BinaryIO:
        """Returns a file of the footer alone, for what looks at nothing else."""
        return io.BytesIO(self._footer_only)

    def check(self, digest: str, stamp: Stamp | None) -> None:
        """Makes sure that this is the file that was seen before, with this digest and stamp.

        Raises:
            ParquetFileError: it is not.
        """
        if self.footer.digest != digest or _rewritten(stamp, self._stamp):
            raise ParquetFileError(
                self._path, "it changed after the run had begun", _ADD_FILES, "changed"
            )

    def verify(self) -> None:
        """Makes sure, after the last read, that all that was read is of one content.

        A local file is asked through the handle that it was read with: size, footer, and time of
        modification. A handle on a remote file may answer from its buffer, so that a new one is
        asked for size and footer.

        Raises:
            ParquetFileError: the file is no longer the one that was opened.
        """
        if self._whole is not None:
            return
        if self._stamp is None:
            with _opened(self._path, self._files) as stream:
                size = stream.seek(0, 2)
                stream.seek(max(size - self._footer_bytes, 0))
                footer = stream.read(self._footer_bytes)
        else:
            # Past Python's buffer, which may still hold what was there before.
            descriptor = self._stream.fileno()
            size = os.fstat(descriptor).st_size
            footer = os.pread(descriptor, self._footer_bytes, max(size - self._footer_bytes, 0))
        if _digest(size, footer) != self.footer.digest:
            found = "it was overwritten while it was read"
        elif _stamp(self._stream) != self._stamp:
            found = "it was written to while it was read (its time of modification has changed)"
        else:
            return
        raise ParquetFileError(self._path, found, _ADD_FILES, "changed")


def _opened(path: str, files: Files) -> BinaryIO:
    try:
        if "://" not in path:
            check_regular_file(path)  # Not every file system's `open` looks.
        return files.open(path)
    except IrregularFileError as error:
        raise ParquetFileError(path, f"is {error.found}, no regular file", error.remedy) from error
    except Exception as error:
        raise ParquetFileError(
            path, f"cannot be opened ({error})", "check that it exists and may be read"
        ) from error


def _stamp(stream: BinaryIO) -> Stamp | None:
    """Returns device, number and time of modification of a local file; None of a remote one."""
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError):
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _rewritten(before: Stamp | None, now: Stamp | None) -> bool:
    """Tells whether two stamps are of one file that was written to in between."""
    return before is not None and now is not None and before[:2] == now[:2] and before != now


def _digest(size: int, content: bytes) -> str:
    digest = hashlib.sha256(struct.pack("<Q", size))
    digest.update(content)
    return digest.hexdigest()[:32]


def _decoded(
    path: str, footer_only: bytes
) -> tuple[pq.FileMetaData, pa.Schema, tuple[RowGroup, ...]]:
    """Decodes a footer; it is at the end of the bytes, with the length and the magic number."""
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
        raise _failure(
            path, "its footer cannot be decoded", error, "write the file again"
        ) from error


def _with_int96_as_bytes(path: str, metadata: bytes) -> pq.FileMetaData:
    try:
        edited = footer_of_bytes(metadata)
    except Exception as error:
        raise _failure(
            path, "its footer cannot be decoded", error, "write the file again"
        ) from error
    end = struct.pack("<I", len(edited)) + MAGIC
    return _decoded(path, MAGIC + edited + end)[0]


def thrift_limits(footer_bytes: int) -> dict[str, int]:
    """Returns options of pyarrow's for the metadata of a footer of this length.

    No list in it can have more elements, and no text more bytes, than it has bytes. So a very wide
    table is read, where pyarrow stops at a million elements, and a small file that claims to be one
    is not.
    """
    limit = min(footer_bytes, 2**31 - 1)
    return {"thrift_string_size_limit": limit, "thrift_container_size_limit": limit}


def _failure(
    path: str, what: str, error: Exception, remedy: str, column: str | None = None
) -> ParquetFileError:
    """Tells what an error means that came while a file was decoded.

    Args:
        path: The file.
        what: What could not be done, such as ``its footer cannot be decoded``.
        error: What was raised.
        remedy: What to do if the file is damaged.
        column: Where it was.
    """
    says = _one_line(error) if column is None else f"column {column!r}: {_one_line(error)}"
    if isinstance(error, MemoryError):
        return ParquetFileError(
            path,
            f"{what}: memory has run out ({says})",
            "give it more memory, or write the file with smaller row groups; the file may be "
            "sound, unless the number is absurd",
            "memory",
        )
    if safe_arrow.UNSAFE_TYPE in says:
        return ParquetFileError(
            path,
            f"it has a column of the type {safe_arrow.UNSAFE_TYPE}, which runs code that the file "
            "brings",
            "write it again without that type (with the storage type of the column)",
            "unsupported",
        )
    outside = type(error).__module__.partition(".")[0] not in ("builtins", "pyarrow")
    if outside or (isinstance(error, OSError) and (error.errno or type(error) is not OSError)):
        return ParquetFileError(
            path,
            f"it cannot be read ({says or type(error).__name__})",
            "check the disk or the connection, then run again",
            "unreadable",
        )
    if _ENCRYPTED.search(says):
        return ParquetFileError(
            path,
            f"{what}: it is encrypted ({says})",
            "decrypt it first, as keys are not supported, or leave the column out",
            "unsupported",
        )
    if isinstance(error, (NotImplementedError, pa.ArrowCapacityError)) or _UNSUPPORTED.search(says):
        return ParquetFileError(
            path,
            f"{what} by pyarrow {pa.__version__} ({says})",
            "if other readers take it, the file is sound: use a newer pyarrow, or have it written "
            "with types, encodings and compression that this one knows",
            "unsupported",
        )
    return ParquetFileError(path, f"{what} ({says})", remedy, "damaged")


def _one_line(error: Exception) -> str:
    """Returns what an error says, without the line breaks of Arrow's messages."""
    return " ".join(str(error).split())


def _whole_or_footer(path: str, stream: BinaryIO) -> tuple[int, bytes]:
    """Returns the size and the bytes that make the digest, after checking the ends of the file."""
    try:
        return _read_whole_or_footer(path, stream)
    except ParquetFileError:
        raise
    except Exception as error:
        raise _failure(
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
    """Returns the length of the footer with its end, as the last 8 bytes of the file claim it."""
    if size < 12:
        raise ParquetFileError(
            path,
            f"has {size} bytes, a Parquet file has at least 12",
            "it is empty or truncated: write or copy it again",
            "damaged",
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
            f"starts with {head!r}, a Parquet file with {MAGIC!r}",
            "it is another kind of file: narrow the pattern, or convert it",
        )
    if tail[4:] != MAGIC:
        raise ParquetFileError(
            path,
            f"ends with {tail[4:]!r}, a Parquet file with {MAGIC!r}",
            "it is truncated or still being written: write or copy it again",
            "damaged",
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
    """Reads many footers at once, in the order of `paths`.

    Args:
        paths: The files.
        files: The file system they lie on.

    Returns:
        One footer a file.

    Raises:
        ParquetFileError: of the first file, in the order of `paths`, that cannot be used, or that
            belongs to a Delta Lake, Iceberg, Hudi, Paimon or transactional Hive table.
    """
    table = managed_table_of(paths, files)
    if table is not None:
        article = "an" if table.format[0] in "AEIOU" else "a"
        raise ParquetFileError(
            table.path,
            f"belongs to {article} {table.format} table ({table.folder}), whose folder also holds "
            "rows that were deleted or replaced",
            f"read it with a reader of {table.format} tables (Spark, Trino, DuckDB, its own "
            "library), write the rows wanted to plain Parquet files outside of the table's folder, "
            "and name those",
            "unsupported",
        )
    with ThreadPoolExecutor(FOOTER_READERS) as pool:
        return list(pool.map(lambda path: read_footer(path, files), paths))


def content_fingerprint(footers: Sequence[Footer]) -> str:
    """Fingerprints the content of a list of files, in order.

    Neither names, folders nor times are part of it: files that were touched, copied or renamed
    keep their fingerprint as long as their order by name stays. The values of Hive partitions are
    content, so that they are part of it, where files have them. A changed file changes it:
    always up to `WHOLE_FILE_FINGERPRINT_BYTES`; above that whenever its size or its footer
    changes, which holds the position and size of every column chunk, the writer's version, and
    minimum, maximum and null count of every column in every row group. What it cannot notice
    is a change in a large file that keeps all of these: values swapped between two rows of one
    uncompressed column chunk, say.

    Args:
        footers: In the order in which the files are read.

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


def iter_row_groups(
    path: str,
    digest: str,
    row_groups: Sequence[int],
    schema: pa.Schema,
    batch_rows: int,
    files: Files,
    stamp: Stamp | None = None,
    partitions: Partitions = (),
) -> Generator[tuple[int, pa.RecordBatch], None, None]:
    """Yields row groups of one file as Arrow batches of at most `batch_rows` rows, in file order.

    Args:
        path: The file.
        digest: Of the footer that the work was planned from.
        row_groups: Numbers of the row groups to read.
        schema: Columns to read and their order; one that the file lacks is null, one of a
            narrower type is cast. A name stands for one column of the file.
        batch_rows: Rows in every batch but the last of a row group; fewer where they are so large
            on average, all columns taken alike, that a batch would have more than `BATCH_BYTES`.
        files: The file system of the file.
        stamp: Of the same footer. Default: None, only the digest is compared.
        partitions: Of the same footer: columns that have one value in all rows, that of the
            file's path. Where the file has the column too, each row is compared. Default: none.

    Yields:
        Number of the row group, and a batch of it; where a row group is cut depends on the
        file and `batch_rows` alone. Whoever takes all of them knows that they are of the file
        that `digest` is of: that is verified after the last one.

    Raises:
        ParquetFileError: if the file is no longer the one the footer was read from, a page
            cannot be decoded, or a value does not fit the type that its column is cast to.
    """
    with OpenParquet(path, files) as opened:
        opened.check(digest, stamp)
        parquet = opened.reader()
        in_file = set(parquet.schema_arrow.names)
        columns = [name for name in schema.names if name in in_file]
        for row_group in row_groups:
            rows = 0
            try:
                for batch in _batches(opened, parquet, row_group, columns, batch_rows):
                    rows += batch.num_rows
                    yield row_group, conform(path, batch, schema, dict(partitions))
                    del batch  # Before the next one is read.
                expected_rows = parquet.metadata.row_group(row_group).num_rows
                if rows != expected_rows:
                    raise ParquetFileError(
                        path,
                        f"row group {row_group} has {rows} rows, its footer says {expected_rows}",
                        "it is corrupt: write or copy it again",
                        "damaged",
                    )
            except ParquetFileError:
                opened.verify()  # An overwritten file is not a corrupt one.
                raise
        opened.verify()


def _batches(
    opened: OpenParquet,
    parquet: pq.ParquetFile,
    row_group: int,
    columns: Sequence[str],
    batch_rows: int,
) -> Iterator[pa.RecordBatch]:
    """Yields one row group as it is in the file."""
    group = parquet.metadata.row_group(row_group)
    share = min(len(columns) / max(len(parquet.schema_arrow), 1), 1.0)
    row_bytes = max(group.total_byte_size * share / max(group.num_rows, 1), 1)
    batch_rows = max(1, min(batch_rows, int(BATCH_BYTES / row_bytes)))
    options = {"batch_size": batch_rows, "row_groups": [row_group], "use_threads": False}
    try:
        for batch in parquet.iter_batches(columns=columns, **options):
            yield opened.with_timestamps(batch)
            del batch  # Before the next one is read.
    except Int96Error as error:
        raise ParquetFileError(
            opened.footer.path,
            f"row group {row_group}, {error}",
            "correct the value, or leave the column out",
        ) from error
    except Exception as error:
        failing = None if isinstance(error, MemoryError) else _failing(parquet, columns, options)
        raise _failure(
            opened.footer.path,
            f"row group {row_group} cannot be decoded",
            error,
            "it is corrupt: write or copy it again",
            failing,
        ) from error


def _failing(
    parquet: pq.ParquetFile, columns: Sequence[str], options: Mapping[str, Any]
) -> str | None:
    """Returns the first column that cannot be decoded by itself."""
    for name in columns:
        try:
            for _ in parquet.iter_batches(columns=[name], **options):
                pass
        except Exception:
            return name
    return None


def conform(
    path: str,
    batch: pa.RecordBatch,
    schema: pa.Schema,
    constants: Mapping[str, str | None] = MappingProxyType({}),
) -> pa.RecordBatch:
    """Brings a batch to a schema: columns in order, missing ones null, narrower ones cast.

    Args:
        path: The file, for errors.
        batch: What was read of it.
        schema: Whose columns of the same names are as wide as the batch's, or wider.
        constants: Columns of one value in all rows, as text; see `iter_row_groups`.

    Raises:
        ParquetFileError: a value does not fit the type that its column is cast to, or is another
            than the constant.
    """
    if (batch.schema.equals(schema) and not constants) or not schema.names:
        return batch
    arrays = []
    for column in schema:
        position = batch.schema.get_field_index(column.name)
        if position >= 0:
            array = batch.column(position)
            try:
                arrays.append(widened(array, column.type))
                if column.name in constants:
                    _check_partition(path, column.name, arrays[-1], constants[column.name])
            except InexactValueError as error:
                raise ParquetFileError(
                    path,
                    f"column {column.name!r} is {array.type}, and {error.value} cannot be read as "
                    f"{column.type}, the type that holds all files'",
                    Message(
                        "convert the column, or leave it out (",
                        Setting(Argument.EXCLUDE_COLUMNS),
                        ")",
                    ),
                ) from error
        else:
            value = partition_value(constants.get(column.name), column.type)
            arrays.append(value.take(pa.array(np.zeros(batch.num_rows, np.int8))))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _check_partition(path: str, column: str, array: pa.Array, text: str | None) -> None:
    """Makes sure that the rows of a file say what its path says."""
    values = unwrap(array)
    try:
        wanted = partition_value(text, values.type)
    except (pa.ArrowException, ArithmeticError, ValueError):
        found = f"is {array.type}"
    else:
        same = values.is_null() if text is None else pc.equal(values, wanted[0])
        position = pc.index(pc.fill_null(same, False), False).as_py()
        if position < 0:
            return
        found = f"holds {values[position]}"
    raise ParquetFileError(
        path,
        f"column {column!r} {found}, and the path says {NULL_PARTITION if text is None else text}",
        Message(
            "bring them together, leave the column out (",
            Setting(Argument.EXCLUDE_COLUMNS),
            "), or read only what is in the files (",
            Setting(Argument.HIVE_PARTITIONING, "False"),
            ")",
        ),
    )


def partition_value(text: str | None, type_: pa.DataType) -> pa.Array:
    """Returns the value of a partition as an array of one, null for None.

    Example:
        >>> partition_value("01", pa.int32()).to_pylist()
        [1]
    """
    if text is None:
        return pa.nulls(1, type_)
    return pa.array([parsed_value(text, type_)]).cast(type_)
