"""Hive partitions: columns that are in the paths of files."""

import hashlib
import json
import os
import random
import shutil

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.columnar.shards import examples
from tfx_wine_ext.columnar import EncodeOptions
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import IngestOptions, OutputSplit
from tfx_wine_ext.columnar.tables import read_tables, table_of
from tfx_wine_ext.columnar.tasks import plan_shards, plan_table
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources.choose import open_table
from tfx_wine_ext.sources.footers import ParquetFileError, find_files, read_footers
from tfx_wine_ext.sources.layout import PartitionError
from tfx_wine_ext.sources.source import TableFileError

FILES = LocalFiles()
ALL = (OutputSplit("all"),)


@pytest.fixture
def write(tmp_path):
    """Writes Parquet files below a folder, by their paths there; returns the folder."""

    def write(files, folder="in"):
        for path, columns in files.items():
            (tmp_path / folder / path).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(columns), tmp_path / folder / path, row_group_size=2)
        return str(tmp_path / folder)

    return write


def find(root, *patterns, **options):
    patterns = [f"{root}/{pattern}" for pattern in patterns or ("**.parquet",)]
    paths = [find_files(pattern, FILES) for pattern in patterns]
    tables = read_tables(paths, root, IngestOptions(**options), FILES)
    return [table_of(footers, IngestOptions(**options), FILES) for footers in tables]


def run(root, out, **options):
    """Writes all rows below a folder as one split; returns its examples and the tasks."""
    [source] = find(root, **options)
    tasks = plan_shards(source, ALL, IngestOptions(**options))
    for task in tasks:
        write_shard(task, str(out), FILES)
    shutil.move(f"{out}/.staging/Split-all", f"{out}/Split-all")
    return examples(str(out), "all"), tasks


def whole(table):
    return pa.Table.from_batches(list(table.batches()), schema=table.schema)


# Columns.


def test_what_folders_are_called_are_columns_behind_those_of_the_files(write, tmp_path):
    root = write(
        {
            "year=2023/region=n/x.parquet": {"x": [1, 2]},
            "year=2024/region=New%20York/x.parquet": {"x": [3]},
            "year=2024/region=__HIVE_DEFAULT_PARTITION__/x.parquet": {"x": [4]},
        }
    )

    [source] = find(root)

    assert source.whole == pa.schema([("x", "i8"), ("year", "i4"), ("region", "str")])
    assert run(root, tmp_path / "out")[0] == [
        {"x": i(1), "year": i(2023), "region": ("bytes_list", [b"n"])},
        {"x": i(2), "year": i(2023), "region": ("bytes_list", [b"n"])},
        {"x": i(3), "year": i(2024), "region": ("bytes_list", [b"New York"])},
        {"x": i(4), "year": i(2024), "region": None},
    ]


def i(value):
    return "int64_list", [value]


def test_columns_of_partitions_can_be_chosen_left_out_and_be_all(write, tmp_path):
    root = write({"a=1/b=u/x.parquet": {"x": [5, 6, 7]}})

    def features(**options):
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        return run(root, out, encode=EncodeOptions(**options))[0]

    assert features(columns=("a",)) == [{"a": i(1)}] * 3
    assert features(exclude_columns=("a", "b")) == [{"x": i(5)}, {"x": i(6)}, {"x": i(7)}]
    assert features(columns=("b",), cast={"b": "bytes"}) == [{"b": ("bytes_list", [b"u"])}] * 3


def test_switched_off_folders_are_no_columns(write, tmp_path):
    root = write({"a=1/x.parquet": {"x": [5]}, "y.parquet": {"x": [6]}})

    found, _ = run(root, tmp_path / "out", hive_partitioning=False)

    assert found == [{"x": i(5)}, {"x": i(6)}]


VALUES = ["7", "-3", "007", "2147483648", "0x1F", "a", "A%20b", "1.5", "", "2024-01-02", "€", "a=b"]
VALUES += ["__HIVE_DEFAULT_PARTITION__", "true", " 5", "+5", "50%", "%41", "null"]


