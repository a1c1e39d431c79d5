"""The common type of two types, and exact conversion to it, to read files as one table.

Arrow's own unification differs between versions (`promote_options` was added in version 14), and
some of its casts wrap or truncate. Here, conversions are exact or raise an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.columnar.arrow_types import is_list, is_list_view, is_run_end_encoded, is_view
from tfx_wine_ext.columnar.arrow_types import temporal_unit as unit_of
from tfx_wine_ext.columnar.values import list_elements, present_mask, struct_field, unwrap
from tfx_wine_ext.errors import TfxWineExtError

# Ticks in a day, and in a second; finer units have more.
_TICKS_A_DAY = {
    "D": 1,
    "s": 86_400,
    "ms": 86_400_000,
    "us": 86_400_000_000,
    "ns": 86_400_000_000_000,
}
_DECIMAL128_DIGITS = 38
_DECIMAL256_DIGITS = 76


class InexactValueError(TfxWineExtError, ValueError):
    """A value that the wider type cannot hold.

    Attributes:
        value: The value as text, cut after 80 characters.
        type: The target type.
    """

    def __init__(self, value: str, type_: pa.DataType) -> None:
        super().__init__(value, expected=f"a value of {type_}")
        self.value = value
        self.type = type_


def wider_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Returns the type that holds the values of both types, or None if there is none.

    Integers are widened, int64 and uint64 together to a decimal of 20 digits; an integer and a
    float become the float that holds most of their values. Decimals keep all digits of both. Times
    get the finer unit; a date becomes midnight of a timestamp without a time zone. Timestamps with
    different time zones, or with and without one, have no common type; nor do numbers and booleans
    or text. Structs get the fields of both, and lists the wider element type.

    Args:
        a: A type.
        b: Another.

    Example:
        >>> str(wider_type(pa.timestamp("ms"), pa.timestamp("us")))
        'timestamp[us]'
        >>> str(wider_type(pa.decimal128(10, 2), pa.decimal128(20, 4)))
        'decimal128(20, 4)'
        >>> wider_type(pa.int8(), pa.bool_()) is None
        True
    """
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    plain = _plain(a), _plain(b)
    if plain != (a, b):
        return wider_type(*plain)
    for rule in (_wider_number, _wider_time, _wider_bytes, _wider_list, _wider_struct):
        wider = rule(a, b)
        if wider is not None:
            return wider
    return None


def storage_type(type_: pa.DataType) -> pa.DataType:
    """Returns the storage type of a type, including list elements; `widened` converts to it.

    That is the type without extension, run-end and view encoding. Dictionaries are kept, since
    their values may be long and repeated often. Structs are flattened elsewhere (`leaves`).

    Example:
        >>> storage_type(pa.dictionary(pa.int8(), pa.string())), storage_type(pa.int8())
        (DictionaryType(dictionary<values=string, indices=int8, ordered=0>), DataType(int8))
    """
    if pa.types.is_dictionary(type_):
        return type_
    plain = _plain(type_)
    if not is_list(plain):
        return plain
    values = storage_type(plain.value_type)
    if values == plain.value_type and not is_list_view(plain):
        return plain
    return pa.large_list(values) if _is_large(plain) else pa.list_(values)


