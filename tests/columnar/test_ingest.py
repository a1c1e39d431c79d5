import datetime
import hashlib
import itertools
import os
import pathlib
import pickle
import random
import re
import subprocess
import zlib
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.columnar import EncodeOptions, ingest, plan_features
from tfx_wine_ext.columnar.ingest import (
    PARQUET_PAYLOAD,
    TFRECORD_PAYLOAD,
    IngestOptions,
    OutputSplit,
    ShardFile,
    ShardResult,
    clear,
    commit,
    write_shard,
)
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources.parquet import ParquetFileError
from tfx_wine_ext.sources.schemas import NoCommonTypeError

from .reference import serialized
from .shards import ALL, FILES, THIRDS, examples, ids, plan, records, tree, wine, wines, write
from .shards import ingest as run


@pytest.fixture
def source(tmp_path):
    """60 rows: files of 30 in row groups of 8, 8, 8 and 6."""
    write(f"{tmp_path}/in/a.parquet", wines(30), row_group_size=8)
    write(f"{tmp_path}/in/b.parquet", wines(30, first=30), row_group_size=8)
    return f"{tmp_path}/in/*"


def out(tmp_path, name="out"):
    return str(tmp_path / name)


# Options.


def test_options_and_results_come_back_from_json():
    options = IngestOptions(
        encode=EncodeOptions(exclude_columns=("id",), cast={"zip": "bytes"}),
        filters=[["a", ">", 1]],
        unify_schemas=True,
        shuffle_seed=0,
        num_shards=3,
    )
    assert IngestOptions.from_json(options.to_json()) == options
    assert IngestOptions.from_json(IngestOptions().to_json()) == IngestOptions()
    assert IngestOptions(filters=[("a", "in", {2, 1})]).to_json() == (
        IngestOptions(filters=[["a", "in", [1, 2]]]).to_json()
    )
    result = ShardResult(
        1, 5, (ShardFile("train", "x.gz", 3, 40), ShardFile("eval", "x.gz", 2, 30))
    )
    assert ShardResult.from_json(result.to_json()) == result


@pytest.mark.parametrize("value", [0, -1, 1.5, "2"])
def test_a_number_of_shards_below_one_is_refused(value):
    message = f"num_shards: expected a whole number of at least 1, or None; found {value!r}"
    with pytest.raises(ValueError, match=message):
        IngestOptions(num_shards=value)


@pytest.mark.parametrize("value", [-1, 0.5, "a"])
def test_a_seed_below_zero_is_refused(value):
    message = f"shuffle_seed: expected a whole number of at least 0, or None; found {value!r}"
    with pytest.raises(ValueError, match=message):
        IngestOptions(shuffle_seed=value)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="speed"):
        IngestOptions.from_json('{"encode": {}, "speed": 1}')


# What is written.


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
    message = (
        rf"^{path}: no column is left to write of id, s: select some with columns=\(\.\.\.\), or "
        r"leave fewer out \(exclude_columns=\)$"
    )
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
    message = r"a.parquet: row group 0, column 'colour': the partition feature has no value here"
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


# Shards.


def row_groups(tasks):
    return [[(p.path[-9:-8], list(p.row_groups)) for p in task.parts] for task in tasks]


def test_shards_are_runs_of_row_groups_of_about_the_same_bytes(source):
    a, b = list(range(4)), list(range(4))
    assert row_groups(plan(source)) == [[("a", a), ("b", b)]]
    assert row_groups(plan(source, num_shards=2)) == [[("a", a)], [("b", b)]]
    three = plan(source, num_shards=3)
    assert [g for task in row_groups(three) for _, groups in task for g in groups] == a + b
    assert all(task.parts for task in three)
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
        monkeypatch.setattr(ingest, "SHARD_UNCOMPRESSED_BYTES", limit)
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
    assert (task.parts, task.rows) == ((), 0)


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
    with pytest.raises(ParquetFileError, match=r"a.parquet: row group 1 cannot be decoded"):
        run(source, out(tmp_path))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (("price", ">", 1), "filters: expected one of the columns id, alcohol.*, found 'price'"),
        (("id", ">", "cheap"), "expected a value of column 'id', which is int64, found 'cheap'"),
    ],
)
def test_filters_that_do_not_fit_the_files_are_refused_when_planning(source, condition, message):
    for unify in (False, True):
        with pytest.raises(ValueError, match=message):
            plan(source, filters=[condition], unify_schemas=unify)