@pytest.mark.parametrize("seed", range(25))
def test_rows_columns_and_types_are_those_of_arrow(write, seed):
    chance = random.Random(seed)
    keys = chance.sample(["year", "a b", "_k", "ключ", "A%42"], chance.randint(1, 3))
    choice = {key: chance.sample(VALUES, chance.randint(1, 3)) for key in keys}
    for values in choice.values():
        if chance.random() < 0.5:  # whole numbers only
            values[:] = [v for v in values if v.lstrip("-").isdigit() and len(v) < 5]
        # Of nulls alone Arrow infers no type; here the column is null.
        values.sort(key=lambda value: value.startswith("__"))
        if not values or values[0].startswith("__"):
            values.insert(0, "8")
    files = {}
    for number in range(chance.randint(1, 6)):
        picked = {k: chance.choice(values) if number else values[0] for k, values in choice.items()}
        folders = [f"{key}={value}" for key, value in picked.items()]
        path = "/".join([*folders, *["plain"] * chance.randint(0, 1), f"{number}.parquet"])
        files[path] = {"x": [number, number + 1, None], "y": ["u", None, "v"]}
    root = write(files)

    # Arrow passes over folders with an underscore, and Spark takes them for data.
    expected = ds.dataset(root, partitioning="hive", ignore_prefixes=["."], format="parquet")
    expected = expected.to_table()
    found = whole(open_table(root))

    assert found.schema.remove_metadata() == expected.schema.remove_metadata()
    order = [("x", "ascending"), *((name, "ascending") for name in found.column_names[1:])]
    assert found.sort_by(order).to_pylist() == expected.sort_by(order).to_pylist()


def test_a_column_has_one_type_in_all_input_splits_of_a_run(write):
    root = write({"old/rev=1/x.parquet": {"x": [1]}, "new/rev=one/x.parquet": {"x": [1]}})

    schemas = [source.whole for source in find(root, "old/*/*", "new/*/*")]

    assert [schema.field("rev").type for schema in schemas] == [pa.string(), pa.string()]


def test_input_splits_may_be_of_other_partitions(write):
    root = write({"u/a=1/x.parquet": {"x": [1]}, "v/b=q/x.parquet": {"x": [1]}, "w": {"x": [1]}})

    found = [source.names for source in find(root, "u/*/*", "v/*/*", "w")]

    assert found == [["x", "a"], ["x", "b"], ["x"]]


def test_a_column_without_any_value_is_missing_in_every_row(write, tmp_path):
    root = write({"k=__HIVE_DEFAULT_PARTITION__/x.parquet": {"x": [1]}})

    assert run(root, tmp_path / "out")[0] == [{"k": None, "x": i(1)}]


@pytest.mark.parametrize("type_", ["bytes", "string", "binary"])
def test_a_column_that_is_cast_to_bytes_keeps_its_text(write, tmp_path, type_):
    root = write({"code=01/x.parquet": {"x": [1]}, "code=2/x.parquet": {"x": [2]}})

    found, _ = run(root, tmp_path / "out", encode=EncodeOptions(cast={"code": type_}))

    assert [row["code"] for row in found] == [("bytes_list", [b"01"]), ("bytes_list", [b"2"])]


def test_files_of_other_partitions_are_refused_by_their_names(write):
    root = write({"a=1/b=2/x.parquet": {"x": [1]}, "a=1/x.parquet": {"x": [1]}})
    first = f"{root}/a=1/b=2/x.parquet have the partition columns 'a', 'b'"
    with pytest.raises(
        PartitionError,
        match=f"^{root}/a=1/x.parquet: its folders have the partition column 'a', and those of "
        f"{first}; match files of the same partitions only or .*hive_partitioning=False",
    ):
        find(root)
    write({"y.parquet": {"x": [1]}})
    shutil.rmtree(f"{root}/a=1/b=2")
    with pytest.raises(TableFileError, match=r"y\.parquet: its folders have no partition columns"):
        open_table(root)


def test_the_order_of_the_folders_does_not_matter(write, tmp_path):
    root = write({"a=1/b=2/x.parquet": {"x": [1]}, "b=3/a=4/x.parquet": {"x": [2]}})

    assert run(root, tmp_path / "out")[0] == [
        {"a": i(1), "b": i(2), "x": i(1)},
        {"a": i(4), "b": i(3), "x": i(2)},
    ]


