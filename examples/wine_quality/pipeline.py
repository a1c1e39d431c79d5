"""The wine-quality pipeline: the standard components of TFX together with this library's."""

from __future__ import annotations

from typing import Literal

from ml_metadata.proto import metadata_store_pb2
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator.component import Evaluator
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.infra_validator.component import InfraValidator
from tfx.components.pusher.component import Pusher
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.components.tuner.component import Tuner
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver, ResolverStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import (
    example_gen_pb2,
    infra_validator_pb2,
    pusher_pb2,
    range_config_pb2,
    trainer_pb2,
)
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing

from examples.wine_quality.constants import LABEL
from examples.wine_quality.drift_gate import DRIFT_GATE
from tfx_wine_ext import (
    BaseModelStrategy,
    DriftReport,
    ParquetExampleGen,
    PreviousSpanStrategy,
    TableExampleGen,
    WarmStartConfig,
    WarmStartTrainer,
)
from tfx_wine_ext.sources.configs import SourceConfig

PIPELINE_NAME = "wine_quality"

# The modules that train the kinds of model.
MODELS = {
    "dnn": "examples.wine_quality.dnn_trainer",
    "trees": "examples.wine_quality.trees_trainer",
}

# A model must explain three tenths of the variance. The linear model of the article that published
# the data is just below that, a good model of either kind well above.
MIN_R2 = 0.3
# Two trainings on equally good data differ by this much: a smaller loss is no reason to reject.
R2_MARGIN = 0.02


def create_pipeline(
    *,
    pipeline_root: str,
    data_root: str,
    serving_dir: str,
    metadata_connection_config: metadata_store_pb2.ConnectionConfig | None,
    pipeline_name: str = PIPELINE_NAME,
    model: str = "dnn",
    tune: bool = False,
    schema_file: str | None = None,
    span: int | None = None,
    source: SourceConfig | None = None,
    drift_mode: Literal["report", "warn", "fail"] = "warn",
    warm_start: bool = False,
    infra_validator: bool = False,
    min_r2: float = MIN_R2,
    r2_margin: float = R2_MARGIN,
    enable_cache: bool = True,
    beam_pipeline_args: list[str] | None = None,
    kubeflow: bool = False,
    baseline_span: int | None = None,
) -> Pipeline:
    """Builds the pipeline, for every runner.

    Args:
        pipeline_root: Folder of all artifacts.
        data_root: Folder of the spans: ``span-1/*.parquet`` and so on.
        serving_dir: Folder that models are pushed to, one numbered folder each.
        metadata_connection_config: The metadata store; None for Kubeflow, which has its own.
        pipeline_name: Its name there.
        model: Kind of model, a key of `MODELS`: the Keras network or the boosted trees.
        tune: Search for better hyperparameters first.
        schema_file: A curated schema (text format) instead of one inferred from the data.
        span: The span to read; default the latest, which a query cannot find out.
        source: Where the spans are, if not in `data_root`; ``{SPAN}`` in it is the number.
        drift_mode: What happens if it drifted from the previous span: see `DriftReport`.
        warm_start: Continue training from the latest blessed model of the same kind.
        infra_validator: Try the model in a TensorFlow Serving container before it is pushed.
        min_r2: Lowest squared correlation on the eval split at which a model is blessed.
        r2_margin: How far below the model in production it may be.
        enable_cache: Reuse results of earlier runs with equal inputs.
        beam_pipeline_args: Passed on to Beam.
        kubeflow: Use no Resolver with a strategy of this library, which Kubeflow cannot run: the
            base of a warm start is found by TFX's own, and the baseline is `baseline_span`.
        baseline_span: The span to compare with, for `kubeflow` only, which reads it again; default
            none.

    Returns:
        The pipeline, ready for a runner.

    Raises:
        ValueError: `model` is not a kind of model.
    """
    if model not in MODELS:
        raise ValueError(f"model: expected one of {', '.join(MODELS)}, found {model!r}")
    example_gen = _example_gen(data_root, span, source)
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = (
        ImportSchemaGen(schema_file=schema_file)
        if schema_file
        else SchemaGen(statistics=statistics, infer_feature_shape=True)
    )
    schema = schema_gen.outputs["schema"]
    example_validator = ExampleValidator(statistics=statistics, schema=schema)
    if kubeflow:
        before = _example_gen(data_root, baseline_span, source).with_id("PreviousSpan")
        previous_span = [] if baseline_span is None else [before]
        baseline = before.outputs["examples"] if previous_span else None
    else:
        previous_span = [_previous_span(example_gen)]
        baseline = previous_span[0].outputs["baseline"]
    drift_report = DriftReport(
        examples=examples, baseline=baseline, schema=schema, config=DRIFT_GATE, mode=drift_mode
    )
    transform = _transform(examples, schema)
    # No model is trained on data that the gate stops, whatever the runner's order.
    transform.add_upstream_node(drift_report)
    *before_training, trainer = _training(
        MODELS[model],
        transform,
        schema,
        tune,
        (LatestBlessedModelStrategy if kubeflow else BaseModelStrategy) if warm_start else None,
    )
    trained = trainer.outputs["model"]
    in_production = _resolver(LatestBlessedModelStrategy, "LatestBlessedModel")
    evaluator = Evaluator(
        examples=examples,
        model=trained,
        baseline_model=in_production.outputs["model"],
        eval_config=_eval_config(min_r2, r2_margin),
        example_splits=["eval"],
    )
    infra = _infra_validator(trained, examples) if infra_validator else None
    pusher = Pusher(
        model=trained,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=infra.outputs["blessing"] if infra else None,
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving_dir)
        ),
    )
    return Pipeline(
        pipeline_name=pipeline_name,
        pipeline_root=pipeline_root,
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            *previous_span,
            drift_report,
            transform,
            *before_training,
            trainer,
            in_production,
            evaluator,
            *([infra] if infra else []),
            pusher,
        ],
        metadata_connection_config=metadata_connection_config,
        enable_cache=enable_cache,
        beam_pipeline_args=beam_pipeline_args,
    )


