"""Measures `ingest` from each file format, beside TFX's own components for CSV and for Avro.

All formats hold the same rows: 9 floats, 2 whole numbers and a word, like wines. Every measurement
is a separate process that imports what it needs, then times the whole work: it reads a file from
disk and writes splits to disk. Beside the command `ingest` stand the executors of TableExampleGen,
which also fingerprints the file before it reads it, of CsvExampleGen, and of FileBasedExampleGen
with the Avro executor, each on Beam's DirectRunner.
"""

from __future__ import annotations

import argparse
import json
import logging
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterator

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq

from benchmarks.measure import Measured, measure

SEED = 20260101
BATCH_ROWS = 100_000
# Name, mean, deviation and decimals of each number, about as the real wines have them.
FLOATS = (
    ("fixed acidity", 7.2, 1.3, 1),
    ("volatile acidity", 0.34, 0.16, 3),
    ("citric acid", 0.32, 0.15, 2),
    ("residual sugar", 5.4, 4.8, 2),
    ("chlorides", 0.056, 0.035, 3),
    ("density", 0.9947, 0.003, 5),
    ("pH", 3.22, 0.16, 2),
    ("sulphates", 0.53, 0.15, 2),
    ("alcohol", 10.5, 1.2, 1),
)
FORMATS = ("csv", "avro", "parquet", "orc", "feather", "jsonl")
COMPARED = {"csv": "CsvExampleGen", "avro": "TFX's Avro executor"}


def wines(rows: int) -> Iterator[pa.Table]:
    """Yields tables of 12 columns, to bound memory."""
    for first in range(0, rows, BATCH_ROWS):
        count = min(BATCH_ROWS, rows - first)
        random = np.random.default_rng([SEED, first])
        columns = {
            name: np.abs(random.normal(mean, deviation, count)).round(decimals)
            for name, mean, deviation, decimals in FLOATS
        }
        yield pa.table(
            {
                **columns,
                "total sulfur dioxide": random.integers(6, 440, count),
                "quality": random.integers(3, 10, count),
                "colour": random.choice(["red", "white"], count, p=[0.25, 0.75]).tolist(),
            }
        )


def write(path: pathlib.Path, rows: int) -> None:
    """Writes the wines in the format that the extension names."""
    schema = next(wines(1)).schema
    if path.suffix == ".csv":
        with pa_csv.CSVWriter(path, schema) as writer:
            for table in wines(rows):
                writer.write_table(table)
    elif path.suffix == ".parquet":
        with pq.ParquetWriter(path, schema) as writer:
            for table in wines(rows):
                writer.write_table(table)
    elif path.suffix == ".orc":
        # At once: with pyarrow 10, a second table that a writer gets overwrites the first one.
        pyarrow.orc.write_table(pa.concat_tables(wines(rows)), str(path))
    elif path.suffix == ".feather":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for table in wines(rows):
                writer.write_table(table, max_chunksize=BATCH_ROWS)
    elif path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as stream:
            for table in wines(rows):
                stream.writelines(f"{json.dumps(row)}\n" for row in table.to_pylist())
    else:
        types = {pa.float64(): "double", pa.int64(): "long", pa.string(): "string"}
        # Names in Avro have no spaces.
        fields = [{"name": f.name.replace(" ", "_"), "type": types[f.type]} for f in schema]
        names = [field["name"] for field in fields]
        record = {"type": "record", "name": "wine", "fields": fields}
        records = (row for table in wines(rows) for row in table.rename_columns(names).to_pylist())
        with path.open("wb") as stream:
            fastavro.writer(stream, record, records, codec="deflate")


