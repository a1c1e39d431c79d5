import dataclasses
import json
import re
import sys
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tfx_wine_ext.drift import DriftConfig, Threshold, Verdict, compare, merge, summarize
from tfx_wine_ext.drift import reasons as why
from tfx_wine_ext.drift.summaries import CategoricalSummary, NumericSummary

NAN, INF = float("nan"), float("inf")
HUNDRED = [float(i) for i in range(100)]


def verdicts(before, after, config=None):
    """The verdict of the whole and of each feature."""
    result = compare(pa.table(before), pa.table(after), config)
    return result.verdict.value, {f.name: f.verdict.value for f in result.features}


def only(before, after, config=None):
    """The result of the single feature of two columns."""
    (feature,) = compare(pa.table({"x": before}), pa.table({"x": after}), config).features
    return feature


def test_the_same_data_are_ok():
    rows = {"x": HUNDRED, "kind": ["a", "b"] * 50, "flag": [True, False] * 50}
    assert verdicts(rows, rows) == ("OK", {"x": "OK", "kind": "OK", "flag": "OK"})


def test_the_result_is_a_json_object():
    result = compare(pa.table({"x": HUNDRED}), pa.table({"x": [x + 50 for x in HUNDRED]}))
    found = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert sorted(found) == [
        "aggregate",
        "config",
        "features",
        "multivariate",
        "reason_facts",
        "reason_kinds",
        "share_drifted",
        "verdict",
    ]
    assert (found["verdict"], found["share_drifted"]) == ("DRIFT", 1.0)
    assert found["reason_facts"] == [
        {"type": "ShareReached", "drifted": 1, "compared": 1, "limit": 0.5}
    ]
    (feature,) = found["features"]
    assert (feature["name"], feature["kind"], feature["verdict"]) == ("x", "numeric", "DRIFT")
    assert sorted(feature["metrics"]) == [
        "infinite_rate",
        "js",
        "ks",
        "missing_rate",
        "psi",
        "wasserstein",
    ]
    ks = feature["metrics"]["ks"]
    assert (ks["value"], ks["threshold"], ks["error"], ks["verdict"]) == (0.5, 0.1, 0.0, "DRIFT")
    assert ks["p_value"] < ks["q_value"] < 1e-9
    assert found["config"] == DriftConfig().to_dict()


def test_categories_have_their_own_metrics():
    feature = only(["a"] * 60 + ["b"] * 40, ["a"] * 40 + ["b"] * 60)
    assert sorted(feature.metrics) == [
        "chi_square",
        "js",
        "l_infinity",
        "missing_rate",
        "psi",
        "unseen_mass",
    ]
    assert feature.metrics["l_infinity"].value == pytest.approx(0.2)
    assert feature.verdict is Verdict.DRIFT


def test_a_large_sample_alone_does_not_fail():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((2, 200_000))
    feature = only(rows[0], rows[1] + 0.02)
    assert feature.metrics["ks"].q_value < 0.01
    assert feature.verdict is Verdict.OK


def test_a_small_sample_alone_does_not_fail():
    feature = only(np.arange(30.0), np.arange(30.0) + 4)
    assert feature.metrics["ks"].value > feature.metrics["ks"].threshold
    assert feature.verdict is Verdict.OK


def test_no_baseline_is_a_verdict():
    result = compare(None, pa.table({"x": [1.0]}), DriftConfig(critical=("y",)))
    assert (result.verdict, result.reasons) == (Verdict.NO_BASELINE, (why.NoBaseline(),))
    assert [(f.name, f.verdict, f.n_current) for f in result.features] == [
        ("x", Verdict.NO_BASELINE, 1)
    ]


def test_a_baseline_without_rows_is_none():
    result = compare(pa.table({"x": pa.array([], pa.float64())}), pa.table({"x": [1.0]}))
    assert result.verdict is Verdict.NO_BASELINE
    assert result.reasons == (why.EmptyBaseline(),)


