"""A store of five runs, written once; tests read it."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from benchmarks.stores import TfxStore, drift_document, wine_run
from tfx_wine_ext.lineage.runs import Run, runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store


def ramp(start: float) -> list[float]:
    """200 numbers, evenly spread over 10."""
    return [start + index / 20 for index in range(200)]


@dataclasses.dataclass(frozen=True)
class Five:
    """Five runs: cold, drifted and not blessed, from the cache, near a limit, stopped."""

    store: TfxStore
    ids: list[dict[str, int]]
    snapshot: Snapshot
    runs: list[Run]


@pytest.fixture(scope="session")
def five(tmp_path_factory: pytest.TempPathFactory) -> Five:
    return five_runs(tmp_path_factory.mktemp("five runs"))


def five_runs(folder: pathlib.Path, root: str | None = None) -> Five:
    """Writes the store into a folder, and the artifacts there or below a root."""
    store = TfxStore(folder, root=root)
    data = [{"alcohol": ramp(start), "pH": ramp(0.0)} for start in (0.0, 5.0, 5.0, 5.0, 9.0)]
    plans: list[dict[str, Any]] = [
        {"span": 1, "document": drift_document(None, data[0], 1)},
        {
            "span": 2,
            "document": drift_document(data[0], data[1], 2, 1),
            "metrics": {"r2": 0.25, "mse": 0.75},
            "baseline_metrics": {"r2": 0.125, "mse": 0.875},
            "blessed": False,
        },
        {
            "span": 2,
            "document": drift_document(data[0], data[1], 2, 1),
            "metrics": {"r2": 0.75, "mse": 0.5},
            "cached": True,
            "run_fn": "wine.dnn.run_fn",
        },
        {"span": 3, "document": drift_document(data[2], data[3], 3, 2), "metrics": {"r2": 0.5}},
        {"span": 4, "document": drift_document(data[3], data[4], 4, 3), "mode": "fail"},
    ]
    ids: list[dict[str, int]] = []
    for number, plan in enumerate(plans, 1):
        before = ids[-1] if ids else {}
        ids.append(wine_run(store, f"2026-01-0{number}T00:00:00", before=before, **plan))
    snapshot = Snapshot.read(open_store(store.path))
    return Five(store, ids, snapshot, runs(snapshot))
