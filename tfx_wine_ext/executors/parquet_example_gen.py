"""The executor of ParquetExampleGen; it also works in TFX's own FileBasedExampleGen."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from absl import logging
from tfx import types
from tfx.components.example_gen import utils
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.orchestration.portable import outputs_utils
from tfx.proto import example_gen_pb2
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

from tfx_wine_ext.columnar.commit import STAGING_FOLDER, clear, commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import (
    PARQUET_PAYLOAD,
    TFRECORD_PAYLOAD,
    IngestOptions,
    OutputSplit,
)
from tfx_wine_ext.columnar.tables import read_tables, table_of
from tfx_wine_ext.columnar.tasks import ShardResult, ShardTask, plan_shards
from tfx_wine_ext.executors.beam_tasks import run_on_workers
from tfx_wine_ext.files.beam import BeamFiles
from tfx_wine_ext.progress.launches import counting_rows, rows_of
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.publishers.parquet_example_gen import Ingested, publish
from tfx_wine_ext.sources.footers import (
    Footer,
    ParquetFileError,
    content_fingerprint,
    find_files,
    schema_fingerprint,
)
from tfx_wine_ext.types import parquet_example_gen as keys

_PAYLOADS = {
    example_gen_pb2.FORMAT_TF_EXAMPLE: TFRECORD_PAYLOAD,
    example_gen_pb2.FORMAT_PARQUET: PARQUET_PAYLOAD,
}
# The file format names that TFX's readers expect (tfx/components/util/tfxio_utils.py).
_FILE_FORMATS = {
    example_gen_pb2.FORMAT_TF_EXAMPLE: "tfrecords_gzip",
    example_gen_pb2.FORMAT_PARQUET: "FILE_FORMAT_PARQUET",
}


@records_failures
class ParquetExecutor(base_beam_executor.BaseBeamExecutor):
    """Reads Parquet files and writes Examples, in Arrow batches.

    In `ParquetExampleGen` it takes all options of that component. In TFX's component it uses their
    defaults.

    Example:
        >>> from tfx.components.example_gen.component import FileBasedExampleGen
        >>> from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
        >>> example_gen = FileBasedExampleGen(
        ...     input_base="data", custom_executor_spec=BeamExecutorSpec(ParquetExecutor)
        ... )
    """

    def Do(  # noqa: N802 (the name is TFX's)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Writes the splits, and records their properties on the artifact.

        Args:
            input_dict: Empty.
            output_dict: ``examples``: one Examples artifact with its URI; changed in place.
            exec_properties: The parameters of the component, with span, version and
                fingerprint from the driver.

        Returns:
            Outputs and execution properties, for launchers that read them from the return value.

        Raises:
            FileNotFoundError: No file matches the pattern of a split.
            ParquetFileError: A file is unusable, corrupt, or changed since the driver read it.
            ValueError: A column or value cannot be stored in an example.
            RuntimeError: The Beam runner lost work.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        input_config, output_config = example_gen_pb2.Input(), example_gen_pb2.Output()
        proto_utils.json_to_proto(exec_properties[keys.INPUT_CONFIG_KEY], input_config)
        proto_utils.json_to_proto(exec_properties[keys.OUTPUT_CONFIG_KEY], output_config)
        payload_format = (
            exec_properties.get(keys.OUTPUT_DATA_FORMAT_KEY) or example_gen_pb2.FORMAT_TF_EXAMPLE
        )
        if payload_format not in _PAYLOADS:
            raise ValueError(
                "output_data_format: expected FORMAT_TF_EXAMPLE or FORMAT_PARQUET, found "
                f"{example_gen_pb2.PayloadFormat.Name(payload_format)}"
            )
        options_json = exec_properties.get(keys.INGEST_OPTIONS_KEY)
        options = IngestOptions.from_json(options_json) if options_json else IngestOptions()
        splits = utils.generate_output_split_names(input_config, output_config)
        examples = artifact_utils.get_single_instance(output_dict[keys.EXAMPLES_KEY])
        files = BeamFiles()

        input_base = exec_properties[keys.INPUT_BASE_KEY]
        paths = [
            find_files(os.path.join(input_base, split.pattern), files)
            for split in input_config.splits
        ]
        tables = read_tables(paths, input_base, options, files)
        footers = [footer for table in tables for footer in table]
        _check_unchanged(footers, exec_properties)
        sources = [table_of(table, options, files) for table in tables]
        tasks: list[ShardTask] = []
        for input_split, source in zip(input_config.splits, sources):
            tasks += plan_shards(
                source,
                _output_splits(input_split, output_config),
                options,
                partition_feature=output_config.split_config.partition_feature_name or None,
                payload=_PAYLOADS[payload_format],
            )

        clear(examples.uri, splits, files)
        try:
            results = self._run(tasks, examples.uri)
            shard_files = commit(examples.uri, tasks, results, files)
        except BaseException:
            clear(examples.uri, splits, files)
            raise

        examples.split_names = artifact_utils.encode_split_names(splits)
        examples_utils.set_payload_format(examples, payload_format)
        examples_utils.set_file_format(examples, _FILE_FORMATS[payload_format])
        publish(
            examples,
            Ingested(
                files=shard_files,
                splits=splits,
                columns=list(dict.fromkeys(name for task in tasks for name in task.plan.columns)),
                features=len({feature.name for task in tasks for feature in task.plan.features}),
                schema_fingerprint=schema_fingerprint(_schema_of_all(tasks)),
                content_fingerprint=content_fingerprint(footers),
            ),
        )
        output = execution_result_pb2.ExecutorOutput()
        outputs_utils.populate_output_artifact(output, output_dict)
        outputs_utils.populate_exec_properties(output, exec_properties)
        return output

    def _run(self, tasks: Sequence[ShardTask], destination: str) -> list[ShardResult]:
        """Runs the tasks on Beam's workers and gathers their results."""
        logging.info("%d shards to write to %s", len(tasks), destination)
        with counting_rows(sum(task.rows or 0 for task in tasks)) as counter:
            results = run_on_workers(
                self._make_beam_pipeline(),
                functools.partial(_write_shard, destination, counter),
                tasks,
                f"{destination}/{STAGING_FOLDER}/results",
                (ParquetFileError,),
            )
        # `commit` detects missing results.
        return [ShardResult.from_json(result.decode()) for result in results if result is not None]


