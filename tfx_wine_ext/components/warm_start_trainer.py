"""The WarmStartTrainer component: continues training from the last good model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfx import types, version
from tfx.components.util import udf_utils
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.components.common.resolver import RESOLVER_CONFIG
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.orchestration import data_types
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from tfx_wine_ext.components.visualizations import WarmStartVisualization, register
from tfx_wine_ext.drivers.warm_start_trainer import WarmStartTrainerDriver
from tfx_wine_ext.executors.warm_start_trainer import WarmStartTrainerExecutor
from tfx_wine_ext.resolvers.base_model import BaseModelStrategy
from tfx_wine_ext.resolvers.channels import strategy_of
from tfx_wine_ext.types import warm_start_trainer as keys
from tfx_wine_ext.types.artifacts import DriftBlessing
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.run_fn import REQUEST_KEY

register(WarmStartVisualization)


class WarmStartTrainerSpec(ComponentSpec):
    """The spec of TFX's Trainer with a policy and a DriftBlessing; see `WarmStartTrainer`."""

    PARAMETERS: ClassVar[Mapping[str, ExecutionParameter]] = {
        **standard_component_specs.TrainerSpec.PARAMETERS,
        keys.WARM_START_CONFIG_KEY: ExecutionParameter(type=str),
        keys.BASE_BLESSED_KEY: ExecutionParameter(type=int, optional=True),
    }
    INPUTS: ClassVar[Mapping[str, ChannelParameter]] = {
        **standard_component_specs.TrainerSpec.INPUTS,
        keys.DRIFT_BLESSING_KEY: ChannelParameter(type=DriftBlessing, optional=True),
    }
    OUTPUTS: ClassVar[Mapping[str, ChannelParameter]] = standard_component_specs.TrainerSpec.OUTPUTS


