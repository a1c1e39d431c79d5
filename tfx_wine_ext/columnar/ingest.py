"""Converts Parquet files to splits of examples on disk: options, plan, shards, commit.

Shard tasks are planned from the footers only, so they do not depend on the number of workers. Each
task reads its row groups in order and writes one shard of every split. The same input and options
therefore give the same bytes on every runner.

Output becomes visible only when it is complete: shards are written to a staging folder inside the
destination and verified, and `commit` moves them into place once every row is accounted for.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import json
import logging
import operator
import os
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from isal import igzip, isal_zlib

from tfx_wine_ext.columnar.arrow_types import temporal_unit
from tfx_wine_ext.columnar.encode import EncodedExamples, encode_examples
from tfx_wine_ext.columnar.feature_batch import feature_batch, feature_schema
from tfx_wine_ext.columnar.partition import (
    check_partition_feature,
    example_buckets,
    feature_buckets,
)
from tfx_wine_ext.columnar.plan import (
    EncodeOptions,
    FeaturePlan,
    UnknownColumnsError,
    UnsupportedColumnsError,
    plan_features,
)
from tfx_wine_ext.columnar.tfrecord import frame_records
from tfx_wine_ext.errors import Option, Remedy, TfxWineExtError
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.filters import RowFilter, to_json_value
from tfx_wine_ext.sources.layout import Partitions
from tfx_wine_ext.sources.parquet import (
    Footer,
    OpenParquet,
    ParquetFileError,
    RowGroup,
    Stamp,
    find_files,
    iter_row_groups,
    partition_value,
    read_footers,
)
from tfx_wine_ext.sources.schemas import schema_difference, unified_schema, with_partitions
from tfx_wine_ext.sources.source import TableFileError

_logger = logging.getLogger(__name__)

# Uncompressed Parquet data per shard: some hundred thousand rows of a dozen columns. Small enough
# to spread over workers, large enough for few files.
SHARD_UNCOMPRESSED_BYTES = 64 * 1024 * 1024
# Rows that are encoded, hashed and compressed at a time, as one gzip member. More rows need more
# memory, and above some ten thousand they are not faster.
BATCH_ROWS = 32768
# Threads within one shard task. Decoding, encoding and gzip release the interpreter lock, hashing
# does not: more threads gain nothing.
SHARD_THREADS = min(4, os.cpu_count() or 1)

STAGING_FOLDER = ".staging"
TFRECORD_PAYLOAD = "tfrecord"
PARQUET_PAYLOAD = "parquet"
_FILE_NAME = {
    TFRECORD_PAYLOAD: "data_tfrecord-{:05d}-of-{:05d}.gz",
    PARQUET_PAYLOAD: "data_parquet-{:05d}-of-{:05d}.parquet",
}


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


@dataclass(frozen=True)
class FilePart:
    """The row groups of one file that a task reads."""

    path: str
    digest: str
    row_groups: tuple[int, ...]
    stamp: Stamp | None = None
    partitions: Partitions = ()


@dataclass(frozen=True)
class ShardTask:
    """One unit of work: some row groups, read in order, written as one shard of each split.

    `rows` is their number of rows before filtering.
    """

    index: int
    count: int
    parts: tuple[FilePart, ...]
    rows: int
    splits: tuple[OutputSplit, ...]
    partition_feature: str | None
    plan: FeaturePlan
    schema: pa.Schema
    options: IngestOptions
    payload: str


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


def find_tables(
    patterns: Sequence[str], root: str, options: IngestOptions, files: Files
) -> list[list[Footer]]:
    """Finds the files of each input split, and reads their footers and Hive partitions.

    Args:
        patterns: One for each input split.
        root: The folder of the patterns; only folders below it may be Hive partitions.
        options: How to read the files.
        files: The file system.

    Returns:
        The footers of each input split.

    Raises:
        FileNotFoundError: no file matches a pattern.
        ParquetFileError: a file cannot be used.
        PartitionError: see `with_partitions`.
    """
    tables = [read_footers(find_files(pattern, files), files) for pattern in patterns]
    if not options.hive_partitioning:
        return tables
    return with_partitions(tables, root, options.encode.cast)


def plan_schema(footers: Sequence[Footer], options: IngestOptions) -> tuple[pa.Schema, FeaturePlan]:
    """Determines the schema of one input split and its features.

    Args:
        footers: The files of the input split; at least one.
        options: How to read the files.

    Returns:
        The schema to which every batch is converted, and the plan for encoding it.

    Raises:
        UnsupportedColumnsError, UnknownColumnsError: see `plan_features`.
        TableFileError: no column is left, or the schemas of two files differ in a column that is
            read and `unify_schemas` is False.
        FilterError: the filters do not fit the schema.
        ParquetFileError: two columns of a file that are read have the same name.
    """
    for footer in footers:
        counts = Counter(footer.schema.names)
        repeated = [name for name in counts if counts[name] > 1 and options.reads(name)]
        if repeated:
            raise ParquetFileError(
                footer.path,
                f"{', '.join(map(repr, repeated))} more than once",
                ("rename or drop one of them", Remedy(Option.EXCLUDE_COLUMNS, tuple(repeated))),
                expected="every column once",
            )
    first = footers[0]
    schema = first.schema.remove_metadata()
    if options.unify_schemas:
        schema = unified_schema(footers, options.reads)
    try:
        plan = plan_features(schema, options.encode)
    except (UnknownColumnsError, UnsupportedColumnsError) as error:
        error.path = first.path
        raise
    if len(schema) and not plan.features:
        raise TableFileError(
            f"none left of {', '.join(schema.names)}",
            (Remedy(Option.COLUMNS), "leave fewer out"),
            path=first.path,
            expected="a column to write",
        )
    wanted = _columns_to_read(plan, options)
    if options.filters:
        RowFilter(options.filters).expression(schema)
    for footer in footers[1:] if not options.unify_schemas else ():
        difference = schema_difference(schema, footer.schema, wanted, options.encode)
        if difference:
            raise TableFileError(
                f"that {difference}",
                (
                    "bring the files to one schema",
                    Remedy(Option.EXCLUDE_COLUMNS),
                    Remedy(Option.UNIFY_SCHEMAS, True),
                ),
                path=footer.path,
                expected=f"the schema of the first file, {first.path}",
            )
    return schema, plan


def _columns_to_read(plan: FeaturePlan, options: IngestOptions) -> tuple[str, ...]:
    """Returns the top-level columns that features or filters need, without repetition."""
    filter_columns = RowFilter(options.filters).columns if options.filters else ()
    return tuple(dict.fromkeys((*plan.columns, *filter_columns)))


def plan_shards(
    footers: Sequence[Footer],
    splits: Sequence[OutputSplit],
    options: IngestOptions,
    *,
    partition_feature: str | None = None,
    payload: str = TFRECORD_PAYLOAD,
    files: Files,
) -> list[ShardTask]:
    """Divides one input split into tasks.

    Args:
        footers: Its files in reading order; at least one.
        splits: The output splits; with a single one, no row is hashed.
        options: What to read and how.
        partition_feature: Hash this feature instead of the whole example.
        payload: `TFRECORD_PAYLOAD` or `PARQUET_PAYLOAD`.
        files: The file system, to find row groups that the filters exclude.

    Returns:
        At least one task; independent of the number of workers.

    Raises:
        ValueError: see `plan_schema`; or `partition_feature` is not a feature.
    """
    schema, plan = plan_schema(footers, options)
    if partition_feature is not None:
        check_partition_feature(plan, partition_feature)
    groups = [
        (footer, group)
        for footer in _kept_files(footers, schema, options)
        for group in _kept_row_groups(footer, schema, options, files)
    ]
    total_bytes = sum(group.uncompressed_bytes for _, group in groups)
    wanted = options.num_shards or -(-total_bytes // SHARD_UNCOMPRESSED_BYTES)
    count = max(1, min(wanted, len(groups)))
    parts: list[list[FilePart]] = [[] for _ in range(count)]
    rows = [0] * count
    before = 0
    for footer, group in groups:
        # The middle of a group, among all bytes, determines its shard.
        middle = before + group.uncompressed_bytes / 2
        before += group.uncompressed_bytes
        shard = min(int(middle / max(total_bytes, 1) * count), count - 1)
        _append(parts[shard], footer, group)
        rows[shard] += group.rows
    return [
        ShardTask(
            index=i,
            count=count,
            parts=tuple(shard_parts),
            rows=rows[i],
            splits=tuple(splits),
            partition_feature=partition_feature,
            plan=plan,
            schema=schema,
            options=options,
            payload=payload,
        )
        for i, shard_parts in enumerate(parts)
    ]


def _append(parts: list[FilePart], footer: Footer, group: RowGroup) -> None:
    """Adds a row group to a shard; extends the last part if it belongs to the same file."""
    if parts and parts[-1].path == footer.path:
        parts[-1] = replace(parts[-1], row_groups=(*parts[-1].row_groups, group.index))
    else:
        parts.append(
            FilePart(footer.path, footer.digest, (group.index,), footer.stamp, footer.partitions)
        )


def _kept_files(
    footers: Sequence[Footer], schema: pa.Schema, options: IngestOptions
) -> Sequence[Footer]:
    """Returns the files that the filters do not exclude by the partitions in their paths."""
    if not options.filters:
        return footers
    row_filter = RowFilter(options.filters)
    # If a column is also in a file, its values there are filtered instead.
    names = set(row_filter.columns).intersection(*(footer.in_path for footer in footers))
    if not names:
        return footers
    columns = {}
    for name in sorted(names):
        texts = [dict(footer.partitions)[name] for footer in footers]
        columns[name] = pa.array(texts, pa.string()).cast(schema.field(name).type)
    kept = row_filter.may_hold(pa.table(columns))
    return [footer for footer, is_kept in zip(footers, kept) if is_kept]


def _kept_row_groups(
    footer: Footer, schema: pa.Schema, options: IngestOptions, files: Files
) -> Sequence[RowGroup]:
    """Returns the row groups of a file that the filters do not exclude."""
    if not options.filters:
        return footer.row_groups
    row_filter = RowFilter(options.filters)
    for name in row_filter.columns:
        position = footer.schema.get_field_index(name)
        if position < 0:
            return footer.row_groups  # the column comes from unify_schemas: no statistics here
        wider = schema.field(name).type
        if footer.schema.field(position).type != wider and temporal_unit(wider) is not None:
            return footer.row_groups  # Arrow's cast of the statistics may wrap
    if set(row_filter.columns) <= set(footer.in_path):
        return footer.row_groups  # `_kept_files` has checked all conditions
    partitions = dict(footer.partitions)
    constants = {
        name: partition_value(partitions[name], schema.field(name).type)[0]
        for name in footer.in_path
    }
    with OpenParquet(footer.path, files) as opened:
        opened.check(footer.digest, footer.stamp)
        kept = row_filter.row_groups(opened.footer_stream(), schema, constants)
    return [group for group in footer.row_groups if group.index in kept]


def write_shard(
    task: ShardTask,
    destination: str,
    files: Files,
    show: Callable[[int], None] = lambda rows: None,
) -> ShardResult:
    """Runs one task: reads its row groups and writes its shard of every split to staging.

    Args:
        task: From `plan_shards`.
        destination: Folder of the artifact; the shards are written to its staging folder.
        files: The file system of input and output.
        show: Called repeatedly with the number of rows read so far. Default: no progress.

    Returns:
        Rows read, and the files written. A task may run twice, even at the same time: the bytes
        are equal, and the last file written remains.

    Raises:
        ParquetFileError: the file changed, is corrupt, or holds a value that cannot be encoded.
        OSError: a shard cannot be written, or reads back differently.
    """
    started = time.monotonic()
    staging = f"{destination}/{STAGING_FOLDER}"
    rows_read = 0
    with contextlib.ExitStack() as stack:
        writers = []
        for split in task.splits:
            writers.append(_SPLIT_WRITERS[task.payload](task, split, staging, files))
            stack.callback(writers[-1].abandon)
        pool = stack.enter_context(ThreadPoolExecutor(SHARD_THREADS))
        pending: deque[Future[list[_Chunk]]] = deque()

        def write_oldest() -> None:
            for writer, chunk in zip(writers, pending.popleft().result()):
                writer.write(chunk)

        for path, row_group, batch in _batches(task, files):
            rows_read += batch.num_rows
            show(rows_read)
            pending.append(pool.submit(_split_batch, task, path, row_group, batch))
            if len(pending) > SHARD_THREADS:  # bounds memory
                write_oldest()
        while pending:
            write_oldest()
        shard_files = tuple(writer.finish() for writer in writers)
    _logger.info(
        "shard %d of %d of %s: %d rows in %.1f s",
        task.index + 1,
        task.count,
        "/".join(split.name for split in task.splits),
        rows_read,
        time.monotonic() - started,
    )
    return ShardResult(task.index, rows_read, shard_files)


def _batches(task: ShardTask, files: Files) -> Iterator[tuple[str, int, pa.RecordBatch]]:
    """Yields the task's rows with their file and row group, in the task's schema and order."""
    wanted = _columns_to_read(task.plan, task.options)
    schema = pa.schema([task.schema.field(name) for name in wanted])
    for part in task.parts:
        batches = iter_row_groups(
            part.path,
            part.digest,
            part.row_groups,
            schema,
            BATCH_ROWS,
            files,
            part.stamp,
            part.partitions,
        )
        if task.options.shuffle_seed is None or not wanted:  # rows without columns are identical
            for row_group, batch in batches:
                yield part.path, row_group, batch
            continue
        for row_group, group_batches in itertools.groupby(batches, key=operator.itemgetter(0)):
            table = pa.Table.from_batches([batch for _, batch in group_batches])
            seed = (task.options.shuffle_seed, int(part.digest[:8], 16), row_group)
            order = np.random.default_rng(seed).permutation(table.num_rows)
            for batch in table.take(pa.array(order)).combine_chunks().to_batches(BATCH_ROWS):
                yield part.path, row_group, batch


@dataclass(frozen=True)
class _Chunk:
    """The rows of one batch that belong to one split, ready to be written."""

    rows: int
    data: Any  # bytes of a gzip member, or a RecordBatch


def _split_batch(task: ShardTask, path: str, row_group: int, batch: pa.RecordBatch) -> list[_Chunk]:
    """Filters and encodes a batch and divides it among the task's splits."""
    try:
        if task.options.filters:
            batch = RowFilter(task.options.filters).apply(batch)
        encoded = encode_examples(batch, task.plan)
        rows_of_split = _rows_of_splits(task, batch, encoded)
    except ValueError as error:
        known = error if isinstance(error, TfxWineExtError) else TfxWineExtError(str(error))
        columns = None if known.column is None else (known.column,)
        # An EncodeError's row number is relative to the batch, which is useless for the file.
        raise ParquetFileError.of(
            known,
            path=path,
            row=row_group,
            unit="row group",
            remedies=(*known.remedies, Remedy(Option.EXCLUDE_COLUMNS, columns)),
        ) from error
    if task.payload == TFRECORD_PAYLOAD:
        return [
            _Chunk(len(rows), igzip.compress(frame_records(encoded, rows), 1, mtime=0))
            for rows in rows_of_split
        ]
    features = feature_batch(batch, task.plan)
    return [_Chunk(len(rows), features.take(pa.array(rows))) for rows in rows_of_split]


