import pyarrow as pa
import pytest

from tfx_wine_ext.columnar.widening import InexactValueError
from tfx_wine_ext.sources.field_ids import (
    Field,
    FieldTypeError,
    check_readable,
    fields_of_file,
    missing,
    read_as,
)


def with_id(name, type_, id_):
    return pa.field(name, type_, metadata={"PARQUET:field_id": str(id_)})


def read(column, wanted, array, constants=None):
    """Reads an array as a file's column of a type with ids."""
    [found] = fields_of_file(pa.schema([column]))
    check_readable(found, wanted)
    result = read_as(array, found, wanted, constants or {})
    result.validate(full=True)
    assert result.type == wanted.type
    return result.to_pylist()


def test_structs_in_lists_are_read_by_the_ids_of_their_fields():
    in_file = pa.struct([with_id("a", pa.int32(), 3), with_id("b", pa.string(), 4)])
    column = with_id("l", pa.list_(with_id("element", in_file, 2)), 1)
    children = (Field(5, "a", pa.string()), Field(3, "b", pa.int64()))
    element = Field(2, "element", pa.struct([("a", pa.string()), ("b", pa.int64())]), children)
    wanted = Field(1, "l", pa.list_(element.type), (element,))
    rows = [[{"a": 0, "b": "-"}], [{"a": 1, "b": "x"}, None], None, [], [{"a": 2, "b": None}]]
    expected = [[{"a": None, "b": 1}, None], None, [], [{"a": None, "b": 2}]]
    for type_ in (column.type, pa.large_list(column.type.value_field)):
        array = pa.array(rows, type_).slice(1)
        assert read(with_id("l", type_, 1), wanted, array) == expected
    assert read(column, wanted, pa.array([None, None], column.type)) == [None, None]
    filled = {5: pa.array(["new"])}
    assert read(column, wanted, pa.array(rows[:1], column.type), filled) == [[{"a": "new", "b": 0}]]


def test_maps_are_read_with_keys_and_values_of_the_types_of_the_table():
    in_file = pa.struct([with_id("a", pa.int32(), 4)])
    type_ = pa.map_(
        with_id("k", pa.large_string(), 2).with_nullable(False), with_id("v", in_file, 3)
    )
    value = Field(3, "value", pa.struct([("z", pa.int64())]), (Field(4, "z", pa.int64()),))
    children = (Field(2, "key", pa.string()), value)
    wanted = Field(1, "m", pa.map_(pa.string(), value.type), children)
    rows = [[("a", {"a": 1})], None, [], [("b", None), ("c", {"a": 3})]]
    array = pa.array([[("-", None)], *rows], type_).slice(1)
    expected = [[("a", {"z": 1})], None, [], [("b", None), ("c", {"z": 3})]]
    assert read(with_id("m", type_, 1), wanted, array) == expected


@pytest.mark.parametrize(
    ("array", "type_", "expected"),
    [
        (pa.array([1], pa.int32()), pa.int64(), [1]),
        (pa.array([0.5], pa.float32()), pa.float64(), [0.5]),
        (pa.array(["a", None]).dictionary_encode(), pa.string(), ["a", None]),
        (pa.array([b"a"], pa.large_binary()), pa.binary(), [b"a"]),
        (pa.array([5_000], pa.timestamp("ns")), pa.timestamp("us"), [5]),
        (pa.array([5], pa.timestamp("ms", "Europe/Rome")), pa.timestamp("us", "UTC"), [5_000]),
        (pa.array([5_000], pa.time64("ns")), pa.time64("us"), [5]),
        (pa.nulls(2), pa.int64(), [None, None]),
    ],
)
def test_values_are_converted_to_the_type_of_the_table(array, type_, expected):
    found, wanted = Field(1, "x", array.type), Field(1, "x", type_)
    check_readable(found, wanted)
    result = read_as(array, found, wanted, {})
    assert result.type == type_
    storage = pa.int64() if pa.types.is_temporal(type_) else type_
    assert result.view(storage).to_pylist() == expected


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (pa.int64(), pa.int32()),
        (pa.string(), pa.binary()),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us", "UTC"), pa.timestamp("us")),
        (pa.decimal128(9, 3), pa.decimal128(9, 2)),
        (pa.list_(pa.int64()), pa.int64()),
    ],
)
def test_types_that_may_lose_values_are_refused(found, wanted):
    with pytest.raises(FieldTypeError, match=r"column 'x': expected .*, found"):
        check_readable(Field(1, "x", found), Field(1, "x", wanted))


def test_the_field_within_a_column_is_named():
    [found] = fields_of_file(
        pa.schema([with_id("s", pa.struct([with_id("a", pa.string(), 2)]), 1)])
    )
    wanted = Field(1, "s", pa.struct([("b", pa.int64())]), (Field(2, "b", pa.int64()),))
    with pytest.raises(FieldTypeError, match=r"column 's.b': expected int64, found string"):
        check_readable(found, wanted)
    with pytest.raises(FieldTypeError, match="column 's': expected struct<b: int64>, found int8"):
        check_readable(Field(1, "s", pa.int8()), wanted)


def test_a_value_that_does_not_fit_is_an_error():
    nanoseconds = pa.array([1], pa.timestamp("ns"))
    with pytest.raises(pa.ArrowInvalid, match="would lose data: 1"):
        read_as(nanoseconds, Field(1, "x", nanoseconds.type), Field(1, "x", pa.timestamp("us")), {})
    large = pa.array([2**53 + 1])
    with pytest.raises(InexactValueError, match="9007199254740993"):
        read_as(large, Field(1, "x", large.type), Field(1, "x", pa.float64()), {})


def test_names_are_used_only_in_files_without_any_ids():
    nested = pa.struct([("p", pa.int8())])
    schema = pa.schema([("x", pa.int8()), ("s", nested), ("l", pa.list_(nested)), ("y", pa.int8())])
    names = {
        "x": (1, {}),
        "s": (2, {"p": (3, {})}),
        "l": (4, {"element": (5, {"p": (6, {})})}),
    }
    assert [field.id for each in fields_of_file(schema, names) for field in each.all()] == [
        *(1, 2, 3, 4, 5, 6, None)
    ]
    schema = pa.schema([pa.field("x", pa.int8()), with_id("s", pa.int8(), 7)])
    assert [field.id for field in fields_of_file(schema, names)] == [None, 7]


def test_fields_that_a_file_lacks_are_null_or_constant():
    assert missing(Field(1, "x", pa.int64()), 2, {}).to_pylist() == [None, None]
    assert missing(Field(1, "x", pa.string()), 2, {1: pa.array(["a"])}).to_pylist() == ["a", "a"]