def widened(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Converts an array to a wider type, exactly.

    Args:
        array: Values of a type that `wider_type` widens to `type_`.
        type_: The result of `wider_type`.

    Raises:
        InexactValueError: The type cannot hold a value exactly, such as an integer beyond 2**53 as
            float64, or a time beyond the range of its finer unit.

    Example:
        >>> widened(pa.array([1, None], pa.time32("s")), pa.time64("us")).to_pylist()
        [datetime.time(0, 0, 1), None]
    """
    if array.type == type_:
        return array
    try:
        return _widened(array, type_)
    except pa.ArrowException as error:
        raise InexactValueError(_text_of(_first_inexact(array, type_)), type_) from error


def _plain(type_: pa.DataType) -> pa.DataType:
    """Returns a type without extension, dictionary, run-end and view encoding."""
    if isinstance(type_, pa.BaseExtensionType):
        return _plain(type_.storage_type)
    if pa.types.is_dictionary(type_) or is_run_end_encoded(type_):
        return _plain(type_.value_type)
    if is_view(type_):
        return pa.large_string() if str(type_) == "string_view" else pa.large_binary()
    return type_


def _wider_number(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    is_integer, is_floating = pa.types.is_integer, pa.types.is_floating
    if any(map(pa.types.is_decimal, (a, b))):
        if any(map(is_floating, (a, b))):
            whole_numbers = all(is_floating(type_) or type_.scale <= 0 for type_ in (a, b))
            return pa.float64() if whole_numbers else None
        digits = [_digits(type_) for type_ in (a, b)]
        if None in digits:
            return None
        whole, scale = (max(part) for part in zip(*digits))
        return _decimal(whole + scale, scale)
    if is_floating(a) and is_floating(b):
        return a if a.bit_width >= b.bit_width else b
    if all(is_integer(type_) or is_floating(type_) for type_ in (a, b)):
        wider = np.promote_types(_numpy_type(a), _numpy_type(b))
        if is_integer(a) and is_integer(b) and wider.kind == "f":
            return _wider_number(_as_decimal(a), _as_decimal(b))
        return pa.from_numpy_dtype(wider)
    return None


def _numpy_type(type_: pa.DataType) -> np.dtype[Any]:
    signed = pa.types.is_signed_integer(type_)
    kind = "f" if pa.types.is_floating(type_) else "i" if signed else "u"
    return np.dtype(f"{kind}{type_.bit_width // 8}")


def _digits(type_: pa.DataType) -> tuple[int, int] | None:
    """Returns the digits before and after the decimal point; None for other types."""
    if pa.types.is_integer(type_):
        type_ = _as_decimal(type_)
    if pa.types.is_decimal(type_):
        return type_.precision - type_.scale, type_.scale
    return None


def _as_decimal(integer: pa.DataType) -> pa.DataType:
    """Returns the decimal type to which Arrow casts all values of an integer type."""
    digits = {8: 3, 16: 5, 32: 10, 64: 19 if pa.types.is_signed_integer(integer) else 20}
    return pa.decimal128(digits[integer.bit_width], 0)


def _decimal(precision: int, scale: int) -> pa.DataType | None:
    if precision <= _DECIMAL128_DIGITS:
        return pa.decimal128(precision, scale)
    return pa.decimal256(precision, scale) if precision <= _DECIMAL256_DIGITS else None


def _wider_time(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    units = unit_of(a), unit_of(b)
    if None in units:
        return None
    unit = max(units, key=list(_TICKS_A_DAY).index)  # type: ignore[arg-type]
    is_date, is_timestamp = pa.types.is_date, pa.types.is_timestamp
    if is_date(a) and is_date(b):
        return pa.date64()
    if all(is_date(type_) or is_timestamp(type_) for type_ in (a, b)):
        # A date has no time zone.
        zones = {type_.tz if is_timestamp(type_) else None for type_ in (a, b)}
        return pa.timestamp(unit, zones.pop()) if len(zones) == 1 else None
    if pa.types.is_duration(a) and pa.types.is_duration(b):
        return pa.duration(unit)
    if pa.types.is_time(a) and pa.types.is_time(b):
        return pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    return None


def _wider_bytes(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    def are(*tests: Callable[[pa.DataType], bool]) -> bool:
        return all(any(test(type_) for test in tests) for type_ in (a, b))

    large_string, large_binary = pa.types.is_large_string, pa.types.is_large_binary
    if are(pa.types.is_string, large_string):
        return pa.large_string()
    if are(pa.types.is_binary, large_binary, pa.types.is_fixed_size_binary):
        return pa.large_binary() if large_binary(a) or large_binary(b) else pa.binary()
    return None


def _wider_list(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if not (is_list(a) and is_list(b)):
        return None
    # Names of the elements depend on the writer: Spark's "element", Arrow's "item".
    values = wider_type(a.value_type, b.value_type)
    if values is None:
        return None
    return pa.large_list(values) if _is_large(a) or _is_large(b) else pa.list_(values)


def _is_large(list_type: pa.DataType) -> bool:
    return pa.types.is_large_list(list_type) or str(list_type).startswith("large_list_view")


def _wider_struct(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if not (pa.types.is_struct(a) and pa.types.is_struct(b)):
        return None
    merged: dict[str, pa.DataType] = {}
    for type_ in (a, b):
        fields = [type_[index] for index in range(type_.num_fields)]
        if len({field.name for field in fields}) < len(fields):
            return None  # Ambiguous names.
        for field in fields:
            wider = wider_type(merged.get(field.name, field.type), field.type)
            if wider is None:
                return None
            merged[field.name] = wider
    return pa.struct(list(merged.items()))


def _widened(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if array.type == type_:
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), type_)
    if isinstance(type_, pa.BaseExtensionType):  # in a decomposed struct or list
        return pa.ExtensionArray.from_storage(type_, _widened(array, type_.storage_type))
    if _plain(array.type) != array.type:
        text = is_view(array.type) and pa.types.is_large_string(type_)
        return _widened(pc.cast(array, type_) if text else unwrap(array), type_)
    if pa.types.is_struct(type_):
        return _widened_struct(array, type_)
    if is_list(type_):
        return _widened_list(array, type_)
    if unit_of(type_) is not None:
        return _finer(array, type_)
    if pa.types.is_decimal(array.type) and pa.types.is_floating(type_):
        # Arrow checks for rounding when it casts from integers, but not from decimals.
        array = pc.cast(array, pa.int64())
    return pc.cast(array, type_)


def _widened_struct(array: pa.StructArray, type_: pa.DataType) -> pa.Array:
    children = []
    for index in range(type_.num_fields):
        field = type_[index]
        position = array.type.get_field_index(field.name)
        if position < 0:
            children.append(pa.nulls(len(array), field.type))
        else:
            children.append(_widened(struct_field(array, position), field.type))
    validity = None
    if array.null_count:
        validity = pa.array(present_mask(array)).buffers()[1]
    return pa.Array.from_buffers(type_, len(array), [validity], children=children)


def _widened_list(array: pa.Array, type_: pa.DataType) -> pa.Array:
    present = present_mask(array)
    counts, elements = list_elements(array, present)
    large = pa.types.is_large_list(type_)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    # A null offset marks a null list; the last offset only ends the last list.
    absent = None if present is None else np.append(~present, False)
    return (pa.LargeListArray if large else pa.ListArray).from_arrays(
        pa.array(offsets, pa.int64() if large else pa.int32(), mask=absent),
        _widened(elements, type_.value_type),
    )


def _finer(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Multiplies ticks, because Arrow's casts of dates wrap on overflow."""
    factor = _TICKS_A_DAY[str(unit_of(type_))] // _TICKS_A_DAY[str(unit_of(array.type))]
    ticks = pc.multiply_checked(_ticks(array), pa.scalar(factor, pa.int64()))
    return ticks.cast(pa.int32() if type_.bit_width == 32 else pa.int64()).view(type_)


def _ticks(times: pa.Array) -> pa.Array:
    narrow = times.type.bit_width == 32
    return times.view(pa.int32() if narrow else pa.int64()).cast(pa.int64())


def _first_inexact(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Returns the first value that cannot be converted, as an array of length 1."""
    while len(array) > 1:
        half = array.slice(0, len(array) // 2)
        try:
            _widened(half, type_)
            array = array.slice(len(half))
        except pa.ArrowException:
            array = half
    return array


def _text_of(array: pa.Array) -> str:
    try:
        text = repr(array[0].as_py())
    except (ValueError, OverflowError):  # Python's dates end with the year 9999.
        text = f"{_ticks(array)[0].as_py()} {unit_of(array.type)}"
    return text if len(text) <= 80 else f"{text[:80]}..."
