"""A driver that looks at its inputs and records what it decides, by both of TFX's launch paths."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
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

from tfx_wine_ext.lineage.readings import line_of
from tfx_wine_ext.publishers.failure import execution_of, records_failures


class UpstreamFailedError(RuntimeError):
    """A node that the component depends on failed in this run, and the runner went on.

    Attributes:
        node: Id of that node.
        reason: The line that the store has of its failure; "" if it has nothing.
    """

    def __init__(self, node: str, reason: str) -> None:
        """Makes the message of the two."""
        said = f": {reason}" if reason else "; the log says why"
        super().__init__(
            f"{node}: expected it to have succeeded before, found that it failed in this run{said}"
        )
        self.node = node
        self.reason = reason


@records_failures
class DecidingDriver(base_driver.BaseDriver, ir_base_driver.BaseDriver):
    """Base of drivers that decide from the artifacts of the inputs; subclasses say how.

    What a driver raises is a FAILED execution with its message, by both launch paths; see
    `tfx_wine_ext.publishers.failure.records_failures`, which the executor should have, too.
    """

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

    def used(
        self,
        inputs: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> Mapping[str, list[types.Artifact]]:
        """Returns the inputs of which not all artifacts are used; TFX would fail over those gone.

        Args:
            inputs: The artifacts of each input.
            exec_properties: The parameters of the component, and what was decided.

        Returns:
            Those that are used, by the name of the input; default: none is left out.
        """
        return {}

    def resolve_input_artifacts(
        self,
        input_dict: dict[str, types.BaseChannel],
        exec_properties: dict[str, Any],
        driver_args: data_types.DriverArgs,
        pipeline_info: data_types.PipelineInfo,
    ) -> dict[str, list[types.Artifact]]:
        """Decides, and leaves out what is not used.

        `exec_properties` is registered after this, so it is added to.
        """
        found: dict[str, list[types.Artifact]] = super().resolve_input_artifacts(
            input_dict, exec_properties, driver_args, pipeline_info
        )
        exec_properties.update(self.decide(found, exec_properties, self._metadata_handle.store))
        found.update(self.used(found, exec_properties))
        return found

    def run(
        self, execution_info: portable_data_types.ExecutionInfo
    ) -> driver_output_pb2.DriverOutput:
        """Decides, and adds the decision to the execution's properties.

        Raises:
            UpstreamFailedError: A Resolver failed that an input comes from. TFX's runners go on
                then, and an optional input would seem to have nothing, as on a first run.
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
    """Looks whether the nodes that optional inputs come from have succeeded in this run."""
    producers = {
        channel.producer_node_query.id
        for name, each in node.inputs.inputs.items()
        for channel in each.channels
        if not each.min_count and channel.producer_node_query.id in node.upstream_nodes
    }
    for producer in sorted(producers):
        failed = metadata_store_pb2.Execution.FAILED
        execution = execution_of(store, node, producer, failed)
        if execution is None:
            continue
        result = execution_lib.get_execution_result(execution, ignore_parse_errors=True)
        raise UpstreamFailedError(producer, line_of(result.result_message) or "" if result else "")
