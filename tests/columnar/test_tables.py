"""Files of several schemas as one table."""

import datetime
import re
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.columnar import EncodeOptions, plan_features
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.sources.footers import ParquetFileError
from tfx_wine_ext.sources.schemas import NoCommonTypeError

from .shards import (
    FILES,
    examples,
    ids,
    out,
    plan,
    write,
)
from .shards import ingest as run


def two_files(tmp_path, first, second):
    write(f"{tmp_path}/two/a", first)
    write(f"{tmp_path}/two/b", second)
    return f"{tmp_path}/two/*"


@pytest.mark.parametrize(
    ("second", "difference"),
    [
        ({"id": [1]}, "column 'x' is double in the first and missing in the second"),
        ({"id": [1], "x": [1]}, "column 'x' is double in the first and int64 in the second"),
        ({"id": [1], "x": [1.0], "y": [1]}, "column 'y' is missing in the first and int64 in the"),
        ({"x": [1], "y": [1]}, r"column 'id' is .*; column 'x' is .*; column 'y' is missing in"),
    ],
)
def test_files_whose_columns_differ_are_refused_by_file_and_column(tmp_path, second, difference):
    pattern = two_files(tmp_path, pa.table({"id": [0], "x": [0.5]}), pa.table(second))
    with pytest.raises(ParquetFileError, match=f"found that {difference}") as caught:
        plan(pattern)
    assert caught.value.path == f"{tmp_path}/two/b"
    assert caught.value.expected == f"the schema of the first file, {tmp_path}/two/a"
    assert Remedy(Option.UNIFY_SCHEMAS, True) in caught.value.remedies


def test_the_order_of_columns_and_metadata_may_differ(tmp_path):
    first = pa.table({"id": [0], "x": [0.5]})
    second = pa.table({"x": [1.5], "id": [1]}).replace_schema_metadata({"made": "by hand"})
    run(two_files(tmp_path, first, second), out(tmp_path))
    assert examples(out(tmp_path)) == [
        {"id": ("int64_list", [0]), "x": ("float_list", [0.5])},
        {"id": ("int64_list", [1]), "x": ("float_list", [1.5])},
    ]


@pytest.mark.parametrize("unify", [False, True])
@pytest.mark.parametrize(
    "encode", [EncodeOptions(exclude_columns=("s",)), EncodeOptions(columns=("id",))]
)
def test_what_is_left_out_may_differ(tmp_path, encode, unify):
    first = pa.table({"id": [0], "s": [{"a": 1, "b": "x"}]})
    second = pa.table({"id": [1], "s": [{"a": [1]}]})
    run(two_files(tmp_path, first, second), out(tmp_path), encode=encode, unify_schemas=unify)
    assert ids(out(tmp_path)) == [0, 1]


def test_a_column_more_or_less_is_null_where_it_is_missing_if_schemas_are_unified(tmp_path):
    first = pa.table({"id": [0], "x": [0.5]})
    second = pa.table({"tags": [["a"]], "id": [1]})
    run(two_files(tmp_path, first, second), out(tmp_path), unify_schemas=True)
    assert examples(out(tmp_path)) == [
        {"id": ("int64_list", [0]), "x": ("float_list", [0.5]), "tags": None},
        {"id": ("int64_list", [1]), "x": None, "tags": ("bytes_list", [b"a"])},
    ]


def test_a_file_with_none_of_the_columns_that_are_read_gives_rows_without_features(tmp_path):
    pattern = two_files(tmp_path, pa.table({"x": [0.5]}), pa.table({"z": [1, 2]}))
    encode = EncodeOptions(columns=("x",))
    run(pattern, out(tmp_path), encode=encode, unify_schemas=True)
    assert examples(out(tmp_path)) == [{"x": ("float_list", [0.5])}, {"x": None}, {"x": None}]


