"""The share of values that the reference does not have."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from tfx_wine_ext.drift.metric import NOISE_LEVEL, Metric
from tfx_wine_ext.drift.metrics.pairs import CategoricalPair
from tfx_wine_ext.drift.metrics.registry import CATEGORICAL, SHARE, register_metric
from tfx_wine_ext.drift.summaries import Counts, Floats

# With a smaller chance to be dropped, a value that is not listed had become rare.
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
    """Share of the current values, missing ones apart, that the reference does not have.

    With nothing changed, rare values are still new by chance, all of them where strings are
    nearly unique. Given how often each value occurs on both sides together, it is chance on which
    side each occurrence lies: a value that occurs k times is unseen with probability
    ``(m / (n + m))^k`` and then adds k. From this follow the expected share (in the details), the
    noise floor (normal, 95 %) and the p-value, a Chernoff bound, so rather too large.

    A reference from which values were dropped (a sketch) cannot tell one that it never had from
    one that it had a few times. There, unseen means: at most as often as a count may lack, which
    is `error` of the reference. Certainly so are values of which, were nothing changed, it would
    have more with a chance of 99.9 %; possibly all that it does not list, and all current values
    that are not listed themselves. The value is the middle between both, the error half of what
    lies between them; the p-value is that of the certain ones.

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
    """Of the chance that of so many occurrences at most `resolution` are the reference's."""
    if not resolution:
        return np.asarray(occurrences * math.log1p(-share))
    with np.errstate(divide="ignore"):  # Too small for a float: never.
        return np.asarray(
            np.log(special.bdtr(resolution, np.maximum(occurrences, resolution), share))
        )


def _chernoff(
    unseen: int, expected: float, occurrences: Counts, values: Counts, log_chance: Floats
) -> float:
    """Bounds the chance of so many unseen values: the least of E[exp(s X)] / exp(s unseen)."""
    if unseen <= expected:
        return 1.0
    log_rest = np.log1p(-np.exp(log_chance))

    def exponent(log_s: float) -> float:
        s = math.exp(log_s)
        growth = np.logaddexp(log_rest, log_chance + s * occurrences)
        return float((values * growth).sum()) - s * unseen

    found = optimize.minimize_scalar(exponent, bounds=(-20.0, 5.0), method="bounded")
    return math.exp(min(float(found.fun), 0.0))
