"""Kubeflow Pipelines v2 and Vertex AI, emulated: each task is run as in its container."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engines import installing
from engines.checks import Check
from engines.installing import say
from engines.wine import R2, Result, SpanResult, compare, shards, statistics_of
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
# What a drift report decides about what `LatestArtifactStrategy` finds on each of its runs.
_OF_LATEST = (
    ("first run", "the input 'baseline' has no artifact, as on a first run"),
    ("next span", "Comparing span 2, split train with span 1, split train"),
    ("the same span again", "is not of an earlier span than the current data"),
    ("found too late", "is the current data themselves"),
)
# A custom property has the name of a declared one.
_SPAN = "custom:span"


def python() -> Path:
    """Returns the Python of an environment in which pipelines compile for Kubeflow."""
    packages = _PACKAGES[version("tfx").rpartition(".")[0]]
    return installing.layer("kubeflow/venv", packages)


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Compiles the wine pipeline cold and warm, and runs its tasks on two spans.

    Args:
        folder: For all results.
        in_process: What the two spans gave without Kubeflow.
    """
    assert in_process.folder is not None
    started = time.monotonic()
    places = [str(in_process.folder / "data"), str(folder)]
    command = [str(python()), "-m", "engines.kubeflow_backend", *places]
    installing.run(command, folder / "printed", cwd=installing.CHECKOUT)
    seconds = time.monotonic() - started
    say(f"compiled and emulated in {seconds:.0f} s")
    yield from _checks(
        in_process, in_process.folder, json.loads((folder / "runs.json").read_text())
    )
    decisions = json.loads((folder / "latest.json").read_text())
    for (what, expected), decision in zip(_OF_LATEST, decisions):
        found = re.sub(r" \(\S+\)", "", decision)
        yield Check(f"LatestArtifactStrategy: {what}", expected, found, holds=expected in found)


def _checks(in_process: Result, folder: Path, made: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Compares what the backend's tasks have made with what the runs in one process have."""
    yield from compare(in_process, Result(tuple(map(_span_result, made))))
    store = open_store(str(folder / "metadata.db"))
    for number, (expected, found) in enumerate(zip(runs(Snapshot.read(store)), made), start=1):
        assert expected.drift is not None
        assert expected.model is not None
        report, model = found["DriftReport"]["report"], found["WarmStartTrainer"]["model"]
        examples = found["ParquetExampleGen"]["examples"]["metadata"]
        scores = _scores(expected.drift.uri), _scores(report["uri"])
        yield Check(
            f"span {number}: drift report",
            f"{len(scores[0])} bytes",
            "the same but for times and places" if scores[0] == scores[1] else "another",
            holds=scores[0] == scores[1],
        )
        reasons = expected.model.reason or "", model["metadata"][model_keys.REASON_KEY]
        before, now = map(_without_place, reasons)
        yield Check(f"span {number}: reason of the start", before, now)
        yield Check(f"span {number}: recorded span", number, whole(examples[_SPAN]))
        yield Check(
            f"span {number}: content",
            expected.examples and expected.examples.content_fingerprint,
            examples["content_fingerprint"],
        )


def _span_result(made: Mapping[str, Any]) -> SpanResult:
    """Reads what a run made from what the tasks have given to the backend."""
    examples, evaluator = made["ParquetExampleGen"]["examples"], made["Evaluator"]
    model = made["WarmStartTrainer"]["model"]["metadata"]
    warm = whole(model[model_keys.WARM_START_KEY]) == 1
    r2 = read_metrics(evaluator["evaluation"]["uri"]).model.get(R2)
    return SpanResult(
        state="COMPLETE",
        rows=rows_by_split(examples["metadata"]),
        shards=shards(examples["uri"]),
        statistics=statistics_of(made["StatisticsGen"]["statistics"]["uri"]),
        verdict=made["DriftReport"]["report"]["metadata"][drift_keys.VERDICT_KEY],
        start=f"warm {whole(model[model_keys.GENERATION_KEY])}" if warm else "cold",
        r2=r2.value if r2 else None,
        blessed=whole(evaluator["blessing"]["metadata"]["blessed"]) == 1,
        pushed=whole(made["Pusher"]["pushed_model"]["metadata"]["pushed"]) == 1,
    )


def _scores(uri: str) -> str:
    """Returns a drift report without the times and the places of the data."""
    document = json.loads(Path(uri, drift_keys.REPORT_JSON).read_text())
    del document["created"]
    for side in filter(None, (document["baseline"], document["current"])):
        del side["created"], side["uri"]
    return json.dumps(document, sort_keys=True)


def _without_place(reason: str) -> str:
    """Returns the reason of a warm start without the base's id and folder: Kubeflow has no ids."""
    return re.sub(r"model (\d+ \(\S+\)|\S+/\S+),", "model ...,", reason)
