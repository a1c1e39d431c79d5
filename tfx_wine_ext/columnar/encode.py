"""Encodes Arrow batches as serialised ``tf.train.Example`` records.

It processes some ten thousand rows at a time, in two passes over the features: the first computes
the size of every row's entry, the second writes the entries. No Python code runs per row. `wire`
has the layout.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tfx_wine_ext.columnar.arrow_types import Kind
from tfx_wine_ext.columnar.crc32c import Crcs, crc32c_of, crc32c_of_run
from tfx_wine_ext.columnar.plan import Feature, FeaturePlan
from tfx_wine_ext.columnar.values import ByteStrings, ColumnValues, EncodeError, read_values
from tfx_wine_ext.columnar.wire import (
    FIELD_1,
    FIELD_2,
    FIELD_3,
    MAX_MESSAGE_BYTES,
    Bytes,
    Group,
    Head,
    Ints,
    copy_runs,
    full_chunks,
    offsets_of,
    put_chunks,
    varint,
    varint_groups,
    varint_lengths,
)
from tfx_wine_ext.errors import Option, Remedy

# Rows that are encoded at a time, so that memory does not grow with the batch. Measured on tables
# of 12 columns: with half as many rows, calls into numpy make it a fifth slower.
SUB_BATCH_ROWS = 32_768

# Records that are cut at a time: their objects stay in the processor's cache.
CUT_ROWS = 512
# Records of more bytes together are hashed where they are.
LARGE_DATA_BYTES = 16 * 1024 * 1024

LIST_TAG = {"bytes_list": FIELD_1, "float_list": FIELD_2, "int64_list": FIELD_3}
EXAMPLE = Head(FIELD_1)  # Example.features
BYTES_VALUE = Head(FIELD_1)  # BytesList.value
FLOAT_BYTES = 4


@dataclass(frozen=True)
class EncodedExamples:
    """Serialised records, one after the other.

    Attributes:
        data: uint8[total], the records without gaps.
        offsets: int64[n + 1]: record i is ``data[offsets[i]:offsets[i + 1]]``.
    """

    data: Bytes
    offsets: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def records(self) -> list[bytes]:
        """The records as a list of bytes."""
        blob = self.data.tobytes()
        ends = self.offsets.tolist()
        return [blob[start:end] for start, end in zip(ends, ends[1:])]

    @cached_property
    def hashes(self) -> tuple[bytes, Crcs]:
        """The sha256 digests, one after the other, and the CRC-32Cs: a record is cut for both."""
        sha256 = hashlib.sha256
        digests, crcs = [], np.empty(len(self), np.uint32)
        for first in range(0, len(self), CUT_ROWS):
            ends = self.offsets[first : first + CUT_ROWS + 1]
            data, ends = self.data[ends[0] : ends[-1]], (ends - ends[0]).tolist()
            is_large = len(data) > LARGE_DATA_BYTES
            blob: Any = data.data if is_large else data.tobytes()
            crc32c = crc32c_of_run if is_large else google_crc32c.value
            records = [blob[start:end] for start, end in zip(ends, ends[1:])]
            digests += [sha256(record).digest() for record in records]
            crcs[first : first + CUT_ROWS] = [crc32c(record) for record in records]
        return b"".join(digests), crcs

    @cached_property
    def crcs(self) -> Crcs:
        """uint32[n]: the CRC-32C of each record."""
        if "hashes" in self.__dict__:
            return self.hashes[1]
        return crc32c_of(self.data, self.offsets[:-1], np.diff(self.offsets))


def encode_examples(batch: pa.RecordBatch, plan: FeaturePlan) -> EncodedExamples:
    """Serialises each row of a batch as a ``tf.train.Example``.

    Args:
        batch: a batch with the planned columns and types; other columns are ignored. Any number of
            rows; slices are allowed.
        plan: the features to make, from `plan_features`.

    Returns:
        The records: for each row the bytes of ``Example.SerializeToString(deterministic=True)``,
        with entries ordered by feature name and packed numbers. A null is an empty Feature, which
        TFX also writes and readers treat as missing.

    Raises:
        EncodeError: a value does not fit its feature (out of range, null inside a list); names
            column and row.
        ValueError: the batch lacks a planned column or has it with another type.

    Example:
        >>> from tfx_wine_ext.columnar.plan import plan_features
        >>> batch = pa.RecordBatch.from_pydict({"a": [1, None]})
        >>> encoded = encode_examples(batch, plan_features(batch.schema))
        >>> [record.hex() for record in encoded.records]
        ['0a0c0a0a0a016112051a030a0101', '0a070a050a01611200']
    """
    shapes = [
        _entry_shape(feature.name, feature.kind, feature.is_list) for feature in plan.features
    ]
    return _encode(batch, plan, plan.features, shapes, EXAMPLE)


def encode_feature(batch: pa.RecordBatch, plan: FeaturePlan, name: str) -> EncodedExamples:
    """Serialises one feature of each row as a ``tf.train.Feature``, without its name.

    Args:
        batch: as for `encode_examples`.
        plan: the plan.
        name: name of a feature of the plan.

    Returns:
        The bytes of ``Feature.SerializeToString(deterministic=True)`` for each row; empty for rows
        without the feature.

    Raises:
        EncodeError: as for `encode_examples`.
        ValueError: as for `encode_examples`.
        KeyError: the plan has no feature of this name.
    """
    feature = plan.feature(name)
    return _encode(batch, plan, (feature,), [_Shape(feature.kind, feature.is_list, ())], None)


def _encode(
    batch: pa.RecordBatch,
    plan: FeaturePlan,
    features: tuple[Feature, ...],
    shapes: list[_Shape],
    head: Head | None,
) -> EncodedExamples:
    _check_columns(batch, plan, features)
    parts: list[EncodedExamples] = []
    for first_row in range(0, batch.num_rows, SUB_BATCH_ROWS):
        rows = batch.slice(first_row, SUB_BATCH_ROWS)
        columns = (read_values(rows, feature, plan.options, first_row) for feature in features)
        entries: list[_Entries] = []
        for alike, run in itertools.groupby(zip(columns, shapes), lambda pair: _is_float(pair[0])):
            if alike:
                entries.append(_float_entries(list(run), rows.num_rows))
            else:
                entries += [_entries(column, shape, rows.num_rows) for column, shape in run]
        parts.append(_assemble(entries, rows.num_rows, head, first_row))
    if len(parts) == 1:
        return parts[0]
    lengths = [np.diff(part.offsets) for part in parts]
    return EncodedExamples(
        data=np.concatenate([np.empty(0, np.uint8), *(part.data for part in parts)]),
        offsets=offsets_of(np.concatenate([np.empty(0, np.int64), *lengths])),
    )


def _check_columns(batch: pa.RecordBatch, plan: FeaturePlan, features: tuple[Feature, ...]) -> None:
    for name in {feature.path[0] for feature in features}:
        index = batch.schema.get_field_index(name)
        if index < 0:
            count = batch.schema.names.count(name)
            raise ValueError(
                f"the plan reads column {name!r}, of which the batch has {count}; its columns are "
                f"{tuple(batch.schema.names)!r}"
            )
        type_, planned = batch.schema.field(index).type, plan.column_types[name]
        if type_ != planned:
            raise ValueError(
                f"column {name!r} is of type {type_}, but planned as {planned}: make the plan from "
                "the schema of the batches, or cast them to the planned one"
            )


class _Shape:
    """The constant parts of one feature's entries.

    Attributes:
        values: head of an entry around a payload of values.
        missing: the entry of a row without the feature.
        empty: the entry of a row that has the feature without values.
    """

    def __init__(self, kind: Kind, is_list: bool, around: tuple[bytes, ...]) -> None:
        tag = LIST_TAG[kind]
        # The values of a list of byte strings bring their own heads.
        box = () if kind == "bytes_list" and is_list else (FIELD_1,)
        self.values = Head(*around, tag, *box)
        self.missing = Head(*around)(0)
        self.empty = Head(*around, tag)(0)


@lru_cache(maxsize=4096)
def _entry_shape(name: str, kind: Kind, is_list: bool) -> _Shape:
    key = name.encode()
    return _Shape(kind, is_list, (FIELD_1, FIELD_1 + varint(len(key)) + key + FIELD_2))


class _Entries:
    """The entries of one feature in n rows: their lengths, and the pieces they consist of.

    Attributes:
        lengths: int64[n].
    """

    def __init__(self, count: int) -> None:
        self.lengths: Ints = np.zeros(count, np.int64)
        self._chunks: list[Group] = []
        self._runs: list[tuple[Ints | None, Ints, ByteStrings]] = []

    def add_chunks(self, rows: Ints | None, chunks: Any) -> None:
        """Adds pieces of one width, at the start of the rows' entries."""
        self._chunks.append(Group(rows, chunks))

    def add_runs(self, rows: Ints | None, skip: Ints, runs: ByteStrings) -> None:
        """Adds pieces of any length, ``skip`` bytes after the start of the rows' entries."""
        self._runs.append((rows, skip, runs))

    def write(self, out: Bytes, starts: Ints) -> None:
        """Writes the entry of row i to ``out`` from ``starts[i]`` on."""
        for rows, chunks in self._chunks:
            put_chunks(out, starts if rows is None else starts[rows], chunks)
        for rows, skip, runs in self._runs:
            to = (starts if rows is None else starts[rows]) + skip
            copy_runs(out, to, runs.data, runs.starts, runs.lengths)


