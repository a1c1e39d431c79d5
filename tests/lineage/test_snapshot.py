"""A store is read at once, and walked both ways in memory."""

from __future__ import annotations

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from benchmarks.stores import CSV, RESOLVER, STATISTICS, TRAINER, TfxStore
from tests.lineage.conftest import Five
from tfx_wine_ext.lineage import runs as runs_module
from tfx_wine_ext.lineage import sqlite_file
from tfx_wine_ext.lineage.snapshot import Execution, Link, RunContext, Snapshot
from tfx_wine_ext.lineage.store import StoreError, open_store


def test_an_execution_knows_its_component_its_pipeline_and_its_run(tmp_path):
    store = TfxStore(tmp_path, pipeline="a.b")
    store.run("monday")
    store.component("Gen.1", CSV, properties={"input_base": "/data", "sizes": [1, 2]})
    snapshot = Snapshot.read(open_store(store.path))
    assert dict(snapshot.executions) == {
        1: Execution(
            id=1,
            type=CSV,
            state="COMPLETE",
            component="Gen.1",
            pipeline="a.b",
            run=2,
            created=1_700_000_001_000,
            updated=1_700_000_001_500,
            properties={"input_base": "/data", "sizes": [1.0, 2.0]},
        )
    }
    assert dict(snapshot.runs) == {2: RunContext(2, "monday", legacy=False)}
    assert snapshot.pipelines == ("a.b",)


