import math

import pyarrow as pa
import pytest

from tfx_wine_ext.drift.metrics import CategoricalPair
from tfx_wine_ext.drift.metrics.psi import population_stability, psi
from tfx_wine_ext.drift.summaries import CategoricalSummary


def test_psi_is_the_smoothed_sum():
    p, q = (10.5 / 101, 90.5 / 101), (0.5 / 51, 50.5 / 51)
    expected = sum((a - b) * math.log(a / b) for a, b in zip(p, q))
    assert population_stability([10, 90], [0, 50]).value == pytest.approx(expected, rel=1e-12)


def test_the_noise_floor_of_psi_is_the_chi_square_quantile():
    # The 95th percentile of chi-square with 9 degrees of freedom is 16.919.
    metric = population_stability([10] * 10, [20] * 10)
    assert metric.noise_floor == pytest.approx((1 / 100 + 1 / 200) * 16.919, rel=1e-4)


def test_missing_values_are_a_bin_of_their_own():
    before, after = pa.array(["a"] * 40 + ["b"] * 60), pa.array(["a"] * 40 + [None] * 60)
    pair = CategoricalPair(CategoricalSummary.of(before), CategoricalSummary.of(after))
    assert psi(pair).value > psi(CategoricalPair(pair.reference, pair.reference)).value == 0.0