def _write_shard(destination: str, counter: str, task: ShardTask) -> bytes:
    name = f"{'/'.join(split.name for split in task.splits)} {task.index}"
    count = rows_of(counter, name)
    return write_shard(task, destination, BeamFiles(), count).to_json().encode()


def _output_splits(
    input_split: example_gen_pb2.Input.Split, output_config: example_gen_pb2.Output
) -> list[OutputSplit]:
    """Returns the splits into which an input split is divided: the configured ones, or itself."""
    configured = output_config.split_config.splits
    return [OutputSplit(split.name, split.hash_buckets) for split in configured] or [
        OutputSplit(input_split.name)
    ]


def _schema_of_all(tasks: Sequence[ShardTask]) -> pa.Schema:
    """Returns the schema of the files; the union of columns if input splits differ."""
    return pa.schema(list(dict.fromkeys(field for task in tasks for field in task.source.whole)))


def _check_unchanged(footers: Sequence[Footer], exec_properties: dict[str, Any]) -> None:
    """Compares the files with what the driver recorded; TFX's own driver records nothing."""
    if not exec_properties.get(keys.INPUT_FILES_KEY):
        return
    seen = json.loads(exec_properties[keys.INPUT_FILES_KEY])
    input_base = exec_properties[keys.INPUT_BASE_KEY]
    gone = set(seen)
    for footer in footers:
        path = os.path.relpath(footer.path, input_base)
        gone.discard(path)
        if path not in seen:
            raise ParquetFileError(
                footer.path,
                "it was added after the driver had read the folder",
                "run again",
                "changed",
            )
        if seen[path] != footer.digest:
            raise ParquetFileError(
                footer.path,
                "it changed after the driver had read it",
                "let writers add new files instead of changing old ones, then run again",
                "changed",
            )
    for path in sorted(gone):
        raise ParquetFileError(
            os.path.join(input_base, path),
            "it was deleted after the driver had read it",
            "put it back, then run again",
            "changed",
        )
