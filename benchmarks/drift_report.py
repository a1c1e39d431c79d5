"""Compares drift reports with Evidently's, and measures how they grow with rows and columns.

Comparison: each tool gets two tables in memory, in its own format (Arrow, pandas), in a separate
process, and is timed from there to an HTML page on disk. The first run installs Evidently into a
separate environment below the user's cache folder. Growth: the command line reads Parquet files on
disk and writes the page. Component: DriftReport's executor reads Examples on disk, on Beam's
default runner, and writes all its outputs.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import Measured, measure

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
EVIDENTLY = "0.7.23"
# Of the pandas versions that Evidently takes, the newest that it was tested with here.
PEER_REQUIREMENTS = [f"evidently=={EVIDENTLY}", "pandas<2.3"]
ROW_GROUP_ROWS = 100_000
SHIFT = 0.2


def table(seed: int, rows: int, columns: int, shift: float) -> pa.Table:
    """Makes a table of two thirds floats and one third integers.

    Every other float is normal with the mean `shift`, all others with the mean 0.
    `benchmarks.evidently_report.table` makes the same.
    """
    random = np.random.default_rng(seed)
    made = {}
    for i in range(columns):
        if i % 3 == 2:
            made[f"int_{i}"] = random.integers(0, 10_000, rows)
        else:
            made[f"float_{i}"] = random.normal(shift if i % 2 else 0.0, 1.0, rows)
    return pa.table(made)


def in_memory(rows: int, columns: int, page: str) -> None:
    """Makes both tables, then times the report from there to the page on disk."""
    from tfx_wine_ext.drift import DataSource, TableSketch, compare, report_document
    from tfx_wine_ext.report.drift_page import render_drift_page

    sides = table(1, rows, columns, 0.0), table(2, rows, columns, SHIFT)
    print("BEGIN", flush=True)
    started = time.perf_counter()
    sketches = [TableSketch(), TableSketch()]
    for sketch, side in zip(sketches, sides):
        for batch in side.to_batches(max_chunksize=65_536):
            sketch.add(batch)
    result = compare(*(sketch.summaries() for sketch in sketches))
    document = report_document(
        result,
        baseline=DataSource("baseline", rows),
        current=DataSource("current", rows),
        method=sketches[1].method,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(),
    )
    pathlib.Path(page).write_text(render_drift_page(document), encoding="utf-8")
    print("END", time.perf_counter() - started, flush=True)


def from_files(baseline: str, current: str, page: str) -> None:
    """Times the command line, imports aside, from Parquet files to the page on disk."""
    from tfx_wine_ext.cli import main as command
    from tfx_wine_ext.drift import TableSketch  # noqa: F401 (its import is not what is measured)
    from tfx_wine_ext.report import drift_page  # noqa: F401

    print("BEGIN", flush=True)
    started = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        status = command(["drift", baseline, current, "--html", page])
    if status > 1:
        raise RuntimeError("the command failed; what it said stands above")
    print("END", time.perf_counter() - started, flush=True)


def from_examples(baseline: str, current: str, output: str) -> None:
    """Makes Examples of two Parquet files, then times DriftReport's executor on them."""
    import json
    import logging

    from tfx.components.example_gen import utils
    from tfx.proto import example_gen_pb2
    from tfx.types import standard_artifacts
    from tfx.utils import proto_utils

    from tfx_wine_ext import DriftConfig, ParquetExecutor
    from tfx_wine_ext.executors.drift_report import DriftReportExecutor
    from tfx_wine_ext.types import artifacts

    logging.disable(logging.WARNING)
    inputs = {}
    for key, path in (("baseline", baseline), ("examples", current)):
        examples = standard_artifacts.Examples()
        examples.uri = f"{output}/{key}"
        input_config = utils.make_default_input_config(os.path.basename(path))
        properties = {
            "input_base": os.path.dirname(path),
            "input_config": proto_utils.proto_to_json(input_config),
            "output_config": proto_utils.proto_to_json(
                utils.make_default_output_config(input_config)
            ),
            "output_data_format": example_gen_pb2.FORMAT_TF_EXAMPLE,
        }
        ParquetExecutor().Do({}, {"examples": [examples]}, properties)
        inputs[key] = [examples]
    outputs = {
        "report": [artifacts.ExampleDriftReport()],
        "anomalies": [standard_artifacts.ExampleAnomalies()],
        "blessing": [artifacts.DriftBlessing()],
    }
    for key, [artifact] in outputs.items():
        artifact.uri = f"{output}/{key}"
    properties = {
        "split": "train",
        "baseline_split": "train",
        "skew": 0,
        "mode": "report",
        "drift_config": json.dumps(DriftConfig().to_dict()),
    }
    print("BEGIN", flush=True)
    started = time.perf_counter()
    DriftReportExecutor().Do(inputs, outputs, properties)
    print("END", time.perf_counter() - started, flush=True)


