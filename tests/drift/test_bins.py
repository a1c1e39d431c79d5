import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.drift.bins import categorical_bins, numeric_bins, quantile_edges
from tfx_wine_ext.drift.metrics import CategoricalPair
from tfx_wine_ext.drift.summaries import CategoricalSummary, NumericSummary

NAN, INF = float("nan"), float("inf")


def numbers(*values, missing=0):
    return NumericSummary.of(np.array(values, np.float64), missing)


def table_of(bins):
    return dict(zip(bins.labels, zip(bins.reference.tolist(), bins.current.tolist())))


def test_ten_bins_of_the_reference_hold_a_tenth_each_and_are_open_at_both_ends():
    bins = numeric_bins(numbers(*range(100)), numbers(-1e9, 9.0, 9.5, 1e9))
    assert bins.reference.tolist() == [10] * 10
    assert bins.current.tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert bins.labels[0] == "<= 9"
    assert bins.labels[1] == "9 to 19"
    assert bins.labels[-1] == "> 89"


def test_a_value_that_is_several_quantiles_has_a_bin_of_its_own():
    bins = numeric_bins(numbers(*[0] * 8, 5, 6), numbers(-1, 0, 0, 1, 7), bins=5)
    assert table_of(bins) == {"< 0": (0, 1), "= 0": (8, 2), "> 0": (2, 2)}


def test_a_constant_that_moves_down_is_seen():
    bins = numeric_bins(numbers(*[3] * 5), numbers(*[2] * 5))
    assert table_of(bins) == {"< 3": (0, 5), "= 3": (5, 0)}


def test_missing_and_nan_share_a_bin_and_infinities_fall_into_the_open_ends():
    bins = numeric_bins(numbers(1, 2, missing=2), numbers(-INF, NAN, INF, INF, missing=1), bins=2)
    assert table_of(bins) == {"<= 1": (1, 1), "> 1": (1, 2), "(missing)": (2, 2)}
    assert table_of(bins.present()) == {"<= 1": (1, 1), "> 1": (1, 2)}


def test_a_reference_without_finite_values_has_one_bin():
    assert table_of(numeric_bins(numbers(INF), numbers(1, 2))) == {"any value": (1, 2)}


@pytest.mark.parametrize("times", [1, 7, 1000])
def test_edges_do_not_depend_on_how_often_everything_occurs(times):
    steps = numbers(*list(range(10)) * times).steps()
    assert quantile_edges(steps).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_rare_values_share_a_bin_whether_seen_or_not():
    before = CategoricalSummary.of(pa.array(["a"] * 20 + ["b", "c", None]))
    after = CategoricalSummary.of(pa.array(["a"] * 20 + ["c", "d", "d"]))
    bins = categorical_bins(CategoricalPair(before, after))
    assert table_of(bins) == {"a": (20, 20), "(rare)": (2, 3), "(missing)": (1, 0)}


def test_a_category_that_is_called_like_the_bin_of_missing_values_is_not_one():
    before = CategoricalSummary.of(pa.array(["(missing)"] * 20))
    bins = categorical_bins(CategoricalPair(before, before))
    assert (bins.labels, bins.has_missing) == (("(missing)",), False)
