import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.drift.metrics import CategoricalPair
from tfx_wine_ext.drift.metrics.unseen_mass import unseen_mass
from tfx_wine_ext.drift.summaries import CategoricalSummary


def pair_of(before, after):
    sides = [pa.array(side, pa.string()) for side in (before, after)]
    return CategoricalPair(*map(CategoricalSummary.of, sides))


def test_the_share_of_new_values_is_measured():
    metric = unseen_mass(pair_of(["a"] * 60 + ["b"] * 40, ["a"] * 80 + ["c"] * 20))
    assert metric.value == 0.2
    assert metric.p_value < 1e-5


def test_new_values_among_nearly_unique_strings_are_what_chance_does():
    before, after = ([f"{side}{i}" for i in range(500)] for side in "xy")
    metric = unseen_mass(pair_of(before, after))
    assert (metric.value, metric.p_value) == (1.0, 1.0)
    assert metric.details == {"expected_by_chance": pytest.approx(1.0)}


def test_new_values_of_one_distribution_are_rarely_called_significant():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(300):
        codes = np.floor(np.exp(2 * rng.standard_normal((2, 400)))).astype(int)
        found.append(unseen_mass(pair_of(*codes.astype(str).tolist())))
    assert np.mean([metric.p_value < 0.05 for metric in found]) <= 0.05
    assert 0.01 <= np.mean([metric.value > metric.noise_floor for metric in found]) <= 0.09


def test_a_side_without_values_is_refused():
    with pytest.raises(ValueError, match="both sides must have a value, found 1 and 0"):
        unseen_mass(pair_of(["a"], [None]))
