"""Conversions of values: by ``cast=``, and from text."""

from __future__ import annotations

import datetime
import decimal
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.columnar.arrow_types import kind_of, temporal_unit

# A datetime cannot hold this many digits; Arrow parses them.
_NANOSECONDS = re.compile(r"\.\d{7,9}")


def cast_values(array: pa.Array, target: str) -> pa.Array:
    """Converts values to another type.

    Args:
        array: values whose type `bare` does not change, and which are not lists.
        target: ``"int64"``, ``"float32"`` or ``"bytes"`` for a feature of that kind (a date, time
            or duration becomes a count of its own unit; float32 rounds to nearest; text is
            Arrow's, except that decimals are never written with an exponent: 0.0000001, not 1E-7),
            or an Arrow type's alias such as ``"timestamp[us]"``, for Arrow's safe cast.

    Returns:
        The converted array; nulls stay nulls. For float32 it may have any type that becomes a
        ``float_list``; encoding narrows it.

    Raises:
        ValueError: there is no such alias, or a value cannot be converted.
        pyarrow.ArrowNotImplementedError: Arrow has no cast between the types.

    Example:
        >>> cast_values(pa.array([1.0, None, 3.0]), "int64").to_pylist()
        [1, None, 3]
    """
    kind = kind_of(array.type)
    if target == "bytes":
        if pa.types.is_decimal(array.type):
            # pyarrow 10 cannot cast decimals to text, and later releases may write 1E-7.
            text = [None if value is None else format(value, "f") for value in array.to_pylist()]
            return pa.array(text, pa.string())
        return array if kind == "bytes_list" else pc.cast(array, pa.string())
    if target not in ("int64", "float32"):
        return pc.cast(array, pa.type_for_alias(target))
    if temporal_unit(array.type) is not None:
        if array.type.bit_width == 32:  # Arrow has no cast of these to anything else.
            array = pc.cast(array, pa.int32())
        array = pc.cast(array, pa.int64())
    if target == "int64":
        return pc.cast(array, pa.int64())
    if kind == "float_list":
        return array
    return pc.cast(array, pa.float64(), safe=pa.types.is_null(array.type))


def parsed_value(value: Any, data_type: pa.DataType) -> Any:
    """Parses text for a column of dates, times or decimals; Arrow parses only some formats.

    Raises:
        ValueError: the text is not a date or time, or only one of text and column has a time zone.
        ArithmeticError: the text is not a decimal.
    """
    if isinstance(value, str):
        # Python reads the zone "Z" from version 3.11 on.
        text = value[:-1] + "+00:00" if value.endswith("Z") else value
        if pa.types.is_date(data_type):
            value = datetime.date.fromisoformat(text)
        elif pa.types.is_time(data_type):
            value = datetime.time.fromisoformat(text)
        elif pa.types.is_timestamp(data_type) and not _NANOSECONDS.search(text):
            value = datetime.datetime.fromisoformat(text)
        elif pa.types.is_decimal(data_type):
            value = decimal.Decimal(text)
    if (
        isinstance(value, datetime.datetime)
        and pa.types.is_timestamp(data_type)
        and (value.tzinfo is None) != (data_type.tz is None)
    ):
        raise ValueError("expected a time zone in both of them, or in neither")
    return value