class WarmStartTrainer(base_component.BaseComponent):
    """TFX's Trainer, which continues from an earlier model if the policy allows it.

    The run_fn is one for TFX's Trainer with two more calls (docs/warm-start.md)::

        inputs = warm_start.input_spec(fn_args.transform_graph_path, {"features": [...]})
        model = ...                                           # built and compiled
        report = warm_start.restore(model, fn_args, inputs)   # before training
        ...                                                   # train and export as before
        warm_start.save(model, fn_args, inputs, report)       # after training

    `restore` keeps the function of the base model: before the first step the model predicts what
    the base predicted, even if means or vocabularies have changed. The driver decides between a
    warm and a cold start and records the reason in the log, on the model, and in the report.

    Outputs:
        model: ``standard_artifacts.Model``, as Trainer writes it, with a folder ``warm_start``. The
            folder holds the checkpoint that later runs continue from, ``warm_start.json`` (what was
            done with every variable) and ``warm_start.html``. Custom properties say whether the
            start was warm, from which base, in which generation, and how many variables were
            restored (docs/warm-start.md).
        model_run: ``standard_artifacts.ModelRun``, as Trainer writes it.

    Args:
        examples: A channel of Examples, raw or transformed.
        transform_graph: A channel of a TransformGraph. A run_fn that reads it, as the one above,
            needs it. Default: none.
        schema: A channel of a Schema.
        base_model: A channel of the Model to continue from, as a Resolver with `BaseModelStrategy`
            finds it; it may be empty. Default: none, a cold start. Give `base` and `pinned` to the
            strategy; the policy takes them from there. On Kubeflow the Resolver has TFX's
            `LatestBlessedModelStrategy` (docs/how-to/kubeflow.md).
        hyperparameters: A channel of HyperParameters, as Tuner writes them.
        drift_blessing: A channel of a `DriftBlessing`, for the policy `cold_on_drift`.
        statistics: A channel of the ExampleStatistics of `examples`, from TFX 1.21 on: the run_fn
            finds the number of examples of each split in ``fn_args.num_examples``. Default: none.
        module_file: Path of a Python file with the function ``run_fn``.
        run_fn: Dotted path of the function. Give either `run_fn` or `module_file`.
        train_args: Splits and steps of training.
        eval_args: Splits and steps of evaluation.
        custom_config: More arguments for the run_fn; the key ``warm_start`` is reserved.
        warm_start: The policy: a `WarmStartConfig`, or a mapping of its fields. Default: continue
            from the latest blessed model.
        custom_executor_spec: Another executor, for tests and experiments.

    Raises:
        ValueError: An argument is out of range, or arguments contradict each other: for example,
            the policy has another `base` than the strategy of `base_model`.
        TypeError: `warm_start` is neither a `WarmStartConfig` nor a mapping, or has a value of the
            wrong type.

    Example:
        >>> from tfx.types.channel import Channel
        >>> trainer = WarmStartTrainer(
        ...     examples=Channel(type=standard_artifacts.Examples),
        ...     base_model=Channel(type=standard_artifacts.Model),
        ...     run_fn="my_project.trainer.run_fn",
        ...     warm_start={"max_generations": 10},
        ... )
        >>> sorted(trainer.outputs)
        ['model', 'model_run']
    """

    SPEC_CLASS = WarmStartTrainerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(WarmStartTrainerExecutor)
    DRIVER_CLASS = WarmStartTrainerDriver

    def __init__(
        self,
        examples: types.BaseChannel,
        *,
        transform_graph: types.BaseChannel | None = None,
        schema: types.BaseChannel | None = None,
        base_model: types.BaseChannel | None = None,
        hyperparameters: types.BaseChannel | None = None,
        drift_blessing: types.BaseChannel | None = None,
        statistics: types.BaseChannel | None = None,
        module_file: str | data_types.RuntimeParameter | None = None,
        run_fn: str | data_types.RuntimeParameter | None = None,
        train_args: trainer_pb2.TrainArgs | data_types.RuntimeParameter | None = None,
        eval_args: trainer_pb2.EvalArgs | data_types.RuntimeParameter | None = None,
        custom_config: Mapping[str, Any] | None = None,
        warm_start: WarmStartConfig | Mapping[str, Any] | None = None,
        custom_executor_spec: ExecutorClassSpec | None = None,
    ) -> None:
        """Checks the arguments and builds the spec."""
        if bool(module_file) == bool(run_fn):
            given = "both" if run_fn else "neither"
            raise ValueError(f"run_fn: expected either run_fn or module_file, found {given}")
        if custom_config is not None and not isinstance(custom_config, Mapping):
            raise TypeError(f"custom_config: expected a mapping, found {custom_config!r}")
        if REQUEST_KEY in (custom_config or {}):
            raise ValueError(
                f"custom_config: the key {REQUEST_KEY!r} is reserved for this component; give the "
                "policy as warm_start="
            )
        config = _with_base_of_strategy(_as_config(warm_start), base_model)
        if config.same_schema_only and schema is None:
            raise ValueError("warm_start: same_schema_only needs schema=, found none")
        if config.cold_on_drift and drift_blessing is None:
            raise ValueError("warm_start: cold_on_drift needs drift_blessing=, found none")
        only_newer_tfx = {}
        if standard_component_specs.STATISTICS_KEY in WarmStartTrainerSpec.INPUTS:
            only_newer_tfx[standard_component_specs.STATISTICS_KEY] = statistics
        elif statistics is not None:
            raise ValueError(
                f"statistics: expected none, as the Trainer of TFX {version.__version__} has no "
                "such input; omit it, or use TFX 1.21"
            )
        spec = WarmStartTrainerSpec(
            **only_newer_tfx,
            examples=examples,
            transform_graph=transform_graph,
            schema=schema,
            base_model=base_model,
            hyperparameters=hyperparameters,
            drift_blessing=drift_blessing,
            train_args=train_args or trainer_pb2.TrainArgs(),
            eval_args=eval_args or trainer_pb2.EvalArgs(),
            module_file=module_file,
            run_fn=run_fn,
            custom_config=json_utils.dumps(None if custom_config is None else dict(custom_config)),
            warm_start_config=config.to_json(),
            # None is not recorded: a model that is trained already stays in the cache.
            base_blessed=1 if _is_blessed(base_model) else None,
            model=types.Channel(type=standard_artifacts.Model),
            model_run=types.Channel(type=standard_artifacts.ModelRun),
        )
        super().__init__(spec=spec, custom_executor_spec=custom_executor_spec)
        if module_file and udf_utils.should_package_user_modules():
            # TFX builds a wheel of the file and puts its location into the module path.
            udf_utils.add_user_module_dependency(
                self,
                standard_component_specs.MODULE_FILE_KEY,
                standard_component_specs.MODULE_PATH_KEY,
            )


def _as_config(warm_start: WarmStartConfig | Mapping[str, Any] | None) -> WarmStartConfig:
    if warm_start is None or isinstance(warm_start, WarmStartConfig):
        return warm_start or WarmStartConfig()
    try:
        return WarmStartConfig.from_dict(warm_start)
    except (ValueError, TypeError) as error:
        raise type(error)(f"warm_start: {error}") from error


def _is_blessed(base_model: types.BaseChannel | None) -> bool:
    """Tells whether the Resolver of the base model finds blessed ones only."""
    return issubclass(strategy_of(base_model) or type, LatestBlessedModelStrategy)


def _with_base_of_strategy(
    config: WarmStartConfig, base_model: types.BaseChannel | None
) -> WarmStartConfig:
    """Returns the policy with `base` and `pinned` of the `BaseModelStrategy` that finds the model.

    Users give them to the strategy only; the driver applies and records the same values.
    """
    if base_model is None or not issubclass(strategy_of(base_model) or type, BaseModelStrategy):
        return config
    given = base_model.producer_component.exec_properties.get(RESOLVER_CONFIG) or {}
    base, pinned = given.get("base", WarmStartConfig.base), given.get("pinned")
    default = (WarmStartConfig.base, WarmStartConfig.pinned)
    if (config.base, config.pinned) not in (default, (base, pinned)):
        raise ValueError(
            f"warm_start: base={config.base!r}, pinned={config.pinned!r}, but base_model comes "
            f"from a BaseModelStrategy with base={base!r}, pinned={pinned!r}: give it to the "
            f"strategy only, Resolver(strategy_class=BaseModelStrategy, "
            f"config={{'base': {config.base!r}}}, ...)"
        )
    return dataclasses.replace(config, base=base, pinned=pinned)