def test_a_single_row_is_inconclusive():
    result = compare(pa.table({"x": HUNDRED}), pa.table({"x": [1.0]}))
    assert result.verdict is Verdict.INCONCLUSIVE
    (feature,) = result.features
    assert feature.reasons == (why.TooFewValues(100, 1, 20),)


def test_a_column_that_is_gone_drifted_and_a_new_one_is_worth_a_look():
    before, after = {"x": HUNDRED, "old": HUNDRED}, {"x": HUNDRED, "new": HUNDRED}
    assert verdicts(before, after) == ("WARN", {"x": "OK", "old": "DRIFT", "new": "WARN"})


@pytest.mark.parametrize("value", [7.0, "a", True])
def test_a_constant_that_stays_is_ok(value):
    feature = only([value] * 50, [value] * 80)
    assert feature.verdict is Verdict.OK
    assert all(metric.value == 0 for name, metric in feature.metrics.items() if name != "psi")


@pytest.mark.parametrize(("before", "after"), [(7.0, 6.0), (7.0, 8.0), ("a", "b"), (True, False)])
def test_a_constant_that_changes_drifted(before, after):
    assert only([before] * 50, [after] * 50).verdict is Verdict.DRIFT


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.null()])
def test_a_column_that_is_missing_on_both_sides_is_ok(kind):
    feature = only(pa.nulls(50, kind), pa.nulls(50, kind))
    assert (feature.verdict, feature.kind) == (Verdict.OK, "unknown")


def test_all_missing_text_and_all_missing_numbers_are_alike():
    for kinds in ((pa.string(), pa.float64()), (pa.float64(), pa.string())):
        before, after = (pa.nulls(50, kind) for kind in kinds)
        assert only(before, after).verdict is Verdict.OK


@pytest.mark.parametrize("after", [pa.nulls(100), pa.nulls(100, pa.string()), [NAN] * 100])
def test_a_column_that_loses_all_values_drifted(after):
    feature = only(HUNDRED, after)
    assert (feature.verdict, feature.kind) == (Verdict.DRIFT, "numeric")
    assert feature.reasons == (why.BeyondLimit("missing_rate", 1.0, 0.05),)


def test_a_column_with_too_few_present_values_is_inconclusive():
    column = pa.array([1.0] * 5 + [None] * 95)
    feature = only(column, column)
    assert feature.verdict is Verdict.INCONCLUSIVE
    assert feature.reasons == (why.TooFewPresent(5, 5, 20),)


def test_null_and_nan_are_the_same_absence():
    with_null = pa.array([None] * 20 + HUNDRED)
    with_nan = pa.array([NAN] * 20 + HUNDRED)
    assert only(with_null, with_nan).verdict is Verdict.OK


def test_new_infinities_are_seen():
    feature = only(HUNDRED * 3, HUNDRED * 2 + [INF] * 40 + [-INF] * 60)
    assert feature.metrics["infinite_rate"].value == pytest.approx(1 / 3)
    assert feature.metrics["infinite_rate"].verdict is Verdict.DRIFT


def test_int_and_float_are_comparable():
    ints = pa.array(range(100), pa.int16())
    assert only(ints, HUNDRED).verdict is Verdict.OK
    codes = DriftConfig(categorical=("x",))
    assert only(pa.array([1, 2] * 50), [1.0, 2.0] * 50, codes).metrics["js"].value == 0


def test_a_column_that_becomes_text_drifted():
    feature = only(HUNDRED, [str(x) for x in HUNDRED])
    assert feature.verdict is Verdict.DRIFT
    assert feature.reasons == (why.KindChanged("numeric", "categorical"),)


def test_nearly_unique_strings_are_ok_though_all_of_them_are_new():
    rng = np.random.default_rng(2)
    before, after = (rng.integers(0, 10**9, 2000).astype(str).tolist() for _ in range(2))
    feature = only(before, after)
    assert feature.metrics["unseen_mass"].value > 0.99
    assert feature.verdict is Verdict.OK


def test_new_values_where_the_reference_has_few_drifted():
    before = ["a", "b"] * 1000
    feature = only(before, before[:1950] + ["c"] * 50)
    assert feature.metrics["unseen_mass"].verdict is Verdict.DRIFT


