"""What is decided for WarmStartTrainer where no driver has run."""

from __future__ import annotations

import json

import pytest
from tfx.types import standard_artifacts

from tfx_wine_ext.decisions.warm_start_trainer import chosen_base, decision, schema_fingerprint
from tfx_wine_ext.testing import schema_artifact
from tfx_wine_ext.warm_start.config import WarmStartConfig

PROPERTIES = {"warm_start_config": WarmStartConfig().to_json()}


def model(id_, uri):
    made = standard_artifacts.Model()
    made.uri, made.id = str(uri), id_
    return made


def test_without_a_base_the_start_is_cold():
    decided = decision({}, PROPERTIES, blessed=())
    assert (decided["base_id"], json.loads(decided["warm_start_request"])["base"]) == (0, "")
    assert decided["decision"] == "Cold start: no base_model was given."


@pytest.mark.parametrize("blessed", [{1}, set()])
def test_a_model_that_cannot_be_read_or_is_not_blessed_is_no_base(tmp_path, blessed):
    decided = decision({"base_model": [model(1, tmp_path)]}, PROPERTIES, blessed)
    assert decided["base_id"] == 0
    assert ("warm_start.json" in decided["decision"] or "checkpoint" in decided["decision"]) is (
        blessed == {1}
    )


def test_the_fingerprint_of_a_schema_is_of_names_and_types_only(tmp_path):
    texts = {
        "a": 'feature { name: "x" type: FLOAT }',
        "b": 'feature { name: "x" type: FLOAT presence { min_count: 1 } }',
        "c": 'feature { name: "x" type: INT }',
    }
    a, b, c = (
        schema_fingerprint({"schema": [schema_artifact(tmp_path / name, text)]})
        for name, text in texts.items()
    )
    assert a == b != c
    assert schema_fingerprint({}) is None


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({}, "Cold start: whether base model {} is blessed is not known where no driver runs"),
        ({"base_blessed": 1}, "Cold start: base model {} cannot be used: "),
        (
            {"warm_start_config": WarmStartConfig(base="latest").to_json()},
            "Cold start: base model {} cannot be used: ",
        ),
        (
            {"warm_start_config": WarmStartConfig(base="pinned", pinned="elsewhere").to_json()},
            "Cold start: the pinned base model 'elsewhere' does not exist",
        ),
    ],
    ids=["nobody says", "the resolver says", "any model", "another one is pinned"],
)
def test_where_no_store_is_only_what_is_known_counts(tmp_path, properties, said):
    inputs = {"base_model": [model(987654321, tmp_path)]}
    decided = decision(inputs, {**PROPERTIES, **properties}, None)
    assert decided["decision"].startswith(said.format(tmp_path))
    assert decided["base_id"] == 0  # Kubeflow's number is no id.


@pytest.mark.parametrize(
    ("properties", "blessed", "said"),
    [
        ({}, set(), "Cold start: no base_model was given."),
        ({}, None, "Cold start: no base_model was given, or none was found."),
        ({"base_blessed": 1}, None, "Cold start: there is no blessed model yet."),
        ({"base_blessed": 1}, set(), "Cold start: there is no blessed model yet."),
    ],
)
def test_an_input_that_is_absent_as_nothing_was_found_is_not_said_to_be_missing(
    properties, blessed, said
):
    assert decision({}, {**PROPERTIES, **properties}, blessed)["decision"] == said


def test_of_several_models_without_ids_none_is_chosen(tmp_path):
    inputs = {"base_model": [model(5, tmp_path / "a"), model(6, tmp_path / "b")]}
    decided = decision(inputs, {**PROPERTIES, "base_blessed": 1}, None)
    assert "is one of several, and which is the latest is not known" in decided["decision"]
    assert "base model 6 (" in decision(inputs, PROPERTIES, {5, 6})["decision"]


def test_the_base_of_a_decision_is_found_among_several_models(tmp_path):
    models = [model(5, tmp_path / "a"), model(6, tmp_path / "b")]
    assert chosen_base({"base_model": models}, f"{tmp_path}/b/warm_start") is models[1]
    assert chosen_base({"base_model": models}, "") is None
    assert chosen_base({}, "") is None
