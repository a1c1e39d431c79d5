"""What is decided for DriftReport before anything is read."""

from __future__ import annotations

import pytest
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from tfx_wine_ext.decisions.drift_report import decide, decision
from tfx_wine_ext.drift.reasons import BaselineUnfit
from tfx_wine_ext.testing import examples_artifact

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


def examples(folder, name, span=None, id_=0, content=None, version=None):
    """Examples as Kubeflow gives them: numbers are doubles, and an id is none."""
    made = examples_artifact(folder / name, {"train": [{"x": 1.0}], "eval": [{"x": 2.0}]})
    for key in ("span", "version"):
        made.mlmd_artifact.custom_properties.pop(key, None)
        made.mlmd_artifact.properties.pop(key, None)
    values = {"span": span, "version": version, "content_fingerprint": content}
    for key, value in values.items():
        if value is not None:
            made.set_json_value_custom_property(key, value)
    if id_:
        made.id = id_
    return made


LATEST = {**SPLITS, "choose_baseline": 1, "baseline_pinned": 0}


@pytest.mark.parametrize(
    ("current", "found", "chosen", "fault"),
    [
        ({"span": 3.0}, [{"span": 1.0}, {"span": 2.0}, {"span": 4.0}], 1, None),
        ({"span": 2.0}, [{"span": 1.0, "version": 1.0}, {"span": 1.0, "version": 2.0}], 1, None),
        ({"span": 2.0}, [{"span": 2.0}], None, "not_earlier"),
        ({"span": 2.0}, [{"span": 3.0}], None, "not_earlier"),
        ({"span": 2.0}, [{}], None, "no_span"),
        ({"span": 2.0}, [{"span": 1.5}], None, "no_span"),
        ({"span": 2.0}, [{"span": 1.0}, {"span": 1.0}], None, "no_order"),
        ({"span": 0.0}, [{"span": 0.0}], 0, None),
        ({"span": 0.0, "content": "a"}, [{"span": 0.0, "content": "b"}], 0, None),
        ({"span": 0.0, "content": "a"}, [{"span": 0.0, "content": "a"}], None, "same_content"),
        ({"span": 0.0}, [{}], None, "no_span"),
        ({}, [{}], 0, None),
    ],
)
def test_of_what_was_found_the_previous_span_is_chosen(tmp_path, current, found, chosen, fault):
    inputs = {
        "examples": [examples(tmp_path, "current", **current)],
        "baseline": [examples(tmp_path, f"{n}", **each) for n, each in enumerate(found)],
    }
    decided = decision(inputs, LATEST, ids=False)
    uris = [each.uri for each in decided.inputs["baseline"]]
    assert uris == ([] if chosen is None else [inputs["baseline"][chosen].uri])
    assert (decided.unfit and decided.unfit.fault) == fault
    assert decided.said.startswith("Comparing" if fault is None else "No baseline for")


def test_of_several_of_one_span_the_newest_is_chosen_where_ids_tell(tmp_path):
    inputs = {
        "examples": [examples(tmp_path, "current", span=2.0, id_=9)],
        "baseline": [examples(tmp_path, f"{id_}", span=1.0, id_=id_) for id_ in (5, 7, 6)],
    }
    # Also if the author chose the channel.
    [chosen] = decision(inputs, {**SPLITS, "baseline_pinned": 1}).inputs["baseline"]
    assert chosen.id == 7


@pytest.mark.parametrize("properties", [LATEST, {**SPLITS, "baseline_pinned": 1}])
@pytest.mark.parametrize("same", ["uri", "id"])
def test_data_are_never_compared_with_themselves(tmp_path, properties, same):
    current = examples(tmp_path, "current", span=2.0, id_=4)
    other = examples(tmp_path, "other", span=2.0, id_=4 if same == "id" else 0)
    if same == "uri":
        other.uri = f"{current.uri}/"
    decided = decision({"examples": [current], "baseline": [other]}, properties)
    assert decided.inputs["baseline"] == []
    assert decided.unfit == BaselineUnfit("span 2, split train", other.uri, "current")


def test_where_ids_say_nothing_data_of_one_id_may_be_others(tmp_path):
    # TFX makes hashes of the names that Kubeflow gives, which may be empty.
    current = examples(tmp_path, "current", span=2.0, id_=4)
    earlier = examples(tmp_path, "earlier", span=1.0, id_=4)
    decided = decision({"examples": [current], "baseline": [earlier]}, LATEST, ids=False)
    assert decided.inputs["baseline"] == [earlier]


def test_another_split_of_the_same_data_is_a_baseline_that_can_be_chosen(tmp_path):
    current = examples(tmp_path, "current", span=2.0)
    inputs = {"examples": [current], "baseline": [current]}
    pinned = {**SPLITS, "baseline_split": "eval", "baseline_pinned": 1}
    assert decision(inputs, pinned).inputs["baseline"] == [current]
    assert decision(inputs, {**pinned, "choose_baseline": 1}).inputs["baseline"] == []


@pytest.mark.parametrize(("ids", "compared"), [(True, True), (False, False)])
def test_what_another_component_made_is_the_baseline_where_a_query_can_name_it(
    tmp_path, ids, compared
):
    inputs = {
        "examples": [examples(tmp_path, "serving", span=2.0)],
        "baseline": [examples(tmp_path, "training", span=3.0)],
    }
    decided = decision(inputs, {**LATEST, "choose_baseline": 2}, ids=ids)
    assert decided.inputs["baseline"] == (inputs["baseline"] if compared else [])


def test_what_a_strategy_of_this_library_found_is_the_baseline(tmp_path):
    inputs = {
        "examples": [examples(tmp_path, "current", span=2.0)],
        "baseline": [examples(tmp_path, "later", span=3.0)],
    }
    decided = decision(inputs, {**SPLITS, "baseline_pinned": 0, "choose_baseline": 0})
    assert decided.inputs["baseline"] == inputs["baseline"]


def test_an_executor_reads_the_decision_of_a_driver_that_removed_the_baseline(tmp_path):
    current = examples(tmp_path, "current", span=2.0)
    by_driver = decision({"examples": [current], "baseline": [current]}, LATEST)
    left = {"examples": [current], "baseline": []}
    properties = {**LATEST, **by_driver.properties}
    assert decision(left, properties).as_recorded(properties) == by_driver
