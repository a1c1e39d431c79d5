"""The chi-square test of homogeneity, with Cramer's V."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from tfx_wine_ext.drift.bins import LEAST_EXPECTED
from tfx_wine_ext.drift.metric import NOISE_LEVEL, Metric
from tfx_wine_ext.drift.metrics.cells import CountsLike, bounds, checked
from tfx_wine_ext.drift.metrics.pairs import CategoricalPair
from tfx_wine_ext.drift.metrics.registry import CATEGORICAL, register_metric
from tfx_wine_ext.drift.summaries import Floats


def chi_square(reference: CountsLike, current: CountsLike, error: npt.ArrayLike = 0.0) -> Metric:
    """Chi-square test of homogeneity; the value is Cramer's V, corrected for its bias.

    Both rows are samples, so both vary: the reference is not treated as the truth, as in a
    goodness-of-fit test. Cells in which fewer than 5 values are expected are pooled. V is 0 if the
    values do not depend on the side, and 1 if each value occurs on one side only. It shrinks if the
    two sides have very different sizes.

    Args:
        reference: Values of the reference in each category.
        current: Values of the current data in each category.
        error: Largest error of the share of each category.

    Raises:
        ValueError: The rows have different lengths, a count is negative, or a row has only zeros.

    Source: Bergsma (2013), "A bias-correction for Cramer's V and Tschuprow's T".

    Example:
        >>> metric = chi_square([50, 50], [80, 20])
        >>> round(metric.value, 3), round(metric.details["statistic"], 3)
        (0.307, 19.78)
    """
    old, new = checked(reference, current)
    old, new, errors = _pooled(old, new, np.broadcast_to(np.asarray(error, np.float64), old.shape))
    n, m, k = old.sum(), new.sum(), len(old)
    if k < 2:
        return Metric(0.0, details={"statistic": 0.0, "degrees_of_freedom": 0.0})
    total = n + m

    def cells(p: Floats, q: Floats) -> Floats:
        """The terms whose sum is the statistic divided by the number of all values."""
        both = n * p + m * q
        terms = np.zeros_like(both)
        np.divide((p - q) ** 2, both, out=terms, where=both > 0)
        return np.asarray(terms * (n * m / total))

    # Not computed from the cells, so that it equals scipy's to the last digits.
    both = old + new
    statistic = float(
        ((old - both * (n / total)) ** 2 / (both * (n / total))).sum()
        + ((new - both * (m / total)) ** 2 / (both * (m / total))).sum()
    )
    value = _cramers_v(statistic, total, k)
    wrong = 0.0
    if errors.any():
        nearer, farther = bounds(cells, old / n, new / m, n, m, errors)
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


def _pooled(old: Floats, new: Floats, errors: Floats) -> tuple[Floats, Floats, Floats]:
    both = old + new
    expected = both * (min(old.sum(), new.sum()) / both.sum())
    rare = expected < LEAST_EXPECTED
    if rare.any():
        common = np.flatnonzero(~rare)
        if len(common) and expected[rare].sum() < LEAST_EXPECTED:
            # Together they are still too few, so the least common of the others joins them.
            rare[common[np.argmin(expected[common])]] = True
        old, new, errors = (np.append(x[~rare], x[rare].sum()) for x in (old, new, errors))
    return old, new, errors


def _cramers_v(statistic: float, total: float, k: int) -> float:
    phi2 = max(0.0, statistic / total - (k - 1) / (total - 1))
    columns = k - (k - 1) ** 2 / (total - 1)
    rows = 2 - 1 / (total - 1)
    smaller = min(columns, rows) - 1
    return math.sqrt(phi2 / smaller) if smaller > 0 else 0.0


@register_metric(
    "chi_square",
    kinds=(CATEGORICAL,),
    fail=0.2,
    label="Chi-square (Cramér's V)",
    meaning="Association between the side and the category, corrected for its bias, 0 to 1; the "
    "p-value is that of the chi-square test of homogeneity.",
    sees="changes of common categories.",
    misses="rare categories one by one; it shrinks where the sides are of very different size.",
    source="deepchecks",
)
def chi_square_of_pair(pair: CategoricalPair) -> Metric:
    """Measures a pair of columns: all categories, or their bins if counts are not exact."""
    if not any(pair.taken_off):
        _, before, after = pair.aligned
        return chi_square(before, after)
    # For values with uncertain counts, only the sum of the counts is known.
    present = pair.bins.present()
    return chi_square(present.reference, present.current, present.errors)
