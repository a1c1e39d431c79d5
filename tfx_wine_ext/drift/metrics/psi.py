"""The population stability index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.drift.metric import Metric
from tfx_wine_ext.drift.metrics.cells import CountsLike, checked, of_cells
from tfx_wine_ext.drift.metrics.pairs import CategoricalPair, NumericPair
from tfx_wine_ext.drift.metrics.registry import CATEGORICAL, NUMERIC, register_metric
from tfx_wine_ext.drift.summaries import Floats


def population_stability(
    reference: CountsLike, current: CountsLike, error: npt.ArrayLike = 0.0
) -> Metric:
    """Population stability index, ``sum((p - q) ln(p / q))``.

    Shares are smoothed, ``(c + 0.5) / (n + 0.5 b)``, so that an empty bin does not make the index
    infinite. The noise floor is ``(1/n + 1/m) chi2_{b-1, 0.95}``.

    Args:
        reference: Values of the reference in each bin.
        current: Values of the current data in each bin.
        error: Largest error of the share of each bin.

    Raises:
        ValueError: The rows have different lengths, a count is negative, or a row has only zeros.

    Example:
        >>> metric = population_stability([50, 50], [80, 20])
        >>> round(metric.value, 3), round(metric.noise_floor, 3)
        (0.406, 0.077)
    """
    old, new = checked(reference, current)
    n, m, b = old.sum(), new.sum(), len(old)
    p, q = (old + 0.5) / (n + 0.5 * b), (new + 0.5) / (m + 0.5 * b)

    def cells(p: Floats, q: Floats) -> Floats:
        return np.asarray((p - q) * np.log(p / q))

    return of_cells(cells, p, q, n, m, b, 1.0, error)


@register_metric(
    "psi",
    kinds=(NUMERIC, CATEGORICAL),
    fail=0.25,
    warn=0.1,
    label="PSI",
    meaning="Population stability index: both sides are cut into bins (the baseline's tenths, or "
    "its common categories), and the change of each bin is weighted by its logarithm. 0 is no "
    "change; there is no upper end.",
    sees="any move of values from bin to bin, missing values included.",
    misses="moves within a bin, such as how far a tail reaches.",
    source="Lewis 1994, Siddiqi",
)
def psi(pair: NumericPair | CategoricalPair) -> Metric:
    """Measures a pair of columns, missing values included."""
    return population_stability(pair.bins.reference, pair.bins.current, pair.bins.errors)
