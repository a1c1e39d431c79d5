"""Parquet files as a source of rows, read one row group at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tfx_wine_ext.columnar.arrow_types import temporal_unit
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.moved import moved_names
from tfx_wine_ext.sources.file_table import FileTable, conform
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.footers import (
    Footer,
    OpenParquet,
    ParquetFileError,
    RowGroup,
    content_fingerprint,
    decoding_error,
    read_footers,
)
from tfx_wine_ext.sources.int96 import Int96Error
from tfx_wine_ext.sources.layout import Partitions
from tfx_wine_ext.sources.schemas import with_partitions
from tfx_wine_ext.sources.source import TableFileError
from tfx_wine_ext.sources.stamps import Stamp

# The size of a batch, estimated by the average row of its row group.
BATCH_BYTES = 64 * 1024 * 1024
# Each open file needs a handle and its decoded footer.
_MOST_HELD = 16


class ParquetSource(FileTable):
    """Parquet files of one table, of which selected columns are read one row group at a time.

    Args:
        footers: The files in reading order, at least one; see `read_footers` and `with_partitions`.
        reads: Whether a top-level column is read. Default: all are.
        unify: Merge schemas that differ; see `FileTable`. Default: False.
        files: The file system of the files. Default: by their schemes.

    Raises:
        ParquetFileError: Two columns of a file that are read have the same name.
        NoCommonTypeError: A column has types in two files for which there is no common type.
    """

    kind = "parquet"
    unit = "row group"
    error = ParquetFileError
    _held: HeldParquet | None = None

    @classmethod
    def inspected(cls, paths: Sequence[str], files: Files) -> Sequence[Footer]:
        """Reads the footers of the files."""
        return read_footers(paths, files)

    def fingerprint(self) -> str:
        """Returns the fingerprint of the content; see `content_fingerprint`."""
        return content_fingerprint(self._footers)

    def rows_of(
        self, footer: Footer, columns: pa.Schema, rows: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Reads the row groups of a file; see `iter_row_groups`."""
        return self._read(footer, columns, rows, footer.partitions)

    def _read(
        self, footer: Footer, columns: pa.Schema, rows: int, partitions: Partitions = ()
    ) -> Generator[tuple[int, pa.RecordBatch], None, None]:
        """Reads columns of a file by their names in it, and adds its partitions."""
        return iter_row_groups(
            footer.path,
            footer.digest,
            [group.index for group in footer.row_groups],
            columns,
            rows,
            self._files,
            footer.stamp,
            partitions,
            self._held,
        )

    @contextlib.contextmanager
    def held_open(self) -> Iterator[None]:
        """Lets the first files stay open between calls of `batches`; each call verifies them."""
        with contextlib.ExitStack() as held:
            self._held = HeldParquet(held)
            try:
                yield
            finally:
                self._held = None

    def _seed(self, footer: Footer) -> int:
        return int(footer.digest[:8], 16)

    def _kept_row_groups(self, footer: Footer, row_filter: RowFilter | None) -> Sequence[RowGroup]:
        """Returns the row groups of a file that a filter does not exclude."""
        if row_filter is None:
            return footer.row_groups
        for name in row_filter.columns:
            position = footer.schema.get_field_index(name)
            if position < 0:
                return footer.row_groups  # The file lacks the column: no statistics here.
            wider = self.whole.field(name).type
            if footer.schema.field(position).type != wider and temporal_unit(wider) is not None:
                return footer.row_groups  # Arrow's cast of the statistics may wrap.
        if set(row_filter.columns) <= set(footer.in_path):
            return footer.row_groups  # `_kept_files` has checked all conditions.
        constants = {name: self._constant(footer, name)[0] for name in footer.in_path}
        with OpenParquet(footer.path, self._files) as opened:
            opened.check(footer.digest, footer.stamp)
            kept = row_filter.row_groups(opened.footer_stream(), self.whole, constants)
        return [group for group in footer.row_groups if group.index in kept]


class ParquetTable(ParquetSource):
    """Parquet files as a flat table: structs are replaced by their fields, ``struct.field``.

    Features of examples are named so, too (`plan_features`). If a column's type differs between
    files, it gets the type that holds all of them (int64 and float64 become float64); a column that
    a file lacks is null there.

    Args:
        paths: The files.
        reads: Whether a column is read. For a field of a struct it is called with the field's name
            and the names of the enclosing structs.
        files: The file system of the files; None: by their schemes.
        root: The folder below which folder names are Hive partitions; see `with_partitions`.
            Default: None, without partition columns.

    Raises:
        TableFileError: A footer cannot be read, a column that is read occurs twice in a file or
            has types without a common type, or the partitions of the files are inconsistent.

    Example:
        >>> import pyarrow.parquet as pq, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pq.write_table(pa.table({"x": [1, 2], "y": ["a", "b"]}), f"{folder}/a.parquet")
        ...     table = ParquetTable([f"{folder}/a.parquet"], lambda name: name == "x")
        ...     [batch.to_pydict() for batch in table.batches()]
        [{'x': [1, 2]}]
    """

    def __init__(
        self,
        paths: Sequence[str],
        reads: Callable[..., bool],
        files: Files | None = None,
        root: str | None = None,
    ) -> None:
        footers: Sequence[Footer] = read_footers(paths, files or FilesByScheme())
        if root is not None:
            [footers] = with_partitions([footers], root)
        super().__init__(footers, reads, unify=True, flat=True, files=files)


