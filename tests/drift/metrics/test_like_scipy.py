"""The metrics agree with scipy to 1e-12 where both define the same."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import spatial, stats

from tfx_wine_ext.drift.adjust import benjamini_hochberg
from tfx_wine_ext.drift.metrics import NumericPair
from tfx_wine_ext.drift.metrics.chi_square import chi_square
from tfx_wine_ext.drift.metrics.js import jensen_shannon
from tfx_wine_ext.drift.metrics.ks import kolmogorov_smirnov
from tfx_wine_ext.drift.metrics.wasserstein import wasserstein
from tfx_wine_ext.drift.summaries import NumericSummary

CLOSE = {"rel": 1e-12, "abs": 1e-12}
# Whole numbers for heavy ties, others for none.
VALUES = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6)), min_size=1, max_size=60
)
COUNTS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=12)


def pair_of(one, other):
    return NumericPair(NumericSummary.of(np.array(one)), NumericSummary.of(np.array(other)))


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


@given(VALUES, VALUES)
def test_the_wasserstein_distance_is_that_of_scipy(one, other):
    ours = wasserstein(pair_of(one, other))
    assert ours.details["distance"] == pytest.approx(
        stats.wasserstein_distance(one, other), **CLOSE
    )
    unit = max(np.std(one), 1e-3)
    assert ours.value == pytest.approx(ours.details["distance"] / unit, rel=1e-9)


@given(COUNTS)
def test_jensen_shannon_is_that_of_scipy(counts):
    one, other = np.array(counts).T
    assume(one.any() and other.any())
    ours = jensen_shannon(one, other)
    theirs = spatial.distance.jensenshannon(one, other, base=2)
    # Compared as divergences: at 0 the root makes 1e-9 of the rounding of 1e-18.
    assert ours.details["divergence"] == pytest.approx(np.nan_to_num(theirs) ** 2, **CLOSE)
    assert ours.value == pytest.approx(ours.details["divergence"] ** 0.5, **CLOSE)


@given(COUNTS)
def test_chi_square_is_that_of_scipy_where_nothing_is_pooled(counts):
    table = np.array(counts).T
    assume(table.any(axis=1).all() and table.any(axis=0).all() and table.shape[1] > 1)
    theirs = stats.chi2_contingency(table, correction=False)
    assume(theirs.expected_freq.min() >= 5)
    ours = chi_square(*table)
    assert ours.details["statistic"] == pytest.approx(theirs.statistic, **CLOSE)
    assert ours.details["degrees_of_freedom"] == theirs.dof
    assert ours.p_value == pytest.approx(theirs.pvalue, **CLOSE)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_benjamini_hochberg_is_that_of_scipy(p_values):
    theirs = stats.false_discovery_control(p_values)
    assert benjamini_hochberg(p_values) == pytest.approx(theirs, **CLOSE)


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
