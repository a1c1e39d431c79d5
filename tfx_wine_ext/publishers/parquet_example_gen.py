"""The publisher of ParquetExampleGen: what the metadata store learns about the examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tfx.types.artifact import Artifact

from tfx_wine_ext.columnar.ingest import ShardFile
from tfx_wine_ext.types import parquet_example_gen as keys


@dataclass(frozen=True)
class Ingested:
    """What the executor did.

    Attributes:
        files: All files written.
        splits: Names of all splits, written or empty.
        columns: Top-level columns read.
        features: Number of features in an example.
        schema_fingerprint: Of the schema read.
        content_fingerprint: Of the files read.
    """

    files: Sequence[ShardFile]
    splits: Sequence[str]
    columns: Sequence[str]
    features: int
    schema_fingerprint: str
    content_fingerprint: str


def publish(examples: Artifact, ingested: Ingested) -> None:
    """Writes the result onto the artifact as typed custom properties.

    The numbers are integers, so that a metadata store can compare and sum them; they stand
    there for the whole and for each split (``rows``, ``rows_train``, ...). Span and version are
    there already, set by the driver.

    Args:
        examples: The output artifact, changed in place: both launch paths take it from there.
        ingested: What was done.
    """
    for split in (None, *ingested.splits):
        of_split = [file for file in ingested.files if split in (None, file.split)]
        for key, number in (
            (keys.ROWS_KEY, sum(file.rows for file in of_split)),
            (keys.BYTES_KEY, sum(file.bytes for file in of_split)),
            (keys.SHARDS_KEY, len(of_split)),
        ):
            examples.set_int_custom_property(
                key if split is None else keys.of_split(key, split), number
            )
    examples.set_int_custom_property(keys.FEATURES_KEY, ingested.features)
    examples.set_string_custom_property(keys.COLUMNS_KEY, json.dumps(list(ingested.columns)))
    examples.set_string_custom_property(keys.SCHEMA_FINGERPRINT_KEY, ingested.schema_fingerprint)
    examples.set_string_custom_property(keys.CONTENT_FINGERPRINT_KEY, ingested.content_fingerprint)