# Schemas.


def two_files(tmp_path, first, second):
    write(f"{tmp_path}/two/a", first)
    write(f"{tmp_path}/two/b", second)
    return f"{tmp_path}/two/*"


@pytest.mark.parametrize(
    ("second", "difference"),
    [
        ({"id": [1]}, "column 'x' is double in the first and missing in the second"),
        ({"id": [1], "x": [1]}, "column 'x' is double in the first and int64 in the second"),
        ({"id": [1], "x": [1.0], "y": [1]}, "column 'y' is missing in the first and int64 in the"),
        ({"x": [1], "y": [1]}, r"column 'id' is .*; column 'x' is .*; column 'y' is missing in"),
    ],
)
def test_files_whose_columns_differ_are_refused_by_file_and_column(tmp_path, second, difference):
    pattern = two_files(tmp_path, pa.table({"id": [0], "x": [0.5]}), pa.table(second))
    message = (
        f"^the schemas of {tmp_path}/two/a and {tmp_path}/two/b differ: {difference}.*"
        r"bring the files to one schema, leave the columns out \(exclude_columns=\), or set "
        "unify_schemas=True$"
    )
    with pytest.raises(ValueError, match=message):
        plan(pattern)


def test_the_order_of_columns_and_metadata_may_differ(tmp_path):
    first = pa.table({"id": [0], "x": [0.5]})
    second = pa.table({"x": [1.5], "id": [1]}).replace_schema_metadata({"made": "by hand"})
    run(two_files(tmp_path, first, second), out(tmp_path))
    assert examples(out(tmp_path)) == [
        {"id": ("int64_list", [0]), "x": ("float_list", [0.5])},
        {"id": ("int64_list", [1]), "x": ("float_list", [1.5])},
    ]


@pytest.mark.parametrize("unify", [False, True])
@pytest.mark.parametrize(
    "encode", [EncodeOptions(exclude_columns=("s",)), EncodeOptions(columns=("id",))]
)
def test_what_is_left_out_may_differ(tmp_path, encode, unify):
    first = pa.table({"id": [0], "s": [{"a": 1, "b": "x"}]})
    second = pa.table({"id": [1], "s": [{"a": [1]}]})
    run(two_files(tmp_path, first, second), out(tmp_path), encode=encode, unify_schemas=unify)
    assert ids(out(tmp_path)) == [0, 1]


def test_a_column_more_or_less_is_null_where_it_is_missing_if_schemas_are_unified(tmp_path):
    first = pa.table({"id": [0], "x": [0.5]})
    second = pa.table({"tags": [["a"]], "id": [1]})
    run(two_files(tmp_path, first, second), out(tmp_path), unify_schemas=True)
    assert examples(out(tmp_path)) == [
        {"id": ("int64_list", [0]), "x": ("float_list", [0.5]), "tags": None},
        {"id": ("int64_list", [1]), "x": None, "tags": ("bytes_list", [b"a"])},
    ]


def test_a_file_with_none_of_the_columns_that_are_read_gives_rows_without_features(tmp_path):
    pattern = two_files(tmp_path, pa.table({"x": [0.5]}), pa.table({"z": [1, 2]}))
    encode = EncodeOptions(columns=("x",))
    run(pattern, out(tmp_path), encode=encode, unify_schemas=True)
    assert examples(out(tmp_path)) == [{"x": ("float_list", [0.5])}, {"x": None}, {"x": None}]


