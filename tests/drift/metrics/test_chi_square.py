import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from tfx_wine_ext.drift.metrics.chi_square import chi_square

CLOSE = {"rel": 1e-12, "abs": 1e-12}
COUNTS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=12)


def test_cells_with_fewer_than_five_expected_are_pooled():
    many = chi_square([50, 50, 1, 2, 3], [50, 50, 3, 2, 1])
    assert many.details == {"statistic": 0.0, "degrees_of_freedom": 2.0}
    few = chi_square([50, 50, 1], [50, 50, 1])
    assert few.details["degrees_of_freedom"] == 1.0


def test_cramers_v_is_one_where_the_value_tells_the_side():
    assert chi_square([500, 0], [0, 500]).value == pytest.approx(1.0, abs=1e-3)


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
