"""The ParquetExampleGen component: Parquet files in, Examples out, Arrow all the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from tfx import types
from tfx.components.example_gen import utils
from tfx.dsl.components.base import base_beam_component
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_wine_ext.columnar.ingest import IngestOptions
from tfx_wine_ext.columnar.plan import EncodeOptions
from tfx_wine_ext.drivers.parquet_example_gen import ParquetExampleGenDriver
from tfx_wine_ext.executors.parquet_example_gen import ParquetExecutor
from tfx_wine_ext.types import parquet_example_gen as keys

# Payload formats, and the format of the files that each is written to.
_FILE_FORMATS = {
    example_gen_pb2.FORMAT_TF_EXAMPLE: example_gen_pb2.FORMAT_TFRECORDS_GZIP,
    example_gen_pb2.FORMAT_PARQUET: example_gen_pb2.FILE_FORMAT_PARQUET,
}


class ParquetExampleGenSpec(ComponentSpec):
    """Parameters and output of `ParquetExampleGen`; see there for their meaning."""

    PARAMETERS: ClassVar[Mapping[str, ExecutionParameter]] = {
        keys.INPUT_BASE_KEY: ExecutionParameter(type=str),
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


class ParquetExampleGen(base_beam_component.BaseBeamComponent):
    """Turns Parquet files into Examples, in Arrow batches from end to end.

    It takes the place of ``FileBasedExampleGen`` with TFX's ``parquet_executor`` and keeps its
    arguments, but for ``custom_config``, of which there is no use, and ``output_file_format``,
    which follows from the payload. It keeps its splits: the same rows fall into the same splits
    wherever TFX reads them right (see `key_order`). What differs: 0, 0.0, False and "" arrive as
    values instead of missing ones, a null is a missing one, and every Arrow type has a documented
    fate (docs/arrow-types.md). Files are checked before any worker starts, a cached result stands
    as long as their content does, and the number of rows of each split is recorded on the artifact
    (docs/examples-properties.md).

    Outputs:
        examples: ``standard_artifacts.Examples``: a folder ``Split-<name>`` for each split with
            gzipped TFRecords of ``tf.train.Example``, or Parquet files.

    Args:
        input_base: Folder of the Parquet files, on any file system that Beam can read.
        input_config: Splits of the input, each a name and a glob pattern below `input_base`,
            with ``{SPAN}``, ``{VERSION}`` or ``{YYYY}``, ``{MM}``, ``{DD}`` where TFX allows
            them. Default: all files, ``*``, as one split. Files and folders whose names begin
            with ``_`` or ``.`` are passed over, as Spark and Arrow do, unless the pattern names
            them so.
        output_config: Names and hash buckets of the output splits, or none of them where the
            input has several. Default, as TFX's: ``train`` and ``eval``, 2 to 1.
        range_config: The span to read. Default: the latest.
        output_data_format: ``FORMAT_TF_EXAMPLE`` (default, what most components read) or
            ``FORMAT_PARQUET`` (smaller and faster to read, for StatisticsGen and Transform).
        columns: Top-level columns to read, those of Hive partitions too; default all.
        exclude_columns: Columns not to read; default none.
        cast: Column name to Arrow type, to change what a column becomes.
        null_in_list: What becomes of a null inside a list; see `EncodeOptions`.
        allow_float_overflow: Let a finite float64 beyond the range of float32 become infinity
            instead of an error.
        filters: Rows to keep, as ``pyarrow.parquet.read_table(filters=)`` takes them; row
            groups that cannot hold one, and files whose Hive partitions cannot, are not read.
        unify_schemas: Read files of different schemas as one, instead of an error.
        shuffle_seed: Shuffle rows within each row group; default: the order of the files.
        num_shards: Files per split; default: one for each 64 MiB of uncompressed data.
        hive_partitioning: Read names of folders below `input_base` that are like
            ``region=north`` as columns, as Hive, Spark and Arrow do (docs/arrow-types.md).
            Default: True. That of a span (``date={YYYY}-{MM}-{DD}/*``) is another in each span:
            leave it out with `exclude_columns` where spans are compared.
        key_order: Order of the features that is hashed for the splits; see `EncodeOptions`.
            Default: ``"bytewise"``. ``"upb"`` gives TFX's own splits where its protobuf is 4 or
            later (TFX 1.21) and one name begins with another (``id``, ``id_type``).
        custom_executor_spec: Another executor, for tests and experiments.

    Raises:
        ValueError: an argument is out of range, or arguments contradict each other. Errors of
            the files are raised by the driver: they may come later than the pipeline.

    Example:
        >>> example_gen = ParquetExampleGen("data", columns=["alcohol", "quality"])
        >>> sorted(example_gen.outputs)
        ['examples']
    """

    SPEC_CLASS = ParquetExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(ParquetExecutor)
    DRIVER_CLASS = ParquetExampleGenDriver

    def __init__(
        self,
        input_base: str | data_types.RuntimeParameter,
        *,
        input_config: example_gen_pb2.Input | data_types.RuntimeParameter | None = None,
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
        custom_executor_spec: BeamExecutorSpec | None = None,
    ) -> None:
        """Checks the arguments and builds the spec; reads no file."""
        if output_data_format not in _FILE_FORMATS:
            names = " or ".join(map(example_gen_pb2.PayloadFormat.Name, _FILE_FORMATS))
            raise ValueError(
                f"output_data_format: expected {names} of example_gen_pb2, "
                f"found {output_data_format!r}"
            )
        _check_columns(columns, exclude_columns)
        options = IngestOptions(
            encode=EncodeOptions(
                columns=None if columns is None else tuple(columns),
                exclude_columns=tuple(exclude_columns),
                cast=dict(cast or {}),
                null_in_list=null_in_list,
                allow_float_overflow=allow_float_overflow,
                key_order=key_order,
            ),
            filters=filters,
            unify_schemas=unify_schemas,
            shuffle_seed=shuffle_seed,
            num_shards=num_shards,
            hive_partitioning=hive_partitioning,
        )
        input_config = input_config or utils.make_default_input_config()
        if output_config is None and isinstance(input_config, data_types.RuntimeParameter):
            raise ValueError(
                "output_config: expected one, as input_config is a RuntimeParameter: the default "
                "depends on the splits of the input, which only the run will know"
            )
        output_config = output_config or utils.make_default_output_config(input_config)
        _check_splits(input_config, output_config)
        spec = ParquetExampleGenSpec(
            input_base=input_base,
            input_config=input_config,
            output_config=output_config,
            range_config=range_config,
            output_data_format=output_data_format,
            output_file_format=_FILE_FORMATS[output_data_format],
            ingest_options=options.to_json(),
            examples=types.Channel(type=standard_artifacts.Examples),
        )
        super().__init__(spec=spec, custom_executor_spec=custom_executor_spec)


def _check_columns(columns: Sequence[str] | None, exclude_columns: Sequence[str]) -> None:
    """Refuses a text where names are due, and a column that is both wanted and unwanted."""
    for argument, value in (("columns", columns), ("exclude_columns", exclude_columns)):
        if isinstance(value, (str, bytes)):
            raise ValueError(
                f"{argument}: expected a sequence of column names, found the text {value!r}; "
                f"for one column write [{value!r}]"
            )
    both = sorted({*(columns or ())} & {*exclude_columns})
    if both:
        raise ValueError(f"columns and exclude_columns: both name {', '.join(map(repr, both))}")


def _check_splits(
    input_config: example_gen_pb2.Input | data_types.RuntimeParameter,
    output_config: example_gen_pb2.Output | data_types.RuntimeParameter,
) -> None:
    """Refuses splits that TFX's driver or the executor would, as far as they are known."""
    if isinstance(input_config, example_gen_pb2.Input):
        for split in input_config.splits:
            try:
                utils.verify_split_pattern_specs(split)
            except ValueError as error:
                raise ValueError(f"input_config, split {split.name!r}: {error}") from error
        if isinstance(output_config, example_gen_pb2.Output):
            try:
                utils.generate_output_split_names(input_config, output_config)
            except RuntimeError as error:
                raise ValueError(f"input_config and output_config: {error}") from error
