"""Measures the conversion of Arrow batches in memory to framed examples, on one thread.

Usage: python -m benchmarks columnar_kernel [--rows 1000000] [--batch-rows 32768] [--repeats 3]
       [--tfx-bsl]

For a table of 12 numbers and for a mixed one, it prints the processor time in seconds of encoding,
of cutting into records and hashing into buckets, and of framing: the best of the repeats, since
other work on the machine only adds time. With --tfx-bsl, it
also prints those of tfx_bsl's RecordBatchToExamplesEncoder for the same features, and whether both
write the same examples.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pyarrow as pa

from tfx_wine_ext.columnar import (
    encode_examples,
    example_buckets,
    frame_records,
    plan_features,
)
from tfx_wine_ext.columnar.feature_batch import feature_batch


def numbers(rows: int) -> pa.Table:
    """Six columns of doubles and six of integers, like a table of measurements."""
    random = np.random.default_rng(0)
    columns = {f"double_{i}": random.normal(size=rows) for i in range(6)}
    for i in range(6):
        columns[f"integer_{i}"] = random.integers(0, 10 ** (i + 1), rows)
    return pa.table(columns)


def mixed(rows: int) -> pa.Table:
    """Doubles, integers with nulls, strings of 5 to 30 bytes, a list column and a timestamp."""
    random = np.random.default_rng(0)
    columns = {f"double_{i}": pa.array(random.normal(size=rows)) for i in range(4)}
    for i in range(3):
        columns[f"integer_{i}"] = pa.array(
            random.integers(0, 10 ** (2 * i + 1), rows), mask=random.random(rows) < 0.1
        )
    for i in range(3):
        columns[f"string_{i}"] = pa.StringArray.from_buffers(
            rows,
            pa.py_buffer(
                ends := np.concatenate([[0], np.cumsum(random.integers(5, 31, rows))]).astype("i4")
            ),
            pa.py_buffer(random.integers(97, 123, ends[-1], dtype=np.uint8)),
        )
    ends = np.concatenate([[0], np.cumsum(random.integers(0, 6, rows))]).astype("i4")
    columns["list"] = pa.ListArray.from_arrays(
        pa.array(ends), pa.array(random.integers(0, 1000, ends[-1]))
    )
    columns["timestamp"] = pa.array(
        random.integers(1_500_000_000_000_000, 1_700_000_000_000_000, rows), pa.timestamp("us")
    )
    return pa.table(columns)


def measure(table: pa.Table, batch_rows: int) -> dict[str, float]:
    """Returns the seconds of each step over the whole table."""
    plan = plan_features(table.schema)
    seconds = dict.fromkeys(("encode", "hash", "frame"), 0.0)
    for batch in table.to_batches(max_chunksize=batch_rows):
        begin = time.thread_time()
        encoded = encode_examples(batch, plan)
        encoded_at = time.thread_time()
        buckets = example_buckets(encoded, 3)
        hashed_at = time.thread_time()
        frame_records(encoded, np.flatnonzero(buckets < 2))
        frame_records(encoded, np.flatnonzero(buckets >= 2))
        seconds["encode"] += encoded_at - begin
        seconds["hash"] += hashed_at - encoded_at
        seconds["frame"] += time.thread_time() - hashed_at
    return seconds


def measure_tfx_bsl(table: pa.Table, batch_rows: int) -> float:
    """Returns the seconds in which tfx_bsl's encoder serialises the whole table.

    It takes columns of lists only, of int64, float32 and bytes; making those is not counted.

    Raises:
        ValueError: Its examples say something else than ours.
    """
    import tensorflow as tf
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    plan = plan_features(table.schema)
    encoder = RecordBatchToExamplesEncoder()
    seconds = 0.0
    for number, batch in enumerate(table.to_batches(max_chunksize=batch_rows)):
        features = feature_batch(batch, plan)
        begin = time.thread_time()
        theirs = encoder.encode(features)
        seconds += time.thread_time() - begin
        if number == 0:
            ours = encode_examples(batch, plan).records
            for row in range(0, batch.num_rows, 1000):
                mine, other = ours[row], theirs[row]
                if tf.train.Example.FromString(mine) != tf.train.Example.FromString(other):
                    raise ValueError(f"row {row} differs: {mine!r} and {other!r}")
    return seconds


def main() -> None:
    """Measures both tables and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch-rows", type=int, default=32_768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tfx-bsl", action="store_true", help="measure its encoder, too")
    arguments = parser.parse_args()
    for make in (numbers, mixed):
        table = make(arguments.rows)
        runs = [measure(table, arguments.batch_rows) for _ in range(arguments.repeats)]
        best = {step: min(run[step] for run in runs) for step in runs[0]}
        steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in best.items())
        print(
            f"{make.__name__}: {arguments.rows} rows x {table.num_columns} columns: {steps}, "
            f"in all {sum(best.values()):.2f} s"
        )
        if arguments.tfx_bsl:
            theirs = min(
                measure_tfx_bsl(table, arguments.batch_rows) for _ in range(arguments.repeats)
            )
            print(
                f"    tfx_bsl encodes in {theirs:.2f} s, "
                f"{theirs / best['encode']:.1f} times as long"
            )


if __name__ == "__main__":
    main()
