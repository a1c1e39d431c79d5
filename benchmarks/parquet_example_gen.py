"""Compares the executor of ParquetExampleGen with TFX's own Parquet executor.

Every measurement is a separate process that imports TFX, then times the whole `Do`: it reads files
from disk and writes splits to disk. Both executors read the same file in the same run.
"""

from __future__ import annotations

import argparse
import logging
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import Measured, measure

ROW_GROUP_ROWS = 100_000
SEED = 20260101


def numeric_batch(first: int, rows: int) -> pa.Table:
    """Returns 8 float64 and 4 int64 columns."""
    random = np.random.default_rng([SEED, first])
    columns: dict[str, Any] = {f"float_{i}": random.normal(size=rows) for i in range(8)}
    columns |= {f"int_{i}": random.integers(0, 10_000, rows) for i in range(4)}
    return pa.table(columns)


def mixed_batch(first: int, rows: int) -> pa.Table:
    """Returns 4 floats, 3 ints with a tenth of nulls, 3 strings of 5-30 bytes, a list, a time."""
    random = np.random.default_rng([SEED, first])
    columns: dict[str, Any] = {f"float_{i}": random.normal(size=rows) for i in range(4)}
    for i in range(3):
        values = random.integers(1, 10_000, rows)
        columns[f"int_{i}"] = pa.array(values, mask=random.random(rows) < 0.1)
    for i in range(3):
        lengths = random.integers(5, 31, rows)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        letters = random.integers(97, 123, offsets[-1], dtype=np.uint8)
        columns[f"string_{i}"] = pa.StringArray.from_buffers(
            rows, pa.py_buffer(offsets), pa.py_buffer(letters)
        )
    counts = random.integers(1, 6, rows)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    columns["list"] = pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(random.normal(size=offsets[-1]))
    )
    columns["time"] = pa.array(
        1_700_000_000_000_000 + random.integers(0, 10**12, rows), pa.timestamp("us", "UTC")
    )
    return pa.table(columns)


def without_time(table: pa.Table) -> pa.Table:
    """Returns the table with its time as int64, for TFX's executor: it refuses timestamps."""
    if "time" not in table.column_names:
        return table
    index = table.column_names.index("time")
    return table.set_column(index, "time", table["time"].cast(pa.int64()))


PARTS = ("tfx", "alone", "growth", "workers")
TABLES = {"12 numbers": numeric_batch, "12 mixed": mixed_batch}


def write_table(path: pathlib.Path, kind: str, rows: int, for_tfx: bool) -> None:
    """Writes a Parquet file in row groups, to bound the memory of this process."""
    writer = None
    for first in range(0, rows, ROW_GROUP_ROWS):
        table = TABLES[kind](first, min(ROW_GROUP_ROWS, rows - first))
        table = without_time(table) if for_tfx else table
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def child(
    who: str, path: pathlib.Path, output: pathlib.Path, shards: int, beam: Sequence[str]
) -> None:
    """Imports TFX, runs one executor once, and prints when `Do` began and ended."""
    from tfx.components.example_gen import utils
    from tfx.components.example_gen.custom_executors import parquet_executor
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import standard_artifacts
    from tfx.utils import proto_utils

    from tfx_wine_ext import ParquetExecutor
    from tfx_wine_ext.columnar.options import IngestOptions
    from tfx_wine_ext.types import parquet_example_gen as keys

    logging.disable(logging.WARNING)
    context = BaseBeamExecutor.Context(beam_pipeline_args=list(beam))
    executor = {"ours": ParquetExecutor, "TFX": parquet_executor.Executor}[who](context)
    input_config = utils.make_default_input_config(path.name)
    examples = standard_artifacts.Examples()
    examples.uri = str(output)
    properties = {
        "input_base": str(path.parent),
        "input_config": proto_utils.proto_to_json(input_config),
        "output_config": proto_utils.proto_to_json(utils.make_default_output_config(input_config)),
        "output_data_format": 6,  # FORMAT_TF_EXAMPLE
    }
    if shards:
        properties[keys.INGEST_OPTIONS_KEY] = IngestOptions(num_shards=shards).to_json()
    print("BEGIN", flush=True)
    started = time.perf_counter()
    executor.Do({}, {"examples": [examples]}, properties)
    print("END", time.perf_counter() - started, flush=True)


