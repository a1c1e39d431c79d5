"""A driver that looks at its inputs and records what it decides, by both of TFX's launch paths."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types, data_types_utils, metadata
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto.orchestration import driver_output_pb2


class DecidingDriver(base_driver.BaseDriver, ir_base_driver.BaseDriver):
    """Base of drivers that decide from the artifacts of the inputs; subclasses say how."""

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        """Takes what either launch path hands to its drivers."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    @abc.abstractmethod
    def decide(
        self,
        inputs: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
        store: metadata_store.MetadataStore,
    ) -> Mapping[str, int | str]:
        """Decides, before anything is read.

        Args:
            inputs: The artifacts of each input; an optional one may be missing, or empty.
            exec_properties: The parameters of the component.
            store: The metadata store.

        Returns:
            Properties of the execution, which the executor gets too.
        """

    def resolve_input_artifacts(
        self,
        input_dict: dict[str, types.BaseChannel],
        exec_properties: dict[str, Any],
        driver_args: data_types.DriverArgs,
        pipeline_info: data_types.PipelineInfo,
    ) -> dict[str, list[types.Artifact]]:
        """Decides; `exec_properties` is registered after this, so it is added to."""
        found: dict[str, list[types.Artifact]] = super().resolve_input_artifacts(
            input_dict, exec_properties, driver_args, pipeline_info
        )
        exec_properties.update(self.decide(found, exec_properties, self._metadata_handle.store))
        return found

    def run(
        self, execution_info: portable_data_types.ExecutionInfo
    ) -> driver_output_pb2.DriverOutput:
        """Decides, and adds the decision to the execution's properties."""
        output = driver_output_pb2.DriverOutput()
        with self._metadata_handle as handle:
            decided = self.decide(
                execution_info.input_dict, execution_info.exec_properties, handle.store
            )
        for key, value in decided.items():
            data_types_utils.set_metadata_value(output.exec_properties[key], value)
        return output
