import datetime
import decimal

import pyarrow as pa
import pytest

from tfx_wine_ext.columnar.casts import cast_values, parsed_value

D = decimal.Decimal


@pytest.mark.parametrize(
    ("array", "target", "values"),
    [
        (pa.array([1.0, None, 3.0]), "int64", [1, None, 3]),
        (pa.array(["15", None]), "int64", [15, None]),
        (pa.array([15, None]), "bytes", ["15", None]),
        (pa.array([D("0.0000001"), None], pa.decimal128(9, 7)), "bytes", ["0.0000001", None]),
        (pa.array([b"\xff"]), "bytes", [b"\xff"]),
        (pa.array([7], pa.timestamp("s")), "int64", [7]),
        (pa.array([datetime.time(0, 1)], pa.time32("s")), "int64", [60]),
        (pa.array(["1.5"]), "float32", [1.5]),
        (pa.array([1.5], pa.float32()), "float32", [1.5]),
    ],
)
def test_values_are_converted_and_nulls_stay(array, target, values):
    assert cast_values(array, target).to_pylist() == values


def test_an_alias_of_arrow_is_arrows_safe_cast():
    assert cast_values(pa.array([3, None]), "int8").type == pa.int8()
    with pytest.raises(pa.ArrowInvalid):
        cast_values(pa.array([300]), "int8")


def test_a_value_that_the_type_does_not_hold_is_an_error():
    with pytest.raises(pa.ArrowInvalid, match="truncated"):
        cast_values(pa.array([1.5]), "int64")
    with pytest.raises(ValueError, match="nonsense"):
        cast_values(pa.array([1.5]), "nonsense")


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("2024-10-04", pa.date32(), datetime.date(2024, 10, 4)),
        ("12:30:00", pa.time64("us"), datetime.time(12, 30)),
        ("2024-10-04T12:00:00", pa.timestamp("us"), datetime.datetime(2024, 10, 4, 12)),
        (
            "2024-10-04T12:00:00Z",
            pa.timestamp("us", "UTC"),
            datetime.datetime(2024, 10, 4, 12, tzinfo=datetime.timezone.utc),
        ),
        ("2024-10-04T12:00:00.123456789", pa.timestamp("ns"), "2024-10-04T12:00:00.123456789"),
        ("1.50", pa.decimal128(5, 2), D("1.50")),
        (3, pa.int64(), 3),
    ],
)
def test_text_is_parsed_where_arrow_reads_only_some_formats(text, type_, value):
    assert parsed_value(text, type_) == value


@pytest.mark.parametrize(
    ("text", "type_"),
    [("2024-10-04T12:00:00Z", pa.timestamp("us")), ("2024-10-04", pa.timestamp("us", "UTC"))],
)
def test_a_zone_on_one_side_only_is_an_error(text, type_):
    with pytest.raises(ValueError, match="expected a time zone in both of them, or in neither"):
        parsed_value(text, type_)
