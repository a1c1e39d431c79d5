"""Parquet files as a table: footers first, then row group by row group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from tfx_wine_ext.columnar.files import Files, LocalFiles
from tfx_wine_ext.columnar.parquet_source import ParquetFileError, iter_row_groups, read_footers
from tfx_wine_ext.columnar.schemas import NoCommonTypeError, unified_schema
from tfx_wine_ext.columnar.table_source import TableFileError, batch_rows
from tfx_wine_ext.columnar.wording import Message

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
            twice = sorted({n for n in footer.schema.names if footer.schema.names.count(n) > 1})
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
                batch_rows(len(schema)),
                self._files,
            )
            try:
                for _, batch in read:
                    done += batch.num_rows
                    self.position = self.size * done // self.rows
                    yield batch
            except ParquetFileError as error:
                raise TableFileError(Message.of(error)) from error
