"""What is written of a table: splits, shuffling and filters."""

import hashlib
import itertools
import pathlib
import pickle
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.columnar import EncodeOptions, encode, ingest
from tfx_wine_ext.columnar.commit import clear, commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import (
    PARQUET_PAYLOAD,
    TFRECORD_PAYLOAD,
)
from tfx_wine_ext.sources.footers import ParquetFileError

from .reference import serialized
from .shards import (
    ALL,
    FILES,
    THIRDS,
    examples,
    ids,
    out,
    plan,
    row_groups,
    tree,
    wine,
    wines,
    write,
)
from .shards import ingest as run


def test_every_row_becomes_its_example_in_order(tmp_path, source):
    files = run(source, out(tmp_path))

    assert examples(out(tmp_path)) == [wine(i) for i in range(60)]
    assert [(f.split, f.name, f.rows) for f in files] == [
        ("all", "data_tfrecord-00000-of-00001.gz", 60)
    ]
    assert {f"Split-{f.split}/{f.name}": f.bytes for f in files} == {
        name: len(data) for name, data in tree(out(tmp_path)).items()
    }


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("splits", [ALL, THIRDS])
def test_no_row_and_one_row_give_every_split_a_file(tmp_path, splits, count):
    path = write(f"{tmp_path}/in", wines(count))
    files = run(path, out(tmp_path), splits)
    assert [f.split for f in files] == sorted(split.name for split in splits)
    found = [row for split in splits for row in examples(out(tmp_path), split.name)]
    assert found == [wine(i) for i in range(count)]


def test_a_file_without_columns_gives_no_examples(tmp_path):
    run(write(f"{tmp_path}/in", pa.table({})), out(tmp_path))
    assert examples(out(tmp_path)) == []


@pytest.mark.parametrize("payload", [TFRECORD_PAYLOAD, PARQUET_PAYLOAD])
@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("options", [{"columns": ()}, {"exclude_columns": ("id", "s")}])
def test_examples_without_any_feature_are_refused(tmp_path, options, rows, payload):
    table = pa.table({"id": range(rows), "s": pa.array([{"a": 1}] * rows, pa.struct({"a": "i8"}))})
    path = write(f"{tmp_path}/rows", table)
    message = rf"^{path}: expected a column to write, found none left of id, s; name .* \(columns\)"
    with pytest.raises(ValueError, match=message):
        plan(path, encode=EncodeOptions(**options), payload=payload)


@pytest.mark.parametrize("options", [{}, {"shuffle_seed": 3}, {"filters": [("id", ">=", 0)]}])
def test_empty_row_groups_are_passed_over(tmp_path, options):
    path = write(f"{tmp_path}/in", [wines(0), wines(2), wines(0), wines(1, first=2), wines(0)])
    run(path, out(tmp_path), num_shards=5, **options)
    assert sorted(ids(out(tmp_path))) == [0, 1, 2]


def test_splits_are_cut_by_the_hash_of_each_example(tmp_path, source):
    expected = {"train": [], "eval": []}
    for i in range(60):
        bucket = int(hashlib.sha256(serialized(wine(i))).hexdigest(), 16) % 3
        expected["train" if bucket < 2 else "eval"].append(i)

    run(source, out(tmp_path), THIRDS)
    assert {name: ids(out(tmp_path), name) for name in expected} == expected


def test_a_partition_feature_keeps_its_rows_together(tmp_path):
    table = pa.table({"id": range(60), "user": [f"u{i % 7}" for i in range(60)]})
    path = write(f"{tmp_path}/in", table, row_group_size=11)
    run(path, out(tmp_path), THIRDS, partition_feature="user")
    train, evaluation = ids(out(tmp_path), "train"), ids(out(tmp_path), "eval")
    assert sorted(train + evaluation) == list(range(60))
    assert train
    assert evaluation
    assert {i % 7 for i in train}.isdisjoint(i % 7 for i in evaluation)


def test_a_partition_feature_that_is_not_there_is_refused_when_planning(source):
    with pytest.raises(ValueError, match=r"^partition_feature_name: expected .*, found 'user'"):
        plan(source, THIRDS, partition_feature="user")


def test_a_row_without_the_partition_feature_is_an_error_by_file_and_column(tmp_path, source):
    (task,) = plan(source, THIRDS, partition_feature="colour")
    message = r"a.parquet: row group 0, column 'colour': expected a value of .*, found none"
    with pytest.raises(ParquetFileError, match=message):
        write_shard(task, out(tmp_path), FILES)


