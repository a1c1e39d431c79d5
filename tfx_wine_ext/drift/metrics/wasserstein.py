"""The Wasserstein-1 distance."""

from __future__ import annotations

import functools
import math
import sys

import numpy as np
from scipy import special

from tfx_wine_ext.drift.metric import NOISE_LEVEL, Metric
from tfx_wine_ext.drift.metrics.pairs import NumericPair
from tfx_wine_ext.drift.metrics.registry import NUMERIC, register_metric
from tfx_wine_ext.drift.summaries import Counts, Floats, Steps, power_of_two

# The number of Brownian bridges for the noise floor of W1, which is then known to about 2 %.
_BRIDGES, _BRIDGE_POINTS = 2000, 256
# Below this standard deviation, distances are no longer in standard deviations (as in Evidently).
LEAST_SIGMA = 1e-3


@register_metric(
    "wasserstein",
    kinds=(NUMERIC,),
    fail=0.1,
    unit="standard deviations",
    label="Wasserstein",
    meaning="How far values have moved on average, in standard deviations of the baseline.",
    sees="how far, tails included.",
    misses="small changes of a column with a few immense values, which widen the standard "
    "deviation.",
    source="Evidently",
)
def wasserstein(pair: NumericPair) -> Metric | None:
    """Wasserstein-1 distance of the finite values in standard deviations of the reference.

    ``integral |F - G| dx / max(sigma_ref, 1e-3)``: how far values moved, on average. sigma is that
    of the population (``numpy.std``). The details contain the plain distance in the feature's unit,
    which equals ``scipy.stats.wasserstein_distance``.

    The noise floor and the p-value come from the limit distribution of the distance, ``sqrt(1/n +
    1/m) integral
    |B(H(x))| dx`` with a Brownian bridge B and the distribution H of both sides together (del
    Barrio, Gine and Matran 1999), of which 2,000 are drawn with a fixed seed. Beyond the 99th
    percentile, where draws are few, the p-value is the Gaussian isoperimetric bound, ``P(T > t) <=
    1 - Phi(z99 + (t - t99) / sigma)``. Both hold for finite variances: a column with a few immense
    values has a wide floor, which hides smaller changes.

    Returns:
        The metric; None if a side has no finite value.

    Example:
        >>> from tfx_wine_ext.drift.summaries import NumericSummary
        >>> pair = NumericPair(NumericSummary.of(np.array([0.0, 2.0])),
        ...                    NumericSummary.of(np.array([3.0, 5.0])))
        >>> metric = wasserstein(pair)
        >>> metric.value, metric.details
        (3.0, {'distance': 3.0, 'sigma_reference': 1.0})
    """
    before, after = pair.steps
    n, m = before.total, after.total
    if not n or not m:
        return None
    points, old, new = pair.common
    scale = power_of_two(points)
    points = points / scale
    gaps = np.diff(points)
    distance = float((np.abs(old / n - new / m)[:-1] * gaps).sum())
    moments = pair.reference.moments()
    assert moments is not None
    sigma = moments.std / scale
    unit = max(sigma, LEAST_SIGMA / scale)
    noise, floor, level, spread = _null_distances(points, old + new)
    root = math.sqrt(1 / n + 1 / m)
    statistic = distance / root
    if statistic <= level or spread == 0:
        p_value = (1 + int(np.count_nonzero(noise >= statistic))) / (1 + len(noise))
    else:
        p_value = float(special.ndtr(-(special.ndtri(0.99) + (statistic - level) / spread)))
    error = pair.reference.distance_error / scale + pair.current.distance_error / scale
    return Metric(
        _finite(distance / unit),
        _finite(error / unit),
        _finite(root * floor / unit),
        p_value,
        details={"distance": _finite(distance * scale), "sigma_reference": _finite(sigma * scale)},
    )


def _finite(x: float) -> float:
    """Limits a value to the largest float, since JSON has no infinity."""
    return min(x, sys.float_info.max)


def _sigma(points: Floats, counts: Counts) -> float:
    total = counts.sum()
    mean = float((points * counts).sum()) / total
    return math.sqrt(float(((points - mean) ** 2 * counts).sum()) / total)


def _null_distances(points: Floats, cumulative: Counts) -> tuple[Floats, float, float, float]:
    """Draws ``integral |B(H)| dx``; returns the draws, two percentiles and H's deviation."""
    levels, bridges = _bridges()
    at = np.searchsorted(cumulative, levels * float(cumulative[-1]), "left")
    quantiles = points[np.minimum(at, len(points) - 1)]
    noise: Floats = (bridges @ np.diff(quantiles)).reshape(-1)
    floor, level = np.quantile(noise, [1 - NOISE_LEVEL, 0.99]).tolist()
    return noise, floor, level, _sigma(points, Steps(points, cumulative).counts)


@functools.lru_cache(maxsize=1)
def _bridges() -> tuple[Floats, Floats]:
    """Levels from 0 to 1, dense at the ends, and absolute bridges between neighbouring levels."""
    grid = np.sin(np.linspace(0, np.pi / 2, 2 * _BRIDGE_POINTS + 1)) ** 2
    levels, middles = grid[::2], grid[1::2]
    steps = np.diff(middles, prepend=0.0, append=1.0)
    walks = np.cumsum(
        np.random.default_rng(1).standard_normal((_BRIDGES, len(steps))) * np.sqrt(steps), axis=1
    )
    bridges = np.abs(walks[:, :-1] - middles * walks[:, -1:])
    # A product with all at once is large enough for BLAS to start threads, which take ten times as
    # long as the product itself.
    return levels, bridges.reshape(-1, 20, len(middles))
