"""What the drivers of both ExampleGens share: the decision, and the date of the span."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

from absl import logging
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.components.example_gen import driver
from tfx.orchestration import data_types
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto.orchestration import driver_output_pb2

from tfx_wine_ext.drivers.output_names import UniqueOutputNames
from tfx_wine_ext.report.words.text import split_text
from tfx_wine_ext.types import parquet_example_gen as keys


class Found(NamedTuple):
    """What a driver has decided.

    Attributes:
        exec_properties: Those of the component, with all that was decided.
        span_date: The date that the span stands for, YYYY-MM-DD; None if it was not found by one.
        inputs: What was found for each input split, as the log says it.
    """

    exec_properties: dict[str, Any]
    span_date: str | None
    inputs: Mapping[str, str]


class ExampleGenDriver(UniqueOutputNames, driver.FileBasedDriver):
    """Base class of drivers that decide what is read before the cache is looked up.

    TFX's class sets span, version and fingerprint on the artifact. Subclasses implement `find`.
    """

    @abc.abstractmethod
    def find(self, exec_properties: Mapping[str, Any]) -> Found:
        """Decides what is read.

        Args:
            exec_properties: Those of the component; they are not changed.
        """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds span, version, the content fingerprint, and what else `find` decides.

        Not in place: in a notebook these are the component's, and when it runs again it shall look
        for the newest span again.
        """
        found = self.find(exec_properties)
        self._span_date = found.span_date
        for split, says in found.inputs.items():
            name = split_text(split, found.exec_properties[keys.SPAN_KEY], found.span_date)
            logging.info("%s: %s", name, says)
        return found.exec_properties

    def _prepare_output_artifacts(
        self, *arguments: Any, **options: Any
    ) -> dict[str, list[types.Artifact]]:
        """Sets the date of the span on the artifact.

        As an execution property it would change the cache key, and results of older releases would
        be lost.
        """
        outputs: dict[str, list[types.Artifact]] = super()._prepare_output_artifacts(
            *arguments, **options
        )
        for artifact in outputs[keys.EXAMPLES_KEY]:
            self._set_span_date(artifact.mlmd_artifact)
        return outputs

    def run(
        self, execution_info: portable_data_types.ExecutionInfo
    ) -> driver_output_pb2.DriverOutput:
        """Sets the date of the span on the artifact, as `_prepare_output_artifacts` does."""
        output = super().run(execution_info)
        for artifact in output.output_artifacts[keys.EXAMPLES_KEY].artifacts:
            self._set_span_date(artifact)
        return output

    def _set_span_date(self, artifact: metadata_store_pb2.Artifact) -> None:
        if self._span_date is not None:
            artifact.custom_properties[keys.SPAN_DATE_KEY].string_value = self._span_date