# A column that is in the files as well.


def test_a_column_of_path_and_file_is_the_files_where_they_say_the_same(write, tmp_path):
    root = write(
        {
            "year=2024/day=2024-02-29/c=__HIVE_DEFAULT_PARTITION__/x.parquet": {
                "year": pa.array([2024] * 3, pa.int16()),
                "day": pa.array([19782] * 3, pa.int32()).cast(pa.date32()),
                "c": pa.array([None] * 3, pa.string()),
            }
        }
    )

    [source] = find(root)

    assert source.names == ["year", "day", "c"]
    assert (
        run(root, tmp_path / "out")[0]
        == [{"year": i(2024), "day": i(19782 * 86_400_000_000), "c": None}] * 3
    )


@pytest.mark.parametrize(
    ("folder", "column", "found"),
    [
        ("year=2024", [2024, 2023], "expected 2024, as the path says, found 2023"),
        ("year=2024", [2024, None], "expected 2024, as the path says, found None"),
        ("year=u", [2024], "expected u, as the path says, found int64"),
        ("year=__HIVE_DEFAULT_PARTITION__", [1], "expected __HIVE.*, as the path says, found 1"),
    ],
)
def test_a_column_of_path_and_file_that_differ_is_an_error(write, tmp_path, folder, column, found):
    root = write({f"{folder}/x.parquet": {"year": column, "x": [1] * len(column)}})
    message = f"^{root}/{folder}/x.parquet: column 'year': {found}"
    for filters in (None, [("year", "=", 2023)]):
        options = {} if filters is None or "2023" not in found else {"filters": filters}
        with pytest.raises(ParquetFileError, match=message):
            run(root, tmp_path / "out", **options)
    with pytest.raises(TableFileError, match=message):
        whole(open_table(root))

    without = run(root, tmp_path / "a", encode=EncodeOptions(exclude_columns=("year",)))[0]
    off = run(root, tmp_path / "b", hive_partitioning=False)[0]

    assert without == [{"x": i(1)}] * len(column)
    assert [row["year"] and row["year"][1][0] for row in off] == column


# Filters.

REGIONS = {
    "year=2023/region=n/x.parquet": {"x": [1, 2, 3]},
    "year=2023/region=s/x.parquet": {"x": [4, 5, 6]},
    "year=2024/region=n/x.parquet": {"x": [7, 8, 9]},
    "year=2024/region=__HIVE_DEFAULT_PARTITION__/x.parquet": {"x": [10, 11, 12]},
}


@pytest.mark.parametrize(
    ("filters", "rows", "files"),
    [
        ([("region", "=", "n")], [1, 2, 3, 7, 8, 9], 2),
        ([("region", "!=", "n")], [4, 5, 6], 1),
        ([("region", "not in", ["s", "t"]), ("year", "<", 2030)], [1, 2, 3, 7, 8, 9], 2),
        ([("year", ">", 2023), ("region", "in", ["n", "s"])], [7, 8, 9], 1),
        ([("year", ">", 2024)], [], 0),
        ([("year", "=", 2024), ("x", "<=", 8)], [7, 8], 1),
        ([[("year", "=", 2024), ("x", ">", 11)], [("region", "=", "s")]], [4, 5, 6, 12], 2),
        ([[("x", "=", 1)], [("region", "=", "s")]], [1, 4, 5, 6], 2),
    ],
)
def test_filters_skip_whole_files_by_their_folders(write, tmp_path, filters, rows, files):
    root = write(REGIONS)

    found, tasks = run(root, tmp_path / "out", filters=filters)

    assert sorted(row["x"][1][0] for row in found) == rows
    assert len({path for task in tasks for path in task.source.paths}) == files
    if "not in" not in str(filters):  # of which Arrow keeps nulls
        assert sorted(pq.read_table(root, filters=filters)["x"].to_pylist()) == rows


