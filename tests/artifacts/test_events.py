"""Walks over a real metadata store, in memory."""

from __future__ import annotations

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from tfx_wine_ext.artifacts.events import last_output, nearest_ancestors


@pytest.fixture
def store():
    config = pb.ConnectionConfig()
    config.fake_database.SetInParent()
    return metadata_store.MetadataStore(config)


@pytest.fixture
def artifacts(store):
    """Makes n artifacts and returns their ids, which count from 1."""

    def make(count):
        type_id = store.put_artifact_type(pb.ArtifactType(name="Thing"))
        return store.put_artifacts([pb.Artifact(type_id=type_id, uri="u") for _ in range(count)])

    return make


def run(store, inputs, outputs, output=pb.Event.OUTPUT):
    """Records an execution that made `outputs` from `inputs`, and returns its id."""
    type_id = store.put_execution_type(pb.ExecutionType(name="Step"))
    [execution] = store.put_executions([pb.Execution(type_id=type_id)])
    events = [(each, pb.Event.INPUT) for each in inputs] + [(each, output) for each in outputs]
    store.put_events(
        [pb.Event(artifact_id=a, execution_id=execution, type=kind) for a, kind in events]
    )
    return execution


def test_the_last_execution_that_gave_an_artifact_out_may_be_one_from_the_cache(store, artifacts):
    one, two, nobodys = artifacts(3)
    run(store, [], [one])
    second = run(store, [one], [two])
    cached = run(store, [], [one])
    run(store, [one, two], [])
    assert last_output(store, [one, two, nobodys]) == {one: cached, two: second}


def test_the_nearest_ancestors_are_found_through_any_number_of_steps(store, artifacts):
    far, near, middle, model, other = artifacts(5)
    run(store, [far], [near])
    run(store, [near], [middle])
    run(store, [middle, other], [model])
    assert nearest_ancestors(store, model, [far, near]) == [near]
    assert nearest_ancestors(store, model, [far]) == [far]
    assert nearest_ancestors(store, model, [middle, other]) == [middle, other]


def test_what_was_made_of_it_is_no_ancestor_of_an_artifact(store, artifacts):
    model, evaluation = artifacts(2)
    run(store, [model], [evaluation])
    assert nearest_ancestors(store, model, [model, evaluation]) == []


def test_a_loop_in_the_events_ends(store, artifacts):
    one, two, apart = artifacts(3)
    run(store, [one], [two])
    run(store, [two], [one])
    assert nearest_ancestors(store, one, [apart]) == []
