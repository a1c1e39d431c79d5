"""The sentences about a warm start."""

from __future__ import annotations

import pytest

from tfx_wine_ext.report.words.warm_start import (
    DECISIONS,
    OUTCOMES,
    SENTENCES,
    decided,
    listed,
    sentence,
    verified,
)
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import BaseModel, Decision, Why
from tfx_wine_ext.warm_start.facts import Fact, Kind
from tfx_wine_ext.warm_start.inputs import Affine, Buckets, Unknown
from tfx_wine_ext.warm_start.probe import Outcome, Verification

BASE = BaseModel(id=7, uri="m/7", created=1, blessed=True, generation=3, problem="it is gone")
PH = Affine("pH", 3.0, 0.5)


@pytest.mark.parametrize(
    ("kinds", "words"), [(Kind, SENTENCES), (Why, DECISIONS), (Outcome, OUTCOMES)]
)
def test_each_kind_of_fact_has_words(kinds, words):
    assert set(kinds.__members__) == set(words)


@pytest.mark.parametrize(
    ("why", "config", "words"),
    [
        (
            Why.CHOSEN,
            {},
            "Warm start from model 7 (m/7), the latest blessed one: generation 4.",
        ),
        (
            Why.CHOSEN,
            {"base": "pinned", "pinned": 7},
            "Warm start from model 7 (m/7), the pinned one: generation 4.",
        ),
        (Why.NO_MODEL, {"base": "latest"}, "Cold start: there is no model yet."),
        (
            Why.NO_PINNED_MODEL,
            {"base": "pinned", "pinned": "m/9"},
            "Cold start: the pinned base model 'm/9' does not exist.",
        ),
        (Why.UNUSABLE, {}, "Cold start: base model 7 (m/7) cannot be used: it is gone."),
        (
            Why.UNKNOWN_SCHEMA,
            {"same_schema_only": True},
            "Cold start: base model 7 was trained with an unknown schema, and the policy is "
            "same_schema_only.",
        ),
        (
            Why.TOO_OLD,
            {"max_generations": 3},
            "Cold start: base model 7 has generation 3, and the policy is max_generations=3.",
        ),
    ],
)
def test_a_decision_is_a_full_sentence(why, config, words):
    assert decided(Decision(why, WarmStartConfig(**config), BASE)) == words


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (
            Fact(Kind.COMMON_BLOCK, now=[2, 4]),
            "the shapes differ: the common block of 2 x 4 was copied",
        ),
        (
            Fact(Kind.ROWS_MOVED, now=(3, 1, 0), notes=(Fact(Kind.RESTATED, "pH"),) * 2),
            "3 rows kept, 1 new, 0 vanished: feature pH restated",
        ),
        (Fact(Kind.ROWS_MOVED, now=(3, 0, 0)), "3 rows kept, 0 new, 0 vanished: rows moved"),
        (
            Fact(Kind.FEATURE_CHANGED, "pH", PH, Affine("pH", 3.1, 0.5), weight="hidden/kernel"),
            "hidden/kernel: feature pH: its mean or its scale changed",
        ),
        (
            Fact(Kind.NONLINEAR, "pH", Buckets("pH", (1.0,)), PH, layer="cut (ReLU)"),
            "feature pH: its transform was Affine and is Buckets, and it reaches cut (ReLU), which "
            "may use it in a nonlinear way",
        ),
        (
            Fact(Kind.FEATURE_CHANGED, "pH", Unknown("pH"), Unknown("pH", "1a")),
            "feature pH: its transform may have changed: it is Unknown without a fingerprint",
        ),
        (
            Fact(Kind.FEATURE_CHANGED, "pH"),
            "feature pH: its transform may have changed: the specification does not name it",
        ),
        (
            Fact(Kind.ROWS_DIFFER, now=[("hidden", "cut")], was=[("column", x) for x in "abcdef"]),
            "its rows are outputs of cut, in the base columns of a, columns of b, columns of c, "
            "columns of d, columns of e, ...",
        ),
        (
            Fact(Kind.ARGUMENT_CHANGED, "alpha", 0.5, "{0}", layer="elu (ELU)"),
            "layer elu (ELU): its alpha was '{0}' and is 0.5",
        ),
        (Fact(Kind.KEPT, now=5, was=(), count=4), "Kept: 4 variables, step 5."),
        (
            Fact(Kind.KEPT, now=5, was=("velocity of dense/kernel",), count=4),
            "Kept: 4 variables, step 5. Fresh: velocity of dense/kernel.",
        ),
    ],
)
def test_a_fact_is_worded(fact, words):
    assert sentence(fact) == words


def test_facts_in_a_line_are_worded_once_and_those_beyond_a_limit_are_counted():
    facts = [Fact(Kind.RESTATED, name) for name in "aabc"]
    assert listed(facts, 3) == "feature a restated; feature b restated; feature c restated"
    assert listed(facts, 1) == "feature a restated; and 2 more"


@pytest.mark.parametrize(
    ("suspects", "words"),
    [
        (None, "the model differs from that of the checkpoint."),
        ((), "something that is neither a weight nor in the input specification differs."),
        (
            ("scale (Scale)",),
            "something that is neither a weight nor in the input specification differs; check "
            "scale (Scale) first.",
        ),
    ],
)
def test_a_difference_names_what_is_to_be_checked(suspects, words):
    found = Verification(Outcome.DIFFERS, 3, 256, 0.12345, suspects=suspects)
    assert verified(found) == (
        "The predictions of the new model differ from the base's on 3 of 256 probed inputs, by up "
        f"to 0.123: {words}"
    )
