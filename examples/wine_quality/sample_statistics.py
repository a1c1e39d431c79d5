"""A sample that resembles the wine data, drawn from statistics of the published data set.

The pipeline and the story use it where the real files can neither be found nor downloaded. It has
the shape of the real data: the number of rows; in each part of the file (thirds of the white wines,
all red ones) the quantiles of every measurement, their correlations and the number of wines of each
grade; and grades that depend on the measurements about as closely, and with as much interaction, as
the real ones. So a model of the sample is about as good as a model of the real data, the parts
drift as the real ones do, and the red wines are far from the white ones. It is not the
real data, and nothing found in it holds for wine.

The statistics are computed from the real files by `python scripts/fit_wine_sample.py`. No row can
be recovered from them.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal, Union

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from examples.wine_quality.constants import COLUMNS, FEATURES, LABEL

STATISTICS_FILE = Path(__file__).with_name("sample_statistics.json")
"""The file that `scripts/fit_wine_sample.py` writes: see `published`."""

SEED = 2009
"""The year of the publication. Any other number would do: the sample only has to be fixed."""

Kind = Literal["white", "red"]
"""The two files of the data set: 4,898 white and 1,599 red vinho verde wines."""

Tree = Union[float, list[Any]]
"""A leaf's value, or `[feature, threshold, no, yes]`: `yes` follows if the feature
of this index in `FEATURES` is at least the threshold."""

Floats = npt.NDArray[np.float64]


@functools.cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(STATISTICS_FILE.read_text(encoding="utf-8"))
    return document


def published(kind: Kind = "white") -> dict[str, Any]:
    """Returns the statistics that a sample is drawn from.

    Args:
        kind: Which of the two data sets.

    Returns:
        `decimals`, by feature; `trees`, whose sum says which wines are better; and `parts`, each
        part of the file in order, with its `rows`, its `grades` (number of wines by grade), the
        `quantiles` of each feature at the levels of `levels`, the lower triangle of the
        `correlations` of the features' normal scores, `trees` that are added to those of all
        parts, and `signal`, the correlation of that sum with what the grades are dealt by.

    Example:
        >>> [part["rows"] for part in published("white")["parts"]]
        [1632, 1633, 1633]
        >>> published("red")["parts"][0]["grades"]["8"]
        18
    """
    statistics: dict[str, Any] = _document()[kind]
    return statistics


def levels() -> list[float]:
    """Returns the levels of the quantiles, from 0 (the smallest value) to 1 (the largest)."""
    shares: list[float] = _document()["levels"]
    return shares


def draw(kind: Kind = "white") -> pa.Table:
    """Draws the sample: the same table at every call, on every machine, under every NumPy.

    The features are a Gaussian copula: normal scores with the correlations of the real ones, whose
    ranks are then given the real quantiles, rounded to the real decimals. The sum of the trees plus
    normal noise orders the wines of a part by merit, and the grades are dealt in that order: as
    many of each as the real part has.

    Args:
        kind: Which of the two data sets to imitate.

    Returns:
        As many rows as the real data have (white: 4,898; red: 1,599); float64 features, int64
        label, no nulls.

    Example:
        >>> draw("red").num_rows
        1599
    """
    statistics = published(kind)
    decimals = [statistics["decimals"][name] for name in FEATURES]
    generator = np.random.Generator(np.random.PCG64(SEED))
    parts = [_features(part, decimals, generator) for part in statistics["parts"]]
    label = np.concatenate(
        [
            _label(part, statistics["trees"], rows, generator)
            for part, rows in zip(statistics["parts"], parts)
        ]
    )
    features = np.concatenate(parts)
    columns = {name: features[:, index] for index, name in enumerate(FEATURES)}
    return pa.table({**columns, LABEL: label}).select(COLUMNS)


def evaluate(tree: Tree, features: Floats) -> Floats:
    """Returns the value of a tree for each row, `[rows]`.

    Args:
        tree: See `Tree`.
        features: `[rows, len(FEATURES)]`.

    Example:
        >>> alcohol = FEATURES.index("alcohol")
        >>> evaluate([alcohol, 10.5, -1.0, 1.0], np.array([[9.0] * 11, [12.0] * 11])).tolist()
        [-1.0, 1.0]
    """
    if not isinstance(tree, list):
        return np.full(len(features), float(tree))
    feature, threshold, no, yes = tree
    return np.where(
        features[:, feature] >= threshold, evaluate(yes, features), evaluate(no, features)
    )


def _features(part: dict[str, Any], decimals: list[int], generator: np.random.Generator) -> Floats:
    """Draws the features of a part, `[rows, len(FEATURES)]`."""
    rows = part["rows"]
    scores = _normal(generator, rows * len(FEATURES)).reshape(rows, len(FEATURES))
    correlated = scores @ np.linalg.cholesky(_symmetric(part["correlations"])).T
    # The rank, and not the score itself, is looked up among the quantiles: no chance is left in a
    # column by itself.
    ranks = np.argsort(np.argsort(correlated, axis=0, kind="stable"), axis=0, kind="stable")
    shares = ranks / (rows - 1)
    # Rounding also hides the last bits in which linear algebra differs between machines.
    return np.column_stack(
        [
            np.round(np.interp(shares[:, i], levels(), part["quantiles"][name]), decimals[i])
            for i, name in enumerate(FEATURES)
        ]
    )


def _label(
    part: dict[str, Any], trees: list[Tree], features: Floats, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Returns a grade for each wine of a part: the better ones have the higher grades."""
    told = np.sum([evaluate(tree, features) for tree in (*trees, *part["trees"])], axis=0)
    told = (told - told.mean()) / told.std()
    signal = part["signal"]
    merit = signal * told + np.sqrt(1 - signal**2) * _normal(generator, len(features))
    grades = np.repeat([int(grade) for grade in part["grades"]], list(part["grades"].values()))
    dealt = np.empty(len(merit), np.int64)
    dealt[np.argsort(merit, kind="stable")] = grades
    return dealt


def _symmetric(lower: list[list[float]]) -> Floats:
    """Returns the whole correlation matrix, given its lower triangle."""
    matrix = np.zeros((len(lower), len(lower)))
    for i, row in enumerate(lower):
        matrix[i, : i + 1] = row
        matrix[: i + 1, i] = row
    return matrix


def _normal(generator: np.random.Generator, count: int) -> Floats:
    """Draws standard normal numbers.

    NumPy promises that the bits of PCG64 stay as they are, and may change how normal numbers are
    made of them. `random()` is those bits over 2^53; what is made of it here is our own.
    """
    inverse = NormalDist().inv_cdf
    # The middle of the step that a number stands for: never 0, at which the inverse is infinite.
    return np.array([inverse(share + 2.0**-54) for share in generator.random(count).tolist()])
