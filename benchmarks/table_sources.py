"""Measures `ingest` from each file format in rows per second, beside TFX's Avro executor for Avro.

Every measurement is a separate process that imports what it needs, then times the whole work: it
reads a file from disk and writes splits to disk.
"""

from __future__ import annotations

import argparse
import logging
import pathlib
import sys
import tempfile
import time

import fastavro
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather
import pyarrow.orc

from benchmarks.measure import measure
from benchmarks.parquet_example_gen import numeric_batch


def write(path: pathlib.Path, table: pa.Table) -> None:
    """Writes a table in the format that the extension names."""
    if path.suffix == ".orc":
        pyarrow.orc.write_table(table, str(path))
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(table, str(path))
    elif path.suffix == ".csv":
        pa_csv.write_csv(table, str(path))
    elif path.suffix == ".jsonl":
        table.to_pandas().to_json(path, orient="records", lines=True)
    else:
        types = {pa.float64(): "double", pa.int64(): "long"}
        fields = [{"name": field.name, "type": types[field.type]} for field in table.schema]
        schema = {"type": "record", "name": "row", "fields": fields}
        with path.open("wb") as stream:
            rows = (row for batch in table.to_batches(10_000) for row in batch.to_pylist())
            fastavro.writer(stream, schema, rows, codec="deflate")


def child(who: str, path: pathlib.Path, output: pathlib.Path) -> None:
    """Imports what it needs, ingests a file once, and prints when this began and ended."""
    if who == "TFX":
        from tfx.components.example_gen import utils
        from tfx.components.example_gen.custom_executors import avro_executor
        from tfx.types import standard_artifacts
        from tfx.utils import proto_utils

        logging.disable(logging.WARNING)
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
        avro_executor.Executor().Do({}, {"examples": [examples]}, properties)
    else:
        from tfx_wine_ext.cli import main as command

        arguments = ["ingest", str(path), str(output / "out"), "--quiet"]
        print("BEGIN", flush=True)
        started = time.perf_counter()
        if command(arguments):
            sys.exit("ingest failed")
    print("END", time.perf_counter() - started, flush=True)


def main() -> None:
    """Runs all measurements and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows (%(default)s)")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        who, path, output = options.child
        child(who, pathlib.Path(path), pathlib.Path(output))
        return
    table = numeric_batch(0, options.rows)
    print(f"\n{options.rows:,} rows x 12 numbers\n")
    print("| | seconds | rows per second | peak memory (MB) |\n|---|---|---|---|", flush=True)
    seconds = {}
    for extension in ("orc", "feather", "csv", "jsonl", "avro"):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / f"a.{extension}"
            write(path, table)
            for who in ("ours", "TFX") if extension == "avro" else ("ours",):
                output = pathlib.Path(folder) / who
                output.mkdir()
                command = [sys.executable, "-m", "benchmarks.table_sources", "--child"]
                result = measure([*command, who, str(path), str(output)])
                seconds[who, extension] = result.seconds
                name = f"{extension}, {who}" if extension == "avro" else extension
                speed = options.rows / result.seconds
                print(
                    f"| {name} | {result.seconds:.2f} | {speed:,.0f} | {result.peak:.0f} |",
                    flush=True,
                )
    ratio = seconds["TFX", "avro"] / seconds["ours", "avro"]
    print(f"\nAvro: TFX's executor takes {ratio:.1f} times as long.")


if __name__ == "__main__":
    main()
