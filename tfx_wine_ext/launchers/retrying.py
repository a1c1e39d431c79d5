"""A launcher for Airflow with which every component can be tried again, TFX's own, too."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_driver
from tfx.orchestration.launcher import in_process_component_launcher

from tfx_wine_ext.drivers.output_names import UniqueOutputNames
from tfx_wine_ext.publishers.failure import recording_of, records_failures


class RetryingLauncher(in_process_component_launcher.InProcessComponentLauncher):
    """Launches a component so that a retried or cleared task of Airflow works, whoever wrote it.

    This library's components need it not. With TFX's own launcher the second try of any other
    component fails with ``AlreadyExistsError``, and a failed one stays RUNNING in the metadata
    store. Here each try is an execution of its own, failures are recorded with their messages, and
    outputs have names of their own.

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


def _retrying(driver_class: type[base_driver.BaseDriver]) -> type[base_driver.BaseDriver]:
    """Returns a driver class that names outputs, records failures and sets earlier tries aside."""
    if issubclass(driver_class, UniqueOutputNames):
        return driver_class
    bases = (
        (UniqueOutputNames,)
        if driver_class is base_driver.BaseDriver
        else (
            UniqueOutputNames,
            driver_class,
        )
    )
    return records_failures(type(driver_class.__name__, bases, {}))
