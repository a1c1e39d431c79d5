"""What is decided for WarmStartTrainer where no driver has run."""

from __future__ import annotations

import json

import pytest
from tfx.types import standard_artifacts

from tfx_wine_ext.decisions.warm_start_trainer import decision, schema_fingerprint
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
