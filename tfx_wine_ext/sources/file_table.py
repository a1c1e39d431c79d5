"""Files that state their columns, as one table: what Parquet, ORC, Arrow, Avro and JSON share."""

from __future__ import annotations

import contextlib
import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType
from typing import BinaryIO, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.columnar.casts import parsed_value
from tfx_wine_ext.columnar.plan import leaves
from tfx_wine_ext.columnar.values import leaf_values, unwrap
from tfx_wine_ext.columnar.widening import InexactValueError, widened
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.footers import (
    FOOTER_READERS,
    Footer,
    RowGroup,
    decoding_error,
)
from tfx_wine_ext.sources.formats import Reading, every
from tfx_wine_ext.sources.layout import NULL_PARTITION
from tfx_wine_ext.sources.schemas import schema_difference, unified_schema, with_partitions
from tfx_wine_ext.sources.source import (
    BATCH_VALUES,
    DAMAGED,
    ContentDigest,
    NothingToHold,
    Part,
    TableFileError,
    all_blocks,
    batch_rows,
    limited,
    raw,
    unchanged,
)
from tfx_wine_ext.sources.stamps import FileState, Stamp, stamp_of

# Each column of a large file needs 1 MB and more for its pages and dictionary, for any batch size.
COLUMNS_A_PASS = 64
# A pass through a file reads about as much as this, so that opening it again does not count.
BYTES_A_PASS = 2**26

# What Arrow says of values that are unusual, but are what the file holds.
_STRANGE_VALUE = re.compile(
    "does not represent a whole number of days|is not within the acceptable range"
)

_Table = TypeVar("_Table", bound="FileTable")


