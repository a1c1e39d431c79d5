import pickle
import re
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


def test_nested_columns_are_refused_with_the_option_that_writes_them():
    schema = pa.schema({"m": pa.list_(pa.list_(pa.int64())), "d": pa.map_("string", pa.int64())})
    message = (
        r"a list of lists has no form as one feature;\n  'd': .*;\nleave columns out "
        r"\(exclude_columns=\('m', 'd'\)\), name the columns to keep \(columns\), or write nested "
        r"columns as ragged features \(nested='ragged'\)$"
    )
    with pytest.raises(UnsupportedColumnsError, match=message):
        plan_features(schema)


@pytest.mark.parametrize("nested", ["error", "ragged"])
@pytest.mark.parametrize(
    "value",
    [pa.struct([]), pa.month_day_nano_interval(), pa.struct([("u", pa.dense_union([]))])],
    ids=str,
)
def test_what_would_not_be_written_as_ragged_features_either_is_not_advised_to_be(value, nested):
    schema = pa.schema({"m": pa.list_(pa.list_(value))})
    with pytest.raises(UnsupportedColumnsError, match=r"columns=\('m.*or name the columns to keep"):
        plan_features(schema, EncodeOptions(nested=nested))


CLASHES = {
    "a column": (
        {"m": pa.list_(pa.list_(pa.int64())), "m$row_lengths_1": pa.int64()},
        "'m$row_lengths_1'",
        "column 'm$row_lengths_1', the row lengths (level 1) of column 'm'",
    ),
    "a field": (
        {"m": pa.list_(pa.struct([("x", pa.int64())])), "m.x": pa.int64()},
        "'m.x'",
        "field 'x' of column 'm', column 'm.x'",
    ),
    "lengths of another column": (
        {
            "a.b": pa.list_(pa.list_(pa.int64())),
            "a": pa.list_(pa.struct([("b", pa.list_(pa.struct([("c", pa.int64())])))])),
        },
        "'a.b$row_lengths_1'",
        "the row lengths (level 1) of column 'a.b', the row lengths (level 1) of field 'b' of "
        "column 'a'",
    ),
}


@pytest.mark.parametrize(("columns", "name", "sources"), CLASHES.values(), ids=list(CLASHES))
def test_names_of_ragged_features_that_are_taken_are_refused(columns, name, sources):
    message = f"{name}: 2 columns would give a feature of this name: {sources};"
    with pytest.raises(UnsupportedColumnsError, match=re.escape(message)):
        plan_features(pa.schema(columns), EncodeOptions(nested="ragged"))


def test_row_lengths_cannot_be_cast_and_fields_inside_lists_have_names_only_if_ragged():
    schema = pa.schema({"m": pa.list_(pa.struct([("x", pa.list_(pa.int64()))]))})
    with pytest.raises(UnknownColumnsError, match=r"cast: .* found '?\('m.x\$row_lengths_1',\)"):
        plan_features(schema, EncodeOptions(nested="ragged", cast={"m.x$row_lengths_1": "float32"}))
    with pytest.raises(UnknownColumnsError, match=r"exclude_columns: .* found \('m.x',\)"):
        plan_features(schema, EncodeOptions(exclude_columns=("m.x",)))
