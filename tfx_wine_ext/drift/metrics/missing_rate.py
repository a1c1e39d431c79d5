"""The change of the share of values that are missing."""

from __future__ import annotations

from tfx_wine_ext.drift.metric import Metric
from tfx_wine_ext.drift.metrics.pairs import CategoricalPair, NumericPair
from tfx_wine_ext.drift.metrics.proportions import share_change
from tfx_wine_ext.drift.metrics.registry import CATEGORICAL, NUMERIC, SHARE, register_metric
from tfx_wine_ext.drift.summaries import absent


@register_metric(
    "missing_rate",
    kinds=(NUMERIC, CATEGORICAL),
    fail=0.05,
    unit=SHARE,
    of_values=False,
    needs_values=False,
    label="Missing values",
    meaning="Change of the share of values that are missing (null or not a number).",
    sees="columns that fill up or run empty.",
    misses="which rows they are missing from.",
    source="ours",
)
def missing_rate(pair: NumericPair | CategoricalPair) -> Metric:
    """Measures a pair of columns; NaN counts as missing.

    Example:
        >>> import numpy as np
        >>> from tfx_wine_ext.drift.summaries import NumericSummary
        >>> column = np.arange(50.0)
        >>> before, after = NumericSummary.of(column), NumericSummary.of(column, missing=50)
        >>> missing_rate(NumericPair(before, after)).value
        0.5
    """
    old, new = pair.reference, pair.current
    return share_change(absent(old), old.n, absent(new), new.n)
