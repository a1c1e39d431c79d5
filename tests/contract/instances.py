"""The smallest launchable instance of every exported component, for the contract suite.

A new component gets an entry here. Nothing of TFX is imported until an instance is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tfx_wine_ext.sources import Files
from tfx_wine_ext.testing import as_channel, examples_artifact, parquet_file, schema_artifact


@dataclass(frozen=True)
class Instance:
    """How to make one component, and how not to.

    Attributes:
        make: Writes into a new folder what the component reads, and returns the arguments of the
            component's constructor. Called again for each launch.
        refused: Arguments that are bad, each with what the error must say (a regular expression,
            which begins with the argument's name). They replace or join those of `make`.
    """

    make: Callable[[Path], Mapping[str, Any]]
    refused: Sequence[tuple[Mapping[str, Any], str]]


def _parquet_example_gen(folder: Path) -> Mapping[str, Any]:
    parquet_file(folder / "data" / "a.parquet", [{"x": 0}, {"x": 1}, {"x": None}])
    return {"input_base": str(folder / "data")}


def _table_example_gen(folder: Path) -> Mapping[str, Any]:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "a.csv").write_text("x\n0\n1\n\n")
    return {"source": Files(str(folder / "data"))}


def _drift_report(folder: Path) -> Mapping[str, Any]:
    splits = {"train": [{"x": value / 10} for value in range(30)]}
    current = examples_artifact(folder / "current", splits, span=2)
    baseline = examples_artifact(folder / "baseline", splits, span=1)
    return {"examples": as_channel(current), "baseline": as_channel(baseline)}


def _ragged_schema_gen(folder: Path) -> Mapping[str, Any]:
    schema = 'feature { name: "m" type: INT }'
    examples = examples_artifact(folder / "examples", {"train": [{"m": 1}]})
    schema_artifact(folder / "examples" / "_ragged_schema", schema)
    return {
        "examples": as_channel(examples),
        "schema": as_channel(schema_artifact(folder / "schema", schema)),
    }


def _warm_start_trainer(folder: Path) -> Mapping[str, Any]:
    splits = {"train": [{"x": 1.0}], "eval": [{"x": 2.0}]}
    examples = examples_artifact(folder / "examples", splits)
    return {
        "examples": as_channel(examples),
        "run_fn": "tests.components.warm_run_fn.run_fn",
    }


INSTANCES: Mapping[str, Instance] = {
    "DriftReport": Instance(
        make=_drift_report,
        refused=[
            ({"examples": None}, "examples: expected either .* found neither"),
            ({"mode": "stop"}, "mode: expected one of report, warn, fail, found 'stop'"),
            ({"split": ""}, "split: expected the name of a split, found ''"),
            ({"config": {"q": 2}}, "config: q must be above 0 and at most 1, found 2"),
        ],
    ),
    "ParquetExampleGen": Instance(
        make=_parquet_example_gen,
        refused=[
            ({"output_data_format": 99}, "output_data_format: expected .*found 99"),
            ({"columns": "x"}, "columns: expected a sequence"),
            ({"num_shards": 0}, "num_shards: expected .*found 0"),
            ({"filters": "x > 1"}, "filters: expected a list"),
        ],
    ),
    "RaggedSchemaGen": Instance(
        make=_ragged_schema_gen,
        refused=[
            ({"examples": None}, "examples: expected a channel.* found None"),
            ({"schema": "schema.pbtxt"}, "schema: expected a channel.* found 'schema.pbtxt'"),
        ],
    ),
    "TableExampleGen": Instance(
        make=_table_example_gen,
        refused=[
            ({"source": "data"}, "source: expected a description"),
            ({"output_data_format": 99}, "output_data_format: expected .*found 99"),
            ({"exclude_columns": "x"}, "exclude_columns: expected a sequence"),
            ({"shuffle_seed": -1}, "shuffle_seed: expected .*found -1"),
        ],
    ),
    "WarmStartTrainer": Instance(
        make=_warm_start_trainer,
        refused=[
            ({"run_fn": None}, "run_fn: expected either .* found neither"),
            ({"custom_config": [1]}, r"custom_config: expected a mapping, found \[1\]"),
            ({"warm_start": {"shrink": 2}}, "warm_start: shrink must be above 0 .*found 2"),
        ],
    ),
}


def instance_of(name: str) -> Instance:
    """Returns the entry of a component, or fails the test and says what is missing."""
    if name not in INSTANCES:
        pytest.fail(
            f"{name} is exported, but the contract suite has no instance of it: add "
            f"{name!r}: Instance(make=..., refused=[...]) to INSTANCES in {Path(__file__).name}, "
            "with the arguments of the smallest launch and some that must be refused"
        )
    return INSTANCES[name]
