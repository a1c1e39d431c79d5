"""The executor of ParquetExampleGen; it also works in TFX's own FileBasedExampleGen."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any

from tfx import types
from tfx.components.example_gen.driver import update_output_artifact
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils

from tfx_wine_ext.artifacts.properties import properties_of, span_of
from tfx_wine_ext.columnar.tables import table_of
from tfx_wine_ext.decisions.parquet_example_gen import Request, decide
from tfx_wine_ext.executors.example_gen import ExampleGenExecutor, payload_format_of
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.publishers.properties import executor_output, set_custom_properties
from tfx_wine_ext.sources.footers import Footer, ParquetFileError, content_fingerprint
from tfx_wine_ext.types import parquet_example_gen as keys


@records_failures
class ParquetExecutor(ExampleGenExecutor):
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
        payload_format = payload_format_of(exec_properties)
        footers = [footer for table in tables for footer in table]
        _check_unchanged(footers, request, exec_properties.get(keys.INPUT_FILES_KEY))
        self._write(
            examples,
            contextlib.nullcontext([table_of(table, request.options, files) for table in tables]),
            request.input_config,
            request.output_config,
            request.options,
            payload_format,
            content_fingerprint=content_fingerprint(footers),
        )
        return executor_output(output_dict, exec_properties)


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
