"""Metrics of two rows of counts: PSI, Jensen-Shannon, chi-square with Cramer's V, L-infinity.

Each takes how many values of the reference and of the current data fall into the same bins or
categories (int ``[b]`` each), and returns a `Metric` that `compare` judges.

The noise floors and p-values of PSI and Jensen-Shannon rest on one expansion. With p and q near
each other and r between them, both are multiples of ``sum((p - q)^2 / r)``: PSI once,
Jensen-Shannon (in nats) an eighth of it. That sum, for samples of n and m values of one
distribution, is distributed as ``(1/n + 1/m) chi2_{b-1}`` (Yurdakul and Naranjo 2020, "Statistical
properties of the population stability index").
"""

from __future__ import annotations

import math
from typing import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

from tfx_wine_ext.drift.bins import LEAST_EXPECTED
from tfx_wine_ext.drift.metric import NOISE_LEVEL, Metric
from tfx_wine_ext.drift.summaries import Floats

CountsLike = npt.ArrayLike


def population_stability(
    reference: CountsLike, current: CountsLike, error: npt.ArrayLike = 0.0
) -> Metric:
    """Population stability index, ``sum((p - q) ln(p / q))``.

    Shares are smoothed, ``(c + 0.5) / (n + 0.5 b)``, so that an empty bin is far, not infinitely
    far. The noise floor is ``(1/n + 1/m) chi2_{b-1, 0.95}``.

    Args:
        reference: Values of the reference in each bin.
        current: Values of the current data in each bin.
        error: Largest error of the share of each bin.

    Raises:
        ValueError: The rows are of different lengths, negative, or one of them is all 0.

    Example:
        >>> metric = population_stability([50, 50], [80, 20])
        >>> round(metric.value, 3), round(metric.noise_floor, 3)
        (0.406, 0.077)
    """
    old, new = _checked(reference, current)
    n, m, b = old.sum(), new.sum(), len(old)
    p, q = (old + 0.5) / (n + 0.5 * b), (new + 0.5) / (m + 0.5 * b)

    def cells(p: Floats, q: Floats) -> Floats:
        return np.asarray((p - q) * np.log(p / q))

    return _of_cells(cells, p, q, n, m, b, 1.0, error)


def jensen_shannon(
    reference: CountsLike, current: CountsLike, error: npt.ArrayLike = 0.0
) -> Metric:
    """Jensen-Shannon distance to the base 2: 0 for equal, 1 for disjoint distributions.

    The divergence, its square, is in the details. A tool that takes the logarithm to the base e
    states 0.83 times this distance.

    Args:
        reference: Values of the reference in each bin.
        current: Values of the current data in each bin.
        error: Largest error of the share of each bin.

    Raises:
        ValueError: The rows are of different lengths, negative, or one of them is all 0.

    Example:
        >>> metric = jensen_shannon([50, 50], [80, 20])
        >>> round(metric.value, 3), round(metric.details["divergence"], 3)
        (0.27, 0.073)
        >>> jensen_shannon([5, 0], [0, 5]).value
        1.0
    """
    old, new = _checked(reference, current)
    n, m = old.sum(), new.sum()

    def cells(p: Floats, q: Floats) -> Floats:
        middle = (p + q) / 2
        found = special.rel_entr(p, middle) + special.rel_entr(q, middle)
        return np.asarray(found / (2 * math.log(2)))

    bits = _of_cells(cells, old / n, new / m, n, m, len(old), 1 / (8 * math.log(2)), error)
    distance = math.sqrt(bits.value)
    return Metric(
        distance,
        max(
            math.sqrt(bits.value + bits.error) - distance,
            distance - math.sqrt(max(bits.value - bits.error, 0.0)),
        ),
        math.sqrt(bits.noise_floor),
        bits.p_value,
        details={"divergence": bits.value},
    )


def chi_square(reference: CountsLike, current: CountsLike, error: npt.ArrayLike = 0.0) -> Metric:
    """Chi-square test of homogeneity; the value is Cramer's V, corrected for its bias.

    Both rows are samples, so both vary: the reference is not taken for the truth, as a
    goodness-of-fit test would. Cells in which fewer than 5 values are expected are pooled. V is 0
    where nothing is associated, 1 where the value tells from which side it is; it shrinks when
    the two sides are of very different sizes.

    Args:
        reference: Values of the reference in each category.
        current: Values of the current data in each category.
        error: Largest error of the share of each category.

    Raises:
        ValueError: The rows are of different lengths, negative, or one of them is all 0.

    Source: Bergsma (2013), "A bias-correction for Cramer's V and Tschuprow's T".

    Example:
        >>> metric = chi_square([50, 50], [80, 20])
        >>> round(metric.value, 3), round(metric.details["statistic"], 3)
        (0.307, 19.78)
    """
    old, new = _checked(reference, current)
    old, new, errors = _pooled(old, new, np.broadcast_to(np.asarray(error, np.float64), old.shape))
    n, m, k = old.sum(), new.sum(), len(old)
    if k < 2:
        return Metric(0.0, details={"statistic": 0.0, "degrees_of_freedom": 0.0})
    total = n + m

    def cells(p: Floats, q: Floats) -> Floats:
        """Adds up to the statistic by the number of all values."""
        both = n * p + m * q
        found = np.zeros_like(both)
        np.divide((p - q) ** 2, both, out=found, where=both > 0)
        return np.asarray(found * (n * m / total))

    # Not from the cells: equal to scipy's to the last digits.
    both = old + new
    statistic = float(
        ((old - both * (n / total)) ** 2 / (both * (n / total))).sum()
        + ((new - both * (m / total)) ** 2 / (both * (m / total))).sum()
    )
    value = _cramers_v(statistic, total, k)
    wrong = 0.0
    if errors.any():
        nearer, farther = _bounds(cells, old / n, new / m, n, m, errors)
        wrong = max(
            _cramers_v(farther * total, total, k) - value,
            value - _cramers_v(nearer * total, total, k),
        )
    freedom = k - 1
    return Metric(
        value,
        wrong,
        _cramers_v(float(special.chdtri(freedom, NOISE_LEVEL)), total, k),
        float(special.chdtrc(freedom, statistic)),
        details={"statistic": statistic, "degrees_of_freedom": float(freedom)},
    )


