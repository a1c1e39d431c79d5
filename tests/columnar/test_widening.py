"""The type that holds the values of two, and conversion to it."""

import datetime
import decimal
import itertools

import pyarrow as pa
import pytest

from tfx_wine_ext.columnar.widening import InexactValueError, widened, wider_type

from .tables import LabelType

D = decimal.Decimal
UTC = datetime.timezone.utc


@pytest.mark.parametrize(
    ("one", "other", "wider"),
    [
        (pa.int8(), pa.uint8(), pa.int16()),
        (pa.int64(), pa.uint64(), pa.decimal128(20, 0)),
        (pa.uint64(), pa.int8(), pa.decimal128(20, 0)),
        (pa.float16(), pa.float64(), pa.float64()),
        (pa.int64(), pa.float32(), pa.float64()),
        (pa.int8(), pa.float32(), pa.float32()),
        (pa.decimal128(10, 2), pa.decimal128(20, 4), pa.decimal128(20, 4)),
        (pa.decimal128(10, 0), pa.decimal128(5, 5), pa.decimal128(15, 5)),
        (pa.decimal128(38, 0), pa.decimal128(10, 2), pa.decimal256(40, 2)),
        (pa.decimal128(10, 2), pa.decimal256(20, 2), pa.decimal128(20, 2)),
        (pa.decimal128(3, 2), pa.int64(), pa.decimal128(21, 2)),
        (pa.decimal256(76, 0), pa.decimal128(10, 2), None),
        (pa.decimal128(10, 2), pa.float64(), None),
        (pa.decimal128(20, 0), pa.float32(), pa.float64()),
        (pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.timestamp("ns", "UTC"), pa.timestamp("s", "UTC"), pa.timestamp("ns", "UTC")),
        (pa.timestamp("us", "UTC"), pa.timestamp("us", "Europe/Berlin"), None),
        (pa.timestamp("us", "UTC"), pa.timestamp("us"), None),
        (pa.date32(), pa.date64(), pa.date64()),
        (pa.date32(), pa.timestamp("s"), pa.timestamp("s")),
        (pa.date64(), pa.timestamp("s"), pa.timestamp("ms")),
        (pa.date32(), pa.timestamp("us", "UTC"), None),
        (pa.time32("s"), pa.time32("ms"), pa.time32("ms")),
        (pa.time32("ms"), pa.time64("us"), pa.time64("us")),
        (pa.duration("s"), pa.duration("ns"), pa.duration("ns")),
        (pa.time32("s"), pa.timestamp("s"), None),
        (pa.date32(), pa.int32(), None),
        (pa.bool_(), pa.int8(), None),
        (pa.string(), pa.int8(), None),
        (pa.string(), pa.binary(), None),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.large_binary(), pa.binary(), pa.large_binary()),
        (pa.binary(4), pa.binary(8), pa.binary()),
        (pa.null(), pa.list_(pa.int8()), pa.list_(pa.int8())),
        (pa.dictionary(pa.int8(), pa.string()), pa.string(), pa.string()),
        (
            pa.dictionary(pa.int8(), pa.timestamp("ms")),
            pa.dictionary(pa.int32(), pa.timestamp("us")),
            pa.timestamp("us"),
        ),
        (pa.list_(pa.int8()), pa.large_list(pa.int64()), pa.large_list(pa.int64())),
        (LabelType(), pa.string(), pa.string()),
        (pa.list_(pa.large_string()), pa.list_(LabelType()), pa.list_(pa.large_string())),
        (pa.list_(pa.int8(), 3), pa.list_(pa.int8(), 2), pa.list_(pa.int8())),
        (pa.list_(pa.date32()), pa.list_(pa.timestamp("us")), pa.list_(pa.timestamp("us"))),
        (pa.list_(pa.bool_()), pa.list_(pa.int8()), None),
        (
            pa.struct([("a", pa.int8())]),
            pa.struct([("b", pa.string()), ("a", pa.int64())]),
            pa.struct([("a", pa.int64()), ("b", pa.string())]),
        ),
        (pa.struct([("a", pa.bool_())]), pa.struct([("a", pa.int8())]), None),
        (
            pa.struct([("a", pa.struct([("b", pa.int8())]))]),
            pa.struct([("a", pa.struct([("c", pa.int8())]))]),
            pa.struct([("a", pa.struct([("b", pa.int8()), ("c", pa.int8())]))]),
        ),
    ],
    ids=str,
)
def test_the_wider_of_two_types_is_the_same_whichever_comes_first(one, other, wider):
    assert wider_type(one, other) == wider
    assert sorted_fields(wider_type(other, one)) == sorted_fields(wider)


def sorted_fields(type_):
    if type_ is None or not pa.types.is_struct(type_):
        return type_
    fields = [type_[index] for index in range(type_.num_fields)]
    return sorted((field.name, str(sorted_fields(field.type))) for field in fields)


