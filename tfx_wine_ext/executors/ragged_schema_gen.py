"""The executor of RaggedSchemaGen: merges two schemas."""

from __future__ import annotations

from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils

from tfx_wine_ext.artifacts.layout import RAGGED_SCHEMA_FOLDER, SCHEMA_FILE
from tfx_wine_ext.columnar.ragged_schema import merge_ragged_schema
from tfx_wine_ext.errors import Option, Remedy, TfxWineExtError
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.publishers.properties import executor_output
from tfx_wine_ext.types import ragged_schema_gen as keys


class RaggedSchemaError(TfxWineExtError, ValueError):
    """A schema is missing, or its file is damaged."""


@records_failures
class RaggedSchemaGenExecutor(base_executor.BaseExecutor):
    """Adds the schema of ragged features, which is in the folder of the examples, to a schema."""

    def Do(  # noqa: N802 (the name is TFX's)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Writes the merged schema.

        Raises:
            RaggedSchemaError: The examples were not written with ``nested="ragged"``, or a schema
                cannot be read.
        """
        examples, schema, merged = (
            artifact_utils.get_single_instance(artifacts[key])
            for artifacts, key in (
                (input_dict, keys.EXAMPLES_KEY),
                (input_dict, keys.SCHEMA_KEY),
                (output_dict, keys.RAGGED_SCHEMA_KEY),
            )
        )
        ragged = f"{examples.uri}/{RAGGED_SCHEMA_FOLDER}/{SCHEMA_FILE}"
        if not files_for(ragged).exists(ragged):
            raise RaggedSchemaError(
                "no such file",
                Remedy(Option.NESTED, "ragged"),
                path=ragged,
                expected="the schema of ragged features, which ParquetExampleGen writes with them",
            )
        result = merge_ragged_schema(_read(f"{schema.uri}/{SCHEMA_FILE}"), _read(ragged))
        path = f"{merged.uri}/{SCHEMA_FILE}"
        with files_for(path).create(path) as stream:
            stream.write(text_format.MessageToString(result).encode())
        return executor_output(output_dict, exec_properties)


def _read(path: str) -> schema_pb2.Schema:
    try:
        with files_for(path).open(path) as stream:
            return text_format.Parse(stream.read(), schema_pb2.Schema())
    except (OSError, text_format.ParseError, UnicodeDecodeError) as error:
        raise RaggedSchemaError(
            f"that it cannot be read ({error})",
            "restore the file, or rerun the component that writes it without the cache",
            path=path,
            expected="a schema of TFX",
        ) from error
