"""The same splits, spans and versions as TFX's own FileBasedExampleGen, run side by side.

TFX's executor loses zeros, False and empty strings (`dict_to_example` tests `if not pyval`), so
that most tests here compare rows without them, where TFX is right.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow as tf
from google.protobuf import json_format
from google.protobuf.internal import api_implementation
from tfx.components.example_gen import base_example_gen_executor
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.custom_executors import parquet_executor
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import example_gen_pb2, range_config_pb2

from tfx_wine_ext.components.parquet_example_gen import ParquetExampleGen
from tfx_wine_ext.executors.parquet_example_gen import ParquetExecutor
from tfx_wine_ext.testing import launch, parquet_file

both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])


def table(rows: int, seed: int) -> pa.Table:
    """Makes rows of every type that TFX reads right, some of them null, none zero or empty."""
    draw = random.Random(seed)

    def column(value, type_):
        cells = [None if draw.random() < 0.1 else value() for _ in range(rows)]
        return pa.array(cells, type_)

    return pa.table(
        {
            "taster": pa.array([draw.randint(1, 20) for _ in range(rows)], pa.int32()),
            "vineyard": pa.array([f"vineyard {draw.randint(1, 20)}" for _ in range(rows)]),
            "residual sugar": column(lambda: draw.randint(-(2**40), -1), pa.int64()),
            "alcohol": column(lambda: draw.uniform(8, 15), pa.float64()),
            "pH": column(lambda: draw.uniform(2.7, 4), pa.float32()),
            "colour": column(lambda: draw.choice(["red", "weiß", "rosé", "橙"]), pa.string()),
            "organic": column(lambda: True, pa.bool_()),
            "notes": column(
                lambda: draw.choices(["dry", "oak", "plum"], k=draw.randint(1, 3)),
                pa.list_(pa.string()),
            ),
        }
    )


def input_config(**patterns: str) -> example_gen_pb2.Input:
    return json_format.ParseDict(
        {"splits": [{"name": name, "pattern": each} for name, each in patterns.items()]},
        example_gen_pb2.Input(),
    )


def output_config(partition_by: str | None = None, **buckets: int) -> example_gen_pb2.Output:
    splits = {"splits": [{"name": name, "hash_buckets": each} for name, each in buckets.items()]}
    if partition_by:
        splits["partition_feature_name"] = partition_by
    return json_format.ParseDict({"split_config": splits}, example_gen_pb2.Output())


def tfx_example_gen(input_base: str, **arguments) -> FileBasedExampleGen:
    return FileBasedExampleGen(
        input_base=input_base,
        custom_executor_spec=BeamExecutorSpec(parquet_executor.Executor),
        **arguments,
    )


def records(artifact) -> dict[str, Counter[bytes]]:
    """Returns how often each serialized example stands in each split."""
    found = {}
    for folder in sorted(Path(artifact.uri).glob("Split-*")):
        paths = sorted(map(str, folder.iterdir()))
        dataset = tf.data.TFRecordDataset(paths, "GZIP")
        found[folder.name] = Counter(
            # Protobuf's maps have no order of their own: TFX writes them in any.
            tf.train.Example.FromString(record).SerializeToString(deterministic=True)
            for record in dataset.as_numpy_iterator()
        )
    return found


@pytest.fixture(scope="module")
def wines(tmp_path_factory):
    """A folder with three files of 60 rows each."""
    folder = tmp_path_factory.mktemp("wines")
    for seed, name in enumerate(["red-1.parquet", "red-2.parquet", "white-1.parquet"]):
        parquet_file(folder / name, table(60, seed), row_group_size=25)
    return str(folder)


@pytest.mark.e2e
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"output_config": output_config(train=7, eval=2, test=1)},
        {"output_config": output_config("taster", train=2, eval=1)},
        {"output_config": output_config("vineyard", train=2, eval=1)},
        {"input_config": input_config(train="red-*", eval="white-*")},
        {
            "input_config": input_config(reds="red-*"),
            "output_config": output_config(train=3, eval=2),
        },
    ],
    ids=["default", "3 splits", "by an int", "by a text", "2 input splits", "1 of the input"],
)
def test_every_example_is_in_the_split_that_tfx_puts_it_in(tmp_path, wines, arguments):
    [theirs] = launch(
        tfx_example_gen(wines, **arguments), pipeline_root=tmp_path / "theirs"
    ).outputs["examples"]
    [ours] = launch(ParquetExampleGen(wines, **arguments), pipeline_root=tmp_path / "ours").outputs[
        "examples"
    ]

    assert ours.properties == theirs.properties
    expected = records(theirs)
    assert all(expected.values())  # No split is empty: there is something to compare.
    assert records(ours) == expected


def test_names_that_begin_with_another_are_split_as_tfx_does_in_the_order_of_its_protobuf(tmp_path):
    rows = [{"id": value, "id_type": value % 7 + 1} for value in range(1, 200)]
    parquet_file(tmp_path / "data" / "a.parquet", rows)
    [theirs] = launch(
        tfx_example_gen(str(tmp_path / "data")), pipeline_root=tmp_path / "theirs"
    ).outputs["examples"]
    key_order = "upb" if api_implementation.Type() == "upb" else "bytewise"
    [ours] = launch(
        ParquetExampleGen(str(tmp_path / "data"), key_order=key_order),
        pipeline_root=tmp_path / "ours",
    ).outputs["examples"]

    assert records(ours) == records(theirs)


@pytest.mark.e2e
@both_paths
def test_the_executor_drops_into_tfx_s_own_component(tmp_path, wines, path):
    [theirs] = launch(tfx_example_gen(wines), path=path, pipeline_root=tmp_path / "theirs").outputs[
        "examples"
    ]
    drop_in = FileBasedExampleGen(
        input_base=wines, custom_executor_spec=BeamExecutorSpec(ParquetExecutor)
    )
    result = launch(drop_in, path=path, pipeline_root=tmp_path / "ours")

    [ours] = result.outputs["examples"]
    assert records(ours) == records(theirs)
    assert ours.properties == theirs.properties
    # All that TFX records is there, and the same; and what ours adds.
    added = dict(ours.custom_properties.items() - theirs.custom_properties.items())
    assert theirs.custom_properties.items() <= ours.custom_properties.items()
    assert sorted(added) == [
        "bytes",
        "bytes_eval",
        "bytes_train",
        "columns",
        "content_fingerprint",
        "features",
        "rows",
        "rows_eval",
        "rows_train",
        "schema_fingerprint",
        "shards",
        "shards_eval",
        "shards_train",
    ]
    assert added["rows"] == added["rows_train"] + added["rows_eval"] == 180
    assert result.execution.state == "COMPLETE"


@both_paths
def test_the_executor_reads_zeros_in_tfx_s_own_component_too(tmp_path, path):
    parquet_file(tmp_path / "data" / "a.parquet", [{"x": 0, "y": ""}])
    drop_in = FileBasedExampleGen(
        input_base=str(tmp_path / "data"),
        output_config=output_config(all=1),
        custom_executor_spec=BeamExecutorSpec(ParquetExecutor),
    )
    [examples] = launch(drop_in, path=path, pipeline_root=tmp_path / "root").outputs["examples"]

    [record] = records(examples)["Split-all"]
    features = tf.train.Example.FromString(record).features.feature
    assert (features["x"].int64_list.value, features["y"].bytes_list.value) == ([0], [b""])


def test_rows_that_tfx_loses_values_of_are_split_as_their_right_examples_would_be(tmp_path):
    rows = [{"x": value, "y": str(value) if value % 3 else ""} for value in range(-20, 20)]
    parquet_file(tmp_path / "data" / "a.parquet", rows)
    config = output_config(train=3, eval=2, test=1)
    [examples] = launch(
        ParquetExampleGen(str(tmp_path / "data"), output_config=config),
        pipeline_root=tmp_path / "root",
    ).outputs["examples"]

    buckets = list(accumulate(split.hash_buckets for split in config.split_config.splits))
    expected = {"Split-train": Counter(), "Split-eval": Counter(), "Split-test": Counter()}
    for row in rows:
        example = tf.train.Example()
        example.features.feature["x"].int64_list.value.append(row["x"])
        example.features.feature["y"].bytes_list.value.append(row["y"].encode())
        split = base_example_gen_executor._PartitionFn(example, 3, buckets, config.split_config)
        expected[list(expected)[split]][example.SerializeToString(deterministic=True)] += 1
    assert records(examples) == expected
    assert all(expected.values())


STATIC_3 = range_config_pb2.RangeConfig(
    static_range=range_config_pb2.StaticRange(start_span_number=3, end_span_number=3)
)
STATIC_20000 = range_config_pb2.RangeConfig(
    static_range=range_config_pb2.StaticRange(start_span_number=20000, end_span_number=20000)
)
ROLLING = range_config_pb2.RangeConfig(rolling_range=range_config_pb2.RollingRange(num_spans=1))


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("files", "patterns", "range_config", "span", "version", "chosen"),
    [
        (["3/a", "12/a", "9/a"], {"all": "{SPAN}/*"}, None, 12, None, ["12/a"]),
        (["3/a", "3/b", "12/a"], {"all": "{SPAN}/*"}, STATIC_3, 3, None, ["3/a", "3/b"]),
        (["3/a", "12/a"], {"all": "{SPAN}/*"}, ROLLING, 12, None, ["12/a"]),
        (["03/a", "12/a"], {"all": "{SPAN:2}/*"}, STATIC_3, 3, None, ["03/a"]),
        (["3/1/a", "3/10/a", "3/9/a"], {"all": "{SPAN}/{VERSION}/*"}, None, 3, 10, ["3/10/a"]),
        (
            ["3/v1/a", "3/v2/a", "4/v1/a"],
            {"all": "{SPAN}/v{VERSION}/*"},
            STATIC_3,
            3,
            2,
            ["3/v2/a"],
        ),
        # 1970-01-01 is day 0.
        (
            ["2024-09-30/a", "2024-10-04/a"],
            {"all": "{YYYY}-{MM}-{DD}/*"},
            None,
            20000,
            None,
            ["2024-10-04/a"],
        ),
        (
            ["20241004/1/a", "20241004/2/a", "20241101/1/a"],
            {"all": "{YYYY}{MM}{DD}/{VERSION}/*"},
            STATIC_20000,
            20000,
            2,
            ["20241004/2/a"],
        ),
        (
            ["1/train/a", "2/train/a", "1/eval/a", "2/eval/a"],
            {"train": "{SPAN}/train/*", "eval": "{SPAN}/eval/*"},
            None,
            2,
            None,
            ["2/train/a", "2/eval/a"],
        ),
    ],
    ids=[
        "latest",
        "static",
        "rolling",
        "width",
        "version",
        "static, version",
        "date",
        "static date, version",
        "2 splits",
    ],
)
def test_span_and_version_are_those_that_tfx_chooses(
    tmp_path, files, patterns, range_config, span, version, chosen
):
    for file in files:
        parquet_file(tmp_path / "data" / file, [{"file": file}])
    arguments = {"input_config": input_config(**patterns), "range_config": range_config}
    if len(patterns) == 1:
        arguments["output_config"] = output_config(all=1)
    [theirs] = launch(
        tfx_example_gen(str(tmp_path / "data"), **arguments), pipeline_root=tmp_path / "theirs"
    ).outputs["examples"]

    for path in ("ir", "notebook"):
        result = launch(
            ParquetExampleGen(str(tmp_path / "data"), **arguments),
            path=path,
            pipeline_root=tmp_path / path,
        )
        [ours] = result.outputs["examples"]
        recorded = ours.custom_properties
        assert (recorded["span"], recorded.get("version")) == (span, version)
        assert records(ours) == records(theirs)
        read = [
            tf.train.Example.FromString(record).features.feature["file"].bytes_list.value[0]
            for split in records(ours).values()
            for record in split
        ]
        assert sorted(read) == sorted(file.encode() for file in chosen)
        by_execution = result.execution.custom_properties or result.execution.properties
        assert int(by_execution["span"]) == span
    assert theirs.custom_properties["span"] == span
    assert theirs.custom_properties.get("version") == version
