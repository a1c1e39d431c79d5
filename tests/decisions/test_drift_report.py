"""What is decided for DriftReport before anything is read."""

from __future__ import annotations

import pytest
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from tfx_wine_ext.decisions.drift_report import decide

SPLITS = {"split": "train", "baseline_split": "train", "skew": 0}


def artifact(kind=standard_artifacts.Examples, splits='["train", "eval"]', span=None, date=None):
    made = kind()
    made.uri, made.split_names = f"examples-{span}", splits
    if span is not None:
        made.set_int_custom_property("span", span)
    if date is not None:
        made.set_string_custom_property("span_date", date)
    return made


@pytest.mark.parametrize(
    ("inputs", "properties", "decision"),
    [
        (
            {"examples": [artifact(span=2)], "baseline": [artifact(span=1)]},
            {},
            "Comparing span 2, split train (examples-2) with span 1, split train (examples-1)",
        ),
        (
            {
                "examples": [artifact(span=20000, date="2024-10-04")],
                "baseline": [artifact(span=19999)],
            },
            {},
            "Comparing span 2024-10-04, split train (examples-20000) with span 19999, split train "
            "(examples-19999)",
        ),
        (
            {"examples": [artifact(span=2)], "baseline": []},
            {},
            "No baseline for span 2, split train (examples-2): the input 'baseline' has no "
            "artifact, as on a first run",
        ),
        (
            {"examples": [artifact()]},
            {"split": "eval", "skew": 1},
            "Comparing split eval (examples-None) with split train (examples-None)",
        ),
        (
            {"statistics": [artifact(standard_artifacts.ExampleStatistics)]},
            {},
            "No baseline for split train (examples-None): the input 'baseline_statistics' has no "
            "artifact, as on a first run",
        ),
    ],
    ids=["baseline", "dates", "no baseline", "skew", "statistics"],
)
def test_the_decision_says_what_is_compared_with_what(inputs, properties, decision):
    assert decide(inputs, {**SPLITS, **properties}) == decision


def of_payload(payload):
    made = artifact()
    examples_utils.set_payload_format(made, payload)
    return made


@pytest.mark.parametrize(
    ("inputs", "properties", "error"),
    [
        ({"examples": []}, {}, "examples: expected an artifact, found none"),
        (
            {"examples": [artifact(), artifact()]},
            {},
            "examples: expected one artifact, found 2: choose one with a Resolver",
        ),
        (
            {"examples": [artifact()]},
            {"split": "test"},
            r"split: expected a split of examples \(.*\), which has train, eval; found 'test'",
        ),
        (
            {"examples": [artifact()], "baseline": [artifact(splits='["all"]')]},
            {},
            r"baseline_split: expected a split of baseline \(.*\), which has all; found 'train'",
        ),
        (
            {"examples": [of_payload(example_gen_pb2.FORMAT_PROTO)]},
            {},
            "examples: expected examples of payload FORMAT_TF_EXAMPLE or FORMAT_PARQUET, found "
            r"FORMAT_PROTO \(.*\); give statistics and baseline_statistics instead",
        ),
    ],
    ids=["none", "two", "split", "baseline split", "payload"],
)
def test_inputs_that_cannot_be_compared_are_refused_by_name(inputs, properties, error):
    with pytest.raises(ValueError, match=error):
        decide(inputs, {**SPLITS, **properties})
