"""Parquet files as a source of Arrow batches: footers, fingerprints and row groups.

Everything that can be known without reading data is read from the footers first, so that a
file that cannot work is refused before any worker starts.
"""

from __future__ import annotations

import hashlib
import inspect
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tfx_wine_ext.columnar.files import Files, IrregularFileError
from tfx_wine_ext.columnar.wording import Argument, Message, Setting

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
# A file up to this size is fingerprinted by all of its bytes: one small read that leaves no
# change unnoticed. A larger one by its size and footer, so that a terabyte costs no more.
WHOLE_FILE_FINGERPRINT_BYTES = 8 * 1024 * 1024
# Footers are read by this many threads: on object stores the time is all latency.
FOOTER_READERS = 16
# Some writers put a checksum on every page; pyarrow looks at it from version 13 on.
_CHECK_PAGES = {
    option: True
    for option in inspect.signature(pq.ParquetFile).parameters
    if option == "page_checksum_verification"
}


class ParquetFileError(ValueError):
    """A Parquet file cannot be used; the message names the file, the cause and the remedy."""

    def __init__(self, path: str, found: str | Message, remedy: str | Message) -> None:
        """Composes the message ``Parquet file PATH: FOUND; REMEDY``."""
        super().__init__(Message(f"Parquet file {path}: ", found, "; ", remedy))
        self.path = path
        self.found = found
        self.remedy = remedy

    def __reduce__(
        self,
    ) -> tuple[type[ParquetFileError], tuple[str, str | Message, str | Message]]:
        """Lets the error cross process boundaries whole."""
        return ParquetFileError, (self.path, self.found, self.remedy)


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
    """

    path: str
    size: int
    digest: str
    schema: pa.Schema
    row_groups: tuple[RowGroup, ...]

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return sum(group.rows for group in self.row_groups)


def find_files(pattern: str, files: Files) -> list[str]:
    """Lists the files that match a pattern, in the order in which they are read: by name.

    Files whose names begin with ``_`` or ``.`` are passed over unless the pattern names them so:
    Spark, Hive and Arrow keep there what is not data (``_SUCCESS``, ``_metadata``, ``.x.crc``).

    Args:
        pattern: A path with wildcards.
        files: The file system.

    Returns:
        At least one path.

    Raises:
        FileNotFoundError: nothing matches.
        IsADirectoryError: a folder does, and no file.
    """
    paths = files.glob(pattern)
    if not is_hidden(pattern):
        paths = [path for path in paths if not is_hidden(path)]
    if paths:
        return paths
    if files.is_dir(pattern):
        raise IsADirectoryError(
            f"{pattern}: expected Parquet files, found a folder; match what is in it: {pattern}/*"
        )
    raise FileNotFoundError(
        f"{pattern}: no file matches; check the folder (input_base) and the pattern (input_config)"
    )


def is_hidden(path: str) -> bool:
    """Tells whether the last part of a path is a name that marks what is not data.

    Beam writes to a folder ``beam-temp-...`` first, and leaves it where it was stopped.

    Example:
        >>> is_hidden("data/_SUCCESS"), is_hidden("data/part-0.parquet")
        (True, False)
    """
    return path.rpartition("/")[2].startswith(("_", ".", "beam-temp-"))


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
    try:
        stream = files.open(path)
    except IrregularFileError as error:
        raise ParquetFileError(path, f"is {error.found}, no regular file", error.remedy) from error
    except Exception as error:
        raise ParquetFileError(
            path, f"cannot be opened ({error})", "check that it exists and may be read"
        ) from error
    with stream:
        size = stream.seek(0, 2)
        digest = hashlib.sha256(struct.pack("<Q", size))
        digest.update(_footer_or_whole_file(path, stream, size))
        try:
            stream.seek(0)
            parquet = pq.ParquetFile(stream)
            metadata, schema = parquet.metadata, parquet.schema_arrow
            row_groups = tuple(
                RowGroup(i, group.num_rows, group.total_byte_size)
                for i, group in ((i, metadata.row_group(i)) for i in range(metadata.num_row_groups))
            )
        except Exception as error:
            raise ParquetFileError(
                path, f"its footer cannot be decoded ({_one_line(error)})", "write the file again"
            ) from error
    return Footer(path, size, digest.hexdigest()[:32], schema, row_groups)


def _one_line(error: Exception) -> str:
    """Returns what an error says, without the line breaks of Arrow's messages."""
    return " ".join(str(error).split())