def test_a_notebooks_execution_is_read_by_the_contexts_of_the_other_launch_path(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday", legacy=True)
    store.component("CsvExampleGen", CSV)
    snapshot = Snapshot.read(open_store(store.path))
    [execution] = snapshot.executions.values()
    assert (execution.component, execution.pipeline, execution.run) == ("CsvExampleGen", "wine", 2)
    assert snapshot.runs[2] == RunContext(2, "monday", legacy=True)


def test_links_lead_both_ways(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    made = store.component("Gen", CSV, outputs={"examples": ("Examples", {})})
    [examples] = made.values()
    stats = store.component(
        "Stats",
        STATISTICS,
        inputs={"examples": [examples]},
        outputs={"statistics": ("ExampleStatistics", {})},
    )
    snapshot = Snapshot.read(open_store(store.path))
    assert dict(snapshot.inputs) == {2: (Link("examples", examples, 2),)}
    assert snapshot.outputs[2] == (Link("statistics", stats["statistics"], 2),)
    assert snapshot.written_by[examples] == (Link("examples", examples, 1),)
    assert snapshot.read_by[examples] == (Link("examples", examples, 2),)
    assert snapshot.upstream(stats["statistics"]) == [examples]
    assert snapshot.downstream(examples) == [stats["statistics"]]


def test_a_walk_goes_through_all_of_a_pipeline_the_nearest_first(five: Five):
    first, second = five.ids[0], five.ids[1]
    types = [five.snapshot.artifacts[id_].type for id_ in five.snapshot.upstream(second["model"])]
    assert types[:3] == ["Examples", "TransformGraph", "Model"]
    assert first["examples"] in five.snapshot.upstream(second["model"])
    assert second["evaluation"] in five.snapshot.downstream(first["examples"])
    assert first["model"] not in five.snapshot.downstream(second["examples"])


def test_who_took_an_artifact_from_the_cache_did_not_make_it(five: Five):
    second, third = five.ids[1], five.ids[2]
    assert third["examples"] == second["examples"]
    assert len(five.snapshot.written_by[second["examples"]]) == 2
    [maker] = five.snapshot.makers(second["examples"])
    assert five.snapshot.executions[maker.execution].state == "COMPLETE"


def test_what_a_resolver_found_it_did_not_make(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    [model] = store.component("Trainer", TRAINER, outputs={"model": ("Model", {})}).values()
    store.component(
        "Latest", RESOLVER, cached={"model": model}, output_event=pb.Event.INTERNAL_OUTPUT
    )
    snapshot = Snapshot.read(open_store(store.path))
    assert snapshot.written_by[model] == (Link("model", model, 1),)


def test_one_pipeline_of_several_is_read_by_itself(tmp_path):
    for name in ("one", "two"):
        store = TfxStore(tmp_path, pipeline=name)
        store.run(f"{name} 1")
        store.component("Gen", CSV, outputs={"examples": ("Examples", {"span": 1})})
    opened = open_store(store.path)
    everything, two = Snapshot.read(opened), Snapshot.read(opened, "two")
    assert everything.pipelines == ("one", "two")
    assert (len(everything.executions), len(everything.artifacts)) == (2, 2)
    assert [execution.pipeline for execution in two.executions.values()] == ["two"]
    assert len(two.artifacts) == 1
    with pytest.raises(StoreError, match=r"expected the pipeline 'three', found 'one', 'two'"):
        Snapshot.read(opened, "three")


def test_a_store_of_any_other_kind_is_read_alike(five: Five):
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = five.store.path
    assert Snapshot.read(metadata_store.MetadataStore(config)) == five.snapshot


def test_the_number_of_calls_does_not_depend_on_the_number_of_runs(tmp_path, monkeypatch):
    store = TfxStore(tmp_path)
    calls = []
    for runs in (1, 9):
        for number in range(runs):
            store.run(f"{runs}-{number}")
            store.component("Gen", CSV, outputs={"examples": ("Examples", {})})
        opened = open_store(store.path)
        counted: list[str] = []
        call, query = type(opened)._call, sqlite_file.query

        def counting(self, name, *args, call=call, counted=counted):
            counted.append(name)
            return call(self, name, *args)

        def querying(*args, query=query, counted=counted):
            counted.append("query")
            return query(*args)

        with monkeypatch.context() as patch:
            patch.setattr(type(opened), "_call", counting)
            patch.setattr(sqlite_file, "query", querying)
            assert len(Snapshot.read(opened).runs) == (1 if runs == 1 else 10)
        calls.append(counted)
    assert calls[0] == calls[1]
    assert len(calls[0]) == 7


def test_an_empty_store_has_no_runs(tmp_path):
    store = TfxStore(tmp_path)
    assert Snapshot.read(open_store(store.path)) == Snapshot({}, {}, {}, {}, {}, {}, {})


@pytest.mark.parametrize("last", [None, 1])
def test_one_property_that_mlmd_cannot_read_does_not_take_the_others_with_it(tmp_path, last):
    store = TfxStore(tmp_path)
    for name in ("monday", "tuesday"):
        store.run(name)
        ids = store.component("Gen", CSV, outputs={"examples": ("Examples", {"span": 7})})
    [artifact] = store.store.get_artifacts_by_id([ids["examples"]])
    # The beginning by which MLMD knows an object that it has stored as text.
    artifact.custom_properties["poison"].string_value = "mlmd-struct::xx"
    store.store.put_artifacts([artifact])
    with pytest.raises(UnicodeDecodeError):  # MLMD itself reads none of them any more.
        store.store.get_artifacts()

    found = runs_module.runs(Snapshot.read(open_store(store.path), last=last))

    assert [run.run for run in found] == ["monday", "tuesday"][-(last or 2) :]
    assert found[-1].examples.uri == f"{store.root}/Gen/examples/2"
    assert found[-1].examples.span is None
    [unread] = found[-1].unread
    assert (unread.path, unread.problem) == (f"artifact {ids['examples']}", "unreadable")
    assert unread.why.startswith("MLMD cannot read its properties (")
    if last is None:
        assert (found[0].examples.span, found[0].unread) == (7, ())


def test_properties_of_every_kind_are_read(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    ids = store.component("Gen", CSV, outputs={"examples": ("Examples", {"span": 7})})
    [artifact] = store.store.get_artifacts_by_id([ids["examples"]])
    properties = artifact.custom_properties
    properties["flag"].bool_value = True
    properties["proto"].proto_value.Pack(pb.ArtifactType(name="x"))
    properties["infinite"].struct_value.update({"__value__": [float("inf"), {"a": None}]})
    properties["span"].double_value = 8.0
    properties["\x1b[2J"].string_value = "\u202e"
    store.store.put_artifacts([artifact])
    snapshot = Snapshot.read(open_store(store.path))
    assert dict(snapshot.artifacts[ids["examples"]].properties) == {
        "flag": True,
        "infinite": [float("inf"), {"a": None}],
        "span": 8.0,
        "\x1b[2J": "\u202e",
    }
    [run] = runs_module.runs(snapshot)
    assert run.examples.span == 8
