import numpy as np

from tfx_wine_ext.drift.metrics import NumericPair
from tfx_wine_ext.drift.metrics.infinite_rate import infinite_rate
from tfx_wine_ext.drift.summaries import NumericSummary

INF = float("inf")


def rate(before, after):
    return infinite_rate(NumericPair(*map(NumericSummary.of, map(np.array, (before, after)))))


def test_infinities_of_both_signs_are_counted_among_all_values():
    assert rate([1.0, 2.0, 3.0, 4.0], [INF, -INF, 3.0, float("nan")]).value == 0.5


def test_as_many_infinities_as_before_are_no_change():
    metric = rate([INF, 2.0], [1.0, -INF])
    assert (metric.value, metric.p_value) == (0.0, 1.0)
