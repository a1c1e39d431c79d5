"""Runs one task: reads its parts of a table, and writes its shard of every split to staging.

Each task reads its parts in order. The same input and options therefore give the same bytes on
every runner. The output becomes visible only when it is complete: see `commit`.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tfx_wine_ext.columnar.commit import STAGING_FOLDER
from tfx_wine_ext.columnar.encode import EncodedExamples, encode_examples
from tfx_wine_ext.columnar.feature_batch import feature_batch
from tfx_wine_ext.columnar.options import TFRECORD_PAYLOAD
from tfx_wine_ext.columnar.partition import example_buckets, feature_buckets
from tfx_wine_ext.columnar.tasks import ShardResult, ShardTask
from tfx_wine_ext.columnar.tfrecord import frame_records
from tfx_wine_ext.columnar.values import without_offsets
from tfx_wine_ext.columnar.writers import SPLIT_WRITERS, Chunk, gzip_member
from tfx_wine_ext.errors import Option, Remedy, TfxWineExtError
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.moved import moved_names
from tfx_wine_ext.sources.source import Part

_logger = logging.getLogger(__name__)

# Rows that are encoded, hashed and compressed at a time, as one gzip member. More rows need more
# memory, and above some ten thousand they are not faster.
BATCH_ROWS = 32768
# Nothing else is read or encoded beside a batch of more bytes, which has a huge value.
LARGE_BATCH_BYTES = 128 * 1024 * 1024
# Threads within one shard task. Decoding, encoding and gzip release the interpreter lock, hashing
# does not: more threads gain nothing.
SHARD_THREADS = min(4, os.cpu_count() or 1)


def write_shard(
    task: ShardTask,
    destination: str,
    files: Files,
    show: Callable[[int], None] = lambda rows: None,
) -> ShardResult:
    """Runs one task: reads its parts and writes its shard of every split to staging.

    Args:
        task: From `plan_shards`.
        destination: Folder of the artifact; the shards are written to its staging folder.
        files: The file system of the output.
        show: Called repeatedly with the number of rows read so far. Default: no progress.

    Returns:
        Rows read, and the files written. A task may run twice, even at the same time: the bytes
        are equal, and the last file written remains.

    Raises:
        TableFileError: a file changed, is corrupt, or holds a value that cannot be encoded.
        OSError: a shard cannot be written, or reads back differently.
    """
    started = time.monotonic()
    staging = f"{destination}/{STAGING_FOLDER}"
    rows_read = 0
    with contextlib.ExitStack() as stack:
        writers = []
        for split in task.splits:
            writers.append(SPLIT_WRITERS[task.payload](task, split, staging, files))
            stack.callback(writers[-1].abandon)
        pool = stack.enter_context(ThreadPoolExecutor(SHARD_THREADS))
        pending: deque[Future[list[Chunk]]] = deque()

        def write_oldest() -> None:
            for writer, chunk in zip(writers, pending.popleft().result()):
                writer.write(chunk)

        for part, batch in _batches(task):
            rows_read += batch.num_rows
            show(rows_read)
            is_large = batch.nbytes > LARGE_BATCH_BYTES
            # Taken from the list, so that nothing keeps the batch when it has been encoded.
            pending.append(pool.submit(_split_batch, task, part, [batch]))
            del batch
            # Bounds memory: nothing is read beside a huge value.
            while len(pending) > (0 if is_large else SHARD_THREADS):
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


def _batches(task: ShardTask) -> Iterator[tuple[Part, pa.RecordBatch]]:
    """Yields the task's rows with their part, in the task's order."""
    source = task.source
    columns = pa.schema([source.whole.field(name) for name in task.columns])
    seed = task.options.shuffle_seed

    def located() -> Iterator[tuple[Part, pa.RecordBatch]]:
        for batch in source.batches(columns, BATCH_ROWS):
            assert source.part is not None
            yield source.part, without_offsets(batch)
            del batch  # Before the next one is read.

    if seed is None or not len(columns):  # Rows without columns are identical.
        yield from located()
        return
    for part, batches in itertools.groupby(located(), key=lambda pair: pair[0]):
        table = pa.Table.from_batches([batch for _, batch in batches])
        order = np.random.default_rng((seed, part.seed, part.index)).permutation(table.num_rows)
        for batch in table.take(pa.array(order)).combine_chunks().to_batches(BATCH_ROWS):
            yield part, without_offsets(batch)


def _split_batch(task: ShardTask, part: Part, batches: list[pa.RecordBatch]) -> list[Chunk]:
    """Filters and encodes a batch, taken from a list, and divides it among the task's splits."""
    batch = batches.pop()
    try:
        if task.options.row_filter:
            batch = task.options.row_filter.apply(batch)
        encoded = encode_examples(batch, task.plan)
        rows_of_split = _rows_of_splits(task, batch, encoded)
    except ValueError as error:
        known = error if isinstance(error, TfxWineExtError) else TfxWineExtError(str(error))
        columns = None if known.column is None else (known.column,)
        remedies = known.remedies
        if known.column in task.options.encode.cast:
            remedies = (*remedies, "cast it to another type or to none")
        elif known.column is None or known.column != task.partition_feature:
            remedies = (*remedies, Remedy(Option.EXCLUDE_COLUMNS, columns))
        # An EncodeError's row number is relative to the batch, which is useless for the file.
        raise task.source.error.of(
            known,
            path=part.path,
            row=part.index if part.unit else None,
            unit=part.unit,
            remedies=remedies,
        ) from error
    if task.payload == TFRECORD_PAYLOAD:
        del batch
        chunks = []
        while rows_of_split:
            rows = rows_of_split.pop(0)
            framed = frame_records(encoded, rows)
            if not rows_of_split:
                del encoded
            chunks.append(Chunk(len(rows), gzip_member(framed)))
            del framed
        return chunks
    del encoded
    features = feature_batch(batch, task.plan)
    return [Chunk(len(rows), features.take(pa.array(rows))) for rows in rows_of_split]


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


if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)