def _rows_of_splits(
    task: ShardTask, batch: pa.RecordBatch, encoded: EncodedExamples
) -> list[npt.NDArray[np.int64]]:
    """Returns the ascending row numbers of each split."""
    if len(task.splits) == 1:
        return [np.arange(batch.num_rows)]
    upper = np.cumsum([split.hash_buckets for split in task.splits])
    if task.partition_feature is None:
        buckets = example_buckets(encoded, int(upper[-1]))
    else:
        buckets = feature_buckets(batch, task.plan, task.partition_feature, int(upper[-1]))
    split_of_row = np.searchsorted(upper, buckets, side="right")
    return [np.flatnonzero(split_of_row == n) for n in range(len(task.splits))]


class _StagedFile:
    """A file that is written under a temporary name, verified, and then renamed."""

    def __init__(self, path: str, files: Files) -> None:
        self._path = path
        # Two attempts at one task must not write to the same file.
        self._attempt_path = f"{path}.{uuid.uuid4().hex}"
        self._files = files
        with self._named_errors():
            self._stream = files.create(self._attempt_path)
        self._crc32 = 0
        self._bytes = 0
        self.closed = False

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Names the file that cannot be written, which the system's message does not."""
        try:
            yield
        except OSError as error:
            raise OSError(
                f"{self._path}: cannot be written ({error}); free or repair the disk, then run "
                "again"
            ) from error

    def write(self, data: bytes) -> int:
        with self._named_errors():
            self._stream.write(data)
        self._crc32 = isal_zlib.crc32(data, self._crc32)
        self._bytes += len(data)
        return len(data)

    def flush(self) -> None:
        with self._named_errors():
            self._stream.flush()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            with self._named_errors():
                self._stream.close()

    def finish(self) -> int:
        """Closes the file, verifies its content, and renames it."""
        self.close()
        crc32, size = 0, 0
        with self._files.open(self._attempt_path) as stream:
            while block := stream.read(1 << 20):
                crc32, size = isal_zlib.crc32(block, crc32), size + len(block)
        if (size, crc32) != (self._bytes, self._crc32):
            raise OSError(
                f"{self._attempt_path}: wrote {self._bytes} bytes with CRC {self._crc32:#010x}, "
                f"read back {size} with {crc32:#010x}; check the disk, then run again"
            )
        self._files.rename(self._attempt_path, self._path)
        return self._bytes


