"""Pipelines of small components, for the tests of progress: real ones, and quick to launch."""

import pathlib

from tfx.dsl.component.experimental.annotations import OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Examples, InfraBlessing, ModelBlessing, PushedModel

from tfx_wine_ext import DriftReport, ParquetExampleGen, PreviousSpanStrategy
from tfx_wine_ext.testing import parquet_file


@component
def Judge(model: OutputArtifact[ModelBlessing], infra: OutputArtifact[InfraBlessing]):  # noqa: N802
    """Blesses a model as Evaluator does, and not its serving."""
    model.set_int_custom_property("blessed", 1)
    infra.set_int_custom_property("blessed", 0)


@component
def Push(pushed: OutputArtifact[PushedModel]):  # noqa: N802
    """Says that a model was pushed, as Pusher does."""
    pushed.set_int_custom_property("pushed", 1)
    pushed.set_string_custom_property("pushed_destination", "serving/1")


@component
def Broken():  # noqa: N802
    """Raises."""
    raise ArithmeticError("mysql://me:secret@db/x:\n  two is \x1b[31mnot three")


@component
def Interrupted():  # noqa: N802
    """Is interrupted, as by Ctrl-C."""
    raise KeyboardInterrupt


def pipeline(folder: pathlib.Path, *components, enable_cache: bool = False) -> Pipeline:
    """Returns a pipeline of these components."""
    return Pipeline(
        pipeline_name="small",
        pipeline_root=str(folder / "root"),
        components=list(components),
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(folder / "metadata.db")
        ),
        enable_cache=enable_cache,
    )


def gate(folder: pathlib.Path, values: list[float], span: int, mode: str = "warn") -> list:
    """Returns the components that read a new span and compare it with the one before."""
    rows = [{"x": value} for value in values]
    parquet_file(folder / "data" / f"span-{span}" / "rows.parquet", rows)
    example_gen = ParquetExampleGen(
        str(folder / "data"),
        input_config=example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="train", pattern="span-{SPAN}/*.parquet")]
        ),
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(
                splits=[example_gen_pb2.SplitConfig.Split(name="train", hash_buckets=1)]
            )
        ),
    )
    examples = example_gen.outputs["examples"]
    previous = Resolver(
        strategy_class=PreviousSpanStrategy,
        current=examples,
        baseline=Channel(type=Examples, producer_component_id=example_gen.id),
    ).with_id("PreviousSpan")
    report = DriftReport(examples=examples, baseline=previous.outputs["baseline"], mode=mode)
    return [example_gen, previous, report]
