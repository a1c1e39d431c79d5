from __future__ import annotations

import dataclasses

import pytest

from tests.report.documents import (
    ALCOHOL,
    DRIFTED,
    FEW,
    GONE,
    GRAPE,
    INCONCLUSIVE,
    NEW,
    NO_BASELINE,
    OK,
    PH,
    QUALITY,
    STRADDLING,
    document,
    feature,
    metric,
    numbers,
)
from tfx_wine_ext.drift import reasons as why
from tfx_wine_ext.drift.load import load_document
from tfx_wine_ext.report.words import drift as words
from tfx_wine_ext.report.words.drift import drift_message, metric_number, sentence


def plain(texts):
    """Without the marks that isolate names, and with common spaces."""
    spaces = str.maketrans({"\u00a0": " ", "\u2068": None, "\u2069": None})
    return [text.translate(spaces) for text in texts]


def typed(stored):
    """A stored feature, loaded."""
    [loaded] = load_document(document("OK", [stored])).features
    return loaded


def explain(stored):
    return words.explain(typed(stored))


def change(stored):
    return words.change(typed(stored))


SENTENCES = [
    (why.Stated("the sun is gone"), "the sun is gone"),
    (why.BeyondLimit("ks", 0.12345, 0.1), "ks is 0.123, and its limit is 0.1"),
    (
        why.LimitWithinError("ks", 0.0987, 0.0123, 0.1),
        "ks is 0.0987 with an error of up to 0.012, and its limit is 0.1",
    ),
    (why.ColumnGone(), "the column is gone"),
    (why.ColumnNew(), "the column is new"),
    (
        why.KindChanged("numeric", "categorical"),
        "the column was numeric and is categorical",
    ),
    (why.TooFewValues(100, 1, 20), "100 and 1 values, and at least 20 are needed"),
    (
        why.TooFewPresent(5, 6, 20),
        "5 and 6 values that are not missing, and at least 20 are needed to compare them",
    ),
    (why.OnlyCounted(), "only the number of values is known"),
    (why.CriticalDrifted("{pH}"), "{pH}, which is critical, drifted"),
    (why.CriticalUnjudged("pH"), "pH, which is critical, cannot be judged"),
    (why.ShareReached(7, 12, 0.5), "7 of 12 features drifted"),
    (why.ShareUnjudged(1, 1, 0.5), "1 of 1 feature cannot be judged"),
    (why.AggregateReached(0.70711, 0.2), "the aggregated drift is 0.707; its limit is 0.2"),
    (
        why.FeaturesChanged(1, 2, 12),
        "1 of 12 features drifted, and 2 more changed within their limits",
    ),
    (
        why.ClassifierBeyondLimit(0.7123, 0.69, 0.734, 0.6),
        "a classifier tells the sides apart: its area under the ROC curve is 0.712 (0.69 to "
        "0.734), and its limit is 0.6",
    ),
    (
        why.ClassifierUndecided(0.0, 1.0, 0.6),
        "whether a classifier tells the sides apart is not known: its area under the ROC curve is "
        "between 0 and 1, and its limit is 0.6",
    ),
    (why.NoBaseline(), "there is no baseline"),
    (why.EmptyBaseline(), "the baseline has no rows"),
    (
        why.BaselineLost("span 1, split train", "/examples/1", "/examples/1/Split-train", "a link"),
        "the files of the baseline, span 1, split train (/examples/1), are gone: "
        "/examples/1/Split-train: a link",
    ),
    (
        why.BaselineUnfit("span 2, split train", "/examples/2", "current"),
        "span 2, split train (/examples/2), which was found as the baseline, is the current data "
        "themselves",
    ),
]


@pytest.mark.parametrize(("reason", "said"), SENTENCES, ids=lambda x: type(x).__name__)
def test_each_reason_has_a_sentence(reason, said):
    assert sentence(reason) == said


def test_no_type_of_reason_lacks_a_sentence():
    assert {type(reason) for reason, _ in SENTENCES} == set(why.REASONS.values())


def test_the_message_of_drift_has_the_worst_features_with_what_decided():
    assert drift_message(load_document(DRIFTED)) == (
        "span 2, split train drifted from span 1, split train: alcohol, which is critical, "
        "drifted; 3 of 6 features drifted. Worst: grape (unseen_mass 0.05, limit 0.01), alcohol "
        "(wasserstein 0.378, limit 0.1), sulphates (the column is gone)"
    )


def test_the_message_of_drift_that_only_the_classifier_saw_names_no_feature():
    told = why.ClassifierBeyondLimit(0.94, 0.92, 0.96, 0.6)
    document = dataclasses.replace(load_document(DRIFTED), reasons=(told,), features=())
    assert drift_message(document).endswith(" (0.92 to 0.96), and its limit is 0.6")


