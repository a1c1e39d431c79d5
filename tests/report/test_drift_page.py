from __future__ import annotations

import base64
import hashlib
import html
import json
import re

import pytest

from tests.report.documents import (
    ALCOHOL,
    ALL,
    AWKWARD,
    DRIFTED,
    GONE,
    GRAPE,
    HOSTILE,
    HUNDRED,
    INCONCLUSIVE,
    LONG,
    NEW,
    NO_BASELINE,
    OK,
    PH,
    SPAN_2,
    document,
    metric,
)
from tests.report.pages import Page, assert_data_stay_text
from tfx_wine_ext.report import drift_page
from tfx_wine_ext.report.drift_page import render_drift_page
from tfx_wine_ext.report.plots import category_rows


@pytest.mark.parametrize("name", ALL)
def test_every_kind_of_report_makes_a_page_whose_elements_nest_and_whose_ids_are_unique(name):
    page = Page(render_drift_page(ALL[name]))
    assert len(set(page.ids)) == len(page.ids)
    # What is used or linked to is there.
    used = [href[1:] for href in page.all("use", "href") + page.all("a", "href")]
    assert set(used) <= set(page.ids)


def test_the_document_may_come_from_a_file():
    assert render_drift_page(json.loads(json.dumps(DRIFTED))) == render_drift_page(DRIFTED)


def test_a_span_that_was_found_by_a_date_is_that_date():
    number = {**SPAN_2, "span": 20000}
    date = {**number, "span_date": "2024-10-04"}
    pages = [Page(render_drift_page({**DRIFTED, "current": side})).text for side in (date, number)]
    assert "Rows 1,448 Span 2024-10-04 Split train" in pages[0]
    assert "Rows 1,448 Span 20000 Split train" in pages[1]


def test_the_first_screen_says_what_was_compared_and_what_moved_worst_first():
    text = Page(render_drift_page(DRIFTED)).text
    first_screen = text[text.index("Drift report · ") : text.index("All features together")].strip()
    assert first_screen == (
        "Drift report · 24 November 2026, 23:30 UTC "
        "Drift. The data have drifted: 3 of 6 features moved beyond their limits. "
        "alcohol, which is critical, drifted 3 of 6 features drifted "
        "Baseline span 1, split train Rows 3,262 Span 1 Split train "
        "Made 23 November 2026, 06:12 UTC From /pipelines/wine/examples/1 "
        "Current span 2, split train Rows 1,448 Span 2 Split train "
        "Made 23 November 2026, 06:12 UTC "
        "Result 3 of 6 features drifted, and 2 more changed within their limits "
        "Share drifted 50 % (limit 50 %) "
        "Aggregate 0.21 (limit 0.2) Method exact: every value counted "
        "What to look at, worst first "
        "Drift: grape Unseen values 5 % limit 1 % "
        "5 % of the values are new: the baseline has none of them; chance explains 0.04 %. "
        "Drift: alcohol Wasserstein 0.378 limit 0.1 "
        "The median fell from 10.4 to 9.8, by 0.48 standard deviations of the baseline. "
        "Drift: sulphates The column is gone. "
        "Warning: quality PSI 0.15 limit 0.1 40 % of the values are 7 or more; 20 % were before. "
        "Warning: vintage The column is new."
    )


def test_a_feature_has_its_scores_and_the_statistics_of_both_sides():
    text = Page(render_drift_page(document("DRIFT", DRIFTED["features"][1:2]))).text
    assert text[text.index("Statistics") : text.index("What the metrics mean")] == (
        "Statistics Baseline Current Values 3,262 1,448 Missing 0 45 (3.1 %) Minimum 8 8 "
        "Lower quartile 9.4 9.3 Median 10.4 9.8 Upper quartile 11.4 10.5 Maximum 14.2 14.9 "
        "Mean 10.5 10.1 Standard deviation 1.25 1.06 "
        "Scores Metric Value Limit Noise floor q-value Verdict "
        "Missing values 3.1 % 5 % 0.2 % 0.5 OK "
        "PSI 0.225 0.25 (warns: 0.1) 0.05 <0.001 Warning "
        "Kolmogorov-Smirnov 0.223 » 0.1 0.0451 <0.001 Drift "
        "Wasserstein 0.378 » 0.1 0.0663 <0.001 Drift "
    )


def test_errors_have_a_column_only_where_there_are_any():
    assert "±0.01" in render_drift_page(INCONCLUSIVE)
    assert "is-error" not in render_drift_page(DRIFTED).split("</style>")[1]


def test_without_a_baseline_the_page_says_so_and_shows_the_current_data_alone():
    page = Page(render_drift_page(NO_BASELINE))
    assert "First data seen: there is nothing to compare them with yet." in page.text
    assert "They can be the baseline of the next comparison." in page.text
    body = page.text[page.text.index("First data seen") :]
    assert "Baseline" not in body.replace("Current", "")
    assert "q-value" not in body
    assert "Riesling" in body


