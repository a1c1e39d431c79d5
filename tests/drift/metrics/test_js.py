import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import spatial

from tfx_wine_ext.drift.metrics import NumericPair
from tfx_wine_ext.drift.metrics.js import jensen_shannon, js
from tfx_wine_ext.drift.summaries import NumericSummary

CLOSE = {"rel": 1e-12, "abs": 1e-12}
COUNTS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=12)


@given(COUNTS)
def test_jensen_shannon_is_that_of_scipy(counts):
    one, other = np.array(counts).T
    assume(one.any() and other.any())
    ours = jensen_shannon(one, other)
    theirs = spatial.distance.jensenshannon(one, other, base=2)
    # Compared as divergences: at 0 the root makes 1e-9 of the rounding of 1e-18.
    assert ours.details["divergence"] == pytest.approx(np.nan_to_num(theirs) ** 2, **CLOSE)
    assert ours.value == pytest.approx(ours.details["divergence"] ** 0.5, **CLOSE)


def test_counts_without_a_common_bin_are_the_distance_one():
    assert jensen_shannon([3, 4, 0], [0, 0, 5]).value == pytest.approx(1.0, abs=1e-12)


def test_only_values_that_are_not_missing_count():
    column = np.arange(50.0)
    before, after = NumericSummary.of(column), NumericSummary.of(column, missing=50)
    assert js(NumericPair(before, after)).value == 0.0
