"""The driver of ParquetExampleGen: checks the files and fingerprints their content."""

from __future__ import annotations

import json
import os
from typing import Any

from absl import logging
from tfx.components.example_gen import driver
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from tfx_wine_ext.columnar.ingest import IngestOptions, plan_schema
from tfx_wine_ext.columnar.parquet_source import content_fingerprint, find_files, read_footers
from tfx_wine_ext.columnar.partition import check_partition_feature
from tfx_wine_ext.executors.beam_files import BeamFiles
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.types import parquet_example_gen as keys


@records_failures
class ParquetExampleGenDriver(driver.FileBasedDriver):
    """Finds span and version as TFX does, then looks into the files before anything else runs.

    It reads the footers of all files of the span, refuses what cannot work, and puts a
    fingerprint of their content in the place of TFX's, which is made of modification times. As
    the driver runs before the cache is asked, files that were touched or copied again keep their
    cached result, and files that changed lose it.

    Raises:
        FileNotFoundError: no file matches the pattern of a split.
        ParquetFileError: a file is not a usable Parquet file.
        ValueError: no span matches, a column cannot become a feature, or the filters or
            ``partition_feature_name`` do not fit the columns.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds span, version, the content fingerprint and the files it is made of."""
        input_base = exec_properties[keys.INPUT_BASE_KEY]
        try:
            exec_properties = super().resolve_exec_properties(
                exec_properties, pipeline_info, component_info
            )
        except ValueError as error:
            raise ValueError(f"input_base {input_base}: {error}") from error
        input_config, output_config = example_gen_pb2.Input(), example_gen_pb2.Output()
        proto_utils.json_to_proto(exec_properties[keys.INPUT_CONFIG_KEY], input_config)
        proto_utils.json_to_proto(exec_properties[keys.OUTPUT_CONFIG_KEY], output_config)
        partition_feature = output_config.split_config.partition_feature_name
        options = IngestOptions.from_json(exec_properties[keys.INGEST_OPTIONS_KEY])
        files = BeamFiles()
        fingerprints, digests = [], {}
        for split in input_config.splits:
            footers = read_footers(
                find_files(os.path.join(input_base, split.pattern), files), files
            )
            _, plan = plan_schema(footers, options)
            if partition_feature:
                check_partition_feature(plan, partition_feature)
            fingerprints.append(f"{split.name}:{content_fingerprint(footers)}")
            digests.update({os.path.relpath(f.path, input_base): f.digest for f in footers})
            logging.info(
                "split %s: %d files, %d rows",
                split.name,
                len(footers),
                sum(f.rows for f in footers),
            )
        exec_properties[keys.INPUT_FINGERPRINT_KEY] = ",".join(fingerprints)
        # The executor compares the files with these, so that a file which changes between the
        # two is noticed, and named.
        exec_properties[keys.INPUT_FILES_KEY] = json.dumps(digests, sort_keys=True)
        return exec_properties
