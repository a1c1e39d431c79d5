import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_wine_ext.drift.metrics.chi_square import chi_square
from tfx_wine_ext.drift.metrics.js import jensen_shannon
from tfx_wine_ext.drift.metrics.l_infinity import l_infinity
from tfx_wine_ext.drift.metrics.psi import population_stability

METRICS = [population_stability, jensen_shannon, chi_square, l_infinity]


@pytest.mark.parametrize("metric", METRICS)
def test_equal_counts_are_no_distance(metric):
    found = metric([30, 20, 50], [30, 20, 50])
    assert (found.value, found.p_value) == (0.0, 1.0)


@pytest.mark.parametrize("metric", METRICS)
def test_a_single_bin_is_no_distance(metric):
    assert metric([30], [7]).value == 0.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("reference", "current", "message"),
    [
        ([1, 2], [1, 2, 3], r"the same bins, found shapes \(2,\) and \(3,\)"),
        ([0, 0], [1, 2], "reference must be counts >= 0 of at least one value"),
        ([1, 2], [-1, 2], "current must be counts >= 0 of at least one value"),
        ([], [], "reference must be counts"),
    ],
)
def test_what_is_no_pair_of_counts_is_refused(metric, reference, current, message):
    with pytest.raises(ValueError, match=message):
        metric(reference, current)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=2, max_size=6),
    st.floats(0.001, 0.2),
    st.randoms(use_true_random=False),
)
def test_the_error_covers_what_wrong_shares_can_do(counts, error, random):
    one, other = np.array(counts, np.float64).T * 1000
    for metric in (population_stability, jensen_shannon):
        found = metric(one, other, error=error)
        wrong = []
        for row in (one, other):
            # Every share is off by at most half of the error, and still is when they add up to 1.
            share = row / row.sum()
            off = np.array([random.uniform(-1, 1) for _ in row])
            off -= off.mean()
            off *= error / max(2 * np.abs(off).max(), 1e-9)
            least = 0.001
            wrong.append(share + off * min(1.0, max(0.0, share.min() - least) / error))
        truth = metric(wrong[0] * one.sum(), wrong[1] * other.sum())
        assert abs(truth.value - found.value) <= found.error + 1e-4
