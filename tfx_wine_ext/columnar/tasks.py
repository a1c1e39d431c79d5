"""Divides a table into tasks, each of which writes one shard of every split.

Tasks are planned before any row is read, so they do not depend on the number of workers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tfx_wine_ext.columnar.options import TFRECORD_PAYLOAD, IngestOptions, OutputSplit
from tfx_wine_ext.columnar.partition import check_partition_feature
from tfx_wine_ext.columnar.plan import (
    FeaturePlan,
    UnknownColumnsError,
    UnsupportedColumnsError,
    plan_features,
)
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.sources.source import Part, TableFileError, TableSource

# Uncompressed data per shard: some hundred thousand rows of a dozen columns. Small enough to spread
# over workers, large enough for few files.
SHARD_UNCOMPRESSED_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class ShardTask:
    """One unit of work: some parts of a table, read in order, written as one shard of each split.

    `rows` is their number of rows before filtering; None if it is unknown before reading.
    """

    index: int
    count: int
    source: TableSource
    rows: int | None
    splits: tuple[OutputSplit, ...]
    partition_feature: str | None
    plan: FeaturePlan
    options: IngestOptions
    payload: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The top-level columns that features or filters need, without repetition."""
        row_filter = self.options.row_filter
        filtered = row_filter.columns if row_filter else ()
        return tuple(dict.fromkeys((*self.plan.columns, *filtered)))


@dataclass(frozen=True)
class ShardFile:
    """One written shard: its split, file name, number of rows, and size on disk."""

    split: str
    name: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class ShardResult:
    """The result of one task: rows read before filtering, and a file for every split."""

    index: int
    rows_read: int
    files: tuple[ShardFile, ...]

    def to_json(self) -> str:
        """Returns the result as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ShardResult:
        """Reads what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "files": tuple(ShardFile(**f) for f in values["files"])})


def plan_table(source: TableSource, options: IngestOptions) -> FeaturePlan:
    """Plans the features of a table.

    Args:
        source: The table.
        options: How to read it.

    Raises:
        UnsupportedColumnsError, UnknownColumnsError: See `plan_features`.
        TableFileError: No column is left, or the schemas of the files differ.
        FilterError: The filters do not fit the columns.
    """
    source.settle()
    first = source.paths[0]
    try:
        plan = plan_features(source.whole, options.encode)
    except (UnknownColumnsError, UnsupportedColumnsError) as error:
        error.path = first
        raise
    if source.names and not plan.features:
        raise TableFileError(
            f"none left of {', '.join(source.names)}",
            (Remedy(Option.COLUMNS), "leave fewer out"),
            path=first,
            expected="a column to write",
        )
    if options.row_filter:
        options.row_filter.expression(source.whole)
    source.check()
    return plan


def plan_shards(
    source: TableSource,
    splits: Sequence[OutputSplit],
    options: IngestOptions,
    *,
    partition_feature: str | None = None,
    payload: str = TFRECORD_PAYLOAD,
) -> list[ShardTask]:
    """Divides a table into tasks.

    Args:
        source: The table.
        splits: The output splits; with a single one, no row is hashed.
        options: What to read and how.
        partition_feature: Hash this feature instead of the whole example.
        payload: `TFRECORD_PAYLOAD` or `PARQUET_PAYLOAD`.

    Returns:
        At least one task; independent of the number of workers.

    Raises:
        ValueError: See `plan_table`; or `partition_feature` is not a feature.
    """
    plan = plan_table(source, options)
    if partition_feature is not None:
        check_partition_feature(plan, partition_feature)
    parts = source.parts(options.row_filter)
    total = sum(part.size for part in parts)
    wanted = options.num_shards or -(-total // SHARD_UNCOMPRESSED_BYTES)
    count = max(1, min(wanted, len(parts)))
    shards: list[list[Part]] = [[] for _ in range(count)]
    before = 0
    for part in parts:
        # The middle of a part, among all bytes, determines its shard.
        middle = before + part.size / 2
        before += part.size
        shards[min(int(middle / max(total, 1) * count), count - 1)].append(part)
    return [
        ShardTask(
            index=index,
            count=count,
            source=source.select(shard),
            rows=_rows(shard),
            splits=tuple(splits),
            partition_feature=partition_feature,
            plan=plan,
            options=options,
            payload=payload,
        )
        for index, shard in enumerate(shards)
    ]


def _rows(parts: Sequence[Part]) -> int | None:
    """Returns the number of rows; None if it is not known of all parts."""
    known = [part.rows for part in parts if part.rows is not None]
    return sum(known) if len(known) == len(parts) else None
