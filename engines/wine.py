"""The wine pipeline on two spans: what it gave, compared with what it gives in one process."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tensorflow_metadata.proto.v0 import statistics_pb2

from engines.checks import Check, EngineError
from engines.installing import CHECKOUT
from engines.servers import tail
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.lineage.runs import Run, runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

R2 = "squared_pearson_correlation"
STATISTICS_TOLERANCE = 1e-9
"""By how much means may differ, in their own size: engines add in another order."""
R2_TOLERANCE = 0.02
"""By how much R2 may differ: engines give the rows to the trainer in another order."""


@dataclass(frozen=True)
class SpanResult:
    """What the pipeline made of one span.

    Attributes:
        state: MLMD's name of the state of the run.
        rows: Number of rows by split.
        shards: SHA-256 of each file of the Examples, by split folder and name.
        statistics: What StatisticsGen computed, by split folder, feature and name.
        verdict: Of the drift report.
        start: ``cold``, or ``warm`` with the number of the generation.
        r2: Squared correlation on the eval split.
        blessed: Whether the Evaluator blessed the model.
        pushed: Whether it was pushed.
    """

    state: str
    rows: Mapping[str, int] | None
    shards: Mapping[str, str]
    statistics: Mapping[str, float]
    verdict: str | None
    start: str | None
    r2: float | None
    blessed: bool | None
    pushed: bool


@dataclass(frozen=True)
class Result:
    """What the pipeline made of all spans.

    Attributes:
        spans: Of each span, in their order.
        seconds: How long it took, imports included; None if unknown.
        folder: Of all results, with the data in ``data``; None if they are elsewhere.
    """

    spans: tuple[SpanResult, ...]
    seconds: float | None = None
    folder: Path | None = None


def two_spans(
    folder: Path,
    *arguments: str,
    python: Path | str = sys.executable,
    env: Mapping[str, str] | None = None,
    store: str | None = None,
) -> Result:
    """Runs the wine pipeline on two spans, the second with a warm start, and reads what it did.

    Args:
        folder: For the results (`--output`).
        arguments: Further options of `examples.wine_quality.run`, such as ``--runner=spark``.
        python: Runs it.
        env: Added to the environment.
        store: The metadata store, if it is not the one in the folder.

    Raises:
        EngineError: A run failed. The message has the end of what it printed.
    """
    log = folder / "printed"
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("wb") as stream:
        status = subprocess.run(
            [str(python), "-m", "engines.two_spans", "--output", str(folder), *arguments],
            cwd=CHECKOUT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        ).returncode
    if status:
        raise EngineError(f"the wine pipeline ended with status {status}:\n{tail(log)}")
    result = read(store or str(folder / "metadata.db"), time.monotonic() - started)
    return replace(result, folder=folder)


def read(store: str, seconds: float | None = None) -> Result:
    """Reads from a store and its artifacts what the runs made.

    Args:
        store: As `open_store` takes it.
        seconds: How long it took.
    """
    recorded = runs(Snapshot.read(open_store(store)))
    return Result(tuple(_span_result(run) for run in recorded), seconds)


def compare(in_process: Result, on_engine: Result) -> Iterator[Check]:
    """Compares two results, span by span.

    Args:
        in_process: Of the runs in one process.
        on_engine: Of the others.
    """
    yield Check("runs", len(in_process.spans), len(on_engine.spans))
    for number, (expected, found) in enumerate(zip(in_process.spans, on_engine.spans), start=1):
        name = f"span {number}: "
        yield Check(f"{name}state", expected.state, found.state)
        yield Check(f"{name}rows", _words(expected.rows), _words(found.rows))
        yield Check(
            f"{name}shards",
            f"{len(expected.shards)} files",
            "the same bytes" if found.shards == expected.shards else f"{len(found.shards)} others",
            holds=bool(expected.shards) and found.shards == expected.shards,
        )
        yield Check(
            f"{name}statistics",
            f"{len(expected.statistics)} numbers",
            "the same" if _close(expected.statistics, found.statistics) else "others",
            holds=_close(expected.statistics, found.statistics),
        )
        yield Check(f"{name}drift", expected.verdict, found.verdict)
        yield Check(f"{name}start", expected.start, found.start)
        near = None not in (expected.r2, found.r2)
        near = near and abs(expected.r2 - found.r2) <= R2_TOLERANCE  # type: ignore[operator]
        yield Check(f"{name}R2", _rounded(expected.r2), _rounded(found.r2), holds=near)
        yield Check(
            f"{name}blessed, pushed",
            f"{expected.blessed}, {expected.pushed}",
            f"{found.blessed}, {found.pushed}",
        )


def _span_result(run: Run) -> SpanResult:
    examples, drift, model, r2 = run.examples, run.drift, run.model, run.metrics.get(R2)
    start = f"warm {model.generation}" if model and model.warm else "cold"
    return SpanResult(
        state=run.state,
        rows=dict(examples.rows) if examples and examples.rows else None,
        shards=shards(examples.uri) if examples else {},
        statistics=statistics_of(run.statistics.uri) if run.statistics else {},
        verdict=drift.verdict if drift else None,
        start=start if model else None,
        r2=r2.value if r2 else None,
        blessed=run.blessed,
        pushed=bool(run.pushed),
    )


def shards(uri: str) -> dict[str, str]:
    """Returns the SHA-256 of each file of Examples, by its path below their folder."""
    files = files_for(uri)
    digests = {}
    for path in files.glob(f"{uri}/Split-*/*"):
        with files.open(path) as stream:
            digests[path[len(uri) + 1 :]] = hashlib.sha256(stream.read()).hexdigest()
    return digests


def statistics_of(uri: str) -> dict[str, float]:
    """Reads the numbers of all features and splits."""
    files, numbers = files_for(uri), {}
    for path in files.glob(f"{uri}/Split-*/FeatureStats.pb"):
        with files.open(path) as stream:
            read = statistics_pb2.DatasetFeatureStatisticsList.FromString(stream.read())
        for feature in read.datasets[0].features:
            name = f"{path[len(uri) + 1 :].partition('/')[0]}/{'.'.join(feature.path.step)}"
            of_kind = getattr(feature, feature.WhichOneof("stats"))
            for message in (of_kind, of_kind.common_stats):
                for field, value in message.ListFields():
                    if isinstance(value, (int, float)):
                        numbers[f"{name}/{field.name}"] = float(value)
    return numbers


def _close(expected: Mapping[str, float], found: Mapping[str, float]) -> bool:
    return bool(expected) and all(
        math.isclose(expected.get(key, math.inf), found.get(key, 0), rel_tol=STATISTICS_TOLERANCE)
        for key in expected.keys() | found.keys()
    )


def _words(rows: Mapping[str, int] | None) -> str:
    return ", ".join(f"{count} {split}" for split, count in sorted((rows or {}).items()))


def _rounded(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
