import pickle
import time

import pyarrow as pa
import pytest

from tfx_wine_ext.columnar import (
    EncodeError,
    EncodeOptions,
    UnknownColumnsError,
    UnsupportedColumnsError,
    plan_features,
)
from tfx_wine_ext.errors import Option


def kinds(schema, **options):
    plan = plan_features(pa.schema(schema), EncodeOptions(**options))
    return {feature.name: feature.kind for feature in plan.features}


def test_features_are_in_bytewise_order_whatever_the_order_of_the_columns():
    names = ["b", "B", "ab", "a", "é", "z", "a b"]
    plan = plan_features(pa.schema([(name, pa.int64()) for name in names]))
    assert [feature.name for feature in plan.features] == ["B", "a", "a b", "ab", "b", "z", "é"]
    assert plan.columns == tuple(names)


def test_upb_puts_a_name_after_the_names_that_begin_with_it():
    schema = pa.schema([(name, pa.int64()) for name in ["", "a", "ab", "abc", "b"]])
    plan = plan_features(schema, EncodeOptions(key_order="upb"))
    assert [feature.name for feature in plan.features] == ["abc", "ab", "a", "b", ""]


def test_columns_and_exclude_columns_choose_columns_and_fields_of_structs():
    inner = pa.struct({"c": pa.string(), "d": pa.float32()})
    schema = {"a": pa.int64(), "b": pa.struct({"x": inner, "y": pa.int8()})}
    everything = {
        "a": "int64_list",
        "b.x.c": "bytes_list",
        "b.x.d": "float_list",
        "b.y": "int64_list",
    }
    assert kinds(schema) == everything
    assert kinds(schema, columns=("b",), exclude_columns=("b.x",)) == {"b.y": "int64_list"}
    assert kinds(schema, columns=("b.x", "a"), exclude_columns=("a",)) == {
        "b.x.c": "bytes_list",
        "b.x.d": "float_list",
    }
    plan = plan_features(pa.schema(schema), EncodeOptions(columns=("b.y",)))
    assert plan.columns == ("b",)
    assert plan.features[0].path == ("b", "y")


def test_all_offending_columns_are_named_in_one_error_with_the_remedy():
    schema = pa.schema(
        {
            "map": pa.map_(pa.string(), pa.int64()),
            "good": pa.int64(),
            "nested": pa.list_(pa.list_(pa.int64())),
            "s": pa.struct({"structs": pa.list_(pa.struct({"a": pa.int64()}))}),
            "union": pa.dense_union([pa.field("a", pa.int64()), pa.field("b", pa.string())]),
            "interval": pa.month_day_nano_interval(),
        }
    )
    with pytest.raises(UnsupportedColumnsError) as error:
        plan_features(schema)
    assert [name for name, _ in error.value.problems] == [
        "map",
        "nested",
        "s.structs",
        "union",
        "interval",
    ]
    message = str(error.value)
    assert "'nested': list<item: list<item: int64>>: a list of lists has no form" in message
    assert "'map': map<string, int64>: a map has no form as a feature" in message
    assert "exclude_columns=('map', 'nested', 's.structs', 'union', 'interval')" in message
    plan = plan_features(schema, EncodeOptions(exclude_columns=error.value.columns))
    assert [feature.name for feature in plan.features] == ["good"]


def test_two_columns_of_one_feature_name_are_refused_until_one_is_left_out():
    schema = pa.schema([("a.b", pa.int64()), ("a", pa.struct({"b": pa.int64()}))])
    with pytest.raises(UnsupportedColumnsError, match=r"column 'a\.b', field 'b' of column 'a'"):
        plan_features(schema)
    assert kinds(schema, exclude_columns=("a",)) == {"a.b": "int64_list"}
    twice = pa.schema([("a", pa.int64()), ("a", pa.string()), ("b", pa.int64())])
    with pytest.raises(UnsupportedColumnsError, match=r"'a': 2 columns would .*: column 'a', col"):
        plan_features(twice)
    assert kinds(twice, exclude_columns=("a",)) == {"b": "int64_list"}


