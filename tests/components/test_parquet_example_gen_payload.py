"""FORMAT_PARQUET: the components of TFX that can read it do read what ParquetExampleGen writes."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.transform.component import Transform
from tfx.proto import example_gen_pb2

from tfx_wine_ext.components.parquet_example_gen import ParquetExampleGen
from tfx_wine_ext.testing import (
    FakeMetadata,
    as_channel,
    launch,
    parquet_file,
    read_examples,
)

from .preprocessing import preprocessing_fn

FORMATS = {
    "FORMAT_TF_EXAMPLE": ("tfrecords_gzip", example_gen_pb2.FORMAT_TFRECORDS_GZIP),
    "FORMAT_PARQUET": ("FILE_FORMAT_PARQUET", example_gen_pb2.FILE_FORMAT_PARQUET),
}
ROWS = [
    {
        "alcohol": x / 8,
        "quality": x % 7,
        "colour": ("red", "weiß", "")[x % 3],
        "sugar": None if x % 4 == 0 else x,
        "notes": [None, [], ["dry"], ["oak", "plum"]][x % 4],
    }
    for x in range(60)
]


@pytest.fixture(scope="module")
def store():
    with FakeMetadata() as metadata:
        yield metadata


@pytest.fixture(scope="module")
def examples(tmp_path_factory, store):
    """The same rows as an artifact of each payload format."""
    folder = tmp_path_factory.mktemp("payloads")
    parquet_file(folder / "data" / "a.parquet", ROWS, row_group_size=20)
    made = {}
    for name in FORMATS:
        component = ParquetExampleGen(
            str(folder / "data"),
            output_data_format=example_gen_pb2.PayloadFormat.Value(name),
            num_shards=2,
        )
        result = launch(component, store=store, pipeline_root=folder / name)
        [made[name]] = result.outputs["examples"]
        file_format = result.execution.custom_properties["output_file_format"]
        assert file_format == FORMATS[name][1]
    return made


def test_the_formats_are_recorded_as_tfx_names_them(examples):
    recorded = {
        name: (
            artifact.custom_properties["payload_format"],
            artifact.custom_properties["file_format"],
        )
        for name, artifact in examples.items()
    }
    assert recorded == {name: (name, file_format) for name, (file_format, _) in FORMATS.items()}


def test_the_same_rows_are_in_the_same_split_of_both_payloads(examples):
    def rows(name, split):
        return [
            {
                feature: [v.encode() if isinstance(v, str) else v for v in values]
                for feature, values in row.items()
            }
            for row in read_examples(examples[name], split)
        ]

    for split in ("train", "eval"):
        assert rows("FORMAT_PARQUET", split) == rows("FORMAT_TF_EXAMPLE", split)
        assert len(rows("FORMAT_PARQUET", split)) > 10


def test_all_shards_of_the_parquet_payload_have_one_schema(examples):
    files = sorted(Path(examples["FORMAT_PARQUET"].uri).rglob("*.parquet"))
    assert [file.name for file in files] == [
        f"data_parquet-0000{shard}-of-00002.parquet" for _ in ("eval", "train") for shard in (0, 1)
    ]
    first, *others = (pq.read_schema(file) for file in files)
    assert [schema == first for schema in others] == [True, True, True]


@pytest.fixture(scope="module")
def statistics(tmp_path_factory, store, examples):
    """What StatisticsGen makes of each payload format."""
    folder = tmp_path_factory.mktemp("statistics")
    made = {}
    for name, artifact in examples.items():
        component = StatisticsGen(examples=as_channel(artifact))
        result = launch(component, store=store, pipeline_root=folder / name)
        [made[name]] = result.outputs["statistics"]
    return made


def statistics_of(artifact, split):
    """Returns the statistics of one split as plain values."""
    content = Path(artifact.uri, f"Split-{split}", "FeatureStats.pb").read_bytes()
    statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    return json_format.MessageToDict(statistics)


@pytest.mark.e2e
def test_statistics_gen_finds_the_same_in_both_payloads(statistics):
    found = {
        name: {split: statistics_of(artifact, split) for split in ("train", "eval")}
        for name, artifact in statistics.items()
    }
    assert found["FORMAT_PARQUET"] == found["FORMAT_TF_EXAMPLE"]
    # And they are of the rows: all are counted, and so are the nulls.
    [train], [eval_] = (found["FORMAT_PARQUET"][split]["datasets"] for split in ("train", "eval"))
    assert int(train["numExamples"]) + int(eval_["numExamples"]) == 60
    missing = {}
    for dataset in (train, eval_):
        for feature in dataset["features"]:
            name = feature["path"]["step"][0]
            common = feature.get("numStats", feature.get("stringStats", {}))["commonStats"]
            missing[name] = missing.get(name, 0) + int(common.get("numMissing", 0))
    assert missing == {"alcohol": 0, "quality": 0, "colour": 0, "sugar": 15, "notes": 15}


@pytest.mark.e2e
def test_transform_makes_the_same_of_both_payloads(tmp_path, store, examples, statistics):
    found = {}
    for name, artifact in examples.items():
        where = {"store": store, "pipeline_root": tmp_path / name}
        schema_gen = SchemaGen(statistics=as_channel(statistics[name]))
        [schema] = launch(schema_gen, **where).outputs["schema"]
        result = launch(
            Transform(
                examples=as_channel(artifact),
                schema=as_channel(schema),
                preprocessing_fn=f"{preprocessing_fn.__module__}.{preprocessing_fn.__qualname__}",
            ),
            **where,
        )
        [transformed] = result.outputs["transformed_examples"]
        assert sorted(json.loads(transformed.properties["split_names"])) == ["eval", "train"]
        found[name] = {
            split: sorted(
                [example[name] for name in ("colour", "quality", "alcohol")]
                for example in read_examples(transformed, split)
            )
            for split in ("train", "eval")
        }

    for split in ("train", "eval"):
        *labels, alcohol = zip(*found["FORMAT_PARQUET"][split])
        *expected_labels, expected_alcohol = zip(*found["FORMAT_TF_EXAMPLE"][split])
        assert labels == expected_labels
        # Beam adds the parts of the mean in any order.
        numbers, expected = (
            [number for values in column for number in values]
            for column in (alcohol, expected_alcohol)
        )
        assert numbers == pytest.approx(expected, abs=1e-5)
    assert len(found["FORMAT_PARQUET"]["train"]) + len(found["FORMAT_PARQUET"]["eval"]) == 60
