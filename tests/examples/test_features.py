"""The preprocessing_fn, run by Transform's own implementation on literal data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from examples.wine_quality.constants import FEATURES, LABEL

RAW = {
    "dense": tf.io.FixedLenFeature([1], tf.float32),
    "optional": tf.io.VarLenFeature(tf.float32),
}


def _transform(
    folder: Path, kind: str, alcohol: list[float | None], quality: list[int]
) -> dict[str, np.ndarray]:
    """Returns the transformed columns of rows that differ in `alcohol` and `quality` only."""
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

    from examples.wine_quality.features import preprocessing_fn

    spec = {name: RAW["dense"] for name in FEATURES}
    spec["alcohol"] = RAW[kind]
    spec[LABEL] = tf.io.FixedLenFeature([1], tf.int64)
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    rows = [
        {
            **{name: [7.0] for name in FEATURES},
            "alcohol": [] if value is None else [value],
            LABEL: [grade],
        }
        for value, grade in zip(alcohol, quality)
    ]
    with tft_beam.Context(temp_dir=str(folder)):
        (transformed, _), _ = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(
            preprocessing_fn
        )
    assert {name for row in transformed for name in row} == {
        *(f"{name}_z" for name in FEATURES),
        LABEL,
    }
    return {name: np.array([row[name] for row in transformed]) for name in transformed[0]}


@pytest.mark.e2e
@pytest.mark.parametrize(("kind", "gap"), [("dense", float("nan")), ("optional", None)])
def test_z_scores_have_gaps_at_the_mean_and_the_label_is_left_alone(
    tmp_path: Path, kind: str, gap: float | None
) -> None:
    # The three that are there: mean 10, deviation of the population 2.
    columns = _transform(tmp_path, kind, [10 - 6**0.5, gap, 10.0, 10 + 6**0.5], [3, 5, 6, 9])
    assert columns[LABEL].tolist() == [[3.0], [5.0], [6.0], [9.0]]
    assert columns[LABEL].dtype == np.float32
    np.testing.assert_allclose(
        columns["alcohol_z"], [[-(1.5**0.5)], [0.0], [0.0], [1.5**0.5]], atol=1e-6
    )
    # A column that never varies has no deviation to divide by.
    assert columns["density_z"].tolist() == [[0.0], [0.0], [0.0], [0.0]]


@pytest.mark.e2e
def test_a_column_of_gaps_alone_is_all_zero(tmp_path: Path) -> None:
    columns = _transform(tmp_path, "optional", [None, None], [5, 6])
    assert columns["alcohol_z"].tolist() == [[0.0], [0.0]]


@pytest.mark.e2e
def test_a_missing_column_is_named() -> None:
    from examples.wine_quality.features import preprocessing_fn

    inputs = {name: tf.zeros([2, 1]) for name in (*FEATURES, LABEL) if name != "pH"}
    with pytest.raises(ValueError, match=r"needs the columns \['pH'\], but the schema has only"):
        preprocessing_fn(inputs)


@pytest.mark.e2e
def test_an_optional_label_is_refused() -> None:
    from examples.wine_quality.features import preprocessing_fn

    inputs = {name: tf.zeros([2, 1]) for name in FEATURES}
    inputs[LABEL] = tf.sparse.from_dense([[5], [6]])
    with pytest.raises(ValueError, match="label 'quality' must be present in every row"):
        preprocessing_fn(inputs)
