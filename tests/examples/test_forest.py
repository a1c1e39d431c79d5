"""The exported forest predicts what ydf predicts."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import ydf

from examples.wine_quality.forest import Forest, ForestModel

NAMES = ["a", "b", "c"]
ROWS = 400


def _features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)


def _columns(features: np.ndarray) -> dict[str, np.ndarray]:
    return {name: features[:, index] for index, name in enumerate(NAMES)}


def _train(features: np.ndarray, **settings: object) -> ydf.GradientBoostedTreesModel:
    ydf.verbose(0)
    filled = np.nan_to_num(features)
    label = (filled[:, 0] * filled[:, 1] + np.sin(3 * filled[:, 2]) + 5).astype(np.float32)
    learner = ydf.GradientBoostedTreesLearner(
        label="label",
        task=ydf.Task.REGRESSION,
        **{"num_trees": 30, "max_depth": 5, "validation_ratio": 0.0, **settings},
    )
    return learner.train({**_columns(features), "label": label})


def _predict(forest: Forest, features: np.ndarray) -> np.ndarray:
    predictions = ForestModel(forest)(tf.constant(features))
    assert predictions.dtype == tf.float32
    assert predictions.shape == (len(features), 1)
    return predictions.numpy()[:, 0]


def _assert_same(model: ydf.GradientBoostedTreesModel, features: np.ndarray) -> None:
    expected = model.predict(_columns(features))
    assert np.ptp(expected) > 1, "the model says the same of every row, so nothing is tested"
    np.testing.assert_allclose(
        _predict(Forest.from_ydf(model, NAMES), features), expected, rtol=0, atol=1e-5
    )


def test_the_forest_predicts_what_ydf_predicts() -> None:
    features = _features()
    _assert_same(_train(features), features)


def test_trees_that_were_not_grown_level_by_level_do_too() -> None:
    features = _features()
    _assert_same(
        _train(features, growing_strategy="BEST_FIRST_GLOBAL", max_num_nodes=24, max_depth=-1),
        features,
    )


def test_a_value_at_a_threshold_or_next_to_it_takes_the_side_that_ydf_takes() -> None:
    features = _features()
    model = _train(features)
    forest = Forest.from_ydf(model, NAMES)
    asks = forest.no != np.arange(len(forest.no))
    columns, thresholds = forest.feature[asks], forest.threshold[asks]
    assert len(thresholds) > 200
    rows = []
    for place in (
        thresholds,
        np.nextafter(thresholds, np.float32(-np.inf)),
        np.nextafter(thresholds, np.float32(np.inf)),
    ):
        near = np.resize(features, (len(thresholds), 3))
        near[np.arange(len(thresholds)), columns] = place
        rows.append(near)
    _assert_same(model, np.concatenate(rows))


def test_missing_and_infinite_values_go_where_ydf_sends_them() -> None:
    random = np.random.default_rng(1)
    features = _features()
    features[random.random(features.shape) < 0.2] = np.nan
    model = _train(features)
    features[random.random(features.shape) < 0.05] = np.inf
    features[random.random(features.shape) < 0.05] = -np.inf
    assert np.isnan(features).any(axis=1).sum() > 50
    _assert_same(model, features)
    all_missing = np.full((1, 3), np.nan, np.float32)
    np.testing.assert_allclose(
        _predict(Forest.from_ydf(model, NAMES), all_missing),
        model.predict(_columns(all_missing)),
        atol=1e-5,
    )


def test_a_forest_of_two_small_trees_is_read_node_by_node() -> None:
    # Two rows of features and one question: each tree takes half of what is left.
    learner = ydf.GradientBoostedTreesLearner(
        label="label",
        task=ydf.Task.REGRESSION,
        num_trees=2,
        max_depth=2,
        shrinkage=0.5,
        min_examples=1,
        validation_ratio=0.0,
    )
    ydf.verbose(0)
    model = learner.train(
        {
            "a": np.array([0, 0, 2, 2], np.float32),
            "label": np.array([3, 3, 7, 7], np.float32),
        }
    )
    forest = Forest.from_ydf(model, ["b", "a"])
    assert forest.root.tolist() == [0, 3]
    assert forest.feature.tolist() == [1, 0, 0, 1, 0, 0]
    assert forest.threshold.tolist() == [1, 0, 0, 1, 0, 0]
    assert forest.no.tolist() == [1, 1, 2, 4, 4, 5]
    assert forest.yes.tolist() == [2, 1, 2, 5, 4, 5]
    assert forest.value.tolist() == [0, -1, 1, 0, -0.5, 0.5]
    assert (forest.bias, forest.depth, forest.width) == (5, 1, 2)
    assert _predict(forest, np.array([[9, 0], [9, 1]], np.float32)).tolist() == [3.5, 6.5]


def test_a_model_without_a_question_predicts_its_bias() -> None:
    features = _features()
    forest = Forest.from_ydf(_train(features, num_trees=3, max_depth=1), NAMES)
    assert forest.depth == 0
    np.testing.assert_allclose(_predict(forest, features), forest.bias, atol=1e-5)


def test_the_sum_of_two_forests_predicts_the_sum_of_their_predictions() -> None:
    features = _features()
    one = Forest.from_ydf(_train(features, num_trees=5), NAMES)
    other = Forest.from_ydf(_train(features, num_trees=7, max_depth=3), NAMES)
    both = one + other
    assert len(both.root) == 12
    np.testing.assert_allclose(
        _predict(both, features), _predict(one, features) + _predict(other, features), atol=1e-5
    )


def test_forests_of_other_widths_cannot_be_added() -> None:
    model = _train(_features(), num_trees=1)
    with pytest.raises(ValueError, match="forest of 4 columns to one of 3"):
        Forest.from_ydf(model, NAMES) + Forest.from_ydf(model, [*NAMES, "d"])


def test_a_feature_that_is_not_listed_is_named() -> None:
    with pytest.raises(ValueError, match=r"asks about '[bc]', which is not among \['a'\]"):
        Forest.from_ydf(_train(_features()), ["a"])


def test_a_question_that_is_no_threshold_is_named() -> None:
    model = _train(_features(), split_axis="SPARSE_OBLIQUE")
    with pytest.raises(ValueError, match="NumericalSparseObliqueCondition"):
        Forest.from_ydf(model, NAMES)


def test_a_classifier_is_refused() -> None:
    learner = ydf.GradientBoostedTreesLearner(label="label", num_trees=1, validation_ratio=0.0)
    model = learner.train({"a": np.arange(100.0), "label": np.arange(100) % 2})
    with pytest.raises(ValueError, match="needs a model for regression"):
        Forest.from_ydf(model, ["a"])
