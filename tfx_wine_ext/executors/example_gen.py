"""What the executors of both ExampleGens share: shards on workers, commit, and publishing."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from absl import logging
from tfx import types
from tfx.components.example_gen import utils
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from tfx_wine_ext.artifacts.layout import FILE_FORMATS, PARQUET, TF_EXAMPLE
from tfx_wine_ext.columnar.commit import STAGING_FOLDER, clear, commit
from tfx_wine_ext.columnar.options import (
    PARQUET_PAYLOAD,
    TFRECORD_PAYLOAD,
    IngestOptions,
    OutputSplit,
)
from tfx_wine_ext.columnar.ragged_schema import ragged_schema
from tfx_wine_ext.columnar.tasks import ShardResult, ShardTask, plan_shards
from tfx_wine_ext.executors.beam_tasks import run_on_workers
from tfx_wine_ext.executors.on_workers import write_shard_task
from tfx_wine_ext.files.choose import FilesByScheme, absolute
from tfx_wine_ext.progress.launches import counting_rows
from tfx_wine_ext.publishers.parquet_example_gen import Ingested, publish
from tfx_wine_ext.sources.footers import schema_fingerprint
from tfx_wine_ext.sources.source import TableFileError, TableSource
from tfx_wine_ext.types import parquet_example_gen as keys

_PAYLOADS = {TF_EXAMPLE: TFRECORD_PAYLOAD, PARQUET: PARQUET_PAYLOAD}


class ExampleGenExecutor(base_beam_executor.BaseBeamExecutor):
    """Base class of executors that write tables as Examples, in Arrow batches."""

    def _write(
        self,
        examples: types.Artifact,
        sources: Sequence[TableSource],
        input_config: example_gen_pb2.Input,
        output_config: example_gen_pb2.Output,
        options: IngestOptions,
        payload_format: str,
        *,
        content_fingerprint: str,
        source: str | None = None,
    ) -> None:
        """Writes the splits, and records their properties on the artifact.

        Args:
            examples: The output.
            sources: The table of each input split.
            input_config: The input splits.
            output_config: The output splits.
            options: How rows are read.
            payload_format: From `payload_format_of`.
            content_fingerprint: Fingerprint of the content; "" if it is unknown.
            source: What was read, as JSON; None if the execution says it.

        Raises:
            TableFileError: The table cannot be read, or has changed.
            ValueError: A column or value cannot be stored in an example.
            RuntimeError: The Beam runner lost work.
        """
        splits = utils.generate_output_split_names(input_config, output_config)
        tasks = _planned(sources, input_config, output_config, options, _PAYLOADS[payload_format])
        ragged_schema(task.plan for task in tasks)  # Refuses splits that are nested otherwise.
        files = FilesByScheme()
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
        # The union of columns if input splits differ.
        schema = pa.schema(
            list(dict.fromkeys(field for task in tasks for field in task.source.whole))
        )
        publish(
            examples,
            Ingested(
                files=shard_files,
                splits=splits,
                columns=list(dict.fromkeys(name for task in tasks for name in task.plan.columns)),
                features=len({feature.name for task in tasks for feature in task.plan.features}),
                schema_fingerprint=schema_fingerprint(schema),
                content_fingerprint=content_fingerprint,
                source=source,
            ),
        )

    def _run(self, tasks: Sequence[ShardTask], destination: str) -> list[ShardResult]:
        """Runs the tasks on Beam's workers and gathers their results."""
        logging.info("%d shards to write to %s", len(tasks), destination)
        with counting_rows(sum(task.rows or 0 for task in tasks)) as counter:
            results = run_on_workers(
                self._make_beam_pipeline(),
                functools.partial(write_shard_task, destination, counter),
                tasks,
                f"{destination}/{STAGING_FOLDER}/results",
                (TableFileError,),
            )
        # `commit` detects missing results.
        return [ShardResult.from_json(result.decode()) for result in results if result is not None]


def payload_format_of(exec_properties: Mapping[str, Any]) -> str:
    """Returns the name of the payload format that is asked for.

    Raises:
        ValueError: It is not one that is written.
    """
    number = exec_properties.get(keys.OUTPUT_DATA_FORMAT_KEY) or example_gen_pb2.FORMAT_TF_EXAMPLE
    name = str(example_gen_pb2.PayloadFormat.Name(number))
    if name not in _PAYLOADS:
        raise ValueError(f"output_data_format: expected {' or '.join(_PAYLOADS)}, found {name}")
    return name


def _planned(
    sources: Sequence[TableSource],
    input_config: example_gen_pb2.Input,
    output_config: example_gen_pb2.Output,
    options: IngestOptions,
    payload: str,
) -> list[ShardTask]:
    """Plans the shards of each input split, which are its own or those of the output splits."""
    configured = output_config.split_config
    output_splits = [OutputSplit(split.name, split.hash_buckets) for split in configured.splits]
    return [
        task
        for split, source in zip(input_config.splits, sources)
        for task in plan_shards(
            source,
            output_splits or [OutputSplit(split.name)],
            options,
            partition_feature=configured.partition_feature_name or None,
            payload=payload,
        )
    ]
