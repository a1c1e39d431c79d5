"""Metrics are read from the files of an evaluation, as TFMA itself reads them."""

from __future__ import annotations

import base64
import json
import math
import subprocess
import sys

import pytest

from benchmarks.stores import tfrecord, write, write_evaluation
from tfx_wine_ext.lineage.evaluation import (
    MetricValue,
    _message_class,
    gated_metrics,
    read_metrics,
)

# A whole file of TFMA 0.47.1, of a wine model evaluated on 527 rows.
REAL = base64.b64decode(
    "fgAAAAAAAADYxlx1CgCaAy4KHwobc3F1YXJlZF9wZWFyc29uX2NvcnJlbGF0aW9uOgASCwoJCWoe4SSgoNY/mgMl"
    "ChYKEm1lYW5fc3F1YXJlZF9lcnJvcjoAEgsKCQk97TrjivHhP5oDIAoRCg1leGFtcGxlX2NvdW50OgASCwoJCQAA"
    "AAAAeIBA56rRpg=="
)


def test_a_file_that_tfma_wrote_is_read(tmp_path):
    write(f"{tmp_path}/metrics-00000-of-00001.tfrecord", REAL)
    assert read_metrics(str(tmp_path)).model == {
        "squared_pearson_correlation": MetricValue(0.3535538063192464),
        "mean_squared_error": MetricValue(0.5607351720895292),
        "example_count": MetricValue(527.0),
    }


@pytest.mark.parametrize(
    "name", ["metrics", "metrics.tfrecord", "metrics-00000-of-00001", "metrics-00002-of-00010"]
)
def test_the_file_has_the_name_of_whatever_version_of_tfma(tmp_path, name):
    write(f"{tmp_path}/{name}", REAL)
    assert len(read_metrics(str(tmp_path)).model) == 3


def test_shards_are_read_together_and_plots_not_at_all(tmp_path):
    write_evaluation(str(tmp_path), {"a": 1.0}, name="metrics-00000-of-00002.tfrecord")
    write_evaluation(str(tmp_path), {"b": 2.0}, name="metrics-00001-of-00002.tfrecord")
    write(f"{tmp_path}/plots-00000-of-00001.tfrecord", REAL)
    assert list(read_metrics(str(tmp_path)).model) == ["a", "b"]


def write_metrics(folder, *metrics, slice_column=False):
    """Writes metrics that are described by (path to a field, value) pairs."""
    message = _message_class()()
    message.slice_key.SetInParent()
    if slice_column:
        message.slice_key.single_slice_keys.add()
    for fields in metrics:
        added = message.metric_keys_and_values.add()
        for path, value in fields.items():
            *parents, last = path.split(".")
            target = added
            for parent in parents:
                target = getattr(target, parent)
            if value is None:
                getattr(target, last).SetInParent()
            else:
                setattr(target, last, value)
    write(f"{folder}/metrics", tfrecord([message.SerializeToString()]))


NAME, VALUE = "key.name", "value.double_value.value"


def test_a_value_without_an_interval_is_the_value(tmp_path):
    write_metrics(tmp_path, {NAME: "auc", VALUE: 0.75})
    assert read_metrics(str(tmp_path)).model == {"auc": MetricValue(0.75)}


def test_a_confidence_interval_gives_the_bounds(tmp_path):
    write_metrics(
        tmp_path,
        {
            NAME: "auc",
            VALUE: 0.75,
            "confidence_interval.lower_bound.double_value.value": 0.5,
            "confidence_interval.upper_bound.double_value.value": 1.0,
        },
    )
    assert read_metrics(str(tmp_path)).model == {"auc": MetricValue(0.75, 0.5, 1.0)}


