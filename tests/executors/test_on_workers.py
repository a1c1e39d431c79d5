"""What Beam's workers run, called as they call it."""

import json

import pytest

from tests.columnar.shards import plan, wines, write
from tfx_wine_ext.executors.on_workers import write_shard_task

pytestmark = pytest.mark.e2e  # It loads Beam.


def test_a_task_writes_its_shard_into_the_staging_folder_and_returns_what_it_did(tmp_path):
    source = write(f"{tmp_path}/in/wines.parquet", wines(20))
    (task,) = plan(source)
    result = json.loads(write_shard_task(f"{tmp_path}/out", "no counter", task))
    assert result["rows_read"] == 20
    [shard] = (tmp_path / "out" / ".staging" / "Split-all").iterdir()
    assert shard.stat().st_size > 0


def test_a_file_that_changed_is_named(tmp_path):
    source = write(f"{tmp_path}/in/wines.parquet", wines(20))
    (task,) = plan(source)
    write(source, wines(30))
    with pytest.raises(ValueError, match=r"in/wines\.parquet"):
        write_shard_task(f"{tmp_path}/out", "no counter", task)
