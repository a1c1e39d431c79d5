import pyarrow as pa
import pytest

from tfx_wine_ext.drift.metrics import CategoricalPair
from tfx_wine_ext.drift.metrics.l_infinity import l_infinity, l_infinity_of_pair
from tfx_wine_ext.drift.summaries import CategoricalSummary


def test_l_infinity_is_the_largest_change_of_a_share():
    assert l_infinity([50, 30, 20], [20, 35, 45]).value == pytest.approx(0.3, abs=1e-15)


def test_values_of_other_categories_count_and_are_not_compared():
    assert l_infinity([50], [20], rest=(50, 80)).value == pytest.approx(0.3, abs=1e-15)
    assert l_infinity([], [], rest=(5, 8)).value == 0.0


def test_of_two_columns_the_missing_values_do_not_count():
    before, after = pa.array(["a", "a", "b", "b"]), pa.array(["a", "b", "b", "b", None, None])
    pair = CategoricalPair(CategoricalSummary.of(before), CategoricalSummary.of(after))
    assert l_infinity_of_pair(pair).value == 0.25
