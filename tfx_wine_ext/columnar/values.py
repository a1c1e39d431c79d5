"""Converts an Arrow column to numpy: which rows have values, how many, and the values.

Every Arrow type becomes one of three forms: int64 numbers, float32 numbers, or byte strings as
ranges of a buffer. Null slots and the hidden contents of null lists are never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.columnar.arrow_types import (
    MAP_FIELDS,
    MICROSECONDS,
    NANOSECONDS_PER_MICROSECOND,
    bare,
    is_list,
    is_list_view,
    is_run_end_encoded,
    is_view,
    temporal_unit,
)
from tfx_wine_ext.columnar.casts import cast_values
from tfx_wine_ext.columnar.plan import EncodeOptions, Feature
from tfx_wine_ext.errors import Advice, Option, Remedy, TfxWineExtError

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

INT64_MAX = 2**63 - 1
# Doubles hold all integers, and all powers of ten, up to these limits exactly, so their quotient is
# the double nearest to the decimal.
EXACT_INTEGER = 2**53
EXACT_POWER_OF_TEN = 22


class EncodeError(TfxWineExtError, ValueError):
    """A value that cannot be stored in a feature.

    Attributes:
        column: the feature's name; None: the row as a whole.
        row: the row's number in the batch, from 0.
    """

    def __init__(
        self,
        column: str | None,
        row: int,
        reason: str,
        remedies: Advice | Iterable[Advice] = (),
        expected: str = "",
    ) -> None:
        super().__init__(reason, remedies, column=column, row=row, expected=expected)

    @property
    def reason(self) -> str:
        """What is wrong: `found`."""
        return self.found


@dataclass(frozen=True)
class ByteStrings:
    """Byte strings as ranges of a buffer: string i is ``data[starts[i]:starts[i] + lengths[i]]``.

    Attributes:
        data: uint8, the buffer.
        starts: int64[m].
        lengths: int64[m].
    """

    data: npt.NDArray[np.uint8]
    starts: Ints
    lengths: Ints


@dataclass(frozen=True)
class ColumnValues:
    """The values of one feature in n rows.

    Attributes:
        present: bool[n], whether a row has the feature; None if all rows do.
        counts: int64[n], for a list column: the number of values of each row, 0 for rows without
            the feature; None for a column of single values.
        values: for a list column, the concatenated values of all rows; else one value for each of
            the n rows, arbitrary for rows without the feature.
    """

    present: Mask | None
    counts: Ints | None
    values: Ints | Floats | ByteStrings


def read_values(
    batch: pa.RecordBatch, feature: Feature, options: EncodeOptions, first_row: int = 0
) -> ColumnValues:
    """Reads one feature's values from a batch.

    Args:
        batch: a batch with the feature's column, of the planned type; one row or more.
        feature: the feature.
        options: the options of the plan.
        first_row: number of the batch's first row, for errors.

    Returns:
        The values as numpy arrays, which may share the batch's memory.

    Raises:
        EncodeError: a value does not fit its feature; names the column and the row.
    """
    column = batch.column(batch.schema.get_field_index(feature.path[0]))
    if feature.partitions is not None or feature.level is not None:
        return _read_nested(column, feature, options, first_row)
    array = unwrap(leaf_values(column, feature.path[1:]))
    rows = np.arange(first_row, first_row + len(array))

    def fail(
        index: int, expected: str, found: str, *remedies: Advice, casts: Sequence[str] = ()
    ) -> EncodeError:
        if casts:
            remedies += (Remedy(Option.CAST, (feature.name, *casts)),)
        return EncodeError(feature.name, int(rows[index]), found, remedies, expected)

    present = present_mask(array)
    if not feature.is_list:
        return ColumnValues(present, None, _convert(array, present, feature, options, fail))

    counts, elements = list_elements(array, present)
    rows = np.repeat(rows, counts)
    filled = present_mask(elements)
    if filled is not None:
        if options.null_in_list == "error":
            raise _null_in_list(filled, fail)
        row_of = np.repeat(np.arange(len(counts)), counts)
        counts = np.bincount(row_of[filled], minlength=len(counts)).astype(np.int64)
        rows = rows[filled]
        elements = elements.filter(pa.array(filled))
    return ColumnValues(present, counts, _convert(elements, None, feature, options, fail))


def _null_in_list(filled: Mask, fail: Callable[..., EncodeError]) -> EncodeError:
    """Returns the error of the first null among the elements of lists."""
    remedies = "fill it", Remedy(Option.NULL_IN_LIST, "drop")
    return fail(int(np.argmin(filled)), "values inside a list", "a null", *remedies)


def _read_nested(
    column: pa.Array, feature: Feature, options: EncodeOptions, first_row: int
) -> ColumnValues:
    """Reads the values of a nested column, or the lengths of its lists at one level.

    It walks inwards through structs and lists. The elements of all rows are not copied on the way:
    `index` says which slots of the array they are, in order, and only values are taken.
    """
    array, names, level = column, list(feature.path[1:]), 0
    present: Mask | None = None
    index: Ints | None = None  # None: all slots.
    rows = np.arange(len(column))  # The row of each element.
    in_map = False

    def fail(
        at: int, expected: str, found: str, *remedies: Advice, casts: Sequence[str] = ()
    ) -> EncodeError:
        if casts:
            remedies += (Remedy(Option.CAST, (feature.name, *casts)),)
        # Row lengths have no name by which a user knows them.
        name = ".".join(feature.path)
        return EncodeError(name, first_row + int(rows[at]), found, remedies, expected)

    def check_fields(valid: Mask | None) -> None:
        if valid is not None and not valid.all():
            raise fail(
                int(np.argmin(valid)),
                "a value in each field of the structs inside a list",
                "a null, without which the fields would have different lengths",
                "fill it",
            )

    while True:
        array = unwrap(array)
        if pa.types.is_struct(array.type):
            name = names.pop(0)
            position = MAP_FIELDS.index(name) if in_map else array.type.get_field_index(name)
            array, in_map = struct_field(array, position), False
            continue
        valid = _selected(present_mask(array), index)
        in_map = pa.types.is_map(array.type)
        if not in_map and not is_list(array.type):
            break
        starts, sizes = list_ranges(array)
        if index is not None:
            starts, sizes = starts[index], sizes[index]
        if level == 0:
            present = valid
            if valid is not None:
                sizes = np.where(valid, sizes, 0)
        else:
            check_fields(valid)
        array, index = _elements(array, starts, sizes)
        list_of = np.repeat(np.arange(len(sizes)), sizes)
        rows_of_lists, rows = rows, rows[list_of]
        filled = _selected(present_mask(array), index)
        if filled is not None and not filled.all():
            if options.null_in_list == "error":
                raise _null_in_list(filled, fail)
            kept = np.flatnonzero(filled)
            index = kept if index is None else index[kept]
            sizes = np.bincount(list_of[kept], minlength=len(sizes)).astype(np.int64)
            rows = rows[kept]
        if level == feature.level:
            counts = np.bincount(rows_of_lists, minlength=len(column)).astype(np.int64)
            return ColumnValues(present, counts, sizes)
        level += 1
    check_fields(valid)
    if index is not None:
        array = array.take(pa.array(index))
    counts = np.bincount(rows, minlength=len(column)).astype(np.int64)
    return ColumnValues(present, counts, _convert(array, None, feature, options, fail))


def _selected(valid: Mask | None, index: Ints | None) -> Mask | None:
    return valid if valid is None or index is None else valid[index]


def unwrap(array: pa.Array) -> pa.Array:
    """Removes extension, dictionary, run-end and view encoding; compare `bare`."""
    while True:
        if isinstance(array.type, pa.BaseExtensionType):
            array = array.storage
        elif pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        elif is_run_end_encoded(array.type):
            array = pc.run_end_decode(array)
        elif is_view(array.type):
            array = pc.cast(array, pa.large_binary())
        else:
            return array


def struct_field(array: pa.StructArray, index: int) -> pa.Array:
    """Returns a field of a struct, null where the struct is null."""
    field = array.field(index)
    if array.null_count and is_run_end_encoded(field.type):
        # It has no validity bitmap, and flatten() would lose the struct's.
        values = unwrap(field)
        return pc.if_else(array.is_valid(), values, pa.scalar(None, values.type))
    return array.flatten()[index]


def leaf_values(array: pa.Array, path: Sequence[str]) -> pa.Array:
    """Returns a nested field of a struct, null where an enclosing struct is null.

    Args:
        array: A column.
        path: Names of fields, from the outside in; empty for the column itself.
    """
    for name in path:
        array = unwrap(array)
        array = struct_field(array, array.type.get_field_index(name))
    return array


def present_mask(array: pa.Array) -> Mask | None:
    """Returns whether each value is not null; None if none is null."""
    if not array.null_count:
        return None
    mask: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    return mask


def list_elements(array: pa.Array, present: Mask | None) -> tuple[Ints, pa.Array]:
    """Returns the number of elements of each row, and the elements of all rows in order.

    Arrow's own flatten() is not used: version 10 fails for all-null arrays and for nulls among
    lists of an extension type, version 18 for slices of list views.
    """
    starts, counts = list_ranges(array)
    if present is not None:
        counts[~present] = 0
    elements, index = _elements(array, starts, counts)
    return counts, elements if index is None else _without_offset(elements).take(pa.array(index))


def list_ranges(array: pa.Array) -> tuple[Ints, Ints]:
    """Returns where in ``array.values`` each list begins, and how many elements it has.

    Both are arbitrary for null lists.
    """
    if pa.types.is_fixed_size_list(array.type):
        size = array.type.list_size
        starts = (array.offset + np.arange(len(array))) * size
        return starts, np.full(len(array), size, np.int64)
    starts = array.offsets.to_numpy().astype(np.int64)
    if is_list_view(array.type):
        return starts, array.sizes.to_numpy().astype(np.int64)
    return starts[:-1], np.diff(starts)


def _elements(array: pa.Array, starts: Ints, counts: Ints) -> tuple[pa.Array, Ints | None]:
    """Returns an array that holds the elements of some lists, and the slots that they are in order.

    The slots are None if they are all, in the array's order.
    """
    filled = np.flatnonzero(counts)
    if not len(filled):
        return unwrap(array.values.slice(0, 0)), None
    starts, taken = starts[filled], counts[filled]
    first = starts.min()
    elements = unwrap(array.values.slice(first, (starts + taken).max() - first))
    # The offset by which each list's elements must move to follow those of the previous list.
    moves = starts - first - (np.cumsum(taken) - taken)
    if not moves.any():
        return elements, None
    return elements, np.asarray(np.repeat(moves, taken) + np.arange(taken.sum()), np.int64)


def without_offsets(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Copies columns of fixed-size lists of fixed-size lists that are slices.

    Of these slices, Arrow's `take` and `filter` return other values (pyarrow 18.1; not 10).
    """
    columns = [_without_offset(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema) if columns else batch


def _without_offset(array: pa.Array) -> pa.Array:
    if array.offset and _has_fixed_size_lists_of_lists(array.type):
        return pa.concat_arrays([array, array.slice(0, 0)])
    return array


def _has_fixed_size_lists_of_lists(type_: pa.DataType, inside: bool = False) -> bool:
    type_ = bare(type_)
    fixed = pa.types.is_fixed_size_list(type_)
    if fixed and inside:
        return True
    if is_list(type_):
        return _has_fixed_size_lists_of_lists(type_.value_type, fixed)
    if pa.types.is_map(type_):
        return _has_fixed_size_lists_of_lists(type_.item_type)
    return pa.types.is_struct(type_) and any(
        _has_fixed_size_lists_of_lists(type_[index].type) for index in range(type_.num_fields)
    )


Fail = Callable[..., EncodeError]


def _convert(
    array: pa.Array,
    present: Mask | None,
    feature: Feature,
    options: EncodeOptions,
    fail: Fail,
) -> Ints | Floats | ByteStrings:
    if feature.cast is not None:
        array = _cast(array, feature.cast, fail)
    if feature.kind == "int64_list":
        return _integers(array, present, fail)
    if feature.kind == "float_list":
        return _floats(array, present, options.allow_float_overflow, fail)
    return _byte_strings(array)


def _cast(array: pa.Array, target: str, fail: Fail) -> pa.Array:
    try:
        return cast_values(array, target)
    except (pa.ArrowException, ValueError) as error:
        for index in range(len(array)):
            try:
                cast_values(array.slice(index, 1), target)
            except (pa.ArrowException, ValueError) as cause:
                raise fail(index, f"a value that can be cast to {target!r}", str(cause)) from error
        raise


def _buffer(array: pa.Array, index: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    buffer = array.buffers()[index]
    if buffer is None:
        return np.empty(0, dtype)
    # Arrow's arrays of nulls share one buffer of arbitrary size.
    return np.frombuffer(buffer, dtype, count=buffer.size // np.dtype(dtype).itemsize)


def _primitive(array: pa.Array, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Returns the values of an array of numbers without copying, including null slots."""
    return _buffer(array, 1, dtype)[array.offset : array.offset + len(array)]


def _first(bad: Mask, present: Mask | None) -> int | None:
    if present is not None:
        bad = bad & present
    return int(np.argmax(bad)) if bad.any() else None


def _integers(array: pa.Array, present: Mask | None, fail: Fail) -> Ints:
    type_ = array.type
    unit = temporal_unit(type_)
    if unit is not None:
        ticks = _primitive(array, np.int32 if type_.bit_width == 32 else np.int64)
        return _microseconds(ticks.astype(np.int64, copy=False), unit, present, fail)
    if pa.types.is_boolean(type_):
        return _primitive(array.cast(pa.int8()), np.int8).astype(np.int64)
    if pa.types.is_decimal(type_):
        return _whole_decimals(array, fail)
    sign = "i" if pa.types.is_signed_integer(type_) else "u"
    values = _primitive(array, f"{sign}{type_.bit_width // 8}")
    if type_ == pa.uint64():
        index = _first(values > INT64_MAX, present)
        if index is not None:
            raise fail(
                index,
                "at most 2**63 - 1, the largest value of an int64 feature",
                str(values[index]),
                casts=("float32", "bytes"),
            )
        return values.view(np.int64)
    return values.astype(np.int64, copy=False)


def _microseconds(ticks: Ints, unit: str, present: Mask | None, fail: Fail) -> Ints:
    if unit == "ns":
        return ticks // NANOSECONDS_PER_MICROSECOND
    factor = MICROSECONDS[unit]
    if factor == 1:
        return ticks
    limit = INT64_MAX // factor
    index = _first((ticks > limit) | (ticks < -limit), present)
    if index is not None:
        raise fail(
            index,
            "a time that an int64 feature holds in microseconds",
            f"{ticks[index]} {unit}",
            casts=("int64",),
        )
    return ticks * factor


def _whole_decimals(array: pa.Array, fail: Fail) -> Ints:
    try:
        return _primitive(array.cast(pa.int64()).fill_null(0), np.int64)
    except pa.ArrowInvalid:
        for index, value in enumerate(array.to_pylist()):
            if value is not None and not -INT64_MAX - 1 <= value <= INT64_MAX:
                raise fail(
                    index,
                    "a number that fits an int64 feature",
                    str(value),
                    casts=("float32", "bytes"),
                ) from None
        raise


def _floats(array: pa.Array, present: Mask | None, allow_overflow: bool, fail: Fail) -> Floats:
    if pa.types.is_null(array.type):
        return np.empty(len(array), np.float32)
    if pa.types.is_decimal(array.type):
        wide = _decimals(array)
    else:
        wide = _primitive(array, f"f{array.type.bit_width // 8}")
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = wide.astype(np.float32, copy=False)
    if wide.dtype == np.float64 and not allow_overflow:
        infinite = np.isinf(narrow)
        index = _first(infinite & np.isfinite(wide), present) if infinite.any() else None
        if index is not None:
            raise fail(
                index,
                "a number within the range of float32 (3.4e38)",
                str(wide[index]),
                Remedy(Option.ALLOW_FLOAT_OVERFLOW, True),
                casts=("bytes",),
            )
    return narrow


def _decimals(array: pa.Array) -> npt.NDArray[np.float64]:
    """Returns the doubles nearest to decimals."""
    words = array.type.byte_width // 8
    digits = _buffer(array, 1, np.int64).reshape(-1, words)
    digits = digits[array.offset : array.offset + len(array)]
    unscaled = digits[:, 0]  # Little endian two's complement: the others only repeat the sign.
    small = (digits[:, 1:] == (unscaled >> 63)[:, None]).all(axis=1)
    small &= (unscaled <= EXACT_INTEGER) & (unscaled >= -EXACT_INTEGER)
    scale = array.type.scale
    present = present_mask(array)
    if present is not None:
        small |= ~present
    if scale <= EXACT_POWER_OF_TEN and small.all():
        exact: npt.NDArray[np.float64] = unscaled / 10.0**scale
        return exact
    # Arrow's own conversion is off by a few units in the last place here, so text is parsed.
    return np.array([0.0 if value is None else float(value) for value in array.to_pylist()])


def _byte_strings(array: pa.Array) -> ByteStrings:
    type_ = array.type
    if pa.types.is_null(type_):
        nothing = np.zeros(len(array), np.int64)
        return ByteStrings(np.empty(0, np.uint8), nothing, nothing)
    if pa.types.is_fixed_size_binary(type_):
        starts = np.arange(array.offset, array.offset + len(array)) * type_.byte_width
        lengths = np.full(len(array), type_.byte_width, np.int64)
        return ByteStrings(_buffer(array, 1, np.uint8), starts, lengths)
    large = pa.types.is_large_string(type_) or pa.types.is_large_binary(type_)
    offsets = _buffer(array, 1, np.int64 if large else np.int32)
    offsets = offsets[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return ByteStrings(_buffer(array, 2, np.uint8), offsets[:-1], np.diff(offsets))
