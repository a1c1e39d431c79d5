"""How a table is divided into shards."""

import pyarrow.parquet as pq
import pytest

from .shards import FILES, ids, out, plan, row_groups, wines, write
from .shards import ingest as run


def test_shards_are_runs_of_row_groups_of_about_the_same_bytes(source):
    a, b = list(range(4)), list(range(4))
    assert row_groups(plan(source)) == [[("a", a), ("b", b)]]
    assert row_groups(plan(source, num_shards=2)) == [[("a", a)], [("b", b)]]
    three = plan(source, num_shards=3)
    assert [g for task in row_groups(three) for _, groups in task for g in groups] == a + b
    assert all(task.source.parts() for task in three)
    assert [task.rows for task in plan(source, num_shards=8)] == [8, 8, 8, 6] * 2


def test_there_are_never_more_shards_than_row_groups(tmp_path, source):
    assert len(plan(source, num_shards=100)) == 8
    assert len(plan(write(f"{tmp_path}/in/a.parquet", wines(0)), num_shards=100)) == 1


def test_a_shard_is_cut_after_so_many_uncompressed_bytes(source, monkeypatch):
    total = sum(
        pq.ParquetFile(path).metadata.row_group(n).total_byte_size
        for path in FILES.glob(source)
        for n in range(4)
    )
    for limit, count in [(total, 1), (total - 1, 2), (total // 3 + 1, 3), (1, 8)]:
        monkeypatch.setattr("tfx_wine_ext.columnar.tasks.SHARD_UNCOMPRESSED_BYTES", limit)
        assert len(plan(source)) == count


@pytest.mark.parametrize("num_shards", [1, 2, 3, 5, 8])
def test_shards_hold_every_row_once_in_order(tmp_path, source, num_shards):
    files = run(source, out(tmp_path), num_shards=num_shards)
    assert [f.name for f in files] == [
        f"data_tfrecord-{n:05d}-of-{num_shards:05d}.gz" for n in range(num_shards)
    ]
    assert ids(out(tmp_path)) == list(range(60))


def test_row_groups_of_very_uneven_size_may_leave_a_shard_empty_but_lose_no_row(tmp_path):
    path = write(f"{tmp_path}/in", [wines(1), wines(500, first=1), wines(1, first=501)])
    run(path, out(tmp_path), num_shards=3)
    assert ids(out(tmp_path)) == list(range(502))
