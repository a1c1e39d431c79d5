"""What is written here is read there: by TensorFlow, by tfx_bsl, and as TFX itself writes it."""

import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.columnar import EncodeOptions, encode_examples, frame_records, plan_features

from .reference import KEY_ORDER

BATCH = pa.RecordBatch.from_pydict(
    {
        "fixed acidity": [7.0, 0.0, None, 1.5],
        "quality": [6, 0, None, -1],
        "name": ["", None, "naïve", "x" * 300],
        "list": pa.array([[1, 2], [], None, [0]], pa.list_(pa.int64())),
        "when": pa.array([1, None, 0, 2], pa.timestamp("s", "UTC")),
    }
)


@pytest.mark.e2e
def test_tensorflow_and_tfx_bsl_read_what_is_written(tmp_path):
    import tensorflow as tf
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    encoded = encode_examples(BATCH, plan_features(BATCH.schema))
    path = tmp_path / "records"
    path.write_bytes(frame_records(encoded).tobytes())
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    assert records == encoded.records

    features = tf.io.parse_example(
        records,
        {
            "fixed acidity": tf.io.FixedLenFeature([], tf.float32, default_value=-9.0),
            "quality": tf.io.FixedLenFeature([], tf.int64, default_value=-9),
            "name": tf.io.FixedLenFeature([], tf.string, default_value="missing"),
            "list": tf.io.RaggedFeature(tf.int64),
            "when": tf.io.VarLenFeature(tf.int64),
        },
    )
    assert features["fixed acidity"].numpy().tolist() == [7.0, 0.0, -9.0, 1.5]
    assert features["quality"].numpy().tolist() == [6, 0, -9, -1]
    assert features["name"].numpy().tolist() == [b"", b"missing", "naïve".encode(), b"x" * 300]
    assert features["list"].to_list() == [[1, 2], [], [], [0]]
    assert features["when"].values.numpy().tolist() == [1_000_000, 0, 2_000_000]

    decoded = ExamplesToRecordBatchDecoder().DecodeBatch(np.array(records, object))
    assert decoded.to_pydict() == {
        "fixed acidity": [[7.0], [0.0], None, [1.5]],
        "list": [[1, 2], [], None, [0]],
        "name": [[b""], None, ["naïve".encode()], [b"x" * 300]],
        "quality": [[6], [0], None, [-1]],
        "when": [[1_000_000], None, [0], [2_000_000]],
    }


@pytest.mark.e2e
def test_a_corrupt_byte_is_noticed_by_tensorflow(tmp_path):
    import tensorflow as tf

    framed = frame_records(encode_examples(BATCH, plan_features(BATCH.schema))).copy()
    framed[40] ^= 1
    path = tmp_path / "records"
    path.write_bytes(framed.tobytes())
    with pytest.raises(tf.errors.DataLossError, match="corrupted record"):
        list(tf.data.TFRecordDataset(str(path)))


@pytest.mark.e2e
def test_where_tfx_is_right_the_bytes_are_those_of_tfx():
    from tfx.components.example_gen.utils import dict_to_example

    batch = pa.RecordBatch.from_pydict(
        {
            "double": [1.5, None, -0.1, float("inf")],
            "float": pa.array([0.1, 1e-40, None, 2.0], pa.float32()),
            "int": [1, -1, None, 2**62],
            "bool": [True, None, True, True],
            "text": ["a", "é" * 100, None, "c"],
            "list": [[0, 1], [5], None, [-1] * 200],
            "texts": [["a", ""], [""], None, ["b"]],
            "fixed acidity": [None, None, None, None],
        }
    )
    plan = plan_features(batch.schema, EncodeOptions(key_order=KEY_ORDER))
    assert encode_examples(batch, plan).records == [
        dict_to_example(row).SerializeToString(deterministic=True) for row in batch.to_pylist()
    ]
