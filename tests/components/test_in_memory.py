"""All components on TensorFlow's file system in memory: an address stays one everywhere."""

from __future__ import annotations

import json
import os
import pathlib
import uuid

import IPython.display
import pyarrow as pa
import pytest
from tfx.orchestration.experimental.interactive import visualizations
from tfx.proto import example_gen_pb2, range_config_pb2

from tfx_wine_ext.artifacts.presence import ArtifactGoneError
from tfx_wine_ext.components.drift_report import DriftReport
from tfx_wine_ext.components.parquet_example_gen import ParquetExampleGen
from tfx_wine_ext.components.warm_start_trainer import WarmStartTrainer
from tfx_wine_ext.executors.drift_report import DriftDetectedError
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.testing import (
    FakeMetadata,
    as_channel,
    launch,
    parquet_file,
    read_examples,
    schema_artifact,
    statistics_artifact,
)

pytestmark = pytest.mark.e2e
both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])

SPANS = {
    1: {"x": [i / 10 for i in range(100)], "kind": ["a", "b"] * 50},
    2: {"x": [i / 10 + 5 for i in range(100)], "kind": ["a", "b"] * 50},
}
ALL = example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="train", pattern="*")])
ONE_SPLIT = example_gen_pb2.Output(
    split_config=example_gen_pb2.SplitConfig(
        splits=[example_gen_pb2.SplitConfig.Split(name="train", hash_buckets=1)]
    )
)
BY_SPAN = example_gen_pb2.Input(
    splits=[example_gen_pb2.Input.Split(name="train", pattern="span-{SPAN}/*.parquet")]
)


@pytest.fixture
def ram(tmp_path, monkeypatch):
    """An address with the data of two spans; nothing of it may become a local path."""
    ram = f"ram://{uuid.uuid4().hex}"
    for span, rows in SPANS.items():
        local = parquet_file(tmp_path / "data" / f"{span}.parquet", pa.table(rows))
        write(f"{ram}/data/span-{span}/wines.parquet", local.read_bytes())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield ram
    assert os.listdir() == []


def write(path, content):
    with files_for(path).create(path) as file:
        file.write(content)


def read(path):
    with files_for(path).open(path) as file:
        return file.read()


def of_span(ram, span, where, output_config=ONE_SPLIT):
    input_config = example_gen_pb2.Input()
    input_config.CopyFrom(BY_SPAN)
    range_config = range_config_pb2.RangeConfig()
    range_config.static_range.start_span_number = range_config.static_range.end_span_number = span
    component = ParquetExampleGen(
        f"{ram}/data",
        input_config=input_config,
        output_config=output_config,
        range_config=range_config,
    )
    return launch(component, **where).outputs["examples"]


@both_paths
def test_spans_are_ingested_and_compared(ram, path, monkeypatch):
    with FakeMetadata() as store:
        where = {"path": path, "store": store, "pipeline_root": f"{ram}/made"}
        [before], [after] = (of_span(ram, span, where) for span in (1, 2))
        component = DriftReport(examples=as_channel(after), baseline=as_channel(before))
        result = launch(component, **where)
        [report] = result.outputs["report"]
        stopping = DriftReport(examples=as_channel(after), baseline=as_channel(before), mode="fail")
        with pytest.raises(DriftDetectedError, match=rf"is in {ram}/made/DriftReport/stopped/"):
            launch(stopping, **where)
        snapshot = Snapshot.read(store.store)
        files_for(ram).remove_tree(before.uri)
        component = DriftReport(examples=as_channel(after), baseline=as_channel(before))
        with pytest.raises(ArtifactGoneError, match=f"no such folder: {before.uri}; "):
            launch(component, **where)

    assert before.uri.startswith(f"{ram}/made/ParquetExampleGen/examples/")
    assert before.custom_properties["rows_train"] == 100
    with pytest.raises(ValueError, match=r"expected a folder Split-eval, found \['Split-train'\]"):
        read_examples(after, "eval")
    assert read_examples(after, "train")[3] == {"kind": [b"b"], "x": [pytest.approx(5.3)]}
    document = json.loads(read(f"{report.uri}/drift_report.json"))
    assert (document["verdict"], document["baseline"]["uri"]) == ("DRIFT", before.uri)
    assert b"<!DOCTYPE html>" in read(f"{report.uri}/drift_report.html")
    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    visualizations.get_registry().get_visualization("ExampleDriftReport").display(report.to_tfx())
    assert shown[0].data.startswith('<iframe title="drift report"')
    found = runs(snapshot)
    drifts = [run.drift for run in found if run.drift is not None]
    # TFX's IR keeps nothing of a failed execution, and launched alone it has nothing beside it.
    stopped = [("DRIFT", True)] if path == "notebook" else []
    assert [(drift.verdict, drift.id is None) for drift in drifts] == [("DRIFT", False), *stopped]
    assert [run.unread for run in found] == [()] * len(found)


