"""The driver of ParquetExampleGen: checks the files and fingerprints their content."""

from __future__ import annotations

import datetime
import json
import os
from typing import Any

from absl import logging
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.components.example_gen import driver, utils
from tfx.orchestration import data_types
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto import example_gen_pb2
from tfx.proto.orchestration import driver_output_pb2
from tfx.utils import proto_utils

from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.partition import check_partition_feature
from tfx_wine_ext.columnar.tables import read_tables, table_of
from tfx_wine_ext.columnar.tasks import plan_table
from tfx_wine_ext.files.beam import BeamFiles
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.report.words.text import span_text
from tfx_wine_ext.sources.footers import find_files
from tfx_wine_ext.types import parquet_example_gen as keys


@records_failures
class ParquetExampleGenDriver(driver.FileBasedDriver):
    """Finds span and version as TFX does, then checks the files before anything else runs.

    It reads the footers of all files of the span, refuses unusable ones, and replaces TFX's
    fingerprint of modification times with a fingerprint of the content. The driver runs before the
    cache lookup: files that were touched or copied again keep their cached result, and changed
    files lose it.

    Raises:
        FileNotFoundError: No file matches the pattern of a split.
        ParquetFileError: A file is not a usable Parquet file.
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
        """Adds span, version, the content fingerprint and the digests of the files."""
        input_base = exec_properties[keys.INPUT_BASE_KEY]
        input_config = example_gen_pb2.Input()
        proto_utils.json_to_proto(exec_properties[keys.INPUT_CONFIG_KEY], input_config)
        # Before TFX replaces the placeholders in the patterns.
        by_date = any(utils.YEAR_SPEC in split.pattern for split in input_config.splits)
        try:
            exec_properties = super().resolve_exec_properties(
                exec_properties, pipeline_info, component_info
            )
        except ValueError as error:
            raise ValueError(f"input_base {input_base}: {error}") from error
        span = exec_properties[keys.SPAN_KEY]
        self._span_date = (
            datetime.date(*utils.span_number_to_date(span)).isoformat() if by_date else None
        )
        input_config, output_config = example_gen_pb2.Input(), example_gen_pb2.Output()
        proto_utils.json_to_proto(exec_properties[keys.INPUT_CONFIG_KEY], input_config)
        proto_utils.json_to_proto(exec_properties[keys.OUTPUT_CONFIG_KEY], output_config)
        partition_feature = output_config.split_config.partition_feature_name
        options = IngestOptions.from_json(exec_properties[keys.INGEST_OPTIONS_KEY])
        files = BeamFiles()
        fingerprints, digests = [], {}
        paths = [
            find_files(os.path.join(input_base, split.pattern), files)
            for split in input_config.splits
        ]
        tables = read_tables(paths, input_base, options, files)
        for split, footers in zip(input_config.splits, tables):
            source = table_of(footers, options, files)
            plan = plan_table(source, options)
            if partition_feature:
                check_partition_feature(plan, partition_feature)
            fingerprints.append(f"{split.name}:{source.fingerprint()}")
            digests.update({os.path.relpath(f.path, input_base): f.digest for f in footers})
            logging.info(
                "span %s, split %s: %d files, %d rows",
                span_text(span, self._span_date),
                split.name,
                len(source.paths),
                source.rows,
            )
        exec_properties[keys.INPUT_FINGERPRINT_KEY] = ",".join(fingerprints)
        # The executor compares the files with these and names a file that changed meanwhile.
        exec_properties[keys.INPUT_FILES_KEY] = json.dumps(digests, sort_keys=True)
        return exec_properties

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
