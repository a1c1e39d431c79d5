from __future__ import annotations

import json
import re

import pytest

from tests.report.documents import HOSTILE_TEXTS
from tests.report.histories import (
    CACHED,
    EMPTY,
    FAILED,
    FIRST,
    HISTORIES,
    HOSTILE,
    PLAIN,
    PUSHED,
    R2,
    RUN_1,
    RUN_2,
    SCORES_3,
    STOPPED,
    history,
    many,
    moved,
    run,
)
from tests.report.pages import Page, assert_data_stay_text
from tfx_wine_ext.report.history_page import render_history_page


def text_of(document):
    return Page(render_history_page(document)).text.replace("\u00a0", " ")


def part(text, start, end):
    return text[text.index(start) : text.index(end, text.index(start))].strip()


@pytest.mark.parametrize("name", HISTORIES)
def test_every_kind_of_history_makes_a_page_whose_elements_nest_and_whose_ids_are_unique(name):
    page = Page(render_history_page(HISTORIES[name]))
    assert len(set(page.ids)) == len(page.ids)
    # What is used or linked to is there.
    used = page.all("use", "href") + page.all("a", "href")
    assert {href[1:] for href in used if href.startswith("#")} <= set(page.ids)


@pytest.mark.parametrize("name", HISTORIES)
def test_no_page_asks_any_address_or_has_style_or_code_in_attributes(name):
    page = Page(render_history_page(HISTORIES[name]))
    assert page.addresses[0] == ("link", "href", "data:,")
    reports = r"file:///pipelines/wine/DriftReport/(report|stopped)/\d+/drift_report\.html"
    assert all(re.fullmatch(reports, value) and tag == "a" for tag, _, value in page.addresses[1:])
    assert [n for _, n, _ in page.attributes if n == "style" or n.startswith("on")] == []


def test_the_document_may_come_from_a_file():
    assert render_history_page(json.loads(json.dumps(STOPPED))) == render_history_page(STOPPED)


def test_a_document_is_not_changed():
    before = json.dumps(STOPPED)
    render_history_page(STOPPED)
    assert json.dumps(STOPPED) == before


def test_the_first_screen_says_where_the_pipeline_stands_and_what_is_in_production():
    assert part(text_of(STOPPED), "History of wine_quality ·", "Runs over time") == (
        "History of wine_quality · 25 November 2026, 02:40 UTC "
        "Run 5 was stopped by the drift gate: 3 of 4 features drifted from span 3; alcohol most. "
        "alcohol went down, on average from 10.5 to 9.8: Wasserstein 0.451, limit 0.1. "
        "density went up, on average from 0.994 to 0.997: Kolmogorov-Smirnov 0.25, limit 0.1. "
        "grape drifted: Unseen values 1.5 %, limit 1 %. "
        "In production: the model of run 3 (R² 0.41), 25 November 2026, 02:23 UTC . "
        "Latest run Run 5 Began 26 November 2026, 02:23 UTC Took 2.6 s "
        "Data span 4; rows: train 1,606, eval 540 "
        "In production Model of run 3 Metric R² 0.41, up 0.08 from run 2 "
        "Start warm, generation 1 Pushed to /pipelines/wine/serving/1795573417 "
        "All runs 5 runs Pushed 2 models Stopped or failed 1 run Store metadata.db"
    )


def test_a_run_says_what_moved_before_and_after():
    text = text_of(PUSHED)
    assert part(text, "Not blessed Run 2", "8 components") == (
        "Not blessed Run 2 25 November 2026, 02:23 UTC · span 2 "
        "R² 0.33, up 0.02 (better) from the model before on the same data "
        "What moved since run 1 Drift report: Compared with span 1, none of 4 features drifted. "
        "R2 fell by 0.02 (0.35 to 0.33). 1 of 4 features moved: alcohol "
        "down. Metrics of run 1 and of this one Metric Before That model, new data After Change "
        "Interval of the change "
        "R² 0.35 0.31 0.33 by the data down 0.04, by the model up 0.02 (better) -0.09 to 0.05 "
        "Mean squared error 0.512 — 0.54 up 0.028 — "
        "Features, worst first: drift from span 1; of numbers, the means "
        "Feature Verdict Before After Metric Score Limit "
        "alcohol Warning 10.5 ↘ down 10.3 PSI 0.15 0.1 "
        "pH OK 3.2 ↗ up 3.22 Kolmogorov-Smirnov 0.03 0.1 "
        "grape OK — — Unseen values 0 % 1 % "
        "density Inconclusive 0.994 ↗ up 0.995 Kolmogorov-Smirnov 0.098 0.1 "
        "Data Span 2 Rows train 1,075, eval 541 (before: train 1,105, eval 558) "
        "Anomalies 0 features Drift Warning "
        "Model Start Warm, generation 1 Made by examples.wine_quality.trees_trainer.run_fn "
        "Base model 9 Steps 200 (500 in all) "
        "Why Warm start from model 9, the latest blessed one: generation 1. "
        "num_trees 300 shrinkage 0.1"
    )


