"""The search that Tuner runs, for both kinds of model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from examples.wine_quality.hyperparameters import SEED, HyperparametersT
from examples.wine_quality.training_data import TrainingData, read_training_data

OBJECTIVE = "r2"
"""What every trial reports: the squared correlation on rows that its model has not seen."""


def search(
    fn_args: FnArgs,
    space: Mapping[str, list[Any]],
    defaults: HyperparametersT,
    evaluate: Callable[[TrainingData, HyperparametersT], float],
    max_trials: int,
) -> TunerFnResult:
    """Returns a random search within the train split, whose first trial is the defaults.

    Because the defaults compete, the result of a search is never worse than they are. The eval
    split is not used: only Evaluator sees it.

    Args:
        fn_args: From Tuner. `custom_config["max_trials"]` overrides `max_trials`.
        space: The values to choose from, by name: `TREES_SPACE` or `DNN_SPACE`. Settings that are
            not in it keep their defaults.
        defaults: The settings of the first trial.
        evaluate: Trains on a part of the rows and returns R2 on the others.
        max_trials: Number of trials, the first included.

    Raises:
        ValueError: As `read_training_data`.
    """
    data = read_training_data(fn_args, fn_args.train_files)
    declared = keras_tuner.HyperParameters()
    for name, choices in space.items():
        declared.Choice(name, choices, default=getattr(defaults, name))
    oracle = _DefaultsFirst(
        objective=keras_tuner.Objective(OBJECTIVE, "max"),
        max_trials=(fn_args.custom_config or {}).get("max_trials", max_trials),
        hyperparameters=declared,
        seed=SEED,
    )
    oracle.verbose = 0
    tuner = _Evaluation(oracle, directory=fn_args.working_dir, project_name="wine_quality")
    return TunerFnResult(
        tuner=tuner, fit_kwargs={"data": data, "defaults": defaults, "evaluate": evaluate}
    )


class _DefaultsFirst(keras_tuner.oracles.RandomSearchOracle):
    """A random search that begins with the default of every hyperparameter."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self.trials:
            return super().populate_space(trial_id)
        defaults = {parameter.name: parameter.default for parameter in self.hyperparameters.space}
        return {"status": TrialStatus.RUNNING, "values": defaults}


class _Evaluation(BaseTuner):
    """Runs a trial by calling a function."""

    def run_trial(
        self,
        trial: Trial,
        data: TrainingData,
        defaults: HyperparametersT,
        evaluate: Callable[[TrainingData, HyperparametersT], float],
    ) -> dict[str, float]:
        chosen = dataclasses.replace(defaults, **trial.hyperparameters.values)
        return {OBJECTIVE: evaluate(data, chosen)}
