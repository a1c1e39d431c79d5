"""A component that can be tried several times in one run, as Airflow does it."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, base_executor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration import data_types, metadata
from tfx.orchestration.launcher.base_component_launcher import BaseComponentLauncher
from tfx.orchestration.launcher.in_process_component_launcher import InProcessComponentLauncher
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec

from tfx_wine_ext.drivers.deciding_driver import DecidingDriver
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.testing import RecordedMetadata

# What the next tries do, first to last.
WORK: list[Callable[[str], object]] = []


class StockExecutor(base_executor.BaseExecutor):
    """Does what the test asks for, given the folder of its output; records nothing."""

    def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802 (TFX's name)
        WORK.pop(0)(output_dict["examples"][0].uri)


class TriedSpec(ComponentSpec):
    PARAMETERS: ClassVar = {}
    INPUTS: ClassVar = {}
    OUTPUTS: ClassVar = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class Stock(base_component.BaseComponent):
    """A component of somebody else."""

    SPEC_CLASS = TriedSpec
    EXECUTOR_SPEC = ExecutorClassSpec(StockExecutor)

    def __init__(self):
        super().__init__(TriedSpec(examples=Channel(type=standard_artifacts.Examples)))


@records_failures
class TriedExecutor(StockExecutor):
    """The same, recording its failures."""


class TriedDriver(DecidingDriver):
    """Decides nothing."""

    def decide(self, inputs, exec_properties, store):
        return {}


class Tried(Stock):
    """A component that is written as this library's are."""

    EXECUTOR_SPEC = ExecutorClassSpec(TriedExecutor)
    DRIVER_CLASS = TriedDriver


def ready(folder: str) -> None:
    """Leaves a file."""
    pathlib.Path(folder, "made").write_text(str(os.getpid()))


def fails(folder: str) -> None:
    """Leaves a half-written file, and raises."""
    pathlib.Path(folder, "half").write_text("")
    raise ValueError("no rows")


def try_once(
    component: base_component.BaseComponent,
    store: RecordedMetadata,
    folder: pathlib.Path,
    *work: Callable[[str], object],
    run: str = "manual__2026-01-01T10:00:00+00:00",
    launcher: type[BaseComponentLauncher] = InProcessComponentLauncher,
    enable_cache: bool = False,
) -> Any:
    """Launches a component as TFX's AirflowDagRunner does, in a run of its own or once more."""
    WORK[:] = work
    return launcher.create(
        component=component,
        pipeline_info=data_types.PipelineInfo("tried", str(folder / "root"), run),
        driver_args=data_types.DriverArgs(enable_cache=enable_cache),
        metadata_connection=metadata.Metadata(store.connection_config),
        beam_pipeline_args=[],
        additional_pipeline_args={},
    ).launch()