def test_a_run_names_its_components_and_its_files():
    text = text_of(FIRST)
    assert part(text, "8 components", "What the metrics mean") == (
        "8 components, 9.5 s; files and folders Components Component State Time "
        "ParquetExampleGen Complete 0.14 s StatisticsGen Complete 2.3 s SchemaGen Complete 0.02 s "
        "DriftReport Complete 0.17 s Transform Complete 3.8 s WarmStartTrainer Complete 0.94 s "
        "Evaluator Complete 2.1 s Pusher Complete 0.02 s "
        "Run 2026-11-25T02:22:54.507526 "
        "Drift report /pipelines/wine/DriftReport/report/7/drift_report.html open "
        "TensorBoard logs /pipelines/wine/WarmStartTrainer/model_run/9 "
        "Model /pipelines/wine/WarmStartTrainer/model/9 "
        "Evaluation /pipelines/wine/Evaluator/evaluation/11 "
        "Examples /pipelines/wine/ParquetExampleGen/examples/1 "
        "Pushed to /pipelines/wine/serving/1795573384"
    )


def test_settings_that_changed_are_told():
    text = text_of(PUSHED)
    assert "Settings that changed Setting Before After WarmStartTrainer.num_trees 200 300" in text
    assert "Settings that changed" not in text_of(CACHED).partition("Run 3 ")[0]


def test_of_a_setting_that_is_json_only_what_changed_is_told():
    spans = [
        json.dumps({"splits": [{"name": "wine", "pattern": f"span-{n}/*.parquet"}], "x": {"a": 1}})
        for n in (1, 2)
    ]
    changed = [
        ("ParquetExampleGen", "input_config", spans[0], spans[1]),
        ("Trainer", "args", None, '{"steps": 5, "deep": {}}'),
        ("Trainer", "text", "{no json", "[neither"),
    ]
    keys = ("component", "parameter", "before", "after")
    change = moved(1, 2, settings=[dict(zip(keys, values)) for values in changed])
    text = text_of(history([RUN_1, RUN_2], [change]))
    assert part(text, "Settings that changed", "Data Span") == (
        "Settings that changed Setting Before After "
        "ParquetExampleGen.input_config.splits[0].pattern span-1/*.parquet span-2/*.parquet "
        "Trainer.args.steps — 5 Trainer.args.deep — {} Trainer.text {no json [neither"
    )


def test_a_setting_of_which_much_changed_is_cut():
    change = moved(
        1,
        2,
        settings=[
            {
                "component": "Trainer",
                "parameter": "args",
                "before": json.dumps(list(range(20))),
                "after": json.dumps(list(range(1, 21))),
            }
        ],
    )
    text = text_of(history([RUN_1, RUN_2], [change]))
    assert "Trainer.args[11] 11 12 Trainer.args: 8 more parts" in text


def test_a_run_that_went_on_although_its_data_drifted_says_so():
    on = {**RUN_2, "drift": {**RUN_2["drift"], "verdict": "DRIFT", "blessed": False}}
    sentence = "Its data drifted, and no gate stopped the run."
    assert sentence in text_of(history([RUN_1, on]))
    assert sentence not in text_of(STOPPED)


def test_a_report_with_another_baseline_comes_before_the_statistics_of_both_runs():
    change = moved(1, 2, source="statistics", features=SCORES_3)
    text = text_of(history([RUN_1, RUN_2], [change]))
    assert part(text, "Features, worst first", "grape OK").startswith(
        "Features, worst first: drift from span 1; of numbers, the means "
        "Feature Verdict Before After Metric Score Limit density Inconclusive"
    )
    assert "Against run 1, by the statistics of both" in text


def test_the_first_run_has_nothing_before_it():
    text = text_of(FIRST)
    assert "Run 1 is blessed and pushed; R² 0.35." in text
    assert (
        "The first run Drift report: The data were the first of their kind: there was no baseline. "
        "There is no run before it to compare it with."
    ) in text


def test_a_pipeline_that_never_ran_has_a_page():
    text = text_of(EMPTY)
    assert "The pipeline has not run yet. After the first run this page shows" in text
    assert "Runs over time" not in text