@pytest.mark.parametrize(
    ("first", "second", "unified"),
    [
        (pa.int8(), pa.int64(), pa.int64()),
        (pa.int64(), pa.int8(), pa.int64()),
        (pa.uint8(), pa.int8(), pa.int16()),
        (pa.uint32(), pa.int32(), pa.int64()),
        (pa.uint8(), pa.uint64(), pa.uint64()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.int16(), pa.float32(), pa.float32()),
        (pa.float32(), pa.int32(), pa.float64()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.null(), pa.string(), pa.string()),
        (pa.list_(pa.int8()), pa.null(), pa.list_(pa.int8())),
        (pa.list_(pa.int8()), pa.list_(pa.int32()), pa.list_(pa.int32())),
        (pa.list_(pa.int8()), pa.list_(pa.field("element", pa.int8())), pa.list_(pa.int8())),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.large_binary(), pa.binary(), pa.large_binary()),
        (pa.dictionary(pa.int32(), pa.string()), pa.string(), pa.string()),
    ],
)
def test_types_are_widened_to_the_one_that_holds_both(tmp_path, first, second, unified):
    def table(number, type_):
        value = number
        if pa.types.is_list(type_):
            value = [number]
        elif not (pa.types.is_integer(type_) or pa.types.is_floating(type_)):
            value = str(number)
        values = [None if pa.types.is_null(type_) else value]
        if pa.types.is_dictionary(type_):
            column = pa.array(values).dictionary_encode()
        else:
            column = pa.array(
                [str(v).encode() for v in values] if "binary" in str(type_) else values, type_
            )
        return pa.table({"x": column})

    pattern = two_files(tmp_path, table(3, first), table(4, second))
    (task,) = plan(pattern, unify_schemas=True)
    assert task.schema.field("x").type == unified
    run(pattern, out(tmp_path), unify_schemas=True)
    kind = plan_features(pa.schema({"x": unified})).features[0].kind
    assert examples(out(tmp_path)) == [
        {"x": None if pa.types.is_null(t) else (kind, [str(n).encode() if kind[0] == "b" else n])}
        for n, t in [(3, first), (4, second)]
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([1]), pa.array(["a"])),
        (pa.array([True]), pa.array([1])),
        (pa.array([1], pa.timestamp("s")), pa.array([1], pa.timestamp("us", "UTC"))),
        (pa.array([[1]]), pa.array([["a"]])),
        (pa.array([{"a": 1}]), pa.array([{"a": True}])),
    ],
)
def test_types_that_no_type_holds_both_are_refused_by_file_and_column(tmp_path, first, second):
    pattern = two_files(tmp_path, pa.table({"x": first}), pa.table({"x": second}))
    (one,), (two,) = (pq.ParquetFile(path).schema_arrow.types for path in FILES.glob(pattern))
    with pytest.raises(NoCommonTypeError) as caught:
        plan(pattern, unify_schemas=True)
    error = caught.value
    assert (error.column, error.type, error.other_type) == ("x", one, two)
    assert (error.path, error.other_path) == (f"{tmp_path}/two/a", f"{tmp_path}/two/b")


MOMENT = datetime.datetime(2024, 2, 29, 12, 30)
MICROSECONDS = 1_709_209_800_000_000
DAY = MOMENT.date()
MIDNIGHT = 1_709_164_800_000_000


