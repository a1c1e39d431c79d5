"""Values of Trino's protocol as Arrow arrays: types by signatures, and JSON values by types.

What Arrow cannot hold exactly is refused by its type, before rows are read, or by its value. Pure:
it needs neither a server nor Trino's client.
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Signature = Mapping[str, Any]
"""The ``typeSignature`` of a column as the server sends it."""
_Ints = npt.NDArray[np.int64]

_SIMPLE = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "char": pa.string(),
    "varbinary": pa.binary(),
    "date": pa.date32(),
    "interval day to second": pa.duration("ms"),
    "uuid": pa.string(),
    "json": pa.string(),
    "ipaddress": pa.string(),
    "unknown": pa.null(),
}
# Keys of JSON objects are text.
_KEYS: dict[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "true",
    "tinyint": int,
    "smallint": int,
    "integer": int,
    "bigint": int,
    "real": float,
    "double": float,
}
_WITH_ZONE = "timestamp with time zone"
_IN_UTC = "select it AT TIME ZONE 'UTC'"
_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DEFAULT_PRECISION = 3
_SECONDS = 19  # YYYY-MM-DD hh:mm:ss
# In seconds, less than a day from what int64 holds, so that a time zone does not matter.
_NANOSECONDS_TO = (2**63 - 1) // 10**9 - 86_400
_INTERVAL = re.compile(r"(-?)(\d+) (\d+):(\d+):(\d+)\.(\d{3})")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")


class TrinoTypeError(ValueError):
    """A type of Trino's has no exact form in Arrow; the message says what to do."""


def arrow_type(signature: Signature) -> pa.DataType:
    """Returns the type of a column in Arrow.

    Args:
        signature: The type.

    Raises:
        TrinoTypeError: Arrow has none that holds all of its values exactly.

    Example:
        >>> arrow_type({"rawType": "array", "arguments": [
        ...     {"kind": "TYPE", "value": {"rawType": "real", "arguments": []}}]})
        ListType(list<item: float>)
    """
    name, arguments = signature["rawType"], arguments_of(signature)
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name == "decimal":
        return pa.decimal128(*arguments)
    if name in ("time", "timestamp", _WITH_ZONE):
        precision = arguments[0] if arguments else _DEFAULT_PRECISION
        unit = next((_UNITS[digits] for digits in _UNITS if digits >= precision), None)
        if unit is None:
            raise TrinoTypeError(
                f"{type_name(signature)}, which is finer than a nanosecond; cast it to "
                f"{type_name({**signature, 'arguments': [{'value': 6}]})}"
            )
        if name == "time":
            return pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
        return pa.timestamp(unit, "UTC" if name == _WITH_ZONE else None)
    if name == "array":
        return pa.list_(arrow_type(arguments[0]))
    if name == "map":
        key, value = arguments
        if key["rawType"] in ("array", "map", "row"):
            raise TrinoTypeError(f"{type_name(signature)}, whose keys are no single values")
        return pa.map_(arrow_type(key), arrow_type(value))
    if name == "row":
        return pa.struct([(field, arrow_type(type_)) for field, type_ in fields_of(signature)])
    raise TrinoTypeError(
        f"{type_name(signature)}, which has no equal in Arrow; convert it in the query"
    )


def type_name(signature: Signature) -> str:
    """Returns what Trino calls a type.

    Example:
        >>> type_name({"rawType": "timestamp with time zone", "arguments": [{"value": 12}]})
        'timestamp(12) with time zone'
    """
    name, arguments = signature["rawType"], arguments_of(signature)
    if name == "row":
        texts = [f"{field} {type_name(type_)}" for field, type_ in fields_of(signature)]
    else:
        texts = [
            type_name(each) if isinstance(each, Mapping) else str(each)
            for each in arguments
            if (name, each) != ("varchar", 2**31 - 1)
        ]
    first, space, others = name.partition(" ")
    return f"{first}({', '.join(texts)}){space}{others}" if texts else name


def array_of(values: Sequence[Any], signature: Signature) -> pa.Array:
    """Converts the values of a column.

    Args:
        values: As JSON has them.
        signature: Their type, which `arrow_type` knows.

    Raises:
        ValueError, pa.ArrowException: A value does not fit the type, such as a year after 9999.

    Example:
        >>> array_of([1.5, "NaN", None], {"rawType": "double", "arguments": []}).to_pylist()
        [1.5, nan, None]
    """
    name, type_ = signature["rawType"], arrow_type(signature)
    if name in ("timestamp", _WITH_ZONE):
        return _timestamps(values, type_)
    if name == "array":
        [element] = arguments_of(signature)
        offsets = _offsets(values)
        elements = [each for value in values if value is not None for each in value]
        return pa.ListArray.from_arrays(offsets, array_of(elements, element))
    if name == "map":
        key, item = arguments_of(signature)
        pairs = [pair for value in values if value is not None for pair in value.items()]
        parse = _KEYS.get(key["rawType"], str)
        keys = array_of([parse(text) for text, _ in pairs], key)
        items = array_of([each for _, each in pairs], item)
        return pa.MapArray.from_arrays(_offsets(values), keys, items)
    if name == "row":
        columns = [
            array_of([None if value is None else value[place] for value in values], field)
            for place, (_, field) in enumerate(fields_of(signature))
        ]
        missing = pa.array([value is None for value in values], pa.bool_())
        return pa.StructArray.from_arrays(columns, fields=list(type_), mask=missing)
    convert = _CONVERTERS.get(name)
    if convert in (None, float):
        try:
            return pa.array(values, type_)
        except pa.ArrowInvalid:
            if convert is None:
                raise
    return pa.array([None if value is None else convert(value) for value in values], type_)


