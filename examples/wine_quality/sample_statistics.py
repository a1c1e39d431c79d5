"""A stand-in for the wine data, drawn from the statistics of the published data set.

It lets the pipeline run where the real files can neither be found nor downloaded. It has the
shape of the real data: as many rows, every column's mean, deviation and range, and every pair's
correlation. It is not the real data: whatever these statistics do not say (clusters,
interactions, exact zeros) is lost, so a model learns less from it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from examples.wine_quality.constants import COLUMNS, LABEL

STATISTICS_FILE = Path(__file__).with_name("sample_statistics.json")
"""Per kind of wine: `rows`, `columns` and the lower triangle of `correlations`."""

SEED = 2009
"""The year of the publication. Any other number does as well: the sample only has to be fixed."""

Kind = Literal["white", "red"]
"""The two files of the data set: 4,898 white and 1,599 red vinho verde wines."""


def published(kind: Kind = "white") -> dict[str, Any]:
    """Returns the statistics that a sample is drawn from.

    Args:
        kind: Which of the two data sets.

    Returns:
        `rows` (int); `columns`: per column a dict of `mean`, `deviation`, `minimum`, `maximum`
        and `decimals`; `correlations`: the lower triangle, one list per row, in the order of
        the columns.

    Example:
        >>> published("white")["columns"]["pH"]["mean"]
        3.18827
    """
    statistics: dict[str, Any] = json.loads(STATISTICS_FILE.read_text(encoding="utf-8"))[kind]
    return statistics


def draw(kind: Kind = "white") -> pa.Table:
    """Draws the sample: the same table at every call, on every machine.

    A Gaussian copula over shifted log-normal columns. A column starts at its smallest published
    value `a`; `x - a` is log-normal with the published mean and deviation, which gives the right
    skew that most of these measurements have. The correlation `r` of two such columns is reached
    exactly by normal scores with the correlation `ln(1 + r c_i c_j) / (s_i s_j)`, where
    `c = deviation / (mean - a)` and `s^2 = ln(1 + c^2)` (moments of the multivariate log-normal
    distribution, e.g. Johnson, Kotz, Balakrishnan: Continuous Univariate Distributions 1, ch. 14).
    Values are then clipped to the published range and rounded to the published decimals, which
    also hides the last bits in which linear algebra differs between machines.

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
    columns = [statistics["columns"][name] for name in COLUMNS]
    mean, deviation, minimum, maximum = (
        np.array([column[key] for column in columns], dtype=np.float64)
        for key in ("mean", "deviation", "minimum", "maximum")
    )
    decimals = [int(column["decimals"]) for column in columns]

    # Rounding to a step h adds h^2 / 12 to a variance (Sheppard's correction) and nothing to a
    # covariance. It matters for the label alone, whose step of 1 is as wide as its deviation.
    before_rounding = np.sqrt(deviation**2 - np.power(10.0, [-2 * d for d in decimals]) / 12)
    shrinkage = deviation / before_rounding

    variation = before_rounding / (mean - minimum)
    spread = np.sqrt(np.log1p(variation**2))
    wanted = _symmetric(statistics["correlations"]) * np.outer(shrinkage, shrinkage)
    scores_correlation = np.log1p(wanted * np.outer(variation, variation)) / np.outer(
        spread, spread
    )
    np.fill_diagonal(scores_correlation, 1.0)

    scores = _normal_scores(statistics["rows"], scores_correlation)
    location = np.log(mean - minimum) - spread**2 / 2
    values = np.clip(minimum + np.exp(location + spread * scores), minimum, maximum)
    return pa.table(
        {
            name: np.round(values[:, i], decimals[i]).astype(
                np.int64 if name == LABEL else np.float64
            )
            for i, name in enumerate(COLUMNS)
        }
    )


def _symmetric(lower: list[list[float]]) -> npt.NDArray[np.float64]:
    """Returns the whole correlation matrix, given its lower triangle."""
    matrix = np.zeros((len(lower), len(lower)))
    for i, row in enumerate(lower):
        matrix[i, : i + 1] = row
        matrix[: i + 1, i] = row
    return matrix


def _normal_scores(rows: int, correlation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Draws `rows` standard normal vectors whose sample correlation is `correlation`.

    A plain draw misses the wanted correlations by about 1 / sqrt(rows). The draw is therefore
    whitened with its own covariance first.
    """
    generator = np.random.Generator(np.random.PCG64(SEED))
    raw = generator.standard_normal((rows, len(correlation)))
    raw -= raw.mean(axis=0)
    whitened = np.linalg.solve(np.linalg.cholesky(np.cov(raw, rowvar=False)), raw.T)
    # Pairs that no log-normal vector can have together leave a slightly negative eigenvalue:
    # cut it off and bring the variances back to 1. The symmetric root, unlike a triangular one,
    # exists then, and does not depend on the signs of the eigenvectors.
    eigenvalues, vectors = np.linalg.eigh(correlation)
    root = (vectors * np.sqrt(np.maximum(eigenvalues, 0.0))) @ vectors.T
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    scores: npt.NDArray[np.float64] = (root @ whitened).T
    return scores
