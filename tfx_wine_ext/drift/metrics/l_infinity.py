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
        old, new = checked([*np.asarray(reference), rest[0]], [*np.asarray(current), rest[1]])
        (n, m), old, new = (old.sum(), new.sum()), old[:-1], new[:-1]
    else:
        old, new = checked(reference, current)
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