def test_a_failed_run_shows_its_error():
    text = text_of(FAILED)
    assert "Run 2 failed in Trainer: ValueError: The column 'alcohol' is missing." in text
    assert "Error of Trainer ValueError: The column 'alcohol' is missing. in trainer.py" in text
    assert "missing.\n  in trainer.py, line 7</pre>" in render_history_page(FAILED)


def test_a_plain_pipeline_has_neither_drift_nor_starts_that_are_known():
    page = Page(render_history_page(PLAIN))
    assert "Run 2 is blessed and not pushed; Accuracy 0.92, up 0.01 from run 1." in (page.text)
    assert "No model has gone into production yet." in page.text
    assert "Drift of each feature" not in page.text
    assert "Not known a plain Trainer" in page.text


def test_a_run_with_drift_but_no_page_of_it_has_no_link():
    one = {**RUN_2, "number": 1, "drift": {**RUN_2["drift"], "report": None}}
    page = Page(render_history_page(history([one])))
    assert [href for href in page.all("a", "href") if href.startswith("file:")] == []


@pytest.mark.parametrize(
    "report",
    ["javascript:alert(1)//.html", "//host/report.html", "https://host/a.html", "/a/\n.html",
     "report.html", "/a/report.txt", "/\\host/a.html"],
)  # fmt: skip
def test_only_the_path_of_a_page_on_this_machine_is_a_link(report):
    one = {**RUN_2, "number": 1, "drift": {**RUN_2["drift"], "report": report}}
    page = Page(render_history_page(history([one])))
    assert [href for href in page.all("a", "href") if not href.startswith("#")] == []


def test_a_path_with_any_characters_stays_one_address():
    odd = '/a b/é"#?%<>/r.html'
    one = {**RUN_2, "number": 1, "drift": {**RUN_2["drift"], "report": odd}}
    page = Page(render_history_page(history([one])))
    assert [href for href in page.all("a", "href") if not href.startswith("#")] == [
        "file:///a%20b/%C3%A9%22%23%3F%25%3C%3E/r.html"
    ]


def test_correlations_say_that_they_are_no_cause_and_nothing_where_there_are_too_few_runs():
    text = text_of(many(40, 3))
    assert part(text, "Which drift went with the metric", "rho is") == (
        "Which drift went with the metric Rank correlation over 40 runs; not a cause. "
        "Feature Metric rho runs p measurement_00 R² 0.9 40 <0.001 "
        "measurement_01 R² 0.8 40 0.001 measurement_02 R² 0.7 40 0.002"
    )
    few = text_of(STOPPED)
    assert part(few, "Which drift went with the metric", "Run by run") == (
        "Which drift went with the metric Rank correlation over 3 runs with both; 4 are needed."
    )


def test_all_runs_are_in_the_chart_and_the_last_50_have_their_details():
    page = Page(render_history_page(many(120)))
    runs = [id_ for id_ in page.ids if id_ and id_.startswith("run-")]
    assert runs == [f"run-{n}" for n in range(120, 70, -1)]
    chart = [href for href in page.all("a", "href") if href in ("#older", "#run-71")]
    assert chart == ["#older"] * 70 + ["#run-71"]
    assert "The details of the 70 runs before run 71 are not on this page" in page.text
    assert all(
        cells.count("|") == 119
        for tag, name, cells in page.attributes
        if (tag, name) == ("div", "data-cells")
    )


def test_more_features_than_12_are_behind_show_all():
    page = render_history_page(many(20, 50))
    assert page.count('class="row strip more"') == 38
    assert "Show all 50 features" in page
    assert page.count('class="row strip"') == 12
    assert "38 more features" in page
    assert "Show all" not in render_history_page(STOPPED)


def test_metrics_beyond_12_have_no_plot_and_the_page_says_so():
    names = {f"metric_{i}": {"value": 1.0, "lower": None, "upper": None} for i in range(15)}
    one = run(1, metrics=names, blessed=True)
    page = render_history_page(history([one], metric="metric_14"))
    plots = re.findall('data-metric="(metric_[0-9]+)"', page)
    assert plots == ["metric_14", *(f"metric_{i}" for i in range(11))]
    assert "3 more metrics only in the runs below." in page


def test_hostile_names_and_values_stay_text():
    assert_data_stay_text(render_history_page(HOSTILE))


def test_hostile_names_do_not_shift_the_cells_of_the_runs():
    page = Page(render_history_page(HOSTILE))
    cells = [v for t, n, v in page.attributes if (t, n) == ("div", "data-cells")]
    assert {value.count("|") for value in cells} == {1}
    assert len(cells) == 1 + len(HOSTILE_TEXTS) + len(HOSTILE_TEXTS)


