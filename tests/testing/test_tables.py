"""Tests of tfx_wine_ext.testing.tables."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.testing import as_table, parquet_file


def test_rows_become_columns_and_a_missing_name_a_null():
    table = as_table([{"a": 1}, {"b": "x", "a": None}, {"a": 2, "b": "y"}])

    assert table.schema == pa.schema([("a", pa.int64()), ("b", pa.string())])
    assert table.to_pydict() == {"a": [1, None, 2], "b": [None, "x", "y"]}


def test_whole_and_broken_numbers_make_a_floating_point_column():
    assert as_table([{"a": 1}, {"a": 2.5}]).to_pydict() == {"a": [1.0, 2.5]}


def test_a_table_is_returned_as_it_is():
    table = pa.table({"a": pa.array([1], pa.int8())})

    assert as_table(table) is table


def test_a_column_of_two_types_is_an_error_that_names_it():
    with pytest.raises(TypeError, match=r"column 'b': expected values of one Arrow type"):
        as_table([{"a": 1, "b": 1}, {"a": 1, "b": "x"}])


def test_a_parquet_file_is_written_with_its_folders_in_row_groups_of_the_given_size(tmp_path):
    rows = [{"a": value} for value in range(5)]

    path = parquet_file(tmp_path / "span-1" / "a.parquet", rows, row_group_size=2)

    assert path == tmp_path / "span-1" / "a.parquet"
    file = pq.ParquetFile(path)
    assert [file.read_row_group(i)["a"].to_pylist() for i in range(file.num_row_groups)] == [
        [0, 1],
        [2, 3],
        [4],
    ]
