"""What all readers of table files have in common, whatever the format of the files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Protocol, cast

import pyarrow as pa
from isal import igzip, igzip_lib

from tfx_wine_ext.columnar.files import Files, IrregularFileError, LocalFiles

# Values in one batch: 4 MiB numbers of 8 bytes are 32 MB, whether a table is long or wide.
BATCH_VALUES = 4 * 1024 * 1024
MOST_BATCH_ROWS = 65_536
FEWEST_BATCH_ROWS = 256

GZIP_MAGIC = b"\x1f\x8b"
# What reading a damaged gzip file raises.
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)  # Its annotation is an instance.
GZIP_ERRORS = (EOFError, OSError, _ISAL_ERROR)


class TableFileError(ValueError):
    """A file of a table cannot be used; the message says which, where, why and what to do."""


class SchemaChangedError(Exception):
    """A column is not of the type that its first values had suggested.

    The source has meanwhile looked at all values and corrected its schema. Whoever reads throws
    away what the batches had given so far, and reads again from the start.
    """


class TableSource(Protocol):
    """A table that lies in one or more files of one format."""

    @property
    def kind(self) -> str:
        """`parquet`, `csv` or `tfrecord`."""

    @property
    def paths(self) -> Sequence[str]:
        """The files, in the order in which they are read."""

    @property
    def names(self) -> Sequence[str]:
        """All columns of the files, those that are not read too."""

    @property
    def structs(self) -> Mapping[str, Sequence[str]]:
        """The columns that are structs, and the features of each."""

    @property
    def names_are_complete(self) -> bool:
        """Whether `names` are known to be all.

        A record of a TFRecord file names its own features, so that there they are only when all
        records have been read.
        """

    @property
    def schema(self) -> pa.Schema:
        """The columns that are read, as far as they are known."""

    @property
    def rows(self) -> int | None:
        """Rows of all files; None where only reading them tells."""

    @property
    def size(self) -> int:
        """Bytes of all files, for a display of progress."""

    @property
    def position(self) -> int:
        """How many of these bytes the last call of `batches` has come past."""

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """The columns of `schema`, cut into what is best read together.

        One pass where the whole of each row has to be decoded anyway. Of a wide table in a format
        that lies by columns, some columns at a time take less memory, and hardly more time.
        """

    def batches(self, columns: pa.Schema | None = None) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order, in batches of the schema as it is then.

        Args:
            columns: One of `passes`. Default: None, all columns.

        Raises:
            SchemaChangedError: Read again from the start; see there.
            TableFileError: A file is truncated, corrupt, or not what its first rows promised.
        """


@contextlib.contextmanager
def opened(path: str, files: Files | None = None) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Opens a file that may be gzipped, in one or several members, whatever its name.

    Args:
        path: The file.
        files: The file system that it lies on; None: the local one.

    Yields:
        The file, whose `tell` shows the progress, and the stream of its content.

    Raises:
        TableFileError: The file cannot be opened or read, or is called ``.gz`` and has not one
            byte.
    """
    try:
        file = (files or LocalFiles()).open(path)
    except IrregularFileError as error:
        raise TableFileError(str(error)) from error
    except OSError as error:
        raise TableFileError(
            f"{path}: cannot be opened ({error.strerror or error}); check that it exists and may "
            "be read"
        ) from error
    with file:
        try:
            head = file.read(len(GZIP_MAGIC))
        except OSError as error:
            raise TableFileError(
                f"{path}: cannot be read ({error.strerror or error}); check the disk, and that "
                "this is a file of data"
            ) from error
        if not head and path.endswith(".gz"):
            raise TableFileError(
                f"{path}: expected a gzip file, which has 20 bytes even without content, found 0 "
                "bytes; its content is lost: write or copy it again"
            )
        zipped = head == GZIP_MAGIC
        file.seek(0)
        if zipped:
            unzipped: Any = igzip.open  # Which has no annotations.
            with unzipped(file, "rb") as stream:
                yield file, stream
        else:
            yield file, file


def damaged(path: str, error: BaseException) -> TableFileError:
    """Returns the error of a file that cannot be unpacked."""
    return TableFileError(
        f"{path}: cannot be unpacked ({one_line(error)}); it is truncated or corrupt: write or "
        "copy it again"
    )


def batch_rows(columns: int) -> int:
    """Returns how many rows a batch of so many columns has.

    Example:
        >>> batch_rows(12), batch_rows(1000)
        (65536, 4194)
    """
    return max(FEWEST_BATCH_ROWS, min(MOST_BATCH_ROWS, BATCH_VALUES // max(columns, 1)))


def one_line(error: BaseException) -> str:
    r"""Returns what an error says, without the line breaks that Arrow's messages have.

    Example:
        >>> one_line(ValueError("no\n  way"))
        'no way'
    """
    return " ".join(str(error).split())