class HeldParquet:
    """Files that stay open from one reading to the next, up to a number of them.

    Args:
        stack: Closes them.
    """

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._opened: dict[str, OpenParquet] = {}

    def opened(self, path: str, files: Files) -> OpenParquet | None:
        """Returns the open file; None if as many are open as may be."""
        if path not in self._opened and len(self._opened) < _MOST_HELD:
            self._opened[path] = self._stack.enter_context(OpenParquet(path, files))
        return self._opened.get(path)


def iter_row_groups(
    path: str,
    digest: str,
    row_groups: Sequence[int],
    schema: pa.Schema,
    batch_rows: int,
    files: Files,
    stamp: Stamp | None = None,
    partitions: Partitions = (),
    held: HeldParquet | None = None,
) -> Generator[tuple[int, pa.RecordBatch], None, None]:
    """Yields row groups of one file as Arrow batches of at most `batch_rows` rows, in file order.

    Args:
        path: The file.
        digest: The digest of the footer from which the work was planned.
        row_groups: Indices of the row groups to read.
        schema: Columns to read, in order; a column that the file lacks is null, and a narrower type
            is cast. Names must be unique in the file.
        batch_rows: Rows in every batch but the last of a row group; fewer if a batch would exceed
            `BATCH_BYTES` by the average row size.
        files: The file system of the file.
        stamp: The stamp of the same footer. Default: None, only the digest is compared.
        partitions: The partitions of the same footer: columns whose only value is in the file's
            path. If the file also has the column, each row is compared. Default: none.
        held: Files that stay open for the next call. Default: None, the file is closed.

    Yields:
        Index of the row group, and a batch of it. Batch boundaries depend only on the file and
        `batch_rows`. After the last batch the file is verified to still match `digest`.

    Raises:
        ParquetFileError: if the file changed since its footer was read, a page cannot be decoded,
            or a value does not fit the type to which its column is cast.
    """
    with contextlib.ExitStack() as own:
        opened = held.opened(path, files) if held is not None else None
        opened = opened or own.enter_context(OpenParquet(path, files))
        opened.check(digest, stamp)
        parquet = opened.reader()
        columns = [name for name in schema.names if name in opened.names]
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
                        f"{rows} rows",
                        "it is corrupt: write or copy it again",
                        "damaged",
                        row=row_group,
                        unit="row group",
                        expected=f"{expected_rows} rows, as its footer says",
                    )
            except TableFileError as error:
                opened.verify()  # Reports an overwritten file as changed, not as corrupt.
                if isinstance(error, ParquetFileError):
                    raise
                raise ParquetFileError.of(error) from error
        opened.verify()


def _batches(
    opened: OpenParquet,
    parquet: pq.ParquetFile,
    row_group: int,
    columns: Sequence[str],
    batch_rows: int,
) -> Iterator[pa.RecordBatch]:
    """Yields the batches of one row group, with the columns and types of the file."""
    group = parquet.metadata.row_group(row_group)
    share = min(len(columns) / max(len(opened.footer.schema), 1), 1.0)
    row_bytes = max(group.total_byte_size * share / max(group.num_rows, 1), 1)
    batch_rows = max(1, min(batch_rows, int(BATCH_BYTES / row_bytes)))
    options = {"batch_size": batch_rows, "row_groups": [row_group], "use_threads": False}
    try:
        for batch in parquet.iter_batches(columns=columns, **options):
            yield opened.with_timestamps(batch)
            del batch  # Before the next one is read.
    except Int96Error as error:
        remedies = ("correct the value", Remedy(Option.EXCLUDE_COLUMNS, (error.column,)))
        raise ParquetFileError.of(
            error, path=opened.footer.path, row=row_group, unit="row group", remedies=remedies
        ) from error
    except Exception as error:
        failing = None if isinstance(error, MemoryError) else _failing(parquet, columns, options)
        raise decoding_error(
            opened.footer.path,
            "cannot be decoded",
            error,
            "it is corrupt: write or copy it again",
            column=failing,
            row=row_group,
            unit="row group",
        ) from error


def _failing(
    parquet: pq.ParquetFile, columns: Sequence[str], options: Mapping[str, Any]
) -> str | None:
    """Returns the first column that cannot be decoded on its own."""
    for name in columns:
        try:
            for _ in parquet.iter_batches(columns=[name], **options):
                pass
        except Exception:
            return name
    return None


if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)
