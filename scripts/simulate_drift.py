"""Measures by simulation how often the verdict of tfx_wine_ext.drift is wrong.

Usage: python scripts/simulate_drift.py --pairs 500 --sizes 100,1000,100000 --mode exact
       python scripts/simulate_drift.py --mode classifier --sizes 200,1000 --pairs 200

For each kind of table and each size, it draws pairs of samples from one distribution and counts how
often drift is reported (false alarms), and pairs with one side shifted by 0.2 standard deviations
and counts how often that is found (power). It prints a Markdown table. The same seed draws the same
samples.

Modes: `exact`; `sketch`, with limits so small that few rows are compressed too (see LIMITS);
`classifier`, the classifier two-sample test alone, whose power is that against two columns of which
the correlation goes from 0 to 0.6.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tfx_wine_ext.drift import SketchLimits, TableSketch, Verdict, compare
from tfx_wine_ext.drift.classifier import classifier_two_sample

SHIFT, CORRELATION = 0.2, 0.6
# By the number of rows up to which they are used, so that all of them are really compressed: the
# defaults would keep 1,000 rows exactly.
LIMITS = {
    100: SketchLimits(numbers=10, buffer=64, categories=20, kept=10),
    30_000: SketchLimits(numbers=100, buffer=512, categories=200, kept=100),
}


def one_number(rng: np.random.Generator, n: int, shift: float) -> pa.Table:
    """A single normal column: one wrong feature is a wrong verdict."""
    return pa.table({"normal": rng.standard_normal(n) + shift})


def categories(rng: np.random.Generator, n: int, shift: float) -> pa.Table:
    """A single column of ten categories: a normal variable, cut at its deciles."""
    cuts = [-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816]
    codes = np.searchsorted(cuts, rng.standard_normal(n) + shift)
    return pa.table({"category": _words(codes)})


def mixed(rng: np.random.Generator, n: int, shift: float) -> pa.Table:
    """Twelve realistic columns, including awkward ones; all that can be are shifted."""

    def normal() -> npt.NDArray[np.float64]:
        return rng.standard_normal(n) + shift

    holes = normal()
    return pa.table(
        {
            "normal": normal(),
            "lognormal": np.exp(normal()),
            "heavy_tails": rng.standard_t(2, n) + shift,
            "ties": np.round(normal() * 2),
            "mostly_zero": np.where(rng.random(n) < 0.7, 0.0, normal()),
            "binary": normal() > 0,
            "with_nulls": pa.array(holes, mask=rng.random(n) < 0.2),
            "with_nan": np.where(rng.random(n) < 0.1, np.nan, normal()),
            "category": _words(np.searchsorted([-1.0, 0.0, 1.0], normal())),
            "skewed_category": _words(np.floor(np.exp(2 * normal())).astype(int)),
            "nearly_unique": _words(rng.integers(0, 10 * n, n)),
            "constant": np.ones(n),
        }
    )


def _words(codes: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(codes).cast(pa.string())


def together(rng: np.random.Generator, n: int, correlation: float) -> pa.Table:
    """Ten normal columns, of which two may be correlated; each alone is unchanged."""
    columns = rng.standard_normal((10, n))
    columns[1] = correlation * columns[0] + (1 - correlation**2) ** 0.5 * columns[1]
    return pa.table({f"x{i}": column for i, column in enumerate(columns)})


TABLES = {"one number": one_number, "ten categories": categories, "twelve columns": mixed}


def sketched(table: pa.Table) -> TableSketch:
    """A sketch of the table, fed in tenths, with limits that compress it."""
    limits = next((x for rows, x in LIMITS.items() if table.num_rows <= rows), SketchLimits())
    sketch = TableSketch(limits=limits)
    for batch in table.to_batches(max(table.num_rows // 10, 1)):
        sketch.add(batch)
    return sketch


def outcomes(
    kind: str, n: int, m: int, shift: float, pairs: int, seed: int, mode: str = "exact"
) -> Iterator[tuple[Verdict, dict[str, Verdict]]]:
    """Compares `pairs` pairs of n and m rows, the second one shifted."""
    draw = TABLES[kind]
    for pair in range(pairs):
        rng = np.random.default_rng([seed, n, m, pair])
        before, after = draw(rng, n, 0.0), draw(rng, m, shift)
        if mode == "sketch":
            result = compare(sketched(before).summaries(), sketched(after).summaries())
        else:
            result = compare(before, after)
        yield result.verdict, {feature.name: feature.verdict for feature in result.features}


def rates(
    kind: str, n: int, m: int, shift: float, pairs: int, seed: int = 1, mode: str = "exact"
) -> dict[str, float]:
    """Shares of pairs in which the data drifted, any feature drifted, and not all was OK."""
    found = list(outcomes(kind, n, m, shift, pairs, seed, mode))
    return {
        "drift": sum(verdict is Verdict.DRIFT for verdict, _ in found) / pairs,
        "any feature": sum(Verdict.DRIFT in each.values() for _, each in found) / pairs,
        "not OK": sum(verdict is not Verdict.OK for verdict, _ in found) / pairs,
    }


def classifier_rates(
    kind: str, n: int, correlation: float, pairs: int, seed: int = 1
) -> dict[str, float]:
    """Shares of pairs that the classifier calls DRIFT, INCONCLUSIVE, and with p < 0.05."""
    found = []
    for pair in range(pairs):
        rng = np.random.default_rng([seed, n, pair])
        if kind == "together":
            sides = together(rng, n, 0.0), together(rng, n, correlation)
        else:
            sides = TABLES[kind](rng, n, 0.0), TABLES[kind](rng, n, 0.0)
        found.append(classifier_two_sample(*sides))
    return {
        "drift": sum(test.verdict is Verdict.DRIFT for test in found) / pairs,
        "inconclusive": sum(test.verdict is Verdict.INCONCLUSIVE for test in found) / pairs,
        "p < 0.05": sum(test.p_value < 0.05 for test in found) / pairs,
    }


def _print_row(name: str, n: int, cells: Iterable[float]) -> None:
    shown = " | ".join(f"{cell:.1%}" for cell in cells)
    print(f"| {name} | {n:,} | {shown} |", flush=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=500, help="default: 500")
    parser.add_argument("--power-pairs", type=int, help="for the power; default: as --pairs")
    parser.add_argument("--sizes", default="100,1000,100000", help="default: 100,1000,100000")
    parser.add_argument("--tables", default=",".join(TABLES), help="default: all")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument(
        "--mode", choices=("exact", "sketch", "classifier"), default="exact", help="default: exact"
    )
    arguments = parser.parse_args()
    sizes = list(map(int, arguments.sizes.split(",")))
    if arguments.mode == "classifier":
        print("| table | rows | drift | inconclusive | p < 0.05 |\n|---|---|---|---|---|")
        for n in sizes:
            for name, kind, correlation in (
                ("twelve columns, no drift", "twelve columns", 0.0),
                ("correlation of 0.6", "together", CORRELATION),
            ):
                found = classifier_rates(kind, n, correlation, arguments.pairs, arguments.seed)
                _print_row(name, n, found.values())
        return
    print(
        "| table | rows | false alarm | any feature | not OK | power | any feature |\n"
        "|---|---|---|---|---|---|---|"
    )
    for kind in arguments.tables.split(","):
        for n in sizes:
            common = (arguments.seed, arguments.mode)
            null = rates(kind, n, n, 0.0, arguments.pairs, *common)
            shifted = arguments.power_pairs or arguments.pairs
            moved = rates(kind, n, n, SHIFT, shifted, *common)
            _print_row(kind, n, [*null.values(), moved["drift"], moved["any feature"]])


if __name__ == "__main__":
    main()
