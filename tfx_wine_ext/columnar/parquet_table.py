"""Parquet files as a table: footers first, then row group by row group."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from tfx_wine_ext.columnar.files import Files, LocalFiles
from tfx_wine_ext.columnar.parquet_source import (
    Footer,
    ParquetFileError,
    iter_row_groups,
    read_footers,
)
from tfx_wine_ext.columnar.schemas import NoCommonTypeError, unified_schema
from tfx_wine_ext.columnar.table_source import TableFileError, batch_rows
from tfx_wine_ext.columnar.wording import Message

# A batch has so many bytes, by what the rows of the file have on average.
BATCH_BYTES = 64 * 1024 * 1024
# A column that is being read takes its pages and its dictionary, 1 MB and more, whatever the batch.
COLUMNS_A_PASS = 64


class ParquetTable:
    """Parquet files, read a row group at a time and only the columns that are wanted.

    Where the files differ in a column's type, it is the one that holds all of them (int64 and
    float64 are float64); a column that a file lacks is null there.

    Args:
        paths: The files.
        reads: Whether a column is read.
        files: The file system that they lie on; None: the local one.

    Raises:
        TableFileError: A footer cannot be read, or a column that is read is twice in a file or of
            types that no type holds.

    Example:
        >>> import pyarrow.parquet as pq, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pq.write_table(pa.table({"x": [1, 2], "y": ["a", "b"]}), f"{folder}/a.parquet")
        ...     table = ParquetTable([f"{folder}/a.parquet"], lambda name: name == "x")
        ...     [batch.to_pydict() for batch in table.batches()]
        [{'x': [1, 2]}]
    """

    kind = "parquet"
    names_are_complete = True

    def __init__(
        self,
        paths: Sequence[str],
        reads: Callable[[str], bool],
        files: Files | None = None,
    ) -> None:
        self.paths = paths
        self.position = 0
        self._files = files or LocalFiles()
        try:
            self._footers = read_footers(paths, self._files)
            whole = unified_schema(self._footers, reads)
        except ParquetFileError as error:
            raise TableFileError(Message.of(error)) from error
        except NoCommonTypeError as error:
            raise TableFileError(
                f"{error.other_path}: column {error.column!r} is {error.other_type}, and "
                f"{error.type} in {error.path}; no type holds both: convert one of them, or leave "
                "the column out"
            ) from error
        for footer in self._footers:
            counts = Counter(footer.schema.names)
            twice = sorted(name for name in counts if counts[name] > 1)
            if any(map(reads, twice)):
                raise TableFileError(
                    f"Parquet file {footer.path}: expected every column once, found {twice} more "
                    "than once; rename or drop one of them"
                )
        self.names: Sequence[str] = whole.names
        self.schema: pa.Schema = pa.schema([field for field in whole if reads(field.name)])
        self.rows = sum(footer.rows for footer in self._footers)
        self.size = sum(footer.size for footer in self._footers)

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """So many columns at a time as take little memory."""
        fields = list(self.schema)
        starts = range(0, len(fields), COLUMNS_A_PASS)
        return [pa.schema(fields[start : start + COLUMNS_A_PASS]) for start in starts]

    def batches(self, columns: pa.Schema | None = None) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; see `TableSource`.

        Args:
            columns: Those that are read. Default: None, all of `schema`.

        Raises:
            TableFileError: A row group cannot be decoded, or a file has changed meanwhile.
        """
        schema = self.schema if columns is None else columns
        done = 0
        self.position = 0
        for footer in self._footers:
            groups = range(len(footer.row_groups))
            read = iter_row_groups(
                footer.path,
                footer.digest,
                groups,
                schema,
                min(batch_rows(len(schema)), _rows_of_bytes(footer, len(schema))),
                self._files,
                footer.stamp,
            )
            try:
                # Closed, and with it the file, also where the reading ends early.
                with contextlib.closing(read):
                    for _, batch in read:
                        done += batch.num_rows
                        self.position = self.size * done // self.rows
                        yield batch
                        del batch
            except ParquetFileError as error:
                raise TableFileError(Message.of(error)) from error


def _rows_of_bytes(footer: Footer, columns: int) -> int:
    """Returns how many rows have `BATCH_BYTES` in so many columns of a file; 1 or more.

    By the row group with the largest rows, as if all columns took the same.
    """
    size = max((g.uncompressed_bytes / max(g.rows, 1) for g in footer.row_groups), default=0)
    share = min(columns / max(len(footer.schema), 1), 1.0)
    return max(1, int(BATCH_BYTES / max(size * share, 1)))