def test_the_parquet_payload_has_the_same_rows_in_the_same_splits(tmp_path, source):
    run(source, out(tmp_path), THIRDS, num_shards=3)
    files = run(source, out(tmp_path, "pq"), THIRDS, num_shards=3, payload=PARQUET_PAYLOAD)
    assert {f.name for f in files} == {f"data_parquet-0000{n}-of-00003.parquet" for n in range(3)}
    for split in ("train", "eval"):
        paths = sorted((tmp_path / "pq" / f"Split-{split}").iterdir())
        rows = pa.concat_tables([pq.ParquetFile(path).read() for path in paths]).to_pylist()
        assert rows == [
            {name: content and content[1] for name, content in row.items()}
            for row in examples(out(tmp_path), split)
        ]
        counted = [f.rows for f in files if f.split == split]
        assert counted == [pq.ParquetFile(path).metadata.num_rows for path in paths]


def test_a_parquet_payload_without_rows_is_a_file_with_the_schema(tmp_path):
    path = write(f"{tmp_path}/in", wines(0))
    run(path, out(tmp_path), payload=PARQUET_PAYLOAD)
    (written,) = (tmp_path / "out" / "Split-all").iterdir()
    table = pq.ParquetFile(written).read()
    assert (table.num_rows, table.schema.names) == (0, sorted(wines(0).schema.names))


# The same bytes, whoever does the work.


@pytest.mark.parametrize("payload", ["tfrecord", "parquet"])
def test_the_bytes_do_not_depend_on_threads_or_on_the_order_of_tasks(
    tmp_path, source, monkeypatch, payload
):
    monkeypatch.setattr(ingest, "BATCH_ROWS", 3)
    options = {"num_shards": 4, "shuffle_seed": 1, "payload": payload}
    expected = None
    for threads, order in itertools.product([1, 2, 4], ["as planned", "other"]):
        monkeypatch.setattr(ingest, "SHARD_THREADS", threads)
        tasks = plan(source, THIRDS, **options)
        done = random.Random(threads).sample(tasks, 4) if order == "other" else tasks
        sent = [pickle.loads(pickle.dumps(task)) for task in done]  # as to another process
        clear(out(tmp_path), ["train", "eval"], FILES)
        commit(out(tmp_path), tasks, [write_shard(t, out(tmp_path), FILES) for t in sent], FILES)
        expected = expected or tree(out(tmp_path))
        assert tree(out(tmp_path)) == expected, (threads, order)
    assert len(expected) == 8


# Shuffling.


def test_rows_are_shuffled_within_their_row_group_by_the_seed(tmp_path, source):
    def order(seed, name):
        run(source, out(tmp_path, name), shuffle_seed=seed)
        return ids(out(tmp_path, name))

    one, again, other = order(1, "one"), order(1, "again"), order(2, "other")
    assert one == again
    assert one != other
    for found in (one, other):
        assert found != list(range(60))
        for start, stop in [(0, 8), (8, 16), (16, 24), (24, 30), (30, 38), (54, 60)]:
            assert sorted(found[start:stop]) == list(range(start, stop))
    # Row groups of equal length are not all shuffled alike.
    assert len({tuple(i - start for i in one[start : start + 8]) for start in (0, 8, 16, 30)}) > 1
    assert sorted(one) == list(range(60))


def test_splits_do_not_depend_on_the_order_of_rows(tmp_path, source):
    run(source, out(tmp_path, "a"), THIRDS)
    run(source, out(tmp_path, "b"), THIRDS, shuffle_seed=5)
    for split in ("train", "eval"):
        assert set(ids(out(tmp_path, "a"), split)) == set(ids(out(tmp_path, "b"), split))


# Filters.


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([("id", ">=", 20), ("id", "<", 35)], range(20, 35)),
        ([[("id", "<", 2)], [("id", ">", 57)]], [0, 1, 58, 59]),
        ([("colour", "=", "red")], range(0, 60, 4)),
        ([("id", ">", 1000)], []),
    ],
)
@pytest.mark.parametrize("excluded", [(), ("id", "colour")])
def test_filters_keep_rows_by_columns_that_need_not_be_features(
    tmp_path, source, filters, expected, excluded
):
    run(
        source, out(tmp_path), filters=filters, encode=EncodeOptions(exclude_columns=excluded),
        num_shards=3,
    )  # fmt: skip
    assert examples(out(tmp_path)) == [
        {name: content for name, content in wine(i).items() if name not in excluded}
        for i in expected
    ]


