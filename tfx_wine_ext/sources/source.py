"""The common interface and helpers of all readers of table files."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar, cast

import pyarrow as pa
from isal import igzip, igzip_lib

from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.files.local import Files

if TYPE_CHECKING:
    from tfx_wine_ext.sources.filters import RowFilter

# Values in one batch: 4 Mi numbers of 8 bytes are 32 MiB, for any number of columns.
BATCH_VALUES = 4 * 1024 * 1024
MOST_BATCH_ROWS = 65_536
FEWEST_BATCH_ROWS = 256

# Bytes that are requested at a time from an object store.
BUFFER_BYTES = 8 * 1024 * 1024

# What Arrow's messages contain if a request to an object store has failed: the file is intact.
FAILED_REQUEST = "AWS Error"

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


@dataclass(frozen=True)
class Part:
    """One piece of a table, which can be read on its own.

    Attributes:
        path: The file.
        index: The number of the piece in the file.
        unit: What errors call it, with its index: ``row group``; "" for a whole file.
        seed: A number that depends on the content of the file, for shuffling.
        rows: Number of rows; None if it is unknown before reading.
        size: Bytes of the piece, as a measure of work.
    """

    path: str
    index: int
    unit: str
    seed: int
    rows: int | None
    size: int


class TableSource(Protocol):
    """A table in one or more files of one format.

    It answers four questions: what columns there are (`schema`), whether the content is still the
    same (`fingerprint`), how the table can be cut for workers (`parts`), and what the rows of some
    parts are (`select`, `batches`).
    """

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
    def whole(self) -> pa.Schema:
        """All columns of the files, including those that are not read, as far as known."""

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

    @property
    def part(self) -> Part | None:
        """The part to which the last batch belongs; None before the first one."""

    def check(self) -> None:
        """Refuses files that cannot be read as one table.

        Raises:
            ValueError: The message names the files and columns.
        """

    def fingerprint(self) -> str:
        """Fingerprints the content: it changes if rows, columns or their order change, and only so.

        The names, folders and times of the files do not matter.
        """

    def parts(self, row_filter: RowFilter | None = None) -> Sequence[Part]:
        """Returns the smallest pieces that can be read on their own, in reading order.

        Args:
            row_filter: Leaves out pieces that are known to have no matching row. Default: none.
        """

    def select(self, parts: Sequence[Part]) -> TableSource:
        """Returns a source that reads some parts only, and can be pickled for a worker.

        Args:
            parts: Some of `parts`.
        """

    def batches(
        self, columns: pa.Schema | None = None, rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order, in batches with the current schema.

        Args:
            columns: Some of the columns of `schema`, such as one of `passes`. Default: all.
            rows: The most rows of a batch. Default: what suits the format.

        Raises:
            SchemaChangedError: The schema was corrected: read again from the start.
            TableFileError: A file is truncated, corrupt, or inconsistent.
        """


class WholeFiles:
    """The part of a `TableSource` that formats share whose smallest pieces are files."""

    paths: Sequence[str]
    part: Part | None = None
    # Sizes of the files on disk, by path, and the file system.
    _sizes: Mapping[str, int]
    _files: Files
    schema: pa.Schema

    @property
    def size(self) -> int:
        """Total bytes of all files."""
        return sum(self._sizes[path] for path in self.paths)

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """One pass: rows are decoded completely."""
        return [self.schema]

    def check(self) -> None:
        """Files may have different columns: a column is null in a file that lacks it."""

    def fingerprint(self) -> str:
        """Returns ``files-v1:`` and 32 hexadecimal digits, computed from all bytes of the files."""
        digest = hashlib.sha256()
        for path in self.paths:
            of_file = hashlib.sha256()
            with self._files.open(path) as stream:
                while block := stream.read(BUFFER_BYTES):
                    of_file.update(block)
            digest.update(of_file.digest())
        return f"files-v1:{digest.hexdigest()[:32]}"

    def parts(self, row_filter: RowFilter | None = None) -> Sequence[Part]:
        """Returns the files, in reading order; see `TableSource`."""
        return [self._part(path) for path in self.paths]

    def select(self: _Source, parts: Sequence[Part]) -> _Source:
        """Returns a source of these files only; see `TableSource`."""
        selected = copy.copy(self)
        selected.paths = [part.path for part in parts]
        return selected

    def _part(self, path: str) -> Part:
        return Part(path, 0, "", self._sizes[path], None, self._sizes[path])


_Source = TypeVar("_Source", bound=WholeFiles)


def limited(
    batch: pa.RecordBatch, columns: pa.Schema | None, rows: int | None
) -> Iterator[pa.RecordBatch]:
    """Yields some columns of a batch, in batches of at most so many rows; see `TableSource`."""
    if columns is not None and batch.schema.names != columns.names:
        fields = [batch.schema.field(name) for name in columns.names]
        arrays = [batch.column(batch.schema.get_field_index(name)) for name in columns.names]
        # By way of a struct, which has its number of rows even without columns.
        struct = pa.Array.from_buffers(pa.struct(fields), batch.num_rows, [None], children=arrays)
        batch = pa.RecordBatch.from_struct_array(struct)
    rows = rows or max(batch.num_rows, 1)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


@contextlib.contextmanager
def opened(path: str, files: Files | None = None) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Opens a file that may be gzipped, in one or more members, regardless of its name.

    Args:
        path: The file.
        files: The file system of the file; None: by its scheme.

    Yields:
        The file, whose `tell` shows the progress, and the stream of its content.

    Raises:
        TableFileError: The file cannot be opened or read, or is an empty ``.gz`` file.
    """
    try:
        file = (files or FilesByScheme()).open(path)
        if isinstance(file, pa.NativeFile):  # Of an object store: each read would be a request.
            file = io.BufferedReader(file, BUFFER_BYTES)
    except TfxWineExtError as error:
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


def file_size(path: str, files: Files) -> int:
    """Returns the size of a file in bytes.

    Raises:
        TableFileError: The file cannot be opened or read.
    """
    with opened(path, files) as (file, _):
        file.seek(0, io.SEEK_END)
        return file.tell()  # TensorFlow's files return nothing from `seek`.


def damaged(path: str, error: BaseException, **place: Any) -> TableFileError:
    """Returns the error for a file that cannot be unpacked, at a place in it if one is known."""
    says = one_line(error)
    if FAILED_REQUEST in says:
        return TableFileError(f"cannot be read ({says})", "run again", path=path, **place)
    return TableFileError(f"cannot be unpacked ({says})", DAMAGED, path=path, **place)


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
