"""The RaggedSchemaGen component: makes TFX read nested columns back from ragged features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_wine_ext.executors.ragged_schema_gen import RaggedSchemaGenExecutor
from tfx_wine_ext.types import ragged_schema_gen as keys


class RaggedSchemaGenSpec(ComponentSpec):
    """Inputs and output of `RaggedSchemaGen`, which documents them."""

    PARAMETERS: ClassVar[Mapping[str, ExecutionParameter]] = {}
    INPUTS: ClassVar[Mapping[str, ChannelParameter]] = {
        keys.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        keys.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS: ClassVar[Mapping[str, ChannelParameter]] = {
        keys.RAGGED_SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema)
    }


class RaggedSchemaGen(base_component.BaseComponent):
    """Adds the ragged tensors of nested columns to a schema.

    Examples that ``ParquetExampleGen(nested="ragged")`` wrote hold the values of a nested column
    and its row lengths in features of their own. SchemaGen takes them for features like others.
    With the output of this component, Transform and the parsing in a Trainer get one
    ``tf.RaggedTensor`` for each field of a nested column (docs/how-to/nested.md).

    Outputs:
        ragged_schema: ``standard_artifacts.Schema``: the schema, with the ragged tensors in its
            ``tensor_representation_group``; for Transform, Trainer, ExampleValidator, Evaluator.

    Args:
        examples: Channel of the examples, written with ``nested="ragged"``.
        schema: Channel of the schema, of SchemaGen or ImportSchemaGen.

    Raises:
        ValueError: An argument is no channel.

    Example:
        >>> from tfx.components.schema_gen.component import SchemaGen
        >>> from tfx.components.statistics_gen.component import StatisticsGen
        >>> from tfx_wine_ext import ParquetExampleGen
        >>> examples = ParquetExampleGen("data", nested="ragged").outputs["examples"]
        >>> statistics = StatisticsGen(examples=examples).outputs["statistics"]
        >>> schema = SchemaGen(statistics=statistics).outputs["schema"]
        >>> sorted(RaggedSchemaGen(examples=examples, schema=schema).outputs)
        ['ragged_schema']
    """

    SPEC_CLASS = RaggedSchemaGenSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(RaggedSchemaGenExecutor)

    def __init__(self, examples: types.BaseChannel, schema: types.BaseChannel) -> None:
        """Checks the arguments and builds the spec."""
        for argument, channel in ((keys.EXAMPLES_KEY, examples), (keys.SCHEMA_KEY, schema)):
            if not isinstance(channel, types.BaseChannel):
                raise ValueError(
                    f"{argument}: expected a channel, such as component.outputs[{argument!r}], "
                    f"found {channel!r}"
                )
        super().__init__(
            RaggedSchemaGenSpec(
                examples=examples,
                schema=schema,
                ragged_schema=types.Channel(type=standard_artifacts.Schema),
            )
        )
