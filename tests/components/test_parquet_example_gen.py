"""ParquetExampleGen as its users run it: driver, executor and publisher, by both launch paths."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow as tf
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx_bsl.coders import example_coder

from tfx_wine_ext.components.parquet_example_gen import ParquetExampleGen
from tfx_wine_ext.executors.parquet_example_gen import ParquetExecutor
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources.footers import content_fingerprint, find_files, read_footers
from tfx_wine_ext.sources.layout import PartitionError
from tfx_wine_ext.testing import FakeMetadata, SqliteMetadata, launch, parquet_file, read_examples

PATHS = ("ir", "notebook")
both_paths = pytest.mark.parametrize("path", PATHS)

WINES = [
    {"alcohol": 9.5, "quality": 5, "colour": "red", "organic": True},
    {"alcohol": 0.0, "quality": 0, "colour": "", "organic": False},
    {"alcohol": None, "quality": None, "colour": None, "organic": None},
    {"alcohol": 12.25, "quality": -1, "colour": "weiß", "organic": True},
    {"alcohol": 11.0, "quality": 2**40, "colour": "rosé", "organic": False},
]
# Where sha256 of the examples sends them: 2 of 3 buckets are train's.
TRAIN = [
    {"alcohol": [9.5], "quality": [5], "colour": [b"red"], "organic": [1]},
    {},
    {"alcohol": [11.0], "quality": [2**40], "colour": ["rosé".encode()], "organic": [0]},
]
EVAL = [
    {"alcohol": [0.0], "quality": [0], "colour": [b""], "organic": [0]},
    {"alcohol": [12.25], "quality": [-1], "colour": ["weiß".encode()], "organic": [1]},
]


@pytest.fixture
def wines(tmp_path):
    """A folder with two Parquet files, the first of two row groups."""
    parquet_file(tmp_path / "wines" / "a.parquet", WINES[:3], row_group_size=2)
    parquet_file(tmp_path / "wines" / "b.parquet", WINES[3:])
    return str(tmp_path / "wines")


def sizes(uri: str) -> dict[str, int]:
    """Returns the bytes of all files below a folder, by their paths in it."""
    files = (path for path in Path(uri).rglob("*") if path.is_file())
    return {str(path.relative_to(uri)): path.stat().st_size for path in files}


@pytest.mark.parametrize(
    ("store", "path"),
    [(FakeMetadata, "ir"), (FakeMetadata, "notebook"), (SqliteMetadata, "ir")],
    ids=["ir", "notebook", "ir, store in a file"],
)
def test_all_that_is_recorded_is_the_same_by_both_paths(tmp_path, wines, store, path):
    arguments = [tmp_path / "metadata.sqlite"] if store is SqliteMetadata else []
    with store(*arguments) as metadata:
        where = {"path": path, "store": metadata, "pipeline_root": tmp_path / "root"}
        result = launch(ParquetExampleGen(wines), **where)
        recorded = metadata.artifacts()

    [examples] = recorded
    assert result.outputs == {"examples": [examples]}
    written = sizes(examples.uri)
    train = "Split-train/data_tfrecord-00000-of-00001.gz"
    eval_ = "Split-eval/data_tfrecord-00000-of-00001.gz"
    assert sorted(written) == [eval_, train]
    content = content_fingerprint(
        read_footers(find_files(f"{wines}/*", LocalFiles()), LocalFiles())
    )
    schema = "'alcohol': double\n'quality': int64\n'colour': string\n'organic': bool"
    assert (examples.type, examples.state) == ("Examples", "LIVE")
    assert examples.properties == {"split_names": '["train", "eval"]'}
    if path == "ir":  # TFX's own, which it writes by this path only
        assert examples.custom_properties.pop("is_external") == 0
    else:
        name = examples.custom_properties.pop("name")
        assert re.fullmatch(r"ParquetExampleGen\.examples:[^:]+(:\d\d){2}[^:]*:\d+:0", name)
    tfx_version = examples.custom_properties.pop("tfx_version")
    assert tfx_version.startswith("1.")
    assert examples.custom_properties == {
        "rows": 5,
        "rows_train": 3,
        "rows_eval": 2,
        "bytes": sum(written.values()),
        "bytes_train": written[train],
        "bytes_eval": written[eval_],
        "shards": 2,
        "shards_train": 1,
        "shards_eval": 1,
        "columns": '["alcohol", "quality", "colour", "organic"]',
        "features": 4,
        "schema_fingerprint": hashlib.sha256(schema.encode()).hexdigest()[:32],
        "content_fingerprint": content,
        "input_fingerprint": f"single_split:{content}",
        "payload_format": "FORMAT_TF_EXAMPLE",
        "file_format": "tfrecords_gzip",
        "span": 0,
    }
    assert (result.execution.state, result.execution.type) == (
        "COMPLETE",
        "tfx_wine_ext.components.parquet_example_gen.ParquetExampleGen",
    )
    assert [(event.type, event.path) for event in result.execution.events] == [
        ("OUTPUT", ("examples", 0))
    ]


def test_the_execution_says_what_was_read_and_how(tmp_path, wines):
    result = launch(ParquetExampleGen(wines, columns=["quality"]), pipeline_root=tmp_path / "root")

    recorded = result.execution.custom_properties
    assert sorted(recorded) == [
        "ingest_options",
        "input_base",
        "input_config",
        "input_files",
        "input_fingerprint",
        "output_config",
        "output_data_format",
        "output_file_format",
        "span",
    ]
    assert json.loads(recorded["ingest_options"])["encode"]["columns"] == ["quality"]
    assert sorted(json.loads(recorded["input_files"])) == ["a.parquet", "b.parquet"]


@both_paths
def test_zeros_and_empty_strings_and_false_are_values_and_nulls_are_missing(tmp_path, wines, path):
    where = {"path": path, "pipeline_root": tmp_path / "root"}
    [examples] = launch(ParquetExampleGen(wines), **where).outputs["examples"]

    assert read_examples(examples, "train") == TRAIN
    assert read_examples(examples, "eval") == EVAL


def records(uri: str, split: str) -> list[bytes]:
    """Returns the serialized examples of a split, as TensorFlow reads them."""
    paths = sorted(map(str, Path(uri, f"Split-{split}").iterdir()))
    return list(tf.data.TFRecordDataset(paths, "GZIP").as_numpy_iterator())


def test_tensorflow_and_tfx_bsl_parse_what_is_written(tmp_path, wines):
    component = ParquetExampleGen(wines, output_config=output_config(all=1))
    [examples] = launch(component, pipeline_root=tmp_path / "root").outputs["examples"]

    serialized = records(examples.uri, "all")
    parsed = tf.io.parse_example(
        serialized,
        {
            "alcohol": tf.io.FixedLenFeature([], tf.float32, default_value=-9.0),
            "quality": tf.io.FixedLenFeature([], tf.int64, default_value=-9),
            "colour": tf.io.FixedLenFeature([], tf.string, default_value="missing"),
        },
    )
    assert {name: tensor.numpy().tolist() for name, tensor in parsed.items()} == {
        "alcohol": [9.5, 0.0, -9.0, 12.25, 11.0],
        "quality": [5, 0, -9, -1, 2**40],
        "colour": [b"red", b"", b"missing", "weiß".encode(), "rosé".encode()],
    }
    decoded = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(serialized)
    assert decoded.to_pydict() == {
        "alcohol": [[9.5], [0.0], None, [12.25], [11.0]],
        "quality": [[5], [0], None, [-1], [2**40]],
        "colour": [[b"red"], [b""], None, ["weiß".encode()], ["rosé".encode()]],
        "organic": [[1], [0], None, [1], [0]],
    }


def test_a_split_without_rows_is_a_file_that_readers_take(tmp_path):
    parquet_file(tmp_path / "wines" / "a.parquet", pa.table({"quality": pa.array([], pa.int64())}))

    component = ParquetExampleGen(str(tmp_path / "wines"))
    [examples] = launch(component, pipeline_root=tmp_path / "root").outputs["examples"]

    assert (records(examples.uri, "train"), records(examples.uri, "eval")) == ([], [])
    counts = {key: examples.custom_properties[key] for key in ("rows", "shards", "shards_train")}
    assert counts == {"rows": 0, "shards": 2, "shards_train": 1}


def test_tensorflow_reads_on_behind_batches_of_which_a_split_gets_nothing(tmp_path):
    # A row group is a batch of its own, and one row is one split's. TensorFlow takes an empty
    # member of a gzip file for its end.
    rows = [{"x": value} for value in range(12)]
    parquet_file(tmp_path / "data" / "a.parquet", rows, row_group_size=1)

    component = ParquetExampleGen(str(tmp_path / "data"))
    [examples] = launch(component, pipeline_root=tmp_path / "root").outputs["examples"]

    read = {split: read_examples(examples, split) for split in ("train", "eval")}
    assert read["train"]
    assert read["eval"]
    assert sorted(row["x"][0] for rows in read.values() for row in rows) == list(range(12))


def test_several_input_splits_are_recorded_each(tmp_path):
    parquet_file(tmp_path / "data" / "train-1.parquet", [{"x": 1}, {"x": 0}])
    parquet_file(tmp_path / "data" / "train-2.parquet", [{"x": 3}])
    parquet_file(tmp_path / "data" / "test-1.parquet", [{"x": 4, "y": 0.5}])
    component = ParquetExampleGen(
        str(tmp_path / "data"), input_config=input_config(train="train-*", test="test-*")
    )
    [examples] = launch(component, pipeline_root=tmp_path / "root").outputs["examples"]

    assert read_examples(examples, "train") == [{"x": [1]}, {"x": [0]}, {"x": [3]}]
    assert read_examples(examples, "test") == [{"x": [4], "y": [0.5]}]
    recorded = {
        key: value
        for key, value in examples.custom_properties.items()
        if key.startswith(("rows", "shards", "columns", "features"))
    }
    assert recorded == {
        "rows": 4,
        "rows_train": 3,
        "rows_test": 1,
        "shards": 2,
        "shards_train": 1,
        "shards_test": 1,
        # Of all splits: a column that only one of them has is not lost from the record.
        "columns": '["x", "y"]',
        "features": 2,
    }
    schema = hashlib.sha256(b"'x': int64\n'y': double").hexdigest()[:32]
    assert examples.custom_properties["schema_fingerprint"] == schema


def test_two_input_splits_may_share_a_file(tmp_path):
    parquet_file(tmp_path / "data" / "a.parquet", [{"x": 1}])
    parquet_file(tmp_path / "data" / "b.parquet", [{"x": 2}])
    component = ParquetExampleGen(
        str(tmp_path / "data"), input_config=input_config(all="*", first="a*")
    )
    [examples] = launch(component, pipeline_root=tmp_path / "root").outputs["examples"]

    assert read_examples(examples, "all") == [{"x": [1]}, {"x": [2]}]
    assert read_examples(examples, "first") == [{"x": [1]}]


@both_paths
def test_folders_may_have_brackets_and_spaces_in_their_names(tmp_path, wines, path):
    root = tmp_path / "run [1] *"
    [examples] = launch(ParquetExampleGen(wines), path=path, pipeline_root=root).outputs["examples"]

    assert read_examples(examples, "train") == TRAIN
    assert sorted(item.name for item in Path(examples.uri).iterdir()) == [
        "Split-eval",
        "Split-train",
    ]


def test_options_choose_columns_and_rows_and_shards(tmp_path, wines):
    component = ParquetExampleGen(
        wines,
        output_config=output_config(all=1),
        exclude_columns=["organic"],
        cast={"quality": "float32"},
        filters=[("quality", ">=", 0)],
        num_shards=2,
    )
    [examples] = launch(component, pipeline_root=tmp_path / "root").outputs["examples"]

    assert read_examples(examples, "all") == [
        {"alcohol": [9.5], "quality": [5.0], "colour": [b"red"]},
        {"alcohol": [0.0], "quality": [0.0], "colour": [b""]},
        {"alcohol": [11.0], "quality": [2.0**40], "colour": ["rosé".encode()]},
    ]
    assert sorted(sizes(examples.uri)) == [
        "Split-all/data_tfrecord-00000-of-00002.gz",
        "Split-all/data_tfrecord-00001-of-00002.gz",
    ]
    counts = {key: examples.custom_properties[key] for key in ("rows", "features", "shards")}
    assert counts == {"rows": 3, "features": 3, "shards": 2}


def test_shuffling_with_a_seed_moves_rows_within_their_row_group_and_loses_none(tmp_path):
    rows = [{"x": value} for value in range(20)]
    parquet_file(tmp_path / "data" / "a.parquet", rows, row_group_size=10)

    def order(seed: int | None, name: str) -> list[int]:
        component = ParquetExampleGen(
            str(tmp_path / "data"), output_config=output_config(all=1), shuffle_seed=seed
        )
        [examples] = launch(component, pipeline_root=tmp_path / name).outputs["examples"]
        return [row["x"][0] for row in read_examples(examples, "all")]

    plain, seven, again, eight = (
        order(seed, name) for seed, name in ((None, "a"), (7, "b"), (7, "c"), (8, "d"))
    )
    assert plain == list(range(20))
    assert seven == again != plain
    assert eight not in (plain, seven)
    assert (sorted(seven[:10]), sorted(seven[10:])) == (plain[:10], plain[10:])


# --- The constructor


def input_config(**patterns: str) -> example_gen_pb2.Input:
    splits = [
        example_gen_pb2.Input.Split(name=name, pattern=pattern)
        for name, pattern in patterns.items()
    ]
    return example_gen_pb2.Input(splits=splits)


def output_config(**hash_buckets: int) -> example_gen_pb2.Output:
    splits = [
        example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=buckets)
        for name, buckets in hash_buckets.items()
    ]
    return example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits))


INPUT_CONFIG_LATER = data_types.RuntimeParameter(name="input_config", ptype=str)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"output_data_format": example_gen_pb2.FORMAT_PROTO},
            "output_data_format: expected FORMAT_TF_EXAMPLE or FORMAT_PARQUET .*, found 11",
        ),
        ({"columns": "quality"}, r"columns: .* found the text 'quality'; .*write \['quality'\]"),
        ({"exclude_columns": "quality"}, "exclude_columns: .* found the text 'quality'"),
        (
            {"columns": ["ph", "quality"], "exclude_columns": ["quality"]},
            "columns and exclude_columns: both name 'quality'",
        ),
        ({"columns": [1]}, "columns must be a sequence of column names"),
        ({"cast": {"quality": 1}}, "cast must map feature names to type names"),
        ({"null_in_list": "ignore"}, "null_in_list must be one of .*; got 'ignore'"),
        ({"allow_float_overflow": "no"}, "allow_float_overflow must be True or False; got 'no'"),
        ({"filters": "quality > 5"}, "filters: expected a list of .*, found 'quality > 5'"),
        ({"filters": [("quality", "~", 5)]}, "filters: expected .*, found .*'~'"),
        ({"shuffle_seed": -1}, "shuffle_seed: expected .*found -1"),
        ({"num_shards": 0}, "num_shards: expected .*found 0"),
        (
            {"input_config": input_config(a="{VERSION}/*")},
            "input_config, split 'a': Version spec provided, but Span or Date spec is not",
        ),
        (
            {"input_config": input_config(a="{SPAN}/{YYYY}/*")},
            "input_config, split 'a': Either span spec or date specs",
        ),
        (
            {"input_config": input_config(a="a*", b="b*"), "output_config": output_config(train=1)},
            "input_config and output_config: .*input has more than one split",
        ),
        (
            {"output_config": output_config(train=0, eval=1)},
            "input_config and output_config: .*hash buckets are required",
        ),
        ({"input_config": INPUT_CONFIG_LATER}, "output_config: expected one, as input_config is"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_argument_is_refused_in_the_constructor(arguments, message):
    with pytest.raises(ValueError, match=message):
        ParquetExampleGen("data", **arguments)


def test_an_option_is_given_by_its_name_only():
    with pytest.raises(TypeError, match="positional arguments"):
        ParquetExampleGen("data", input_config(a="*"))


def test_parameters_may_be_left_to_the_run():
    later = data_types.RuntimeParameter(name="input_base", ptype=str)
    component = ParquetExampleGen(
        later, input_config=INPUT_CONFIG_LATER, output_config=output_config(all=1)
    )
    assert component.exec_properties["input_base"] is later
    assert component.exec_properties["input_config"] is INPUT_CONFIG_LATER


@both_paths
def test_another_executor_may_be_given(tmp_path, wines, path):
    component = ParquetExampleGen(wines, custom_executor_spec=BeamExecutorSpec(CountingExecutor))
    before = CountingExecutor.calls
    launch(component, path=path, pipeline_root=tmp_path / "root")
    assert CountingExecutor.calls == before + 1


class CountingExecutor(ParquetExecutor):
    """Counts how often it is run."""

    calls = 0

    def Do(self, *arguments):  # noqa: N802
        CountingExecutor.calls += 1
        return super().Do(*arguments)


# Hive partitions, hidden folders, and spans that are dates.


def dated(folder, day, cities):
    for city in cities:
        parquet_file(folder / f"date={day}" / f"city={city}" / "a.parquet", [{"x": 1}])


def one_split(folder, pattern, component=ParquetExampleGen, **options):
    """A component whose examples are all in the split ``all``."""
    split = example_gen_pb2.SplitConfig.Split(name="all", hash_buckets=1)
    return component(
        str(folder),
        input_config=example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="input", pattern=pattern)]
        ),
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(splits=[split])
        ),
        **options,
    )


BY_CITY = "date={YYYY}-{MM}-{DD}/city=*/*.parquet"


@both_paths
def test_folders_of_dates_and_cities_are_columns_and_the_span_is_known_as_a_date(tmp_path, path):
    dated(tmp_path / "in", "2024-10-04", ["Bonn", "K%C3%B6ln"])

    where = {"path": path, "pipeline_root": tmp_path / "root"}
    component = one_split(tmp_path / "in", BY_CITY)
    [found] = launch(component, **where).outputs["examples"]

    assert read_examples(found, "all") == [
        {"x": [1], "date": [b"2024-10-04"], "city": [b"Bonn"]},
        {"x": [1], "date": [b"2024-10-04"], "city": ["Köln".encode()]},
    ]
    recorded = found.custom_properties
    assert (recorded["span"], recorded["span_date"]) == (20000, "2024-10-04")
    assert recorded["columns"] == '["x", "date", "city"]'


@both_paths
def test_a_span_that_is_a_number_is_never_a_date(tmp_path, path):
    parquet_file(tmp_path / "in" / "2024-10-04" / "span-20000" / "a.parquet", [{"x": 1}])

    component = one_split(tmp_path / "in", "2024-10-04/span-{SPAN}/*")
    where = {"path": path, "pipeline_root": tmp_path / "root"}
    [found] = launch(component, **where).outputs["examples"]

    assert found.custom_properties["span"] == 20000
    assert "span_date" not in found.custom_properties


def test_of_a_range_the_date_is_that_of_the_span_that_was_asked_for(tmp_path):
    for day in ("2024-10-04", "2024-10-05"):
        dated(tmp_path / "in", day, ["Bonn"])
    only = range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=20000, end_span_number=20000)
    )

    component = one_split(tmp_path / "in", BY_CITY, range_config=only, exclude_columns=["date"])
    [found] = launch(component, pipeline_root=tmp_path / "root").outputs["examples"]

    assert found.custom_properties["span_date"] == "2024-10-04"
    assert read_examples(found, "all") == [{"x": [1], "city": [b"Bonn"]}]


@both_paths
def test_a_file_that_moves_to_another_partition_is_read_anew_and_one_that_is_touched_is_not(
    tmp_path, path
):
    folder = tmp_path / "in"
    file = parquet_file(folder / "region=n" / "a.parquet", [{"x": 1}])
    where = {"path": path, "pipeline_root": tmp_path / "root", "enable_cache": True}
    with FakeMetadata() as store:

        def run(**options):
            component = one_split(folder, "**/*.parquet", **options)
            result = launch(component, store=store, **where)
            [found] = result.outputs["examples"]
            return result.execution.state, read_examples(found, "all")

        assert run() == ("COMPLETE", [{"x": [1], "region": [b"n"]}])
        file.touch()
        assert run() == ("CACHED", [{"x": [1], "region": [b"n"]}])
        (folder / "region=n").rename(folder / "region=s")
        assert run() == ("COMPLETE", [{"x": [1], "region": [b"s"]}])
        assert run(hive_partitioning=False) == ("COMPLETE", [{"x": [1]}])


def test_a_column_of_partitions_is_of_one_type_in_all_input_splits(tmp_path):
    parquet_file(tmp_path / "in" / "old" / "rev=1" / "a.parquet", [{"x": 1}])
    parquet_file(tmp_path / "in" / "new" / "rev=one" / "a.parquet", [{"x": 2}])
    config = example_gen_pb2.Input(
        splits=[
            example_gen_pb2.Input.Split(name=name, pattern=f"{name}/**/*.parquet")
            for name in ("old", "new")
        ]
    )

    component = ParquetExampleGen(str(tmp_path / "in"), input_config=config)
    [found] = launch(component, pipeline_root=tmp_path / "root").outputs["examples"]

    assert read_examples(found, "old") == [{"x": [1], "rev": [b"1"]}]
    assert read_examples(found, "new") == [{"x": [2], "rev": [b"one"]}]


@both_paths
@pytest.mark.parametrize("hidden", ["_temporary/0", ".staging", "_old", "k=1/_tmp"])
def test_what_lies_below_hidden_folders_is_not_ingested(tmp_path, path, hidden):
    folder = tmp_path / "_in" / "region=n"
    parquet_file(folder / "k=1" / "a.parquet", [{"x": 1}])
    parquet_file(folder / hidden / "b.parquet", [{"x": 2}])

    def run(pattern):
        component = one_split(folder, pattern, columns=["x"])
        where = {"path": path, "pipeline_root": tmp_path / "root"}
        [found] = launch(component, **where).outputs["examples"]
        return read_examples(found, "all")

    assert run("**") == run("**/*.parquet") == [{"x": [1]}]
    name = hidden.rpartition("k=1/")[2].partition("/")[0]
    assert run(hidden.replace(name, f"{name[:3]}*") + "/**") == [{"x": [2]}]


def test_in_tfx_own_component_partitions_are_columns_too(tmp_path):
    parquet_file(tmp_path / "in" / "region=n" / "a.parquet", [{"x": 1}])
    spec = BeamExecutorSpec(ParquetExecutor)
    component = one_split(
        tmp_path / "in", "*/*.parquet", FileBasedExampleGen, custom_executor_spec=spec
    )

    [found] = launch(component, pipeline_root=tmp_path / "root").outputs["examples"]

    assert read_examples(found, "all") == [{"x": [1], "region": [b"n"]}]


def test_partitions_that_do_not_go_together_are_refused_by_the_driver(tmp_path):
    parquet_file(tmp_path / "in" / "region=n" / "a.parquet", [{"x": 1}])
    parquet_file(tmp_path / "in" / "a.parquet", [{"x": 1}])
    config = example_gen_pb2.Input(
        splits=[example_gen_pb2.Input.Split(name="all", pattern="**.parquet")]
    )
    component = ParquetExampleGen(str(tmp_path / "in"), input_config=config)
    with pytest.raises(PartitionError, match=r"region=n/a\.parquet: its folders have"):
        launch(component, pipeline_root=tmp_path / "root")


def test_it_is_a_file_based_example_gen_so_that_kubeflows_compiler_attaches_its_hook(tmp_path):
    example_gen = ParquetExampleGen(str(tmp_path), columns=["x"])
    assert isinstance(example_gen, FileBasedExampleGen)
    assert type(example_gen).EXECUTOR_SPEC.executor_class is ParquetExecutor
    assert "ingest_options" in example_gen.exec_properties
    assert example_gen.with_beam_pipeline_args(["--direct_num_workers=2"]) is example_gen
    assert type(example_gen).EXECUTOR_SPEC.beam_pipeline_args == []
