import dataclasses

import pytest

from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import BaseModel, Decision, UnusableBaseError, Why, decide

FIRST = BaseModel(id=1, uri="m/1", created=100, blessed=True, generation=0, schema="s1")
SECOND = BaseModel(id=2, uri="m/2", created=200, blessed=True, generation=1, schema="s1")
THIRD = BaseModel(id=3, uri="m/3", created=300, blessed=False, generation=2, schema="s2")
ALL = [SECOND, THIRD, FIRST]
UNLABELLED = dataclasses.replace(FIRST, schema=None)
BROKEN = dataclasses.replace(SECOND, problem="m/2/warm_start/checkpoint.json is not there")


@pytest.mark.parametrize(
    ("candidates", "config", "why", "candidate"),
    [
        (ALL, {}, Why.CHOSEN, SECOND),
        (ALL, {"base": "latest"}, Why.CHOSEN, THIRD),
        (ALL, {"base": "pinned", "pinned": 1}, Why.CHOSEN, FIRST),
        (ALL, {"base": "pinned", "pinned": "m/1"}, Why.CHOSEN, FIRST),
        ([], {}, Why.NO_BLESSED_MODEL, None),
        ([THIRD], {}, Why.NO_BLESSED_MODEL, None),
        ([], {"base": "latest"}, Why.NO_MODEL, None),
        (ALL, {"base": "pinned", "pinned": 9}, Why.NO_PINNED_MODEL, None),
        ([FIRST, BROKEN], {}, Why.UNUSABLE, BROKEN),
        (ALL, {"base": "latest", "same_schema_only": True}, Why.OTHER_SCHEMA, THIRD),
        ([UNLABELLED], {"same_schema_only": True}, Why.UNKNOWN_SCHEMA, UNLABELLED),
        (ALL, {"max_generations": 1}, Why.TOO_OLD, SECOND),
        (ALL, {"max_generations": 2, "same_schema_only": True}, Why.CHOSEN, SECOND),
    ],
)
def test_the_decision_is_this_for_this_reason(candidates, config, why, candidate):
    config = WarmStartConfig(**config)
    assert decide(candidates, config, schema="s1") == Decision(why, config, candidate)


def test_a_decision_says_from_which_base_and_of_which_generation():
    warm = Decision(Why.CHOSEN, WarmStartConfig(), SECOND)
    assert (warm.warm, warm.base, warm.generation, warm.unusable) == (True, SECOND, 2, False)
    cold = Decision(Why.UNUSABLE, WarmStartConfig(), BROKEN)
    assert (cold.warm, cold.base, cold.generation, cold.unusable) == (False, None, 0, True)


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
