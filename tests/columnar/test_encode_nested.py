"""Nested columns as ragged features."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from tfx_wine_ext.columnar import (
    EncodeError,
    EncodeOptions,
    encode_examples,
    plan_features,
)
from tfx_wine_ext.columnar.feature_batch import feature_batch

from .nested import check_nested, nested_tables, pure
from .reference import parsed

RAGGED = EncodeOptions(nested="ragged")


def encoded(column, options=RAGGED):
    batch = pa.RecordBatch.from_arrays([column], names=["c"])
    plan = plan_features(batch.schema, options)
    return [parsed(record) for record in encode_examples(batch, plan).records]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(nested_tables())
def test_every_nested_column_becomes_what_the_rules_say_row_by_row(table):
    check_nested(*table)


def test_values_and_the_lengths_of_inner_lists_are_features_of_their_own():
    column = pa.array([[[1, 2], [], [3]], [], None], pa.list_(pa.large_list(pa.int16())))
    assert encoded(column) == [
        {"c": ("int64_list", [1, 2, 3]), "c$row_lengths_1": ("int64_list", [2, 0, 1])},
        {"c": ("int64_list", []), "c$row_lengths_1": ("int64_list", [])},
        {"c": None, "c$row_lengths_1": None},
    ]


def test_each_list_inside_a_list_has_a_level():
    column = pa.array([[[[1], [2, 3]], []], [[[]]]])
    assert encoded(column) == [
        {
            "c": ("int64_list", [1, 2, 3]),
            "c$row_lengths_1": ("int64_list", [2, 0]),
            "c$row_lengths_2": ("int64_list", [1, 2]),
        },
        {
            "c": ("int64_list", []),
            "c$row_lengths_1": ("int64_list", [1]),
            "c$row_lengths_2": ("int64_list", [0]),
        },
    ]


def test_fields_of_structs_in_a_list_of_lists_have_their_row_lengths_in_common():
    column = pa.array([[[{"x": 1, "y": "a"}], [{"x": 2, "y": "b"}, {"x": 3, "y": "c"}]]])
    assert encoded(column) == [
        {
            "c$row_lengths_1": ("int64_list", [1, 2]),
            "c.x": ("int64_list", [1, 2, 3]),
            "c.y": ("bytes_list", [b"a", b"b", b"c"]),
        }
    ]


def test_a_map_is_a_list_of_keys_and_one_of_values():
    column = pa.array([[("a", [1.5]), ("b", [])], None], pa.map_("string", pa.list_(pa.float32())))
    assert encoded(column) == [
        {
            "c.key": ("bytes_list", [b"a", b"b"]),
            "c.value": ("float_list", [1.5]),
            "c.value$row_lengths_1": ("int64_list", [1, 0]),
        },
        {"c.key": None, "c.value": None, "c.value$row_lengths_1": None},
    ]


def test_a_struct_around_and_a_struct_within_give_names_with_dots():
    column = pa.array([{"s": [{"t": {"x": 1, "ys": [2, 3]}}]}, {"s": None}, None])
    missing = {"c.s.t.x": None, "c.s.t.ys": None, "c.s.t.ys$row_lengths_1": None}
    assert encoded(column) == [
        {
            "c.s.t.x": ("int64_list", [1]),
            "c.s.t.ys": ("int64_list", [2, 3]),
            "c.s.t.ys$row_lengths_1": ("int64_list", [2]),
        },
        missing,
        missing,
    ]


def test_columns_that_are_not_nested_become_what_they_became():
    schema = pa.schema(
        {"a": pa.int64(), "l": pa.list_(pa.string()), "s": pa.struct([("x", pa.list_(pa.int8()))])}
    )
    assert plan_features(schema, RAGGED).features == plan_features(schema).features


NULLS = {
    "an inner list": (pa.array([[[1], None]]), "c"),
    "a value": (pa.array([[[1, None]]]), "c"),
    "a struct": (pa.array([[{"x": 1}, None]]), "c.x"),
}


@pytest.mark.parametrize(("column", "name"), NULLS.values(), ids=list(NULLS))
def test_a_null_inside_a_list_is_refused_or_dropped_but_never_becomes_an_empty_list(column, name):
    with pytest.raises(
        EncodeError, match=r"'c(\.x)?': expected values inside a list, found a null"
    ):
        encoded(column)
    [row] = encoded(column, EncodeOptions(nested="ragged", null_in_list="drop"))
    assert row.pop(name) == ("int64_list", [1])
    assert row in ({}, {"c$row_lengths_1": ("int64_list", [1])})


@pytest.mark.parametrize("policy", ["error", "drop"])
@pytest.mark.parametrize(
    "column",
    [
        pa.array([[], [{"x": 1, "y": 2}, {"x": None, "y": 3}]]),
        pa.array([[], [{"x": [1], "y": 2}, {"x": None, "y": 3}]]),
        pa.array([[], [{"x": {"z": 1}, "y": 2}, {"x": None, "y": 3}]]),
        pa.array([[], [("a", 1), ("b", None)]], pa.map_(pa.string(), pa.int64())),
    ],
    ids=["a value", "a list", "a struct", "a map"],
)
def test_a_null_in_a_field_inside_a_list_is_refused_since_the_fields_would_shift(column, policy):
    message = r"row 1, column 'c\.(x|x\.z|value)': expected a value in each field .* found a null"
    with pytest.raises(EncodeError, match=message):
        encoded(column, EncodeOptions(nested="ragged", null_in_list=policy))


def test_what_a_null_hides_is_not_read():
    offsets = pa.array([0, 2, 3], pa.int32()).buffers()[1]
    inner = pa.array([[1], None, [2]], pa.list_(pa.int64()))
    validity = pa.array([False, True]).buffers()[1]
    column = pa.Array.from_buffers(pa.list_(inner.type), 2, [validity, offsets], children=[inner])
    assert encoded(column) == [
        {"c": None, "c$row_lengths_1": None},
        {"c": ("int64_list", [2]), "c$row_lengths_1": ("int64_list", [1])},
    ]


def test_values_inside_lists_are_cast_and_a_bad_one_is_named_by_field_and_row():
    column = pa.array([[], [{"x": "1"}, {"x": "2"}]])
    options = EncodeOptions(nested="ragged", cast={"c.x": "int64"})
    assert encoded(column, options)[1] == {"c.x": ("int64_list", [1, 2])}
    column = pa.array([[{"x": "1"}], [{"x": "2"}, {"x": "two"}]])
    with pytest.raises(
        EncodeError, match=r"row 1, column 'c\.x': expected a value that can be cast"
    ):
        encoded(column, options)


def test_a_field_inside_a_list_can_be_left_out_or_chosen():
    schema = pa.schema({"c": pa.list_(pa.struct([("x", pa.int64()), ("u", pa.list_(pa.int8()))]))})
    without = EncodeOptions(nested="ragged", exclude_columns=("c.u",))
    only = EncodeOptions(nested="ragged", columns=("c.x",))
    for options in (without, only):
        assert [f.name for f in plan_features(schema, options).features] == ["c.x"]


def test_parquet_payload_has_the_same_features():
    batch = pa.RecordBatch.from_arrays([pa.array([[[1, 2], []], None])], names=["c"])
    plan = plan_features(batch.schema, RAGGED)
    assert feature_batch(batch, plan).to_pydict() == {
        "c": [[1, 2], None],
        "c$row_lengths_1": [[2, 0], None],
    }


@pytest.mark.e2e
def test_tensorflow_reads_nested_columns_back_by_the_schema_and_tfx_bsl_from_both_payloads():
    import numpy as np
    import tensorflow as tf
    from tensorflow_transform.tf_metadata import schema_utils
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder
    from tfx_bsl.tfxio.tensor_adapter import TensorAdapter, TensorAdapterConfig

    read = 0

    @settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
    @given(nested_tables())
    def check(table):
        nonlocal read
        made = check_nested(*table)
        if made is None or not made[1]:
            return
        schema, records = made
        if not schema.feature:
            return
        batch, node, values, drop = table
        policy = "drop" if drop else "error"
        plan = plan_features(batch.schema, EncodeOptions(nested="ragged", null_in_list=policy))
        decoder = ExamplesToRecordBatchDecoder(schema.SerializeToString())
        tensors = schema.tensor_representation_group[""].tensor_representation
        spec = schema_utils.schema_as_feature_spec(schema).feature_spec
        readings = [tf.io.parse_example(records, spec)]
        for payload in (decoder.DecodeBatch(np.array(records, object)), feature_batch(batch, plan)):
            adapter = TensorAdapter(TensorAdapterConfig(payload.schema, dict(tensors)))
            readings.append(adapter.ToBatchTensors(payload, produce_eager_tensors=True))
        for reading in readings:
            assert sorted(reading) == sorted(tensors)
            for name, tensor in reading.items():
                rows = [pure(node, row, "c", name) for row in values]
                assert repr(tensor.to_list()) == repr(rows)
                read += 1

    check()
    assert read > 10
