import importlib.util
import json

import numpy as np
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator
from sklearn.metrics import roc_auc_score

from tfx_wine_ext.drift import DriftConfig, Verdict, compare, summarize
from tfx_wine_ext.drift.classifier import classifier_two_sample, delong
from tfx_wine_ext.drift.document import DataSource
from tfx_wine_ext.drift.reasons import ClassifierBeyondLimit, ClassifierUndecided
from tfx_wine_ext.report.drift_document import report_document

NAN, INF = float("nan"), float("inf")


def normals(rng, n, correlation=0.0):
    x, y, z = rng.standard_normal((3, n))
    return pa.table({"x": x, "y": correlation * x + (1 - correlation**2) ** 0.5 * y, "z": z})


def test_the_area_is_that_of_scikit_learn_and_ties_count_half():
    rng = np.random.default_rng(1)
    for decimals in (1, 9):
        negatives = np.round(rng.standard_normal(80), decimals)
        positives = np.round(rng.standard_normal(50) + 0.5, decimals)
        labels = np.repeat([0, 1], [80, 50])
        expected = roc_auc_score(labels, np.concatenate([negatives, positives]))
        assert delong(negatives, positives)[0] == pytest.approx(expected, rel=1e-12)


def test_the_variance_is_that_of_the_definition():
    rng = np.random.default_rng(2)
    negatives, positives = np.round(rng.standard_normal(30), 1), np.round(rng.random(20), 1)
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    expected = wins.mean(1).var(ddof=1) / 20 + wins.mean(0).var(ddof=1) / 30
    assert delong(negatives, positives)[1] == pytest.approx(expected, rel=1e-12)


def test_the_interval_contains_the_true_area_in_95_percent():
    rng = np.random.default_rng(3)
    true, hits = 0.7602499389065233, 0  # Phi(1 / sqrt(2)).
    for _ in range(400):
        area, variance = delong(rng.standard_normal(60), rng.standard_normal(60) + 1)
        hits += abs(area - true) <= 1.96 * variance**0.5
    assert 0.92 <= hits / 400 <= 0.98


def test_a_change_of_correlations_alone_is_found():
    rng = np.random.default_rng(4)
    before, after = normals(rng, 2000), normals(rng, 2000, 0.8)
    without = compare(before, after)
    assert without.verdict is Verdict.OK
    assert without.multivariate is None
    found = compare(before, after, DriftConfig(classifier=True))
    assert found.verdict is Verdict.DRIFT
    test = found.multivariate
    assert (test.verdict, test.n_baseline, test.n_current) == (Verdict.DRIFT, 2000, 2000)
    assert 0.65 < test.ci_low < test.auc < test.ci_high < 0.8
    assert test.p_value < 1e-9
    assert [name for name, _ in test.importances[:2]] in (["x", "y"], ["y", "x"])
    assert found.reasons == (ClassifierBeyondLimit(test.auc, test.ci_low, test.ci_high, 0.6),)


def test_the_report_with_a_classifier_is_as_the_schema_says(checkout):
    schema = json.loads((checkout / "docs" / "drift-report.schema.json").read_text())
    rng = np.random.default_rng(5)
    sides = normals(rng, 300), normals(rng, 300, 0.9)
    source = DataSource("normals", 300)
    document = report_document(
        compare(*sides, DriftConfig(classifier=True)),
        baseline=source,
        current=source,
        method="exact",
        created="2026-11-24T23:30:00+00:00",
    )
    Draft202012Validator(schema).validate(json.loads(json.dumps(document, allow_nan=False)))
    assert document["multivariate"]["verdict"] == "DRIFT"


def test_pairs_without_drift_cry_wolf_in_at_most_a_twentieth(checkout):
    spec = importlib.util.spec_from_file_location(
        "simulate_drift", checkout / "scripts" / "simulate_drift.py"
    )
    simulation = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(simulation)
    found = []
    for pair in range(40):
        rng = np.random.default_rng([6, pair])
        sides = [simulation.mixed(rng, 150, 0.0) for _ in range(2)]
        found.append(classifier_two_sample(*sides))
    assert sum(test.verdict is Verdict.DRIFT for test in found) <= 40 * 0.05
    # 2 expected; more than 6 in half a percent of all runs.
    assert sum(test.p_value < 0.05 for test in found) <= 6
    assert np.mean([test.auc for test in found]) == pytest.approx(0.5, abs=0.02)