def _is_float(column: ColumnValues) -> bool:
    """Tells whether each row has exactly one float: entries that are equally wide."""
    one = column.present is None and column.counts is None
    return one and not isinstance(column.values, ByteStrings) and column.values.dtype == np.float32


def _float_entries(columns: list[tuple[ColumnValues, _Shape]], count: int) -> _Entries:
    """Returns the adjacent entries of several features of one float, written as one piece."""
    entries, template, offsets = _Entries(count), b"", []
    for _, shape in columns:
        front = shape.values(FLOAT_BYTES)
        offsets.append(len(template) + len(front))
        template += front + bytes(FLOAT_BYTES)
    chunks, matrix = full_chunks(template, count)
    for (column, _), offset in zip(columns, offsets):
        np.ndarray(count, "<f4", matrix.data, offset, matrix.strides[:1])[:] = column.values
    entries.lengths[:] = len(template)
    entries.add_chunks(None, chunks)
    return entries


def _entries(column: ColumnValues, shape: _Shape, count: int) -> _Entries:
    entries = _Entries(count)
    present, counts = column.present, column.counts
    if present is not None:
        missing = np.flatnonzero(~present)
        entries.lengths[missing] = len(shape.missing)
        if shape.missing:
            entries.add_chunks(missing, np.void(shape.missing))
    rows: Ints | None  # those with at least one value
    if counts is None:
        rows = None if present is None else np.flatnonzero(present)
        _add_values(entries, shape.values, rows, _pick(column.values, rows))
        return entries
    if counts.all():
        rows = None
    else:
        rows = np.flatnonzero(counts)
        empty = np.flatnonzero(counts == 0 if present is None else (counts == 0) & present)
        entries.lengths[empty] = len(shape.empty)
        entries.add_chunks(empty, np.void(shape.empty))
    payload = _payload(column.values, counts if rows is None else counts[rows])
    _add_payload(entries, shape.values, rows, payload)
    return entries


