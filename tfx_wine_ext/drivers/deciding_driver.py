"""A driver that decides by its inputs and records the decision, on both of TFX's launch paths."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types, data_types_utils, metadata
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import driver_output_pb2, pipeline_pb2

from tfx_wine_ext.artifacts.properties import line_of
from tfx_wine_ext.decisions import Inputs
from tfx_wine_ext.drivers.output_names import UniqueOutputNames
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.publishers.failure import execution_of, records_failures


class UpstreamFailedError(TfxWineExtError, RuntimeError):
    """A node that the component depends on failed in this run, and the runner continued.

    Attributes:
        node: Id of that node.
        reason: The error line that the store has for it; "" if there is none.
    """

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(
            f"that it failed in this run: {reason}" if reason else "that it failed in this run",
            () if reason else "the log says why",
            path=node,
            expected="it to have succeeded before",
        )
        self.node, self.reason = node, reason


@records_failures
class DecidingDriver(UniqueOutputNames, ir_base_driver.BaseDriver):
    """Base class of drivers that decide by the input artifacts; subclasses implement `decide`.

    If a driver raises, the execution is recorded as FAILED with the message, on both launch paths.
    In Airflow a second try of a run is an execution of its own, with outputs of their own names.
    Decorate the executor, too, with `tfx_wine_ext.publishers.failure.records_failures`.
    """

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        """Takes the connection that either launch path passes to its drivers."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    @abc.abstractmethod
    def decide(
        self,
        inputs: Inputs,
        exec_properties: Mapping[str, Any],
        store: metadata_store.MetadataStore,
    ) -> Mapping[str, int | str]:
        """Decides before any data are read.

        Args:
            inputs: The artifacts of each input; an optional input may be missing or empty.
            exec_properties: The parameters of the component.
            store: The metadata store.

        Returns:
            Properties of the execution; the executor receives them too.
        """

    def used(
        self, inputs: Inputs, exec_properties: Mapping[str, Any]
    ) -> Mapping[str, list[types.Artifact]]:
        """Returns the inputs from which artifacts are removed: TFX would fail on missing ones.

        Args:
            inputs: The artifacts of each input.
            exec_properties: The parameters of the component, and the decision.

        Returns:
            The remaining artifacts, by input name. Default: nothing is removed.
        """
        return {}

    def resolve_input_artifacts(
        self,
        input_dict: dict[str, types.BaseChannel],
        exec_properties: dict[str, Any],
        driver_args: data_types.DriverArgs,
        pipeline_info: data_types.PipelineInfo,
    ) -> dict[str, list[types.Artifact]]:
        """Decides, and removes unused inputs.

        TFX registers `exec_properties` after this call, so the decision is added to it.
        """
        inputs: dict[str, list[types.Artifact]] = super().resolve_input_artifacts(
            input_dict, exec_properties, driver_args, pipeline_info
        )
        exec_properties.update(self.decide(inputs, exec_properties, self._metadata_handle.store))
        inputs.update(self.used(inputs, exec_properties))
        return inputs

    def run(
        self, execution_info: portable_data_types.ExecutionInfo
    ) -> driver_output_pb2.DriverOutput:
        """Decides, and adds the decision to the execution's properties.

        Raises:
            UpstreamFailedError: The Resolver of an input failed. TFX's runners continue, and an
                optional input would look empty, as on a first run.
        """
        output = driver_output_pb2.DriverOutput()
        with self._metadata_handle as handle:
            if execution_info.pipeline_node is not None:
                _check_upstream(handle.store, execution_info.pipeline_node)
            decided = self.decide(
                execution_info.input_dict, execution_info.exec_properties, handle.store
            )
        for key, value in decided.items():
            data_types_utils.set_metadata_value(output.exec_properties[key], value)
        return output


def _check_upstream(store: metadata_store.MetadataStore, node: pipeline_pb2.PipelineNode) -> None:
    """Raises if a node that an optional input comes from failed in this run."""
    producers = {
        channel.producer_node_query.id
        for input_spec in node.inputs.inputs.values()
        for channel in input_spec.channels
        if not input_spec.min_count and channel.producer_node_query.id in node.upstream_nodes
    }
    for producer in sorted(producers):
        failed = metadata_store_pb2.Execution.FAILED
        execution = execution_of(store, node, producer, failed)
        if execution is None:
            continue
        result = execution_lib.get_execution_result(execution, ignore_parse_errors=True)
        raise UpstreamFailedError(producer, line_of(result.result_message) or "" if result else "")
