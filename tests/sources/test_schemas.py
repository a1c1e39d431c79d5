"""Schemas of several files, without any file."""

import pyarrow as pa
import pytest

from tfx_wine_ext.sources.footers import Footer
from tfx_wine_ext.sources.layout import PartitionError
from tfx_wine_ext.sources.schemas import (
    NoCommonTypeError,
    schema_difference,
    unified_schema,
    with_partitions,
)


def footer(path, **columns):
    return Footer(path, 1, "0" * 32, pa.schema(list(columns.items())), ())


FIRST = pa.schema([("x", pa.int64()), ("y", pa.string())])


@pytest.mark.parametrize(
    ("other", "columns"),
    [
        (FIRST, []),
        (pa.schema([FIRST.field("y"), FIRST.field("x")]), []),
        (pa.schema([("x", pa.int8()), ("y", pa.string())]), ["x"]),
        (pa.schema([("x", pa.int64())]), ["y"]),
        (FIRST.append(pa.field("new", pa.int8())), ["new"]),
        (FIRST.append(pa.field("not read", pa.int8())), []),
    ],
)
def test_columns_that_differ_and_columns_that_would_be_lost_are_named(other, columns):
    said = schema_difference(FIRST, other, lambda name: name != "not read")
    assert [part.split("'")[1] for part in said.split("; ") if part] == columns


def test_one_schema_holds_the_values_of_all_files():
    files = [
        footer("a", x=pa.int8(), y=pa.null()),
        footer("b", y=pa.string(), z=pa.float32()),
        footer("c", x=pa.int32()),
    ]
    assert unified_schema(files, lambda name: True) == pa.schema(
        [("x", pa.int32()), ("y", pa.string()), ("z", pa.float32())]
    )


def test_types_that_nothing_holds_are_an_error_with_both_files_if_the_column_is_read():
    files = [footer("a", x=pa.int8()), footer("b", x=pa.int64()), footer("c", x=pa.string())]
    with pytest.raises(NoCommonTypeError) as caught:
        unified_schema(files, lambda name: True)
    error = caught.value
    assert (error.column, error.other_type, error.other_path) == ("x", pa.string(), "c")
    assert (error.type, error.path) == (pa.int8(), "a")
    unified_schema(files, lambda name: name != "x")


def types_of(*paths, cast=None):
    [files] = with_partitions([[footer(path, x=pa.int64()) for path in paths]], "/in", cast)
    [schema] = {each.schema for each in files}
    return {field.name: field.type for field in schema}


def test_folders_are_columns_of_the_type_that_all_their_values_have():
    assert types_of("/in/day=1/a", "/in/day=02/a") == {"x": pa.int64(), "day": pa.int32()}
    assert types_of("/in/day=1/a", "/in/day=x/a") == {"x": pa.int64(), "day": pa.string()}
    assert types_of("/in/day=__HIVE_DEFAULT_PARTITION__/a") == {"x": pa.int64(), "day": pa.null()}


def test_a_folder_that_is_cast_to_bytes_keeps_its_text():
    assert types_of("/in/day=01/a", cast={"day": "bytes"})["day"] == pa.string()
    assert types_of("/in/day=01/a", cast={"day": "int64"})["day"] == pa.int32()


def test_a_column_that_the_file_has_keeps_its_type():
    [[file]] = with_partitions([[footer("/in/x=7/a", x=pa.int64())]], "/in")
    assert (file.schema.field("x").type, file.in_path) == (pa.int64(), ())
    assert file.partitions == (("x", "7"),)


def test_files_of_one_table_have_the_same_folders():
    files = [footer("/in/day=1/a", x=pa.int64()), footer("/in/hour=1/a", x=pa.int64())]
    with pytest.raises(PartitionError, match=r"/in/hour=1/a.*'hour'.*'day'"):
        with_partitions([files], "/in")
