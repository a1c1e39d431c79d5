import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tfx_wine_ext.drift.aggregates import histogram, statistics
from tfx_wine_ext.drift.summaries import CategoricalSummary, NumericSummary, summarize_column

NAN, INF = float("nan"), float("inf")


def numbers(*values, missing=0):
    return NumericSummary.of(np.array(values, np.float64), missing)


def words(*values):
    return CategoricalSummary.of(pa.array(values, pa.string()))


def test_the_statistics_of_numbers_are_of_the_finite_ones():
    assert statistics(numbers(-INF, 1.0, 2.0, 3.0, 10.0, NAN, NAN, INF, missing=3)) == {
        "n": 11,
        "missing": 3,
        "nan": 2,
        "negative_infinity": 1,
        "positive_infinity": 1,
        "min": 1.0,
        "p25": 1.75,
        "median": 2.5,
        "p75": 4.75,
        "max": 10.0,
        "mean": 4.0,
        "std": 12.5**0.5,
    }


def test_without_a_finite_value_the_statistics_are_none():
    found = statistics(numbers(NAN, INF))
    assert [found[name] for name in ("min", "p25", "median", "p75", "max", "mean", "std")] == [
        None
    ] * 7


def test_the_statistics_of_categories_are_counts():
    assert statistics(words("a", "b", "a", None)) == {"n": 4, "missing": 1, "distinct": 2}


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_the_statistics_are_those_of_numpy(values):
    found = statistics(numbers(*values))
    quartiles = np.percentile(values, [25, 50, 75])
    close = {"rel": 1e-9, "abs": 1e-6}
    assert [found["p25"], found["median"], found["p75"]] == pytest.approx(quartiles, **close)
    assert found["mean"] == pytest.approx(np.mean(values), **close)
    assert found["std"] == pytest.approx(np.std(values), rel=1e-9, abs=1e-3)


def test_the_largest_floats_have_a_mean_and_a_deviation():
    largest = sys.float_info.max
    found = statistics(numbers(-largest, largest))
    assert (found["mean"], found["std"], found["median"]) == (0.0, largest, 0.0)


def test_few_whole_numbers_have_a_bin_each():
    assert histogram(numbers(3, 3, 5, INF), numbers(5, 6, -INF, -INF, NAN)) == {
        "kind": "numeric",
        "edges": [2.5, 3.5, 4.5, 5.5, 6.5],
        "baseline": [2, 0, 1, 0],
        "current": [0, 0, 1, 1],
        "below": [0, 2],
        "above": [1, 0],
        "integers": True,
    }


def test_other_numbers_have_forty_bins_between_the_outer_half_percents():
    before = numbers(*np.linspace(0, 1, 1001))
    drawn = histogram(before, numbers(0.0, 0.5, 100.0))
    assert (len(drawn["edges"]), drawn["integers"]) == (41, False)
    assert (drawn["edges"][0], drawn["edges"][-1]) == (0.0, 100.0)
    assert drawn["baseline"] == [1001] + [0] * 39
    assert drawn["current"] == [2] + [0] * 38 + [1]
    assert (drawn["below"], drawn["above"]) == ([0, 0], [0, 0])


def test_bins_of_rounded_numbers_hold_equally_many_steps():
    tenths = [n / 10 for n in range(80, 142)]
    drawn = histogram(numbers(*tenths), numbers(*np.float32(tenths)))
    assert drawn["baseline"] == drawn["current"] == [2] * 31
    assert np.allclose(drawn["edges"], np.arange(7.95, 14.2, 0.2))
    assert drawn["integers"] is False


def test_one_number_in_five_may_be_less_round_than_the_others():
    rounded = [n / 10 for n in range(80, 130)] * 4
    between = np.random.default_rng(0).uniform(8.0, 12.9, 52)
    assert len(histogram(numbers(*rounded, *between[:49]), None)["edges"]) == 26
    assert len(histogram(numbers(*rounded, *between), None)["edges"]) == 41


def test_the_last_bin_of_rounded_numbers_ends_at_the_largest_float():
    with np.errstate(over="raise"):
        found = histogram(numbers(*[0.0] * 19, 1.75e308), None)
    assert found["edges"] == sorted(set(found["edges"]))
    assert found["edges"][-1] == np.finfo(float).max
    assert (found["baseline"][0], sum(found["baseline"])) == (19, 20)