@pytest.mark.parametrize(
    ("methodology", "expected"),
    [(2, MetricValue(0.75, 0.5, 1.0)), (1, MetricValue(0.75)), (0, MetricValue(0.75, 0.5, 1.0))],
    ids=["bootstrap", "bounds of a sum", "unknown"],
)
def test_bounds_count_unless_they_are_those_of_an_approximated_sum(tmp_path, methodology, expected):
    write_metrics(
        tmp_path,
        {
            NAME: "auc",
            "value.bounded_value.value.value": 0.75,
            "value.bounded_value.lower_bound.value": 0.5,
            "value.bounded_value.upper_bound.value": 1.0,
            "value.bounded_value.methodology": methodology,
        },
    )
    assert read_metrics(str(tmp_path)).model == {"auc": expected}


def test_what_is_not_finite_is_none(tmp_path):
    write_metrics(tmp_path, {NAME: "a", VALUE: math.nan}, {NAME: "b", VALUE: math.inf})
    assert read_metrics(str(tmp_path)).model == {"a": MetricValue(None), "b": MetricValue(None)}


def test_zero_is_a_value(tmp_path):
    write_metrics(tmp_path, {NAME: "a", "value.double_value": None})
    assert read_metrics(str(tmp_path)).model == {"a": MetricValue(0.0)}


def test_only_numbers_of_the_model_itself_and_its_first_output_are_read(tmp_path):
    write_metrics(
        tmp_path,
        {NAME: "accuracy", VALUE: 1.0, "key.output_name": "grade"},
        {NAME: "accuracy", VALUE: 2.0, "key.output_name": "colour"},
        {NAME: "change", VALUE: 3.0, "key.output_name": "grade", "key.is_diff": True},
        {NAME: "old", VALUE: 4.0, "key.output_name": "grade", "key.model_name": "baseline"},
        {NAME: "class", VALUE: 5.0, "key.output_name": "grade", "key.sub_key": None},
        {NAME: "matrix", "key.output_name": "grade"},
        {NAME: "new", VALUE: 6.0, "key.output_name": "grade", "key.model_name": "candidate"},
    )
    assert read_metrics(str(tmp_path)).model == {
        "accuracy": MetricValue(1.0),
        "new": MetricValue(6.0),
    }
    assert read_metrics(str(tmp_path)).baseline == {"old": MetricValue(4.0)}


def test_the_baseline_is_the_model_that_the_config_says(tmp_path):
    write_metrics(
        tmp_path,
        {NAME: "a", VALUE: 1.0, "key.model_name": "last year"},
        {NAME: "a", VALUE: 2.0, "key.model_name": "baseline"},
    )
    specs = [{"name": "last year", "isBaseline": True}, {"name": "baseline"}]
    write(f"{tmp_path}/eval_config.json", json.dumps({"evalConfig": {"modelSpecs": specs}}))
    assert read_metrics(str(tmp_path)).model == {"a": MetricValue(2.0)}
    assert read_metrics(str(tmp_path)).baseline == {"a": MetricValue(1.0)}


def test_a_metric_without_averaging_comes_before_the_one_with_it(tmp_path):
    write_metrics(
        tmp_path,
        {NAME: "auc", VALUE: 1.0, "key.aggregation_type": None},
        {NAME: "auc", VALUE: 2.0},
        {NAME: "only averaged", VALUE: 3.0, "key.aggregation_type": None},
    )
    assert read_metrics(str(tmp_path)).model == {
        "auc": MetricValue(2.0),
        "only averaged": MetricValue(3.0),
    }


def test_a_slice_is_not_the_whole(tmp_path):
    write_metrics(tmp_path, {NAME: "auc", VALUE: 1.0}, slice_column=True)
    assert read_metrics(str(tmp_path)).model == {}


@pytest.mark.parametrize("content", [b"", b"PAR1", REAL[:-1], tfrecord([b"\xff\xff"])])
def test_a_broken_file_has_no_metrics(tmp_path, content):
    write(f"{tmp_path}/metrics-00000-of-00001.tfrecord", content)
    assert read_metrics(str(tmp_path)).model == {}


