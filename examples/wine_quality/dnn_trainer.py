"""Trains the Keras 3 network: `run_fn` for Trainer, `tuner_fn` for Tuner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from examples.wine_quality.constants import FEATURES
from examples.wine_quality.hyperparameters import (
    DNN_SPACE,
    SEED,
    DnnHyperparameters,
    from_tuner,
)
from examples.wine_quality.training_data import (
    TrainingData,
    read_training_data,
    squared_correlation,
    transform_graph_path,
    transformed_name,
)
from tfx_wine_ext import warm_start

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs
    from tfx.components.tuner.component import TunerFnResult

TUNER_TRIALS = 6
"""Trials of a search unless custom_config has `max_trials`."""

FOLDS = 5
"""One row in this many is held out, to decide when training stops or how good a trial is."""


def run_fn(fn_args: FnArgs) -> None:
    """Trains a network on the train split and saves it for serving.

    The eval split is not used: only Evaluator sees it. A fifth of the train split decides when to
    stop. With WarmStartTrainer, training continues from an earlier network. With either trainer, a
    checkpoint to continue from is saved, and the losses epoch by epoch, for TensorBoard.

    Args:
        fn_args: From Trainer. Needs transformed examples and the transform graph; uses
            `hyperparameters` where a Tuner has chosen some.

    Raises:
        ValueError: Something is missing; see `read_training_data` and `from_tuner`.
    """
    from examples.wine_quality.serving import save_for_serving

    graph = transform_graph_path(fn_args)
    inputs = warm_start.input_spec(graph, {"features": map(transformed_name, FEATURES)})
    hyperparameters = from_tuner(DnnHyperparameters, fn_args.hyperparameters)
    data = read_training_data(fn_args, fn_args.train_files)
    logging.info("Training on %d rows with %s", len(data.label), hyperparameters)
    train, held_out = hold_out(data)
    model = untrained_network(train, hyperparameters)
    report = warm_start.restore(model, fn_args, inputs)
    for_tensorboard = keras.callbacks.TensorBoard(fn_args.model_run_dir, write_graph=False)
    fit(model, train, held_out, hyperparameters, [for_tensorboard])
    save_for_serving(
        lambda features: model(features, training=False), model, graph, fn_args.serving_model_dir
    )
    warm_start.save(model, fn_args, inputs, report)


def hold_out(data: TrainingData) -> tuple[TrainingData, TrainingData]:
    """Returns four fifths of the rows and the last fifth; equal rows stay together."""
    held_out = data.folds(FOLDS) == FOLDS - 1
    return (
        TrainingData(data.features[~held_out], data.label[~held_out]),
        TrainingData(data.features[held_out], data.label[held_out]),
    )


def build_network(hyperparameters: DnnHyperparameters, mean_label: float) -> keras.Model:
    """Returns an untrained network, `[n, len(FEATURES)]` float32 to `[n, 1]` float32.

    Args:
        hyperparameters: Its shape and its learning rate.
        mean_label: The initial output, so that no training step is spent on finding the mean.
    """
    network = keras.Sequential([keras.Input([len(FEATURES)])])
    for _ in range(hyperparameters.layers):
        network.add(keras.layers.Dense(hyperparameters.units, activation="relu"))
        network.add(keras.layers.Dropout(hyperparameters.dropout))
    network.add(keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(mean_label)))
    network.compile(
        optimizer=keras.optimizers.Adam(hyperparameters.learning_rate),
        loss="mean_squared_error",
        # XLA takes longer to compile so small a network than to train it.
        jit_compile=False,
        # Returning to Python after every step took longer than the steps themselves.
        steps_per_execution=10,
    )
    # Otherwise the step that creates the optimizer's variables is traced a second time without.
    network.optimizer.build(network.trainable_variables)
    return network


def untrained_network(train: TrainingData, hyperparameters: DnnHyperparameters) -> keras.Model:
    """Returns the network that training starts from: equal arguments give equal networks.

    Args:
        train: The rows to learn from.
        hyperparameters: See `DnnHyperparameters`.
    """
    keras.utils.set_random_seed(SEED)
    return build_network(hyperparameters, float(train.label.mean()))


def fit(
    network: keras.Model,
    train: TrainingData,
    held_out: TrainingData,
    hyperparameters: DnnHyperparameters,
    more_callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains a network, and leaves it with the weights of its best epoch on the held-out rows.

    Args:
        network: See `untrained_network`.
        train: The rows to learn from.
        held_out: The rows that decide when to stop.
        hyperparameters: See `DnnHyperparameters`.
        more_callbacks: Callbacks besides the one that stops.
    """
    batches = (
        tf.data.Dataset.from_tensor_slices((train.features, train.label[:, np.newaxis]))
        .shuffle(len(train.label), seed=SEED)
        .batch(hyperparameters.batch_size)
    )
    history = network.fit(
        batches,
        validation_data=(held_out.features, held_out.label[:, np.newaxis]),
        validation_batch_size=4096,
        epochs=hyperparameters.max_epochs,
        callbacks=[
            keras.callbacks.EarlyStopping(
                patience=hyperparameters.patience, restore_best_weights=True
            ),
            *more_callbacks,
        ],
        verbose=0,
    ).history
    for epoch, (loss, held_out_loss) in enumerate(zip(history["loss"], history["val_loss"])):
        logging.info("epoch %d: loss %.4f, held out %.4f", epoch + 1, loss, held_out_loss)


def evaluate(data: TrainingData, hyperparameters: DnnHyperparameters) -> float:
    """Returns the R2 of the held-out fifth, for a network trained on the others.

    The same fifth decides when to stop, which favours all trials equally.
    """
    train, held_out = hold_out(data)
    network = untrained_network(train, hyperparameters)
    fit(network, train, held_out, hyperparameters)
    return squared_correlation(network.predict_on_batch(held_out.features)[:, 0], held_out.label)


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Returns a search over `DNN_SPACE`, judged on a held-out fifth of the train split.

    Args:
        fn_args: From Tuner; see `examples.wine_quality.tuning.search`.
    """
    from examples.wine_quality.tuning import search

    return search(fn_args, DNN_SPACE, DnnHyperparameters(), evaluate, TUNER_TRIALS)