@pytest.mark.parametrize(
    ("first", "second", "features"),
    [
        (
            pa.array([MOMENT], pa.timestamp("ms")),
            pa.array([MOMENT], pa.timestamp("us")),
            [("int64_list", [MICROSECONDS])] * 2,
        ),
        (
            pa.array([DAY], pa.date32()),
            pa.array([MOMENT], pa.timestamp("us")),
            [("int64_list", [MIDNIGHT]), ("int64_list", [MICROSECONDS])],
        ),
        (
            pa.array([datetime.time(1)], pa.time32("ms")),
            pa.array([datetime.time(2)], pa.time64("us")),
            [("int64_list", [3_600_000_000]), ("int64_list", [7_200_000_000])],
        ),
        (
            pa.array([Decimal("1.25")], pa.decimal128(10, 2)),
            pa.array([Decimal("0.5")], pa.decimal128(20, 4)),
            [("float_list", [1.25]), ("float_list", [0.5])],
        ),
        (
            pa.array([Decimal("1.25")], pa.decimal128(38, 2)),
            pa.array([Decimal("0.5")], pa.decimal128(38, 4)),
            [("float_list", [1.25]), ("float_list", [0.5])],
        ),
        (
            pa.array([-(2**63)], pa.int64()),
            pa.array([2**63 - 1], pa.uint64()),
            [("int64_list", [-(2**63)]), ("int64_list", [2**63 - 1])],
        ),
        (
            pa.array([[MOMENT]], pa.list_(pa.timestamp("ms"))),
            pa.array([[MOMENT, MOMENT]], pa.large_list(pa.timestamp("us"))),
            [("int64_list", [MICROSECONDS]), ("int64_list", [MICROSECONDS] * 2)],
        ),
        (
            pa.array([MOMENT], pa.timestamp("ms")).dictionary_encode(),
            pa.array([DAY], pa.date32()).dictionary_encode(),
            [("int64_list", [MICROSECONDS]), ("int64_list", [MIDNIGHT])],
        ),
        (
            pa.array([[1, 2]], pa.list_(pa.int8(), 2)),
            pa.array([[300]], pa.list_(pa.int16())),
            [("int64_list", [1, 2]), ("int64_list", [300])],
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("turned", [False, True])
def test_files_whose_types_differ_are_read_as_one(tmp_path, first, second, features, turned):
    tables = [pa.table({"x": first}), pa.table({"x": second})]
    pattern = two_files(tmp_path, *(tables[::-1] if turned else tables))

    run(pattern, out(tmp_path), unify_schemas=True)

    expected = [{"x": feature} for feature in features]
    assert examples(out(tmp_path)) == (expected[::-1] if turned else expected)
    with pytest.raises(ValueError, match="set unify_schemas=True"):
        plan(pattern)


@pytest.mark.parametrize("rows", range(1, 6))
@pytest.mark.parametrize("type_", [pa.list_(pa.float64()), pa.list_(pa.int16()), pa.string()])
def test_a_column_of_any_type_may_be_missing_in_a_file_of_any_length(tmp_path, rows, type_):
    first = pa.table({"y": pa.array([], type_)})
    pattern = two_files(tmp_path, first, pa.table({"z": [0.5] * rows}))
    run(pattern, out(tmp_path), unify_schemas=True)
    assert examples(out(tmp_path)) == [{"y": None, "z": ("float_list", [0.5])}] * rows


def test_a_struct_may_gain_and_lose_fields(tmp_path):
    first = pa.array([{"a": 1, "b": "u"}, None])
    second = pa.array([{"c": [0.5], "a": 2.5}])
    pattern = two_files(tmp_path, pa.table({"s": first}), pa.table({"s": second}))

    run(pattern, out(tmp_path), unify_schemas=True)

    assert examples(out(tmp_path)) == [
        {"s.a": ("float_list", [1.0]), "s.b": ("bytes_list", [b"u"]), "s.c": None},
        {"s.a": None, "s.b": None, "s.c": None},
        {"s.a": ("float_list", [2.5]), "s.b": None, "s.c": ("float_list", [0.5])},
    ]


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (
            pa.array([datetime.datetime(9999, 12, 31)], pa.timestamp("s")),
            pa.array([MOMENT], pa.timestamp("ns")),
            "'x' is timestamp[ms], and datetime.datetime(9999, 12, 31, 0, 0) cannot be read as "
            "timestamp[ns]",
        ),
        (
            pa.array([datetime.date(9999, 12, 31)]),
            pa.array([MOMENT], pa.timestamp("ns")),
            "'x' is date32[day], and datetime.date(9999, 12, 31) cannot be read as timestamp[ns]",
        ),
        (
            pa.array([-1]),
            pa.array([2**63], pa.uint64()),
            "'x': 9223372036854775808 does not fit an int64 feature",
        ),
    ],
)
def test_a_value_that_the_common_type_or_feature_does_not_hold_is_an_error(
    tmp_path, first, second, found
):
    for name, column in [("a", first), ("b", second)]:
        write(f"{tmp_path}/in/{name}", pa.table({"x": column}), version="2.6")
    with pytest.raises(ParquetFileError, match=re.escape(found)):
        run(f"{tmp_path}/in/*", out(tmp_path), unify_schemas=True)


@pytest.mark.parametrize(
    ("first", "second", "low"),
    [
        (
            pa.array([MOMENT, None], pa.timestamp("ms")),
            pa.array([datetime.datetime(2025, 1, 1)], pa.timestamp("us")),
            datetime.datetime(2024, 12, 1),
        ),
        (pa.array([DAY]), pa.array([MOMENT], pa.timestamp("us")), MOMENT.replace(hour=1)),
        (pa.array([Decimal("1.25")]), pa.array([Decimal("1.5000")]), Decimal("1.3")),
        (pa.array([-1]), pa.array([2**63 - 1], pa.uint64()), 0),
    ],
)
def test_filters_hold_on_columns_whose_types_differ(tmp_path, first, second, low):
    pattern = two_files(tmp_path, pa.table({"x": first}), pa.table({"x": second}))
    run(pattern, out(tmp_path), unify_schemas=True, filters=[("x", ">", low)])
    run(pattern, out(tmp_path, "not"), unify_schemas=True, filters=[("x", "<=", low)])
    both = len(examples(out(tmp_path))), len(examples(out(tmp_path, "not")))
    assert both == (1, 1)


def test_of_three_files_the_two_that_conflict_are_named(tmp_path):
    for name, column in [("a", [1]), ("b", [0.5]), ("c", ["x"])]:
        write(f"{tmp_path}/in/{name}", pa.table({"x": pa.array(column)}))
    write(f"{tmp_path}/in/b", pa.table({"x": pa.nulls(1)}))
    with pytest.raises(NoCommonTypeError) as caught:
        plan(f"{tmp_path}/in/*", unify_schemas=True)
    assert (caught.value.path, caught.value.other_path) == (f"{tmp_path}/in/a", f"{tmp_path}/in/c")


def test_an_integer_that_the_unified_float_does_not_hold_is_an_error_by_file(tmp_path):
    pattern = two_files(tmp_path, pa.table({"x": [2**53 + 1]}), pa.table({"x": [0.5]}))
    (task,) = plan(pattern, unify_schemas=True)
    message = (
        f"{tmp_path}/two/a: column 'x' is int64, and 9007199254740993 cannot be read as double"
    )
    with pytest.raises(ParquetFileError, match=message):
        write_shard(task, out(tmp_path), FILES)


def test_filters_work_on_unified_columns_that_a_file_lacks_or_has_narrower(tmp_path):
    first = pa.table({"id": pa.array([0, 1], pa.int16())})
    second = pa.table({"id": pa.array([2, 70_000]), "x": [1, 2]})
    pattern = two_files(tmp_path, first, second)
    for filters, expected in [
        ([("id", ">", 0)], [1, 2, 70_000]),
        ([("id", "in", [0, 70_000])], [0, 70_000]),
        ([("x", ">", 1)], [70_000]),
    ]:
        run(pattern, out(tmp_path), filters=filters, unify_schemas=True)
        assert ids(out(tmp_path)) == expected


def duplicated(values):
    return pa.Table.from_arrays([pa.array(values)] * 2 + [pa.array(values)], ["a", "a", "id"])


@pytest.mark.parametrize("unify", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_two_columns_of_one_name_are_refused_by_file(tmp_path, unify, order):
    one, two = [duplicated([1]), pa.table({"a": [2], "id": [2]})][::order]
    pattern = two_files(tmp_path, one, two)
    path = f"{tmp_path}/two/{'a' if order == 1 else 'b'}"
    message = f"^Parquet file {path}: has more than one column of the name 'a'; rename them, or"
    with pytest.raises(ParquetFileError, match=message):
        plan(pattern, unify_schemas=unify)


@pytest.mark.parametrize("unify", [False, True])
def test_two_columns_of_one_name_that_are_left_out_do_not_matter(tmp_path, unify):
    pattern = two_files(tmp_path, duplicated([1]), duplicated([2]))
    run(pattern, out(tmp_path), encode=EncodeOptions(columns=("id",)), unify_schemas=unify)
    assert ids(out(tmp_path)) == [1, 2]


def test_a_column_that_cannot_become_a_feature_is_refused_by_file_when_planning(tmp_path):
    column = pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))
    path = write(f"{tmp_path}/in", pa.table({"id": [1], "m": column}))
    with pytest.raises(
        ValueError, match=rf"^{tmp_path}/in: 1 column.*\n  'm': .*a map has no form"
    ):
        plan(path)


