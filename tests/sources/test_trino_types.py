"""JSON values as a Trino server sends them (476), and what becomes of them."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from tfx_wine_ext.sources.trino_types import TrinoTypeError, array_of, arrow_type, type_name


def type_(name, *arguments):
    """The signature of a type, as in the answers of a server."""
    return {"rawType": name, "arguments": [{"kind": "TYPE", "value": each} for each in arguments]}


def row(**fields):
    values = [{"fieldName": {"name": name}, "typeSignature": each} for name, each in fields.items()]
    return type_("row", *values)


UTC = datetime.timezone.utc
BIGINT, DOUBLE, VARCHAR = type_("bigint"), type_("double"), type_("varchar", 2147483647)
ZONED = type_("timestamp with time zone", 3)


@pytest.mark.parametrize(
    ("signature", "arrow", "sent", "found"),
    [
        (type_("boolean"), pa.bool_(), [True, None, False], [True, None, False]),
        (type_("tinyint"), pa.int8(), [-128, None], [-128, None]),
        (BIGINT, pa.int64(), [2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
        (type_("real"), pa.float32(), [0.5, "-Infinity", None], [0.5, float("-inf"), None]),
        (DOUBLE, pa.float64(), [2**60 + 1, 0.1], [float(2**60), 0.1]),
        (
            type_("decimal", 23, 3),
            pa.decimal128(23, 3),
            ["12345678901234567890.123", None],
            [Decimal("12345678901234567890.123"), None],
        ),
        (VARCHAR, pa.string(), ["Grüner", "", None], ["Grüner", "", None]),
        (type_("char", 3), pa.string(), ["a  "], ["a  "]),
        (type_("varbinary"), pa.binary(), ["AP8=", ""], [b"\x00\xff", b""]),
        (type_("date"), pa.date32(), ["1500-02-28"], [datetime.date(1500, 2, 28)]),
        (type_("time", 1), pa.time32("ms"), ["01:00:00.5"], [datetime.time(1, 0, 0, 500_000)]),
        (type_("time", 0), pa.time32("s"), ["23:59:59"], [datetime.time(23, 59, 59)]),
        (type_("time", 6), pa.time64("us"), ["00:00:00.000001"], [datetime.time(0, 0, 0, 1)]),
        (
            type_("timestamp", 6),
            pa.timestamp("us"),
            ["1500-01-01 00:00:00.000001", None],
            [datetime.datetime(1500, 1, 1, 0, 0, 0, 1), None],
        ),
        (
            type_("timestamp"),
            pa.timestamp("ms"),
            ["1970-01-01 00:00:00.000"],
            [datetime.datetime(1970, 1, 1)],
        ),
        (
            ZONED,
            pa.timestamp("ms", "UTC"),
            [
                "2020-07-01 02:00:00.500 Europe/Berlin",
                None,
                "2020-07-01 00:00:00.500 UTC",
                "2020-07-01 05:30:00.500 +05:30",
                "2020-06-30 23:30:00.500 -00:30",
            ],
            [datetime.datetime(2020, 7, 1, 0, 0, 0, 500_000, UTC), None]
            + [datetime.datetime(2020, 7, 1, 0, 0, 0, 500_000, UTC)] * 3,
        ),
        (
            type_("interval day to second"),
            pa.duration("ms"),
            ["-0 00:01:30.000", "1 23:59:55.001"],
            [datetime.timedelta(seconds=-90), datetime.timedelta(1, 86395, 1000)],
        ),
        (type_("json"), pa.string(), ['{"a":[1,null]}'], ['{"a":[1,null]}']),
        (type_("unknown"), pa.null(), [None, None], [None, None]),
        (
            type_("array", BIGINT),
            pa.list_(pa.int64()),
            [[1, None], None, []],
            [[1, None], None, []],
        ),
        (
            type_("array", type_("array", ZONED)),
            pa.list_(pa.list_(pa.timestamp("ms", "UTC"))),
            [[["1970-01-01 00:00:00.000 UTC"], None]],
            [[[datetime.datetime(1970, 1, 1, tzinfo=UTC)], None]],
        ),
        (
            type_("map", BIGINT, type_("varbinary")),
            pa.map_(pa.int64(), pa.binary()),
            [{"1": "AA=="}, None, {}],
            [[(1, b"\x00")], None, []],
        ),
        (
            type_("map", type_("boolean"), DOUBLE),
            pa.map_(pa.bool_(), pa.float64()),
            [{"true": "NaN", "false": None}],
            None,
        ),
        (
            row(a=BIGINT, b=VARCHAR),
            pa.struct([("a", pa.int64()), ("b", pa.string())]),
            [[1, "x"], None, [None, None]],
            [{"a": 1, "b": "x"}, None, {"a": None, "b": None}],
        ),
    ],
)
def test_a_value_arrives_as_it_is(signature, arrow, sent, found):
    assert arrow_type(signature) == arrow
    array = array_of(sent, signature)
    array.validate(full=True)
    assert array.type == arrow
    assert found is None or array.to_pylist() == found
    assert array_of([], signature).type == arrow
    assert array_of([None], signature).to_pylist() == [None]


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (type_("timestamp", 12), r"^timestamp\(12\), .* cast it to timestamp\(6\)$"),
        (type_("timestamp with time zone", 10), r"cast it to timestamp\(6\) with time zone"),
        (type_("array", type_("time", 10)), r"time\(10\), .* cast it to time\(6\)"),
        (type_("interval year to month"), "which has no equal in Arrow; convert it in the query"),
        (type_("time with time zone", 3), r"time\(3\) with time zone, which has no equal"),
        (row(a=type_("HyperLogLog")), "HyperLogLog, which has no equal"),
        (type_("map", row(a=BIGINT), BIGINT), r"map\(row\(a bigint\), bigint\), whose keys"),
    ],
)
def test_a_type_that_arrow_cannot_hold_is_refused(signature, message):
    with pytest.raises(TrinoTypeError, match=message):
        arrow_type(signature)


@pytest.mark.parametrize(
    ("signature", "sent", "message"),
    [
        (type_("date"), "+12345-01-01", "Invalid isoformat"),
        (type_("timestamp", 3), "+12020-01-01 00:00:00.000", "not in the years 0001 to 9999"),
        (type_("timestamp", 9), "3000-01-01 00:00:00.000000001", "too far from 1970"),
        (ZONED, "2020-10-25 02:30:00.500 Europe/Berlin", "ambiguous.*AT TIME ZONE 'UTC'"),
        (ZONED, "2020-03-29 02:30:00.500 Europe/Berlin", "AT TIME ZONE 'UTC'"),
        (ZONED, "2020-03-29 02:30:00.500 Mars/North", "AT TIME ZONE 'UTC'"),
        (type_("interval day to second"), "1 day", "is no interval"),
        (type_("varbinary"), "AP8", "padding"),
        (type_("tinyint"), 300, "too large"),
        (DOUBLE, "many", "could not convert"),
    ],
)
def test_a_value_that_arrow_cannot_hold_is_refused(signature, sent, message):
    with pytest.raises((ValueError, pa.ArrowException), match=message):
        array_of([None, sent], signature)


def test_types_have_trinos_names():
    named = row(a=type_("array", type_("decimal", 3, 1)), b=VARCHAR, c=type_("varchar", 5))
    assert type_name(named) == "row(a array(decimal(3, 1)), b varchar, c varchar(5))"
    nameless = type_("row", {"typeSignature": BIGINT}, {"fieldName": None, "typeSignature": BIGINT})
    assert type_name(nameless) == "row(field0 bigint, field1 bigint)"