def test_a_few_new_values_are_worth_a_look():
    before = ["a", "b"] * 2000
    feature = only(before, before[:3980] + ["c"] * 20)
    assert feature.metrics["unseen_mass"].verdict is Verdict.WARN
    assert feature.reasons == (why.BeyondLimit("unseen_mass", 0.005, 0.0),)


def test_a_million_categories_are_compared():
    words = pa.array(np.arange(1_000_000)).cast(pa.string())
    feature = only(words, words.take(pa.array(np.arange(999_999, -1, -1))))
    assert (feature.verdict, feature.n_current) == (Verdict.OK, 1_000_000)
    assert feature.metrics["l_infinity"].value == 0


def test_a_category_with_a_million_values_is_compared():
    feature = only(["a"] * 1_000_000, ["a"] * 999_000 + ["b"] * 1_000)
    assert feature.metrics["unseen_mass"].value == 0.001
    assert feature.verdict is Verdict.WARN


def test_heavy_ties_are_ok():
    rng = np.random.default_rng(4)
    columns = (np.where(rng.random(3000) < 0.9, 0.0, rng.random(3000)) for _ in range(2))
    assert only(*columns).verdict is Verdict.OK


def test_a_critical_feature_decides_alone():
    before = {name: HUNDRED for name in "abc"}
    after = {**before, "a": [x + 50 for x in HUNDRED]}
    assert verdicts(before, after)[0] == "WARN"
    assert verdicts(before, after, DriftConfig(critical=("b",)))[0] == "WARN"
    result = compare(pa.table(before), pa.table(after), DriftConfig(critical=("a",)))
    assert result.verdict is Verdict.DRIFT
    assert result.reasons == (why.CriticalDrifted("a"),)


def test_the_share_of_drifted_features_decides_and_counts_are_of_all_features():
    before = {name: HUNDRED for name in "abcd"}
    after = {**before, "a": [x + 50 for x in HUNDRED], "b": [x + 50 for x in HUNDRED]}
    result = compare(pa.table(before), pa.table(after))
    assert result.verdict is Verdict.DRIFT
    assert result.reasons == (why.ShareReached(drifted=2, compared=4, limit=0.5),)


def test_a_critical_feature_that_cannot_be_judged_is_inconclusive():
    before = {"a": pa.array([1.0] * 5 + [None] * 95), "b": HUNDRED, "c": HUNDRED}
    assert verdicts(before, before)[0] == "OK"
    assert verdicts(before, before, DriftConfig(critical=("a",)))[0] == "INCONCLUSIVE"


def test_importances_add_up_to_a_verdict():
    before = {name: HUNDRED for name in "abc"}
    after = {**before, "a": [x + 50 for x in HUNDRED]}
    distance = compare(pa.table(before), pa.table(after)).features[0].metrics["js"].value
    config = DriftConfig(importances={"a": 3, "b": 1})
    result = compare(pa.table(before), pa.table(after), config)
    assert result.aggregate == pytest.approx(distance * 0.75 ** (1 / 3))
    assert result.verdict is Verdict.DRIFT
    light = DriftConfig(importances={"a": 0.001, "b": 1})
    assert compare(pa.table(before), pa.table(after), light).verdict is Verdict.WARN


def test_a_threshold_of_a_feature_is_used():
    after = [x + 12 for x in HUNDRED * 10]
    assert only(HUNDRED * 10, after).verdict is Verdict.DRIFT
    lenient = {"x": {name: 5.0 for name in ("psi", "js", "ks", "wasserstein")}}
    assert only(HUNDRED * 10, after, DriftConfig(features=lenient)).verdict is Verdict.OK
    silent = {"x": {name: Threshold() for name in ("psi", "js", "ks", "wasserstein")}}
    assert only(HUNDRED * 10, after, DriftConfig(features=silent)).verdict is Verdict.OK


def test_what_is_ignored_need_not_be_comparable():
    before = pa.table({"x": HUNDRED, "where": [{"lat": 1.0}] * 100})
    result = compare(before, before, DriftConfig(ignore=("where",)))
    assert [feature.name for feature in result.features] == ["x"]
    with pytest.raises(TypeError, match="column 'where' is of type struct"):
        compare(before, before)


