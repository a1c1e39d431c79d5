"""Which Examples a strategy picks, on a real metadata store."""

from __future__ import annotations

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.types import standard_artifacts

from tfx_wine_ext.resolvers.baseline_examples import (
    BlessedModelExamplesStrategy,
    PinnedSpanStrategy,
    PreviousSpanStrategy,
)
from tfx_wine_ext.testing import FakeMetadata


@pytest.fixture
def metadata():
    with FakeMetadata() as store:
        yield store


def examples(metadata, uri, span=None, version=None):
    artifact = standard_artifacts.Examples()
    artifact.uri = uri
    for key, value in (("span", span), ("version", version)):
        if value is not None:
            artifact.set_int_custom_property(key, value)
    metadata.register(artifact)
    return artifact


def run(metadata, inputs, outputs):
    """Records an execution that made `outputs` from `inputs`."""
    store = metadata.store
    type_id = store.put_execution_type(pb.ExecutionType(name="Step"))
    [execution] = store.put_executions([pb.Execution(type_id=type_id)])
    events = [(a, pb.Event.INPUT) for a in inputs] + [(a, pb.Event.OUTPUT) for a in outputs]
    store.put_events(
        [pb.Event(artifact_id=a.id, execution_id=execution, type=kind) for a, kind in events]
    )


def baseline(strategy, metadata, **inputs):
    """Returns the URIs that a strategy picks as the baseline."""
    resolved = strategy.resolve_artifacts(metadata.store, inputs)
    assert resolved.keys() == inputs.keys()
    return [artifact.uri for artifact in resolved["baseline"]]


def test_the_previous_span_is_the_largest_one_below_in_its_latest_version(metadata):
    found = [
        examples(metadata, "2", span=2),
        examples(metadata, "4 v1", span=4, version=1),
        examples(metadata, "4 v2 old", span=4, version=2),
        examples(metadata, "4 v2", span=4, version=2),
        examples(metadata, "4 v0", span=4, version=0),
        examples(metadata, "7", span=7),
        examples(metadata, "9", span=9),
        examples(metadata, "no span"),
    ]
    previous = PreviousSpanStrategy()
    for current, expected in ((5, ["4 v2"]), (3, ["2"]), (0, [])):
        assert baseline(previous, metadata, current=[found[current]], baseline=found) == expected


def test_in_a_notebook_the_current_examples_are_those_given_out_last(metadata):
    found = [examples(metadata, str(span), span=span) for span in (1, 2, 3)]
    for each in (*found, found[1]):  # the last time from the cache
        run(metadata, [], [each])
    assert baseline(PreviousSpanStrategy(), metadata, current=found, baseline=found) == ["1"]


def test_there_is_no_previous_span_before_anything_ran(metadata):
    assert baseline(PreviousSpanStrategy(), metadata, current=[], baseline=[]) == []


def test_examples_without_a_span_have_no_previous_one(metadata):
    current = examples(metadata, "here")
    with pytest.raises(ValueError, match="current: expected Examples with a span, found none on h"):
        baseline(PreviousSpanStrategy(), metadata, current=[current], baseline=[current])


@pytest.mark.parametrize(
    ("config", "expected"),
    [({"span": 1}, ["1 v2"]), ({"span": 1, "version": 1}, ["1 v1"]), ({"span": 3}, [])],
)
def test_a_span_is_pinned(metadata, config, expected):
    found = [
        examples(metadata, "1 v2", span=1, version=2),
        examples(metadata, "1 v1", span=1, version=1),
        examples(metadata, "2", span=2),
    ]
    assert baseline(PinnedSpanStrategy(**config), metadata, baseline=found) == expected


def model_with_blessing(metadata, uri, blessed):
    model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    model.uri, blessing.uri = uri, f"{uri} blessing"
    metadata.register(model)
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_int_custom_property("current_model_id", model.id)
    metadata.register(blessing)
    return model, blessing


def test_the_examples_of_the_latest_blessed_model_are_found_behind_those_of_transform(metadata):
    raw = [examples(metadata, f"raw {n}", span=n) for n in range(3)]
    transformed = [examples(metadata, f"transformed {n}") for n in range(3)]
    pairs = [model_with_blessing(metadata, f"model {n}", n < 2) for n in range(3)]
    for n in range(3):
        run(metadata, [raw[n]], [transformed[n]])
        run(metadata, [transformed[n]], [pairs[n][0]])
    strategy = BlessedModelExamplesStrategy()
    models, blessings = map(list, zip(*pairs))
    assert baseline(strategy, metadata, model=models, model_blessing=blessings, baseline=raw) == [
        "raw 1"
    ]
    assert baseline(strategy, metadata, model=[], model_blessing=[], baseline=raw) == []


@pytest.mark.parametrize(
    ("strategy", "inputs", "missing"),
    [
        (PreviousSpanStrategy(), ["baseline"], "current"),
        (PinnedSpanStrategy(1), ["examples"], "baseline"),
        (BlessedModelExamplesStrategy(), ["baseline", "model"], "model_blessing"),
    ],
)
def test_a_channel_that_is_missing_is_named(metadata, strategy, inputs, missing):
    with pytest.raises(
        ValueError, match=f"{missing}: expected a channel of this name, found {', '.join(inputs)}"
    ):
        strategy.resolve_artifacts(metadata.store, {name: [] for name in inputs})
