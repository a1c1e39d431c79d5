"""Trains the boosted trees: `run_fn` for Trainer, `tuner_fn` for Tuner.

Why ydf, and why the trees are saved as plain operations: docs/adr/0004-boosted-trees.md.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from examples.wine_quality.constants import FEATURES, LABEL
from examples.wine_quality.hyperparameters import (
    SEED,
    TREES_SPACE,
    TreesHyperparameters,
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
    import ydf
    from tfx.components.trainer.fn_args_utils import FnArgs
    from tfx.components.tuner.component import TunerFnResult

    from examples.wine_quality.forest import Forest

TUNER_TRIALS = 8
"""Trials of a search unless custom_config has `max_trials`."""

INPUT = "features"
"""The name of the matrix that holds all columns."""

ARCHITECTURE = {"kind": "forest"}
"""Says in a checkpoint that its arrays are those of a `Forest`."""

CONTINUED_SHARE = 2 / 3
"""How many trees a warm start adds, as a share of a cold start's. docs/warm-start.md: a third more
gained nothing, and each generation makes the model slower."""

FOLDS = 5
"""Folds of the cross-validation."""


def run_fn(fn_args: FnArgs) -> None:
    """Trains boosted trees on the train split and saves them for serving.

    The eval split is not used: only Evaluator sees it. With WarmStartTrainer, the new trees are
    added to earlier ones: see `continue_trees`. With either trainer, a checkpoint is saved.

    Args:
        fn_args: From Trainer. Needs transformed examples and the transform graph; uses
            `hyperparameters` where a Tuner has chosen some.

    Raises:
        ValueError: Something is missing; see `read_training_data` and `from_tuner`.
    """
    from examples.wine_quality.forest import Forest, ForestModel
    from examples.wine_quality.serving import save_for_serving

    graph = transform_graph_path(fn_args)
    hyperparameters = from_tuner(TreesHyperparameters, fn_args.hyperparameters)
    data = read_training_data(fn_args, fn_args.train_files)
    logging.info("Training on %d rows with %s", len(data.label), hyperparameters)
    inputs = warm_start.input_spec(graph, {INPUT: map(transformed_name, FEATURES)})
    earlier, report = read_earlier(fn_args, inputs)
    if earlier is None:
        forest = Forest.from_ydf(train_trees(data, hyperparameters), FEATURES)
    else:
        forest = continue_trees(earlier, data, hyperparameters)
    before = 0 if earlier is None else len(earlier.root)
    log_losses(fn_args.model_run_dir, losses_by_tree(forest, data))
    model = ForestModel(forest)
    save_for_serving(model, model, graph, fn_args.serving_model_dir)
    warm_start.write_result(
        warm_start.Checkpoint(
            weights=forest.to_arrays(),
            inputs=inputs,
            architecture=ARCHITECTURE,
            step=len(forest.root),
            generation=report.generation,
            probe=warm_start.probe_of(predictor(forest), inputs),
        ),
        fn_args,
        dataclasses.replace(report, steps=len(forest.root) - before),
    )


def read_earlier(
    fn_args: FnArgs, inputs: warm_start.InputSpec
) -> tuple[Forest | None, warm_start.TransferReport]:
    """Reads the forest to continue from, restated for the new inputs.

    Args:
        fn_args: From Trainer.
        inputs: The current columns.

    Returns:
        The forest, or None for a cold start; and the report of the start, in which trees count as
        steps.

    Raises:
        UnusableBaseError: The base is not a forest, or uses a column that the new data lack, and
            the policy is `on_unusable_base="error"`.
    """
    from examples.wine_quality.forest import Forest

    base, report = warm_start.read_base(fn_args)
    if base is None:
        return None, report
    try:
        if base.architecture != ARCHITECTURE:
            raise ValueError("it is not a forest: was it trained by another run_fn?")
        forest = Forest.from_arrays(base.weights).restated(
            base.inputs.inputs[INPUT], inputs.inputs[INPUT]
        )
    except ValueError as error:
        return None, warm_start.unusable(fn_args, error)
    trees = (len(forest.root),)
    entry = warm_start.VariableTransfer(
        "forest", "remapped", "thresholds restated for the new z-scores", trees, trees
    )
    verification = warm_start.verify_function(base, predictor(forest), inputs)
    return forest, dataclasses.replace(
        report,
        variables=(entry,),
        verified=verification.verified,
        verification=verification.sentence,
        not_compensated=(verification.sentence,) if verification.differs else (),
    )


def predictor(forest: Forest) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Returns a function that predicts from columns, by the name of the input, for `probe_of`."""
    from examples.wine_quality.forest import ForestModel

    model = ForestModel(forest)
    return lambda inputs: model(inputs[INPUT]).numpy()