def test_a_value_that_cannot_be_encoded_is_an_error_by_file_row_group_and_column(tmp_path):
    table = pa.table({"id": range(9), "x": [0.0] * 7 + [1e300, 0.0]})
    path = write(f"{tmp_path}/in", table, row_group_size=3)
    message = (
        f"^Parquet file {tmp_path}/in: row group 2, column 'x': 1e\\+300 is beyond the range of "
        r"float32 .*; or leave the column out \(exclude_columns=\)$"
    )
    for seed in (None, 1):
        (task,) = plan(path, filters=[("id", ">", 4)], shuffle_seed=seed)
        with pytest.raises(ParquetFileError, match=message):
            write_shard(task, out(tmp_path), FILES)


# Nothing half-written is published.


def staged(source, destination, **options):
    tasks = plan(source, THIRDS, num_shards=3, **options)
    return tasks, [write_shard(task, destination, FILES) for task in tasks]


def test_before_commit_all_is_in_the_staging_folder_and_after_it_nothing(tmp_path, source):
    tasks, results = staged(source, out(tmp_path))
    assert {path.split("/")[0] for path in tree(out(tmp_path))} == {".staging"}
    files = commit(out(tmp_path), tasks, results[::-1], FILES)
    assert sorted(os.listdir(out(tmp_path))) == ["Split-eval", "Split-train"]
    assert sorted(tree(out(tmp_path))) == [f"Split-{f.split}/{f.name}" for f in files]


