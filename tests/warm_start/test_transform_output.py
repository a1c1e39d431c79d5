from __future__ import annotations

import pathlib

import numpy as np
import pytest

from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.warm_start.inputs import Affine, Buckets, InputSpec, Unknown, Vocabulary
from tfx_wine_ext.warm_start.transform_output import input_spec

pytestmark = pytest.mark.e2e

TOKENS = ["Porto"] * 5 + ["Braga"] * 3 + ["Évora"] * 2


def preprocess(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    far, near = inputs["far"], inputs["near"]
    city = tft.compute_and_apply_vocabulary(
        inputs["city"], num_oov_buckets=3, vocab_filename="city"
    )
    plain = tft.compute_and_apply_vocabulary(inputs["kind"], vocab_filename="kind")
    return {
        "far_z": tft.scale_to_z_score(far),
        "near_z": tft.scale_to_z_score(near),
        "near": near,
        "near_01": tft.scale_to_0_1(near),
        "near_squared": near**2,
        "both": near + far,
        "constant_z": tft.scale_to_z_score(inputs["constant"]),
        "count_z": tft.scale_to_z_score(inputs["count"]),
        "count": inputs["count"],
        "count_bucket": tft.bucketize(inputs["count"], 3),
        "near_bucket": tft.apply_buckets(near, tf.constant([[1.25, 2.5]])),
        "city": city,
        "kind": plain,
        "kind_one_hot": tf.one_hot(tf.reshape(plain, [-1]), 3),
        "sparse_z": tf.reshape(tft.scale_to_z_score(tf.sparse.to_dense(inputs["sparse"])), [-1, 1]),
    }


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

    folder = tmp_path_factory.mktemp("transform")
    fixed = {
        "far": tf.float32,
        "near": tf.float32,
        "constant": tf.float32,
        "count": tf.int64,
        "city": tf.string,
        "kind": tf.string,
    }
    spec = {name: tf.io.FixedLenFeature([1], kind) for name, kind in fixed.items()}
    spec["sparse"] = tf.io.VarLenFeature(tf.float32)
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    rows = [
        {
            "far": [1000.0 + i / 10],
            "near": [float(i)],
            "constant": [4.0],
            "count": [100 * i],
            "city": [TOKENS[i].encode()],
            "kind": [b"abacabaabb"[i : i + 1]],
            "sparse": [2.0 * i],
        }
        for i in range(10)
    ]
    with tft_beam.Context(temp_dir=str(folder / "temp")):
        _, fn = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(preprocess)
        _ = fn | tft_beam.WriteTransformFn(str(folder / "graph"))
    metadata_io.write_metadata(metadata, str(folder / "graph" / "metadata"))
    assert isinstance(tft.TFTransformOutput(str(folder / "graph")).raw_feature_spec(), dict)
    return str(folder / "graph")


DEVIATION = float(np.std(np.arange(10)))


def test_each_column_is_found_to_be_what_the_preprocessing_made(graph):
    names = ["far_z", "near_z", "near", "near_01", "constant_z", "count_z", "count", "sparse_z"]
    spec = input_spec(graph, {"numbers": names, "city": ["city"], "kind": ["kind_one_hot"]})
    found = {x.feature: (x.center, x.scale) for x in spec.inputs["numbers"]}
    expected = {
        "far_z": (1000.45, DEVIATION / 10),
        "near_z": (4.5, DEVIATION),
        "near": (0.0, 1.0),
        "near_01": (0.0, 9.0),
        # Transform leaves the deviation of 0 out, and divides by nothing.
        "constant_z": (4.0, 1.0),
        "count_z": (450.0, 100 * DEVIATION),
        "count": (0.0, 1.0),
        "sparse_z": (9.0, 2 * DEVIATION),
    }
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5, err_msg=name)
    assert spec.inputs["city"] == (Vocabulary("city", ("Porto", "Braga", "Évora"), 3),)
    assert spec.inputs["kind"] == (Vocabulary("kind_one_hot", ("a", "b", "c"), one_hot=True),)


def test_a_graph_at_an_address_says_the_same(graph):
    for path in pathlib.Path(graph).rglob("*"):
        if path.is_file():
            target = f"ram://transform/graph/{path.relative_to(graph)}"
            with files_for(target).create(target) as file:
                file.write(path.read_bytes())
    names = {"x": ["far_z", "both"], "city": ["city"], "near": ["near_bucket"]}
    assert input_spec("ram://transform/graph", names) == input_spec(graph, names)


def test_a_vocabulary_without_buckets_has_its_default(graph):
    assert input_spec(graph, {"kind": ["kind"]}).inputs["kind"] == (
        Vocabulary("kind", ("a", "b", "c"), 0, -1),
    )


def test_boundaries_are_found_to_the_last_bit(graph):
    spec = input_spec(graph, {"near": ["near_bucket"], "count": ["count_bucket"]})
    assert spec.inputs["near"] == (Buckets("near_bucket", (1.25, 2.5)),)
    (count,) = spec.inputs["count"]
    assert isinstance(count, Buckets)
    assert [100 < x <= 700 for x in count.boundaries] == [True, True]


def test_what_is_neither_has_a_fingerprint_that_stays(graph):
    names = {"x": ["near_squared", "both"]}
    first, second = input_spec(graph, names), input_spec(graph, names)
    assert [type(x) for x in first.inputs["x"]] == [Unknown, Unknown]
    assert first == second
    assert first.inputs["x"][0].fingerprint != first.inputs["x"][1].fingerprint


def test_a_feature_that_is_not_there_is_an_error_that_lists_those_that_are(graph):
    with pytest.raises(ValueError, match=r"has no \['pH_z'\]; it has \['both', 'city', "):
        input_spec(graph, {"x": ["pH_z", "near_z"]})


def test_the_result_is_what_a_transfer_takes(graph):
    spec = input_spec(graph, {"numbers": ["near_z"], "city": ["city"]})
    assert InputSpec.from_dict(spec.to_dict()) == spec
    assert isinstance(spec.inputs["numbers"][0], Affine)


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_run_fn_without_transform_is_told_how_to_say_what_its_inputs_are(nothing):
    message = (
        r"transform_graph: expected the path of a transform graph, found (None|''). Give the "
        r"trainer transform_graph=.* InputSpec\(\{'numbers': \[Affine.identity\('pH'\)\], 'city': "
    )
    with pytest.raises(ValueError, match=message):
        input_spec(nothing, {"numbers": ["pH_z"]})
