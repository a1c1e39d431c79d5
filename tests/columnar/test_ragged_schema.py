"""The schema by which TFX reads ragged features; the encoder's tests read by it."""

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tfx_wine_ext.columnar import EncodeOptions, UnsupportedColumnsError, plan_features
from tfx_wine_ext.columnar.ragged_schema import merge_ragged_schema, ragged_schema

RAGGED = EncodeOptions(nested="ragged")


def planned(columns):
    return plan_features(pa.schema(columns), RAGGED)


def test_tensors_are_named_like_the_features_with_their_values():
    items = pa.struct([("x", pa.float32()), ("ys", pa.list_(pa.list_(pa.string())))])
    schema = ragged_schema([planned({"c": pa.list_(items), "flat": pa.list_(pa.int64())})])
    types = schema_pb2.FeatureType
    assert {feature.name: types.Name(feature.type) for feature in schema.feature} == {
        "c.x": "FLOAT",
        "c.ys": "BYTES",
        "c.ys$row_lengths_1": "INT",
        "c.ys$row_lengths_2": "INT",
    }
    tensors = schema.tensor_representation_group[""].tensor_representation
    assert {
        name: (
            list(tensor.ragged_tensor.feature_path.step),
            [partition.row_length for partition in tensor.ragged_tensor.partition],
        )
        for name, tensor in tensors.items()
    } == {
        "c.x": (["c.x"], []),
        "c.ys": (["c.ys"], ["c.ys$row_lengths_1", "c.ys$row_lengths_2"]),
    }


def test_a_table_without_nested_columns_has_an_empty_schema():
    assert not ragged_schema([planned({"x": pa.list_(pa.int64())})]).ListFields()


def test_input_splits_may_have_other_columns_but_not_a_column_that_is_nested_otherwise():
    once, twice = pa.list_(pa.int64()), pa.list_(pa.list_(pa.int64()))
    more = ragged_schema([planned({"a": twice}), planned({"b": twice, "c": once})])
    assert [feature.name for feature in more.feature if "$" not in feature.name] == ["a", "b"]
    for other in (once, pa.list_(twice), pa.list_(pa.list_(pa.string()))):
        with pytest.raises(UnsupportedColumnsError, match="'a': it is nested otherwise in another"):
            ragged_schema([planned({"a": twice}), planned({"a": other})])


@pytest.mark.e2e
def test_what_schema_gen_infers_remains_but_for_the_shapes_and_types_of_ragged_features():
    inferred = text_format.Parse(
        """
        feature { name: "m" type: BYTES shape { dim { size: 2 } } presence { min_count: 1 } }
        feature { name: "m$row_lengths_1" type: INT value_count { min: 1 max: 1 } }
        feature { name: "ph" type: FLOAT shape { dim { size: 1 } } presence { min_fraction: 1 } }
        feature { name: "kind" type: BYTES domain: "kind" }
        string_domain { name: "kind" value: "red" }
        """,
        schema_pb2.Schema(),
    )
    before = text_format.MessageToString(inferred)
    columns = {"m": pa.list_(pa.list_(pa.int64())), "n": pa.list_(pa.struct([("x", pa.int64())]))}
    merged = merge_ragged_schema(inferred, ragged_schema([planned(columns)]))
    assert text_format.MessageToString(inferred) == before
    tensors = merged.tensor_representation_group[""].tensor_representation
    assert {name: tensor.WhichOneof("kind") for name, tensor in tensors.items()} == {
        "kind": "varlen_sparse_tensor",
        "m": "ragged_tensor",
        "n.x": "ragged_tensor",
        "ph": "dense_tensor",
    }
    merged.ClearField("tensor_representation_group")
    assert merged == text_format.Parse(
        """
        feature { name: "m" type: INT presence { min_count: 1 } }
        feature { name: "m$row_lengths_1" type: INT }
        feature { name: "ph" type: FLOAT shape { dim { size: 1 } } presence { min_fraction: 1 } }
        feature { name: "kind" type: BYTES domain: "kind" }
        feature { name: "n.x" type: INT }
        string_domain { name: "kind" value: "red" }
        """,
        schema_pb2.Schema(),
    )
