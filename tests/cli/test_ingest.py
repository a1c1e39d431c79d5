import datetime
import gzip
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from examples.wine_quality.data import load
from tfx_wine_ext.cli import main
from tfx_wine_ext.sources.choose import open_table

from .conftest import drinks, write_as, write_long_table

COMMAND = "ingest"
NAME = "data_tfrecord-00000-of-00001.gz"
PRINTED = """
 split   rows   share   bytes   files
 ────────────────────────────────────
 train    197   65.7%   {train:,}       1
 eval     103   34.3%   {eval:,}       1

"""


def printed(out):
    """What is printed about a folder: the sizes of its files depend on the library for gzip."""
    sizes = {s: (out / f"Split-{s}" / NAME).stat().st_size for s in ("train", "eval")}
    return PRINTED.format(**sizes)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with `drinks.parquet` of 300 rows in three row groups."""
    monkeypatch.chdir(tmp_path)
    write_as("parquet", drinks(0), tmp_path / "drinks.parquet")
    return tmp_path


def rows_of(folder, split="train"):
    """The rows of a split, in order."""
    table = open_table(str(folder), split=split)
    return [
        {name: value(values) for name, values in row.items()}
        for row in pa.Table.from_batches(table.batches(table.schema)).to_pylist()
    ]


def count_of(folder, split):
    """How many rows a split has, all of which are decoded."""
    table = open_table(str(folder), split=split)
    return sum(batch.num_rows for batch in table.batches(table.schema))


def value(values):
    """The one value of a feature, bytes as text."""
    [value] = values or [None]
    return value.decode() if isinstance(value, bytes) else value


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# What it writes.


def test_the_splits_lie_as_in_an_examples_artifact_and_are_counted(run, here):
    status, out, err = run("drinks.parquet out")
    assert (status, err) == (0, "")
    assert out.startswith(
        f"{printed(here / 'out')}{here / 'out'}: 300 of 300 rows, 3 features, in "
    )
    assert everything_below(here / "out") == [
        "Split-eval",
        "Split-eval/data_tfrecord-00000-of-00001.gz",
        "Split-train",
        "Split-train/data_tfrecord-00000-of-00001.gz",
    ]


def test_every_row_is_in_one_split(run, here):
    run("drinks.parquet out/ --splits train:3,eval:1,test:1")
    found = [row for split in ("train", "eval", "test") for row in rows_of("out", split)]
    expected = drinks(0).to_pylist()
    by = json.dumps
    assert sorted(map(by, found)) == sorted(map(by, expected))


def test_drift_reads_what_it_wrote(run, here, capsys):
    run("drinks.parquet out --splits train:1,eval:1")
    assert main(["drift", "out", "drinks.parquet", "--split", "eval"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("OK from out, split eval (")


def test_the_document_says_what_was_read_and_written(run, here):
    status, out, err = run("drinks.parquet out --json --splits all --shards 2")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert document.pop("seconds") > 0
    sizes = [path.stat().st_size for path in sorted((here / "out" / "Split-all").iterdir())]
    assert document == {
        "output": str(here / "out"),
        "files": ["drinks.parquet"],
        "rows_read": 300,
        "rows_written": 300,
        "features": 3,
        "content_fingerprint": document["content_fingerprint"],
        "schema_fingerprint": "9d250358f4e4971161e9ecbc8498aae7",
        "splits": [
            {
                "name": "all",
                "hash_buckets": 1,
                "rows": 300,
                "bytes": sum(sizes),
                "files": [
                    "data_tfrecord-00000-of-00002.gz",
                    "data_tfrecord-00001-of-00002.gz",
                ],
            }
        ],
    }
    assert document["content_fingerprint"].startswith("parquet-v1:")


def test_the_document_goes_to_a_file_beside_what_is_printed(run, here):
    status, out, _ = run("drinks.parquet out --json a.json")
    assert (status, out.startswith(printed(here / "out"))) == (0, True)
    assert json.loads((here / "a.json").read_text())["rows_written"] == 300
    assert run("drinks.parquet other --quiet") == (0, "", "")


def test_folders_and_patterns_are_read_in_the_order_of_names(run, here):
    (here / "many").mkdir()
    for name, x in (("b", 2), ("a", 1), ("_c", 3)):
        pq.write_table(pa.table({"x": [x]}), here / "many" / f"{name}.parquet")
    for number, what in enumerate(["many", "many/", "'many/*'"]):
        run(f"{what} out{number} --splits all")
        assert rows_of(f"out{number}", "all") == [{"x": 1}, {"x": 2}]
    run("many/_c.parquet out --splits all")
    assert rows_of("out", "all") == [{"x": 3}]


def test_columns_filters_and_casts_choose_what_is_written(run, here):
    table = pa.table(
        {
            "miles": [0, 1, 5, None],
            "zip": ["007", "7", "007", "007"],
            "day": [datetime.date(2026, 11, n) for n in (1, 2, 3, 4)],
            "struct": [{"a": 1}] * 4,
        }
    )
    pq.write_table(table, here / "taxi.parquet")
    run("taxi.parquet a --splits all --columns miles,zip --filter 'miles > 0' --filter 'zip = 007'")
    assert rows_of("a", "all") == [{"miles": 5, "zip": "007"}]
    run("taxi.parquet b --splits all --exclude struct,day --filter 'day in 2026-11-01,2026-11-04'")
    assert rows_of("b", "all") == [{"miles": 0, "zip": "007"}, {"miles": None, "zip": "007"}]
    run("taxi.parquet c --splits all --columns miles --filter 'miles>=1' --cast miles=bytes")
    assert rows_of("c", "all") == [{"miles": "1"}, {"miles": "5"}]


def test_rows_of_one_value_stay_together_if_it_is_asked_for(run, here):
    run("drinks.parquet out --splits a:1,b:1 --partition-by bottles --filter 'bottles >= 0'")
    of_split = [{row["bottles"] for row in rows_of("out", split)} for split in ("a", "b")]
    assert of_split[0] | of_split[1] == {0, 1, 2, 3, 4, 5, 6}
    assert of_split[0] & of_split[1] == set()


def test_an_empty_folder_is_taken_and_a_link_to_one_followed(run, here):
    (here / "real").mkdir()
    (here / "link").symlink_to("real")
    assert run("drinks.parquet link --quiet")[0] == 0
    assert (here / "link").is_symlink()
    assert everything_below(here / "real")[0] == "Split-eval"


def test_a_split_without_rows_can_be_read_by_tensorflows_readers_too(run, here):
    run("drinks.parquet out --filter 'bottles > 100'")
    for split in ("train", "eval"):
        path = here / "out" / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz"
        assert gzip.decompress(path.read_bytes()) == b""


# What it refuses, and leaves as it was.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.parquet out", "none.parquet: expected a file, a folder or a pattern that matches"),
        (
            "drinks.csv out --format parquet",
            "drinks.csv: expected a Parquet file, which starts w",
        ),
        (
            "drinks.csv out --format xls",
            "--format: expected one of the formats parquet, csv, tfre",
        ),
        ("drinks.parquet full", "full: expected a path where nothing is, found a folder that is n"),
        ("drinks.parquet drinks.csv", "drinks.csv: expected a path where nothing is, found a file"),
        ("drinks.parquet no/out", "no/out: the folder"),
        ("drinks.parquet out --splits train:0", "--splits: expected names with their shares, as i"),
        ("drinks.parquet out --splits ../a:1", "--splits: expected names with their shares, as in"),
        ("drinks.parquet out --splits a,a", "--splits: 'a' is named twice in 'a,a'; name it once"),
        ("drinks.parquet out --shards 0", "argument --shards: expected at least 1, found '0'"),
        ("drinks.parquet out --cast bottles", "--cast: expected NAME=TYPE, as in 'zip=bytes', fou"),
        ("drinks.parquet out --columns bottle", "drinks.parquet: --columns: expected names of "),
        ("'part-*' out", ".: expected 2 files part-*-of-00002.parquet, found 1: part-00001-of-000"),
        ("drinks.parquet out --exclude bottle", "drinks.parquet: --exclude: expected names of "),
        ("drinks.parquet out --columns colour --exclude colour", "--columns and --exclude: both n"),
        ("drinks.parquet out --filter 'bottle > 1'", "--filter: expected the name of a column, f"),
        ("nested.parquet out --exclude x", "nested.parquet: expected a column to write, found "),
        ("struct.parquet out --filter 's.x > 1'", "--filter: expected a whole column, found 's.x'"),
        ("drinks.parquet out --filter 'bottles > x'", "--filter: expected a value of column 'bott"),
        ("drinks.parquet out --partition-by alcohol", "--partition-by: expected a feature of byte"),
        ("drinks.parquet out --json drinks", "--json drinks: expected a name that ends in .json"),
        (
            "many out",
            "many/b.parquet: expected the schema of the first file, many/a.parquet, fou",
        ),
        ("nested.parquet out", "nested.parquet: expected columns that can become features of tf."),
        ("big.parquet out", "big.parquet: row group 0, column 'x': "),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing(run, here, arguments, message):
    write_as("csv", drinks(0), here / "drinks.csv")
    for folder in ("full", "many"):
        (here / folder).mkdir()
    (here / "full" / "x").touch()
    pq.write_table(pa.table({"x": [1]}), here / "many" / "a.parquet")
    pq.write_table(pa.table({"x": ["1"]}), here / "many" / "b.parquet")
    pq.write_table(pa.table({"s": [{"x": 1}]}), here / "struct.parquet")
    pq.write_table(pa.table({"x": [[[1]]]}), here / "nested.parquet")
    pq.write_table(pa.table({"x": pa.array([1, 2**63], pa.uint64())}), here / "big.parquet")
    pq.write_table(pa.table({"x": [1]}), here / "part-00000-of-00002.parquet")
    before = everything_below(here)

    status, out, err = run(arguments)

    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.removeprefix("tfx-wine-ext: error: ").startswith(message)
    assert everything_below(here) == before


def test_errors_speak_of_the_options_and_not_of_the_components_arguments(run, here):
    pq.write_table(pa.table({"x": [[[1]]]}), here / "nested.parquet")
    err = run("nested.parquet out")[2]
    assert "--exclude" in err
    assert "exclude_columns" not in err


@pytest.mark.parametrize(
    ("column", "option", "written"),
    [
        ([[1, None, 2]], "--drop-null-in-list", [[1, 2]]),
        ([1e39], "--allow-float-overflow", [[float("inf")]]),
    ],
)
def test_a_value_that_an_option_lets_pass_is_refused_by_its_name(
    run, here, column, option, written
):
    pq.write_table(pa.table({"x": column}), here / "a.parquet")
    status, _, err = run("a.parquet out --splits train")
    assert status == 2
    assert f"({option})" in err
    assert "_" not in err  # The component's null_in_list= and allow_float_overflow=.
    assert run(f"a.parquet out --splits train --quiet {option}") == (0, "", "")
    table = open_table(str(here / "out"))
    assert pa.Table.from_batches(table.batches())["x"].to_pylist() == written


@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        ("--cast x=int64", "; cast it to another type or to none"),
        (
            "--partition-by x",
            "; fill it, filter rows out (--filter), or partition by another feature"
            " (--partition-by)",
        ),
    ],
)
def test_a_column_that_another_option_names_is_not_advised_to_be_left_out(
    run, here, option, remedy
):
    pq.write_table(pa.table({"x": ["red", None], "y": [1, 2]}), here / "a.parquet")
    status, _, err = run(f"a.parquet out {option}")
    assert status == 2
    assert err.endswith(f"{remedy}\n")


@pytest.mark.parametrize(
    "name",
    [
        "exclude_columns=('x',)",
        "with exclude_columns=",
        "columns=(...)",
        "unify_schemas=True",
        "partition_feature_name is",
        "filters: x",
        "a --exclude b",
    ],
)
def test_a_path_or_a_column_that_is_called_like_an_argument_keeps_its_name(run, here, name):
    folder = here / name
    folder.mkdir()
    pq.write_table(pa.table({name: [[[1]]]}), folder / "a.parquet")
    pq.write_table(pa.table({name: [1]}), folder / "b.parquet")
    one, two = f"{name}/a.parquet", f"{name}/b.parquet"

    err = run(f'"{one}" out')[2]
    assert f"error: {one}: expected columns that can become features" in err
    assert repr(name) in err
    assert "name the columns to keep (--columns)" in err
    err = run(f'"{two}" out --filter "none > 1"')[2]
    assert err.endswith(f"found 'none'; the columns are {name}\n")
    err = run(f'"{two}" out --partition-by none')[2]
    assert "error: --partition-by: expected the name of a feature, found 'none'" in err
    err = run(f'"{two}" out --cast none=bytes')[2]
    assert f"error: {two}: --cast: expected names of " in err
    assert f"found ('none',); the features are ({name!r},)" in err
    err = run(f'"{name}" out --unify-schemas')[2]
    assert f"error: {one}: column {name!r}: expected a type " in err
    assert f" int64 in {two}, found " in err
    assert "or leave columns out (--exclude " in err


def test_a_name_in_the_data_cannot_move_the_cursor(run, here):
    pq.write_table(pa.table({"x\x1b[2J": [[[1]]]}), here / "a.parquet")
    assert "\x1b" not in run("a.parquet out")[2]


def start(here, *arguments, **options):
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2]), "TERM": "xterm"}
    command = [sys.executable, "-m", "tfx_wine_ext.cli", "ingest", *arguments]
    # A parent that ignores Ctrl-C, such as a shell's job in the background, hands that on.
    return subprocess.Popen(
        command,
        cwd=here,
        env=env,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


@pytest.mark.e2e
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_under_the_final_name(here, how):
    write_long_table(here / "long.parquet")
    process = start(here, "long.parquet", "out", stderr=subprocess.PIPE)
    while not list(here.glob(".out.*.part/.staging/Split-train/*")):
        assert process.poll() is None
        time.sleep(0.01)

    process.send_signal(how)
    err = process.communicate()[1]

    if how == signal.SIGINT:
        assert (process.returncode, err) == (130, b"")
        assert everything_below(here) == ["drinks.parquet", "long.parquet"]
    else:
        assert not (here / "out").exists()
    assert start(here, "long.parquet", "out", "--quiet").wait() == 0
    assert list(here.glob(".*")) == []
    assert sum(count_of(here / "out", split) for split in ("train", "eval")) == 300_000


def test_on_a_terminal_long_reading_shows_a_bar(here, on_a_terminal):
    done, shown = on_a_terminal("ingest", "drinks.parquet", "out")
    assert done.returncode == 0
    assert "reading" in shown


# Beside the component.


@pytest.mark.e2e
def test_the_component_writes_the_same_bytes(run, here):
    from tfx.proto import example_gen_pb2

    from tfx_wine_ext import ParquetExampleGen
    from tfx_wine_ext.testing import FakeMetadata, launch

    (here / "data").mkdir()
    for kind in ("red", "white"):
        table = load(kind=kind, download=False).table
        pq.write_table(table, here / "data" / f"{kind}.parquet", row_group_size=500)
    splits = [
        example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=n)
        for name, n in (("train", 3), ("eval", 1))
    ]
    component = ParquetExampleGen(
        str(here / "data"),
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(splits=splits)
        ),
        exclude_columns=["pH"],
        filters=[("alcohol", ">", 9.5)],
        num_shards=2,
    )
    with FakeMetadata() as store:
        [examples] = launch(component, store=store, pipeline_root=here / "root").outputs["examples"]
        by_component = {
            path.relative_to(examples.uri): path.read_bytes()
            for path in pathlib.Path(examples.uri).rglob("*")
            if path.is_file()
        }

    options = "--splits train:3,eval:1 --exclude pH --filter 'alcohol > 9.5' --shards 2 --json"
    status, out, _ = run(f"data out {options}")

    by_command = {
        path.relative_to(here / "out"): path.read_bytes()
        for path in (here / "out").rglob("*")
        if path.is_file()
    }
    assert status == 0
    assert len(by_command) == 4
    assert by_command == by_component
    document = json.loads(out)
    assert {
        name: examples.custom_properties[name]
        for name in ("content_fingerprint", "schema_fingerprint")
    } == {name: document[name] for name in ("content_fingerprint", "schema_fingerprint")}


# Partitions, and what is hidden.


def test_partitions_are_columns_unless_they_are_switched_off(run, here):
    for region, x in [("n", 1), ("s", 2)]:
        for folder in (f"t/region={region}", f"t/region={region}/_temporary/0"):
            (here / folder).mkdir(parents=True)
            pq.write_table(pa.table({"x": [x]}), here / folder / "a.parquet")
    for number, (options, expected) in enumerate(
        [
            ("t", [{"x": 1, "region": "n"}, {"x": 2, "region": "s"}]),
            ("'t/**/*.parquet' --filter 'region = s'", [{"x": 2, "region": "s"}]),
            ("t --no-hive-partitioning", [{"x": 1}, {"x": 2}]),
            ("t/region=s", [{"x": 2}]),
        ]
    ):
        status, _, err = run(f"{options} out{number} --splits all --quiet")
        assert (status, err) == (0, "")
        assert rows_of(here / f"out{number}", "all") == expected


def test_nested_columns_are_written_as_ragged_features_if_asked_for(run, here):
    items = [[{"x": 1, "ys": [1, 2]}, {"x": 0, "ys": []}], [], None]
    pq.write_table(pa.table({"c": items, "id": [1, 2, 3]}), here / "nested.parquet")
    status, _, err = run("nested.parquet out")
    assert status == 2
    assert "or write nested columns as ragged features (--nested ragged)" in err
    status, out, err = run(
        "nested.parquet out --nested ragged --filter 'id < 3' --splits all --json"
    )
    assert (status, err) == (0, "")
    schema = json.loads(out)["ragged_schema"]
    assert schema == str(here / "out" / "_ragged_schema" / "schema.pbtxt")
    assert "row_length" in pathlib.Path(schema).read_text()
    table = pa.Table.from_batches(open_table(str(here / "out" / "Split-all")).batches())
    assert table.to_pydict() == {
        "c.x": [[1, 0], []],
        "c.ys": [[1, 2], []],
        "c.ys$row_lengths_1": [[2, 0], []],
        "id": [[1], [2]],
    }
