"""The executor of ParquetExampleGen; it also works in TFX's own FileBasedExampleGen."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from absl import logging
from tfx import types
from tfx.components.example_gen import utils
from tfx.components.example_gen.driver import update_output_artifact
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils

from tfx_wine_ext.artifacts.layout import FILE_FORMATS, PARQUET, TF_EXAMPLE
from tfx_wine_ext.artifacts.properties import properties_of, span_of
from tfx_wine_ext.columnar.commit import STAGING_FOLDER, clear, commit
from tfx_wine_ext.columnar.options import PARQUET_PAYLOAD, TFRECORD_PAYLOAD, OutputSplit
from tfx_wine_ext.columnar.ragged_schema import ragged_schema
from tfx_wine_ext.columnar.tables import table_of
from tfx_wine_ext.columnar.tasks import ShardResult, ShardTask, plan_shards
from tfx_wine_ext.decisions.parquet_example_gen import Request, decide
from tfx_wine_ext.executors.beam_tasks import run_on_workers
from tfx_wine_ext.executors.on_workers import write_shard_task
from tfx_wine_ext.files.choose import FilesByScheme, absolute
from tfx_wine_ext.progress.launches import counting_rows
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.publishers.parquet_example_gen import Ingested, publish
from tfx_wine_ext.publishers.properties import executor_output, set_custom_properties
from tfx_wine_ext.sources.footers import (
    Footer,
    ParquetFileError,
    content_fingerprint,
    schema_fingerprint,
)
from tfx_wine_ext.sources.parquet import ParquetSource
from tfx_wine_ext.types import parquet_example_gen as keys

_PAYLOADS = {TF_EXAMPLE: TFRECORD_PAYLOAD, PARQUET: PARQUET_PAYLOAD}


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

        Raises:
            FileNotFoundError: No file matches the pattern of a split.
            ParquetFileError: A file is unusable, corrupt, or changed since the driver read it.
            ValueError: A column or value cannot be stored in an example.
            RuntimeError: The Beam runner lost work.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict[keys.EXAMPLES_KEY])
        files = FilesByScheme()
        if keys.INPUT_FILES_KEY in exec_properties:
            request = Request.of(exec_properties)
            tables = request.tables(files)
        else:  # No driver of ours has run.
            decided = decide(exec_properties, files)
            request, tables = decided.request, decided.tables
            # What TFX's driver or Kubeflow's hook has recorded stays as it is.
            by_tfx = exec_properties.get(keys.INPUT_FINGERPRINT_KEY)
            found = dict(decided.exec_properties)
            found[keys.INPUT_FINGERPRINT_KEY] = by_tfx or found[keys.INPUT_FINGERPRINT_KEY]
            if span_of(properties_of(examples)) is None:
                update_output_artifact(found, examples.mlmd_artifact)
            exec_properties = exec_properties if by_tfx else found
            set_custom_properties(examples, {keys.SPAN_DATE_KEY: decided.span_date})
        payload_format = _payload_format(exec_properties)
        splits = utils.generate_output_split_names(request.input_config, request.output_config)
        footers = [footer for table in tables for footer in table]
        _check_unchanged(footers, request, exec_properties.get(keys.INPUT_FILES_KEY))
        sources = [table_of(table, request.options, files) for table in tables]
        tasks = _planned(request, sources, _PAYLOADS[payload_format])
        ragged_schema(task.plan for task in tasks)  # Refuses splits that are nested otherwise.

        destination = absolute(examples.uri)  # Workers run in other folders.
        clear(destination, splits, files)
        try:
            results = self._run(tasks, destination)
            shard_files = commit(destination, tasks, results, files)
        except BaseException:
            clear(destination, splits, files)
            raise

        examples.split_names = artifact_utils.encode_split_names(splits)
        examples_utils.set_payload_format(
            examples, example_gen_pb2.PayloadFormat.Value(payload_format)
        )
        examples_utils.set_file_format(examples, FILE_FORMATS[payload_format])
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
        return executor_output(output_dict, exec_properties)

    def _run(self, tasks: Sequence[ShardTask], destination: str) -> list[ShardResult]:
        """Runs the tasks on Beam's workers and gathers their results."""
        logging.info("%d shards to write to %s", len(tasks), destination)
        with counting_rows(sum(task.rows or 0 for task in tasks)) as counter:
            results = run_on_workers(
                self._make_beam_pipeline(),
                functools.partial(write_shard_task, destination, counter),
                tasks,
                f"{destination}/{STAGING_FOLDER}/results",
                (ParquetFileError,),
            )
        # `commit` detects missing results.
        return [ShardResult.from_json(result.decode()) for result in results if result is not None]


def _payload_format(exec_properties: Mapping[str, Any]) -> str:
    number = exec_properties.get(keys.OUTPUT_DATA_FORMAT_KEY) or example_gen_pb2.FORMAT_TF_EXAMPLE
    name = str(example_gen_pb2.PayloadFormat.Name(number))
    if name not in _PAYLOADS:
        raise ValueError(f"output_data_format: expected {' or '.join(_PAYLOADS)}, found {name}")
    return name


def _planned(request: Request, sources: Sequence[ParquetSource], payload: str) -> list[ShardTask]:
    """Plans the shards of each input split, which are its own or those of the output splits."""
    configured = request.output_config.split_config.splits
    output_splits = [OutputSplit(split.name, split.hash_buckets) for split in configured]
    return [
        task
        for split, source in zip(request.input_config.splits, sources)
        for task in plan_shards(
            source,
            output_splits or [OutputSplit(split.name)],
            request.options,
            partition_feature=request.partition_feature,
            payload=payload,
        )
    ]


def _schema_of_all(tasks: Sequence[ShardTask]) -> pa.Schema:
    """Returns the schema of the files; the union of columns if input splits differ."""
    return pa.schema(list(dict.fromkeys(field for task in tasks for field in task.source.whole)))


def _check_unchanged(footers: Sequence[Footer], request: Request, recorded: str | None) -> None:
    """Compares the files with what the driver recorded; TFX's own driver records nothing."""
    if not recorded:
        return
    before, now = json.loads(recorded), request.digests(footers)
    for path in sorted(before.keys() | now.keys()):
        if path not in before:
            found, remedy = "it was added after the driver had read the folder", "run again"
        elif path not in now:
            found = "it was deleted after the driver had read it"
            remedy = "put it back, then run again"
        elif before[path] != now[path]:
            found = "it changed after the driver had read it"
            remedy = "let writers add new files instead of changing old ones, then run again"
        else:
            continue
        raise ParquetFileError(os.path.join(request.input_base, path), found, remedy, "changed")