@pytest.mark.parametrize(
    "lose",
    [
        lambda results: results[:-1],
        lambda results: [*results, results[0]],
        lambda results: [results[0], results[0], results[2]],
        lambda results: [*results[:-1], replace(results[-1], rows_read=results[-1].rows_read - 1)],
        lambda results: [*results[:-1], replace(results[-1], files=results[-1].files[:1])],
        lambda results: [],
    ],
    ids=["missing", "twice", "twice for another", "short", "without a split", "none"],
)
def test_commit_refuses_results_that_do_not_account_for_all_work_and_moves_nothing(
    tmp_path, source, lose
):
    tasks, results = staged(source, out(tmp_path))
    before = tree(out(tmp_path))
    found = lose(results)
    message = (
        f"^{out(tmp_path)}: expected 3 shard tasks with 60 rows, found {len(found)} with "
        f"{sum(r.rows_read for r in found)}; the Beam runner lost work, nothing was published"
    )
    with pytest.raises(RuntimeError, match=message):
        commit(out(tmp_path), tasks, found, FILES)
    assert tree(out(tmp_path)) == before


def test_commit_refuses_shards_that_are_not_where_they_were_said_to_be(tmp_path, source):
    tasks, results = staged(source, out(tmp_path))
    gone = f"{out(tmp_path)}/.staging/Split-eval/data_tfrecord-00001-of-00003.gz"
    os.unlink(gone)
    before = tree(out(tmp_path))
    with pytest.raises(RuntimeError, match=f"^{gone}: expected 6 shards.*and 0 more are missing"):
        commit(out(tmp_path), tasks, results, FILES)
    assert tree(out(tmp_path)) == before