def test_of_numbers_it_says_what_decided_and_what_moved_and_by_how_much():
    assert plain(explain(ALCOHOL)) == [
        "Decided by Wasserstein: 0.378, beyond the limit of 0.1; chance alone reaches 0.0663 in "
        "samples of these sizes.",
        "The median fell from 10.4 to 9.8, by 0.48 standard deviations of the baseline.",
        "The middle half of the values is narrower: 9.3 to 10.5 now, 9.4 to 11.4 before.",
        "75 % of the values are at most 10.5; 53 % were before.",
        "The largest value is 14.9; it was 14.2.",
        "The share of missing values rose from 0 % to 3.1 %.",
    ]


def test_of_single_whole_numbers_it_says_which_or_more():
    assert plain(explain(QUALITY)) == [
        "Decided by PSI: 0.15; from 0.1 on it warns, from 0.25 on it fails.",
        "The median stayed at 6.",
        "40 % of the values are 7 or more; 20 % were before.",
    ]


def test_of_categories_it_says_which_changed_most_and_what_is_new():
    assert plain(explain(GRAPE)) == [
        "Decided by unseen values: 5 %, beyond the limit of 1 %; chance alone reaches 0.1 % in "
        "samples of these sizes.",
        "“Riesling” fell from 60 % to 50 % of the values.",
        "“Zweigelt” rose from 0 % to 5 % of the values.",
        "5 % of the values are new: the baseline has none of them; chance explains 0.04 %.",
        "There are 31 distinct values; there were 30.",
    ]


# A difference that chance does not explain, and that is far below the limit.
SURE = metric(0.012, threshold=0.2, floor=0.002, q=0.001)


def test_of_what_did_not_move_it_says_just_that():
    assert plain(explain({**PH, "metrics": {"ks": SURE}})) == [
        "No metric reached its limit.",
        "The median stayed at 3.2.",
    ]


@pytest.mark.parametrize("verdict_limit", [0.2, 0.01])
def test_what_chance_explains_is_not_told_as_a_difference(verdict_limit):
    # A small sample: 0.4 is beyond its limit, and chance reaches 0.45.
    noise = {"ks": metric(0.4, threshold=verdict_limit, floor=0.45, q=0.3)}
    of = {**ALCOHOL, "verdict": "OK", "reasons": [], "metrics": noise}
    assert plain(explain(of)) == [
        "All differences are within what chance makes in samples of these sizes."
    ]
    assert words.calm(typed(of)) == "nothing beyond chance"
    assert words.closest_metric(typed(of)) is None


DAY = 86_400_000_000


def dates(*days):
    """Statistics of dates, by days since 1970: of 100 values, none missing."""
    return numbers(100, 0, *(day * DAY for day in days), 8.7 * DAY)


def test_dates_move_by_days():
    of = feature(
        "bottled",
        verdict="DRIFT",
        reasons=["ks is 0.6, and its limit is 0.1"],
        metrics={"ks": metric(0.6, "DRIFT", q=0.0)},
        baseline=dates(20454, 20460, 20469, 20476, 20483, 20469),
        current=dates(20454, 20490, 20500, 20506, 20515, 20500),
        time="date",
        growth={"certain": False, "judged": True},
    )
    assert plain(explain(of))[1:] == [
        "The median is 31 days later: 2026-02-16 now, 2026-01-16 before.",
        "The largest value is 2026-03-03; it was 2026-01-30.",
        "The times moved forward as a whole. If they are when the data arose, this goes on for "
        "ever: name the column under “ignore” in the drift config.",
    ]


def test_a_column_that_only_grows_says_so_instead_of_what_decided():
    of = feature(
        "id",
        metrics={"ks": {**metric(1.0, threshold=None), "q_value": None}},
        baseline=numbers(100, 0, 0, 25, 50, 75, 99, 50, 29),
        current=numbers(100, 0, 100, 125, 150, 175, 199, 150, 29),
        growth={"certain": True, "judged": False},
    )
    assert plain(explain(of)) == [
        "The column only grows: all values are higher than before, as those of an id or a date "
        "are. They say nothing about drift and are not judged; how many are missing is.",
        "The median rose from 50 to 150, by 3.4 standard deviations of the baseline.",
    ]
    assert (words.closest_metric(typed(of)), words.calm(typed(of))) == (
        None,
        "only grows, as ids and dates do: its values are not judged",
    )


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (GONE, "The column is gone."),
        (NEW, "The column is new."),
        (FEW, "3262 and 12 values, and at least 20 are needed."),
        (
            STRADDLING,
            "Kolmogorov-Smirnov is somewhere from 0.088 to 0.108, and the limit of 0.1 lies "
            "between: the exact method would tell.",
        ),
    ],
)
def test_what_was_decided_otherwise_is_said_first(of, said):
    assert plain(explain(of))[0] == said


def test_infinite_values_are_said_on_whichever_side_they_are():
    inf = feature(
        "x",
        baseline=numbers(9, 0, 1, 1, 1, 1, 1, 1, 0),
        current=numbers(9, 0, 1, 1, 1, 1, 1, 1, 0, negative_infinity=1, positive_infinity=2),
    )
    assert plain(explain(inf)) == ["The median stayed at 1.", "Infinite values: 3 now, 0 before."]


