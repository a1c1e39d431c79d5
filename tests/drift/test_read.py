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
    sides_by_columns,
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


OTHER = pa.table(
    {
        "new": pa.array([None, *["ä", "b"] * 500], pa.string())[:ROWS],
        **{f"x{i}": [None if j % 9 == i % 9 else j * 0.5 for j in range(ROWS)] for i in range(90)},
        "nan": [float("nan"), float("inf")] * 500,
        "kind": [i % 7 for i in range(ROWS)],
        "lists": [[i] * (i % 3) for i in range(ROWS)],
    }
)


@pytest.mark.parametrize("sides", [(TABLE, TABLE), (TABLE, OTHER), (OTHER, TABLE)])
def test_columns_that_are_read_while_they_are_compared_give_the_same_result(
    tmp_path, monkeypatch, sides
):
    monkeypatch.setattr(file_table, "BATCH_VALUES", 64 * ROWS)
    tables = []
    for number, table in enumerate(sides):
        pq.write_table(table, tmp_path / f"{number}.parquet", row_group_size=300)
        tables.append(open_table(str(tmp_path / f"{number}.parquet")))
    whole = [read(table, DriftConfig()).side() for table in tables]
    expected = compare_sides(*whole, DriftConfig())
    read_columns, positions = [], []
    for table in tables:
        monkeypatch.setattr(
            table, "batches", lambda columns, of=table.batches: read_columns.append(columns.names)
            or of(columns)
        )  # fmt: skip
    with sides_by_columns(tables, DriftConfig(), positions.append) as late:
        assert [side.rows for side in late] == [ROWS, ROWS]
        assert compare_sides(*late, DriftConfig()).to_dict() == expected.to_dict()
    assert [side.method for side in late] == ["exact", "exact"]
    # Each column once, and never more of them together than in a pass.
    names = [name for columns in read_columns for name in columns]
    assert sorted(names) == sorted([*tables[0].schema.names, *tables[1].schema.names])
    assert max(map(len, read_columns)) == 64
    assert positions == sorted(positions)
    assert positions[-1] == sum(table.size for table in tables)


def test_rows_of_the_classifier_are_read_whole(path):
    with sides_by_columns([open_table(path)] * 2, DriftConfig(classifier=True)) as sides:
        assert sides is None


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
