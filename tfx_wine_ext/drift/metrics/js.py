"""The Jensen-Shannon distance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from tfx_wine_ext.drift.metric import Metric
from tfx_wine_ext.drift.metrics.cells import CountsLike, checked, of_cells
from tfx_wine_ext.drift.metrics.pairs import CategoricalPair, NumericPair
from tfx_wine_ext.drift.metrics.registry import CATEGORICAL, NUMERIC, register_metric
from tfx_wine_ext.drift.summaries import Floats


def jensen_shannon(
    reference: CountsLike, current: CountsLike, error: npt.ArrayLike = 0.0
) -> Metric:
    """Jensen-Shannon distance with base 2: 0 for equal distributions, 1 for disjoint ones.

    The details contain its square, the divergence. A tool that uses natural logarithms gives 0.83
    times this distance.

    Args:
        reference: Values of the reference in each bin.
        current: Values of the current data in each bin.
        error: Largest error of the share of each bin.

    Raises:
        ValueError: The rows have different lengths, a count is negative, or a row has only zeros.

    Example:
        >>> metric = jensen_shannon([50, 50], [80, 20])
        >>> round(metric.value, 3), round(metric.details["divergence"], 3)
        (0.27, 0.073)
        >>> jensen_shannon([5, 0], [0, 5]).value
        1.0
    """
    old, new = checked(reference, current)
    n, m = old.sum(), new.sum()

    def cells(p: Floats, q: Floats) -> Floats:
        middle = (p + q) / 2
        terms = special.rel_entr(p, middle) + special.rel_entr(q, middle)
        return np.asarray(terms / (2 * math.log(2)))

    bits = of_cells(cells, old / n, new / m, n, m, len(old), 1 / (8 * math.log(2)), error)
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


@register_metric(
    "js",
    kinds=(NUMERIC, CATEGORICAL),
    fail=0.1,
    label="Jensen-Shannon",
    meaning="Jensen-Shannon distance to the base 2, over the same bins without missing values. 0 "
    "is no change, 1 is nothing in common.",
    sees="what PSI sees; one bin that empties cannot dominate it.",
    misses="moves within a bin.",
    source="ours",
)
def js(pair: NumericPair | CategoricalPair) -> Metric:
    """Measures a pair of columns.

    Only values that are not missing count. A bin for missing values would make the metric fail at a
    much smaller share of missing values than `missing_rate` allows.
    """
    present = pair.bins.present()
    return jensen_shannon(present.reference, present.current, present.errors)