def peer_python() -> str:
    """Returns the interpreter of Evidently's environment, which the first call creates."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "tfx_wine_ext" / f"evidently-{EVIDENTLY}"
    python = folder / "bin" / "python"
    stamp = folder / "complete"
    if stamp.exists():
        return str(python)
    shutil.rmtree(folder, ignore_errors=True)
    own_uv = CHECKOUT / ".bootstrap" / "uv-venv" / "bin" / "uv"
    uv = str(own_uv) if own_uv.exists() else shutil.which("uv")
    print(f"installing Evidently {EVIDENTLY} into {folder}", file=sys.stderr)
    if uv:
        commands = [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *PEER_REQUIREMENTS],
        ]
    else:
        commands = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", *PEER_REQUIREMENTS],
        ]
    for command in commands:
        subprocess.run(command, check=True)
    stamp.touch()
    return str(python)


def compare_with_evidently(rows: int, columns: int, folder: pathlib.Path) -> None:
    """Measures both tools on the same tables, one after the other, and prints a table."""
    size = [str(rows), str(columns)]
    pages = {"ours": folder / "ours.html", "Evidently": folder / "evidently.html"}
    script = str(CHECKOUT / "benchmarks" / "evidently_report.py")
    results = {
        "ours": measure([*_child("memory"), *size, str(pages["ours"])]),
        "Evidently": measure([peer_python(), script, *size, str(pages["Evidently"])]),
    }
    sizes = {who: page.stat().st_size / 1e6 for who, page in pages.items()}
    print(f"\n{rows:,} against {rows:,} rows x {columns} columns\n")
    print("| | seconds | peak memory (MB) | above the tables (MB) | HTML (MB) |")
    print("|---|---|---|---|---|")
    for who, each in results.items():
        print(
            f"| {who} | {each.seconds:.2f} | {each.peak:.0f} | {each.above:.0f} | "
            f"{sizes[who]:.2f} |"
        )
    one, other = results["Evidently"], results["ours"]
    print(
        f"| ratio | {one.seconds / other.seconds:.1f} | {one.peak / other.peak:.1f} | "
        f"{one.above / other.above:.1f} | {sizes['Evidently'] / sizes['ours']:.1f} |",
        flush=True,
    )


def grow(name: str, sizes: list[tuple[int, int]], folder: pathlib.Path) -> None:
    """Measures the command line on Parquet files of growing size, and prints a table."""
    print(f"\nGrowth in {name}, from Parquet files\n")
    print(
        "| rows | columns | files (MB) | seconds | ns per value | above the imports (MB) | "
        "HTML (MB) |\n|---|---|---|---|---|---|---|"
    )
    for rows, columns in sizes:
        paths = [folder / "baseline.parquet", folder / "current.parquet"]
        for seed, path in enumerate(paths, 1):
            write_table(path, seed, rows, columns, SHIFT if seed == 2 else 0.0)
        page = folder / "grow.html"
        result: Measured = measure([*_child("files"), *map(str, paths), str(page)])
        read = sum(path.stat().st_size for path in paths) / 1e6
        print(
            f"| {rows:,} | {columns:,} | {read:,.0f} | {result.seconds:.2f} | "
            f"{result.seconds / (2 * rows * columns) * 1e9:.0f} | {result.above:.0f} | "
            f"{page.stat().st_size / 1e6:.2f} |",
            flush=True,
        )


def grow_component(sizes: list[int], folder: pathlib.Path) -> None:
    """Measures DriftReport's executor on Examples of growing length, and prints a table."""
    print("\nThe component, from Examples (two thirds of the rows: the split `train`)\n")
    print(
        "| rows | seconds | ns per value | above what making the Examples took (MB) |\n"
        "|---|---|---|---|"
    )
    for rows in sizes:
        paths = [folder / "baseline.parquet", folder / "current.parquet"]
        for seed, path in enumerate(paths, 1):
            write_table(path, seed, rows, 12, SHIFT if seed == 2 else 0.0)
        with tempfile.TemporaryDirectory(dir=folder) as output:
            result = measure([*_child("examples"), *map(str, paths), output])
        values = 2 * 12 * rows * 2 / 3
        print(
            f"| {rows:,} | {result.seconds:.2f} | {result.seconds / values * 1e9:.0f} | "
            f"{result.above:.0f} |",
            flush=True,
        )


def write_table(path: pathlib.Path, seed: int, rows: int, columns: int, shift: float) -> None:
    """Writes a Parquet file in row groups, to bound the memory of this process."""
    with contextlib.ExitStack() as stack:
        writer = None
        for first in range(0, rows, ROW_GROUP_ROWS):
            part = table(
                seed * 1_000_000 + first, min(ROW_GROUP_ROWS, rows - first), columns, shift
            )
            writer = writer or stack.enter_context(pq.ParquetWriter(path, part.schema))
            writer.write_table(part)


def _child(what: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.drift_report", "--child", what]


def main() -> None:
    """Runs the requested parts; all by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--parts",
        nargs="*",
        choices=["evidently", "rows", "columns", "component"],
        default=["evidently", "rows", "columns", "component"],
        help="what to measure (all)",
    )
    parser.add_argument(
        "--rows",
        type=int,
        help="rows of the comparison (1,000,000) and of the growth in columns (20,000)",
    )
    parser.add_argument(
        "--row-growth",
        type=int,
        nargs="*",
        default=[100_000, 1_000_000, 10_000_000],
        help="rows of the growth in rows, each of 12 columns",
    )
    parser.add_argument(
        "--column-growth",
        type=int,
        nargs="*",
        default=[12, 100, 1_000, 4_000],
        help="columns of the growth in columns",
    )
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, one, other, page = options.child
        if what == "memory":
            in_memory(int(one), int(other), page)
        elif what == "examples":
            from_examples(one, other, page)
        else:
            from_files(one, other, page)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if "evidently" in options.parts:
            compare_with_evidently(options.rows or 1_000_000, 12, folder)
        if "rows" in options.parts:
            grow("rows", [(rows, 12) for rows in options.row_growth], folder)
        if "columns" in options.parts:
            rows = options.rows or 20_000
            grow("columns", [(rows, columns) for columns in options.column_growth], folder)
        if "component" in options.parts:
            grow_component(options.row_growth, folder)


if __name__ == "__main__":
    main()
