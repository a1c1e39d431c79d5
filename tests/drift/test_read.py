"""Both sides of a comparison are read in one way."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.drift import DriftConfig, TableSketch, Verdict
from tfx_wine_ext.drift.read import (
    Reading,
    Side,
    compare_sides,
    method_of,
    read,
    side_of_statistics,
)
from tfx_wine_ext.sources import file_table
from tfx_wine_ext.sources.choose import open_table

ROWS = 1000
TABLE = pa.table(
    {
        **{f"x{i}": np.arange(ROWS) * 0.5 + i for i in range(150)},
        "kind": [str(i % 7) for i in range(ROWS)],
    }
)


@pytest.fixture
def path(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=300)
    return str(tmp_path / "a.parquet")


def steps(side):
    return {name: summary.n for name, summary in side.summaries.items()}


def test_a_wide_table_is_read_in_passes_and_is_whole(path, monkeypatch):
    monkeypatch.setattr(file_table, "BATCH_VALUES", 64 * ROWS)
    table = open_table(path)
    assert len(table.passes) > 1
    shown = []
    side = read(table, DriftConfig(), lambda rows, position: shown.append((rows, position))).side()
    assert (side.rows, side.method, side.names) == (ROWS, "exact", frozenset(TABLE.schema.names))
    assert list(side.summaries) == TABLE.schema.names
    assert set(steps(side).values()) == {ROWS}
    assert shown == sorted(shown)
    assert shown[-1][0] == ROWS
    assert 0 < shown[-1][1] <= table.size


def test_parts_that_workers_read_are_the_whole(tmp_path, path):
    config = DriftConfig(classifier=True, classifier_rows=100)
    for number in range(2):
        pq.write_table(TABLE.slice(500 * number, 500), tmp_path / f"{number}.parquet")
    merged = Reading(config)
    for number in range(2):
        merged.merge(read(open_table(str(tmp_path / f"{number}.parquet")), config).to_bytes())
    parts, whole = merged.side(), read(open_table(path), config).side()
    assert (parts.rows, parts.method, steps(parts)) == (ROWS, "exact", steps(whole))
    assert (parts.sample.num_rows, whole.sample.num_rows) == (100, 100)
    result = compare_sides(parts, whole, DriftConfig())
    assert (result.verdict, len(result.features)) == (Verdict.OK, 151)


def test_without_columns_the_number_of_rows_is_unknown_but_not_none(path):
    side = read(open_table(path, reads=lambda name: False), DriftConfig()).side()
    assert (side.rows, dict(side.summaries)) == (0, {})
    with pytest.raises(ValueError, match="the current data have no column that is left to compare"):
        compare_sides(None, side, DriftConfig())


def test_the_least_exact_method_is_that_of_both():
    exact, sketch, coarse = (Side({}, 0, x, frozenset()) for x in ("exact", "sketch", "coarse"))
    assert method_of(exact, None) == "exact"
    assert method_of(exact, sketch) == "sketch"
    assert method_of(coarse, sketch) == "coarse"


def test_columns_of_the_same_rows_are_put_side_by_side():
    left, right = TableSketch(), TableSketch()
    left.add(TABLE.select(["x0"]))
    right.add(TABLE.select(["kind"]))
    left.add_columns(right)
    assert (left.rows, left.names) == (ROWS, frozenset({"x0", "kind"}))


def test_damaged_statistics_are_named():
    with pytest.raises(ValueError, match=r"^a/stats\.pb: expected statistics of StatisticsGen"):
        side_of_statistics(b"\xff", "a/stats.pb")
    with pytest.raises(ValueError, match=r"^a: expected statistics of one dataset .* found 0;"):
        side_of_statistics(b"", "a")