def test_the_metrics_with_a_threshold_are_those_that_bless(tmp_path):
    metrics = [
        {"className": "ExampleCount"},
        {"className": "SquaredPearsonCorrelation", "threshold": {"valueThreshold": {}}},
        {"className": "AUC", "config": '{"name": "area"}', "perSliceThresholds": [{}]},
        {"className": "AUC", "threshold": {}},
        {"className": "BinaryAccuracy", "config": "no JSON", "threshold": {}},
    ]
    specs = [{"metrics": metrics, "thresholds": {"loss": {}}}]
    write(f"{tmp_path}/eval_config.json", json.dumps({"evalConfig": {"metricsSpecs": specs}}))
    assert gated_metrics(str(tmp_path)) == [
        "squared_pearson_correlation",
        "area",
        "auc",
        "binary_accuracy",
        "loss",
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"evalConfig": 3}', "{}"])
def test_a_config_that_is_gone_or_broken_has_no_thresholds(tmp_path, content):
    assert gated_metrics(str(tmp_path)) == []
    write(f"{tmp_path}/eval_config.json", content)
    assert gated_metrics(str(tmp_path)) == []


def test_neither_tfma_nor_tensorflow_is_imported(tmp_path):
    write(f"{tmp_path}/metrics", REAL)
    script = (
        "import sys\n"
        "from tfx_wine_ext.lineage.evaluation import read_metrics\n"
        "assert len(read_metrics(sys.argv[1]).model) == 3\n"
        "print({'tensorflow', 'tensorflow_model_analysis', 'tfx', 'apache_beam'} & {*sys.modules})"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert shown.stdout == "set()\n"


@pytest.mark.e2e
@pytest.mark.parametrize("method", [None, "JACKKNIFE", "POISSON_BOOTSTRAP"])
def test_tfma_reads_the_same_from_its_own_evaluation(tmp_path, method, monkeypatch):
    import numpy as np
    import pandas as pd
    import tensorflow_model_analysis as tfma
    from google.protobuf import text_format
    from tensorflow_model_analysis.evaluators import metrics_plots_and_validations_evaluator
    from tensorflow_model_analysis.proto import config_pb2

    # Each sample is a part of Beam's graph, and what 20 of them write has the same form.
    monkeypatch.setattr(
        metrics_plots_and_validations_evaluator, "_DEFAULT_NUM_BOOTSTRAP_SAMPLES", 5
    )
    interval = ""
    if method:
        interval = (
            "options { compute_confidence_intervals { value: true } "
            f"confidence_intervals {{ method: {method} }} "
            "disabled_outputs { values: [] } }"
        )
    config = text_format.Parse(
        """
        model_specs { label_key: "label" prediction_key: "prediction" }
        slicing_specs {} slicing_specs { feature_keys: "colour" }
        metrics_specs {
          metrics { class_name: "MeanSquaredError" } metrics { class_name: "ExampleCount" }
          metrics { class_name: "SquaredPearsonCorrelation" threshold { value_threshold {
            lower_bound { value: 0.1 } } } }
        }
        """
        + interval,
        config_pb2.EvalConfig(),
    )
    random = np.random.default_rng(1)
    label = random.normal(6, 1, 2000)
    frame = pd.DataFrame(
        {
            "label": label,
            "prediction": label + random.normal(0, 0.5, 2000),
            "colour": ["red", "white"] * 1000,
        }
    )
    tfma.analyze_raw_data(frame, config, output_path=str(tmp_path))

    found = read_metrics(str(tmp_path)).model

    assert gated_metrics(str(tmp_path)) == ["squared_pearson_correlation"]
    expected = tfma.load_eval_result(str(tmp_path)).get_metrics_for_slice()
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        if "doubleValue" in value:
            assert found[name].value == value["doubleValue"]
        else:
            bounded = value["boundedValue"]
            assert found[name] == MetricValue(
                bounded["value"], bounded["lowerBound"], bounded["upperBound"]
            )
    bounds = {name: metric.lower is not None for name, metric in found.items()}
    assert bounds["squared_pearson_correlation"] is bool(method)
    if method:
        # Not around 0.25, the variance of the noise: TFMA's jackknife is a wild guess.
        metric = found["mean_squared_error"]
        assert metric.lower < metric.value < metric.upper