def test_a_column_without_finite_values_has_no_median_to_speak_of():
    nothing = numbers(9, 9, None, None, None, None, None, None, None)
    assert explain(feature("x", baseline=nothing, current=nothing)) == ()


def test_a_column_that_changed_its_kind_is_not_compared_in_words():
    changed = feature(
        "x",
        verdict="DRIFT",
        reasons=["the column was categorical and is numeric"],
        baseline={"n": 60, "missing": 0, "distinct": 1},
        current=numbers(60, 0, 1, 1, 1, 1, 1, 1, 0),
    )
    assert explain(changed) == ("The column was categorical and is numeric.",)


def test_medians_too_far_apart_for_a_float_are_told_without_standard_deviations():
    far = feature(
        "x",
        baseline=numbers(9, 0, -1.7e308, -1.7e308, -1.7e308, 1.7e308, 1.7e308, 0, 1.7e308),
        current=numbers(9, 0, -1.7e308, 1.7e308, 1.7e308, 1.7e308, 1.7e308, 0, 1.0),
    )
    assert explain(far)[0] == "The median rose from -1.7e+308 to 1.7e+308."


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (ALCOHOL, "The median fell from 10.4 to 9.8, by 0.48 standard deviations of the baseline."),
        # The median did not move, so it is not what the metric saw.
        (QUALITY, "40 % of the values are 7 or more; 20 % were before."),
        (
            GRAPE,
            "5 % of the values are new: the baseline has none of them; chance explains 0.04 %.",
        ),
        (PH, ""),
        (GONE, ""),
    ],
)
def test_the_one_sentence_is_about_what_the_deciding_metric_saw(of, said):
    assert plain([change(of)]) == [said]


def test_where_missing_values_decided_the_one_sentence_is_about_them():
    missing = {"missing_rate": metric(0.06, "DRIFT", threshold=0.05)}
    assert plain([change({**ALCOHOL, "metrics": missing})]) == [
        "The share of missing values rose from 0 % to 3.1 %."
    ]


def test_the_metric_farthest_up_its_limit_decides():
    assert words.deciding_metric(typed(ALCOHOL)).name == "wasserstein"
    assert words.deciding_metric(typed(QUALITY)).limit == "0.1"  # Of the warning.
    assert words.deciding_metric(typed(GONE)) is None
    calm, sure = typed(PH), typed({**PH, "metrics": {"ks": SURE}})
    assert (words.deciding_metric(calm), words.closest_metric(calm)) == (None, None)
    assert words.closest_metric(sure).name == "ks"


def test_a_warning_above_0_says_so():
    any_at_all = feature(
        "x",
        verdict="WARN",
        metrics={"unseen_mass": metric(0.004, "WARN", threshold=0.01, warn=0.0)},
    )
    assert plain(explain(any_at_all)) == [
        "Decided by unseen values: 0.4 %; any at all warns, from 1 % on it fails."
    ]


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (DRIFTED, "The data have drifted: 3 of 6 features moved beyond their limits."),
        (
            document("DRIFT", [ALCOHOL, PH]),
            "The data have drifted: 1 of 2 features moved beyond its limits.",
        ),
        (document("DRIFT", [PH]), "The data have drifted, although no feature did by itself."),
        (OK, "No drift: 1 feature stayed within its limits."),
        (document("OK", [PH, PH]), "No drift: 2 features stayed within their limits."),
        (
            document("WARN", [ALCOHOL, QUALITY, PH]),
            "Worth a look: 1 of 3 features drifted, and 1 more changed within its limits, which is "
            "not enough to call the data drifted.",
        ),
        (
            document("WARN", [QUALITY, PH]),
            "Worth a look: 1 of 2 features changed, but not beyond its limit.",
        ),
        (INCONCLUSIVE, "Undecided: these data cannot show whether they have drifted."),
        (NO_BASELINE, "First data seen: there is nothing to compare them with yet."),
    ],
)
def test_the_headline_is_the_verdict_in_one_sentence(report, said):
    assert words.headline(load_document(report)) == said


def test_it_says_what_would_settle_what_could_not_be_judged():
    assert words.settle(load_document(INCONCLUSIVE)) == (
        "1 feature had too few values: 20 are needed on each side. Compare more rows: a longer "
        "time, several spans together, or without sampling.",
        "1 feature came so near a limit that the error of the estimate decides. Compare every "
        "value (the exact method), or set limits that are not within the error.",
    )
    assert words.settle(load_document(document("INCONCLUSIVE", []))) == (
        "There was no feature to compare: check which columns the config ignores.",
    )
    assert words.settle(load_document(DRIFTED)) == ()


def test_metrics_that_are_shares_are_shown_in_percent():
    shown = [metric_number(name, 0.05) for name in ("ks", "l_infinity", "something_new")]
    assert plain(shown) == ["0.05", "5 %", "0.05"]
