"""Computes, from the real files, the statistics from which the sample of the wine data is drawn.

Usage: python scripts/fit_wine_sample.py [--data FOLDER]   writes the statistics
       python scripts/fit_wine_sample.py --check           fails if other ones are committed
       python scripts/fit_wine_sample.py --compare         compares models of real data and sample

The statistics are quantiles, correlations and counts, by thirds of the white file and for the red
file, and a few small regression trees. A quantile is a value of some wine, but nothing shows which
values belong to one wine, so no row can be reconstructed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from examples.wine_quality import data as wine_data
from examples.wine_quality import sample_statistics
from examples.wine_quality.constants import FEATURES, LABEL
from examples.wine_quality.sample_statistics import STATISTICS_FILE, Kind, Tree

SOURCE = (
    "P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis: Modeling wine preferences by data "
    "mining from physicochemical properties. Decision Support Systems 47(4), 2009. UCI Machine "
    "Learning Repository, Wine Quality, CC BY 4.0."
)
HOW = "Computed from the published files by scripts/fit_wine_sample.py; see sample_statistics.py."
PARTS: dict[Kind, int] = {"white": 3, "red": 1}
"""The story's spans are thirds of the white file, and the red file."""

LEVELS = [0.0, 0.005, 0.02, 0.05, *(n / 10 for n in range(1, 9)), 0.85, 0.9, 0.95, 0.98, 0.995, 1.0]
TREES, PART_TREES = 10, 16
DEPTH = 4
"""As ydf counts: a root, two levels of questions, leaves."""

SIGNAL: dict[Kind, list[float]] = {"white": [0.685, 0.735, 0.715], "red": [0.725]}
"""Correlation of the trees' sum with what the grades are cut from: so that the default model's R2
is that of the real data (`--compare`)."""


def describe(kind: Kind, table: pa.Table) -> dict[str, Any]:
    """Returns the statistics of one file, as `sample_statistics.published` has them."""
    parts = wine_data.cut(table, PARTS[kind])
    label = table[LABEL].to_numpy().astype(np.float64)
    trees = fit(table, label, TREES, 40)
    left = label - told(trees, table)
    bounds = np.cumsum([part.num_rows for part in parts])[:-1]
    return {
        "decimals": {name: decimals(table[name].to_numpy()) for name in FEATURES},
        "trees": trees,
        "parts": [
            {
                **describe_part(part),
                "trees": fit(part, rest, PART_TREES, 20) if len(parts) > 1 else [],
                "signal": signal,
            }
            for part, rest, signal in zip(parts, np.split(left, bounds), SIGNAL[kind])
        ],
    }


def told(trees: list[Tree], table: pa.Table) -> npt.NDArray[np.float64]:
    """Returns the trees' prediction for each wine, in grades."""
    features = np.column_stack([table[name].to_numpy() for name in FEATURES])
    return np.sum([sample_statistics.evaluate(tree, features) for tree in trees], axis=0) / 100


def describe_part(part: pa.Table) -> dict[str, Any]:
    """Returns the statistics of a part of the file."""
    features = np.column_stack([part[name].to_numpy() for name in FEATURES])
    grades, counts = np.unique(part[LABEL].to_numpy(), return_counts=True)
    correlations: npt.NDArray[np.float64] = np.corrcoef(
        np.apply_along_axis(normal_scores, 0, features), rowvar=False
    )
    return {
        "rows": part.num_rows,
        "grades": {str(grade): int(count) for grade, count in zip(grades, counts)},
        "quantiles": {
            name: [float(f"{value:.6g}") for value in np.quantile(features[:, index], LEVELS)]
            for index, name in enumerate(FEATURES)
        },
        "correlations": [
            [round(value, 3) for value in row[: index + 1]]
            for index, row in enumerate(correlations.tolist())
        ],
    }


def decimals(column: npt.NDArray[np.float64]) -> int:
    """Returns the smallest number of decimals that suffices for 99 % of the cells."""
    return next(
        digits
        for digits in range(9)
        if np.mean(np.isclose(column, np.round(column, digits), rtol=0, atol=1e-9)) >= 0.99
    )