def arguments_of(signature: Signature) -> list[Any]:
    """Returns the arguments of a type: numbers, and types."""
    return [each["value"] for each in signature["arguments"]]


def fields_of(signature: Signature) -> list[tuple[str, Signature]]:
    """Returns the names and types of a row's fields; those without a name are numbered."""
    return [
        ((each.get("fieldName") or {}).get("name", f"field{place}"), each["typeSignature"])
        for place, each in enumerate(arguments_of(signature))
    ]


def _offsets(values: Sequence[Any]) -> pa.Array:
    """Returns where the elements of each list begin; null for a list that is null."""
    ends = np.cumsum([0, *(0 if value is None else len(value) for value in values)])
    missing = np.array([*(value is None for value in values), False])
    return pa.array(ends.astype(np.int32), mask=missing)


def _timestamps(values: Sequence[str | None], type_: pa.TimestampType) -> pa.Array:
    texts = [value for value in values if value is not None]
    places = [text.rpartition(" ") for text in texts] if type_.tz else []
    ticks = _ticks([text for text, _, _ in places] or texts, type_.unit)
    _to_utc(ticks, [zone for _, _, zone in places], type_.unit)
    missing = np.array([value is None for value in values], bool)
    placed = np.zeros(len(values), np.int64)
    placed[~missing] = ticks
    return pa.array(placed, mask=missing).cast(type_)


def _ticks(texts: Sequence[str], unit: str) -> _Ints:
    """Returns local times, all with as many digits, in a unit since 1970."""
    if not texts:
        return np.zeros(0, np.int64)
    # All have the digits of the type; other years have a sign.
    for text in texts:
        if text[0] in "+-":
            raise ValueError(f"{text}, which is not in the years 0001 to 9999")
    array = pa.array(texts, pa.string())
    whole = pc.utf8_slice_codeunits(array, 0, _SECONDS).cast(pa.timestamp("s"))
    ticks: _Ints = whole.cast(pa.int64()).to_numpy(zero_copy_only=False)
    if unit == "ns" and np.abs(ticks).max() > _NANOSECONDS_TO:
        far = texts[int(np.abs(ticks).argmax())]
        raise ValueError(f"{far}, too far from 1970 for nanoseconds; cast it to timestamp(6)")
    ticks = ticks * _PER_SECOND[unit]
    digits = len(texts[0]) - _SECONDS - 1
    if digits > 0:
        fraction = pc.utf8_slice_codeunits(array, _SECONDS + 1, _SECONDS + 10).cast(pa.int64())
        ticks += fraction.to_numpy(zero_copy_only=False) * (_PER_SECOND[unit] // 10**digits)
    return ticks


def _to_utc(ticks: _Ints, zones: Sequence[str], unit: str) -> None:
    """Moves local times to UTC, in place."""
    for zone in set(zones) - {"UTC"}:
        there = np.array([each == zone for each in zones])
        offset = _OFFSET.fullmatch(zone)
        if offset:
            seconds = (int(offset.group(2)) * 60 + int(offset.group(3))) * 60
            ticks[there] -= int(f"{offset.group(1)}{seconds}") * _PER_SECOND[unit]
            continue
        local = pa.array(ticks[there]).cast(pa.timestamp(unit))
        try:
            known = pc.assume_timezone(local, zone, ambiguous="raise", nonexistent="raise")
        except pa.ArrowInvalid as error:
            raise ValueError(f"{str(error).splitlines()[0]}; {_IN_UTC}") from error
        ticks[there] = known.cast(pa.int64()).to_numpy(zero_copy_only=False)


def _milliseconds(text: str) -> int:
    """Returns an interval, as in ``-0 00:01:30.000``."""
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no interval")
    days, hours, minutes, seconds, fraction = map(int, match.groups()[1:])
    whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return (whole * 1000 + fraction) * (-1 if match.group(1) else 1)


def _time(text: str) -> int:
    """Returns the time of a day in units of its last digit, as in ``12:34:56.123``."""
    hours, minutes, seconds = text.split(":")
    whole, _, fraction = seconds.partition(".")
    # As many digits as Arrow's unit has, which may be more than the type's.
    digits = next(each for each in _UNITS if each >= len(fraction))
    seconds_of_day = (int(hours) * 60 + int(minutes)) * 60 + int(whole)
    return seconds_of_day * _PER_SECOND[_UNITS[digits]] + int(fraction.ljust(digits, "0") or 0)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "real": float,
    "double": float,
    "decimal": Decimal,
    "varbinary": lambda text: base64.b64decode(text, validate=True),
    "date": datetime.date.fromisoformat,
    "time": _time,
    "interval day to second": _milliseconds,
}