@pytest.mark.parametrize(
    ("first", "second", "unified"),
    [
        (pa.int8(), pa.int64(), pa.int64()),
        (pa.int64(), pa.int8(), pa.int64()),
        (pa.uint8(), pa.int8(), pa.int16()),
        (pa.uint32(), pa.int32(), pa.int64()),
        (pa.uint8(), pa.uint64(), pa.uint64()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.int16(), pa.float32(), pa.float32()),
        (pa.float32(), pa.int32(), pa.float64()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.null(), pa.string(), pa.string()),
        (pa.list_(pa.int8()), pa.null(), pa.list_(pa.int8())),
        (pa.list_(pa.int8()), pa.list_(pa.int32()), pa.list_(pa.int32())),
        (pa.list_(pa.int8()), pa.list_(pa.field("element", pa.int8())), pa.list_(pa.int8())),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.large_binary(), pa.binary(), pa.large_binary()),
        (pa.dictionary(pa.int32(), pa.string()), pa.string(), pa.string()),
    ],
)
def test_types_are_widened_to_the_one_that_holds_both(tmp_path, first, second, unified):
    def table(number, type_):
        value = number
        if pa.types.is_list(type_):
            value = [number]
        elif not (pa.types.is_integer(type_) or pa.types.is_floating(type_)):
            value = str(number)
        values = [None if pa.types.is_null(type_) else value]
        if pa.types.is_dictionary(type_):
            column = pa.array(values).dictionary_encode()
        else:
            column = pa.array(
                [str(v).encode() for v in values] if "binary" in str(type_) else values, type_
            )
        return pa.table({"x": column})

    pattern = two_files(tmp_path, table(3, first), table(4, second))
    (task,) = plan(pattern, unify_schemas=True)
    assert task.source.whole.field("x").type == unified
    run(pattern, out(tmp_path), unify_schemas=True)
    kind = plan_features(pa.schema({"x": unified})).features[0].kind
    assert examples(out(tmp_path)) == [
        {"x": None if pa.types.is_null(t) else (kind, [str(n).encode() if kind[0] == "b" else n])}
        for n, t in [(3, first), (4, second)]
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([1]), pa.array(["a"])),
        (pa.array([True]), pa.array([1])),
        (pa.array([1], pa.timestamp("s")), pa.array([1], pa.timestamp("us", "UTC"))),
        (pa.array([[1]]), pa.array([["a"]])),
        (pa.array([{"a": 1}]), pa.array([{"a": True}])),
    ],
)
def test_types_that_no_type_holds_both_are_refused_by_file_and_column(tmp_path, first, second):
    pattern = two_files(tmp_path, pa.table({"x": first}), pa.table({"x": second}))
    (one,), (two,) = (pq.ParquetFile(path).schema_arrow.types for path in FILES.glob(pattern))
    with pytest.raises(NoCommonTypeError) as caught:
        plan(pattern, unify_schemas=True)
    error = caught.value
    assert (error.column, error.type, error.other_type) == ("x", one, two)
    assert (error.path, error.other_path) == (f"{tmp_path}/two/a", f"{tmp_path}/two/b")


MOMENT = datetime.datetime(2024, 2, 29, 12, 30)
MICROSECONDS = 1_709_209_800_000_000
DAY = MOMENT.date()
MIDNIGHT = 1_709_164_800_000_000


