"""A launcher for Airflow with which every component can be tried again, TFX's own, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_driver
from tfx.dsl.components.common import resolver
from tfx.orchestration import data_types
from tfx.orchestration.launcher import in_process_component_launcher
from tfx.types.channel import OutputChannel

from tfx_wine_ext.drivers.output_names import UniqueOutputNames
from tfx_wine_ext.publishers.failure import recording_of, records_failures


class RetryingLauncher(in_process_component_launcher.InProcessComponentLauncher):
    """Launches a component so that a retried or cleared task of Airflow works, whoever wrote it.

    This library's components need it not. With TFX's own launcher the second try of most other
    components fails with ``AlreadyExistsError``, and a failed one stays RUNNING in the metadata
    store. Here each try is an execution of its own, failures are recorded with their messages, and
    outputs have names of their own. A Resolver that reads what a component of its run has made
    gets that, as on LocalDagRunner; TFX's gets what the component has made in any run, which is
    wrong when another run is newer.

    Example:
        >>> from tfx.orchestration.config.pipeline_config import PipelineConfig
        >>> config = PipelineConfig(supported_launcher_classes=[RetryingLauncher])

        ``AirflowPipelineConfig`` takes the same argument.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what TFX's runner gives to its launchers."""
        super().__init__(*args, **kwargs)
        self._driver_class = _retrying(self._driver_class)  # type: ignore[has-type]

    def _run_executor(
        self,
        execution_id: int,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the executor, and records its failure."""
        with recording_of(self._metadata_connection, execution_id):
            super()._run_executor(execution_id, input_dict, output_dict, exec_properties)


class _ResolverOfThisRun(resolver._ResolverDriver):
    """The driver of a Resolver whose inputs are of this run where the pipeline says so."""

    def _build_input_dict(
        self,
        pipeline_info: data_types.PipelineInfo,
        input_channels: Mapping[str, types.BaseChannel],
    ) -> dict[str, list[types.Artifact]]:
        """Looks up each input; an output of a component is one of this run."""
        found: dict[str, list[types.Artifact]] = super()._build_input_dict(
            pipeline_info, input_channels
        )
        for key, channel in input_channels.items():
            if isinstance(channel, OutputChannel):
                found[key] = self._metadata_handle.search_artifacts(
                    channel.output_key, pipeline_info, channel.producer_component_id
                )
        return found


def _retrying(driver_class: type[base_driver.BaseDriver]) -> type[base_driver.BaseDriver]:
    """Returns a driver class that names outputs, records failures and sets earlier tries aside."""
    if issubclass(driver_class, UniqueOutputNames):
        return driver_class
    if driver_class is resolver._ResolverDriver:
        driver_class = _ResolverOfThisRun
    named = [
        base for base in (UniqueOutputNames, driver_class) if base is not base_driver.BaseDriver
    ]
    return records_failures(type(driver_class.__name__, tuple(named), {}))
