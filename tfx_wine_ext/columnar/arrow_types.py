"""The conversion of each Arrow type: the table in ``docs/arrow-types.md``, as code."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from tfx_wine_ext.errors import TfxWineExtError

Kind = Literal["bytes_list", "float_list", "int64_list"]

# Microseconds per tick of a temporal type: the unit of every date, time and duration.
MICROSECONDS = {"D": 86_400_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
NANOSECONDS_PER_MICROSECOND = 1_000
# How the keys and values of a map are named, whatever its writer named them.
MAP_FIELDS = ("key", "value")

# In pyarrow 10, types for times of day have no unit attribute.
_TIME_UNITS = {
    pa.time32("s"): "s",
    pa.time32("ms"): "ms",
    pa.time64("us"): "us",
    pa.time64("ns"): "ns",
}


class UnsupportedTypeError(TfxWineExtError, TypeError):
    """An Arrow type cannot be represented as a feature; the message says why."""


def kind_of(type_: pa.DataType) -> Kind:
    """Returns the kind of feature that single values of an Arrow type become.

    Args:
        type_: the type of a column, or of the elements of a list column, after `bare`.

    Returns:
        The name of the field of ``tf.train.Feature`` that holds the values. The null type, which
        has no values, counts as ``bytes_list``.

    Raises:
        UnsupportedTypeError: the type cannot be represented as a feature. Lists are refused too,
            since they could only be lists in lists.

    Example:
        >>> kind_of(pa.timestamp("ms")), kind_of(pa.string())
        ('int64_list', 'bytes_list')
    """
    types = pa.types
    if (
        types.is_boolean(type_)
        or types.is_integer(type_)
        or temporal_unit(type_) is not None
        or (types.is_decimal(type_) and type_.scale <= 0)
    ):
        return "int64_list"
    if types.is_floating(type_) or types.is_decimal(type_):
        return "float_list"
    if (
        types.is_null(type_)
        or types.is_string(type_)
        or types.is_binary(type_)
        or types.is_large_string(type_)
        or types.is_large_binary(type_)
        or types.is_fixed_size_binary(type_)
        or is_view(type_)
    ):
        return "bytes_list"
    raise UnsupportedTypeError(_why_not(type_))


def _why_not(type_: pa.DataType) -> str:
    if pa.types.is_map(type_):
        return "a map has no form as a feature"
    if is_list(type_):
        return "a list of lists has no form as one feature"
    if pa.types.is_struct(type_) and not type_.num_fields:
        return "a list of structs without fields has no values"
    if pa.types.is_struct(type_):
        return "a list of structs has no form as one feature"
    if pa.types.is_union(type_):
        return "the values of a union have no common type"
    if pa.types.is_interval(type_):
        return "an interval of months, days and nanoseconds is not one number"
    return "the type is not known to this version"


def bare(type_: pa.DataType) -> pa.DataType:
    """Returns the type of the values under extension, dictionary and run-end encoding.

    Example:
        >>> bare(pa.dictionary(pa.int8(), pa.string()))
        DataType(string)
    """
    while True:
        if isinstance(type_, pa.BaseExtensionType):
            type_ = type_.storage_type
        elif pa.types.is_dictionary(type_) or is_run_end_encoded(type_):
            type_ = type_.value_type
        else:
            return type_


def is_list(type_: pa.DataType) -> bool:
    """Whether a type (after `bare`) is a list: of any size or fixed, 32 or 64 bit, or a view."""
    return (
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
        or is_list_view(type_)
    )


def temporal_unit(type_: pa.DataType) -> str | None:
    """Returns the unit of a date, time, timestamp or duration: D, s, ms, us, ns; else None."""
    if pa.types.is_date32(type_):
        return "D"
    if pa.types.is_date64(type_):
        return "ms"
    if pa.types.is_timestamp(type_) or pa.types.is_duration(type_):
        unit: str = type_.unit
        return unit
    return _TIME_UNITS.get(type_)


# pyarrow 10 lacks the names below.


def is_run_end_encoded(type_: pa.DataType) -> bool:
    """Whether a type is run-end encoded (pyarrow 12 and later)."""
    return _is("is_run_end_encoded", type_)


def is_list_view(type_: pa.DataType) -> bool:
    """Whether a type is a list view, 32 or 64 bit (pyarrow 16 and later)."""
    return _is("is_list_view", type_) or _is("is_large_list_view", type_)


def is_view(type_: pa.DataType) -> bool:
    """Whether a type is a string view or binary view (pyarrow 16 and later)."""
    return _is("is_string_view", type_) or _is("is_binary_view", type_)


def _is(test: str, type_: pa.DataType) -> bool:
    return hasattr(pa.types, test) and bool(getattr(pa.types, test)(type_))