def l_infinity(
    reference: CountsLike,
    current: CountsLike,
    error: float = 0.0,
    rest: tuple[int, int] = (0, 0),
) -> Metric:
    """Largest change of the share of one category.

    The p-value adds up, over all categories, the chance that a share changes as much (a union
    bound); the noise floor is where it is 0.05. Not for numbers: their bins are arbitrary.

    Args:
        reference: Values of the reference in each category.
        current: Values of the current data in each category.
        error: Largest error of the share of one category, both sides together.
        rest: Values of each side that are in none of these categories, but in unknown ones.

    Raises:
        ValueError: The rows are of different lengths, negative, or one of them is all 0, with no
            rest.

    Example:
        >>> round(l_infinity([50, 50], [80, 20]).value, 3)
        0.3
    """
    if any(rest):
        # As the last category, to be checked and counted, but not compared.
        old, new = _checked([*np.asarray(reference), rest[0]], [*np.asarray(current), rest[1]])
        (n, m), old, new = (old.sum(), new.sum()), old[:-1], new[:-1]
    else:
        old, new = _checked(reference, current)
        n, m = old.sum(), new.sum()
    # Categories that are as frequent vary as much: one group for each frequency, 10^6 or not.
    pooled, times = np.unique(old + new, return_counts=True)
    share = pooled / (n + m)
    spread = np.sqrt(share * (1 - share) * (1 / n + 1 / m))
    pooled_spread, times = spread[spread > 0], times[spread > 0]

    def chance(x: float) -> float:
        return float(min((times * 2 * special.ndtr(-x / pooled_spread)).sum(), 1.0))

    if not len(share):
        return Metric(0.0, error)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) > NOISE_LEVEL else (low, middle)
    value = float(np.abs(old / n - new / m).max(initial=0.0))
    return Metric(value, error, high, chance(value))


def _of_cells(
    cells: Callable[[Floats, Floats], Floats],
    p: Floats,
    q: Floats,
    n: float,
    m: float,
    b: int,
    scale: float,
    error: npt.ArrayLike,
) -> Metric:
    """A sum over bins of a convex function of both shares, which is 0 where they are equal."""
    value = float(max(cells(p, q).sum(), 0.0))
    noise = scale * float(1 / n + 1 / m)
    errors = np.broadcast_to(np.asarray(error, np.float64), p.shape)
    wrong = 0.0
    if errors.any():
        nearer, farther = _bounds(cells, p, q, n, m, errors)
        wrong = max(farther - value, value - nearer)
    if b < 2:
        return Metric(value, wrong)
    return Metric(
        value,
        wrong,
        noise * float(special.chdtri(b - 1, NOISE_LEVEL)),
        float(special.chdtrc(b - 1, value / noise)),
    )


def _bounds(
    cells: Callable[[Floats, Floats], Floats], p: Floats, q: Floats, n: float, m: float, e: Floats
) -> tuple[float, float]:
    """Least and largest sum of `cells` if each share may be wrong by `e`.

    Each cell is convex and 0 on the diagonal: largest in a corner of what both shares may be.
    """
    tiny_p, tiny_q = np.minimum(0.5 / n, p), np.minimum(0.5 / m, q)
    farther = np.maximum(
        cells(np.maximum(p - e, tiny_p), np.minimum(q + e, 1.0)),
        cells(np.minimum(p + e, 1.0), np.maximum(q - e, tiny_q)),
    )
    middle = (p + q) / 2
    nearer = cells(
        np.where(p < q, np.minimum(p + e, middle), np.maximum(p - e, middle)),
        np.where(q < p, np.minimum(q + e, middle), np.maximum(q - e, middle)),
    )
    return float(nearer.sum()), float(farther.sum())


def _checked(reference: CountsLike, current: CountsLike) -> tuple[Floats, Floats]:
    old, new = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    if old.ndim != 1 or old.shape != new.shape:
        raise ValueError(
            "reference and current must be counts of the same bins, found shapes "
            f"{old.shape} and {new.shape}"
        )
    for name, counts in (("reference", old), ("current", new)):
        if not len(counts) or counts.min() < 0 or counts.sum() <= 0:
            raise ValueError(f"{name} must be counts >= 0 of at least one value, found {counts}")
    return old, new


def _pooled(old: Floats, new: Floats, errors: Floats) -> tuple[Floats, Floats, Floats]:
    both = old + new
    expected = both * (min(old.sum(), new.sum()) / both.sum())
    rare = expected < LEAST_EXPECTED
    if rare.any():
        common = np.flatnonzero(~rare)
        if len(common) and expected[rare].sum() < LEAST_EXPECTED:
            # Together they are still too few: the least common of the others joins them.
            rare[common[np.argmin(expected[common])]] = True
        old, new, errors = (np.append(x[~rare], x[rare].sum()) for x in (old, new, errors))
    return old, new, errors


def _cramers_v(statistic: float, total: float, k: int) -> float:
    phi2 = max(0.0, statistic / total - (k - 1) / (total - 1))
    columns = k - (k - 1) ** 2 / (total - 1)
    rows = 2 - 1 / (total - 1)
    smaller = min(columns, rows) - 1
    return math.sqrt(phi2 / smaller) if smaller > 0 else 0.0
