"""Parquet files as a source of rows, read one row group at a time."""

from __future__ import annotations

import contextlib
import copy
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfx_wine_ext.columnar.arrow_types import temporal_unit
from tfx_wine_ext.columnar.casts import parsed_value
from tfx_wine_ext.columnar.plan import leaves
from tfx_wine_ext.columnar.values import leaf_values, unwrap
from tfx_wine_ext.columnar.widening import InexactValueError, widened
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.moved import moved_names
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.footers import (
    Footer,
    OpenParquet,
    ParquetFileError,
    RowGroup,
    Stamp,
    content_fingerprint,
    decoding_error,
    read_footers,
)
from tfx_wine_ext.sources.int96 import Int96Error
from tfx_wine_ext.sources.layout import NULL_PARTITION, Partitions
from tfx_wine_ext.sources.schemas import (
    schema_difference,
    unified_schema,
    with_partitions,
)
from tfx_wine_ext.sources.source import Part, batch_rows

# The size of a batch, estimated by the average row of its row group.
BATCH_BYTES = 64 * 1024 * 1024
# Each column that is read needs 1 MB and more for its pages and dictionary, for any batch size.
COLUMNS_A_PASS = 64


class ParquetSource:
    """Parquet files of one table, of which selected columns are read one row group at a time.

    Args:
        footers: The files in reading order, at least one; see `read_footers` and `with_partitions`.
        reads: Whether a top-level column is read. Default: all are.
        unify: Merge schemas that differ: a column that a file lacks is null there, and numbers are
            widened. Default: False, which refuses them, because a missing column is more often an
            accident than an intention.
        files: The file system of the files. Default: by their schemes.

    Attributes:
        whole: All columns of the files, whether they are read or not.
        schema: The columns that are read.
        part: The part to which the last batch belongs; None before the first one.

    Raises:
        ParquetFileError: Two columns of a file that are read have the same name.
        NoCommonTypeError: A column has types in two files for which there is no common type.
    """

    kind = "parquet"
    names_are_complete = True
    structs: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(
        self,
        footers: Sequence[Footer],
        reads: Callable[[str], bool] = lambda name: True,
        *,
        unify: bool = False,
        files: Files | None = None,
    ) -> None:
        for footer in footers:
            _check_names(footer, reads)
        self._files = files or FilesByScheme()
        self._footers = footers
        self._footer_of = {footer.path: footer for footer in footers}
        self.whole: pa.Schema = (
            unified_schema(footers, reads) if unify else footers[0].schema.remove_metadata()
        )
        self.schema: pa.Schema = pa.schema([field for field in self.whole if reads(field.name)])
        self._reads, self._unify = reads, unify
        self.position = 0
        self.part: Part | None = None

    @property
    def names(self) -> Sequence[str]:
        """All columns of the files, whether they are read or not."""
        return list(self.whole.names)

    @property
    def paths(self) -> Sequence[str]:
        """The files in reading order."""
        return [footer.path for footer in self._footers]

    @property
    def rows(self) -> int:
        """The number of rows of all files."""
        return sum(footer.rows for footer in self._footers)

    @property
    def size(self) -> int:
        """Total bytes of all files."""
        return sum(footer.size for footer in self._footers)

    def check(self) -> None:
        """Checks that the schemas of the files agree in the columns that are read.

        Raises:
            ValueError: They differ, and `unify` is False.
        """
        for footer in self._footers[1:] if not self._unify else ():
            _check_same(self._footers[0], footer, self._reads)

    def fingerprint(self) -> str:
        """Returns the fingerprint of the content; see `content_fingerprint`."""
        return content_fingerprint(self._footers)

    def parts(self, row_filter: RowFilter | None = None) -> Sequence[Part]:
        """Returns the row groups, in reading order; see `TableSource`."""
        return [
            _part(footer, group)
            for footer in self._kept_files(row_filter)
            for group in self._kept_row_groups(footer, row_filter)
        ]

    def select(self, parts: Sequence[Part]) -> ParquetSource:
        """Returns a source of these row groups only; see `TableSource`."""
        row_groups: dict[str, list[RowGroup]] = {}
        for part in parts:
            group = RowGroup(part.index, cast(int, part.rows), part.size)
            row_groups.setdefault(part.path, []).append(group)
        selected = copy.copy(self)
        selected._reads = bool  # Checks are done, and a function may not be picklable.
        # One schema for all files, so that it is pickled once.
        selected._footers = [
            replace(self._footer_of[path], schema=self.schema, row_groups=tuple(groups))
            for path, groups in row_groups.items()
        ]
        selected._footer_of = {footer.path: footer for footer in selected._footers}
        return selected

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """Groups of columns that are read together, limited to bound memory."""
        fields = list(self.schema)
        starts = range(0, len(fields), COLUMNS_A_PASS)
        return [pa.schema(fields[start : start + COLUMNS_A_PASS]) for start in starts]

    def batches(
        self, columns: pa.Schema | None = None, rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; see `TableSource`.

        Args:
            columns: The columns to read. Default: all of `schema`.
            rows: The most rows of a batch. Default: as many as `batch_rows` recommends.

        Raises:
            ParquetFileError: A row group cannot be decoded, or a file has changed meanwhile.
        """
        schema = self.schema if columns is None else columns
        done, total, size = 0, self.rows, self.size
        self.position = 0
        for footer in self._footers:
            parts = {group.index: _part(footer, group) for group in footer.row_groups}
            reading = iter_row_groups(
                footer.path,
                footer.digest,
                list(parts),
                self._columns_of(footer, schema),
                rows or batch_rows(len(schema)),
                self._files,
                footer.stamp,
                footer.partitions,
            )
            # Closes the file even if reading ends early.
            with contextlib.closing(reading):
                for row_group, batch in reading:
                    done += batch.num_rows
                    self.position = size * done // total
                    self.part = parts[row_group]
                    yield self._conformed(footer.path, batch, schema)
                    del batch

    def _columns_of(self, footer: Footer, schema: pa.Schema) -> pa.Schema:
        """Returns the columns of a file that a schema needs."""
        return schema

    def _conformed(self, path: str, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """Converts a batch of `_columns_of` to a schema."""
        return batch

    def _kept_files(self, row_filter: RowFilter | None) -> Sequence[Footer]:
        """Returns the files that a filter does not exclude by the partitions in their paths."""
        if row_filter is None:
            return self._footers
        # If a column is also in a file, its values there are filtered instead.
        in_path = (footer.in_path for footer in self._footers)
        names = set(row_filter.columns).intersection(*in_path)
        if not names:
            return self._footers
        columns = {}
        for name in sorted(names):
            texts = [dict(footer.partitions)[name] for footer in self._footers]
            columns[name] = pa.array(texts, pa.string()).cast(self.whole.field(name).type)
        kept = row_filter.may_hold(pa.table(columns))
        return [footer for footer, is_kept in zip(self._footers, kept) if is_kept]

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
        partitions = dict(footer.partitions)
        constants = {
            name: partition_value(partitions[name], self.whole.field(name).type)[0]
            for name in footer.in_path
        }
        with OpenParquet(footer.path, self._files) as opened:
            opened.check(footer.digest, footer.stamp)
            kept = row_filter.row_groups(opened.footer_stream(), self.whole, constants)
        return [group for group in footer.row_groups if group.index in kept]


def _part(footer: Footer, group: RowGroup) -> Part:
    seed = int(footer.digest[:8], 16)
    size = group.uncompressed_bytes
    return Part(footer.path, group.index, "row group", seed, group.rows, size)


def _check_names(footer: Footer, reads: Callable[[str], bool]) -> None:
    counts = Counter(footer.schema.names)
    repeated = [name for name in counts if counts[name] > 1 and reads(name)]
    if repeated:
        raise ParquetFileError(
            footer.path,
            f"{', '.join(map(repr, repeated))} more than once",
            ("rename or drop one of them", Remedy(Option.EXCLUDE_COLUMNS, tuple(repeated))),
            expected="every column once",
        )


def _check_same(first: Footer, other: Footer, reads: Callable[[str], bool]) -> None:
    difference = schema_difference(first.schema, other.schema, reads)
    if difference:
        remedies = (
            "bring the files to one schema",
            Remedy(Option.EXCLUDE_COLUMNS),
            Remedy(Option.UNIFY_SCHEMAS, True),
        )
        raise ParquetFileError(
            other.path,
            f"that {difference}",
            remedies,
            expected=f"the schema of the first file, {first.path}",
        )


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
        flat, around = _flattened(footers)
        super().__init__(
            flat, lambda name: reads(name, *around.get(name, ())), unify=True, files=files
        )
        self._nested = {footer.path: footer.schema for footer in footers}
        structs: dict[str, list[str]] = {}
        for name, names in around.items():
            for struct in names:
                structs.setdefault(struct, []).append(name)
        self.structs = structs

    @property
    def names(self) -> Sequence[str]:
        """All columns of the files, whether they are read or not, and the structs."""
        return [*super().names, *self.structs]

    def select(self, parts: Sequence[Part]) -> ParquetTable:
        """Returns a table of these row groups only; see `TableSource`."""
        selected = cast("ParquetTable", super().select(parts))
        selected._nested = {path: self._nested[path] for path in selected.paths}
        return selected

    def _columns_of(self, footer: Footer, schema: pa.Schema) -> pa.Schema:
        wanted = set(schema.names)
        return pa.schema(
            [
                column
                for column in self._nested[footer.path]
                if not wanted.isdisjoint(".".join(path) for path, _ in _leaves(column))
            ]
        )

    def _conformed(self, path: str, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        if any(pa.types.is_struct(column.type) for column in batch.schema):
            batch = _flat_batch(batch)
        return conform(path, batch, schema)


def _leaves(column: pa.Field) -> Sequence[tuple[tuple[str, ...], pa.DataType]]:
    """Returns the paths and types of a column's fields; its own if it is no struct."""
    return list(leaves(column.type, (column.name,)))


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
            for path, type_ in (leaf for column in known for leaf in _leaves(column)):
                fields.append((".".join(path), type_))
                if len(path) > 1:
                    around[".".join(path)] = [".".join(path[:n]) for n in range(1, len(path))]
            schema = pa.schema(fields)
        flat.append(replace(footer, schema=schema))
    return flat, around


def _flat_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays, names = [], []
    for column, array in zip(batch.schema, batch.columns):
        for path, _ in _leaves(column):
            arrays.append(leaf_values(array, path[1:]))
            names.append(".".join(path))
    return pa.RecordBatch.from_arrays(arrays, names=names)


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

    Yields:
        Index of the row group, and a batch of it. Batch boundaries depend only on the file and
        `batch_rows`. After the last batch the file is verified to still match `digest`.

    Raises:
        ParquetFileError: if the file changed since its footer was read, a page cannot be decoded,
            or a value does not fit the type to which its column is cast.
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
                        f"{rows} rows",
                        "it is corrupt: write or copy it again",
                        "damaged",
                        row=row_group,
                        unit="row group",
                        expected=f"{expected_rows} rows, as its footer says",
                    )
            except ParquetFileError:
                opened.verify()  # Reports an overwritten file as changed, not as corrupt.
                raise
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
    share = min(len(columns) / max(len(parquet.schema_arrow), 1), 1.0)
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


