"""Which rows of a base's weight become which rows of the new one, without any model."""

import numpy as np

from tfx_wine_ext.warm_start.architecture import Architecture, Label
from tfx_wine_ext.warm_start.inputs import Affine, Buckets, Vocabulary
from tfx_wine_ext.warm_start.rows import Side, hash_buckets, plan_rows


def codes(count):
    return [Label("code", "city", place) for place in range(count)]


def plan_codes(old, now, name="dense/kernel"):
    """The plan of a weight with one row for each code of the feature."""
    base, new = (Side(Architecture(codings={"city": "city"}), {"city": x}) for x in (old, now))
    return plan_rows(name, base, new, codes(old.size), codes(now.size))


def column(name):
    return [Label("column", name, 0)]


def plan_column(old, now):
    base, new = (Side(Architecture(), {"pH": transform}) for transform in (old, now))
    return plan_rows("dense/kernel", base, new, column("pH"), column("pH"))


def test_the_same_codes_are_a_copy():
    city = Vocabulary("city", ("Porto", "Braga"), oov_buckets=1)
    plan = plan_codes(city, city)
    assert plan.is_copy
    assert (plan.kept, plan.added, plan.vanished) == (3, 0, 0)


def test_tokens_take_their_rows_with_them_and_new_ones_begin_as_unknown_ones():
    old = Vocabulary("city", ("Porto", "Braga"), oov_buckets=1)
    plan = plan_codes(old, Vocabulary("city", ("Faro", "Porto"), oov_buckets=1))
    assert plan.sources == [(2,), (0,), (2,)]
    assert plan.own == [False, True, True]
    assert (plan.kept, plan.added, plan.vanished) == (2, 1, 1)


def test_without_a_bucket_a_new_row_of_an_embedding_is_the_mean_of_all():
    old = Vocabulary("city", ("Porto", "Braga"))
    now = Vocabulary("city", ("Porto", "Braga", "Faro"))
    assert plan_codes(old, now, "city/embeddings").sources == [(0,), (1,), (0, 1)]
    assert plan_codes(old, now, "dense/kernel").sources == [(0,), (1,), ()]


def test_more_buckets_of_numbers_begin_as_the_last_one():
    old, now = Buckets("city", (1.0, 2.0)), Buckets("city", (1.0, 2.0, 3.0, 4.0))
    assert plan_codes(old, now).sources == [(0,), (1,), (2,), (2,), (2,)]


def test_another_mean_and_deviation_are_a_factor_and_a_shift_of_the_bias():
    old, now = Affine("pH", center=3.0, scale=0.5), Affine("pH", center=4.0, scale=0.25)
    plan = plan_column(old, now)
    # z = (s' / s) z' + (c' - c) / s
    assert plan.scale.tolist() == [0.5]
    assert [(shift.row, shift.factor) for shift in plan.shifts] == [(0, 2.0)]
    assert not plan.is_copy


def test_the_columns_of_a_feature_that_came_are_zero_and_of_one_that_went_are_counted():
    base, new = Side(Architecture(), {}), Side(Architecture(), {})
    plan = plan_rows("dense/kernel", base, new, column("old"), column("new"))
    assert (plan.sources, plan.kept, plan.added, plan.vanished) == ([()], 0, 1, 1)


def test_rows_are_computed_from_the_means_of_their_sources():
    old = Vocabulary("city", ("Porto", "Braga"))
    plan = plan_codes(old, Vocabulary("city", ("Braga", "Faro")), "city/embeddings")
    weight = np.array([[1.0, 2.0], [3.0, 6.0]])
    made = plan.apply(weight, np.full((2, 2), 9.0), np.array([2.0, 1.0]))
    assert made.tolist() == [[6.0, 12.0], [2.0, 4.0]]


def test_tokens_are_in_the_buckets_in_which_tensorflow_puts_them():
    assert hash_buckets(["Porto", "Braga", "Faro"], 1) == [0, 0, 0]
    assert hash_buckets(["7", "-1"], 4, integers=True) == [3, 3]
    assert set(hash_buckets([str(number) for number in range(50)], 4)) == {0, 1, 2, 3}