def continue_trees(
    earlier: Forest, data: TrainingData, hyperparameters: TreesHyperparameters
) -> Forest:
    """Returns an earlier forest plus new trees that are trained on its residuals.

    Args:
        earlier: Restated for the columns of `data`.
        data: The rows.
        hyperparameters: See `TreesHyperparameters`; of `num_trees`, `CONTINUED_SHARE` are added.
    """
    from examples.wine_quality.forest import Forest, ForestModel

    residuals = data.label - ForestModel(earlier)(data.features).numpy()[:, 0]
    fewer = dataclasses.replace(
        hyperparameters, num_trees=max(1, round(hyperparameters.num_trees * CONTINUED_SHARE))
    )
    new = train_trees(TrainingData(data.features, residuals), fewer)
    return earlier + Forest.from_ydf(new, FEATURES)


def losses_by_tree(forest: Forest, data: TrainingData) -> np.ndarray:
    """Returns the mean squared error of the first tree, of the first two and so on, `[trees]`.

    It is measured on the rows that the trees were trained on, so the curve always falls. If it
    still falls steeply at its end, more trees would help.

    Args:
        forest: Stated for the columns of `data`.
        data: The rows.
    """
    from examples.wine_quality.forest import ForestModel

    added = ForestModel(forest).by_tree(data.features).numpy()
    predictions = forest.bias + np.cumsum(added, axis=1, dtype=np.float64)
    return np.mean((predictions - data.label[:, np.newaxis]) ** 2, axis=0)


def log_losses(folder: str, losses: np.ndarray) -> None:
    """Writes the scalar `loss` for TensorBoard, with the number of trees as the step.

    Args:
        folder: The folder of the run. The events go to its subfolder `train/`, as in Keras.
        losses: See `losses_by_tree`.
    """
    import tensorflow as tf

    with tf.summary.create_file_writer(os.path.join(folder, "train")).as_default():
        for trees, loss in enumerate(losses, start=1):
            tf.summary.scalar("loss", loss, step=trees)


def train_trees(
    data: TrainingData, hyperparameters: TreesHyperparameters, seed: int = SEED
) -> ydf.GradientBoostedTreesModel:
    """Returns boosted trees for the squared error, trained on all given rows.

    The same rows in the same order give the same trees.

    Args:
        data: The rows.
        hyperparameters: See `TreesHyperparameters`.
        seed: Decides the rows of each tree and the features of each node.
    """
    import ydf

    ydf.verbose(0)
    learner = ydf.GradientBoostedTreesLearner(
        label=LABEL,
        task=ydf.Task.REGRESSION,
        num_trees=hyperparameters.num_trees,
        max_depth=hyperparameters.max_depth,
        shrinkage=hyperparameters.shrinkage,
        subsample=hyperparameters.subsample,
        num_candidate_attributes_ratio=hyperparameters.feature_share,
        min_examples=hyperparameters.min_examples,
        # ydf would set a tenth of the rows aside to stop early; cross-validation chose num_trees.
        validation_ratio=0.0,
        early_stopping="NONE",
        random_seed=seed,
        # What ydf draws depends on the number of threads, which would otherwise be that of the
        # cores; and on so few rows one thread is as fast as two.
        num_threads=1,
    )
    return learner.train(_columns(data))


def cross_validate(
    data: TrainingData, hyperparameters: TreesHyperparameters, seed: int = SEED
) -> float:
    """Returns R2 over all rows, each predicted by trees that were trained on the other folds.

    Args:
        data: The rows; see `TrainingData.folds`.
        hyperparameters: See `TreesHyperparameters`.
        seed: As for `train_trees`.
    """
    folds = data.folds(FOLDS)
    predictions = np.empty_like(data.label)
    for fold in range(FOLDS):
        held_out = folds == fold
        train = TrainingData(data.features[~held_out], data.label[~held_out])
        held_out_columns = _columns(TrainingData(data.features[held_out], data.label[held_out]))
        predictions[held_out] = train_trees(train, hyperparameters, seed).predict(held_out_columns)
    return squared_correlation(predictions, data.label)


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Returns a search over `TREES_SPACE` by five-fold cross-validation within the train split.

    Args:
        fn_args: From Tuner; see `examples.wine_quality.tuning.search`.
    """
    from examples.wine_quality.tuning import search

    return search(fn_args, TREES_SPACE, TreesHyperparameters(), cross_validate, TUNER_TRIALS)


def _columns(data: TrainingData) -> dict[str, np.ndarray]:
    """Returns the rows by column name, as ydf takes them."""
    columns = {name: data.features[:, index] for index, name in enumerate(FEATURES)}
    return {**columns, LABEL: data.label}