def conform(
    path: str,
    batch: pa.RecordBatch,
    schema: pa.Schema,
    constants: Mapping[str, str | None] = MappingProxyType({}),
) -> pa.RecordBatch:
    """Converts a batch to a schema: reorders columns, adds nulls, and widens types.

    Args:
        path: The file, for errors.
        batch: A batch of the file.
        schema: The target schema; its types are equal to the batch's or wider.
        constants: Columns with one value in all rows, as text; see `iter_row_groups`.

    Raises:
        ParquetFileError: a value does not fit the type to which its column is cast, or differs
            from the constant.
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
                    f"{error.value} of type {array.type}",
                    ("convert the column", Remedy(Option.EXCLUDE_COLUMNS, (column.name,))),
                    column=column.name,
                    expected=f"a value of {column.type}, the common type of all files",
                ) from error
        else:
            value = partition_value(constants.get(column.name), column.type)
            arrays.append(value.take(pa.array(np.zeros(batch.num_rows, np.int8))))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _check_partition(path: str, column: str, array: pa.Array, text: str | None) -> None:
    """Checks that a column of a file agrees with the partition in the file's path."""
    values = unwrap(array)
    try:
        wanted = partition_value(text, values.type)
    except (pa.ArrowException, ArithmeticError, ValueError):
        found = str(array.type)
    else:
        same = values.is_null() if text is None else pc.equal(values, wanted[0])
        position = pc.index(pc.fill_null(same, False), False).as_py()
        if position < 0:
            return
        found = str(values[position])
    raise ParquetFileError(
        path,
        found,
        (
            "make them agree",
            Remedy(Option.EXCLUDE_COLUMNS, (column,)),
            Remedy(Option.HIVE_PARTITIONING, False),
        ),
        column=column,
        expected=f"{NULL_PARTITION if text is None else text}, as the path says",
    )


def partition_value(text: str | None, type_: pa.DataType) -> pa.Array:
    """Returns the value of a partition as an array of length 1, null for None.

    Example:
        >>> partition_value("01", pa.int32()).to_pylist()
        [1]
    """
    if text is None:
        return pa.nulls(1, type_)
    return pa.array([parsed_value(text, type_)]).cast(type_)


if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)
