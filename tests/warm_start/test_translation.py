"""The same raw values as inputs of two models."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_wine_ext.warm_start.architecture import Architecture
from tfx_wine_ext.warm_start.inputs import Affine, Buckets, InputSpec, Vocabulary
from tfx_wine_ext.warm_start.rows import Side
from tfx_wine_ext.warm_start.translation import inputs_of, translated


def of_one_column(old, now, values):
    """A column's values in the new model, None where the raw values have no counterpart."""
    before, after = InputSpec({"x": [old]}), InputSpec({"x": [now]})
    base, new = (Side.of(Architecture(), spec) for spec in (before, after))
    probed = {"x": np.array(values)[:, None]}
    moved, usable = translated(probed, before, base, inputs_of(None, after), new)
    cells = moved["x"].tolist()
    return [cell if len(cell) > 1 else cell[0] for cell in cells], usable.tolist()


@pytest.mark.parametrize(
    ("old", "now", "values", "moved", "usable"),
    [
        (Affine("x", 3.0, 0.5), Affine("x", 4.0, 2.0), [2.0, 4.0], [0.0, 0.5], [True, True]),
        # 3.5 is the constant that the new column stands for.
        (Affine("x", 3.0, 0.5), Affine("x", 3.5, 0.0), [1.0, 2.0], [0.0, 0.0], [True, False]),
        (
            Vocabulary("x", ("Porto", "Braga"), 1),
            Vocabulary("x", ("Faro", "Braga"), 1),
            [0, 1, 2, 2],
            # Unknown is Faro in even rows, and unknown in odd ones.
            [0, 1, 0, 2],
            [False, True, True, True],
        ),
        (
            Vocabulary("x", ("Porto",)),
            Vocabulary("x", ("Braga", "Porto"), one_hot=True),
            [0, 0],
            [[0.0, 1.0], [0.0, 1.0]],
            [True, True],
        ),
        (Buckets("x", (1.0, 2.0)), Buckets("x", (1.0, 3.0)), [0, 1, 2], [0, 0, 2], [1, 0, 1]),
    ],
)
def test_values_of_a_column_are_translated(old, now, values, moved, usable):
    assert of_one_column(old, now, values) == (moved, usable)


def test_rows_of_a_removed_feature_mean_the_same_at_its_mean():
    before = InputSpec({"x": [Affine("pH", 3.0, 0.5), Affine("fat", 1.0, 2.0, mean=2.0)]})
    after = InputSpec({"x": [Affine("pH", 3.0, 0.5)]})
    base, new = (Side.of(Architecture(), spec) for spec in (before, after))
    probed = {"x": np.array([[1.0, 0.5], [2.0, 0.0]])}
    moved, usable = translated(probed, before, base, inputs_of(None, after), new)
    assert (moved["x"].tolist(), usable.tolist()) == ([[1.0], [2.0]], [True, False])


def test_inputs_without_a_model_are_those_of_the_specification():
    spec = InputSpec({"x": [Affine.identity("pH")] * 2, "city": [Vocabulary("city", ("a", "b"))]})
    numbers, city = inputs_of(None, spec)
    assert (numbers.shape, numbers.dtype, numbers.times) == ((2,), "float32", 1)
    assert [place for _, place in numbers.columns] == [0, 1]
    assert (city.shape, city.dtype, city.is_whole) == ((1,), "int64", True)


def test_a_code_out_of_range_is_a_vector_of_zeros():
    [city] = inputs_of(None, InputSpec({"city": [Vocabulary("city", ("a", "b"), one_hot=True)]}))
    assert city.packed([np.array([[1], [-1]])]).tolist() == [[0.0, 1.0], [0.0, 0.0]]
