"""The common interface and helpers of all readers of table files."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar, cast

import pyarrow as pa
from isal import igzip, igzip_lib

from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.stamps import FileState, state_of

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

# A parser's block of more bytes has a huge value.
LARGE_BLOCK_BYTES = 16 * 1024 * 1024

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_CODECS = {GZIP_MAGIC: "gzip", ZSTD_MAGIC: "zstd"}
# Extensions of packed files, which are ignored where names tell the format.
PACKED = (".gz", ".zst")
# The errors that reading a damaged packed file raises.
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)  # Its annotation is an instance.
GZIP_ERRORS = (EOFError, OSError, _ISAL_ERROR)


class TableFileError(TfxWineExtError, ValueError):
    """A file of a table cannot be used."""


DAMAGED = "it is truncated or corrupt: write or copy it again"
ADD_FILES = "let writers add new files instead of changing old ones, then run again"


_Itself = TypeVar("_Itself")


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
        """The name of the format, such as `parquet`."""

    @property
    def error(self) -> type[TableFileError]:
        """The class of errors about the files."""

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

    def settle(self) -> None:
        """Makes sure of the schema, if need be by reading all rows.

        Formats without a schema suggest types from their first rows, which is enough to compare
        tables. Afterwards `schema` and `names` are final, and `batches` never raises
        `SchemaChangedError`. Ingestion needs this: features are planned before rows are read.

        Raises:
            TableFileError: A file cannot be read.
        """

    def check(self) -> None:
        """Refuses files that cannot be read as one table.

        Raises:
            ValueError: The message names the files and columns.
        """

    def fingerprint(self) -> str:
        """Fingerprints the content: it changes if rows, columns or their order change, and only so.

        The names, folders and times of the files do not matter.

        Returns:
            Text; "" if the source cannot tell whether the content has changed.
        """

    def snapshot(self) -> contextlib.AbstractContextManager[TableSource]:
        """Holds one state of the table while its parts are read, by this and other processes.

        A database needs a transaction that stays open. Files need nothing: each is checked when it
        is read.

        Returns:
            A context, which yields the source whose parts have this state. Its schema and
            fingerprint are those of the state.

        Raises:
            TableFileError: The table cannot be used.
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


class NothingToHold:
    """The part of a `TableSource` that sources share whose parts are checked when they are read."""

    @contextlib.contextmanager
    def snapshot(self: _Itself) -> Iterator[_Itself]:
        """Yields this source; see `TableSource`."""
        yield self


class WholeFiles(NothingToHold):
    """The part of a `TableSource` that formats share whose smallest pieces are files."""

    paths: Sequence[str]
    part: Part | None = None
    error: type[TableFileError] = TableFileError
    # The files as they were found, by path, and the file system.
    _states: Mapping[str, FileState]
    _files: Files
    schema: pa.Schema

    @property
    def size(self) -> int:
        """Total bytes of all files."""
        return sum(self._states[path].size for path in self.paths)

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """One pass: rows are decoded completely."""
        return [self.schema]

    def settle(self) -> None:
        """Does nothing: the schema is known."""

    def check(self) -> None:
        """Files may have different columns: a column is null in a file that lacks it."""

    def fingerprint(self) -> str:
        """Returns ``files-v1:`` and 32 hexadecimal digits, computed from all bytes of the files.

        Raises:
            TableFileError: A file has changed since it was opened first.
        """
        digest = ContentDigest()
        for path in self.paths:
            with raw(path, self._files) as (stream, _), unchanged(path, self._states[path], stream):
                digest.add(all_blocks(stream))
        return digest.fingerprint()

    def parts(self, row_filter: RowFilter | None = None) -> Sequence[Part]:
        """Returns the files, in reading order; see `TableSource`."""
        return [self._part(path) for path in self.paths]

    def select(self: _Source, parts: Sequence[Part]) -> _Source:
        """Returns a source of these files only; see `TableSource`."""
        selected = copy.copy(self)
        selected.paths = [part.path for part in parts]
        return selected

    def _part(self, path: str) -> Part:
        size = self._states[path].size
        return Part(path, 0, "", size, None, size)


_Source = TypeVar("_Source", bound=WholeFiles)


def limited(
    batch: pa.RecordBatch, columns: pa.Schema | None, rows: int | None
) -> Iterator[pa.RecordBatch]:
    """Yields some columns of a batch, in batches of at most so many rows; see `TableSource`."""
    if columns is not None and batch.schema.names != columns.names:
        fields = [batch.schema.field(name) for name in columns.names]
        arrays = [batch.column(batch.schema.get_field_index(name)) for name in columns.names]
        batch = batch_of(fields, arrays, batch.num_rows)
    rows = rows or max(batch.num_rows, 1)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def batch_of(fields: Iterable[pa.Field], arrays: Sequence[pa.Array], rows: int) -> pa.RecordBatch:
    """Returns a batch of columns, of which there may be none: it keeps the number of rows.

    Example:
        >>> batch_of([], [], 3).num_rows
        3
    """
    # By way of a struct, which has its number of rows even without columns.
    struct = pa.Array.from_buffers(pa.struct(list(fields)), rows, [None], children=list(arrays))
    return pa.RecordBatch.from_struct_array(struct)


