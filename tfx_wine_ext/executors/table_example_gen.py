"""The executor of TableExampleGen."""

from __future__ import annotations

import json
from typing import Any

from tfx import types
from tfx.components.example_gen.driver import update_output_artifact
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils

from tfx_wine_ext.decisions.table_example_gen import (
    TableRequest,
    decide,
    opened_unchanged,
)
from tfx_wine_ext.executors.example_gen import ExampleGenExecutor, payload_format_of
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.publishers.properties import executor_output, set_custom_properties
from tfx_wine_ext.types import parquet_example_gen as keys


@records_failures
class TableExecutor(ExampleGenExecutor):
    """Reads a table of any source and writes Examples, in Arrow batches.

    It holds one state of the table while Beam's workers read its parts.
    """

    def Do(  # noqa: N802 (the name is TFX's)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Writes the splits, and records their properties on the artifact.

        Raises:
            TableFileError: The table cannot be read, or has changed since the driver read it.
            ValueError: A column or value cannot be stored in an example.
            RuntimeError: The Beam runner lost work.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict[keys.EXAMPLES_KEY])
        payload_format = payload_format_of(exec_properties)
        if not exec_properties.get(keys.INPUT_FINGERPRINT_KEY):  # No driver of ours has run.
            decided = decide(exec_properties)
            exec_properties = decided.exec_properties
            update_output_artifact(exec_properties, examples.mlmd_artifact)
            set_custom_properties(examples, {keys.SPAN_DATE_KEY: decided.span_date})
        request = TableRequest.of(exec_properties)
        fingerprint = exec_properties[keys.INPUT_FINGERPRINT_KEY]
        self._write(
            examples,
            opened_unchanged(fingerprint, request),
            request.input_config,
            request.output_config,
            request.options,
            payload_format,
            content_fingerprint=request.content_fingerprint(fingerprint),
            source=json.dumps(
                {name: source.to_dict() for name, source in request.sources.items()},
                sort_keys=True,
            ),
        )
        return executor_output(output_dict, exec_properties)
