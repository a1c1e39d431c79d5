"""Tests of tfx_wine_ext.testing.artifacts."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.components.util import examples_utils, tfxio_utils
from tfx.types import standard_artifacts
from tfx.utils import path_utils
from tfx_bsl.tfxio import dataset_options

from tfx_wine_ext.testing import (
    FakeMetadata,
    as_channel,
    examples_artifact,
    model_artifact,
    read_examples,
    schema_artifact,
    statistics_artifact,
)

ROWS = [
    {"f": 0.0, "i": 0, "t": "", "b": b"\xff", "flag": False, "many": [1, 2], "never": None},
    {"f": None, "i": None, "t": None, "b": None, "flag": True, "many": [], "never": None},
]


def test_zero_and_empty_are_values_and_a_null_is_an_absent_feature(tmp_path):
    examples = examples_artifact(tmp_path / "e", {"train": ROWS})

    assert read_examples(examples, "train") == [
        {"b": [b"\xff"], "f": [0.0], "flag": [0], "i": [0], "many": [1, 2], "t": [b""]},
        {"flag": [1], "many": []},
    ]


def test_examples_have_the_properties_that_an_example_gen_gives_them(tmp_path):
    examples = examples_artifact(
        tmp_path / "e", {"train": [{"x": 1}], "eval": [{"x": 2}]}, span=4, version=2
    )

    assert isinstance(examples, standard_artifacts.Examples)
    assert (examples.uri, examples.splits) == (str(tmp_path / "e"), ["train", "eval"])
    assert (examples.span, examples.version) == (4, 2)
    assert examples.get_int_custom_property("span") == 4
    assert examples.get_int_custom_property("version") == 2
    assert examples_utils.get_payload_format_string(examples) == "FORMAT_TF_EXAMPLE"
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.gz")) == [
        "e/Split-eval/data_tfrecord-00000-of-00001.gz",
        "e/Split-train/data_tfrecord-00000-of-00001.gz",
    ]


def test_tfx_reads_examples_as_a_trainer_does(tmp_path):
    examples = examples_artifact(tmp_path / "e", {"train": [{"x": 1}, {"x": None}]})
    schema = text_format.Parse(
        'feature { name: "x" type: INT value_count { min: 1 max: 1 } }', schema_pb2.Schema()
    )

    make_dataset = tfxio_utils.get_tf_dataset_factory_from_artifact([examples], [])
    options = dataset_options.TensorFlowDatasetOptions(batch_size=2, num_epochs=1, shuffle=False)
    patterns = examples_utils.get_split_file_patterns([examples], "train")
    [batch] = make_dataset(patterns, options, schema)

    assert tf.sparse.to_dense(batch["x"], default_value=-1).numpy().tolist() == [[1], [-1]]


def test_examples_can_be_written_as_parquet(tmp_path):
    table = pa.table({"x": pa.array([1, None], pa.int8()), "t": ["a", "b"]})

    examples = examples_artifact(tmp_path / "e", {"train": table}, payload_format="FORMAT_PARQUET")

    assert examples_utils.get_payload_format_string(examples) == "FORMAT_PARQUET"
    assert examples_utils.get_file_format(examples) == "FILE_FORMAT_PARQUET"
    assert read_examples(examples, "train") == [{"x": [1], "t": ["a"]}, {"t": ["b"]}]


def test_another_payload_format_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"payload_format: expected .*found 'FORMAT_PROTO'"):
        examples_artifact(tmp_path / "e", {"train": ROWS}, payload_format="FORMAT_PROTO")


def test_a_column_that_a_tf_example_cannot_hold_is_an_error_that_names_it(tmp_path):
    with pytest.raises(TypeError, match=r"column 'day': .*found date32"):
        examples_artifact(tmp_path / "e", {"train": [{"day": datetime.date(2024, 1, 1)}]})


def test_examples_need_a_split(tmp_path):
    with pytest.raises(ValueError, match=r"splits: expected one or more splits"):
        examples_artifact(tmp_path / "e", {})


def test_a_folder_with_files_is_an_error_that_names_them(tmp_path):
    examples_artifact(tmp_path / "e", {"train": ROWS})

    with pytest.raises(ValueError, match=r"e: expected a new or empty folder .*Split-train"):
        examples_artifact(tmp_path / "e", {"eval": ROWS})


def test_reading_a_split_that_is_not_there_is_an_error_that_lists_those_that_are(tmp_path):
    examples = examples_artifact(tmp_path / "e", {"train": ROWS})

    with pytest.raises(ValueError, match=r"expected a folder Split-test, found \['Split-train'\]"):
        read_examples(examples, "test")


def test_a_schema_is_written_from_its_text(tmp_path):
    artifact = schema_artifact(tmp_path / "s", 'feature { name: "x" type: FLOAT }')

    assert isinstance(artifact, standard_artifacts.Schema)
    schema = tfdv.load_schema_text(f"{artifact.uri}/schema.pbtxt")
    assert [(feature.name, feature.type) for feature in schema.feature] == [("x", schema_pb2.FLOAT)]


def test_a_schema_is_written_from_its_message(tmp_path):
    schema = schema_pb2.Schema(feature=[schema_pb2.Feature(name="x", type=schema_pb2.INT)])

    artifact = schema_artifact(tmp_path / "s", schema)

    assert tfdv.load_schema_text(f"{artifact.uri}/schema.pbtxt") == schema


def test_text_that_is_no_schema_is_an_error(tmp_path):
    with pytest.raises(text_format.ParseError, match="flavour"):
        schema_artifact(tmp_path / "s", "flavour: 1")


def test_statistics_count_values_and_missing_ones(tmp_path):
    rows = [{"x": 1.0, "t": "a"}, {"x": 3.0, "t": "b"}, {"t": "a"}]

    artifact = statistics_artifact(tmp_path / "s", {"train": rows, "eval": rows[:1]}, span=7)

    assert isinstance(artifact, standard_artifacts.ExampleStatistics)
    assert (artifact.span, artifact.splits) == (7, ["train", "eval"])
    train = stats_artifact_utils.load_statistics(artifact, "train").get_default_slice_or_die()
    x = train.get_feature(tfdv.FeaturePath(["x"])).numeric_statistics()
    assert (x.common_stats.num_non_missing, x.common_stats.num_missing) == (2, 1)
    assert (x.min, x.mean, x.max) == (1.0, 2.0, 3.0)
    t = train.get_feature(tfdv.FeaturePath(["t"])).string_statistics()
    assert {bucket.label: bucket.sample_count for bucket in t.rank_histogram.buckets} == {
        "a": 2,
        "b": 1,
    }
    evaluation = stats_artifact_utils.load_statistics(artifact, "eval").get_default_slice_or_die()
    assert evaluation.proto().num_examples == 1


def test_a_model_is_saved_where_tfx_looks_for_it(tmp_path):
    class Double(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, x):
            return 2 * x

    artifact = model_artifact(tmp_path / "m", lambda path: tf.saved_model.save(Double(), path))

    assert isinstance(artifact, standard_artifacts.Model)
    model = tf.saved_model.load(path_utils.serving_model_path(artifact.uri))
    assert model(tf.constant([1.5])).numpy().tolist() == [3.0]


def test_a_channel_holds_artifacts_and_records_in_their_order(tmp_path):
    first = examples_artifact(tmp_path / "1", {"train": ROWS})
    second = examples_artifact(tmp_path / "2", {"train": ROWS})
    with FakeMetadata() as metadata:
        metadata.register(second)
        [record] = metadata.artifacts()

    channel = as_channel(first, record)

    assert channel.type is standard_artifacts.Examples
    assert [artifact.uri for artifact in channel.get()] == [first.uri, second.uri]


def test_a_channel_needs_an_artifact():
    with pytest.raises(ValueError, match=r"as_channel: expected one or more artifacts"):
        as_channel()


def test_a_channel_is_of_one_type():
    with pytest.raises(ValueError, match=r"artifacts of one type, found Examples, Model"):
        as_channel(standard_artifacts.Model(), standard_artifacts.Examples())