class FileTable(NothingToHold):
    """Files of one table, each of which states its columns; the base of sources of such formats.

    A format is a subclass with two methods: `inspect` finds out what is known about a file before
    its rows are read, and `rows_of` reads rows of a file. Everything else is common: Hive
    partitions in paths, schemas that differ, structs as flat columns, parts, and fingerprints.

    Args:
        footers: What `inspect` returned of the files in reading order, at least one.
        reads: Whether a column is read. With `flat`, it is called for a field of a struct with the
            field's name and the names of the enclosing structs. Default: all are.
        unify: Merge schemas that differ: a column that a file lacks is null there, and numbers are
            widened. Default: False, which refuses them, because a missing column is more often an
            accident than an intention.
        flat: Replace structs by their fields, ``struct.field``, as features of examples are named
            (`plan_features`). Default: False.
        files: The file system of the files. Default: by their schemes.

    Attributes:
        kind: The name of the format.
        unit: What errors call a part of a file; "" if parts are whole files.
        whole: All columns of the files, whether they are read or not.
        schema: The columns that are read.
        structs: With `flat`, the columns that are structs, and the fields of each.
        part: The part to which the last batch belongs; None before the first one.
        by_columns: Whether a file is read faster if only some of its columns are read.

    Raises:
        TableFileError: Two columns of a file that are read have the same name.
        NoCommonTypeError: A column has types in two files for which there is no common type.
    """

    kind: str
    unit = ""
    error: type[TableFileError] = TableFileError
    names_are_complete = True
    by_columns = True

    def __init__(
        self,
        footers: Sequence[Footer],
        reads: Callable[..., bool] = every,
        *,
        unify: bool = False,
        flat: bool = False,
        files: Files | None = None,
    ) -> None:
        around: Mapping[str, Sequence[str]] = {}
        self._nested: Mapping[str, pa.Schema] | None = None
        if flat:
            self._nested = {footer.path: footer.schema for footer in footers}
            footers, around = _flattened(footers)
        # The places of the top-level columns that hold a column, in the last file that was read.
        self._places: tuple[pa.Schema, dict[str, list[int]]] = (pa.schema([]), {})
        structs: dict[str, list[str]] = {}
        for name, names in around.items():
            for struct in names:
                structs.setdefault(struct, []).append(name)
        self.structs: Mapping[str, Sequence[str]] = structs

        def reads_column(name: str) -> bool:
            return reads(name, *around.get(name, ()))

        for footer in footers:
            _check_names(footer, reads_column, self.error)
        self._files = files or FilesByScheme()
        self._footers = footers
        self._footer_of = {footer.path: footer for footer in footers}
        self.whole: pa.Schema = (
            unified_schema(footers, reads_column) if unify else footers[0].schema.remove_metadata()
        )
        self.schema: pa.Schema = pa.schema(
            [field for field in self.whole if reads_column(field.name)]
        )
        self._reads: Callable[[str], bool] = reads_column
        self._unify = unify
        self.position = 0
        self.part: Part | None = None

    @classmethod
    def open(cls: type[_Table], paths: Sequence[str], how: Reading) -> _Table:
        """Opens files; this is the function that a format registers.

        Args:
            paths: The files in reading order, at least one.
            how: How they are read.

        Raises:
            TableFileError: A file cannot be used.
        """
        footers = cls.inspected(paths, how.files)
        if how.root is not None:
            [footers] = with_partitions([footers], how.root, how.cast)
        return cls(footers, how.reads, unify=how.unify, flat=how.flat, files=how.files)

    @classmethod
    def inspected(cls, paths: Sequence[str], files: Files) -> Sequence[Footer]:
        """Inspects the files in parallel: on object stores latency dominates."""
        with ThreadPoolExecutor(FOOTER_READERS) as pool:
            return list(pool.map(lambda path: cls._inspected(path, files), paths))

    @classmethod
    def _inspected(cls, path: str, files: Files) -> Footer:
        with raw(path, files) as (stream, _), cls._decoding(path, "cannot be read"):
            stream.seek(0, 2)
            size, stamp = stream.tell(), stamp_of(stream)
            stream.seek(0)
            footer = cls.inspect(path, stream, size, stamp)
            assert footer.schema.names is not None  # Raises an error unless they are in UTF-8.
            return footer

    @classmethod
    def inspect(cls, path: str, stream: BinaryIO, size: int, stamp: Stamp | None) -> Footer:
        """Returns what is known about a file before its rows are read.

        Args:
            path: The file.
            stream: The open file, at its beginning.
            size: Its bytes.
            stamp: For the `Footer`.

        Raises:
            Exception: Any error of a decoder becomes a `TableFileError`.
        """
        raise NotImplementedError

    def rows_of(
        self, footer: Footer, columns: pa.Schema, rows: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Reads a file.

        Args:
            footer: What is known about the file; only its `row_groups` are wanted.
            columns: The columns to read, none of which need be in the file: see `conform`.
            rows: The most rows of a batch.

        Yields:
            The index of a row group and a batch of it with these columns, in the order of the file.
        """
        raise NotImplementedError

    @property
    def names(self) -> Sequence[str]:
        """All columns of the files, whether they are read or not, and the structs."""
        return [*self.whole.names, *self.structs]

    @property
    def paths(self) -> Sequence[str]:
        """The files in reading order."""
        return [footer.path for footer in self._footers]

    @property
    def rows(self) -> int | None:
        """The number of rows of all files; None if it is unknown before reading."""
        groups = [group.rows for footer in self._footers for group in footer.row_groups]
        return None if None in groups else sum(footer.rows for footer in self._footers)

    @property
    def size(self) -> int:
        """Total bytes of all files."""
        return sum(footer.size for footer in self._footers)

    def settle(self) -> None:
        """Does nothing: the schema is known."""

    def check(self) -> None:
        """Checks that the schemas of the files agree in the columns that are read.

        Raises:
            ValueError: They differ, and `unify` is False.
        """
        for footer in self._footers[1:] if not self._unify else ():
            _check_same(self._footers[0], footer, self._reads, self.error)

    def fingerprint(self) -> str:
        """Returns the fingerprint of all bytes of the files, and of the partitions in their paths.

        Raises:
            TableFileError: A file has changed since it was inspected.
        """
        digest = ContentDigest()
        for footer in self._footers:
            with self._opened(footer) as stream:
                digest.add(self.content_of(footer, stream), footer.partitions)
        return digest.fingerprint()

    def content_of(self, footer: Footer, stream: BinaryIO) -> Iterator[bytes]:
        """Yields the bytes of a file that are its content, for the fingerprint.

        Args:
            footer: What is known about the file.
            stream: The open file, at its beginning.
        """
        return all_blocks(stream)

    def parts(self, row_filter: RowFilter | None = None) -> Sequence[Part]:
        """Returns the row groups, in reading order; see `TableSource`."""
        return [
            self._part(footer, group)
            for footer in self._kept_files(row_filter)
            for group in self._kept_row_groups(footer, row_filter)
        ]

    def select(self: _Table, parts: Sequence[Part]) -> _Table:
        """Returns a source of these row groups only; see `TableSource`."""
        row_groups: dict[str, list[RowGroup]] = {}
        for part in parts:
            group = RowGroup(part.index, part.rows, part.size)
            row_groups.setdefault(part.path, []).append(group)
        selected = copy.copy(self)
        selected._reads = bool  # Checks are done, and a function may not be picklable.
        # One schema for all files, so that it is pickled once.
        selected._footers = [
            replace(self._footer_of[path], schema=self.schema, row_groups=tuple(groups))
            for path, groups in row_groups.items()
        ]
        selected._footer_of = {footer.path: footer for footer in selected._footers}
        if self._nested is not None:
            selected._nested = {path: self._nested[path] for path in selected.paths}
        return selected

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """Groups of columns that are read together, limited to bound memory."""
        fields = list(self.schema)
        width = self._columns_a_pass() if self.by_columns else max(len(fields), 1)
        starts = range(0, len(fields), width)
        return [pa.schema(fields[start : start + width]) for start in starts]

    def _columns_a_pass(self) -> int:
        """As many columns as of each file one batch of usual size holds, and some at least."""
        groups = [footer.row_groups for footer in self._footers]
        rows = [group.rows for file in groups for group in file]
        if None in rows:
            return COLUMNS_A_PASS
        most_rows = max((footer.rows for footer in self._footers), default=0)
        size = max((sum(group.uncompressed_bytes for group in file) for file in groups), default=0)
        by_rows = BATCH_VALUES // max(most_rows, 1)
        by_size = len(self.whole) * BYTES_A_PASS // max(size, 1)
        return max(COLUMNS_A_PASS, min(by_rows, by_size))

    def batches(
        self, columns: pa.Schema | None = None, rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; see `TableSource`.

        Args:
            columns: The columns to read. Default: all of `schema`.
            rows: The most rows of a batch. Default: as many as `batch_rows` recommends.

        Raises:
            TableFileError: A file cannot be decoded, or has changed meanwhile.
        """
        schema = self.schema if columns is None else columns
        done, total, size, read = 0, self.rows, self.size, 0
        self.position = 0
        for footer in self._footers:
            parts = {group.index: self._part(footer, group) for group in footer.row_groups}
            places = {index: place for place, index in enumerate(parts)}
            reading = self.rows_of(
                footer, self._columns_of(footer, schema), rows or batch_rows(len(schema))
            )
            # Closes the file even if reading ends early.
            with contextlib.closing(reading):  # type: ignore[type-var]
                for row_group, batch in reading:
                    done += batch.num_rows
                    self.position = (
                        size * done // max(total, 1)
                        if total is not None
                        else read + footer.size * places[row_group] // len(parts)
                    )
                    self.part = parts[row_group]
                    yield self._conformed(footer.path, batch, schema)
                    del batch
            read += footer.size
        self.position = size

    @contextlib.contextmanager
    def held_open(self) -> Iterator[None]:
        """Lets files stay open between calls of `batches`: opening a wide one takes a while."""
        yield

    @contextlib.contextmanager
    def _opened(self, footer: Footer) -> Iterator[BinaryIO]:
        """Opens a file that was inspected, and makes sure that it does not change meanwhile."""
        with raw(footer.path, self._files) as (stream, _), self._unchanged(footer, stream):
            yield stream

    @staticmethod
    def _unchanged(footer: Footer, stream: BinaryIO) -> contextlib.AbstractContextManager[None]:
        return unchanged(footer.path, FileState(footer.size, footer.stamp), stream)

    @staticmethod
    @contextlib.contextmanager
    def _decoding(path: str, what: str, **place: object) -> Iterator[None]:
        """Raises the errors of a decoder as a `TableFileError` that names the file and place."""
        try:
            yield
        except TableFileError:
            raise
        except Exception as error:
            known = decoding_error(path, what, error, DAMAGED, **place)
            raise TableFileError.of(known) from error

    def _columns_of(self, footer: Footer, schema: pa.Schema) -> pa.Schema:
        """Returns the columns of a file that a schema needs."""
        if self._nested is None:
            return schema
        columns = self._nested[footer.path]
        known, places = self._places
        if not columns.equals(known):
            places = {}
            for place, column in enumerate(columns):
                for path, _ in _leaves(column):
                    places.setdefault(".".join(path), []).append(place)
            self._places = columns, places
        wanted = {place for name in schema.names for place in places.get(name, ())}
        return pa.schema([columns.field(place) for place in sorted(wanted)])

    def _conformed(self, path: str, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """Converts a batch of `_columns_of` to a schema."""
        if self._nested is None:
            return batch
        if any(pa.types.is_struct(column.type) for column in batch.schema):
            batch = _flat_batch(batch)
        return conform(path, batch, schema)

    def _part(self, footer: Footer, group: RowGroup) -> Part:
        seed, size = self._seed(footer), group.uncompressed_bytes
        return Part(footer.path, group.index, self._unit(footer), seed, group.rows, size)

    def _unit(self, footer: Footer) -> str:
        return self.unit

    def _seed(self, footer: Footer) -> int:
        return footer.size

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
            columns[name] = pa.concat_arrays(
                [self._constant(footer, name) for footer in self._footers]
            )
        kept = row_filter.may_hold(pa.table(columns))
        return [footer for footer, is_kept in zip(self._footers, kept) if is_kept]

    def _constant(self, footer: Footer, name: str) -> pa.Array:
        """Returns the value of a partition column that a file lacks, as an array of length 1."""
        return partition_value(dict(footer.partitions)[name], self.whole.field(name).type)

    def _kept_row_groups(self, footer: Footer, row_filter: RowFilter | None) -> Sequence[RowGroup]:
        """Returns the row groups of a file that a filter does not exclude."""
        return footer.row_groups


def _check_names(footer: Footer, reads: Callable[[str], bool], error: type[TableFileError]) -> None:
    counts = Counter(footer.schema.names)
    repeated = [name for name in counts if counts[name] > 1 and reads(name)]
    if repeated:
        raise error.of(
            TableFileError(
                f"{', '.join(map(repr, repeated))} more than once",
                ("rename or drop one of them", Remedy(Option.EXCLUDE_COLUMNS, tuple(repeated))),
                path=footer.path,
                expected="every column once",
            )
        )


def _check_same(
    first: Footer, other: Footer, reads: Callable[[str], bool], error: type[TableFileError]
) -> None:
    difference = schema_difference(first.schema, other.schema, reads)
    if difference:
        remedies = (
            "bring the files to one schema",
            Remedy(Option.EXCLUDE_COLUMNS),
            Remedy(Option.UNIFY_SCHEMAS, True),
        )
        raise error.of(
            TableFileError(
                f"that {difference}",
                remedies,
                path=other.path,
                expected=f"the schema of the first file, {first.path}",
            )
        )


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


def check_values(batch: pa.RecordBatch) -> None:
    """Refuses a batch from a damaged file, which would end the process later, or mix up values.

    Raises:
        pa.ArrowInvalid: It has offsets or indices out of bounds, or text that is not in UTF-8.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        if not _STRANGE_VALUE.search(str(error)):
            raise


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
        TableFileError: a value does not fit the type to which its column is cast, or differs
            from the constant.
    """
    if not schema.names:
        return next(limited(batch, schema, None), batch)
    if batch.schema.equals(schema) and not constants:
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
                raise TableFileError(
                    f"{error.value} of type {array.type}",
                    ("convert the column", Remedy(Option.EXCLUDE_COLUMNS, (column.name,))),
                    path=path,
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
    raise TableFileError(
        found,
        (
            "make them agree",
            Remedy(Option.EXCLUDE_COLUMNS, (column,)),
            Remedy(Option.HIVE_PARTITIONING, False),
        ),
        path=path,
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
