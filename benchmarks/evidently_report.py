"""Evidently's part of benchmarks.drift_report; runs in a separate environment without ours."""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd


def table(seed: int, rows: int, columns: int, shift: float) -> pd.DataFrame:
    """Returns the table that `benchmarks.drift_report.table` makes."""
    random = np.random.default_rng(seed)
    made = {}
    for i in range(columns):
        if i % 3 == 2:
            made[f"int_{i}"] = random.integers(0, 10_000, rows)
        else:
            made[f"float_{i}"] = random.normal(shift if i % 2 else 0.0, 1.0, rows)
    return pd.DataFrame(made)


def main(rows: int, columns: int, page: str) -> None:
    """Makes both tables, then times the report from there to the page on disk."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    baseline, current = table(1, rows, columns, 0.0), table(2, rows, columns, 0.2)
    print("BEGIN", flush=True)
    started = time.perf_counter()
    Report([DataDriftPreset()]).run(current, baseline).save_html(page)
    print("END", time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