def _pick(
    values: Ints | npt.NDArray[np.float32] | ByteStrings, rows: Ints | None
) -> Ints | npt.NDArray[np.float32] | ByteStrings:
    if rows is None:
        return values
    if isinstance(values, ByteStrings):
        return ByteStrings(values.data, values.starts[rows], values.lengths[rows])
    return values[rows]


def _add_values(
    entries: _Entries,
    head: Head,
    rows: Ints | None,
    values: Ints | npt.NDArray[np.float32] | ByteStrings,
) -> None:
    """Adds entries of one value each: head and number are written as one piece."""
    where: Any = slice(None) if rows is None else rows
    if isinstance(values, ByteStrings):
        _add_payload(entries, head, rows, values)
    elif values.dtype == np.float32:
        front = head(FLOAT_BYTES)
        chunks, _ = full_chunks(front + bytes(FLOAT_BYTES), len(values))
        chunks.view([("front", f"V{len(front)}"), ("value", "<f4")])["value"] = values
        entries.lengths[where] = chunks.dtype.itemsize
        entries.add_chunks(rows, chunks)
    else:
        for group in varint_groups(values.view(np.uint64), head):
            chosen = _compose(rows, group.rows)
            entries.lengths[slice(None) if chosen is None else chosen] = group.chunks.dtype.itemsize
            entries.add_chunks(chosen, group.chunks)


