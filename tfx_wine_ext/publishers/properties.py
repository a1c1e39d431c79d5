"""What executors return, and typed custom properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx.orchestration.portable import outputs_utils
from tfx.proto.orchestration import execution_result_pb2
from tfx.types.artifact import Artifact


def set_custom_properties(
    artifact: Artifact, values: Mapping[str, str | int | float | None]
) -> None:
    """Sets custom properties, typed by their values.

    Args:
        artifact: Changed in place, where both launch paths read it.
        values: Values by key; None is omitted.
    """
    for key, value in values.items():
        if isinstance(value, str):
            artifact.set_string_custom_property(key, value)
        elif isinstance(value, int):
            artifact.set_int_custom_property(key, value)
        elif value is not None:
            artifact.set_float_custom_property(key, value)


def executor_output(
    output_dict: Mapping[str, list[Artifact]], exec_properties: Mapping[str, Any]
) -> execution_result_pb2.ExecutorOutput:
    """Returns outputs and execution properties, for launchers that read them from an executor."""
    output = execution_result_pb2.ExecutorOutput()
    outputs_utils.populate_output_artifact(output, output_dict)
    outputs_utils.populate_exec_properties(output, exec_properties)
    return output
