"""The common interface and helpers of all readers of table files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Protocol, cast

import pyarrow as pa
from isal import igzip, igzip_lib

from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.local import Files, IrregularFileError, LocalFiles

# Values in one batch: 4 Mi numbers of 8 bytes are 32 MiB, for any number of columns.
BATCH_VALUES = 4 * 1024 * 1024
MOST_BATCH_ROWS = 65_536
FEWEST_BATCH_ROWS = 256

GZIP_MAGIC = b"\x1f\x8b"
# The errors that reading a damaged gzip file raises.
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)  # Its annotation is an instance.
GZIP_ERRORS = (EOFError, OSError, _ISAL_ERROR)


class TableFileError(TfxWineExtError, ValueError):
    """A file of a table cannot be used."""


DAMAGED = "it is truncated or corrupt: write or copy it again"


class SchemaChangedError(Exception):
    """A column does not have the type that its first values suggested.

    The source has corrected its schema from all values. The reader must discard the batches read so
    far and read again from the start.
    """


class TableSource(Protocol):
    """A table in one or more files of one format."""

    @property
    def kind(self) -> str:
        """`parquet`, `csv` or `tfrecord`."""

    @property
    def paths(self) -> Sequence[str]:
        """The files in reading order."""

    @property
    def names(self) -> Sequence[str]:
        """All columns of the files, including those that are not read."""

    @property
    def structs(self) -> Mapping[str, Sequence[str]]:
        """The columns that are structs, and the features of each."""

    @property
    def names_are_complete(self) -> bool:
        """Whether `names` is known to be complete.

        Every record of a TFRecord file names its own features, so there `names` is complete only
        after all records have been read.
        """

    @property
    def schema(self) -> pa.Schema:
        """The columns that are read, as far as known."""

    @property
    def rows(self) -> int | None:
        """The number of rows of all files; None if it is unknown before reading."""

    @property
    def size(self) -> int:
        """Total bytes of all files, for progress."""

    @property
    def position(self) -> int:
        """How many of these bytes the last call of `batches` has processed."""

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """The columns of `schema`, in groups that are best read together.

        Row formats need one pass, since rows are decoded completely. For wide tables in columnar
        formats, reading a group of columns at a time takes less memory and hardly more time.
        """

    def batches(self, columns: pa.Schema | None = None) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order, in batches with the current schema.

        Args:
            columns: One of `passes`. Default: None, all columns.

        Raises:
            SchemaChangedError: The schema was corrected: read again from the start.
            TableFileError: A file is truncated, corrupt, or inconsistent.
        """


@contextlib.contextmanager
def opened(path: str, files: Files | None = None) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Opens a file that may be gzipped, in one or more members, regardless of its name.

    Args:
        path: The file.
        files: The file system of the file; None: the local one.

    Yields:
        The file, whose `tell` shows the progress, and the stream of its content.

    Raises:
        TableFileError: The file cannot be opened or read, or is an empty ``.gz`` file.
    """
    try:
        file = (files or LocalFiles()).open(path)
    except IrregularFileError as error:
        raise TableFileError.of(error) from error
    except OSError as error:
        raise TableFileError(
            f"cannot be opened ({error.strerror or error})",
            "check that it exists and is readable",
            path=path,
        ) from error
    with file:
        try:
            head = file.read(len(GZIP_MAGIC))
        except OSError as error:
            raise TableFileError(
                f"cannot be read ({error.strerror or error})",
                "check the disk, and that this is a file of data",
                path=path,
            ) from error
        if not head and path.endswith(".gz"):
            raise TableFileError(
                "0 bytes",
                "its content is lost: write or copy it again",
                path=path,
                expected="a gzip file, which has 20 bytes even without content",
            )
        zipped = head == GZIP_MAGIC
        file.seek(0)
        if zipped:
            unzipped: Any = igzip.open  # It has no annotations.
            with unzipped(file, "rb") as stream:
                yield file, stream
        else:
            yield file, file


def damaged(path: str, error: BaseException, **place: Any) -> TableFileError:
    """Returns the error for a file that cannot be unpacked, at a place in it if one is known."""
    found = f"cannot be unpacked ({one_line(error)})"
    return TableFileError(found, DAMAGED, path=path, **place)


def batch_rows(columns: int) -> int:
    """Returns the number of rows in a batch with a number of columns.

    Example:
        >>> batch_rows(12), batch_rows(1000)
        (65536, 4194)
    """
    return max(FEWEST_BATCH_ROWS, min(MOST_BATCH_ROWS, BATCH_VALUES // max(columns, 1)))


def one_line(error: BaseException) -> str:
    r"""Returns an error's message without line breaks, which Arrow's messages have.

    Example:
        >>> one_line(ValueError("no\n  way"))
        'no way'
    """
    return " ".join(str(error).split())
