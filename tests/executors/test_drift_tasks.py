"""What the workers of DriftReport say of a file; tests/house/test_layers.py has what they load."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drift.read import Reading
from tfx_wine_ext.executors.drift_tasks import FileTask, read_file
from tfx_wine_ext.sources.footers import ParquetFileError


def test_an_error_names_the_file(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [[{"a": 1}]] * 3}), path)
    with pytest.raises(TypeError, match=f"^{path}: column 'x' is of type struct"):
        read_file(DriftConfig(), "", FileTask(0, path, "FORMAT_PARQUET"))


def test_fields_of_structs_are_read_unless_they_or_their_struct_are_ignored(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [1], "s": [{"a": 1, "b": 2}], "t": [{"c": 3}]}), path)
    config = DriftConfig(ignore=("s.a", "t"))
    reading = Reading(config)
    reading.merge(read_file(config, "", FileTask(0, path, "FORMAT_PARQUET")))
    assert sorted(reading.side().summaries) == ["s.b", "x"]


def test_an_error_advises_no_option_that_the_component_lacks(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), path)
    with pytest.raises(ParquetFileError, match=r"more than once; rename or drop one of them$"):
        read_file(DriftConfig(), "", FileTask(0, path, "FORMAT_PARQUET"))
