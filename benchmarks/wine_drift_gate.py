"""Measures how much spans of wine differ, to choose the gate's limits.

Usage: python -m benchmarks wine_drift_gate [--data FOLDER]

Cuts the white wines into parts in the order of their file, compares each with the previous one,
and the red wines with each part. Prints Markdown tables of the deciding scores, and of the verdicts
by the library's default limits and by the example's.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from examples.wine_quality import data as wine_data
from examples.wine_quality.drift_gate import DRIFT_GATE
from tfx_wine_ext.drift import DriftConfig, DriftResult, compare

METRICS = ("psi", "js", "ks", "wasserstein")
PARTS = (2, 3, 4, 6)
DECIDES = 6
"""Features that must drift, of twelve, for the gate to close."""


class Pair(NamedTuple):
    """Two spans that follow each other."""

    name: str
    before: pa.Table
    after: pa.Table


def good_pairs(white: pa.Table) -> Iterator[Pair]:
    """White wine after white wine: what a gate must let pass."""
    for count in PARTS:
        spans = wine_data.cut(white, count)
        for number, (before, after) in enumerate(zip(spans, spans[1:]), start=2):
            yield Pair(f"white {number}/{count} after {number - 1}/{count}", before, after)


def bad_pairs(white: pa.Table, red: pa.Table) -> Iterator[Pair]:
    """Red wine after white wine: what a gate must stop."""
    for count in PARTS:
        for number, before in enumerate(wine_data.cut(white, count), start=1):
            yield Pair(f"red after white {number}/{count}", before, red)


def random_pairs(white: pa.Table) -> Iterator[Pair]:
    """White wine after white wine, in random order: the effect of chance."""
    shuffled = white.take(np.random.default_rng(0).permutation(white.num_rows))
    spans = wine_data.cut(shuffled, 3)
    for number, (before, after) in enumerate(zip(spans, spans[1:]), start=2):
        yield Pair(f"white, shuffled, {number}/3 after {number - 1}/3", before, after)


def scores(result: DriftResult, metric: str) -> list[float]:
    """Returns the scores of all features, the largest first."""
    return sorted((each.metrics[metric].value for each in result.features), reverse=True)


def said(result: DriftResult) -> str:
    """Returns the verdict and how many features drifted."""
    return f"{result.verdict.value} ({round(result.share_drifted * len(result.features))})"


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a folder with the files of both kinds")
    options = parser.parse_args()
    white, red = (wine_data.load(options.data, kind=kind) for kind in ("white", "red"))
    if {white.source, red.source} != {"real"}:
        print("not measured: the real wine data are not there", file=sys.stderr)
        return 1
    groups = (
        list(random_pairs(white.table)),
        list(good_pairs(white.table)),
        list(bad_pairs(white.table, red.table)),
    )
    print(f"largest score / score number {DECIDES} of 12; features that drifted in brackets\n")
    print(f"| spans | {' | '.join(METRICS)} | by default | by the example |")
    print("|---" * (len(METRICS) + 3) + "|")
    measured: list[list[DriftResult]] = [[] for _ in groups]
    for group, results in zip(groups, measured):
        for pair in group:
            by_default = compare(pair.before, pair.after, DriftConfig())
            results.append(compare(pair.before, pair.after, DRIFT_GATE))
            found = [scores(by_default, metric) for metric in METRICS]
            cells = " | ".join(f"{score[0]:.2f} / {score[DECIDES - 1]:.2f}" for score in found)
            print(f"| {pair.name} | {cells} | {said(by_default)} | {said(results[-1])} |")
    print("\n| metric | good, largest | between | bad, number six | limit |\n|---|---|---|---|---|")
    for metric in METRICS:
        good = max(scores(result, metric)[0] for result in measured[1])
        bad = min(scores(result, metric)[DECIDES - 1] for result in measured[2])
        limit = DRIFT_GATE.threshold("", metric).fail
        print(f"| {metric} | {good:.3f} | {math.sqrt(good * bad):.3f} | {bad:.3f} | {limit} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
