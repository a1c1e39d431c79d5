"""Compares the sketch of numbers with the KLL sketch of Apache DataSketches.

Usage: uv pip install --target build/datasketches --no-deps datasketches
       PYTHONPATH=build/datasketches python -m benchmarks quantile_sketch [--rows 10000000]
           [--batch-rows 32768] [--k 8192 16384] [--repeats 3]

Prints for each sketch and data set the seconds of processor time on one thread (the best of the
repeats), the bytes that a worker sends, the largest error of a cumulative share (found by comparing
with all the rows), and the error that the sketch states of itself. KLL states it with a confidence
of 99%.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from tfx_wine_ext.drift import TableSketch

DATA = {
    "normal": lambda random, rows: random.normal(size=rows),
    "lognormal": lambda random, rows: random.lognormal(sigma=2, size=rows),
    "sorted": lambda random, rows: np.sort(random.normal(size=rows)),
}
POINTS = 100_000


def ours(batches: Iterable[np.ndarray], points: np.ndarray):
    """Sketches by this library; returns seconds, bytes, shares at ``points``, and stated error."""
    sketch = TableSketch()
    begin = time.thread_time()
    for batch in batches:
        sketch.add(pa.table({"x": batch}))
    found = sketch.summaries()["x"]
    seconds = time.thread_time() - begin
    steps = found.steps()
    below = np.concatenate([[0], np.cumsum(steps.counts)])
    shares = below[np.searchsorted(steps.points, points, side="right")] / steps.total
    return seconds, len(pickle.dumps(sketch)), shares, found.error


def kll(batches: Iterable[np.ndarray], points: np.ndarray, k: int):
    """Sketches by KLL; returns what `ours` does."""
    from datasketches import kll_doubles_sketch

    sketch = kll_doubles_sketch(k)
    begin = time.thread_time()
    for batch in batches:
        sketch.update(batch)
    seconds = time.thread_time() - begin
    shares = np.array([sketch.get_rank(point, True) for point in points])
    return seconds, len(sketch.serialize()), shares, sketch.normalized_rank_error(False)


def main() -> None:
    """Measures each sketch on each data set and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--batch-rows", type=int, default=32_768)
    parser.add_argument("--k", type=int, nargs="*", default=[8192, 16384])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    sketches = {"ours": ours}
    for k in arguments.k:
        sketches[f"KLL, k={k}"] = lambda batches, points, k=k: kll(batches, points, k)
    for name, make in DATA.items():
        rows = make(np.random.default_rng(0), arguments.rows)
        batches = [
            rows[start : start + arguments.batch_rows]
            for start in range(0, len(rows), arguments.batch_rows)
        ]
        ordered = np.sort(rows)
        points = ordered[:: max(1, len(rows) // POINTS)]
        true = np.searchsorted(ordered, points, side="right") / len(rows)
        for sketch, measure in sketches.items():
            runs = [measure(batches, points) for _ in range(arguments.repeats)]
            seconds = min(run[0] for run in runs)
            error = max(float(np.abs(run[2] - true).max()) for run in runs)
            print(
                f"{name}, {arguments.rows} rows, {sketch}: {seconds:.2f} s, "
                f"{max(run[1] for run in runs) / 1e6:.2f} MB, error {error:.6f}, "
                f"stated {runs[0][3]:.6f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
