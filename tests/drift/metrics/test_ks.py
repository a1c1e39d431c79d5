import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from tfx_wine_ext.drift.metrics import NumericPair
from tfx_wine_ext.drift.metrics.ks import kolmogorov_smirnov
from tfx_wine_ext.drift.summaries import NumericSummary

INF = float("inf")
CLOSE = {"rel": 1e-12, "abs": 1e-12}
# Whole numbers for heavy ties, others for none.
VALUES = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6)), min_size=1, max_size=60
)


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


@given(VALUES, VALUES)
def test_ks_is_that_of_scipy(one, other):
    assume(len(one) * len(other) > len(one) + len(other))  # Fewer: scipy's p-value is NaN.
    ours, theirs = (
        kolmogorov_smirnov(pair_of(one, other)),
        stats.ks_2samp(one, other, method="asymp"),
    )
    assert ours.value == pytest.approx(theirs.statistic, **CLOSE)
    assert ours.p_value == pytest.approx(theirs.pvalue, **CLOSE)


WITH_INFINITIES = st.lists(
    st.one_of(st.floats(-1e300, 1e300), st.sampled_from([np.inf, -np.inf])), min_size=1
)


@given(WITH_INFINITIES, WITH_INFINITIES)
def test_ks_takes_infinities_for_the_largest_values(one, other):
    assume(len(one) * len(other) > len(one) + len(other))  # Fewer: scipy's statistic is NaN.
    # scipy takes a side for NaN where the sum of its values is, as that of both infinities.
    finite = [np.nan_to_num(side, posinf=1e305, neginf=-1e305) for side in (one, other)]
    expected = stats.ks_2samp(*finite, method="asymp").statistic
    assert kolmogorov_smirnov(pair_of(one, other)).value == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("n", [20_000, 2_000_000])
@pytest.mark.parametrize("x", [0.8, 1.36, 1.95])
def test_the_limit_distribution_of_ks_is_within_1_percent_of_the_exact_one(n, x):
    # All values of one side are a step ahead: D is d.
    d = round(x / np.sqrt(n / 2) * n) / n
    ahead = np.arange(n) + d * n
    pair = NumericPair(NumericSummary.of(np.arange(n) + 0.0), NumericSummary.of(ahead))
    metric = kolmogorov_smirnov(pair)
    assert metric.value == pytest.approx(d)
    assert metric.p_value == pytest.approx(stats.kstwo.sf(d, n // 2), rel=0.01)