def test_a_name_in_the_config_that_no_side_has_is_refused():
    table = pa.table({"x": HUNDRED, "y": HUNDRED})
    message = "critical of the drift config names 'z', which neither side has: expected one of x, y"
    with pytest.raises(ValueError, match=message):
        compare(table, table, DriftConfig(critical=("z",)))


def test_tables_frames_and_merged_summaries_give_the_same():
    before = pa.table({"x": HUNDRED, "kind": ["a", "b"] * 50})
    after = pa.table({"x": [x + 20 for x in HUNDRED], "kind": ["a", "c"] * 50})
    expected = compare(before, after).to_dict()
    frames = (pd.DataFrame(side.to_pydict()) for side in (before, after))
    assert compare(*frames).to_dict() == expected
    parts = [merge(summarize(x.slice(0, 30)), summarize(x.slice(30))) for x in (before, after)]
    assert compare(*parts).to_dict() == expected


def test_an_error_bound_across_the_threshold_is_inconclusive():
    class Sketched(NumericSummary):
        error = 0.03

    rng = np.random.default_rng(7)
    columns = np.sort(rng.random((2, 20_000)))
    # A step of 0.12 in the distribution functions, known to 0.06.
    sides = [{"x": Sketched(columns[0])}, {"x": Sketched(np.maximum(columns[1], 0.12))}]
    config = DriftConfig(
        thresholds={"psi": Threshold(), "js": Threshold(), "wasserstein": Threshold()}
    )
    (feature,) = compare(*sides, config).features
    assert feature.metrics["ks"].value == pytest.approx(0.12, abs=0.01)
    assert feature.verdict is Verdict.INCONCLUSIVE
    ks = feature.metrics["ks"]
    assert feature.reasons == (why.LimitWithinError("ks", ks.value, pytest.approx(0.06), 0.1),)


@pytest.mark.parametrize("given", [pa.table, pd.DataFrame, lambda rows: summarize(pa.table(rows))])
@pytest.mark.parametrize(
    ("before", "after", "ignore", "message"),
    [
        (
            {"x": HUNDRED, "y": HUNDRED},
            {"x": HUNDRED, "y": HUNDRED},
            ("x", "y"),
            "the current data have no column that is left to compare; ignore of the drift config "
            "names x, y: take out what is to be compared",
        ),
        (
            {"x": HUNDRED},
            {"x": HUNDRED, "y": HUNDRED},
            ("x",),
            "the baseline has no column that is left to compare; ignore of the drift config names "
            "x: take out what is to be compared",
        ),
        (
            {"x": HUNDRED, "id": HUNDRED},
            {"y": HUNDRED, "z": HUNDRED, "id": HUNDRED},
            ("id",),
            "the sides have no column in common: the baseline has x, the current data y, z; "
            "compare data of one kind, or rename the columns of one side",
        ),
        (
            {"x": HUNDRED},
            {"x": []},
            (),
            "the current data have no rows, so that there is nothing to compare: check what "
            "should have written them",
        ),
        ({"x": []}, {"x": []}, (), "the current data have no rows"),
    ],
    ids=[
        "all ignored",
        "all of the baseline ignored",
        "none in common",
        "no rows",
        "no rows at all",
    ],
)
def test_where_nothing_can_be_compared_there_is_no_verdict(given, before, after, ignore, message):
    before, after = given(before), given(after)
    with pytest.raises(ValueError, match=re.escape(message)):
        compare(before, after, DriftConfig(ignore=ignore), rows=None)


def test_summaries_of_no_column_are_an_error_where_there_are_rows():
    summaries = summarize(pa.table({"x": HUNDRED}))
    with pytest.raises(ValueError, match="the baseline has no column that is left to compare"):
        compare({}, summaries, rows=(100, 100))
    with pytest.raises(ValueError, match="the current data have no column that is left to compare"):
        compare(summaries, {}, rows=(100, 100))
    assert compare({}, summaries, rows=(0, 100)).reasons == (why.EmptyBaseline(),)


