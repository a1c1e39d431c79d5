"""What is read and how it is divided into files: options, output splits and payloads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tfx_wine_ext.columnar.plan import EncodeOptions
from tfx_wine_ext.sources.filters import RowFilter, to_json_value

TFRECORD_PAYLOAD = "tfrecord"
PARQUET_PAYLOAD = "parquet"


@dataclass(frozen=True)
class IngestOptions:
    """What to read and how to shard it; every value can be recorded as JSON.

    Attributes:
        encode: Which columns become which features.
        filters: Rows to keep, as for `pyarrow.parquet.read_table`: a list of conditions
            ``(column, op, value)`` that must all hold, or a list of such lists, of which one must
            hold. Row groups that cannot match are not read.
        unify_schemas: Merge the schemas of files that differ: a column that a file lacks is null
            there, and numbers are widened. False raises an error, because a missing column is more
            often an accident than an intention.
        shuffle_seed: Shuffle the rows within each row group with this seed; None keeps the
            order of the file.
        num_shards: Files per split; None makes one per about 64 MiB of uncompressed data. There is
            at least one shard, and at most one per row group.
        hive_partitioning: Read folder names ``key=value`` as columns, as Hive, Spark and Arrow do;
            see `with_partitions`.
    """

    encode: EncodeOptions = field(default_factory=EncodeOptions)
    filters: Sequence[Any] | None = None
    unify_schemas: bool = False
    shuffle_seed: int | None = None
    num_shards: int | None = None
    hive_partitioning: bool = True

    def __post_init__(self) -> None:
        """Checks what can be checked without a schema.

        Raises:
            ValueError: `num_shards` is not positive, `shuffle_seed` is negative,
                `hive_partitioning` is not a bool, or `filters` does not have the form above.
        """
        if not isinstance(self.hive_partitioning, bool):
            raise ValueError(
                f"hive_partitioning: expected True or False; found {self.hive_partitioning!r}"
            )
        for name, least in (("num_shards", 1), ("shuffle_seed", 0)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and value >= least):
                raise ValueError(
                    f"{name}: expected a whole number of at least {least}, or None; found {value!r}"
                )
        if self.filters is not None:
            RowFilter(self.filters)

    @property
    def row_filter(self) -> RowFilter | None:
        """`filters` as a filter of batches; None if all rows are kept."""
        return RowFilter(self.filters) if self.filters else None

    def reads(self, name: str) -> bool:
        """Tells whether a top-level column is read, for a feature or for a filter."""
        if self.filters and name in RowFilter(self.filters).columns:
            return True
        if name in self.encode.exclude_columns:
            return False
        return self.encode.columns is None or any(
            chosen == name or chosen.startswith(f"{name}.") for chosen in self.encode.columns
        )

    def to_json(self) -> str:
        """Returns the options as JSON text; equal options give equal text."""
        values: dict[str, Any] = {
            "encode": json.loads(self.encode.to_json()),
            "filters": self.filters,
            "unify_schemas": self.unify_schemas,
            "shuffle_seed": self.shuffle_seed,
            "num_shards": self.num_shards,
        }
        if not self.hive_partitioning:
            # Omitted by default: the text is part of the cache key, and releases without this
            # option have cached results.
            values["hive_partitioning"] = False
        return json.dumps(values, sort_keys=True, default=to_json_value)

    @classmethod
    def from_json(cls, text: str) -> IngestOptions:
        """Reads what `to_json` wrote.

        Raises:
            TypeError: a key is unknown.
        """
        values = json.loads(text)
        return cls(**{**values, "encode": EncodeOptions.from_json(json.dumps(values["encode"]))})


@dataclass(frozen=True)
class OutputSplit:
    """A split and its number of hash buckets, which determines its share of the rows."""

    name: str
    hash_buckets: int = 1
