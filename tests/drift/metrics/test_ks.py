import numpy as np
import pytest

from tfx_wine_ext.drift.metrics import NumericPair
from tfx_wine_ext.drift.metrics.ks import kolmogorov_smirnov
from tfx_wine_ext.drift.summaries import NumericSummary

INF = float("inf")


def pair_of(one, other):
    return NumericPair(
        NumericSummary.of(np.array(one, np.float64)), NumericSummary.of(np.array(other, np.float64))
    )


def test_ties_are_compared_after_all_of_them():
    assert kolmogorov_smirnov(pair_of([1, 1, 1, 2], [1, 2, 2, 2])).value == 0.5


def test_infinities_are_values_at_the_ends():
    assert kolmogorov_smirnov(pair_of([-INF, 0, 0, 0], [0, 0, 0, INF])).value == 0.25
    assert kolmogorov_smirnov(pair_of([-INF], [INF])).value == 1.0


def test_a_side_without_values_is_refused():
    with pytest.raises(ValueError, match="current must have at least one value"):
        kolmogorov_smirnov(pair_of([1.0], [float("nan")]))
