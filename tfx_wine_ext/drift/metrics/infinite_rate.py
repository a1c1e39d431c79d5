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
    label="Infinite values",
    meaning="Change of the share of values that are infinite.",
    sees="divisions by zero that were not there before.",
    misses="very large finite values.",
    source="ours",
)
def infinite_rate(pair: NumericPair) -> Metric:
    """Measures a pair of columns."""
    old, new = pair.infinite
    return share_change(old, pair.reference.n, new, pair.current.n)
