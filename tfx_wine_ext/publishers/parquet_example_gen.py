"""The publisher of both ExampleGens: records the examples in the metadata store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tfx.types.artifact import Artifact

from tfx_wine_ext.columnar.tasks import ShardFile
from tfx_wine_ext.types import parquet_example_gen as keys
from tfx_wine_ext.types.table_example_gen import SOURCE_KEY


@dataclass(frozen=True)
class Ingested:
    """What the executor wrote.

    Attributes:
        files: All files written.
        splits: Names of all splits, including empty ones.
        columns: Top-level columns read.
        features: Number of features in an example.
        schema_fingerprint: Fingerprint of the schema read.
        content_fingerprint: Fingerprint of the content read; "" if it is unknown.
        source: What was read, as JSON; None if the execution says it.
    """

    files: Sequence[ShardFile]
    splits: Sequence[str]
    columns: Sequence[str]
    features: int
    schema_fingerprint: str
    content_fingerprint: str
    source: str | None = None


def publish(examples: Artifact, ingested: Ingested) -> None:
    """Sets typed custom properties of the artifact.

    Counts are integers, which a metadata store can compare and sum. They are given for the whole
    artifact and for each split (``rows``, ``rows_train``, ...). The driver has already set span and
    version.

    Args:
        examples: The output artifact; changed in place, where both launch paths read it.
        ingested: What was written.
    """
    for split in (None, *ingested.splits):
        split_files = [file for file in ingested.files if split in (None, file.split)]
        for key, number in (
            (keys.ROWS_KEY, sum(file.rows for file in split_files)),
            (keys.BYTES_KEY, sum(file.bytes for file in split_files)),
            (keys.SHARDS_KEY, len(split_files)),
        ):
            examples.set_int_custom_property(
                key if split is None else keys.of_split(key, split), number
            )
    examples.set_int_custom_property(keys.FEATURES_KEY, ingested.features)
    examples.set_string_custom_property(keys.COLUMNS_KEY, json.dumps(list(ingested.columns)))
    examples.set_string_custom_property(keys.SCHEMA_FINGERPRINT_KEY, ingested.schema_fingerprint)
    if ingested.content_fingerprint:
        examples.set_string_custom_property(
            keys.CONTENT_FINGERPRINT_KEY, ingested.content_fingerprint
        )
    if ingested.source is not None:
        examples.set_string_custom_property(SOURCE_KEY, ingested.source)
