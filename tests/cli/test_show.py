import re

import pytest

from tfx_wine_ext.cli import show

SHOWN = """\
Run 2 of wine: COMPLETE
  2026-01-02T00:00:00, TIME to TIME (UTC)

 component            state       took   execution   error
 ─────────────────────────────────────────────────────────
 LatestBlessedModel   COMPLETE   0.5 s          10
 ParquetExampleGen    COMPLETE   0.5 s          11
 StatisticsGen        COMPLETE   0.5 s          12
 DriftReport          COMPLETE   0.5 s          13
 Checks               COMPLETE   0.5 s          14
 Transform            COMPLETE   0.5 s          15
 WarmStartTrainer     COMPLETE   0.5 s          16
 Evaluator            COMPLETE   0.5 s          17
 Pusher               COMPLETE   0.5 s          18

Data
  examples                  artifact 14, STORE/root/ParquetExampleGen/examples/11
  span                      2
  rows                      152 (train 102, eval 50)
  content                   content-2
  schema                    schema-1
  features with an anomaly  1

Drift: DRIFT
  why            1 of 2 features drifted
  features       1 of 2 features drifted (50 %)
  baseline span  1
  baseline       artifact 1
  report         STORE/root/DriftReport/report/13/drift_report.html

 feature   verdict   metric         score   limit   mean before       now
 ────────────────────────────────────────────────────────────────────────
 alcohol   DRIFT     wasserstein     1.73     0.1          4.97    9.97 ↑
 pH        OK        missing_rate       0    0.05         4.975     4.975

Model: warm start, generation 1
  model            artifact 22, STORE/root/WarmStartTrainer/model/16
  trained by       wine.trees.run_fn
  why              Warm start.
  base             artifact 9
  steps            200 (400 since the cold start)
  hyperparameters  {"num_trees":300}
  logs             STORE/root/WarmStartTrainer/model_run/16

Evaluation: not blessed
  evaluation  artifact 24, STORE/root/Evaluator/evaluation/17
  pushed to   nowhere

 metric   value   interval
 ─────────────────────────
 r2        0.25
 mse       0.75

Settings
  ParquetExampleGen.input_base    /data
  StatisticsGen.exclude_splits    []
  DriftReport.drift_config        {}
  DriftReport.mode                warn
  DriftReport.skew                0
  WarmStartTrainer.custom_config  {"num_trees":300}
  WarmStartTrainer.run_fn         wine.trees.run_fn

"""


def test_all_of_a_run_is_shown(on_store):
    status, out, err = on_store("show 2")
    assert (status, err) == (0, "")
    assert re.sub(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", out) == SHOWN


def test_of_a_run_that_was_stopped_it_says_why(on_store):
    status, out, _ = on_store("show")
    assert status == 0
    assert out.startswith("Run 5 of wine: FAILED\n")
    assert "\nDrift: DRIFT (stopped the run)\n  why            1 of 2 features drifted\n" in out
    assert "\nModel: none\n" in out
    assert "\nEvaluation: not evaluated\n" in out


@pytest.mark.parametrize("name", ["4", "-2", "2026-01-04", "2026-01-04T00:00:00"])
def test_a_run_can_be_named_in_several_ways(document_of, five, name):
    assert document_of(f"show {name}") == five.runs[3].to_dict()


def test_the_latest_is_the_default(document_of, five):
    assert document_of("show") == document_of("show latest") == five.runs[4].to_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("show 6", "run '6': expected an id or its beginning, a number from 1 to 5"),
        ("show 2026-01", "run '2026-01': expected one run, found 5: 2026-01-01T00:00:00, "),
        ("show --json 4", "--json 4: expected a name that ends in .json or has a folder, or noth"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(on_store, arguments, message):
    status, out, err = on_store(arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"tfx-wine-ext: error: {message}")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (None, None),
        (
            {"single_split": {"source": "delta", "version": 3}},
            '{"source": "delta", "version": 3}',
        ),
        (
            {"train": {"source": "a"}, "eval": {"source": "b"}},
            'train: {"source": "a"}; eval: {"source": "b"}',
        ),
    ],
)
def test_the_source_of_the_data_is_shown_as_it_was_described(source, shown):
    assert show._source(source) == shown