def test_what_is_outside_the_outer_half_percents_is_counted_beside_the_bins():
    before = numbers(*range(1000), -1e9, -INF, 1e9, INF)
    drawn = histogram(before, numbers(500.5))
    assert (drawn["edges"][0], drawn["edges"][-1]) == (4.0, 995.0)
    assert (drawn["below"], drawn["above"]) == ([6, 0], [6, 0])
    assert (sum(drawn["baseline"]), sum(drawn["current"])) == (992, 1)


@example([0.0, 5e-324], [1e308])
@example([0.1, 0.2, 1.7e308], [0.3, -1.7e308])
@given(
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=60),
    st.lists(st.floats(), max_size=60),
)
def test_every_value_is_in_a_bin_or_beside_them(before, after):
    drawn = histogram(numbers(*before), numbers(*after))
    if drawn is None:
        assert not np.isfinite([*before, *after]).any()
        return
    edges = np.array(drawn["edges"])
    assert 2 <= len(edges) <= 41
    assert np.all(edges[1:] > edges[:-1])
    assert np.isfinite(edges).all()
    for side, values in (("baseline", before), ("current", after)):
        index = 0 if side == "baseline" else 1
        total = sum(drawn[side]) + drawn["below"][index] + drawn["above"][index]
        assert total == np.count_nonzero(~np.isnan(values))


@pytest.mark.parametrize("value", [0.5, 1e300, -1e300, sys.float_info.max, 5e-324])
def test_a_constant_has_one_bin(value):
    drawn = histogram(numbers(value, value), None)
    assert (drawn["baseline"], drawn["current"]) == ([2], None)
    assert (drawn["below"], drawn["above"]) == ([0, None], [0, None])
    assert drawn["edges"][0] <= value <= drawn["edges"][1]


def test_categories_are_drawn_by_the_sum_of_their_shares():
    assert histogram(words("a", "a", "b", "c", None), words("b", "b", "d")) == {
        "kind": "categorical",
        "values": ["b", "a", "d", "c"],
        "baseline": [1, 2, 0, 1],
        "current": [2, 0, 1, 0],
        "other": [0, 0],
    }


def test_of_many_categories_twenty_are_drawn_and_long_ones_are_cut():
    before = words(*["x" * 300] * 3, *(f"{i:03}" for i in range(100)))
    drawn = histogram(before, None)
    shown = "x" * 133 + "…" + "x" * 66
    assert drawn["values"] == [shown, *(f"{i:03}" for i in range(19))]
    assert drawn["unlisted"] == 81
    assert (drawn["baseline"], drawn["current"]) == ([3] + [1] * 19, None)
    assert drawn["other"] == [81, None]


def test_of_many_categories_those_that_changed_most_are_drawn_be_they_rare():
    common = [f"common_{i:02}" for i in range(30)]
    rare = [f"rare_{i:03}" for i in range(400)]
    before = words(*common * 100, *rare, *["gone"] * 40)
    after = words(*common * 100, *rare, *["new"] * 40)
    drawn = histogram(before, after)
    assert drawn["values"][18:] == ["gone", "new"]
    assert (len(drawn["values"]), drawn["unlisted"]) == (20, 412)
    assert [
        sum(drawn[side]) + drawn["other"][i] for i, side in enumerate(("baseline", "current"))
    ] == ([3440, 3440])


def test_long_categories_that_differ_in_the_middle_have_labels_that_differ():
    found = histogram(words(*(f"{'x' * 150}{i}{'y' * 100}" for i in range(12))), None)["values"]
    assert len(set(found)) == 12
    assert max(map(len, found)) <= 200


def test_dates_have_bins_of_whole_days():
    day = 86_400_000_000
    first = summarize_column(pa.array([19_000, 19_001, 19_001], pa.date32()))
    drawn = histogram(first, summarize_column(pa.array([19_003], pa.date32())))
    assert [edge / day for edge in drawn["edges"]] == [18999.5, 19000.5, 19001.5, 19002.5, 19003.5]
    assert (drawn["baseline"], drawn["current"]) == ([1, 2, 0, 0], [0, 0, 0, 1])
    assert drawn["integers"] is False


def test_where_the_kind_changed_the_current_side_is_drawn():
    drawn = histogram(numbers(1, 2), words("a"))
    assert (drawn["values"], drawn["baseline"], drawn["current"]) == (["a"], None, [1])
    assert histogram(words("a"), numbers(1))["baseline"] is None


def test_a_side_that_is_all_missing_is_drawn_empty():
    missing = summarize_column(pa.nulls(3))
    assert histogram(missing, missing) is None
    assert histogram(numbers(1, 2), missing)["current"] == [0, 0]
    assert histogram(words("a"), missing)["current"] == [0]
