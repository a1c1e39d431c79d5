"""Decodes INT96, the timestamps of Impala, Hive and older Spark: a day and its nanoseconds.

pyarrow converts them to nanoseconds or microseconds, and both can be wrong. Nanoseconds wrap before
1677 and after 2262: 9999-12-31, a common value for "forever", becomes a day in 1816. For
microseconds, pyarrow treats the nanoseconds of the day as unsigned, although its own writer makes
them negative before 1970: a time in 1900 becomes one in 2484. The result does not show whether this
happened. Therefore the footer is rewritten so that the column holds bytes, which are decoded here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tfx_wine_ext.errors import TfxWineExtError

_BYTES = 12
_JULIAN_DAY_OF_1970 = 2_440_588
_MICROSECONDS_A_DAY = 86_400_000_000
_NANOSECONDS_A_DAY = 1_000 * _MICROSECONDS_A_DAY
# Whole days that 64 bits of microseconds hold, some 292,000 years.
_MOST_DAYS = 106_751_990

# Thrift's compact protocol: types of fields.
_TRUE, _FALSE, _BYTE, _I32, _DOUBLE, _BINARY = 1, 2, 3, 5, 7, 8
_LIST, _SET, _STRUCT = 9, 10, 12
_INTEGERS = (4, 5, 6)
# Parquet's physical types, and a length, in the protocol's zigzag encoding: doubled.
_INT96, _FIXED_LEN_BYTE_ARRAY, _LENGTH_12 = 2 * 3, 2 * 7, 2 * _BYTES


class Int96Error(TfxWineExtError, ValueError):
    """A timestamp does not fit into 64 bits of microseconds."""


def footer_of_bytes(metadata: bytes) -> bytes:
    """Returns the metadata of a Parquet file, with its INT96 columns as columns of 12 bytes.

    Args:
        metadata: A ``FileMetaData`` of Parquet in Thrift's compact protocol.
    """
    walk = _Walk(metadata)
    for field, type_, _ in walk.fields():
        if field == 2:
            for _ in walk.elements():
                walk.schema_element()
        elif field == 4:
            for _ in walk.elements():
                walk.row_group()
        else:
            walk.skip(type_)
    edited, done = bytearray(), 0
    for start, end, replacement in walk.edits:
        edited += metadata[done:start] + replacement
        done = end
    return bytes(edited + metadata[done:])


class _Walk:
    """Walks the metadata once, and records replacements."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.edits: list[tuple[int, int, bytes]] = []

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def fields(self) -> Iterator[tuple[int, int, int]]:
        """Yields number, type and position of each field; the caller skips its value."""
        field = 0
        while self.data[self.at]:
            start = self.at
            header = self.data[start]
            self.at += 1
            if header >> 4:
                field += header >> 4
            else:
                field = self.varint() >> 1
            yield field, header & 15, start
        self.at += 1

    def elements(self) -> Iterator[int]:
        """Yields the type of each element of a list; the caller skips its value."""
        header = self.data[self.at]
        self.at += 1
        size = header >> 4
        if size == 15:
            size = self.varint()
        for _ in range(size):
            yield header & 15

    def skip(self, type_: int, in_list: bool = False) -> None:
        if type_ in (_TRUE, _FALSE):
            self.at += in_list
        elif type_ == _BYTE:
            self.at += 1
        elif type_ in _INTEGERS:
            self.varint()
        elif type_ == _DOUBLE:
            self.at += 8
        elif type_ == _BINARY:
            size = self.varint()
            self.at += size
        elif type_ in (_LIST, _SET):
            for element in self.elements():
                self.skip(element, in_list=True)
        elif type_ == _STRUCT:
            for _, inner, _ in self.fields():
                self.skip(inner)
        else:
            raise ValueError(f"a field of type {type_} is not known to Parquet")

    def schema_element(self) -> None:
        """Changes an INT96 element to bytes: another type, followed by a length."""
        is_int96 = False
        before = 0
        for field, type_, start in self.fields():
            if is_int96 and before == 1 and field > 2 and self.data[start] >> 4:
                # Field numbers are relative to the previous field, which is now the length.
                header = bytes([(field - 2) << 4 | type_])
                self.edits.append((start, start + 1, header))
            value_at = self.at
            self.skip(type_)
            if field == 1 and self.data[value_at] == _INT96:
                is_int96 = True
                length = bytes([1 << 4 | _I32, _LENGTH_12])
                self.edits.append((value_at, self.at, bytes([_FIXED_LEN_BYTE_ARRAY]) + length))
            elif field == 2 and is_int96:  # A meaningless length; ours is already written.
                self.edits.append((start, self.at, b""))
            before = field

    def row_group(self) -> None:
        for field, type_, _ in self.fields():
            if field != 1:
                self.skip(type_)
                continue
            for _ in self.elements():
                for of_chunk, inner, _ in self.fields():
                    if of_chunk == 3:
                        self.chunk()
                    else:
                        self.skip(inner)

    def chunk(self) -> None:
        for field, type_, _ in self.fields():
            if field == 1 and self.data[self.at] == _INT96:
                self.edits.append((self.at, self.at + 1, bytes([_FIXED_LEN_BYTE_ARRAY])))
            self.skip(type_)


