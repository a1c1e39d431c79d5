import json

import numpy as np
import pytest

from tfx_wine_ext.warm_start.inputs import Affine, Buckets, InputSpec, Unknown, Vocabulary


def test_what_is_written_is_read_again():
    spec = InputSpec(
        {
            "numbers": [Affine.z_score("pH", 3.1, 0.2), Affine.identity("alcohol", 10.5)],
            "city": [Vocabulary("city", ("Porto", "Évora"), 2, default=0, reserved=1)],
            "age": [Buckets("age", (1.0, 2.5), one_hot=True)],
            "picture": [Unknown("picture", "1a2b")],
        }
    )
    assert InputSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_values_are_restated_for_another_mean_and_deviation():
    old, new = Affine.z_score("pH", 3.0, 0.5), Affine.z_score("pH", 3.5, 0.25)
    # A pH of 2.5, 3.0 and 4.0.
    np.testing.assert_allclose(old.restate([-1.0, 0.0, 2.0], new), [-4.0, -2.0, 2.0])


@pytest.mark.parametrize("scales", [(0.0, 1.0), (1.0, 0.0)])
def test_a_column_that_does_not_vary_cannot_be_restated(scales):
    old, new = (Affine("pH", 3.0, scale) for scale in scales)
    with pytest.raises(ValueError, match="'pH' cannot be restated: a scale is 0"):
        old.restate(1.0, new)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Affine("pH", float("nan"), 1), "center of 'pH' must be finite, found nan"),
        (lambda: Vocabulary("c", ("a", "b", "a")), r"'c' has tokens twice: \['a'\]"),
        (lambda: Vocabulary("c", (), oov_buckets=-1), "oov_buckets of 'c' must be 0 or more"),
        (lambda: Buckets("x", (2.0, 1.0)), r"boundaries of 'x' must ascend, found \(2\.0, 1\.0\)"),
        (
            lambda: InputSpec({"a": [Affine.identity("x")], "b": [Unknown("x")]}),
            "feature 'x' has two transforms: give each its own name",
        ),
        (lambda: InputSpec.from_dict({"a": [{"kind": "log"}]}), "kind must be one of affine, "),
        (
            lambda: InputSpec.from_dict({"a": [{"kind": "unknown", "size": 1}]}),
            "cannot read the unknown transform .*unexpected keyword argument 'size'",
        ),
    ],
)
def test_a_bad_specification_is_an_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_something_that_is_no_transform_is_an_error():
    with pytest.raises(TypeError, match=r"input 'a' must be a list of Affine, .*found 3"):
        InputSpec({"a": [3]})
