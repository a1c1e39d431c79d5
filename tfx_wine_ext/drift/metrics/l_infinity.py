"""L-infinity: the largest change of the share of one category."""

from __future__ import annotations

import numpy as np
from scipy import special

from tfx_wine_ext.drift.metric import NOISE_LEVEL, Metric
from tfx_wine_ext.drift.metrics.cells import CountsLike, checked
from tfx_wine_ext.drift.metrics.pairs import CategoricalPair
from tfx_wine_ext.drift.metrics.registry import CATEGORICAL, SHARE, register_metric


def l_infinity(
    reference: CountsLike,
    current: CountsLike,
    error: float = 0.0,
    rest: tuple[int, int] = (0, 0),
) -> Metric:
    """Largest change of the share of one category.

    The p-value is the sum, over all categories, of the chance that a share changes as much (a union
    bound). The noise floor is the value at which it is 0.05. The metric is not defined for numbers,
    whose bins are arbitrary.

    Args:
        reference: Values of the reference in each category.
        current: Values of the current data in each category.
        error: Largest error of the share of one category, both sides together.
        rest: Number of values of each side that are in other, unknown categories.

    Raises:
        ValueError: The rows have different lengths, a count is negative, or a row has only zeros
            and no rest.

    Example:
        >>> round(l_infinity([50, 50], [80, 20]).value, 3)
        0.3
    """
    if any(rest):
        # The last category: it is checked and counted, but not compared.
        old, new = checked([*np.asarray(reference), rest[0]], [*np.asarray(current), rest[1]])
        (n, m), old, new = (old.sum(), new.sum()), old[:-1], new[:-1]
    else:
        old, new = checked(reference, current)
        n, m = old.sum(), new.sum()
    # Equally frequent categories vary equally, so one group for each frequency suffices.
    pooled, times = np.unique(old + new, return_counts=True)
    share = pooled / (n + m)
    spread = np.sqrt(share * (1 - share) * (1 / n + 1 / m))
    pooled_spread, twice = spread[spread > 0], 2 * times[spread > 0]

    def chance(x: float) -> float:
        return float(min((twice * special.ndtr(-x / pooled_spread)).sum(), 1.0))

    if not len(share):
        return Metric(0.0, error)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) > NOISE_LEVEL else (low, middle)
    value = float(np.abs(old / n - new / m).max(initial=0.0))
    return Metric(value, error, high, chance(value))


@register_metric(
    "l_infinity",
    kinds=(CATEGORICAL,),
    fail=0.1,
    unit=SHARE,
    label="L-infinity",
    meaning="The largest change of the share of any one category.",
    sees="one category that changed.",
    misses="a change spread over many categories.",
    source="ours; TFDV's documents use 0.01",
)
def l_infinity_of_pair(pair: CategoricalPair) -> Metric:
    """Measures a pair of columns."""
    _, before, after = pair.aligned
    n, m = pair.totals
    rest = (n - int(before.sum()), m - int(after.sum()))
    return l_infinity(before, after, pair.reference.error + pair.current.error, rest)
