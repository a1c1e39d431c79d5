import numpy as np
import pyarrow as pa

from tfx_wine_ext.drift.metrics import CategoricalPair, NumericPair
from tfx_wine_ext.drift.metrics.missing_rate import missing_rate
from tfx_wine_ext.drift.summaries import CategoricalSummary, NumericSummary


def test_nan_and_null_are_missing_alike():
    before = NumericSummary.of(np.array([1.0, 2.0, 3.0, float("nan")]))
    after = NumericSummary.of(np.array([1.0]), missing=3)
    assert missing_rate(NumericPair(before, after)).value == 0.5
    same = NumericSummary.of(np.array([1.0, 2.0, 3.0]), missing=1)
    assert missing_rate(NumericPair(before, same)).value == 0.0


def test_a_column_of_text_that_runs_empty_is_seen():
    sides = (pa.array(["a"] * 20), pa.array([None] * 20, pa.string()))
    metric = missing_rate(CategoricalPair(*map(CategoricalSummary.of, sides)))
    assert metric.value == 1.0
    assert metric.p_value < 1e-9
