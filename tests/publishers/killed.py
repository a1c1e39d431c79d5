"""Runs a pipeline that tells when it is at work, and then waits to be killed."""

from __future__ import annotations

import sys
import time
from typing import ClassVar

from tfx.dsl.components.base import base_component, base_executor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration import pipeline as pipeline_lib
from tfx.orchestration.local import local_dag_runner
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec

from tfx_wine_ext import ParquetExampleGen
from tfx_wine_ext.executors.parquet_example_gen import ParquetExecutor
from tfx_wine_ext.testing import SqliteMetadata


class Waits(base_executor.BaseExecutor):
    """A component of somebody else, which records nothing of its own."""

    def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802 (TFX's name)
        wait()


class WaitingSpec(ComponentSpec):
    PARAMETERS: ClassVar = {}
    INPUTS: ClassVar = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS: ClassVar = {}


class Waiting(base_component.BaseComponent):
    SPEC_CLASS = WaitingSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Waits)

    def __init__(self, examples):
        super().__init__(WaitingSpec(examples=examples))


def wait() -> None:
    """Says so, and waits for longer than any test."""
    print("at work", flush=True)
    time.sleep(600)


def run(folder: str, *, stock: bool) -> None:
    """Runs ParquetExampleGen, and what waits for it if `stock`."""
    example_gen = ParquetExampleGen(f"{folder}/data")
    waiting = Waiting(example_gen.outputs["examples"])
    with SqliteMetadata(f"{folder}/metadata.db") as store:
        pipeline = pipeline_lib.Pipeline(
            pipeline_name="killed",
            pipeline_root=f"{folder}/root",
            components=[example_gen, waiting] if stock else [example_gen],
            metadata_connection_config=store.connection_config,
        )
        local_dag_runner.LocalDagRunner().run(pipeline)


if __name__ == "__main__":
    which = sys.argv[2]
    # The module's own name, as executors are found by it; not __main__.
    from tests.publishers import killed

    if which == "ours":
        ParquetExecutor._run = lambda *_: wait()  # type: ignore[method-assign,assignment]
    killed.run(sys.argv[1], stock=which == "stock")