def test_a_page_of_1000_runs_is_below_2_mb():
    assert len(render_history_page(many(1000)).encode()) < 2_000_000


def test_a_page_of_five_runs_is_below_100_kb():
    assert len(render_history_page(STOPPED).encode()) < 100_000


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ([], TypeError, "document must be a mapping, found list"),
        ({}, ValueError, "document: expected the key 'pipeline', found none"),
        (without(STOPPED, "moved"), ValueError, "document: expected the key 'moved', found 'pi"),
        ({**STOPPED, "runs": "abc"}, ValueError, "document: runs: expected a list, found 'abc'"),
        ({**STOPPED, "runs": ["abc"]}, ValueError, r"runs\[0\]: expected an object, found 'abc'"),
        (
            history([without(RUN_1, "state")]),
            ValueError,
            r"document: runs\[0\]: expected the key 'state', found 'run', 'number'",
        ),
        (
            history([RUN_1, RUN_1]),
            ValueError,
            r"document\['runs'\] must have different whole numbers, found \[1, 1\]",
        ),
        (
            history([RUN_1, RUN_2], [moved(1, 2), moved(2, 3)]),
            ValueError,
            r"\['moved'\] must have one entry for each pair of neighbours of 2 runs, found 2",
        ),
        (
            {**FIRST, "runs": [RUN_1, RUN_2], "moved": [moved(1, 2)]},
            ValueError,
            r"document\['features'\]\[0\]\['scores'\] must have one entry for each of 2 runs",
        ),
        (
            {**FIRST, "features": [{"name": "pH"}]},
            ValueError,
            r"features\[0\]: expected the key 'scores', found 'name'",
        ),
    ],
)
def test_what_is_no_history_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        render_history_page(wrong)


def test_a_history_whose_chosen_metric_no_run_has_shows_another():
    text = text_of({**PUSHED, "metric": "auc"})
    assert "Run 3 is blessed and pushed; R² 0.41, up 0.08 from run 2." in text


def test_a_metric_without_a_value_is_a_gap():
    gap = {**RUN_2, "metrics": {R2: {"value": None, "lower": None, "upper": None}}}
    page = Page(render_history_page(history([RUN_1, gap])))
    [cells] = [
        v
        for t, n, v in page.attributes
        if (t, n) == ("div", "data-cells") and v.startswith("0.35 ")
    ]
    assert cells == "0.35 (0.3 to 0.4)|"


def test_settings_may_be_any_numbers_and_counts_are_of_64_bits():
    # JSON in a setting may say Infinity, as Python writes it.
    setting = {"component": "Trainer", "parameter": "custom_config"}
    settings = [
        {**setting, "before": '{"clip": 1.5}', "after": '{"clip": Infinity}'},
        {**setting, "parameter": "seed", "before": float("inf"), "after": 10**400},
    ]
    moved = [{**STOPPED["moved"][0], "settings": settings}, *STOPPED["moved"][1:]]
    text = Page(render_history_page({**STOPPED, "moved": moved})).text
    assert "Trainer.custom_config.clip 1.5 Infinity" in text
    assert "Trainer.seed Infinity an integer of more than 60 digits" in text
    runs = [{**STOPPED["runs"][0], "number": 10**400}, *STOPPED["runs"][1:]]
    with pytest.raises(ValueError, match=r"number: expected an integer of 64 bits, found an"):
        render_history_page({**STOPPED, "runs": runs})


def test_a_metric_whose_name_has_a_comma_keeps_its_value():
    metrics = {"f1, macro": {"value": 0.41, "lower": None, "upper": None}}
    runs = [{**run, "metrics": metrics, "baseline_metrics": {}} for run in (RUN_1, RUN_2)]
    text = text_of(history(runs, metric="f1, macro"))
    assert "In production: the model of run 1 (f1, macro 0.41), 25 November 2026" in text


def test_reasons_that_a_document_gives_without_their_kinds_are_shown_as_they_are():
    drift = {**STOPPED["runs"][-1]["drift"], "reasons": ["1 of 9 features drifted", "pH is gone"]}
    runs = [*STOPPED["runs"][:-1], {**STOPPED["runs"][-1], "drift": drift}]
    kinds = {**drift, "reason_kinds": ["share", "critical"]}
    with_kinds = [*STOPPED["runs"][:-1], {**STOPPED["runs"][-1], "drift": kinds}]
    shown = "alcohol most. 1 of 9 features drifted pH is gone alcohol went down"
    assert shown in text_of({**STOPPED, "runs": runs})
    shown = "alcohol most. pH is gone alcohol went down"
    assert shown in text_of({**STOPPED, "runs": with_kinds})
