import pickle

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tfx_wine_ext.drift.sample import RowSample, stacked


def test_fewer_rows_than_asked_for_are_all_kept():
    sample = RowSample(10)
    sample.add(pa.table({"x": [3, 1, 2]}))
    assert sorted(sample.table()["x"].to_pylist()) == [1, 2, 3]
    assert sample.rows == 3


def test_every_row_has_the_same_chance():
    hits = np.zeros(100)
    for seed in range(400):
        sample = RowSample(20, seed)
        for start in range(0, 100, 25):
            sample.add(pa.table({"x": range(start, start + 25)}))
        hits[sample.table()["x"].to_numpy()] += 1
    # 80 of 400 each, give or take four standard deviations of 8.
    assert hits.sum() == 8000
    assert 48 < hits.min() < hits.max() < 112


def test_the_sample_does_not_depend_on_the_order_of_batches_and_merges():
    batches = [pa.table({"x": range(1000 * i, 1000 * i + 1000)}) for i in range(8)]
    one = RowSample(50)
    for batch in batches:
        one.add(batch)
    parts = [RowSample(50) for _ in range(3)]
    for i, batch in enumerate(reversed(batches)):
        parts[i % 3].add(batch)
    merged = pickle.loads(pickle.dumps(parts[2])).merge(parts[0]).merge(parts[1])
    assert merged.table().equals(one.table())
    assert (merged.rows, merged.table().num_rows) == (8000, 50)


def test_a_record_batch_is_sampled_as_its_table_and_another_seed_gives_another_sample():
    table = pa.table({"x": range(1000), "y": ["a"] * 1000})
    samples = [RowSample(10, ignore=["y"]), RowSample(10, ignore=["y"]), RowSample(10, 2, ["y"])]
    samples[0].add(table)
    samples[1].add(table.to_batches()[0])
    samples[2].add(table)
    tables = [sample.table() for sample in samples]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])
    assert tables[0].schema.names == ["x"]


def test_what_a_batch_lacks_is_null():
    sample = RowSample(10)
    sample.add(pa.table({"x": [1], "y": pa.nulls(1)}))
    sample.add(pa.table({"y": ["a"]}))
    rows = sorted(sample.table().to_pylist(), key=str)
    assert rows == [{"x": 1, "y": None}, {"x": None, "y": "a"}]


def test_no_rows_are_an_empty_table():
    assert RowSample(5).table().num_rows == 0


def test_memory_does_not_grow_with_the_rows():
    sizes = []
    sample = RowSample(100)
    for start in range(100):
        sample.add(pa.table({"x": np.arange(start * 1000.0, start * 1000.0 + 1000)}))
        sizes.append(len(pickle.dumps(sample)))
    assert max(sizes[20:]) < 12_000


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="size must be at least 1, found 0"):
        RowSample(0)
    with pytest.raises(ValueError, match="must have the same seed, found 1 and 2"):
        RowSample(5).merge(RowSample(5, 2))
    with pytest.raises(ValueError, match="column 'x' is of type int64 in one part and string in"):
        stacked([pa.table({"x": [1]}), pa.table({"x": ["a"]})])


def test_long_values_are_kept_short_and_keep_their_types_and_places():
    long, other = "a" * 5000, "b" * 5000
    table = pa.table(
        {
            "text": ["x", long, None, other],
            "data": [b"x", long.encode(), None, b""],
            "lists": [[long, "x", None], None, [], [other]],
            "large": pa.array(
                [[b"x"], None, [long.encode()], []], pa.large_list(pa.large_binary())
            ),
            "short": [["x"], [], None, ["y"]],
        }
    )
    sample = RowSample(10)
    sample.add(table.slice(0, 1).select(["text", "short"]))
    sample.add(table)
    found = sample.table()
    assert found.schema.types == [
        table.schema.field(name).type for name in ("text", "short", "data", "lists", "large")
    ]
    rows = found.filter(pc.is_valid(found["text"])).to_pylist()
    [row] = [row for row in rows if row["text"].startswith("aaa")]
    shown = "a" * 64 + "... (5000 bytes, SHA-256 "
    assert row["text"].startswith(shown)
    assert row["data"].decode().startswith(shown)
    assert (row["lists"], row["large"], row["short"]) == (None, None, [])
    [row] = [row for row in found.to_pylist() if row["lists"] and len(row["lists"]) == 3]
    assert row["lists"][0].startswith(shown)
    assert row["lists"][1:] == ["x", None]