def normal_scores(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns the normal quantile of each value's rank; equal values share their mean rank."""
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    shares = (ranks - 0.5) / len(column)
    return np.array([NormalDist().inv_cdf(share) for share in shares.tolist()])[inverse]


def fit(table: pa.Table, label: npt.NDArray[np.float64], count: int, least: int) -> list[Tree]:
    """Returns small trees whose sum ranks the wines, in hundredths of a grade."""
    import ydf

    ydf.verbose(0)
    learner = ydf.GradientBoostedTreesLearner(
        label=LABEL,
        task=ydf.Task.REGRESSION,
        num_trees=count,
        max_depth=DEPTH,
        shrinkage=0.25,
        min_examples=least,
        validation_ratio=0.0,
        early_stopping="NONE",
        random_seed=sample_statistics.SEED,
        num_threads=1,
    )
    columns = {name: table[name].to_numpy().astype(np.float32) for name in FEATURES}
    model = learner.train({**columns, LABEL: label.astype(np.float32)})
    names = {index: column.name for index, column in enumerate(model.data_spec().columns)}

    def tree(node: Any) -> Tree:
        if node.is_leaf:
            return round(100 * node.value.value, 1)
        feature = FEATURES.index(names[node.condition.attribute])
        threshold = float(f"{node.condition.threshold:.5g}")
        return [feature, threshold, tree(node.neg_child), tree(node.pos_child)]

    return [tree(each.root) for each in model.get_all_trees()]


def compact(value: Any, indent: int = 0, depth: int = 0) -> str:
    """Returns JSON in which an object of objects or lists has a line for each member."""
    if isinstance(value, dict) and any(isinstance(each, (dict, list)) for each in value.values()):
        members = [f"{json.dumps(key)}: {compact(each, indent + 1)}" for key, each in value.items()]
        inner = " " * (indent + 1)
        return "{\n" + ",\n".join(inner + member for member in members) + "\n" + " " * indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        members = [compact(each, indent + 1) for each in value]
        inner = " " * (indent + 1)
        return "[\n" + ",\n".join(inner + member for member in members) + "\n" + " " * indent + "]"
    return json.dumps(value, separators=(",", ":"))


def document(found: dict[Kind, pa.Table]) -> dict[str, Any]:
    """Returns all that the file of statistics holds."""
    described: dict[str, Any] = {kind: describe(kind, table) for kind, table in found.items()}
    return {"source": SOURCE, "how": HOW, "levels": LEVELS, **described}


def compare(name: str, white: pa.Table, red: pa.Table) -> None:
    """Prints how well models of these data do, as a row of a table."""
    from examples.wine_quality.hyperparameters import TreesHyperparameters
    from examples.wine_quality.training_data import TrainingData, squared_correlation
    from examples.wine_quality.trees_trainer import cross_validate

    def trees(table: pa.Table) -> float:
        features = np.column_stack([table[name].to_numpy() for name in FEATURES])
        label = table[LABEL].to_numpy().astype(np.float32)
        data = TrainingData(features.astype(np.float32), label)
        return cross_validate(data, TreesHyperparameters())

    def linear(table: pa.Table) -> float:
        columns = [table[name].to_numpy() for name in FEATURES]
        features = np.column_stack([np.ones(table.num_rows), *columns])
        label = table[LABEL].to_numpy()
        coefficients = np.linalg.lstsq(features, label, rcond=None)[0]
        return squared_correlation(features @ coefficients, label)

    spans = [white, *wine_data.cut(white, PARTS["white"]), red]
    found = [*map(trees, spans), linear(white), linear(red)]
    print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in found) + " |", flush=True)


def main() -> int:
    """Runs the requested action."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a folder with the files of both kinds")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="write nothing, fail if it is other")
    what.add_argument("--compare", action="store_true", help="R2 of models of both, as a table")
    options = parser.parse_args()
    found = {kind: wine_data.load(options.data, kind=kind, download=False) for kind in PARTS}
    if {each.source for each in found.values()} != {"real"}:
        print("The real wine data are not there: name their folder with --data.", file=sys.stderr)
        return 1
    tables = {kind: each.table for kind, each in found.items()}
    if options.compare:
        spans = "| ".join(f"white {n}/{PARTS['white']} " for n in range(1, PARTS["white"] + 1))
        print(f"| | trees: white | {spans}| red | linear: white | red |\n|---|{'---|' * 7}")
        compare("real", tables["white"], tables["red"])
        compare("sample", *map(sample_statistics.draw, PARTS))
        return 0
    text = compact(document(tables)) + "\n"
    if options.check:
        same = text == STATISTICS_FILE.read_text(encoding="utf-8")
        print(f"{STATISTICS_FILE.name}: " + ("as computed" if same else "computed otherwise"))
        return 0 if same else 1
    STATISTICS_FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