def _add_payload(entries: _Entries, head: Head, rows: Ints | None, payload: ByteStrings) -> None:
    """Adds entries of a head and a payload that lies in a buffer."""
    heads = head.lengths(payload.lengths)
    entries.lengths[slice(None) if rows is None else rows] = heads + payload.lengths
    for group in head.groups(payload.lengths):
        entries.add_chunks(_compose(rows, group.rows), group.chunks)
    entries.add_runs(rows, heads, payload)


def _compose(rows: Ints | None, chosen: Ints | None) -> Ints | None:
    if rows is None or chosen is None:
        return rows if chosen is None else chosen
    return rows[chosen]


def _payload(values: Ints | npt.NDArray[np.float32] | ByteStrings, counts: Ints) -> ByteStrings:
    """Serialises the values of lists; ``counts`` are those of the rows with values, all above 0."""
    ends = offsets_of(counts)
    if isinstance(values, ByteStrings):
        strings = _Entries(len(values.lengths))
        _add_payload(strings, BYTES_VALUE, None, values)
        offsets = offsets_of(strings.lengths)
        data = np.empty(offsets[-1], np.uint8)
        strings.write(data, offsets[:-1])
    elif values.dtype == np.float32:
        data = np.ascontiguousarray(values, "<f4").view(np.uint8)
        offsets = np.arange(len(values) + 1) * FLOAT_BYTES
    else:
        unsigned = values.view(np.uint64)
        offsets = offsets_of(varint_lengths(unsigned).astype(np.int64))
        data = np.empty(offsets[-1], np.uint8)
        for group in varint_groups(unsigned, None):
            starts = offsets[:-1] if group.rows is None else offsets[group.rows]
            put_chunks(data, starts, group.chunks)
    bounds = offsets[ends]
    return ByteStrings(data, bounds[:-1], np.diff(bounds))


def _assemble(
    entries: list[_Entries], count: int, head: Head | None, first_row: int
) -> EncodedExamples:
    sizes: Ints = np.zeros(count, np.int64)
    for entry in entries:
        sizes += entry.lengths
    heads = head.lengths(sizes) if head else np.zeros(count, np.int64)
    offsets = offsets_of(sizes + heads)
    if count and int((sizes + heads).max()) > MAX_MESSAGE_BYTES:
        row = int(np.argmax(sizes))
        raise EncodeError(
            None,
            first_row + row,
            f"{sizes[row]} bytes",
            Remedy(Option.EXCLUDE_COLUMNS),
            f"an example of at most {MAX_MESSAGE_BYTES} bytes, as protobuf can hold",
        )
    data = np.empty(offsets[-1], np.uint8)
    starts = offsets[:-1].copy()
    for group in _head_groups(head, sizes):
        put_chunks(data, starts if group.rows is None else starts[group.rows], group.chunks)
    starts += heads
    for entry in entries:
        entry.write(data, starts)
        starts += entry.lengths
    return EncodedExamples(data, offsets)


def _head_groups(head: Head | None, sizes: Ints) -> Iterator[Group]:
    return head.groups(sizes) if head else iter(())