class Failing(LocalFiles):
    """Fails once, when a shard has been written and is read back: too late to undo by hand."""

    failed = False

    def open(self, path):
        if ".staging" in path and not self.failed:
            self.failed = True
            raise OSError("the worker lost its network")
        return super().open(path)


def test_what_a_failed_attempt_left_is_not_published_with_the_next_one(tmp_path, source):
    (task,) = plan(source, THIRDS)
    files = Failing()
    with pytest.raises(OSError, match="the worker lost its network"):
        write_shard(task, out(tmp_path), files)
    assert len(tree(out(tmp_path))) == 2  # half an attempt for each split
    commit(out(tmp_path), [task], [write_shard(task, out(tmp_path), files)], FILES)
    assert sorted(tree(out(tmp_path))) == [
        "Split-eval/data_tfrecord-00000-of-00001.gz",
        "Split-train/data_tfrecord-00000-of-00001.gz",
    ]


def test_a_task_that_is_done_twice_gives_the_same_bytes(tmp_path, source):
    tasks, results = staged(source, out(tmp_path))
    before = tree(out(tmp_path))
    assert write_shard(tasks[1], out(tmp_path), FILES) == results[1]
    assert tree(out(tmp_path)) == before


def test_clear_removes_what_an_interrupted_run_left_and_nothing_else(tmp_path, source):
    run(source, out(tmp_path), THIRDS)
    staged(source, out(tmp_path))
    (tmp_path / "out" / "Split-mine").mkdir()
    clear(out(tmp_path), ["train", "eval"], FILES)
    assert os.listdir(out(tmp_path)) == ["Split-mine"]
    clear(out(tmp_path), ["train", "eval"], FILES)
    clear(out(tmp_path, "never made"), ["train"], FILES)


class Rotten(LocalFiles):
    """A disk that gives back other bytes than it was given."""

    def __init__(self, change):
        self.change = change

    def open(self, path):
        if ".staging" in path:
            pathlib.Path(path).write_bytes(self.change(pathlib.Path(path).read_bytes()))
        return super().open(path)


@pytest.mark.parametrize("payload", ["tfrecord", "parquet"])
@pytest.mark.parametrize(
    "change",
    [lambda d: d[:-1], lambda d: d[:40] + bytes([d[40] ^ 1]) + d[41:], lambda d: d + b"\0"],
    ids=["shorter", "a bit flipped", "longer"],
)
def test_a_shard_that_reads_back_other_than_it_was_written_is_an_error(
    tmp_path, source, change, payload
):
    (task,) = plan(source, payload=payload)
    message = r"/out/.staging/Split-all/data_.*: wrote \d+ bytes with CRC 0x\w{8}, read back \d+ "
    with pytest.raises(OSError, match=message):
        write_shard(task, out(tmp_path), Rotten(change))
    assert not list(tmp_path.glob("out/.staging/Split-all/data_*-of-00001.gz"))
    assert not list(tmp_path.glob("out/.staging/Split-all/data_*-of-00001.parquet"))


class FullDevice(LocalFiles):
    """Writes everything to a device that is full."""

    def create(self, path):
        return open("/dev/full", "wb")


@pytest.mark.parametrize("payload", ["tfrecord", "parquet"])
def test_writing_to_dev_full_is_an_error_that_names_the_shard(tmp_path, source, payload):
    (task,) = plan(source, payload=payload)
    message = (
        rf"{out(tmp_path)}/.staging/Split-all/data_{payload}-00000-of-00001\.\w+: cannot be "
        r"written \(.*No space left on device.*\); free or repair the disk, then run again"
    )
    with pytest.raises(OSError, match=message):
        write_shard(task, out(tmp_path), FullDevice())