def with_timestamps(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Decodes the INT96 values in an array.

    Args:
        array: An array that was read with a footer from `footer_of_bytes`.
        type_: Its type in the original footer, with timestamps of microseconds.

    Returns:
        An array of `type_`; arrays without INT96 values are unchanged. Nanoseconds are rounded
        down, as everywhere.

    Raises:
        Int96Error: a value does not fit.

    Example:
        >>> nanoseconds, day = (1_500).to_bytes(8, "little"), (2_440_589).to_bytes(4, "little")
        >>> array = pa.array([nanoseconds + day, None], pa.binary(12))
        >>> with_timestamps(array, pa.timestamp("us")).cast(pa.int64()).to_pylist()
        [86400000001, None]
    """
    if array.type == type_:
        return array
    if array.type == pa.binary(_BYTES) and pa.types.is_timestamp(type_):
        return _decoded(array, type_)
    if pa.types.is_struct(type_) and pa.types.is_struct(array.type):
        fields = [type_[i] for i in range(type_.num_fields)]
        inner = [with_timestamps(array.field(i), field.type) for i, field in enumerate(fields)]
        return pa.StructArray.from_arrays(inner, fields=fields, mask=array.is_null())
    if (pa.types.is_list(type_) or pa.types.is_large_list(type_)) and array.type.id == type_.id:
        values = with_timestamps(array.values, type_.value_type)
        buffers = array.buffers()[:2]
        return pa.Array.from_buffers(
            type_, len(array), buffers, array.null_count, array.offset, [values]
        )
    return array


def _decoded(array: pa.Array, type_: pa.DataType) -> pa.Array:
    validity, data = array.buffers()
    end = array.offset + len(array)
    words = np.frombuffer(data, np.uint8, end * _BYTES).reshape(end, _BYTES)
    words = words[array.offset :].copy()
    if array.null_count:
        words[array.is_null().to_numpy(zero_copy_only=False)] = 0
    nanoseconds = np.ascontiguousarray(words[:, :8]).view("<i8")[:, 0]
    days = np.ascontiguousarray(words[:, 8:]).view("<i4")[:, 0].astype(np.int64)
    days -= _JULIAN_DAY_OF_1970
    days += nanoseconds // _NANOSECONDS_A_DAY  # Negative for negative nanoseconds.
    nanoseconds %= _NANOSECONDS_A_DAY
    far = np.abs(days) > _MOST_DAYS
    if array.null_count:
        far &= array.is_valid().to_numpy(zero_copy_only=False)
    if far.any():
        raise Int96Error(
            f"one of {days[np.argmax(far)]} days",
            expected=f"INT96 timestamps of at most {_MOST_DAYS:,} days from 1970, which 64 bits of "
            "microseconds hold",
        )
    microseconds = np.zeros(end, np.int64)
    microseconds[array.offset :] = days * _MICROSECONDS_A_DAY + nanoseconds // 1000
    return pa.Array.from_buffers(
        type_, len(array), [validity, pa.py_buffer(microseconds)], array.null_count, array.offset
    )