def test_an_inconclusive_page_says_what_would_settle_it():
    assert (
        "What would settle it 1 feature had too few values"
        in Page(render_drift_page(INCONCLUSIVE)).text
    )


def test_the_classifier_has_a_part_of_its_own():
    text = Page(render_drift_page(DRIFTED)).text.replace("\u00a0", " ")
    assert (
        "has an AUC of 0.712 (95 % interval 0.69 to 0.734; limit 0.6; p <0.001). 0.5 is guessing, "
        "1 is always right. It saw 3,262 rows of the baseline and 1,448 of the current data"
    ) in text
    assert "All features together" not in Page(render_drift_page(OK)).text


def test_the_settings_in_force_are_all_there():
    text = Page(render_drift_page(DRIFTED)).text.replace("\u00a0", " ")
    settings = text[text.index("Limits and settings in force") :].strip()
    assert settings == (
        "Limits and settings in force Metric Fails at Warns at PSI 0.25 0.1 "
        "Jensen-Shannon 0.1 never Kolmogorov-Smirnov 0.1 never Wasserstein 0.1 never "
        "Chi-square (Cramér's V) 0.2 never L-infinity 10 % never "
        "Unseen values 1 % any value above 0 Missing values 5 % never Infinite values never never "
        "Limits of pH alone Metric Fails at Warns at Kolmogorov-Smirnov 0.2 never "
        "critical alcohol importances alcohol : 0.75, pH : 0.25 ignore none categorical none "
        "q 0.05 share 0.5 aggregate 0.2 min_count 20"
    )


def test_style_and_script_are_allowed_by_their_hashes_and_nothing_else_is():
    page = render_drift_page(DRIFTED)
    [policy] = [v for t, n, v in Page(page).attributes if n == "content" and "src" in v]
    hashes = {
        tag: base64.b64encode(
            hashlib.sha256(re.search(f"<{tag}>(.*)</{tag}>", page, re.S).group(1).encode()).digest()
        ).decode()
        for tag in ("style", "script")
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; "
        f"script-src 'sha256-{hashes['script']}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


@pytest.mark.parametrize("name", ALL)
def test_no_page_names_an_address_or_has_style_or_code_in_attributes(name):
    page = Page(render_drift_page(ALL[name]))
    assert page.addresses == [("link", "href", "data:,")]
    assert [n for _, n, _ in page.attributes if n == "style" or n.startswith("on")] == []


def test_hostile_names_and_values_stay_text():
    assert_data_stay_text(render_drift_page(HOSTILE))


def test_a_very_long_name_is_there_once_whole_and_cut_everywhere_else():
    page = render_drift_page(HOSTILE)
    assert page.count("x" * 9_000) == 1
    assert "Whole name (10,005 characters)" in page
    assert f"long_{'x' * 49}…{'x' * 25}" in page
    assert LONG in html.unescape(page)


def test_a_report_without_features_is_still_a_page():
    text = Page(render_drift_page(document("INCONCLUSIVE", []))).text
    assert "There was no feature to compare" in text


def test_a_page_of_100_features_is_below_1_mb():
    assert len(render_drift_page(HUNDRED).encode()) < 1_000_000


def test_a_page_of_12_features_is_below_300_kb():
    twelve = document("DRIFT", HUNDRED["features"][:12])
    assert len(render_drift_page(twelve).encode()) < 300_000


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ([], TypeError, "document must be a mapping, found list"),
        ({}, ValueError, "document: format_version: expected 1, found null; use the version"),
        ({**OK, "format_version": 2}, ValueError, "expected 1, found 2"),
        (
            {key: OK[key] for key in OK if key not in ("verdict", "config")},
            ValueError,
            "document: expected the key 'verdict', found 'format_version', 'reasons', ",
        ),
    ],
)
def test_what_is_no_report_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        render_drift_page(wrong)


def _each_part(value, path=()):
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from _each_part(value[key], (*path, key))
    elif isinstance(value, list):
        for place in range(min(len(value), 2)):
            yield from _each_part(value[place], (*path, place))


