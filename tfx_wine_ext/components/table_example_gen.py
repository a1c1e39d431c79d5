"""The TableExampleGen component: converts a table of any source into Examples through Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from tfx import types
from tfx.components.example_gen import utils
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.plan import EncodeOptions
from tfx_wine_ext.components.ingest_arguments import (
    check_columns,
    check_output_splits,
    file_format_of,
)
from tfx_wine_ext.decisions.table_example_gen import check_placeholders, input_config_of
from tfx_wine_ext.drivers.table_example_gen import TableExampleGenDriver
from tfx_wine_ext.executors.table_example_gen import TableExecutor
from tfx_wine_ext.sources.configs import SourceConfig
from tfx_wine_ext.types import parquet_example_gen as keys

# TFX's own name of the input split where there is one.
_SINGLE_SPLIT = "single_split"


class TableExampleGenSpec(ComponentSpec):
    """Parameters and output of `TableExampleGen`, which documents them."""

    PARAMETERS: ClassVar[Mapping[str, ExecutionParameter]] = {
        keys.INPUT_CONFIG_KEY: ExecutionParameter(type=example_gen_pb2.Input),
        keys.OUTPUT_CONFIG_KEY: ExecutionParameter(type=example_gen_pb2.Output),
        keys.OUTPUT_DATA_FORMAT_KEY: ExecutionParameter(type=int),
        keys.OUTPUT_FILE_FORMAT_KEY: ExecutionParameter(type=int),
        keys.RANGE_CONFIG_KEY: ExecutionParameter(type=range_config_pb2.RangeConfig, optional=True),
        keys.INGEST_OPTIONS_KEY: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[Mapping[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar[Mapping[str, ChannelParameter]] = {
        keys.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)
    }


class TableExampleGen(BaseBeamComponent):
    """Turns a table of any source into Examples, in Arrow batches from end to end.

    The source is a description from `tfx_wine_ext.sources`: files of a format, a lakehouse table,
    or a query (docs/how-to/sources.md). The same rows are the same examples in the same splits,
    whatever the source. The table is checked before any worker starts; a cached result stays valid
    as long as its content does not change; all rows are of one state of the table; and what was
    read is recorded on the artifact, without secrets (docs/examples-properties.md).

    Outputs:
        examples: ``standard_artifacts.Examples``, as those of `ParquetExampleGen`.

    Args:
        source: The table; or a table for each input split, by the name of the split. In the fields
            that its class names as `spanned` (``pattern``, ``query``, ...), ``{SPAN}``, or
            ``{YYYY}``, ``{MM}`` and ``{DD}``, are replaced by the span; in a query also
            ``@span_begin_timestamp``, ``@span_end_timestamp`` and ``@span_yyyymmdd_utc``, as in
            TFX.
        output_config: Names and hash buckets of the output splits; must be empty if there are
            several input splits. Default, as in TFX: ``train`` and ``eval``, 2 to 1.
        range_config: The span to read. Default: the latest, where files tell which that is; a query
            with placeholders needs a static range.
        output_data_format: ``FORMAT_TF_EXAMPLE`` (default, which most components read) or
            ``FORMAT_PARQUET`` (smaller and faster to read, for StatisticsGen and Transform).
        columns: Top-level columns to read. Default: all.
        exclude_columns: Columns not to read. Default: none.
        cast: Arrow type by column name, to change a column's type before it is encoded.
        null_in_list: What to do with a null inside a list; see `EncodeOptions`.
        allow_float_overflow: Convert a finite float64 beyond the range of float32 to infinity
            instead of raising an error.
        filters: Rows to keep, as for ``pyarrow.parquet.read_table(filters=)``. Sources that know
            which parts cannot match do not read them.
        unify_schemas: Merge the schemas of files that differ, instead of raising an error.
        shuffle_seed: Seed to shuffle rows within each part. Default: keep the order of the source.
        num_shards: Files per split, at most one for each part of the table. Default: one for each
            64 MiB of data.
        hive_partitioning: Read folder names like ``region=north`` as columns, in sources of files.
            Default: True.
        key_order: Order in which the features are hashed for the splits; see `EncodeOptions`.
        nested: What to do with lists of lists, lists of structs, and maps; see `ParquetExampleGen`.
        custom_executor_spec: Another executor, for tests and experiments.

    Raises:
        SourceConfigError: The placeholders of a description are not TFX's, or do not fit.
        ValueError: An argument is out of range, or arguments contradict each other. Errors in
            the table are raised later, by the driver, since it may not exist yet.

    Example:
        >>> from tfx_wine_ext import sources
        >>> example_gen = TableExampleGen(sources.Files("wines", "{YYYY}-{MM}-{DD}/*.avro"))
        >>> sorted(example_gen.outputs)
        ['examples']
    """

    SPEC_CLASS = TableExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(TableExecutor)
    DRIVER_CLASS = TableExampleGenDriver

    def __init__(
        self,
        source: SourceConfig | Mapping[str, SourceConfig],
        *,
        output_config: example_gen_pb2.Output | data_types.RuntimeParameter | None = None,
        range_config: range_config_pb2.RangeConfig | data_types.RuntimeParameter | None = None,
        output_data_format: int = example_gen_pb2.FORMAT_TF_EXAMPLE,
        columns: Sequence[str] | None = None,
        exclude_columns: Sequence[str] = (),
        cast: Mapping[str, str] | None = None,
        null_in_list: Literal["error", "drop"] = "error",
        allow_float_overflow: bool = False,
        filters: Sequence[Any] | None = None,
        unify_schemas: bool = False,
        shuffle_seed: int | None = None,
        num_shards: int | None = None,
        hive_partitioning: bool = True,
        key_order: Literal["bytewise", "upb"] = "bytewise",
        nested: Literal["error", "ragged"] = "error",
        custom_executor_spec: BeamExecutorSpec | None = None,
    ) -> None:
        """Checks the arguments and builds the spec; opens no table."""
        file_format = file_format_of(output_data_format)
        check_columns(columns, exclude_columns)
        options = IngestOptions(
            encode=EncodeOptions(
                columns=None if columns is None else tuple(columns),
                exclude_columns=tuple(exclude_columns),
                cast=dict(cast or {}),
                null_in_list=null_in_list,
                allow_float_overflow=allow_float_overflow,
                key_order=key_order,
                nested=nested,
            ),
            filters=filters,
            unify_schemas=unify_schemas,
            shuffle_seed=shuffle_seed,
            num_shards=num_shards,
            hive_partitioning=hive_partitioning,
        )
        sources = source if isinstance(source, Mapping) else {_SINGLE_SPLIT: source}
        _check_sources(sources)
        check_placeholders(sources)
        input_config = input_config_of(sources)
        output_config = output_config or utils.make_default_output_config(input_config)
        if isinstance(output_config, example_gen_pb2.Output):
            check_output_splits(input_config, output_config, "source")
        super().__init__(
            spec=TableExampleGenSpec(
                input_config=input_config,
                output_config=output_config,
                range_config=range_config,
                output_data_format=output_data_format,
                output_file_format=file_format,
                ingest_options=options.to_json(),
                examples=types.Channel(type=standard_artifacts.Examples),
            ),
            custom_executor_spec=custom_executor_spec,
        )


def _check_sources(sources: Mapping[str, Any]) -> None:
    """Refuses what is no description of a source."""
    for name, source in sources.items():
        if not isinstance(source, SourceConfig) or not isinstance(name, str):
            raise ValueError(
                "source: expected a description, such as tfx_wine_ext.sources.Files('wines'), or "
                f"one for each split by its name; found {name!r}: {type(source).__name__}"
            )
        if not name.replace("-", "_").isidentifier():
            raise ValueError(
                f"source: expected names of splits, of letters, digits, - and _; found {name!r}"
            )
    if not sources:
        raise ValueError("source: expected at least one split, found none")
