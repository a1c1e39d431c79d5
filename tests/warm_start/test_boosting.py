import numpy as np
import pytest

from tfx_wine_ext.warm_start.boosting import restate_splits
from tfx_wine_ext.warm_start.inputs import Affine, Unknown

BEFORE = [Affine.z_score("pH", 3.0, 0.5), Affine.z_score("alcohol", 10.0, 1.0)]


def test_every_raw_value_gets_the_same_answer():
    after = [Affine.identity("sugar"), Affine.z_score("alcohol", 12, 3), Affine.identity("pH")]
    column = np.array([0, 1, 1, 0], np.int32)
    threshold = np.array([-0.3, 1.7, 0.0, 2.2], np.float32)
    new_column, new_threshold = restate_splits(column, threshold, BEFORE, after)
    assert (new_column.dtype, new_threshold.dtype) == (np.int32, np.float32)
    assert new_column.tolist() == [2, 1, 1, 2]
    random = np.random.default_rng(0)
    raw = {"pH": random.normal(3, 0.5, 1000), "alcohol": random.normal(10, 1, 1000), "sugar": 0}
    for i in range(4):
        answers = [
            (raw[x.feature] - x.center) / x.scale >= t
            for x, t in (
                (BEFORE[column[i]], threshold[i]),
                (after[new_column[i]], new_threshold[i]),
            )
        ]
        assert 0 < answers[0].sum() < 1000
        np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ([Affine.identity("alcohol")], r"split on 'pH', which the new data lack; .*alcoh"),
        ([Affine("pH", 0.0, -1.0), BEFORE[1]], "only a shift and a positive factor"),
        ([Unknown("pH"), BEFORE[1]], r"which was Affine\(.* and is Unknown\("),
    ],
)
def test_what_cannot_be_restated_is_an_error(after, message):
    with pytest.raises(ValueError, match=message):
        restate_splits(np.array([0, 1]), np.array([0.0, 1.0]), BEFORE, after)


def test_a_column_that_nobody_asks_about_may_go():
    columns, thresholds = restate_splits(np.array([1]), np.array([2.0]), BEFORE, BEFORE[1:])
    assert (columns.tolist(), thresholds.tolist()) == ([0], [2.0])