def _footer_or_whole_file(path: str, stream: BinaryIO, size: int) -> bytes:
    """Returns the bytes that make the digest, after checking the ends of the file."""
    if size < 12:
        raise ParquetFileError(
            path,
            f"has {size} bytes, a Parquet file has at least 12",
            "it is empty or truncated: write or copy it again",
        )
    stream.seek(0)
    head = stream.read(4)
    stream.seek(size - 8)
    tail = stream.read(8)
    if ENCRYPTED_MAGIC in (head, tail[4:]):
        raise ParquetFileError(
            path, "is encrypted (magic PARE)", "decrypt it first: keys are not supported"
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
        )
    footer_bytes = struct.unpack("<I", tail[:4])[0] + 8
    if footer_bytes > size - 4:
        raise ParquetFileError(
            path,
            f"its footer claims {footer_bytes} bytes of {size}",
            "it is truncated or corrupt: write or copy it again",
        )
    wanted = size if size <= WHOLE_FILE_FINGERPRINT_BYTES else footer_bytes
    stream.seek(size - wanted)
    return stream.read(wanted)


def read_footers(paths: Sequence[str], files: Files) -> list[Footer]:
    """Reads many footers at once, in the order of `paths`.

    Args:
        paths: The files.
        files: The file system they lie on.

    Returns:
        One footer a file.

    Raises:
        ParquetFileError: of the first file, in the order of `paths`, that cannot be used.
    """
    with ThreadPoolExecutor(FOOTER_READERS) as pool:
        return list(pool.map(lambda path: read_footer(path, files), paths))


def content_fingerprint(footers: Sequence[Footer]) -> str:
    """Fingerprints the content of a list of files, in order.

    Neither names, folders nor times are part of it: files that were touched, copied or renamed
    keep their fingerprint as long as their order by name stays. A changed file changes it:
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
    digest = hashlib.sha256("".join(f.digest for f in footers).encode())
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
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yields row groups of one file as Arrow batches of at most `batch_rows` rows, in file order.

    Args:
        path: The file.
        digest: Of the footer that the work was planned from.
        row_groups: Numbers of the row groups to read.
        schema: Columns to read and their order; one that the file lacks is null, one of a
            narrower type is cast. A name stands for one column of the file.
        batch_rows: Rows in every batch but the last of a row group.
        files: The file system of the file.

    Yields:
        Number of the row group, and a batch of it; where a row group is cut depends on the
        file and `batch_rows` alone.

    Raises:
        ParquetFileError: if the file is no longer the one the footer was read from, a page
            cannot be decoded, or a value does not fit the type that its column is cast to.
    """
    if read_footer(path, files).digest != digest:
        raise ParquetFileError(
            path,
            "it changed after the run had begun",
            "let writers add new files instead of changing old ones, then run again",
        )
    with files.open(path) as stream:
        parquet = pq.ParquetFile(stream, **_CHECK_PAGES)
        in_file = set(parquet.schema_arrow.names)
        columns = [name for name in schema.names if name in in_file]
        for row_group in row_groups:
            batches = parquet.iter_batches(
                batch_size=batch_rows,
                row_groups=[row_group],
                columns=columns,
                use_threads=False,
            )
            rows = 0
            while True:
                try:
                    batch = next(batches, None)
                except Exception as error:
                    raise ParquetFileError(
                        path,
                        f"row group {row_group} cannot be decoded ({_one_line(error)})",
                        "it is corrupt: write or copy it again",
                    ) from error
                if batch is None:
                    break
                rows += batch.num_rows
                yield row_group, _conform(path, batch, schema)
            expected_rows = parquet.metadata.row_group(row_group).num_rows
            if rows != expected_rows:
                raise ParquetFileError(
                    path,
                    f"row group {row_group} has {rows} rows, its footer says {expected_rows}",
                    "it is corrupt: write or copy it again",
                )


def _conform(path: str, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Brings a batch to a schema: columns in order, missing ones null, narrower ones cast."""
    if batch.schema.equals(schema) or not schema.names:
        return batch
    arrays = []
    for column in schema:
        position = batch.schema.get_field_index(column.name)
        if position < 0:
            arrays.append(pa.nulls(batch.num_rows, column.type))
        else:
            array = batch.column(position)
            try:
                arrays.append(array if array.type == column.type else array.cast(column.type))
            except pa.ArrowException as error:
                raise ParquetFileError(
                    path,
                    f"column {column.name!r} is {array.type}, with a value that cannot be read as "
                    f"{column.type}, the type that holds all files' ({_one_line(error)})",
                    Message(
                        "convert the column, or leave it out (",
                        Setting(Argument.EXCLUDE_COLUMNS),
                        ")",
                    ),
                ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