def _mount_small_disk(folder):
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("payload", ["tfrecord", "parquet"])
def test_a_disk_that_fills_up_publishes_nothing_where_the_tests_may_mount_one_else_dev_full(
    tmp_path, payload
):
    disk = tmp_path / "disk"
    disk.mkdir()
    table = pa.table({"x": np.random.default_rng(0).normal(size=50_000)})
    tasks = plan(write(f"{tmp_path}/in", table, row_group_size=2_000), THIRDS, payload=payload)
    mounted = _mount_small_disk(disk)
    try:
        with pytest.raises(
            OSError, match=rf"{disk}/out/.staging/Split-\w+/data_.*: cannot be written"
        ):
            write_shard(tasks[0], f"{disk}/out", FILES if mounted else FullDevice())
        assert not list(disk.glob("out/.staging/*/data_*-of-00001.*[zt]"))
        assert not list(disk.glob("out/Split-*"))
        clear(f"{disk}/out", ["train", "eval"], FILES)
        assert list(disk.glob("out/*")) == []
    finally:
        if mounted:
            subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_shard(tmp_path, source):
    (tmp_path / "out").write_bytes(b"a file")
    (task,) = plan(source)
    with pytest.raises(OSError, match=r"Split-all/data_.*: cannot be written .*Not a directory"):
        write_shard(task, out(tmp_path), FILES)


def test_a_file_that_changes_between_planning_and_reading_is_an_error_by_name(tmp_path, source):
    (task,) = plan(source)
    write(f"{tmp_path}/in/b.parquet", wines(31, first=30), row_group_size=8)
    with pytest.raises(ParquetFileError, match=r"b.parquet: it changed after the run had begun"):
        write_shard(task, out(tmp_path), FILES)


@pytest.mark.parametrize("payload", ["tfrecord", "parquet"])
def test_no_file_stays_open_after_an_error(tmp_path, source, payload):
    write(f"{tmp_path}/in/b.parquet", wines(30, first=30), row_group_size=8)
    (task,) = plan(source, THIRDS, payload=payload)
    pathlib.Path(FILES.glob(source)[1]).unlink()
    opened = []

    class Watched(LocalFiles):
        def create(self, path):
            opened.append(super().create(path))
            return opened[-1]

    with pytest.raises(ParquetFileError, match=r"b.parquet: cannot be opened"):
        write_shard(task, out(tmp_path), Watched())
    assert [stream.closed for stream in opened] == [True, True]


def members(path):
    """The gzip members of a file, each decompressed on its own."""
    data, found = pathlib.Path(path).read_bytes(), []
    while data:
        member = zlib.decompressobj(wbits=31)
        found.append(member.decompress(data) + member.flush())
        data = member.unused_data
    return found


def test_no_gzip_member_is_empty_as_tensorflow_stops_reading_at_one(tmp_path, source, monkeypatch):
    monkeypatch.setattr(ingest, "BATCH_ROWS", 2)  # Many batches leave nothing for a split.
    files = run(source, out(tmp_path), THIRDS, num_shards=3, filters=[("id", "not in", [2, 3, 9])])
    for file in files:
        found = members(f"{out(tmp_path)}/Split-{file.split}/{file.name}")
        assert all(found), file
        assert 1 < len(found) <= file.rows
    run(source, out(tmp_path), filters=[("id", "=", 1.0), ("id", "=", 2.0)])
    assert members(f"{out(tmp_path)}/Split-all/data_tfrecord-00000-of-00001.gz") == [b""]


def test_every_record_of_every_shard_has_right_checksums_and_an_empty_one_is_gzip(tmp_path):
    path = write(f"{tmp_path}/in", [wines(0), wines(1)])
    files = run(path, out(tmp_path), (OutputSplit("a", 1), OutputSplit("b", 1)))
    found = {f.split: len(records(f"{out(tmp_path)}/Split-{f.split}/{f.name}")) for f in files}
    assert sorted(found.values()) == [0, 1]
