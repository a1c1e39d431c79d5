import json

import numpy as np
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

from tfx_wine_ext.drift import DriftConfig, compare
from tfx_wine_ext.drift.document import DataSource, report_document

CREATED = "2026-11-24T23:30:00+00:00"
NAN, INF = float("nan"), float("inf")
HUNDRED = [float(i) for i in range(100)]


@pytest.fixture(scope="module")
def validator(checkout):
    schema = json.loads((checkout / "docs" / "drift-report.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def document(before, after, config=None):
    baseline = None if before is None else pa.table(before)
    current = pa.table(after)
    return report_document(
        compare(baseline, current, config),
        baseline=None if baseline is None else DataSource("before", baseline.num_rows),
        current=DataSource("after", current.num_rows, "data/2", "train", 2, 0, CREATED),
        method="exact",
        created=CREATED,
    )


def test_a_document_is_this():
    config = DriftConfig(thresholds={"ks": 0.2}, critical=("x",), importances={"x": 2})
    found = document({"x": [0, 1] * 10}, {"x": [1, 2] * 10}, config)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    (feature,) = found["features"]
    # One sentence for each fact; tests/report/words has what they say.
    assert (len(found.pop("reasons")), len(feature.pop("reasons"))) == (3, 4)
    metrics = feature.pop("metrics")
    assert sorted(metrics) == [
        "infinite_rate",
        "js",
        "ks",
        "missing_rate",
        "psi",
        "wasserstein",
    ]
    assert metrics["ks"] == {
        "value": 0.5,
        "error": 0.0,
        "noise_floor": pytest.approx(1.3581 * (40 / 400) ** 0.5, rel=1e-4),
        "p_value": pytest.approx(0.00777741),
        "threshold": 0.2,
        "warn": None,
        "q_value": pytest.approx(0.00777741 * 6 / 4),
        "verdict": "DRIFT",
        "details": {},
    }
    assert metrics["missing_rate"] == {
        "value": 0.0,
        "error": 0.0,
        "noise_floor": 0.0,
        "p_value": 1.0,
        "threshold": 0.05,
        "warn": None,
        "q_value": 1.0,
        "verdict": "OK",
        "details": {"reference": 0.0, "current": 0.0},
    }
    assert found == {
        "format_version": 1,
        "verdict": "DRIFT",
        "reason_facts": [
            {"type": "CriticalDrifted", "feature": "x"},
            {"type": "ShareReached", "drifted": 1, "compared": 1, "limit": 0.5},
            {"type": "AggregateReached", "aggregate": pytest.approx(0.5**0.5), "limit": 0.2},
        ],
        "reason_kinds": ["critical", "share", "aggregate"],
        "share_drifted": 1.0,
        "aggregate": pytest.approx(0.5**0.5),
        "method": "exact",
        "created": CREATED,
        "baseline": {
            "name": "before",
            "rows": 20,
            "uri": None,
            "split": None,
            "span": None,
            "version": None,
            "created": None,
        },
        "current": {
            "name": "after",
            "rows": 20,
            "uri": "data/2",
            "split": "train",
            "span": 2,
            "version": 0,
            "created": CREATED,
        },
        "multivariate": None,
        "features": [
            {
                "name": "x",
                "kind": "numeric",
                "verdict": "DRIFT",
                "reason_facts": [
                    {"type": "BeyondLimit", "metric": name, "value": value, "limit": limit}
                    for name, value, limit in [
                        ("psi", pytest.approx(2.8321, abs=1e-4), 0.25),
                        ("js", pytest.approx(0.5**0.5), 0.1),
                        ("ks", 0.5, 0.2),
                        ("wasserstein", pytest.approx(2.0), 0.1),
                    ]
                ],
                "n_baseline": 20,
                "n_current": 20,
                "baseline": {
                    "n": 20,
                    "missing": 0,
                    "nan": 0,
                    "negative_infinity": 0,
                    "positive_infinity": 0,
                    "min": 0.0,
                    "p25": 0.0,
                    "median": 0.5,
                    "p75": 1.0,
                    "max": 1.0,
                    "mean": 0.5,
                    "std": 0.5,
                },
                "current": {
                    "n": 20,
                    "missing": 0,
                    "nan": 0,
                    "negative_infinity": 0,
                    "positive_infinity": 0,
                    "min": 1.0,
                    "p25": 1.0,
                    "median": 1.5,
                    "p75": 2.0,
                    "max": 2.0,
                    "mean": 1.5,
                    "std": 0.5,
                },
                "histogram": {
                    "kind": "numeric",
                    "edges": [-0.5, 0.5, 1.5, 2.5],
                    "baseline": [10, 10, 0],
                    "current": [0, 10, 10],
                    "below": [0, 0],
                    "above": [0, 0],
                    "integers": True,
                },
            }
        ],
        "config": config.to_dict(),
    }


KINDS = {
    "OK": ({"x": HUNDRED, "kind": ["a", "b"] * 50}, {"x": HUNDRED, "kind": ["a", "b"] * 50}),
    "WARN": (
        {"x": HUNDRED, "y": HUNDRED, "z": HUNDRED},
        {"x": [x + 50 for x in HUNDRED], "y": HUNDRED, "z": HUNDRED},
    ),
    "DRIFT": (
        {"x": [*HUNDRED, INF, NAN], "old": HUNDRED + [0.0] * 2, "kind": ["a"] * 102},
        {"x": [x + 50 for x in HUNDRED], "kind": ["b"] * 100, "new": ["é" * 999] * 100},
    ),
    "INCONCLUSIVE": ({"x": HUNDRED, "y": pa.nulls(100)}, {"x": [1.0], "y": pa.nulls(1)}),
    "NO_BASELINE": (None, {"x": [1.5, NAN, INF], "kind": ["a", None, "b"], "y": pa.nulls(3)}),
}


@pytest.mark.parametrize("verdict", KINDS)
def test_documents_of_every_verdict_are_as_the_schema_says(validator, verdict):
    found = document(*KINDS[verdict])
    assert found["verdict"] == verdict
    validator.validate(json.loads(json.dumps(found, allow_nan=False)))


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ([7.0] * 50, [7.0] * 50, "numeric"),
        ([True, False] * 50, [True] * 100, "numeric"),
        (HUNDRED, [str(x) for x in HUNDRED], "categorical"),
        (["a"] * 50, [1.5] * 50, "numeric"),
        (pa.nulls(50), pa.nulls(50, pa.string()), "unknown"),
        (pa.nulls(50), pa.nulls(50, pa.int8()), "unknown"),
        (HUNDRED, pa.nulls(50), "numeric"),
        ([NAN] * 50, [INF] * 50, "numeric"),
        ([], [1.0], "numeric"),
        ([b"\xff" * 300] * 50, [b"\x00"] * 50, "categorical"),
        ([[1, 2], []] * 50, [[3]] * 50, "numeric"),
        (np.arange(2000).astype(str), np.arange(3000).astype(str), "categorical"),
    ],
)
def test_documents_of_every_kind_of_column_are_as_the_schema_says(validator, before, after, kind):
    found = document({"x": before}, {"x": after})
    assert [feature["kind"] for feature in found["features"]] == [kind]
    validator.validate(json.loads(json.dumps(found, allow_nan=False)))


def test_the_date_of_a_span_is_in_the_document_only_where_there_is_one(validator):
    found = document({"x": HUNDRED}, {"x": HUNDRED})
    assert "span_date" not in found["current"]
    found["current"] = DataSource("a", 1, span=20000, span_date="2024-10-04").to_dict()
    assert found["current"]["span_date"] == "2024-10-04"
    validator.validate(found)


def test_the_schema_refuses_what_is_not_in_it(validator):
    found = document(*KINDS["OK"])
    found["features"][0]["metrics"]["ks"]["value"] = "much"
    found["extra"] = 1
    wrong = sorted(error.message for error in validator.iter_errors(found))
    assert wrong == [
        "'much' is not of type 'number'",
        "Additional properties are not allowed ('extra' was unexpected)",
    ]


def test_the_size_does_not_grow_with_the_rows():
    sizes = []
    for rows in (10_000, 1_000_000):
        numbers = np.arange(rows) / rows
        sizes.append(len(json.dumps(document({"x": numbers}, {"x": numbers}))))
    assert sizes[1] < 1.1 * sizes[0] < 6_000