@pytest.mark.parametrize("number", range(4))
def test_a_part_of_a_feature_that_is_missing_or_null_is_shown_or_refused(number):
    # Of numbers, of categories, and of columns that came and went.
    features = [ALCOHOL, GRAPE, GONE, NEW]
    original = document("DRIFT", [features[number]])
    refused = []
    for path in _each_part(features[number]):
        for value in ("missing", None, 10**400):
            wrong = json.loads(json.dumps(original))
            *above, last = ("features", 0, *path)
            part = wrong
            for key in above:
                part = part[key]
            if value == "missing":
                del part[last]
            else:
                part[last] = value
            try:
                assert "<html" in render_drift_page(wrong)
            except ValueError:
                refused.append(path)
    assert refused.count(("verdict",)) == 3


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("baseline", "max", None, r"baseline\.max: expected a finite number, found null"),
        (
            "histogram",
            "below",
            [None, 0],
            r"histogram\.below\[0\]: expected a finite number, found null",
        ),
    ],
)
def test_statistics_and_counts_are_whole_or_refused(part, name, value, message):
    wrong = {**ALCOHOL, part: {**ALCOHOL[part], name: value}}
    with pytest.raises(ValueError, match=message):
        render_drift_page(document("DRIFT", [wrong]))


def test_a_page_has_no_two_names_that_look_alike_and_each_in_full():
    names = [feature["name"] for feature in AWKWARD["features"]]
    page = Page(render_drift_page(AWKWARD))
    shown = re.findall('<h3><bdi class="name"[^>]*>(.*?)</bdi>', render_drift_page(AWKWARD))
    assert len(set(shown)) == len(names)
    assert set(page.all("bdi", "title")) >= {name for name in names if len(name) > 48}


def test_of_many_categories_it_says_how_many_there_are():
    text = Page(render_drift_page(AWKWARD)).text
    assert "480 other values 95 % 92 %" in text
    assert "20 of 500 values: the most frequent ones, and those whose share changed most." in text


def test_dates_are_written_as_dates_everywhere():
    page = Page(render_drift_page(AWKWARD))
    assert "Median 2026-01-16 00:00 2026-02-15 00:00" in page.text
    assert "Standard deviation 8.7 days 8.7 days" in page.text
    assert (
        "The median is 30 days later: 2026-02-15 00:00 now, 2026-01-16 00:00 before." in page.text
    )
    assert "< 2026-01-01 2026-01-" in page.text
    assert "e+15" not in page.text


def test_what_chance_explains_is_not_red():
    noise = document("OK", [{**PH, "metrics": {"ks": metric(0.4, floor=0.45, q=0.3)}}])
    assert "nothing beyond chance" in Page(render_drift_page(noise)).text
    assert 'class="over"' not in render_drift_page(noise)
    assert 'class="over"' in render_drift_page(DRIFTED)


@pytest.mark.parametrize(("totals", "turn"), [((100, 100), ""), ((1000, 1000), "new")])
def test_a_value_is_new_only_where_chance_does_not_explain_it(totals, turn):
    rows = category_rows(
        {"values": ["a", "b"], "baseline": [totals[0], 0], "current": [totals[1], totals[1] // 50],
         "other": [0, 0]}
    )  # fmt: skip
    assert rows[1].turn == turn


def _many(count, name="x{:04}"):
    return document("OK", [{**PH, "name": name.format(i)} for i in range(count)])


def test_the_worst_of_many_features_have_details_and_the_others_a_line():
    features = [{**PH, "name": f"x{i:03}"} for i in range(250)] + [{**ALCOHOL, "name": "worst"}]
    html_ = render_drift_page(document("DRIFT", features))
    page = Page(html_)
    assert len(set(page.ids)) == len(page.ids)
    assert {f"f{i}" for i in range(251)} < set(page.ids)
    assert html_.count('<details class="feature"') == 200
    assert html_.index('id="f250"') < html_.index('id="f0"')
    assert "<h2>51 more features, none of them worse</h2>" in html_
    assert html_.count("<tr id=") == 51
    assert 'data-severity="250" data-column="249" data-verdict="OK" data-values="' in html_


def test_a_page_has_a_line_of_5000_features_at_most_and_says_how_many_it_leaves_out():
    page = render_drift_page(_many(5300))
    assert page.count("<tr id=") == 5000
    assert "100 features have no line here, to keep the page small." in page
    assert "<h2>5,100 more features, none of them worse</h2>" in page
    assert len(page) < 4_000_000


def test_a_page_that_long_names_make_too_large_gets_fewer_features(monkeypatch):
    monkeypatch.setattr(drift_page, "MOST_CHARACTERS", 600_000)
    page = render_drift_page(_many(100, "{:04}" + "n" * 20_000))
    assert page.count('<details class="feature"') == 12
    assert "<h2>88 more features, none of them worse</h2>" in page
    assert len(page) < 600_000


def test_a_setting_that_names_many_features_shows_some_of_them():
    names = [f"x{i:04}" for i in range(300)]
    many = {**_many(3), "config": {"critical": names, "importances": dict.fromkeys(names, 1.0)}}
    page = render_drift_page(many)
    assert (
        page.count("and 100 more in the report&#39;s JSON")
        + page.count("and 100 more in the report's JSON")
        == 2
    )