class _TFRecordWriter:
    """Writes one shard of one split as gzip members of TFRecords."""

    def __init__(self, task: ShardTask, split: OutputSplit, staging: str, files: Files) -> None:
        self._split = split.name
        self._name = _FILE_NAME[task.payload].format(task.index, task.count)
        self._rows = 0
        self._file = _StagedFile(f"{staging}/{split_folder(split.name)}/{self._name}", files)
        self._open(task)

    def write(self, chunk: _Chunk) -> None:
        # TensorFlow treats an empty gzip member as the end of the file.
        if chunk.rows:
            self._append(chunk.data)
            self._rows += chunk.rows

    def finish(self) -> ShardFile:
        self._end()
        return ShardFile(self._split, self._name, self._rows, self._file.finish())

    def _open(self, task: ShardTask) -> None:
        """Writes the file header, which gzip does not have."""

    def _append(self, data: Any) -> None:
        self._file.write(data)

    def _end(self) -> None:
        if not self._rows:  # A gzip file without content, not an empty file.
            self._file.write(igzip.compress(b"", 1, mtime=0))

    def abandon(self) -> None:
        """Closes the file after an error; does nothing after `finish`."""
        with contextlib.suppress(OSError):
            self._file.close()


class _ParquetWriter(_TFRecordWriter):
    """Writes one shard of one split as Parquet, one row group per batch."""

    def _open(self, task: ShardTask) -> None:
        self._schema = feature_schema(task.plan)
        self._writer = pq.ParquetWriter(self._file, self._schema)

    def _append(self, data: Any) -> None:
        self._writer.write_batch(data)

    def _end(self) -> None:
        if not self._rows:  # pyarrow 18 cannot read a file without row groups as a whole.
            self._writer.write_table(self._schema.empty_table())
        self._writer.close()

    def abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.close()
        super().abandon()