def test_a_parquet_payload_is_written_and_compared_with_itself(ram):
    with FakeMetadata() as store:
        where = {"store": store, "pipeline_root": f"{ram}/made"}
        component = ParquetExampleGen(
            f"{ram}/data/span-2",
            input_config=ALL,
            output_config=ONE_SPLIT,
            output_data_format=example_gen_pb2.PayloadFormat.FORMAT_PARQUET,
        )
        [examples] = launch(component, **where).outputs["examples"]
        both = {"examples": as_channel(examples), "baseline": as_channel(examples)}
        [report] = launch(DriftReport(**both), **where).outputs["report"]
    assert read_examples(examples, "train")[3] == {"kind": [b"b"], "x": [pytest.approx(5.3)]}
    assert report.custom_properties["verdict"] == "OK"


def test_statistics_and_a_schema_are_read(ram, tmp_path):
    def at_address(artifact):
        for folder, _, names in os.walk(artifact.uri):
            for name in names:
                to = f"{ram}/{os.path.relpath(f'{folder}/{name}', tmp_path)}"
                write(to, pathlib.Path(folder, name).read_bytes())
        artifact.uri = f"{ram}/{os.path.relpath(artifact.uri, tmp_path)}"
        return as_channel(artifact)

    now, before = (
        statistics_artifact(tmp_path / f"statistics {span}", {"train": pa.table(SPANS[span])})
        for span in (2, 1)
    )
    schema = schema_artifact(tmp_path / "schema", 'feature { name: "x" type: FLOAT }')
    component = DriftReport(
        statistics=at_address(now),
        baseline_statistics=at_address(before),
        schema=at_address(schema),
    )
    [report] = launch(component, pipeline_root=f"{ram}/made").outputs["report"]
    known = report.custom_properties
    assert (known["verdict"], known["worst_1"], known["features"]) == ("DRIFT", "x", 2)


@both_paths
def test_a_model_is_continued(ram, path):
    with FakeMetadata() as store:

        def train(**inputs):
            component = WarmStartTrainer(
                examples=as_channel(examples),
                run_fn="tests.components.warm_run_fn.run_fn",
                warm_start={"base": "latest"},
                **inputs,
            )
            return launch(component, **where).outputs["model"][0]

        where = {"path": path, "store": store, "pipeline_root": f"{ram}/made"}
        [examples] = of_span(ram, 1, where, None)
        first = train()
        second = train(base_model=as_channel(first))
        files_for(first.uri).remove_tree(f"{first.uri}/warm_start")
        third = train(base_model=as_channel(first))

    known = second.custom_properties
    assert (known["warm_start"], known["generation"], known["total_steps"]) == (1, 1, 10)
    assert known["warm_start_reason"] == (
        f"Warm start from model {first.id} ({first.uri}), the latest one: generation 1."
    )
    assert first.uri.startswith(f"{ram}/made/WarmStartTrainer/model/")
    report = json.loads(read(f"{second.uri}/warm_start/warm_start.json"))
    assert (report["warm"], report["base_step"]) == (True, 5)
    assert b"generation 1" in read(f"{second.uri}/warm_start/warm_start.html")
    assert third.custom_properties["warm_start_reason"].startswith(
        f"Cold start: base model {first.id} ({first.uri}) cannot be used: "
        f"{first.uri}/warm_start/checkpoint.json: "
    )
