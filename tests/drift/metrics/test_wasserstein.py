import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tfx_wine_ext.drift.metrics import NumericPair
from tfx_wine_ext.drift.metrics.ks import kolmogorov_smirnov
from tfx_wine_ext.drift.metrics.wasserstein import wasserstein
from tfx_wine_ext.drift.summaries import NumericSummary

INF = float("inf")
CLOSE = {"rel": 1e-12, "abs": 1e-12}
# Whole numbers for heavy ties, others for none.
VALUES = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6)), min_size=1, max_size=60
)


def pair_of(one, other):
    return NumericPair(
        NumericSummary.of(np.array(one, np.float64)), NumericSummary.of(np.array(other, np.float64))
    )


class Sketched(NumericSummary):
    """A summary that says of itself that its cumulative shares are wrong by up to 0.02."""

    error = 0.02
    distance_error = 0.3


def test_wasserstein_is_in_standard_deviations_of_the_reference():
    metric = wasserstein(pair_of([0, 20], [5, 25]))
    assert (metric.value, metric.details) == (0.5, {"distance": 5.0, "sigma_reference": 10.0})


def test_wasserstein_of_a_constant_is_in_thousandths():
    assert wasserstein(pair_of([7, 7], [7.5, 7.5])).value == pytest.approx(500)
    same = wasserstein(pair_of([7, 7], [7, 7]))
    assert (same.value, same.noise_floor, same.p_value) == (0.0, 0.0, 1.0)


def test_wasserstein_takes_the_largest_floats_there_are():
    metric = wasserstein(pair_of([-1e308, 1e308], [-1e308, 1e308, 1.7e308]))
    assert np.isfinite(metric.value)
    assert 0 < metric.p_value <= 1


def test_wasserstein_leaves_infinities_to_their_own_metric():
    assert wasserstein(pair_of([0, 20, INF], [5, 25])).value == 0.5


def test_wasserstein_is_not_defined_where_a_side_has_no_finite_value():
    assert wasserstein(pair_of([1.0], [INF])) is None


def test_the_error_of_both_summaries_is_in_the_metric():
    pair = NumericPair(Sketched(np.array([0.0, 2.0])), Sketched(np.array([0.0, 4.0])))
    assert kolmogorov_smirnov(pair).error == 0.04
    # In standard deviations of the reference: 1.
    assert wasserstein(pair).error == pytest.approx(2 * 0.3)


@pytest.mark.parametrize(("n", "m"), [(100, 100), (1000, 1000), (200, 3000)])
def test_of_the_null_distances_a_twentieth_exceeds_the_noise_floor(n, m):
    rng = np.random.default_rng(5)
    draws = [
        wasserstein(pair_of(rng.standard_normal(n), rng.standard_normal(m))) for _ in range(400)
    ]
    above = sum(draw.value > draw.noise_floor for draw in draws) / len(draws)
    assert 0.025 <= above <= 0.085
    # Evidently's 0.1 is about what chance does to 1,000 values: the floor is of the same size.
    normal = 2.03 * np.sqrt(1 / n + 1 / m)
    assert np.median([draw.noise_floor for draw in draws]) == pytest.approx(normal, rel=0.06)


def test_p_values_of_large_distances_go_on_falling_and_stay_bounds():
    rng = np.random.default_rng(6)
    base = rng.standard_normal(1000)
    p_values = []
    for shift in (0.1, 0.3, 0.9):
        moved = base + shift
        metric = wasserstein(pair_of(base, moved))
        deviation = np.std([*base, *moved]) * np.sqrt(2 / 1000)
        # What moves all values one way is the likeliest way to get this far by chance.
        assert metric.p_value >= 2 * stats.norm.sf(metric.details["distance"] / deviation)
        p_values.append(metric.p_value)
    assert 0.05 > p_values[0] > p_values[1] > p_values[2] > 0


@given(VALUES, VALUES)
def test_the_wasserstein_distance_is_that_of_scipy(one, other):
    ours = wasserstein(pair_of(one, other))
    assert ours.details["distance"] == pytest.approx(
        stats.wasserstein_distance(one, other), **CLOSE
    )
    unit = max(np.std(one), 1e-3)
    assert ours.value == pytest.approx(ours.details["distance"] / unit, rel=1e-9)
