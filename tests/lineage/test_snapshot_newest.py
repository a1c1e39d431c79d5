"""Chosen runs, such as the newest, are read without the others, and are the same."""

from __future__ import annotations

import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from benchmarks.stores import CSV, STATISTICS, TfxStore, wine_run
from tests.lineage.conftest import Five
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.history import what_moved
from tfx_wine_ext.lineage.runs import find_run, runs
from tfx_wine_ext.lineage.snapshot import Snapshot, newest
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


@pytest.mark.parametrize("numbers", [(1,), (3,), (4, 2), (1, 3, 5)])
def test_any_runs_are_read_as_they_are_among_all(five: Five, numbers):
    def choose(listed):
        assert [(run.number, run.run) for run in listed] == [(x.number, x.run) for x in five.runs]
        return [listed[number - 1] for number in numbers]

    found = runs(Snapshot.read(open_store(five.store.path), choose=choose))
    assert found == [run for run in five.runs if run.number in numbers]
    assert runs(five.snapshot, choose=choose) == found  # From a snapshot of all.


def test_what_does_not_find_a_run_says_so_itself(five: Five):
    with pytest.raises(ValueError, match=r"^run '9': expected an id .* a number from 1 to 5"):
        Snapshot.read(open_store(five.store.path), choose=lambda listed: [find_run(listed, "9")])


def test_files_of_runs_that_are_not_chosen_are_not_read(five: Five):
    class Files(SoftFiles):
        def read(self, folder, name="", *, expected=True):
            read_folders.append(folder)
            return super().read(folder, name, expected=expected)

    read_folders: list[str] = []
    runs(five.snapshot, "wine", Files(), choose=newest(1))
    of_last = {execution.execution for execution in five.runs[-1].components}
    assert {int(folder.rpartition("/")[2]) for folder in read_folders} <= of_last


def test_relative_paths_of_a_run_whose_files_are_gone_are_those_of_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = TfxStore(tmp_path, root="root")
    ids = wine_run(store, "run 1", 1, {})
    shutil.rmtree("root")
    wine_run(store, "run 2", 2, ids)
    monkeypatch.chdir("/")
    opened = open_store(store.path)
    [first] = runs(Snapshot.read(opened, choose=lambda listed: listed[:1]))
    assert first == runs(Snapshot.read(opened))[0]
    assert first.statistics is not None
    assert first.statistics.path.startswith(f"{tmp_path}/root/")


def test_runs_of_airflow_are_read_by_themselves(tmp_path):
    store = TfxStore(tmp_path)
    for number in (1, 2, 3):
        store.run(f"scheduled__2026-01-0{number}T00:00:00+00:00", legacy=True)
        store.component("Gen", CSV, outputs={"examples": ("Examples", {"span": number})})
    opened = open_store(store.path)
    snapshot = Snapshot.read(opened, last=1)
    assert runs(snapshot) == runs(Snapshot.read(opened))[-1:]
    assert len(snapshot.executions) == 1


def test_a_component_in_runs_of_two_pipelines_has_the_whole_store_read(tmp_path):
    store = TfxStore(tmp_path)
    for number in (1, 2):
        store.run(f"inner {number}")
        store.component("Gen", CSV)
    outer = TfxStore(tmp_path, pipeline="outer")
    outer.run("outer 1")
    outer.component("Gen", CSV)
    [context] = outer.store.get_contexts_by_type("pipeline_run")[-1:]
    outer.store.put_attributions_and_associations(
        [], [pb.Association(execution_id=1, context_id=context.id)]
    )
    opened = open_store(store.path)
    assert len(Snapshot.read(opened, "wine", last=1).executions) == 2
    found = runs(Snapshot.read(opened, "wine", last=1), "wine", choose=newest(1))
    assert found == runs(Snapshot.read(opened, "wine"), "wine")[-1:]