def _example_gen(
    data_root: str, span: int | None, source: SourceConfig | None
) -> ParquetExampleGen | TableExampleGen:
    """Returns what reads one span, and puts two thirds of its rows into the train split."""
    output_config = example_gen_pb2.Output(
        split_config=example_gen_pb2.SplitConfig(
            splits=[
                example_gen_pb2.SplitConfig.Split(name="train", hash_buckets=2),
                example_gen_pb2.SplitConfig.Split(name="eval", hash_buckets=1),
            ]
        )
    )
    if source is not None:
        return TableExampleGen(
            {"wine": source}, output_config=output_config, range_config=_only(span)
        )
    return ParquetExampleGen(
        data_root,
        input_config=example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="wine", pattern="span-{SPAN}/*.parquet")]
        ),
        output_config=output_config,
        range_config=_only(span),
    )


def _only(span: int | None) -> range_config_pb2.RangeConfig | None:
    """Returns the range of one span; for None it returns None, which means the latest span."""
    if span is None:
        return None
    return range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    )


def _previous_span(example_gen: ParquetExampleGen | TableExampleGen) -> Resolver:
    """Returns what finds the Examples of the previous span in the metadata store."""
    return Resolver(
        strategy_class=PreviousSpanStrategy,
        current=example_gen.outputs["examples"],
        baseline=Channel(type=Examples, producer_component_id=example_gen.id),
    ).with_id("PreviousSpan")


def _transform(examples: Channel, schema: Channel) -> Transform:
    return Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="examples.wine_quality.features.preprocessing_fn",
        # StatisticsGen computes them; those of the z-scores would say nothing new.
        disable_statistics=True,
        # It pays off where earlier spans are analysed again; each run here reads one span.
        disable_analyzer_cache=True,
    )


def _training(
    module: str,
    transform: Transform,
    schema: Channel,
    tune: bool,
    strategy: type[ResolverStrategy] | None,
) -> list[BaseNode]:
    """Returns the trainer, last, and what it needs: a Tuner, and the search for a base model."""
    inputs = {
        "examples": transform.outputs["transformed_examples"],
        "transform_graph": transform.outputs["transform_graph"],
        "schema": schema,
        "train_args": trainer_pb2.TrainArgs(splits=["train"]),
        "eval_args": trainer_pb2.EvalArgs(splits=["eval"]),
    }
    tuners = [Tuner(tuner_fn=f"{module}.tuner_fn", **inputs)] if tune else []
    inputs["run_fn"] = f"{module}.run_fn"
    inputs["hyperparameters"] = tuners[0].outputs["best_hyperparameters"] if tune else None
    if strategy is None:  # A cold start.
        return [*tuners, Trainer(**inputs)]
    base_model = _resolver(strategy, "BaseModel")
    trainer = WarmStartTrainer(
        base_model=base_model.outputs["model"],
        # On so few rows Adam's old moments slow the training down: docs/benchmarks.md.
        warm_start=WarmStartConfig(optimizer="reset"),
        **inputs,
    )
    return [*tuners, base_model, trainer]


def _resolver(strategy: type[ResolverStrategy], name: str) -> Resolver:
    """Returns what picks one of the models that all runs have made."""
    return Resolver(
        strategy_class=strategy,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id(name)


def _infra_validator(model: Channel, examples: Channel) -> InfraValidator:
    """Returns what sends ten examples to TensorFlow Serving with the model in it."""
    return InfraValidator(
        model=model,
        examples=examples,
        serving_spec=infra_validator_pb2.ServingSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=["latest"]),
            local_docker=infra_validator_pb2.LocalDockerConfig(),
        ),
        request_spec=infra_validator_pb2.RequestSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(),
            num_examples=10,
        ),
    )


def _eval_config(min_r2: float, r2_margin: float) -> config_pb2.EvalConfig:
    """Returns what the Evaluator measures, and what it demands of a model."""
    return config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(signature_name="serving_default", label_key=LABEL)],
        slicing_specs=[config_pb2.SlicingSpec()],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    config_pb2.MetricConfig(
                        class_name="SquaredPearsonCorrelation",
                        threshold=config_pb2.MetricThreshold(
                            value_threshold=config_pb2.GenericValueThreshold(
                                lower_bound={"value": min_r2}
                            ),
                            change_threshold=config_pb2.GenericChangeThreshold(
                                direction=config_pb2.MetricDirection.HIGHER_IS_BETTER,
                                absolute={"value": -r2_margin},
                            ),
                        ),
                    ),
                    config_pb2.MetricConfig(class_name="MeanSquaredError"),
                    config_pb2.MetricConfig(class_name="ExampleCount"),
                ]
            )
        ],
    )