@pytest.mark.parametrize(
    ("first", "second", "features"),
    [
        (
            pa.array([MOMENT], pa.timestamp("ms")),
            pa.array([MOMENT], pa.timestamp("us")),
            [("int64_list", [MICROSECONDS])] * 2,
        ),
        (
            pa.array([DAY], pa.date32()),
            pa.array([MOMENT], pa.timestamp("us")),
            [("int64_list", [MIDNIGHT]), ("int64_list", [MICROSECONDS])],
        ),
        (
            pa.array([datetime.time(1)], pa.time32("ms")),
            pa.array([datetime.time(2)], pa.time64("us")),
            [("int64_list", [3_600_000_000]), ("int64_list", [7_200_000_000])],
        ),
        (
            pa.array([Decimal("1.25")], pa.decimal128(10, 2)),
            pa.array([Decimal("0.5")], pa.decimal128(20, 4)),
            [("float_list", [1.25]), ("float_list", [0.5])],
        ),
        (
            pa.array([Decimal("1.25")], pa.decimal128(38, 2)),
            pa.array([Decimal("0.5")], pa.decimal128(38, 4)),
            [("float_list", [1.25]), ("float_list", [0.5])],
        ),
        (
            pa.array([-(2**63)], pa.int64()),
            pa.array([2**63 - 1], pa.uint64()),
            [("int64_list", [-(2**63)]), ("int64_list", [2**63 - 1])],
        ),
        (
            pa.array([[MOMENT]], pa.list_(pa.timestamp("ms"))),
            pa.array([[MOMENT, MOMENT]], pa.large_list(pa.timestamp("us"))),
            [("int64_list", [MICROSECONDS]), ("int64_list", [MICROSECONDS] * 2)],
        ),
        (
            pa.array([MOMENT], pa.timestamp("ms")).dictionary_encode(),
            pa.array([DAY], pa.date32()).dictionary_encode(),
            [("int64_list", [MICROSECONDS]), ("int64_list", [MIDNIGHT])],
        ),
        (
            pa.array([[1, 2]], pa.list_(pa.int8(), 2)),
            pa.array([[300]], pa.list_(pa.int16())),
            [("int64_list", [1, 2]), ("int64_list", [300])],
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("turned", [False, True])
def test_files_whose_types_differ_are_read_as_one(tmp_path, first, second, features, turned):
    tables = [pa.table({"x": first}), pa.table({"x": second})]
    pattern = two_files(tmp_path, *(tables[::-1] if turned else tables))

    run(pattern, out(tmp_path), unify_schemas=True)

    expected = [{"x": feature} for feature in features]
    assert examples(out(tmp_path)) == (expected[::-1] if turned else expected)
    with pytest.raises(ValueError, match="unify_schemas=True"):
        plan(pattern)


@pytest.mark.parametrize("rows", range(1, 6))
@pytest.mark.parametrize("type_", [pa.list_(pa.float64()), pa.list_(pa.int16()), pa.string()])
def test_a_column_of_any_type_may_be_missing_in_a_file_of_any_length(tmp_path, rows, type_):
    first = pa.table({"y": pa.array([], type_)})
    pattern = two_files(tmp_path, first, pa.table({"z": [0.5] * rows}))
    run(pattern, out(tmp_path), unify_schemas=True)
    assert examples(out(tmp_path)) == [{"y": None, "z": ("float_list", [0.5])}] * rows


def test_a_struct_may_gain_and_lose_fields(tmp_path):
    first = pa.array([{"a": 1, "b": "u"}, None])
    second = pa.array([{"c": [0.5], "a": 2.5}])
    pattern = two_files(tmp_path, pa.table({"s": first}), pa.table({"s": second}))

    run(pattern, out(tmp_path), unify_schemas=True)

    assert examples(out(tmp_path)) == [
        {"s.a": ("float_list", [1.0]), "s.b": ("bytes_list", [b"u"]), "s.c": None},
        {"s.a": None, "s.b": None, "s.c": None},
        {"s.a": ("float_list", [2.5]), "s.b": None, "s.c": ("float_list", [0.5])},
    ]


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (
            pa.array([datetime.datetime(9999, 12, 31)], pa.timestamp("s")),
            pa.array([MOMENT], pa.timestamp("ns")),
            "the common type of all files, found datetime.datetime(9999, 12, 31, 0, 0)",
        ),
        (
            pa.array([datetime.date(9999, 12, 31)]),
            pa.array([MOMENT], pa.timestamp("ns")),
            "timestamp[ns], the common type of all files, found datetime.date(9999, 12, 31)",
        ),
        (
            pa.array([-1]),
            pa.array([2**63], pa.uint64()),
            "'x': expected a number that fits an int64 feature, found 9223372036854775808",
        ),
    ],
)
def test_a_value_that_the_common_type_or_feature_does_not_hold_is_an_error(
    tmp_path, first, second, found
):
    for name, column in [("a", first), ("b", second)]:
        write(f"{tmp_path}/in/{name}", pa.table({"x": column}), version="2.6")
    with pytest.raises(ParquetFileError, match=re.escape(found)):
        run(f"{tmp_path}/in/*", out(tmp_path), unify_schemas=True)


@pytest.mark.parametrize(
    ("first", "second", "low"),
    [
        (
            pa.array([MOMENT, None], pa.timestamp("ms")),
            pa.array([datetime.datetime(2025, 1, 1)], pa.timestamp("us")),
            datetime.datetime(2024, 12, 1),
        ),
        (pa.array([DAY]), pa.array([MOMENT], pa.timestamp("us")), MOMENT.replace(hour=1)),
        (pa.array([Decimal("1.25")]), pa.array([Decimal("1.5000")]), Decimal("1.3")),
        (pa.array([-1]), pa.array([2**63 - 1], pa.uint64()), 0),
    ],
)
def test_filters_hold_on_columns_whose_types_differ(tmp_path, first, second, low):
    pattern = two_files(tmp_path, pa.table({"x": first}), pa.table({"x": second}))
    run(pattern, out(tmp_path), unify_schemas=True, filters=[("x", ">", low)])
    run(pattern, out(tmp_path, "not"), unify_schemas=True, filters=[("x", "<=", low)])
    both = len(examples(out(tmp_path))), len(examples(out(tmp_path, "not")))
    assert both == (1, 1)


def test_of_three_files_the_two_that_conflict_are_named(tmp_path):
    for name, column in [("a", [1]), ("b", [0.5]), ("c", ["x"])]:
        write(f"{tmp_path}/in/{name}", pa.table({"x": pa.array(column)}))
    write(f"{tmp_path}/in/b", pa.table({"x": pa.nulls(1)}))
    with pytest.raises(NoCommonTypeError) as caught:
        plan(f"{tmp_path}/in/*", unify_schemas=True)
    assert (caught.value.path, caught.value.other_path) == (f"{tmp_path}/in/a", f"{tmp_path}/in/c")


def test_an_integer_that_the_unified_float_does_not_hold_is_an_error_by_file(tmp_path):
    pattern = two_files(tmp_path, pa.table({"x": [2**53 + 1]}), pa.table({"x": [0.5]}))
    (task,) = plan(pattern, unify_schemas=True)
    message = f"{tmp_path}/two/a: column 'x': .* a value of double.*, found 9007199254740993 of typ"
    with pytest.raises(ParquetFileError, match=message):
        write_shard(task, out(tmp_path), FILES)


def test_filters_work_on_unified_columns_that_a_file_lacks_or_has_narrower(tmp_path):
    first = pa.table({"id": pa.array([0, 1], pa.int16())})
    second = pa.table({"id": pa.array([2, 70_000]), "x": [1, 2]})
    pattern = two_files(tmp_path, first, second)
    for filters, expected in [
        ([("id", ">", 0)], [1, 2, 70_000]),
        ([("id", "in", [0, 70_000])], [0, 70_000]),
        ([("x", ">", 1)], [70_000]),
    ]:
        run(pattern, out(tmp_path), filters=filters, unify_schemas=True)
        assert ids(out(tmp_path)) == expected


def duplicated(values):
    return pa.Table.from_arrays([pa.array(values)] * 2 + [pa.array(values)], ["a", "a", "id"])


@pytest.mark.parametrize("unify", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_two_columns_of_one_name_are_refused_by_file(tmp_path, unify, order):
    one, two = [duplicated([1]), pa.table({"a": [2], "id": [2]})][::order]
    pattern = two_files(tmp_path, one, two)
    path = f"{tmp_path}/two/{'a' if order == 1 else 'b'}"
    message = f"^{path}: expected every column once, found 'a' more than once; rename"
    with pytest.raises(ParquetFileError, match=message):
        plan(pattern, unify_schemas=unify)


@pytest.mark.parametrize("unify", [False, True])
def test_two_columns_of_one_name_that_are_left_out_do_not_matter(tmp_path, unify):
    pattern = two_files(tmp_path, duplicated([1]), duplicated([2]))
    run(pattern, out(tmp_path), encode=EncodeOptions(columns=("id",)), unify_schemas=unify)
    assert ids(out(tmp_path)) == [1, 2]


def test_a_column_that_cannot_become_a_feature_is_refused_by_file_when_planning(tmp_path):
    column = pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))
    path = write(f"{tmp_path}/in", pa.table({"id": [1], "m": column}))
    with pytest.raises(
        ValueError, match=rf"^{tmp_path}/in: expected columns .*\n  'm': .*a map has no form"
    ):
        plan(path)


def test_a_value_that_cannot_be_encoded_is_an_error_by_file_row_group_and_column(tmp_path):
    table = pa.table({"id": range(9), "x": [0.0] * 7 + [1e300, 0.0]})
    path = write(f"{tmp_path}/in", table, row_group_size=3)
    message = (
        f"^{tmp_path}/in: row group 2, column 'x': expected .* float32.*, found "
        r"1e\+300; .*, or leave columns out \(exclude_columns=\('x',\)\)$"
    )
    for seed in (None, 1):
        (task,) = plan(path, filters=[("id", ">", 4)], shuffle_seed=seed)
        with pytest.raises(ParquetFileError, match=message):
            write_shard(task, out(tmp_path), FILES)
