from __future__ import annotations

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
from tfx_wine_ext.report.words.drift import (
    calm,
    change,
    closest_metric,
    deciding_metric,
    explain,
    headline,
    metric_number,
    settle,
)


def plain(texts):
    """Without the marks that isolate names, and with common spaces."""
    spaces = str.maketrans({"\u00a0": " ", "\u2068": None, "\u2069": None})
    return [text.translate(spaces) for text in texts]


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
    assert (calm(of), closest_metric(of)) == ("nothing beyond chance", None)


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
    assert (closest_metric(of), calm(of)) == (
        None,
        "only grows, as ids and dates do: its values are not judged",
    )


@pytest.mark.parametrize(
    ("of", "sentence"),
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
def test_what_was_decided_otherwise_is_said_first(of, sentence):
    assert plain(explain(of))[0] == sentence


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
    ("of", "sentence"),
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
def test_the_one_sentence_is_about_what_the_deciding_metric_saw(of, sentence):
    assert plain([change(of)]) == [sentence]


def test_where_missing_values_decided_the_one_sentence_is_about_them():
    missing = {"missing_rate": metric(0.06, "DRIFT", threshold=0.05)}
    assert plain([change({**ALCOHOL, "metrics": missing})]) == [
        "The share of missing values rose from 0 % to 3.1 %."
    ]


def test_the_metric_farthest_up_its_limit_decides():
    assert deciding_metric(ALCOHOL).name == "wasserstein"
    assert deciding_metric(QUALITY).limit == "0.1"  # Of the warning.
    assert deciding_metric(GONE) is None
    sure = {**PH, "metrics": {"ks": SURE}}
    assert (deciding_metric(PH), closest_metric(PH), closest_metric(sure).name) == (
        None,
        None,
        "ks",
    )


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
    ("report", "sentence"),
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
def test_the_headline_is_the_verdict_in_one_sentence(report, sentence):
    assert headline(report) == sentence


def test_it_says_what_would_settle_what_could_not_be_judged():
    assert settle(INCONCLUSIVE) == (
        "1 feature had too few values: 20 are needed on each side. Compare more rows: a longer "
        "time, several spans together, or without sampling.",
        "1 feature came so near a limit that the error of the estimate decides. Compare every "
        "value (the exact method), or set limits that are not within the error.",
    )
    assert settle(document("INCONCLUSIVE", [])) == (
        "There was no feature to compare: check which columns the config ignores.",
    )
    assert settle(DRIFTED) == ()


def test_metrics_that_are_shares_are_shown_in_percent():
    shown = [metric_number(name, 0.05) for name in ("ks", "l_infinity", "something_new")]
    assert plain(shown) == ["0.05", "5 %", "0.05"]