def test_files_that_a_filter_on_their_folders_rules_out_are_not_opened_again(write, tmp_path):
    root = write(REGIONS)
    [source] = find(root)
    for path in ("year=2023/region=s", "year=2023/region=n"):
        shutil.rmtree(f"{root}/{path}")
    options = IngestOptions(filters=[("year", "=", 2024), ("x", ">", 0)])

    tasks = plan_shards(source, ALL, options)

    assert [write_shard(task, str(tmp_path), FILES).rows_read for task in tasks] == [6]


def test_a_value_that_a_column_of_partitions_does_not_have_is_refused(write):
    [source] = find(write(REGIONS))
    with pytest.raises(ValueError, match="a value of column 'year', which is int32, found 'x'"):
        plan_table(source, IngestOptions(filters=[("year", "=", "x")]))


# Fingerprints and records.


def test_a_file_that_moves_to_another_partition_changes_the_fingerprint(write, tmp_path):
    root = write({"region=n/x.parquet": {"x": [1]}})

    def fingerprint(**options):
        [source] = find(root, **options)
        return source.fingerprint()

    before, plain = fingerprint(), fingerprint(hive_partitioning=False)
    shutil.move(f"{root}/region=n", f"{root}/region=s")
    after = fingerprint()
    shutil.move(f"{root}/region=s", f"{root}/region=n")

    assert before != after != plain != before == fingerprint()
    assert fingerprint(hive_partitioning=False) == plain


def test_files_without_partitions_keep_the_fingerprint_and_the_options_of_older_releases(write):
    [source] = find(write({"a.parquet": {"x": [1]}, "b/b.parquet": {"x": [2]}}))

    joined = "".join(footer.digest for footer in read_footers(source.paths, FILES))
    assert source.fingerprint() == (
        f"parquet-v1:{hashlib.sha256(joined.encode()).hexdigest()[:32]}"
    )
    assert sorted(json.loads(IngestOptions().to_json())) == [
        "encode",
        "filters",
        "num_shards",
        "shuffle_seed",
        "unify_schemas",
    ]


def test_that_partitions_are_switched_off_is_recorded_and_read_back():
    options = IngestOptions(hive_partitioning=False)

    assert IngestOptions.from_json(options.to_json()) == options
    assert IngestOptions.from_json(IngestOptions().to_json()).hive_partitioning
    with pytest.raises(ValueError, match="hive_partitioning: expected True or False; found 'hive'"):
        IngestOptions(hive_partitioning="hive")


# As a table.


def test_what_is_named_is_no_column_and_what_is_found_below_is_one(write, monkeypatch, tmp_path):
    root = write({"year=2024/region=n/x.parquet": {"x": [1]}})
    monkeypatch.chdir(tmp_path / "in")
    for path, names in [
        (".", ["x", "year", "region"]),
        (root, ["x", "year", "region"]),
        ("**/*.parquet", ["x", "year", "region"]),
        ("year=*/region=*/*", ["x", "year", "region"]),
        ("year=2024", ["x", "region"]),
        ("year=2024/*/*", ["x", "region"]),
        ("year=2024/region=n/x.parquet", ["x"]),
        (f"{root}/year=2024/region=n", ["x"]),
    ]:
        assert open_table(path).names == names, path
    assert open_table(root, hive_partitioning=False).names == ["x"]


def test_a_link_that_leads_back_is_an_error_and_reads_no_row_twice(write):
    root = write({"k=1/x.parquet": {"x": [1]}})
    os.symlink(root, f"{root}/k=1/back")
    with pytest.raises(TableFileError, match="k=1/back: is a link to a folder above it; remove"):
        open_table(root)


def test_a_folder_is_read_with_the_partitions_in_it_and_without_other_folders(write):
    root = write(
        {
            "k=1/x.parquet": {"x": [1]},
            "k=1/part/x.parquet": {"x": [2]},
            "k=1/_temporary/x.parquet": {"x": [3]},
            "k=1/_x.parquet": {"x": [4]},
            "old/x.parquet": {"x": [5]},
            "_k=2/x.parquet": {"k": [1], "x": [6]},
            ".k=2/x.parquet": {"x": [7]},
        }
    )
    shutil.rmtree(f"{root}/_k=2")

    assert sorted(whole(open_table(root)).to_pylist(), key=lambda row: row["x"]) == [
        {"x": 1, "k": 1},
        {"x": 2, "k": 1},
    ]
