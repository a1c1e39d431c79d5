import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tfx_wine_ext.drift.adjust import benjamini_hochberg


def test_each_p_value_is_scaled_by_its_rank_and_never_exceeds_a_larger_one():
    found = benjamini_hochberg([0.5, 0.01, 0.02, 0.9]).tolist()
    assert found == pytest.approx([0.5 * 4 / 3, 0.04, 0.04, 0.9])


def test_no_p_values_are_no_q_values():
    assert benjamini_hochberg([]).tolist() == []


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match=r"p-values must be from 0 to 1, found \[1.5 nan\]"):
        benjamini_hochberg([0.5, 1.5, float("nan")])


@given(st.lists(st.floats(0, 1), min_size=1))
def test_benjamini_hochberg_is_that_of_scipy(p_values):
    theirs = stats.false_discovery_control(p_values)
    assert benjamini_hochberg(p_values) == pytest.approx(theirs, rel=1e-12, abs=1e-12)
