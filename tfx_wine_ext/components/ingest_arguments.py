"""What the arguments of both ExampleGens have in common: payloads, and checks."""

from __future__ import annotations

from collections.abc import Sequence

from tfx.components.example_gen import utils
from tfx.proto import example_gen_pb2

# The file format in which each payload format is written.
_FILE_FORMATS = {
    example_gen_pb2.FORMAT_TF_EXAMPLE: example_gen_pb2.FORMAT_TFRECORDS_GZIP,
    example_gen_pb2.FORMAT_PARQUET: example_gen_pb2.FILE_FORMAT_PARQUET,
}


def file_format_of(output_data_format: int) -> int:
    """Returns the file format in which a payload format is written.

    Raises:
        ValueError: It is not one that is written.
    """
    if output_data_format not in _FILE_FORMATS:
        names = " or ".join(map(example_gen_pb2.PayloadFormat.Name, _FILE_FORMATS))
        raise ValueError(
            f"output_data_format: expected {names} of example_gen_pb2, found {output_data_format!r}"
        )
    return int(_FILE_FORMATS[output_data_format])


def check_columns(columns: Sequence[str] | None, exclude_columns: Sequence[str]) -> None:
    """Refuses a string instead of a sequence, and a column that is both included and excluded.

    Raises:
        ValueError: It is one.
    """
    for argument, value in (("columns", columns), ("exclude_columns", exclude_columns)):
        if isinstance(value, (str, bytes)):
            raise ValueError(
                f"{argument}: expected a sequence of column names, found the text {value!r}; "
                f"for one column write [{value!r}]"
            )
    both = sorted({*(columns or ())} & {*exclude_columns})
    if both:
        raise ValueError(f"columns and exclude_columns: both name {', '.join(map(repr, both))}")


def check_output_splits(
    input_config: example_gen_pb2.Input, output_config: example_gen_pb2.Output, argument: str
) -> None:
    """Refuses output splits that the executor would refuse.

    Args:
        input_config: The input splits.
        output_config: The output splits.
        argument: The argument that says what the input splits are.

    Raises:
        ValueError: They do not fit the input splits.
    """
    try:
        utils.generate_output_split_names(input_config, output_config)
    except RuntimeError as error:
        raise ValueError(f"{argument} and output_config: {error}") from error