class ContentDigest:
    """The fingerprint of files in order, from all of their bytes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(
        self, blocks: Iterable[bytes], partitions: Iterable[tuple[str, str | None]] = ()
    ) -> None:
        """Adds a file.

        Args:
            blocks: Its content, in blocks of any size.
            partitions: The Hive partitions in its path, which are content. Default: none.
        """
        of_file = hashlib.sha256()
        for block in blocks:
            of_file.update(block)
        self._digest.update(of_file.digest())
        if partitions:
            self._digest.update(json.dumps(sorted(partitions)).encode())

    def fingerprint(self) -> str:
        """Returns ``files-v1:`` and 32 hexadecimal digits."""
        return f"files-v1:{self._digest.hexdigest()[:32]}"


def all_blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yields all bytes of a file."""
    while block := stream.read(BUFFER_BYTES):
        yield block


@contextlib.contextmanager
def opening(path: str) -> Iterator[None]:
    """Raises the errors of opening a file as a `TableFileError`."""
    try:
        yield
    except TfxWineExtError as error:
        raise TableFileError.of(error) from error
    except OSError as error:
        raise TableFileError(
            f"cannot be opened ({error.strerror or error})",
            "check that it exists and is readable",
            path=path,
        ) from error


@contextlib.contextmanager
def raw(
    path: str, files: Files | None = None, *, buffer_bytes: int = BUFFER_BYTES
) -> Iterator[tuple[BinaryIO, str | None]]:
    """Opens a file as it is.

    Args:
        path: The file.
        files: The file system of the file; None: by its scheme.
        buffer_bytes: Bytes that are requested at a time from an object store. Default: 8 MiB.

    Yields:
        The file, and the compression of its content by its first bytes: `gzip`, `zstd` or None.

    Raises:
        TableFileError: The file cannot be opened or read, or is an empty packed file by its name.
    """
    with opening(path):
        file = (files or FilesByScheme()).open(path)
        if isinstance(file, pa.NativeFile):  # Of an object store: each read would be a request.
            file = io.BufferedReader(file, buffer_bytes)
    with file:
        try:
            head = file.read(len(ZSTD_MAGIC))
        except OSError as error:
            raise TableFileError(
                f"cannot be read ({error.strerror or error})",
                "check the disk, and that this is a file of data",
                path=path,
            ) from error
        if not head and path.endswith(PACKED):
            zipped = path.endswith(".gz")
            raise TableFileError(
                "0 bytes",
                "its content is lost: write or copy it again",
                path=path,
                expected="a gzip file, which has 20 bytes even without content"
                if zipped
                else "a file packed by Zstandard, which has some bytes even without content",
            )
        file.seek(0)
        yield file, next((_CODECS[magic] for magic in _CODECS if head.startswith(magic)), None)


@contextlib.contextmanager
def opened(
    path: str, files: Files | None = None, *, buffer_bytes: int = BUFFER_BYTES
) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Opens a file that may be packed by gzip or Zstandard, regardless of its name.

    Args:
        path: The file.
        files: The file system of the file; None: by its scheme.
        buffer_bytes: See `raw`.

    Yields:
        The file, whose `tell` shows the progress, and the stream of its content.

    Raises:
        TableFileError: See `raw`.
    """
    with raw(path, files, buffer_bytes=buffer_bytes) as (file, codec):
        if codec == "gzip":
            unzipped: Any = igzip.open  # It has no annotations.
            with unzipped(file, "rb") as stream:
                yield file, stream
        elif codec == "zstd":
            with io.BufferedReader(_Zstandard(file), 1 << 20) as stream:
                yield file, cast(BinaryIO, stream)
        else:
            yield file, file


class _Zstandard(io.RawIOBase):
    """The content of a file packed by Zstandard, in one or more frames; seeks forward only."""

    def __init__(self, file: BinaryIO) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        target = offset + (self._position if whence == io.SEEK_CUR else 0)
        if whence == io.SEEK_END or target < self._position:
            raise io.UnsupportedOperation("a packed stream cannot go back")
        while self._position < target and (
            data := self._stream.read(min(target - self._position, 1 << 20))
        ):
            self._position += len(data)
        return self._position


def file_state(path: str, files: Files) -> FileState:
    """Returns a file as it is now.

    Raises:
        TableFileError: The file cannot be opened or read.
    """
    with raw(path, files) as (file, _):
        return state_of(file)


@contextlib.contextmanager
def unchanged(path: str, before: FileState, stream: BinaryIO) -> Iterator[None]:
    """Makes sure that a file is what it was, now and after it has been read.

    Args:
        path: The file, for errors.
        before: The file as it was found first.
        stream: The open file, without a codec between.

    Raises:
        TableFileError: It was written or replaced. This is also said where reading it failed, since
            this is then the cause.
    """

    def check() -> None:
        if before.is_other(state_of(stream)):
            found = "it changed after the run had begun"
            raise TableFileError(found, ADD_FILES, path=path)

    check()
    try:
        yield
    except Exception:
        check()
        raise
    check()


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


def pool_for(block_bytes: int) -> pa.MemoryPool | None:
    """Returns what allocates for blocks of so many bytes: for large ones the system.

    Arrow's own allocators keep freed memory for a while, which would be the size of a huge value.
    """
    return pa.system_memory_pool() if block_bytes > LARGE_BLOCK_BYTES else None


def one_line(error: BaseException) -> str:
    r"""Returns an error's message without line breaks, which Arrow's messages have.

    Example:
        >>> one_line(ValueError("no\n  way"))
        'no way'
    """
    return " ".join(str(error).split())
