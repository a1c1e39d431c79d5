"""ParquetExampleGen and DriftReport alone, with several tasks each, in this process.

python -m engines.two_components --output FOLDER [--rows N] [--steps STEP,...] [BEAM ARGUMENT ...]

Steps are ``good`` and ``bad``, each a ParquetExampleGen, and ``drift`` between the splits of the
examples that are in FOLDER by then. What they did is written to FOLDER/result.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engines.wine import shards

if TYPE_CHECKING:
    from tfx.dsl.components.base.base_component import BaseComponent

    from tfx_wine_ext.testing import RecordedMetadata

STEPS = ("good", "bad", "drift")
ROW_GROUPS = 20
SHARDS = 8


def write_data(folder: Path, rows: int) -> None:
    """Writes a good file, and one with a number that no tf.Example can hold."""
    for name in ("good", "bad"):
        (folder / name).mkdir(parents=True)
    random, count = np.random.default_rng(1), rows // ROW_GROUPS
    with pq.ParquetWriter(folder / "good" / "numbers.parquet", _group(random, 0, 1).schema) as file:
        for group in range(ROW_GROUPS):
            file.write_table(_group(random, group * count, count))
    table = pa.table({"x": [1, 2, 3], "big": pa.array([1, 2, 2**63], pa.uint64())})
    pq.write_table(table, folder / "bad" / "big.parquet", row_group_size=1)


def _group(random: np.random.Generator, first: int, rows: int) -> pa.Table:
    columns: dict[str, Any] = {f"x{number}": random.normal(size=rows) for number in range(10)}
    columns["id"] = np.arange(first, first + rows)
    columns["category"] = random.integers(0, 50, rows)
    return pa.table(columns)


def main(arguments: list[str]) -> int:
    """Returns 0; what failed is in the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--compare", action="store_true", help="run all of it in process, too")
    options, beam = parser.parse_known_args(arguments)
    output, steps = options.output.absolute(), options.steps.split(",")
    if not (output / "data").exists():
        write_data(output / "data", options.rows)
    beam = ["--sdk_container_image=unused", *beam] if beam else []
    result = {"on the engine": _all_done(steps, output, output, beam)}
    if options.compare:
        result["in process"] = _all_done(steps, output, output / "in-process", [])
    (output / "result.json").write_text(json.dumps(result, indent=2))
    return 0


def _all_done(steps: list[str], data: Path, folder: Path, beam: list[str]) -> dict[str, Any]:
    from tfx_wine_ext.testing import SqliteMetadata

    folder.mkdir(exist_ok=True)
    with SqliteMetadata(folder / "metadata.db") as store:
        return {step: _done(step, data / "data", folder, store, beam) for step in steps}


def _done(
    step: str, data: Path, folder: Path, store: RecordedMetadata, beam: list[str]
) -> dict[str, Any]:
    """Runs a component; returns what it made, how it failed, and what it left beside that."""
    from tfx_wine_ext.testing import launch

    component = _component(step, data, store)
    made: dict[str, Any] = {}
    error, root, started = "", folder / "pipeline" / step, time.monotonic()
    try:
        outputs = launch(
            component, pipeline_root=root, store=store, beam_pipeline_args=beam
        ).outputs
        seconds = time.monotonic() - started
        if step == "drift":
            document = json.loads(Path(outputs["report"][0].uri, "drift_report.json").read_text())
            made = {"document": _without_places(document)}
        else:
            [examples] = outputs["examples"]
            made = {"rows": examples.custom_properties["rows"], "shards": shards(examples.uri)}
    except Exception as raised:
        seconds, error = time.monotonic() - started, f"{type(raised).__name__}: {raised}"
    [execution] = store.executions()[-1:]
    live = {artifact.uri for artifact in store.artifacts() if artifact.state == "LIVE"}
    files = [path for path in root.rglob("*") if path.is_file() and ".system" not in path.parts]
    left = [
        str(path.relative_to(root))
        for path in files
        if not any(path.is_relative_to(uri) for uri in live)
        or any(part.startswith(".") for part in path.relative_to(root).parts)
    ]
    return {
        "state": execution.state,
        "error": error,
        "seconds": round(seconds, 1),
        "left": sorted(left),
        **made,
    }


def _component(step: str, data: Path, store: RecordedMetadata) -> BaseComponent:
    from tfx_wine_ext import DriftReport, ParquetExampleGen
    from tfx_wine_ext.testing import as_channel

    if step != "drift":
        return ParquetExampleGen(str(data / step), num_shards=SHARDS)
    [examples] = (each for each in store.artifacts("Examples") if each.state == "LIVE")
    return DriftReport(examples=as_channel(examples), baseline_split="eval")


def _without_places(document: Any) -> Any:
    """Returns a report without times and paths."""
    if isinstance(document, dict):
        return {
            key: _without_places(value)
            for key, value in document.items()
            if key not in ("created", "uri")
        }
    return [_without_places(each) for each in document] if isinstance(document, list) else document


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
