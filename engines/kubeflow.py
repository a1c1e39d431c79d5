"""Kubeflow Pipelines v2 and Vertex AI, emulated: compiled, and each task run as in its container."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engines import installing
from engines.checks import Check
from engines.wine import R2, Result, SpanResult, compare, shards
from tfx_wine_ext.artifacts.properties import rows_by_split, whole
from tfx_wine_ext.lineage.evaluation import read_metrics
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store
from tfx_wine_ext.types import drift_report as drift_keys
from tfx_wine_ext.types import warm_start_trainer as model_keys

# What `tfx[kfp]` adds to each release of TFX, whose protobuf it takes as it is.
_PACKAGES = {
    "1.16": (
        "kfp==2.5.0",
        "kfp-pipeline-spec==0.2.2",
        "kfp-server-api==2.0.5",
        "requests-toolbelt==0.10.1",
    ),
    "1.21": (
        "kfp==2.16.1",
        "kfp-pipeline-spec==2.16.1",
        "kfp-server-api==2.16.1",
        "requests-toolbelt==1.0.0",
        "click-option-group==0.5.7",
    ),
}
# What differs between two reports of the same data: times and places.
_NOT_COMPARED = ("created", "uri")


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Compiles the wine pipeline cold and warm, and runs its tasks on two spans.

    Args:
        folder: For all results.
        in_process: What the two spans gave without Kubeflow, in the folder ``in-process`` beside.
    """
    packages = _PACKAGES[version("tfx").rpartition(".")[0]]
    python = installing.layer("kubeflow/venv", packages)
    data, started = in_process.folder / "data", time.monotonic()
    module = ["-m", "engines.kubeflow_backend", str(data), str(folder)]
    installing.run([python, *module], folder / "printed", cwd=installing.CHECKOUT)
    seconds = time.monotonic() - started
    made = json.loads((folder / "runs.json").read_text())
    emulated = Result(tuple(map(_span_result, made)), folder, seconds)
    yield from compare(in_process, emulated)
    expected = [run.drift for run in runs(Snapshot.read(open_store(str(in_process.folder / "metadata.db"))))]
    for number, (run_made, drift) in enumerate(zip(made, expected), start=1):
        yield from _more(number, run_made, drift.uri)


def _span_result(made: Mapping[str, Any]) -> SpanResult:
    examples = made["ParquetExampleGen"]["examples"]
    model = _trainer(made)["model"]["metadata"]
    warm = whole(model.get(model_keys.WARM_START_KEY)) == 1
    blessed = whole(made["Evaluator"]["blessing"]["metadata"]["blessed"]) == 1
    r2 = read_metrics(made["Evaluator"]["evaluation"]["uri"]).metrics.get(R2)
    return SpanResult(
        state="COMPLETE",
        rows=rows_by_split(examples["metadata"]),
        shards=shards(examples["uri"]),
        verdict=made["DriftReport"]["report"]["metadata"][drift_keys.VERDICT_KEY],
        start=f"warm {whole(model[model_keys.GENERATION_KEY])}" if warm else "cold",
        r2=r2.value if r2 else None,
        blessed=blessed,
        pushed=whole(made["Pusher"]["pushed_model"]["metadata"]["pushed"]) == 1,
    )
