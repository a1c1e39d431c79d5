"""The share of values that the reference does not have."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from tfx_wine_ext.drift.metric import NOISE_LEVEL, Metric
from tfx_wine_ext.drift.metrics.pairs import CategoricalPair
from tfx_wine_ext.drift.metrics.registry import CATEGORICAL, SHARE, register_metric
from tfx_wine_ext.drift.summaries import Counts, Floats

# If it would be dropped with a smaller chance than this, an unlisted value has become rare.
_SURELY_THERE = 0.001


@register_metric(
    "unseen_mass",
    kinds=(CATEGORICAL,),
    fail=0.01,
    warn=0.0,
    unit=SHARE,
    label="Unseen values",
    meaning="Share of the current values that the baseline does not have at all.",
    sees="new categories. Nearly unique texts are new by chance, which is allowed for.",
    misses="categories that are gone.",
    source="ours",
)
def unseen_mass(pair: CategoricalPair) -> Metric:
    """Share of the current values that the reference does not have; missing values do not count.

    Even if nothing has changed, rare values are new by chance; if strings are nearly unique, all of
    them are. Given how often each value occurs on both sides together, chance decides on which side
    each occurrence lies: a value that occurs k times is unseen with probability ``(m / (n + m))^k``
    and then adds k. This gives the expected share (in the details), the noise floor (normal, 95 %)
    and the p-value, which is a Chernoff bound and therefore rather too large.

    A reference that dropped values (a sketch) cannot tell a value that it never had from one that
    it had a few times. There, a value is unseen if it occurs at most as often as a count may lack,
    which is `error` of the reference. A value is certainly unseen if, were nothing changed, the
    reference would have more of it with a chance of 99.9 %. All values that the reference does not
    list, and all current values that are not listed, are possibly unseen. The metric's value is the
    middle between the certain and the possible share, and its error is half of their difference.
    The p-value is that of the certain share.

    Raises:
        ValueError: A side has no values.

    Example:
        >>> import pyarrow as pa
        >>> from tfx_wine_ext.drift.summaries import CategoricalSummary
        >>> before = CategoricalSummary.of(pa.array(["a"] * 60 + ["b"] * 40))
        >>> after = CategoricalSummary.of(pa.array(["a"] * 90 + ["c"] * 10))
        >>> metric = unseen_mass(CategoricalPair(before, after))
        >>> metric.value, round(metric.p_value, 4)
        (0.1, 0.0029)
    """
    _, old, new = pair.aligned
    n, m = pair.totals
    if not n or not m:
        raise ValueError(f"both sides must have a value, found {n} and {m}")
    resolution = pair.taken_off[0]
    share = n / (n + m)
    absent = old == 0
    occurrences, codes, values = np.unique(old + new, return_inverse=True, return_counts=True)
    log_chance = _log_chance_of_absence(occurrences, resolution, share)
    chance = np.exp(log_chance)
    judged = chance < _SURELY_THERE if resolution else occurrences > 0
    least = int(new[absent & judged[codes]].sum())
    rest = m - int(new.sum())
    most = int(new[absent].sum()) + rest
    values, occurrences, chance = values[judged], occurrences[judged], chance[judged]
    log_chance = log_chance[judged]
    expected = float((values * occurrences * chance).sum())
    variance = float((values * occurrences**2 * chance * (1 - chance)).sum())
    floor = (expected + math.sqrt(variance) * float(special.ndtri(1 - NOISE_LEVEL))) / m
    return Metric(
        (least + most) / (2 * m),
        (most - least) / (2 * m),
        min(floor, 1.0),
        _chernoff(least, expected, occurrences, values, log_chance),
        details={"expected_by_chance": expected / m},
    )


def _log_chance_of_absence(occurrences: Counts, resolution: int, share: float) -> Floats:
    """Logarithm of the chance that the reference has at most `resolution` of the occurrences."""
    if not resolution:
        return np.asarray(occurrences * math.log1p(-share))
    with np.errstate(divide="ignore"):  # A chance of 0 becomes -inf.
        return np.asarray(
            np.log(special.bdtr(resolution, np.maximum(occurrences, resolution), share))
        )


def _chernoff(
    unseen: int, expected: float, occurrences: Counts, values: Counts, log_chance: Floats
) -> float:
    """Bounds the chance of this many unseen values: the least of E[exp(s X)] / exp(s unseen)."""
    if unseen <= expected:
        return 1.0
    log_rest = np.log1p(-np.exp(log_chance))

    def exponent(log_s: float) -> float:
        s = math.exp(log_s)
        growth = np.logaddexp(log_rest, log_chance + s * occurrences)
        return float((values * growth).sum()) - s * unseen

    minimum = optimize.minimize_scalar(exponent, bounds=(-20.0, 5.0), method="bounded")
    return math.exp(min(float(minimum.fun), 0.0))
