"""The driver of ParquetExampleGen: checks the files and fingerprints their content."""

from __future__ import annotations

from typing import Any

from absl import logging
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.components.example_gen import driver
from tfx.orchestration import data_types
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto.orchestration import driver_output_pb2

from tfx_wine_ext.decisions.parquet_example_gen import decide
from tfx_wine_ext.drivers.output_names import UniqueOutputNames
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.report.words.text import split_text
from tfx_wine_ext.types import parquet_example_gen as keys


@records_failures
class ParquetExampleGenDriver(UniqueOutputNames, driver.FileBasedDriver):
    """Finds span and version as TFX does, then checks the files before anything else runs.

    It reads the footers of all files of the span, refuses unusable ones, and replaces TFX's
    fingerprint of modification times with a fingerprint of the content. The driver runs before the
    cache lookup: files that were touched or copied again keep their cached result, and changed
    files lose it.

    Raises:
        FileNotFoundError: No file matches the pattern of a split.
        ParquetFileError: A file is not a usable Parquet file.
        RemoteError: The files are on S3, and TFX cannot read there; or the store cannot be used.
        PartitionError: The Hive partitions in the paths of files are inconsistent.
        ValueError: No span matches, a column cannot become a feature, or the filters or
            ``partition_feature_name`` do not fit the columns.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds span, version, the content fingerprint and the digests of the files.

        Not in place: in a notebook these are the component's, and when it runs again it shall look
        for the newest span again.
        """
        decided = decide(exec_properties, FilesByScheme())
        self._span_date = decided.span_date
        for split, footers in zip(decided.request.input_config.splits, decided.tables):
            logging.info(
                "%s: %d files, %d rows",
                split_text(split.name, decided.span, self._span_date),
                len(footers),
                sum(footer.rows for footer in footers),
            )
        return decided.exec_properties

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
