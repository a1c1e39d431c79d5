"""What the workers of DriftReport load, and what they say of a file."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.executors.drift_tasks import FileTask, read_file

PROGRAM = """
import functools, pickle, sys
task = pickle.loads(bytes.fromhex(sys.argv[1]))
print(sorted({"tfx", "tensorflow", "ml_metadata"} & set(sys.modules)))
"""


def test_a_worker_that_unpickles_the_task_loads_no_tfx(checkout):
    import functools
    import pickle

    work = functools.partial(read_file, DriftConfig(), ""), FileTask(0, "a", "FORMAT_PARQUET")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, pickle.dumps(work).hex()],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_an_error_names_the_file(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [[{"a": 1}]] * 3}), path)
    with pytest.raises(TypeError, match=f"^{path}: column 'x' is of type struct"):
        read_file(DriftConfig(), "", FileTask(0, path, "FORMAT_PARQUET"))
