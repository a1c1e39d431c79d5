"""The newest runs are read without the others, and are the same."""

from __future__ import annotations

import pytest

from benchmarks.stores import CSV, STATISTICS, TfxStore
from tests.lineage.conftest import Five
from tfx_wine_ext.history import what_moved
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import StoreError, open_store


@pytest.mark.parametrize("last", [1, 2, 3, 4, 5, 9])
def test_they_are_the_last_of_all(five: Five, last):
    snapshot = Snapshot.read(open_store(five.store.path), last=last)
    found = runs(snapshot)
    assert found == five.runs[-last:]
    assert runs(snapshot, "wine") == found  # Again, with what has been asked for meanwhile.
    moved = [what_moved(*two) for two in zip(found, found[1:])]
    assert (
        moved
        == [what_moved(*two) for two in zip(five.runs, five.runs[1:])][-last + 1 :][: len(moved)]
    )


def test_what_lies_around_them_is_found_when_it_is_asked_for(five: Five):
    snapshot = Snapshot.read(open_store(five.store.path), last=1)
    model = five.ids[3]["model"]
    assert model not in dict.keys(snapshot.artifacts)
    assert snapshot.upstream(model) == five.snapshot.upstream(model)
    assert snapshot.makers(model) == five.snapshot.makers(model)
    assert snapshot.artifacts.get(10_000) is None
    with pytest.raises(KeyError):
        snapshot.executions[10_000]


def test_the_others_are_not_asked_for(five: Five):
    opened = open_store(five.store.path)
    snapshot = Snapshot.read(opened, last=1)
    runs(snapshot)
    whole = Snapshot.read(opened)
    assert len(snapshot.executions) < len(whole.executions) / 3
    assert len(snapshot.artifacts) < len(whole.artifacts) / 3


def test_of_one_pipeline_of_several_they_are_its_own(tmp_path):
    for name in ("one", "two"):
        store = TfxStore(tmp_path, pipeline=name)
        for number in (1, 2, 3):
            store.run(f"{name} {number}")
            [examples] = store.component(
                "Gen", CSV, outputs={"examples": ("Examples", {"span": number})}
            ).values()
            store.component("Stats", STATISTICS, inputs={"examples": [examples]})
    opened = open_store(store.path)
    found = runs(Snapshot.read(opened, "one", last=2), "one")
    assert [(run.run, run.number, run.examples.span) for run in found] == [
        ("one 2", 2, 2),
        ("one 3", 3, 3),
    ]
    # Without its name, all are read: which pipeline is meant is for others to say.
    assert Snapshot.read(opened, last=1).pipelines == ("one", "two")
    with pytest.raises(StoreError, match="expected the pipeline 'three', found 'one', 'two'"):
        Snapshot.read(opened, "three", last=1)


def test_the_runs_of_notebooks_are_put_together_of_many_and_so_all_are_read(tmp_path):
    store = TfxStore(tmp_path)
    for name in ("a", "b"):
        store.run(f"2026-01-01T10:00:00.0000{ord(name)}", legacy=True)
        store.component(f"Gen {name}", CSV)
    [run] = runs(Snapshot.read(open_store(store.path), last=1))
    assert [component.id for component in run.components] == ["Gen a", "Gen b"]


def test_a_store_without_runs_has_no_newest(tmp_path):
    store = TfxStore(tmp_path)
    assert runs(Snapshot.read(open_store(store.path), last=1)) == []