def test_too_few_rows_are_inconclusive():
    rng = np.random.default_rng(7)
    found = classifier_two_sample(normals(rng, 1000), normals(rng, 99))
    assert found.to_dict() == {
        "auc": 0.5,
        "ci_low": 0.0,
        "ci_high": 1.0,
        "confidence": 0.95,
        "threshold": 0.6,
        "p_value": 1.0,
        "verdict": "INCONCLUSIVE",
        "n_baseline": 1000,
        "n_current": 99,
        "importances": [],
    }
    whole = compare(normals(rng, 1000), normals(rng, 99), DriftConfig(classifier=True))
    assert whole.verdict is Verdict.INCONCLUSIVE
    assert whole.reasons == (ClassifierUndecided(0.0, 1.0, 0.6),)


def test_an_interval_across_the_threshold_is_inconclusive():
    rng = np.random.default_rng(8)
    before, after = normals(rng, 400), normals(rng, 400, 0.7)
    area = classifier_two_sample(before, after).auc
    found = classifier_two_sample(before, after, DriftConfig(classifier_auc=round(area, 2)))
    assert found.verdict is Verdict.INCONCLUSIVE


def test_rows_beyond_the_limit_are_sampled():
    rng = np.random.default_rng(9)
    config = DriftConfig(classifier_rows=200)
    sides = normals(rng, 1000), normals(rng, 1000, 0.95)
    found = classifier_two_sample(*sides, config)
    assert (found.n_baseline, found.n_current) == (200, 200)
    assert found == classifier_two_sample(*sides, config)


def repeated(values, kind=None):
    return pa.array(values * (200 // len(values)), kind)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (repeated([1, 2]), repeated([2, 3])),
        (repeated([0.5, NAN]), repeated([0.5])),
        (repeated([0.5, None]), repeated([0.5, 0.5])),
        (repeated([1.0, 2.0]), repeated([1.0, INF])),
        (repeated([True, False]), repeated([True])),
        (repeated(["a", "b"]), repeated(["a", "c"])),
        (repeated(["a"]), repeated(["a", None])),
        (repeated(["a", "b"]).dictionary_encode(), repeated(["b"]).dictionary_encode()),
        (repeated([[1, 5], [2]]), repeated([[1], [2]])),
        (repeated([[1], []]), repeated([[1], [1]])),
        (repeated([[1], None]), repeated([[1], [1]])),
        (repeated([["a"], ["b"]]), repeated([["a"], ["c"]])),
        (repeated([[[1], [1]], [[1]]]), repeated([[[1]], [[1]]])),
        (repeated([[1, 2]], pa.list_(pa.int64(), 2)), repeated([[3, 2]], pa.list_(pa.int64(), 2))),
        (repeated([1.5]), pa.nulls(200)),
        (pa.nulls(200), repeated(["a"])),
    ],
)
def test_every_kind_of_column_is_seen(before, after):
    noise = np.random.default_rng(10).random((2, 200))
    sides = [
        pa.table({"x": column, "noise": values}) for column, values in zip((before, after), noise)
    ]
    found = classifier_two_sample(*sides)
    assert found.verdict is Verdict.DRIFT
    assert found.importances[0][0] == "x"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (repeated([1]), repeated(["a"])),
        (pa.nulls(200), pa.nulls(200)),
        (repeated([7]), repeated([7])),
        (pa.array(range(200)).cast(pa.string()), pa.array(range(900, 1100)).cast(pa.string())),
    ],
)
def test_what_says_nothing_of_the_rows_is_left_out(before, after):
    sides = pa.table({"x": before, "old": [1, 2] * 100}), pa.table({"x": after})
    found = classifier_two_sample(*sides)
    assert found.verdict is not Verdict.DRIFT


def test_without_a_common_column_that_varies_there_is_nothing_to_tell():
    found = classifier_two_sample(pa.table({"x": [7] * 200}), pa.table({"x": [7] * 300}))
    assert (found.auc, found.verdict, found.n_current) == (0.5, Verdict.OK, 300)


def test_summaries_need_samples():
    rng = np.random.default_rng(11)
    before, after = normals(rng, 500), normals(rng, 500, 0.95)
    config = DriftConfig(classifier=True)
    with pytest.raises(ValueError, match="classifier of the drift config needs rows, and summar"):
        compare(summarize(before), summarize(after), config)
    found = compare(summarize(before), summarize(after), config, samples=(before, after))
    assert found.to_dict() == compare(before, after, config).to_dict()
    assert compare(None, after, config).verdict is Verdict.NO_BASELINE
    frames = compare(before.to_pandas(), after.to_pandas(), config)
    assert frames.to_dict() == found.to_dict()


def test_a_column_with_no_single_value_is_named_unless_ignored():
    table = pa.table({"x": [1, 2] * 100, "where": [{"lat": 1.0}] * 200})
    with pytest.raises(TypeError, match="column 'where' is of type struct"):
        classifier_two_sample(table, table)
    config = DriftConfig(ignore=("where",))
    assert classifier_two_sample(table, table, config).verdict is not Verdict.DRIFT