def measured(who: str, path: pathlib.Path, shards: int = 0, beam: Sequence[str] = ()) -> Measured:
    """Runs one executor in a separate process; 0 shards for as many as are made by default."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "benchmarks.parquet_example_gen"]
        return measure([*command, "--child", who, str(path), output, str(shards), *beam])


def floor_seconds(path: pathlib.Path) -> float:
    """Returns the minimum time of any executor: decoding, and compressing the output's bytes.

    The bytes are those of our uncompressed examples; one thread is used.
    """
    from isal import igzip

    from tfx_wine_ext.columnar import encode_examples, frame_records, plan_features

    parquet = pq.ParquetFile(path)
    plan = plan_features(parquet.schema_arrow)
    total = 0.0
    batches: Iterator[pa.RecordBatch] = parquet.iter_batches(batch_size=32768, use_threads=False)
    while True:
        started = time.perf_counter()
        batch = next(batches, None)
        total += time.perf_counter() - started
        if batch is None:
            return total
        framed = frame_records(encode_examples(batch, plan))
        started = time.perf_counter()
        igzip.compress(framed, 1)
        total += time.perf_counter() - started


def compare(kind: str, rows: int, folder: pathlib.Path) -> None:
    """Measures both executors on one table and prints a table."""
    ours, theirs = folder / "ours.parquet", folder / "tfx.parquet"
    write_table(ours, kind, rows, for_tfx=False)
    write_table(theirs, kind, rows, for_tfx=True)
    results = {"ours": measured("ours", ours), "TFX": measured("TFX", theirs)}
    print(f"\n{rows:,} rows x {kind}\n")
    print("| | seconds | peak memory (MB) | above the imports (MB) |\n|---|---|---|---|")
    for who, result in results.items():
        print(f"| {who} | {result.seconds:.2f} | {result.peak:.0f} | {result.above:.0f} |")
    one, other = results["TFX"], results["ours"]
    print(
        f"| ratio | {one.seconds / other.seconds:.1f} | {one.peak / other.peak:.1f} | "
        f"{one.above / other.above:.1f} |"
    )
    floor = floor_seconds(ours)
    print(
        f"\nFloor (decode, and gzip of the same bytes, one thread): {floor:.2f} s; ours takes "
        f"{results['ours'].seconds / floor:.1f} times that.",
        flush=True,
    )


def alone(kind: str, rows: int, repeats: int, folder: pathlib.Path) -> None:
    """Measures ours and the floor in turns, and prints the best of each."""
    path = folder / "alone.parquet"
    write_table(path, kind, rows, for_tfx=False)
    runs = [(measured("ours", path), floor_seconds(path)) for _ in range(repeats)]
    ours = min((run for run, _ in runs), key=lambda run: run.seconds)
    floor = min(seconds for _, seconds in runs)
    print(
        f"\n{rows:,} rows x {kind}, best of {repeats}: {ours.seconds:.2f} s, "
        f"{ours.above:.0f} MB above the imports; floor {floor:.2f} s; "
        f"ours takes {ours.seconds / floor:.1f} times that.",
        flush=True,
    )


def workers(sizes: list[int], shards: int, folder: pathlib.Path) -> None:
    """Measures ours in one process and on two worker processes of Beam, and prints a table."""
    two = [
        "--direct_running_mode=multi_processing",
        "--direct_num_workers=2",
        "--sdk_container_image=unused",  # Otherwise TFX packs itself into an archive.
    ]
    print(f"\nTwo workers, 12 numbers, num_shards={shards}\n")
    print(
        "| rows | one process (s) | two workers (s) | ratio | MB | MB |\n|---|---|---|---|---|---|"
    )
    for rows in sizes:
        path = folder / "workers.parquet"
        write_table(path, "12 numbers", rows, for_tfx=False)
        one, other = measured("ours", path, shards), measured("ours", path, shards, two)
        print(
            f"| {rows:,} | {one.seconds:.2f} | {other.seconds:.2f} | "
            f"{one.seconds / other.seconds:.2f} | {one.above:.0f} | {other.above:.0f} |",
            flush=True,
        )


def grow(sizes: list[int], folder: pathlib.Path) -> None:
    """Measures ours alone on tables of growing length and prints a table."""
    print("\nGrowth, 12 numbers\n")
    print("| rows | seconds | microseconds per row | above the imports (MB) |\n|---|---|---|---|")
    for rows in sizes:
        path = folder / "grow.parquet"
        write_table(path, "12 numbers", rows, for_tfx=False)
        result = measured("ours", path)
        print(
            f"| {rows:,} | {result.seconds:.2f} | {result.seconds / rows * 1e6:.2f} | "
            f"{result.above:.0f} |",
            flush=True,
        )


def main() -> None:
    """Runs all measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="rows of the comparisons (%(default)s)"
    )
    parser.add_argument(
        "--growth",
        type=int,
        nargs="*",
        default=[100_000, 1_000_000, 10_000_000],
        help="rows of the growth measurements",
    )
    parser.add_argument(
        "--kinds", nargs="*", choices=sorted(TABLES), default=list(TABLES), help="tables to compare"
    )
    parser.add_argument(
        "--parts",
        nargs="*",
        choices=PARTS,
        default=PARTS,
        help="what to measure (all): beside TFX; ours and the floor alone; growth; two workers",
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of the part `alone` (%(default)s)"
    )
    parser.add_argument(
        "--worker-rows",
        type=int,
        nargs="*",
        default=[1_000_000, 10_000_000],
        help="rows of the part `workers`",
    )
    parser.add_argument("--shards", type=int, default=4, help="of the part `workers`")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        who, path, output, shards, *beam = options.child
        child(who, pathlib.Path(path), pathlib.Path(output), int(shards), beam)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for kind in options.kinds:
            if "tfx" in options.parts:
                compare(kind, options.rows, folder)
            if "alone" in options.parts:
                alone(kind, options.rows, options.repeats, folder)
        if "growth" in options.parts:
            grow(options.growth, folder)
        if "workers" in options.parts:
            workers(options.worker_rows, options.shards, folder)


if __name__ == "__main__":
    main()
