"""What the publisher writes onto the artifact."""

from __future__ import annotations

from tfx.types import standard_artifacts

from tfx_wine_ext.columnar.tasks import ShardFile
from tfx_wine_ext.publishers.parquet_example_gen import Ingested, publish


def published(**changes):
    """Publishes, and returns kind and value of every property as MLMD will store them."""
    values = {
        "files": [
            ShardFile(split="train", name="0.gz", rows=5, bytes=100),
            ShardFile(split="train", name="1.gz", rows=2, bytes=50),
            ShardFile(split="eval", name="0.gz", rows=3, bytes=70),
        ],
        "splits": ["train", "eval"],
        "columns": ("alcohol", "colour"),
        "features": 2,
        "schema_fingerprint": "s",
        "content_fingerprint": "c",
    }
    examples = standard_artifacts.Examples()
    publish(examples, Ingested(**{**values, **changes}))
    found = {}
    for name, value in examples.mlmd_artifact.custom_properties.items():
        kind = value.WhichOneof("value")
        found[name] = (kind, getattr(value, kind))
    return found


def test_numbers_are_integers_in_the_store_and_the_rest_is_text():
    assert published() == {
        "rows": ("int_value", 10),
        "rows_train": ("int_value", 7),
        "rows_eval": ("int_value", 3),
        "bytes": ("int_value", 220),
        "bytes_train": ("int_value", 150),
        "bytes_eval": ("int_value", 70),
        "shards": ("int_value", 3),
        "shards_train": ("int_value", 2),
        "shards_eval": ("int_value", 1),
        "features": ("int_value", 2),
        "columns": ("string_value", '["alcohol", "colour"]'),
        "schema_fingerprint": ("string_value", "s"),
        "content_fingerprint": ("string_value", "c"),
    }


def test_a_split_without_files_has_zeros_and_not_nothing():
    found = published(splits=["train", "eval", "test"])

    assert {name: value for name, (_, value) in found.items() if name.endswith("_test")} == {
        "rows_test": 0,
        "bytes_test": 0,
        "shards_test": 0,
    }


def test_counts_above_two_billion_are_whole():
    files = [ShardFile(split="train", name="0.gz", rows=3 * 10**9, bytes=2**40)]
    found = published(files=files, splits=["train"])

    assert (found["rows"], found["bytes"]) == (("int_value", 3 * 10**9), ("int_value", 2**40))
