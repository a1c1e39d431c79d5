import pyarrow as pa
import pytest
from scipy import stats

from tfx_wine_ext.drift.metrics import CategoricalPair
from tfx_wine_ext.drift.metrics.proportions import share_change
from tfx_wine_ext.drift.summaries import CategoricalSummary


def pair_of(before, after):
    sides = [pa.array(side, pa.string()) for side in (before, after)]
    return CategoricalPair(*map(CategoricalSummary.of, sides))


def test_the_z_test_is_the_square_root_of_the_chi_square_test():
    metric = share_change(12, 200, 31, 300)
    table = [[12, 31], [188, 269]]
    assert metric.value == pytest.approx(31 / 300 - 12 / 200, rel=1e-12)
    assert metric.p_value == pytest.approx(
        stats.chi2_contingency(table, correction=False).pvalue, rel=1e-9
    )


@pytest.mark.parametrize(("hits", "expected"), [(0, 0.0), (50, 0.0)])
def test_no_or_only_missing_values_on_both_sides_is_no_change(hits, expected):
    metric = share_change(hits, 50, hits, 50)
    assert (metric.value, metric.p_value) == (expected, 1.0)


def test_more_hits_than_values_are_refused():
    with pytest.raises(ValueError, match="current must have 0 to n hits of n > 0 values, found 3"):
        share_change(1, 2, 3, 2)
