"""A smaller run of scripts/simulate_drift.py: how often a verdict is wrong."""

import importlib.util

import numpy as np
import pytest

from tfx_wine_ext.drift import Verdict, compare


@pytest.fixture(scope="module")
def simulation(checkout):
    path = checkout / "scripts" / "simulate_drift.py"
    spec = importlib.util.spec_from_file_location("simulate_drift", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["one number", "ten categories"])
@pytest.mark.parametrize(("n", "m"), [(100, 100), (1000, 1000), (100, 5000), (5000, 100)])
def test_at_most_a_twentieth_of_equal_pairs_is_called_drift(simulation, kind, n, m):
    # 0.05 and two standard errors of 200 pairs: 0.05 + 2 * sqrt(0.05 * 0.95 / 200).
    assert simulation.rates(kind, n, m, 0.0, pairs=200)["not OK"] <= 0.08


@pytest.mark.parametrize("n", [100, 1000])
def test_tables_with_awkward_columns_do_not_cry_wolf(simulation, n):
    found = simulation.rates("twelve columns", n, n, 0.0, pairs=40)
    assert found["drift"] == 0
    assert found["any feature"] <= 0.1


def test_a_shift_of_a_fifth_of_sigma_is_found_in_a_thousand_rows(simulation):
    assert simulation.rates("one number", 1000, 1000, 0.2, pairs=50)["drift"] >= 0.85
    assert simulation.rates("twelve columns", 1000, 1000, 0.2, pairs=20)["any feature"] == 1


def test_sketches_do_not_cry_wolf_and_have_the_same_power(simulation):
    mode = {"mode": "sketch"}
    assert simulation.rates("one number", 1000, 1000, 0.0, pairs=100, **mode)["not OK"] <= 0.09
    assert simulation.rates("twelve columns", 1000, 1000, 0.0, pairs=20, **mode)["drift"] == 0
    assert simulation.rates("one number", 1000, 1000, 0.2, pairs=50, **mode)["drift"] >= 0.85


def test_the_sketches_of_the_simulation_are_really_compressed(simulation):
    rng = np.random.default_rng(1)
    for n in (100, 1000):
        sketch = simulation.sketched(simulation.mixed(rng, n, 0.0))
        errors = {name: side.error for name, side in sketch.summaries().items()}
        assert errors["normal"] > 0
        assert errors["nearly_unique"] > 0


def test_the_simulated_change_of_correlations_is_found_by_the_classifier_alone(simulation):
    found = simulation.classifier_rates("together", 1000, 0.8, pairs=5)
    assert found == {"drift": 1.0, "inconclusive": 0.0, "p < 0.05": 1.0}
    sides = [simulation.together(np.random.default_rng(2), 1000, rho) for rho in (0.0, 0.8)]
    assert compare(*sides).verdict is Verdict.OK