def test_a_first_run_that_looks_at_nothing_is_an_error_too():
    with pytest.raises(ValueError, match="no column that is left to compare"):
        compare(None, pa.table({"x": HUNDRED}), DriftConfig(ignore=("x",)))
    with pytest.raises(ValueError, match="the current data have no rows"):
        compare(None, pa.table({"x": pa.array([], pa.float64())}))


@pytest.mark.parametrize("field", ["ignore", "categorical"])
def test_a_name_that_is_no_column_is_refused(field):
    table = pa.table({"id": HUNDRED, "x": HUNDRED})
    message = f"{field} of the drift config names 'idd', which neither side has: expected one of id"
    with pytest.raises(ValueError, match=message):
        compare(table, table, DriftConfig(**{field: ("idd",)}))


@pytest.mark.parametrize(
    "config", [{"critical": ("x",)}, {"importances": {"x": 1.0}}, {"features": {"x": {"ks": 0.2}}}]
)
@pytest.mark.parametrize("given", [pa.table, lambda rows: summarize(pa.table(rows))])
def test_what_is_ignored_cannot_matter_as_well(config, given):
    side = given({"x": HUNDRED, "y": HUNDRED})
    with pytest.raises(ValueError, match=r"names 'x', which (ignore names as well|neither side)"):
        compare(side, side, DriftConfig(ignore=("x",), **config))


def test_what_is_ignored_of_summaries_is_not_compared():
    side = summarize(pa.table({"x": HUNDRED, "y": HUNDRED}))
    result = compare(side, side, DriftConfig(ignore=("x",)))
    assert [feature.name for feature in result.features] == ["y"]


NUMBERS = st.lists(
    st.one_of(st.floats(), st.integers(-2, 2).map(float), st.none()), min_size=1, max_size=30
)
WORDS = st.lists(st.one_of(st.text(max_size=1), st.none()), min_size=1, max_size=30)


@given(st.one_of(st.tuples(NUMBERS, NUMBERS), st.tuples(WORDS, WORDS), st.tuples(NUMBERS, WORDS)))
@example(([0.0], [sys.float_info.max]))
@example(([-sys.float_info.max], [sys.float_info.max]))
@example(([5e-324, 0.0], [0.0, 5e-324, 5e-324]))
def test_whatever_is_compared_has_finite_numbers_and_no_drift_from_itself(columns):
    config = DriftConfig(min_count=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        feature = only(*columns, config)
        assert only(columns[0], columns[0], config).verdict in (Verdict.OK, Verdict.INCONCLUSIVE)
    json.dumps(feature.to_dict(), allow_nan=False)
    for metric in feature.metrics.values():
        assert metric.value >= 0
        assert metric.noise_floor >= 0
        assert 0 <= metric.p_value <= metric.q_value + 1e-12 <= 1 + 1e-12


def test_a_result_cannot_be_changed():
    result = compare(None, pa.table({"x": [1.0]}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.verdict = Verdict.OK


def test_summaries_are_of_one_kind_each():
    summaries = summarize(pa.table({"x": HUNDRED, "kind": ["a"] * 100}))
    assert [type(summary) for summary in summaries.values()] == [NumericSummary, CategoricalSummary]


def test_without_histograms_everything_else_is_the_same():
    before = {"x": range(100), "kind": ["a", "b"] * 50, "gone": range(100), "turned": range(100)}
    after = {"x": range(9, 109), "kind": ["a"] * 100, "new": ["c"] * 100, "turned": ["d"] * 100}
    tables = [pa.table({name: list(column) for name, column in x.items()}) for x in (before, after)]
    drawn, not_drawn = compare(*tables), compare(*tables, histograms=False)
    assert all(feature.histogram for feature in drawn.features)
    expected = [dataclasses.replace(feature, histogram=None) for feature in drawn.features]
    assert list(not_drawn.features) == expected
    assert (not_drawn.verdict, not_drawn.reasons) == (drawn.verdict, drawn.reasons)
    assert compare(None, tables[1], histograms=False).features[0].histogram is None
