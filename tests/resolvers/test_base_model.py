"""Which model a strategy picks, on a real metadata store."""

from __future__ import annotations

import pytest
from tfx.types import standard_artifacts

from tfx_wine_ext.resolvers.base_model import BaseModelStrategy
from tfx_wine_ext.testing import FakeMetadata


@pytest.fixture
def models():
    """Three models; Evaluator blessed the first two."""
    with FakeMetadata() as metadata:
        found = {"model": [], "model_blessing": []}
        for number, blessed in enumerate([1, 1, 0]):
            model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
            model.uri, blessing.uri = f"models/{number}", f"blessings/{number}"
            metadata.register(model)
            blessing.set_int_custom_property("blessed", blessed)
            blessing.set_int_custom_property("current_model_id", model.id)
            metadata.register(blessing)
            found["model"].append(model)
            found["model_blessing"].append(blessing)
        yield metadata.store, found


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ["models/1"]),
        ({"base": "latest"}, ["models/2"]),
        ({"base": "pinned", "pinned": "models/0"}, ["models/0"]),
        ({"base": "pinned", "pinned": "models/7"}, []),
    ],
)
def test_the_policy_picks_one_model_or_none(models, config, expected):
    store, found = models
    resolved = BaseModelStrategy(**config).resolve_artifacts(store, found)
    assert [model.uri for model in resolved["model"]] == expected


def test_a_model_is_pinned_by_its_id_too(models):
    store, found = models
    model = found["model"][1]
    strategy = BaseModelStrategy(base="pinned", pinned=model.id)
    assert strategy.resolve_artifacts(store, found)["model"] == [model]


def test_there_is_no_base_before_the_first_model(models):
    store, _ = models
    nothing = {"model": [], "model_blessing": []}
    assert BaseModelStrategy().resolve_artifacts(store, nothing) == nothing


def test_a_channel_that_is_missing_is_named(models):
    store, found = models
    with pytest.raises(ValueError, match="model_blessing: expected a channel of this name, found"):
        BaseModelStrategy().resolve_artifacts(store, {"model": found["model"]})


def test_a_policy_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"base must be one of .*found 'best'"):
        BaseModelStrategy(base="best")
