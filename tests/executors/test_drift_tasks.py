"""What the workers of DriftReport say of a file; tests/house/test_layers.py has what they load."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.executors.drift_tasks import FileTask, read_file


def test_an_error_names_the_file(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [[{"a": 1}]] * 3}), path)
    with pytest.raises(TypeError, match=f"^{path}: column 'x' is of type struct"):
        read_file(DriftConfig(), "", FileTask(0, path, "FORMAT_PARQUET"))
