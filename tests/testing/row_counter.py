"""A small component with all its parts, for the tests of the testing kit.

It counts the examples of its input, and multiplies the count. Its driver works in both launch
paths; its executor lets a publisher fill the outputs, in the way that reaches the metadata store
by both. Its driver fingerprints a file, so that a change of the file invalidates the cache.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tfx.dsl.components.base import base_component, base_driver, base_executor, executor_spec
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import outputs_utils
from tfx.proto.orchestration import driver_output_pb2, execution_result_pb2
from tfx.types import artifact, channel, component_spec, standard_artifacts

from tfx_wine_ext.testing import read_examples


class RowCount(artifact.Artifact):
    """What RowCounter writes."""

    TYPE_NAME = "RowCount"
    PROPERTIES = {  # noqa: RUF012
        "rows": artifact.Property(type=artifact.PropertyType.INT),
        "mean": artifact.Property(type=artifact.PropertyType.FLOAT),
        "rows_per_split": artifact.Property(type=artifact.PropertyType.JSON_VALUE),
    }


def fingerprint(path: str) -> str:
    """Hashes the content of a file."""
    if not Path(path).exists():
        raise FileNotFoundError(f"settings: no file {path}")
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class Driver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
    """Adds the fingerprint of the settings file to the execution properties."""

    def __init__(self, metadata_handle):
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def resolve_exec_properties(self, exec_properties, pipeline_info, component_info):
        exec_properties["fingerprint"] = fingerprint(exec_properties["settings"])
        return exec_properties

    def run(self, execution_info):
        output = driver_output_pb2.DriverOutput()
        settings = execution_info.exec_properties["settings"]
        output.exec_properties["fingerprint"].string_value = fingerprint(settings)
        return output


class Executor(base_executor.BaseExecutor):
    """Counts; the content of the settings file may tell it to fail instead."""

    def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802
        settings = Path(exec_properties["settings"]).read_text(encoding="utf-8")
        if settings == "raise":
            raise ZeroDivisionError("the settings say: raise")
        if settings == "return an error":
            output = execution_result_pb2.ExecutorOutput()
            output.execution_result.code = 3
            output.execution_result.result_message = "the settings say: return an error"
            return output
        [examples] = input_dict["examples"]
        rows = {split: len(read_examples(examples, split)) for split in examples.splits}
        exec_properties["counted"] = sum(rows.values())
        publish(output_dict, rows, exec_properties["factor"])
        output = execution_result_pb2.ExecutorOutput()
        outputs_utils.populate_output_artifact(output, output_dict)
        outputs_utils.populate_exec_properties(output, exec_properties)
        return output


def publish(output_dict, rows, factor):
    """Writes the file of the output and its properties."""
    [count] = output_dict["count"]
    Path(count.uri, "rows.txt").write_text(str(rows), encoding="utf-8")
    count.rows = sum(rows.values()) * factor
    count.mean = count.rows / len(rows)
    count.rows_per_split = rows
    count.set_string_custom_property("unit", "row")


class RowCounterSpec(component_spec.ComponentSpec):
    """The inputs, outputs and parameters of RowCounter."""

    INPUTS = {  # noqa: RUF012
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "previous": component_spec.ChannelParameter(type=RowCount, optional=True),
    }
    OUTPUTS = {"count": component_spec.ChannelParameter(type=RowCount)}  # noqa: RUF012
    PARAMETERS = {  # noqa: RUF012
        "factor": component_spec.ExecutionParameter(type=int),
        "settings": component_spec.ExecutionParameter(type=str),
    }


class RowCounter(base_component.BaseComponent):
    """Counts the examples of all splits, times a factor."""

    SPEC_CLASS = RowCounterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, examples, settings, factor=1, previous=None):
        super().__init__(
            RowCounterSpec(
                examples=examples,
                previous=previous,
                settings=str(settings),
                factor=factor,
                count=channel.Channel(type=RowCount),
            )
        )