@pytest.mark.parametrize(
    "types",
    [
        [pa.int64(), pa.uint64(), pa.float32()],
        [pa.int8(), pa.uint64(), pa.decimal128(5, 2)],
        [pa.date32(), pa.timestamp("s"), pa.date64()],
        [pa.dictionary(pa.int8(), pa.string()), pa.null(), pa.large_string(), pa.string()],
        [pa.list_(pa.null()), pa.list_(pa.int64()), pa.large_list(pa.uint64()), pa.null()],
        [pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")],
    ],
    ids=str,
)
def test_the_order_of_the_files_does_not_decide_the_type(types):
    def of_all(order):
        found = order[0]
        for type_ in order[1:]:
            found = found and wider_type(found, type_)
        return found

    assert len({of_all(order) for order in itertools.permutations(types)}) == 1


DAY = datetime.date(2024, 2, 29)
MOMENT = datetime.datetime(2024, 2, 29, 12, 30)
SAMPLES = [
    ([0, -128, 127, None], pa.int8()),
    ([2**63 - 1, -(2**63), None], pa.int64()),
    ([2**64 - 1, 0, None], pa.uint64()),
    ([1.5, None], pa.float32()),
    ([0.1, float("inf"), None], pa.float64()),
    ([D("12345678.91"), None], pa.decimal128(10, 2)),
    ([D("-1234567890123456.7891"), None], pa.decimal128(20, 4)),
    ([D(10**38 - 1), None], pa.decimal128(38, 0)),
    ([DAY, None], pa.date32()),
    ([DAY, None], pa.date64()),
    ([MOMENT, None], pa.timestamp("s")),
    ([MOMENT, None], pa.timestamp("us")),
    ([datetime.datetime(9999, 12, 31), None], pa.timestamp("us")),
    ([MOMENT.replace(tzinfo=UTC), None], pa.timestamp("ms", "UTC")),
    ([MOMENT.replace(tzinfo=UTC, microsecond=7), None], pa.timestamp("us", "UTC")),
    ([datetime.time(23, 59, 59), None], pa.time32("s")),
    ([datetime.time(23, 59, 59, 1000), None], pa.time32("ms")),
    ([datetime.time(23, 59, 59, 1), None], pa.time64("us")),
    ([datetime.timedelta(days=-3), None], pa.duration("s")),
    ([datetime.timedelta(microseconds=5), None], pa.duration("us")),
    (["a", "", None], pa.string()),
    (["b", None], pa.large_string()),
    (["b", None, "b"], pa.dictionary(pa.int8(), pa.string())),
    ([b"abcd", None], pa.binary(4)),
    ([b"a", None], pa.large_binary()),
    ([[1, None], [], None, [2]], pa.list_(pa.int8())),
    ([[1, 2], None], pa.list_(pa.int64(), 2)),
    ([[MOMENT], None], pa.large_list(pa.timestamp("ms"))),
    ([[DAY, None], None], pa.list_(pa.date32())),
    ([{"a": 1, "b": "x"}, None, {"a": None, "b": None}], pa.struct([("a", "i1"), ("b", "str")])),
    ([{"c": [1.5]}, None], pa.struct([("c", pa.list_(pa.float32()))])),
    ([None, None], pa.null()),
]


def plain(value):
    """What a value is without its type: a date is its midnight, a struct what it holds."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime.combine(value, datetime.time())
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if each is not None}
    return [plain(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("sliced", [False, True])
def test_every_value_is_what_it_was_after_widening_or_it_is_an_error(sliced):
    pairs, inexact = 0, []
    for (values, type_), (_, other) in itertools.permutations(SAMPLES, 2):
        wider = wider_type(type_, other)
        if wider is None:
            continue
        array = pa.array(values, type_)
        if sliced:
            array, values = pa.concat_arrays([array, array]).slice(1), [*values, *values][1:]
        pairs += 1
        try:
            found = widened(array, wider)
        except InexactValueError:
            inexact.append((str(type_), str(wider)))
            continue
        found.validate(full=True)
        assert found.type == wider
        assert list(map(plain, found.to_pylist())) == list(map(plain, values)), (type_, wider)
    assert pairs > 100
    # A float64 is no whole number of 19 digits and more.
    assert sorted(set(inexact)) == [
        ("decimal128(38, 0)", "double"),
        ("int64", "double"),
        ("uint64", "double"),
    ]


@pytest.mark.parametrize(
    ("array", "type_", "value"),
    [
        (pa.array([1, 2**53 + 1]), pa.float64(), "9007199254740993"),
        (pa.array([D(1), D(2**63)], pa.decimal128(20)), pa.float64(), "Decimal('922337"),
        (
            pa.array([MOMENT, datetime.datetime(9999, 12, 31)], pa.timestamp("s")),
            pa.timestamp("ns"),
            "datetime.datetime(9999, 12, 31, 0, 0)",
        ),
        (pa.array([DAY, datetime.date(9999, 1, 1)]), pa.timestamp("ns"), "datetime.date(9999, 1,"),
        (
            pa.array([None, 2**31 - 1], pa.int32()).view(pa.date32()),
            pa.timestamp("us"),
            "2147483647 D",
        ),
        (pa.array([2**62]).view(pa.timestamp("s")), pa.timestamp("ms"), f"{2**62} s"),
        (pa.array([[1, 2**60]]), pa.list_(pa.float64()), "[1, 1152921504606846976]"),
    ],
    ids=str,
)
def test_a_value_that_the_wider_type_does_not_hold_is_named(array, type_, value):
    with pytest.raises(InexactValueError) as error:
        widened(array, type_)

    assert error.value.value.startswith(value)


def test_a_field_that_a_struct_lacks_is_null_and_a_null_struct_stays_null():
    array = pa.array([{"a": 1}, None], pa.struct([("a", pa.int8())]))

    found = widened(array, pa.struct([("b", pa.string()), ("a", pa.int64())]))

    assert found.to_pylist() == [{"b": None, "a": 1}, None]
