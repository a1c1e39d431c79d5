"""Parquet files as a table: reads footers first, then row group by row group."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from tfx_wine_ext.columnar.plan import leaves
from tfx_wine_ext.columnar.values import leaf_values
from tfx_wine_ext.files.local import Files, LocalFiles
from tfx_wine_ext.sources.parquet import (
    Footer,
    conform,
    iter_row_groups,
    read_footers,
)
from tfx_wine_ext.sources.schemas import unified_schema, with_partitions
from tfx_wine_ext.sources.source import TableFileError, batch_rows

# Each column that is read needs 1 MB and more for its pages and dictionary, for any batch size.
COLUMNS_A_PASS = 64


class ParquetTable:
    """Parquet files, of which selected columns are read one row group at a time.

    If a column's type differs between files, it gets the type that holds all of them (int64 and
    float64 become float64); a column that a file lacks is null there. Structs are flattened to
    their fields, ``struct.field``, as for features (`plan_features`).

    Args:
        paths: The files.
        reads: Whether a column is read. For a field of a struct it is called with the field's name
            and the names of the enclosing structs.
        files: The file system of the files; None: the local one.
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

    kind = "parquet"
    names_are_complete = True

    def __init__(
        self,
        paths: Sequence[str],
        reads: Callable[..., bool],
        files: Files | None = None,
        root: str | None = None,
    ) -> None:
        self.paths = paths
        self.position = 0
        self._files = files or LocalFiles()
        self._footers: Sequence[Footer] = read_footers(paths, self._files)
        if root is not None:
            [self._footers] = with_partitions([self._footers], root)
        flat, around = _flattened(self._footers)

        def reads_field(name: str) -> bool:
            return reads(name, *around.get(name, ()))

        whole = unified_schema(flat, reads_field)
        for footer in flat:
            counts = Counter(footer.schema.names)
            twice = sorted(name for name, count in counts.items() if count > 1)
            if any(map(reads_field, twice)):
                raise TableFileError(
                    f"{twice} more than once",
                    "rename or drop one of them",
                    path=footer.path,
                    expected="every column once",
                )
        structs: dict[str, list[str]] = {}
        for name, names in around.items():
            for struct in names:
                structs.setdefault(struct, []).append(name)
        self.structs: Mapping[str, Sequence[str]] = structs
        self.names: Sequence[str] = [*whole.names, *structs]
        self.schema: pa.Schema = pa.schema([field for field in whole if reads_field(field.name)])
        self.rows = sum(footer.rows for footer in self._footers)
        self.size = sum(footer.size for footer in self._footers)

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """Groups of columns that are read together, limited to bound memory."""
        fields = list(self.schema)
        starts = range(0, len(fields), COLUMNS_A_PASS)
        return [pa.schema(fields[start : start + COLUMNS_A_PASS]) for start in starts]

    def batches(self, columns: pa.Schema | None = None) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; see `TableSource`.

        Args:
            columns: The columns to read. Default: None, all of `schema`.

        Raises:
            TableFileError: A row group cannot be decoded, or a file has changed meanwhile.
        """
        schema = self.schema if columns is None else columns
        done = 0
        self.position = 0
        for footer in self._footers:
            columns_of_file, structs = _columns_of_file(footer.schema, schema.names)
            read = iter_row_groups(
                footer.path,
                footer.digest,
                range(len(footer.row_groups)),
                columns_of_file,
                batch_rows(len(schema)),
                self._files,
                footer.stamp,
                footer.partitions,
            )
            # Closes the file even if reading ends early.
            with contextlib.closing(read):
                for _, batch in read:
                    done += batch.num_rows
                    self.position = self.size * done // self.rows
                    flat = _flat_batch(batch) if structs else batch
                    yield conform(footer.path, flat, schema)
                    del batch, flat


def _flattened(footers: Sequence[Footer]) -> tuple[list[Footer], dict[str, list[str]]]:
    """Replaces structs by their fields.

    Returns:
        The footers with flat schemas, and for each field the names of the enclosing structs.
    """
    flat: list[Footer] = []
    around: dict[str, list[str]] = {}
    known: pa.Schema | None = None
    for footer in footers:
        if known is None or not footer.schema.equals(known):
            known = footer.schema
            fields = []
            for column in known:
                for path, type_ in leaves(column.type, (column.name,)):
                    fields.append((".".join(path), type_))
                    if len(path) > 1:
                        around[".".join(path)] = [".".join(path[:n]) for n in range(1, len(path))]
            schema = pa.schema(fields)
        flat.append(replace(footer, schema=schema))
    return flat, around


def _columns_of_file(schema: pa.Schema, wanted: Sequence[str]) -> tuple[pa.Schema, bool]:
    """Returns the file's columns with the wanted fields, and whether one of them is a struct."""
    names = set(wanted)
    columns, structs = [], False
    for column in schema:
        paths = [path for path, _ in leaves(column.type, (column.name,))]
        if not names.isdisjoint(map(".".join, paths)):
            columns.append(column)
            structs |= paths != [(column.name,)]
    return pa.schema(columns), structs


def _flat_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays, names = [], []
    for column, array in zip(batch.schema, batch.columns):
        for path, _ in leaves(column.type, (column.name,)):
            arrays.append(leaf_values(array, path[1:]))
            names.append(".".join(path))
    return pa.RecordBatch.from_arrays(arrays, names=names)
