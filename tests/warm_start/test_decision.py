import dataclasses

import pytest

from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import BaseModel, Decision, UnusableBaseError, decide

FIRST = BaseModel(id=1, uri="m/1", created=100, blessed=True, generation=0, schema="s1")
SECOND = BaseModel(id=2, uri="m/2", created=200, blessed=True, generation=1, schema="s1")
THIRD = BaseModel(id=3, uri="m/3", created=300, blessed=False, generation=2, schema="s2")
WARM = "Warm start from model"
ALL = [SECOND, THIRD, FIRST]
BROKEN = dataclasses.replace(SECOND, problem="m/2/warm_start/checkpoint.json is not there")


@pytest.mark.parametrize(
    ("candidates", "config", "expected"),
    [
        (
            ALL,
            {},
            Decision(
                True,
                f"{WARM} 2 (m/2), the latest blessed one: generation 2.",
                SECOND,
                2,
            ),
        ),
        (
            ALL,
            {"base": "latest"},
            Decision(True, f"{WARM} 3 (m/3), the latest one: generation 3.", THIRD, 3),
        ),
        (
            ALL,
            {"base": "pinned", "pinned": 1},
            Decision(True, f"{WARM} 1 (m/1), the pinned one: generation 1.", FIRST, 1),
        ),
        (
            ALL,
            {"base": "pinned", "pinned": "m/1"},
            Decision(True, f"{WARM} 1 (m/1), the pinned one: generation 1.", FIRST, 1),
        ),
        ([], {}, Decision(False, "Cold start: there is no blessed model yet.")),
        ([THIRD], {}, Decision(False, "Cold start: there is no blessed model yet.")),
        ([], {"base": "latest"}, Decision(False, "Cold start: there is no model yet.")),
        (
            ALL,
            {"base": "pinned", "pinned": 9},
            Decision(False, "Cold start: the pinned base model 9 does not exist.", unusable=True),
        ),
        (
            [FIRST, BROKEN],
            {},
            Decision(
                False,
                "Cold start: base model 2 (m/2) cannot be used: "
                "m/2/warm_start/checkpoint.json is not there.",
                unusable=True,
            ),
        ),
        (
            ALL,
            {"base": "latest", "same_schema_only": True},
            Decision(
                False,
                "Cold start: base model 3 was trained with another schema, "
                "and the policy is same_schema_only.",
            ),
        ),
        (
            [dataclasses.replace(FIRST, schema=None)],
            {"same_schema_only": True},
            Decision(
                False,
                "Cold start: base model 1 was trained with an unknown schema, "
                "and the policy is same_schema_only.",
            ),
        ),
        (
            ALL,
            {"max_generations": 1},
            Decision(
                False,
                "Cold start: base model 2 has generation 1, and the policy is max_generations=1.",
            ),
        ),
        (
            ALL,
            {"max_generations": 2, "same_schema_only": True},
            Decision(
                True,
                f"{WARM} 2 (m/2), the latest blessed one: generation 2.",
                SECOND,
                2,
            ),
        ),
    ],
)
def test_the_decision_is_this_and_says_why(candidates, config, expected):
    assert decide(candidates, WarmStartConfig(**config), schema="s1") == expected


@pytest.mark.parametrize(
    ("policy", "drifted", "warm"), [(True, True, False), (True, False, True), (False, True, True)]
)
def test_drift_is_a_reason_for_a_cold_start_only_where_the_policy_says_so(policy, drifted, warm):
    decision = decide(ALL, WarmStartConfig(cold_on_drift=policy), drifted=drifted)
    assert decision.warm is warm


@pytest.mark.parametrize(
    ("candidates", "config", "message"),
    [
        ([BROKEN], {}, r"base model 2 \(m/2\) cannot be used: .*checkpoint\.json is not there"),
        (ALL, {"base": "pinned", "pinned": "m/9"}, "the pinned base model 'm/9' does not exist"),
    ],
)
def test_an_unusable_base_is_an_error_where_the_policy_says_so(candidates, config, message):
    with pytest.raises(UnusableBaseError, match=message):
        decide(candidates, WarmStartConfig(on_unusable_base="error", **config))


def test_the_first_run_is_cold_and_no_error_under_any_policy():
    assert not decide([], WarmStartConfig(on_unusable_base="error")).warm


def test_the_schema_must_be_given_where_it_is_compared():
    with pytest.raises(ValueError, match="needs the fingerprint of the new data's schema"):
        decide(ALL, WarmStartConfig(same_schema_only=True))


def test_the_latest_model_is_the_one_with_the_greatest_id_whatever_clocks_said():
    old = BaseModel(id=1, uri="m/1", created=200, blessed=True)
    new = BaseModel(id=2, uri="m/2", created=100, blessed=True)
    assert decide([new, old], WarmStartConfig()).base == new
