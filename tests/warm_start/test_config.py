import json

import pytest

from tfx_wine_ext.warm_start.config import WarmStartConfig

DEFAULTS = {
    "base": "latest_blessed",
    "pinned": None,
    "same_schema_only": False,
    "on_shape_mismatch": "error",
    "optimizer": "keep",
    "learning_rate_factor": 1.0,
    "frozen_layers": [],
    "frozen_steps": 0,
    "shrink": 1.0,
    "perturb": 0.0,
    "max_generations": None,
    "cold_on_drift": False,
    "on_unusable_base": "cold",
}
OTHERS = {
    "base": "pinned",
    "pinned": 17,
    "same_schema_only": True,
    "on_shape_mismatch": "overlap",
    "optimizer": "reset",
    "learning_rate_factor": 0.5,
    "frozen_layers": ["hidden"],
    "frozen_steps": 100,
    "shrink": 0.4,
    "perturb": 0.1,
    "max_generations": 7,
    "cold_on_drift": True,
    "on_unusable_base": "error",
}


def test_the_defaults_are_these():
    assert WarmStartConfig().to_dict() == DEFAULTS


def test_what_is_written_is_read_again():
    config = WarmStartConfig.from_dict(OTHERS)
    assert config.to_dict() == OTHERS
    assert json.loads(config.to_json()) == OTHERS
    assert WarmStartConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"optimiser": "keep"}, "unknown key 'optimiser' in the warm start config: expected one"),
        ({"base": "best"}, "base must be one of latest_blessed, latest, pinned, found 'best'"),
        ({"base": "pinned"}, "belong together: found base='pinned', pinned=None"),
        ({"pinned": 3}, "belong together: found base='latest_blessed', pinned=3"),
        ({"on_shape_mismatch": "x"}, "must be one of error, initialise, overlap, found 'x'"),
        ({"optimizer": "adam"}, "optimizer must be one of keep, reset, found 'adam'"),
        ({"on_unusable_base": "x"}, "on_unusable_base must be one of cold, error, found 'x'"),
        ({"learning_rate_factor": 0}, "learning_rate_factor must be above 0, found 0"),
        ({"learning_rate_factor": float("inf")}, "learning_rate_factor must be finite, found inf"),
        ({"shrink": 0}, "shrink must be above 0 and at most 1, found 0"),
        ({"shrink": 1.5}, r"shrink must be above 0 and at most 1, found 1\.5"),
        ({"perturb": -1}, "perturb must be 0 or more, found -1"),
        ({"frozen_layers": ["a"]}, r"found frozen_layers=\['a'\], frozen_steps=0"),
        ({"frozen_steps": 5}, r"found frozen_layers=\[\], frozen_steps=5"),
        ({"max_generations": 0}, "must be at least 1 or None, found 0: to start cold every time"),
    ],
)
def test_a_bad_value_is_named(data, message):
    with pytest.raises(ValueError, match=message):
        WarmStartConfig.from_dict(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"the warm start config must be a mapping, found \[\]"),
        ({"base": "pinned", "pinned": 1.5}, r"an artifact id or a URI, found 1\.5"),
        ({"cold_on_drift": 1}, "cold_on_drift must be True or False, found 1"),
        ({"shrink": "0.4"}, "shrink must be a number, found '0.4'"),
        ({"frozen_layers": "hidden"}, "must be a list of layer names, found 'hidden'"),
        ({"frozen_steps": 1.0}, r"frozen_steps must be an int, found 1\.0"),
        ({"max_generations": True}, "max_generations must be an int, found True"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(data, message):
    with pytest.raises(TypeError, match=message):
        WarmStartConfig.from_dict(data)


def test_a_text_that_is_not_json_is_an_error():
    with pytest.raises(ValueError, match="the warm start config is not JSON: Expecting"):
        WarmStartConfig.from_json("{")