def test_row_groups_that_cannot_hold_a_row_to_keep_are_not_planned(source):
    tasks = plan(source, filters=[("id", ">=", 20), ("id", "<", 35)], num_shards=9)
    assert row_groups(tasks) == [[("a", [2])], [("a", [3])], [("b", [0])]]
    (task,) = plan(source, filters=[("id", ">", 1000)])
    assert (task.source.parts(), task.rows) == ([], 0)


def test_row_groups_that_are_ruled_out_are_not_decoded(tmp_path, source):
    path = pathlib.Path(FILES.glob(source)[0])
    data = bytearray(path.read_bytes())
    metadata = pq.ParquetFile(path).metadata
    for column in range(metadata.num_columns):  # Noise, where row group 1 was.
        chunk = metadata.row_group(1).column(column)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)

    run(source, out(tmp_path), filters=[[("id", "<", 8)], [("id", ">=", 16)]])
    assert ids(out(tmp_path)) == [i for i in range(60) if not 8 <= i < 16]
    with pytest.raises(ParquetFileError, match=r"a.parquet: row group 1.*: cannot be decoded"):
        run(source, out(tmp_path))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (("price", ">", 1), "filters: expected .*, found 'price'; the columns are id, alcohol"),
        (("id", ">", "cheap"), "expected a value of column 'id', which is int64, found 'cheap'"),
    ],
)
def test_filters_that_do_not_fit_the_files_are_refused_when_planning(source, condition, message):
    for unify in (False, True):
        with pytest.raises(ValueError, match=message):
            plan(source, filters=[condition], unify_schemas=unify)


def test_nested_columns_are_filtered_shuffled_and_split_like_others(tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "BATCH_ROWS", 7)
    matrix, item = pa.list_(pa.list_(pa.int32(), 2), 2), pa.struct([("x", pa.list_(pa.int64()))])
    table = pa.table(
        {
            "id": range(60),
            "matrix": pa.array([[[i, 0], [1, 2]] for i in range(60)], matrix),
            "items": pa.array(
                [[{"x": [i] * (i % 3)}] * (i % 4) for i in range(60)], pa.list_(item)
            ),
        }
    )
    path = write(f"{tmp_path}/in", table, row_group_size=30)
    options = {"encode": EncodeOptions(nested="ragged"), "filters": [("id", ">", 4)]}
    run(path, out(tmp_path), THIRDS, shuffle_seed=1, **options)
    run(path, out(tmp_path, "parquet"), THIRDS, shuffle_seed=1, payload=PARQUET_PAYLOAD, **options)
    found = {
        row["id"][1][0]: row for split in THIRDS for row in examples(out(tmp_path), split.name)
    }
    assert list(found) != sorted(found)
    assert found == {
        i: {
            "id": ("int64_list", [i]),
            "matrix": ("int64_list", [i, 0, 1, 2]),
            "matrix$row_lengths_1": ("int64_list", [2, 2]),
            "items.x": ("int64_list", [i] * (i % 3) * (i % 4)),
            "items.x$row_lengths_1": ("int64_list", [i % 3] * (i % 4)),
        }
        for i in range(5, 60)
    }
    for split in THIRDS:
        folder = pathlib.Path(out(tmp_path, "parquet"), f"Split-{split.name}")
        rows = pq.read_table(folder).to_pylist()
        assert rows == [
            {name: values for name, (_, values) in row.items()}
            for row in examples(out(tmp_path), split.name)
        ]


@pytest.mark.parametrize("payload", [TFRECORD_PAYLOAD, PARQUET_PAYLOAD])
def test_large_batches_and_records_are_written_to_the_same_bytes(
    tmp_path, source, monkeypatch, payload
):
    run(source, f"{tmp_path}/small", THIRDS, payload=payload)
    monkeypatch.setattr(ingest, "LARGE_BATCH_BYTES", 1)
    monkeypatch.setattr(encode, "LARGE_DATA_BYTES", 1)
    run(source, f"{tmp_path}/large", THIRDS, payload=payload)
    assert tree(f"{tmp_path}/large") == tree(f"{tmp_path}/small")
