"""Run functions for WarmStartTrainer, to be found by their names."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from tfx_wine_ext import warm_start

INPUTS = warm_start.InputSpec({"x": [warm_start.Affine("x", 0.0, 1.0)]})


def network() -> keras.Model:
    model = keras.Sequential([keras.Input([1], name="x"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse", jit_compile=False)
    return model


def export(folder: str) -> None:
    tf.saved_model.save(tf.Module(), folder)


def run_fn(fn_args):
    """Takes five steps towards y = 2 x + 1."""
    model = network()
    report = warm_start.restore(model, fn_args, INPUTS)
    x = np.linspace(-1, 1, 10, dtype=np.float32)[:, None]
    model.fit(x, 2 * x + 1, batch_size=2, epochs=1, shuffle=False, verbose=0)
    export(fn_args.serving_model_dir)
    warm_start.save(model, fn_args, INPUTS, report)


def diverging_run_fn(fn_args):
    """Trains with a learning rate that is far too large."""
    model = network()
    model.optimizer.learning_rate = 1e30
    report = warm_start.restore(model, fn_args, INPUTS)
    x = np.linspace(-1e20, 1e20, 10, dtype=np.float32)[:, None]
    model.fit(x, 2 * x + 1, batch_size=2, epochs=3, shuffle=False, verbose=0)
    export(fn_args.serving_model_dir)
    warm_start.save(model, fn_args, INPUTS, report)


def plain_run_fn(fn_args):
    """Knows nothing of warm starts."""
    export(fn_args.serving_model_dir)


def failing_run_fn(fn_args):
    raise ArithmeticError("the loss is no number")


def transforming_run_fn(fn_args):
    """Reads the transform graph, as the guide to warm starts does."""
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    print(transform.transformed_metadata.schema)


def own_graph_run_fn(fn_args):
    """Reads a transform graph of its own, which does not exist."""
    print(tft.TFTransformOutput("/no/such/graph").transformed_metadata.schema)


def generated_run_fn(fn_args):
    """Fails in code that was generated, as templates and parsers do, and is in no module."""
    exec("1 / 0", {})