@pytest.mark.parametrize(
    ("options", "argument", "known", "found"),
    [
        ({"columns": ("a", "x", "y")}, Option.COLUMNS, "('a', 'b')", "('x', 'y')"),
        ({"exclude_columns": ("x",)}, Option.EXCLUDE_COLUMNS, "('a', 'b')", "('x',)"),
        ({"cast": {"x": "int64"}}, Option.CAST, "('a', 'b.c')", "('x',)"),
        ({"cast": {"b": "int64"}}, Option.CAST, "('a', 'b.c')", "('b',)"),
        ({"cast": {"a": "int64"}, "columns": ("b",)}, Option.CAST, "('b.c',)", "('a',)"),
    ],
)
def test_unknown_names_are_refused(options, argument, known, found):
    schema = pa.schema({"a": pa.int64(), "b": pa.struct({"c": pa.int64()})})
    with pytest.raises(UnknownColumnsError) as caught:
        plan_features(schema, EncodeOptions(**options))
    assert (caught.value.argument, caught.value.found) == (argument, found)
    assert caught.value.remedy.endswith(f" are {known}")


def test_a_cast_changes_the_kind_or_is_refused_before_any_row_is_read():
    schema = {"a": pa.int64(), "b": pa.list_(pa.string()), "c": pa.time32("s")}
    assert kinds(schema, cast={"a": "float32", "b": "int64", "c": "bytes"}) == {
        "a": "float_list",
        "b": "int64_list",
        "c": "bytes_list",
    }
    with pytest.raises(UnsupportedColumnsError, match=r"'a': int64: cannot cast int64 to 'flout'"):
        kinds(schema, cast={"a": "flout"})
    with pytest.raises(
        UnsupportedColumnsError, match=r"cannot cast fixed_size_binary\[3\] to 'int"
    ):
        kinds({"a": pa.binary(3)}, cast={"a": "int64"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": "abc"}, "columns must be a sequence of column names; got 'abc'"),
        ({"exclude_columns": "abc"}, "exclude_columns must be a sequence of column names"),
        ({"exclude_columns": None}, "exclude_columns must be a sequence of column names; got None"),
        ({"columns": [1]}, r"columns must be a sequence of column names; got \[1\]"),
        ({"cast": {"a": 1}}, "cast must map feature names to type names"),
        ({"cast": ["a"]}, "cast must map feature names to type names"),
        ({"null_in_list": "zero"}, r"null_in_list must be one of \('error', 'drop'\); got 'zero'"),
        ({"allow_float_overflow": 1}, "allow_float_overflow must be True or False; got 1"),
        ({"key_order": "random"}, r"key_order must be one of \('bytewise', 'upb'\)"),
    ],
)
def test_options_are_checked_when_they_are_made(options, message):
    with pytest.raises(ValueError, match=message):
        EncodeOptions(**options)


def test_options_survive_json():
    options = EncodeOptions(
        columns=("a", "é"),
        exclude_columns=["b"],
        cast={"a": "bytes"},
        null_in_list="drop",
        allow_float_overflow=True,
        key_order="upb",
    )
    assert EncodeOptions.from_json(options.to_json()) == options
    assert EncodeOptions.from_json("{}") == EncodeOptions()
    for text in ("[]", "{", '{"colums": []}'):
        with pytest.raises(ValueError, match="encode options must be a JSON object"):
            EncodeOptions.from_json(text)


def test_a_plan_survives_pickling():
    schema = pa.schema({"a": pa.timestamp("us", "UTC"), "b": pa.struct({"c": pa.list_(pa.int8())})})
    plan = plan_features(schema, EncodeOptions(cast={"a": "int64"}))
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_errors_survive_pickling():
    error = UnsupportedColumnsError([("a", "why")])
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.columns) == (str(error), ("a",))
    error = EncodeError("a", 3, "why")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.row) == ("row 3, column 'a': why", 3)


def test_many_columns_are_planned_in_time_by_their_number():
    names = [f"column {i}" for i in range(20_000)]
    schema = pa.schema([(name, pa.int64()) for name in names])
    options = EncodeOptions(columns=tuple(names[::2]), exclude_columns=tuple(names[::4]))
    started = time.process_time()
    plan = plan_features(schema, options)
    assert len(plan.features) == 5000
    assert time.process_time() - started < 60
