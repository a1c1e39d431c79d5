import numpy as np
import pyarrow as pa

from tfx_wine_ext.drift.metrics.pairs import CategoricalPair, NumericPair
from tfx_wine_ext.drift.summaries import CategoricalSummary, NumericSummary

INF = float("inf")


def test_two_columns_of_numbers_are_counted_at_the_points_of_both():
    before = NumericSummary.of(np.array([1.0, 2.0, 2.0, INF]))
    pair = NumericPair(before, NumericSummary.of(np.array([2.0, 5.0, -INF, -INF])))
    points, upto_before, upto_after = pair.common
    assert points.tolist() == [1.0, 2.0, 5.0]
    assert upto_before.tolist() == [1, 3, 3]
    assert upto_after.tolist() == [0, 1, 2]
    assert pair.infinite == (1, 2)


def test_two_columns_of_categories_are_counted_by_the_values_of_both():
    before, after = pa.array(["a", "b", "a", None]), pa.array(["c", "a"])
    pair = CategoricalPair(CategoricalSummary.of(before), CategoricalSummary.of(after))
    values, counts_before, counts_after = pair.aligned
    found = dict(zip(values.to_pylist(), zip(counts_before.tolist(), counts_after.tolist())))
    assert found == {b"a": (2, 1), b"b": (1, 0), b"c": (0, 1)}
    assert (pair.totals, pair.taken_off) == ((3, 2), (0, 0))
