"""The change of the share of values that are infinite."""

from __future__ import annotations

from tfx_wine_ext.drift.metric import Metric
from tfx_wine_ext.drift.metrics.pairs import NumericPair
from tfx_wine_ext.drift.metrics.proportions import share_change
from tfx_wine_ext.drift.metrics.registry import NUMERIC, SHARE, register_metric


@register_metric(
    "infinite_rate",
    kinds=(NUMERIC,),
    fail=0.05,
    unit=SHARE,
    of_values=False,
    label="Infinite values",
    meaning="Change of the share of values that are infinite.",
    sees="divisions by zero that were not there before.",
    misses="very large finite values.",
    source="ours",
)
def infinite_rate(pair: NumericPair) -> Metric:
    """Measures a pair of columns.

    Example:
        >>> import numpy as np
        >>> from tfx_wine_ext.drift.summaries import NumericSummary
        >>> before = NumericSummary.of(np.array([1.0, 2.0]))
        >>> after = NumericSummary.of(np.array([1.0, np.inf]))
        >>> infinite_rate(NumericPair(before, after)).value
        0.5
    """
    old, new = pair.infinite
    return share_change(old, pair.reference.n, new, pair.current.n)