_SPLIT_WRITERS = {TFRECORD_PAYLOAD: _TFRecordWriter, PARQUET_PAYLOAD: _ParquetWriter}


def split_folder(split: str) -> str:
    """Returns TFX's folder name of a split inside an Examples artifact."""
    return f"Split-{split}"


def clear(destination: str, splits: Iterable[str], files: Files) -> None:
    """Deletes leftovers of an interrupted run from an artifact's folder."""
    staging = f"{destination}/{STAGING_FOLDER}"
    files.remove_tree(staging)
    for path in (f"{destination}/{split_folder(split)}" for split in splits):
        if files.is_dir(path):
            # Moved first: a partly deleted split must not look like a complete one.
            files.move_tree(path, staging)
            path = staging
        files.remove_tree(path)


def commit(
    destination: str, tasks: Sequence[ShardTask], results: Sequence[ShardResult], files: Files
) -> list[ShardFile]:
    """Moves the staged splits into place, once every row is accounted for.

    Args:
        destination: Folder of the artifact.
        tasks: All tasks of the run.
        results: What their workers returned, in any order.
        files: The file system.

    Returns:
        The files of all splits, by split and shard.

    Raises:
        RuntimeError: rows, shards or files are missing, because the runner lost tasks. Nothing was
            moved.
    """
    staging = f"{destination}/{STAGING_FOLDER}"
    done = {(file.split, file.name) for result in results for file in result.files}
    expected = {
        (split.name, _FILE_NAME[task.payload].format(task.index, task.count))
        for task in tasks
        for split in task.splits
    }
    rows_read = sum(result.rows_read for result in results)
    rows_expected = sum(task.rows for task in tasks)
    if done != expected or len(results) != len(tasks) or rows_read != rows_expected:
        raise RuntimeError(
            f"{destination}: expected {len(tasks)} shard tasks with {rows_expected} rows, found "
            f"{len(results)} with {rows_read}; the Beam runner lost work, nothing was published: "
            "run again, and if the error persists, use another runner"
        )
    folders = sorted({split_folder(split) for split, _ in expected})
    wanted = {f"{staging}/{split_folder(split)}/{name}" for split, name in expected}
    staged = {p for f in folders for p in files.glob(f"{glob.escape(f'{staging}/{f}')}/*")}
    if wanted - staged:
        raise RuntimeError(
            f"{sorted(wanted - staged)[0]}: expected {len(wanted)} shards in the staging folder, "
            f"this one and {len(wanted - staged) - 1} more are missing; nothing was published: "
            "check that all workers reach the same folder, then run again"
        )
    for path in staged - wanted:
        # Left by an interrupted attempt; readers would read every file in the folder.
        files.rename(path, f"{staging}/{path.rpartition('/')[2]}")
    for folder in folders:
        files.move_tree(f"{staging}/{folder}", f"{destination}/{folder}")
    files.remove_tree(staging)
    return sorted(
        (file for result in results for file in result.files), key=lambda f: (f.split, f.name)
    )
