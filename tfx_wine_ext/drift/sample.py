"""A uniform sample of rows from any number of batches, merged in any order."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.drift.summaries import Counts, Floats, is_bytes, shortened, stored

# A table uses memory even without rows.
_MOST_PARTS = 64


class RowSample:
    """At most `size` rows, each with the same chance: those with the smallest random keys.

    The keys of a batch are drawn from `seed` and the content of the batch, so that the sample does
    not depend on the order of the batches or on the workers that add them (with one version of
    Arrow, since Arrow's bytes are hashed). Batches may have different columns: a missing column is
    null there.

    Args:
        size: The number of rows to keep.
        seed: The seed of the random keys; another seed gives another sample.
        ignore: The columns to leave out.

    Raises:
        ValueError: `size` is below 1.

    Example:
        >>> sample = RowSample(3)
        >>> sample.add(pa.table({"x": range(100)}))
        >>> sample.merge(RowSample(3)).table().num_rows, sample.rows
        (3, 100)
    """

    def __init__(self, size: int, seed: int = 1, ignore: Iterable[str] = ()) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, found {size}")
        self.size = size
        self.seed = seed
        self.ignore = frozenset(ignore)
        self._rows = 0
        self._parts: list[tuple[Floats, pa.Table]] = []
        self._largest = np.inf

    @property
    def rows(self) -> int:
        """Number of rows that were added, kept or not."""
        return self._rows

    def add(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Adds the rows of a batch."""
        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        table = table.select([name for name in table.schema.names if name not in self.ignore])
        table = _shortened(_stored(table))
        self._rows += table.num_rows
        checksum = 0
        for part in table.combine_chunks().to_batches():
            checksum = zlib.crc32(part.serialize(), checksum)
        keys = np.random.default_rng([self.seed, checksum, table.num_rows]).random(table.num_rows)
        self._keep(keys, table)

    def merge(self, other: RowSample) -> RowSample:
        """Adds the rows of another sample to this one, and returns this one.

        Raises:
            ValueError: The samples were made with different arguments.
        """
        for name in ("size", "seed", "ignore"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(
                    f"samples of one table must have the same {name}, found {mine} and {theirs}"
                )
        self._rows += other._rows
        for keys, table in other._parts:
            self._keep(keys, table)
        return self

    def table(self) -> pa.Table:
        """The rows of the sample, in the order of their keys, which is random."""
        self._compact()
        return self._parts[0][1] if self._parts else pa.table({})

    def _keep(self, keys: Floats, table: pa.Table) -> None:
        chosen = np.flatnonzero(keys < self._largest)
        if len(chosen):
            self._parts.append((keys[chosen], _taken(table, chosen)))
            kept = sum(len(keys) for keys, _ in self._parts)
            if kept >= 2 * self.size or len(self._parts) > _MOST_PARTS:
                self._compact()

    def _compact(self) -> None:
        if not self._parts:
            return
        keys = np.concatenate([keys for keys, _ in self._parts])
        order = np.argsort(keys, kind="stable")[: self.size]
        self._parts = [(keys[order], _taken(stacked([table for _, table in self._parts]), order))]
        if len(order) == self.size:
            self._largest = float(keys[order[-1]])


def _stored(table: pa.Table) -> pa.Table:
    columns = [stored(column) for column in table.columns]
    return pa.Table.from_arrays(columns, names=table.schema.names) if columns else table


def _shortened(table: pa.Table) -> pa.Table:
    """Shortens long strings and bytes, alone and in lists, and keeps their types."""
    for index, field in enumerate(table.schema):
        column, types = table.column(index), pa.types
        if is_bytes(field.type) and not types.is_fixed_size_binary(field.type):
            shorter = shortened(column)
        elif types.is_list(field.type) or types.is_large_list(field.type):
            shorter = _shortened_lists(column)
        else:
            continue
        if shorter is not column:
            table = table.set_column(index, field, shorter.cast(field.type))
    return table


def _shortened_lists(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type.value_type
    if not is_bytes(kind) or pa.types.is_fixed_size_binary(kind):
        return column
    values = pc.list_flatten(column)
    shorter = shortened(values)
    if shorter is values:
        return column
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    ends = np.concatenate([[0], np.cumsum(lengths)])
    # A list is null if its place begins with a null.
    absent = np.append(pc.is_null(column).to_numpy(), False)
    large = pa.types.is_large_list(column.type)
    offsets = pa.array(ends, pa.int64() if large else pa.int32(), mask=absent)
    whole = pa.concat_arrays(shorter.cast(kind).chunks)
    lists = pa.LargeListArray if large else pa.ListArray
    return pa.chunked_array([lists.from_arrays(offsets, whole)])


def _taken(table: pa.Table, rows: Counts) -> pa.Table:
    return table.take(pa.array(rows)).combine_chunks()


def stacked(tables: list[pa.Table]) -> pa.Table:
    """Concatenates tables; a column that one lacks, or has with Arrow's null type, is null there.

    Raises:
        ValueError: A column has different types.

    Example:
        >>> stacked([pa.table({"x": [1]}), pa.table({"y": ["a"]})]).to_pydict()
        {'x': [1, None], 'y': [None, 'a']}
    """
    types: dict[str, pa.DataType] = {}
    for table in tables:
        for field in table.schema:
            known = types.setdefault(field.name, field.type)
            if pa.types.is_null(known):
                types[field.name] = field.type
            elif not field.type.equals(known) and not pa.types.is_null(field.type):
                raise ValueError(
                    f"column {field.name!r} is of type {known} in one part and {field.type} in "
                    "another: cast it"
                )

    def column(table: pa.Table, name: str) -> pa.ChunkedArray | pa.Array:
        index = table.schema.get_field_index(name)
        if index < 0 or pa.types.is_null(table.schema.field(index).type):
            return pa.nulls(table.num_rows, types[name])
        return table.column(index)

    schema = pa.schema(list(types.items()))
    return pa.concat_tables(
        [pa.table([column(table, name) for name in types], schema=schema) for table in tables]
    )
