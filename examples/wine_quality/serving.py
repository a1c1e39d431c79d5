"""Saves a model of either kind together with the transform graph: it takes raw examples."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tensorflow_transform as tft

from examples.wine_quality.constants import FEATURES, LABEL
from examples.wine_quality.training_data import transformed_name

PREDICTIONS = "predictions"
"""The name of the only output of the signature."""


def save_for_serving(
    predict: Callable[[tf.Tensor], tf.Tensor],
    model: tf.Module,
    transform_graph: str,
    directory: str,
) -> None:
    """Saves a SavedModel whose `serving_default` takes raw serialized examples.

    The signature has one input, `examples`, `[n]` string: serialized `tf.Example`s with the raw
    features (the label is not needed and not read). It has one output, `predictions`, `[n, 1]`
    float32. A required feature that an example lacks is an error that names the feature; an
    optional one is filled with the mean. Only operations of TensorFlow itself are used, so
    TensorFlow Serving runs the model without additions.

    Args:
        predict: The model's function: `[n, len(FEATURES)]` float32 z-scores to `[n, 1]` float32.
        model: Owns the variables and constants that `predict` uses, as a Keras model does.
        transform_graph: Path of Transform's `transform_graph`.
        directory: Where the SavedModel goes.
    """
    transform = tft.TFTransformOutput(transform_graph)
    spec = transform.raw_feature_spec()
    label = spec.pop(LABEL)
    # Not transform.transform_features_layer(): it is a Keras 2 model, whose tracing at saving takes
    # ten times as long as all the rest, and what it adds (leaving inputs out) is one line here.
    graph = tf.saved_model.load(transform.transform_savedmodel_dir)

    # AutoGraph would spend seconds on rewriting the source of what is called, to no effect.
    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False
    )
    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = tf.io.parse_example(examples, spec)
        # The graph wants all its inputs; no feature depends on the label.
        raw[LABEL] = tf.zeros([tf.size(examples), *label.shape], label.dtype)
        z_scores = graph.transform_fn(raw)
        features = tf.concat([z_scores[transformed_name(name)] for name in FEATURES], axis=1)
        return {PREDICTIONS: predict(features)}

    # SavedModel saves the attributes of the module: what a function captures must be among them.
    module = tf.Module()
    module.model = model
    module.transform = graph
    module.serve = serve
    tf.saved_model.save(module, directory, signatures={"serving_default": serve})