def child(who: str, path: pathlib.Path, output: pathlib.Path) -> None:
    """Imports what it needs, ingests a file once, and prints when this began and ended."""
    if who == "TableExampleGen":
        from tfx.types import standard_artifacts

        from tfx_wine_ext import TableExampleGen, sources
        from tfx_wine_ext.executors.table_example_gen import TableExecutor

        component = TableExampleGen(source=sources.Files(str(path.parent), path.name))
        examples = standard_artifacts.Examples()
        examples.uri = str(output)
        print("BEGIN", flush=True)
        started = time.perf_counter()
        TableExecutor().Do({}, {"examples": [examples]}, dict(component.exec_properties))
    elif who == "TFX":
        from tfx.components.example_gen import utils
        from tfx.components.example_gen.csv_example_gen import executor as csv_executor
        from tfx.components.example_gen.custom_executors import avro_executor
        from tfx.types import standard_artifacts
        from tfx.utils import proto_utils

        logging.disable(logging.WARNING)
        executor = {".csv": csv_executor, ".avro": avro_executor}[path.suffix].Executor()
        input_config = utils.make_default_input_config(path.name)
        outputs = utils.make_default_output_config(input_config)
        examples = standard_artifacts.Examples()
        examples.uri = str(output)
        properties = {
            "input_base": str(path.parent),
            "input_config": proto_utils.proto_to_json(input_config),
            "output_config": proto_utils.proto_to_json(outputs),
            "output_data_format": 6,  # FORMAT_TF_EXAMPLE
        }
        print("BEGIN", flush=True)
        started = time.perf_counter()
        executor.Do({}, {"examples": [examples]}, properties)
    else:
        from tfx_wine_ext.cli import main as command

        arguments = ["ingest", str(path), str(output / "out"), "--quiet"]
        print("BEGIN", flush=True)
        started = time.perf_counter()
        if command(arguments):
            sys.exit("ingest failed")
    print("END", time.perf_counter() - started, flush=True)


def measured(who: str, path: pathlib.Path) -> Measured:
    """Ingests a file in a separate process."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "benchmarks.table_sources", "--child"]
        return measure([*command, who, str(path), output])


def main() -> None:
    """Runs all measurements and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows (%(default)s)")
    parser.add_argument(
        "--times", type=int, default=3, help="measure memory with so many times the rows, too (3)"
    )
    parser.add_argument(
        "--formats", nargs="*", choices=FORMATS, default=FORMATS, help="default: all"
    )
    parser.add_argument("--alone", action="store_true", help="leave TFX out")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        who, path, output = options.child
        child(who, pathlib.Path(path), pathlib.Path(output))
        return
    print(f"\n{options.rows:,} rows x 12 columns\n")
    more = f"peak with {options.times} times the rows" if options.times > 1 else ""
    print(f"| | file (MB) | seconds | rows per second | peak memory (MB) | {more} |")
    print("|---|---|---|---|---|---|", flush=True)

    def show(name: str, size: float, result: Measured, grown: str) -> None:
        speed = options.rows / result.seconds
        print(
            f"| {name} | {size:.0f} | {result.seconds:.2f} | {speed:,.0f} | {result.peak:.0f} | "
            f"{grown} |",
            flush=True,
        )

    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for extension in options.formats:
            path = pathlib.Path(folder) / f"a.{extension}"
            write(path, options.rows)
            size = path.stat().st_size / 1e6
            ours = measured("ingest", path)
            if extension in COMPARED and not options.alone:
                component, theirs = measured("TableExampleGen", path), measured("TFX", path)
                show(f"{extension}, {COMPARED[extension]}", size, theirs, "")
                show(f"{extension}, TableExampleGen", size, component, "")
                ratio, memory = theirs.seconds / component.seconds, theirs.peak / component.peak
                ratios.append(
                    f"{COMPARED[extension]} takes {ratio:.1f} times as long as TableExampleGen, "
                    f"and {memory:.1f} times the memory."
                )
            grown = ""
            if options.times > 1:
                write(path, options.rows * options.times)
                grown = f"{measured('ingest', path).peak:.0f}"
            show(extension, size, ours, grown)
            path.unlink()
    print("", *ratios, sep="\n")


if __name__ == "__main__":
    main()
