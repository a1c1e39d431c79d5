"""The ParquetExampleGen component: converts Parquet files into Examples through Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from tfx import types
from tfx.components.example_gen import utils
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import base_beam_component
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
from tfx_wine_ext.drivers.parquet_example_gen import ParquetExampleGenDriver
from tfx_wine_ext.executors.parquet_example_gen import ParquetExecutor
from tfx_wine_ext.files.choose import check_address
from tfx_wine_ext.types import parquet_example_gen as keys


class ParquetExampleGenSpec(ComponentSpec):
    """Parameters and output of `ParquetExampleGen`, which documents them."""

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


class ParquetExampleGen(FileBasedExampleGen):
    """Turns Parquet files into Examples, in Arrow batches from end to end.

    It replaces ``FileBasedExampleGen`` with TFX's ``parquet_executor``. It has the same arguments
    except ``custom_config``, which it does not need, and ``output_file_format``, which follows from
    the payload. Rows that TFX reads correctly fall into the same splits (see `key_order`). The
    differences: 0, 0.0, False and "" are values instead of missing, a null is missing, and the
    conversion of every Arrow type is documented (docs/arrow-types.md). Files are checked before any
    worker starts, a cached result stays valid as long as their content does not change, and the
    number of rows of each split is recorded on the artifact (docs/examples-properties.md).

    It is a FileBasedExampleGen, so that Kubeflow's compiler attaches its hook, which finds the span
    and sees changed files.

    Outputs:
        examples: ``standard_artifacts.Examples``: a folder ``Split-<name>`` for each split with
            gzipped TFRecords of ``tf.train.Example``, or Parquet files.

    Args:
        input_base: Folder of the Parquet files, on any file system that Beam can read.
        input_config: Splits of the input, each a name and a glob pattern below `input_base`,
            with ``{SPAN}``, ``{VERSION}`` or ``{YYYY}``, ``{MM}``, ``{DD}`` where TFX allows
            them. Default: all files, ``*``, as one split. Files and folders whose names begin
            with ``_`` or ``.`` are skipped, as in Spark and Arrow, unless the pattern itself
            begins a name so.
        output_config: Names and hash buckets of the output splits; must be empty if the input has
            several splits. Default, as in TFX: ``train`` and ``eval``, 2 to 1.
        range_config: The span to read. Default: the latest.
        output_data_format: ``FORMAT_TF_EXAMPLE`` (default, which most components read) or
            ``FORMAT_PARQUET`` (smaller and faster to read, for StatisticsGen and Transform).
        columns: Top-level columns to read, including those of Hive partitions. Default: all.
        exclude_columns: Columns not to read. Default: none.
        cast: Arrow type by column name, to change a column's type before it is encoded.
        null_in_list: What to do with a null inside a list; see `EncodeOptions`.
        allow_float_overflow: Convert a finite float64 beyond the range of float32 to infinity
            instead of raising an error.
        filters: Rows to keep, as for ``pyarrow.parquet.read_table(filters=)``. Row groups and
            Hive partitions that cannot match are not read.
        unify_schemas: Merge the schemas of files that differ, instead of raising an error.
        shuffle_seed: Seed to shuffle rows within each row group. Default: keep the file order.
        num_shards: Files per split. Default: one for each 64 MiB of uncompressed data.
        hive_partitioning: Read folders below `input_base` with names like ``region=north`` as
            columns, as Hive, Spark and Arrow do (docs/arrow-types.md). Default: True. The folder
            of a span (``date={YYYY}-{MM}-{DD}/*``) has another value in each span: drop it with
            `exclude_columns` if spans are compared.
        key_order: Order in which the features are hashed for the splits; see `EncodeOptions`.
            Default: ``"bytewise"``. ``"upb"`` gives TFX's own splits where its protobuf is 4 or
            later (TFX 1.21) and one name begins with another (``id``, ``id_type``).
        nested: What to do with lists of lists, lists of structs, and maps: ``"error"`` (default),
            or ``"ragged"``, which writes them as ragged features; `RaggedSchemaGen` then describes
            them to TFX (docs/how-to/nested.md).
        custom_executor_spec: Another executor, for tests and experiments.

    Raises:
        ValueError: An argument is out of range, or arguments contradict each other. Errors in
            the files are raised later, by the driver, since the files may not exist yet.

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
        nested: Literal["error", "ragged"] = "error",
        custom_executor_spec: BeamExecutorSpec | None = None,
    ) -> None:
        """Checks the arguments and builds the spec; reads no file."""
        file_format = file_format_of(output_data_format)
        if isinstance(input_base, str):
            check_address(input_base)
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
        input_config = input_config or utils.make_default_input_config()
        if output_config is None and isinstance(input_config, data_types.RuntimeParameter):
            raise ValueError(
                "output_config: expected one, as input_config is a RuntimeParameter: the default "
                "depends on the splits of the input, which are only known at run time"
            )
        output_config = output_config or utils.make_default_output_config(input_config)
        _check_splits(input_config, output_config)
        spec = ParquetExampleGenSpec(
            input_base=input_base,
            input_config=input_config,
            output_config=output_config,
            range_config=range_config,
            output_data_format=output_data_format,
            output_file_format=file_format,
            ingest_options=options.to_json(),
            examples=types.Channel(type=standard_artifacts.Examples),
        )
        # Not FileBasedExampleGen's, which builds a spec of its own.
        base_beam_component.BaseBeamComponent.__init__(
            self, spec=spec, custom_executor_spec=custom_executor_spec
        )


def _check_splits(
    input_config: example_gen_pb2.Input | data_types.RuntimeParameter,
    output_config: example_gen_pb2.Output | data_types.RuntimeParameter,
) -> None:
    """Refuses splits that TFX's driver or the executor would refuse, as far as they are known."""
    if isinstance(input_config, example_gen_pb2.Input):
        for split in input_config.splits:
            try:
                utils.verify_split_pattern_specs(split)
            except ValueError as error:
                raise ValueError(f"input_config, split {split.name!r}: {error}") from error
        if isinstance(output_config, example_gen_pb2.Output):
            check_output_splits(input_config, output_config, "input_config")
