"""Files that are gone while the metadata store still knows of them."""

from __future__ import annotations

import json
import pathlib
import shutil

import pyarrow as pa
import pytest
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import pipeline as pipeline_lib
from tfx.orchestration.local import local_dag_runner
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from tfx_wine_ext import DriftReport, ParquetExampleGen, PinnedSpanStrategy, PreviousSpanStrategy
from tfx_wine_ext.artifacts.presence import ArtifactGoneError
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store
from tfx_wine_ext.report.drift_page import render_drift_page
from tfx_wine_ext.testing import (
    FakeMetadata,
    SqliteMetadata,
    as_channel,
    examples_artifact,
    launch,
    parquet_file,
    schema_artifact,
    statistics_artifact,
)

pytestmark = pytest.mark.e2e
both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])

ROWS = {"x": [i / 10 for i in range(100)]}


def delete(folder):
    shutil.rmtree(folder)


def delete_the_split(folder):
    shutil.rmtree(folder / "Split-train")


def empty_the_split(folder):
    for file in (folder / "Split-train").iterdir():
        file.unlink()


def dangle(folder):
    for file in (folder / "Split-train").iterdir():
        file.unlink()
        file.symlink_to(folder / "gone")


def dangle_the_folder(folder):
    shutil.rmtree(folder)
    folder.symlink_to(folder.parent / "gone")


LOSSES = {
    delete: "no such folder",
    delete_the_split: "no such folder",
    empty_the_split: "a folder without files",
    dangle: "only links to nothing",
    dangle_the_folder: "a link to nothing",
}
losses = pytest.mark.parametrize("lose", list(LOSSES), ids=lambda lose: lose.__name__)


def spans(tmp_path, metadata, span, strategy=PreviousSpanStrategy, config=None):
    """Runs example_gen >> resolver >> drift report on one more span."""
    parquet_file(tmp_path / "data" / f"span-{span}" / "a.parquet", pa.table(ROWS))
    pattern = example_gen_pb2.Input.Split(name="train", pattern="span-{SPAN}/*")
    example_gen = ParquetExampleGen(
        str(tmp_path / "data"), input_config=example_gen_pb2.Input(splits=[pattern])
    )
    channels = {
        "current": example_gen.outputs["examples"],
        "baseline": Channel(
            type=standard_artifacts.Examples, producer_component_id="ParquetExampleGen"
        ),
    }
    resolver = Resolver(strategy_class=strategy, config=config, **channels)
    drift = DriftReport(
        examples=example_gen.outputs["examples"],
        baseline=resolver.outputs["baseline"],
        mode="fail",
    )
    pipeline = pipeline_lib.Pipeline(
        pipeline_name="spans",
        pipeline_root=str(tmp_path / "root"),
        components=[example_gen, resolver, drift],
        metadata_connection_config=metadata.connection_config,
    )
    local_dag_runner.LocalDagRunner().run(pipeline)


@losses
def test_a_previous_span_whose_files_are_gone_is_no_baseline_with_reason_and_path(tmp_path, lose):
    with SqliteMetadata(tmp_path / "metadata.db") as metadata:
        for span in (1, 2):
            spans(tmp_path, metadata, span)
        lost = pathlib.Path(metadata.artifacts("Examples")[1].uri)
        lose(lost)
        spans(tmp_path, metadata, 3)
        report = metadata.artifacts("tfx_wine_ext.ExampleDriftReport")[-1]
        blessing = metadata.artifacts("tfx_wine_ext.DriftBlessing")[-1]
        execution = metadata.executions("tfx_wine_ext.components.drift_report.DriftReport")[-1]
    [*_, run] = runs(Snapshot.read(open_store(tmp_path / "metadata.db")))

    reason = f"the files of the baseline, span 2, split train ({lost}), are gone: {lost}"
    assert (execution.state, report.custom_properties["verdict"]) == ("COMPLETE", "NO_BASELINE")
    assert report.custom_properties["lost_baseline_uri"] == str(lost)
    assert "baseline_span" not in report.custom_properties
    assert blessing.custom_properties["blessed"] == 1
    decision = execution.custom_properties["decision"]
    assert decision.startswith("No baseline for span 3, split train (")
    assert f": {reason}" in decision
    assert decision.endswith(f": {LOSSES[lose]}")
    document = json.loads(pathlib.Path(report.uri, "drift_report.json").read_text())
    [why] = document["reasons"]
    assert why.startswith(reason)
    assert document["lost_baseline"]["found"] == LOSSES[lose]
    assert (document["lost_baseline"]["span"], document["baseline"]) == (2, None)
    page = render_drift_page(document)
    assert "Not compared: the files of the baseline are gone." in page
    assert "First data seen" not in page
    # It is an input, but it was not compared with.
    assert (run.drift.verdict, run.drift.baseline_id) == ("NO_BASELINE", None)
    assert run.drift.lost_baseline == str(lost)
    assert run.drift.reasons == (why,)


def test_a_pinned_span_whose_files_are_gone_fails_and_blesses_nothing(tmp_path):
    with SqliteMetadata(tmp_path / "metadata.db") as metadata:
        for span in (1, 2):
            spans(tmp_path, metadata, span, PinnedSpanStrategy, {"span": 1})
        lost = metadata.artifacts("Examples")[0].uri
        shutil.rmtree(lost)
        with pytest.raises(ArtifactGoneError) as raised:
            spans(tmp_path, metadata, 3, PinnedSpanStrategy, {"span": 1})
        execution = metadata.executions("tfx_wine_ext.components.drift_report.DriftReport")[-1]
        blessings = metadata.artifacts("tfx_wine_ext.DriftBlessing")
    assert str(raised.value) == (
        f"baseline, span 1, split train ({lost}): expected its files, found no such folder: "
        f"{lost}; restore the folder, or choose another baseline"
    )
    assert (execution.state, len(blessings)) == ("FAILED", 2)


@both_paths
@losses
@pytest.mark.parametrize("side", ["examples", "baseline"])
def test_what_the_author_chose_must_be_there(tmp_path, path, lose, side):
    sides = {
        key: examples_artifact(tmp_path / key, {"train": pa.table(ROWS)})
        for key in ("examples", "baseline")
    }
    lose(tmp_path / side)
    component = DriftReport(**{key: as_channel(each) for key, each in sides.items()})
    with FakeMetadata() as store:
        with pytest.raises(
            ArtifactGoneError, match=f"^{side}, span 0, split train .*{LOSSES[lose]}: "
        ):
            launch(component, path=path, store=store, pipeline_root=tmp_path / "root")
        [execution] = store.executions()
    assert execution.state == "FAILED"
    result = json.loads(execution.custom_properties["__execution_result__"])
    assert str(tmp_path / side) in result["resultMessage"]


def lose_the_file(folder):
    (folder / "Split-train" / "FeatureStats.pb").unlink()


@both_paths
@pytest.mark.parametrize("lose", [delete, delete_the_split, lose_the_file])
@pytest.mark.parametrize("side", ["statistics", "baseline_statistics"])
def test_statistics_that_are_gone_are_named(tmp_path, path, lose, side):
    sides = {
        key: statistics_artifact(tmp_path / key, {"train": pa.table(ROWS)})
        for key in ("statistics", "baseline_statistics")
    }
    lose(tmp_path / side)
    component = DriftReport(**{key: as_channel(each) for key, each in sides.items()})
    with pytest.raises(
        ArtifactGoneError, match=rf"^{side}, span 0, split train .*{tmp_path / side}"
    ):
        launch(component, path=path, pipeline_root=tmp_path / "root")


@both_paths
@pytest.mark.parametrize("lose", [delete, lambda folder: (folder / "schema.pbtxt").unlink()])
def test_a_schema_that_is_gone_is_named(tmp_path, path, lose):
    schema = schema_artifact(tmp_path / "schema", 'feature { name: "x" type: FLOAT }')
    lose(tmp_path / "schema")
    component = DriftReport(
        examples=as_channel(examples_artifact(tmp_path / "current", {"train": pa.table(ROWS)})),
        schema=as_channel(schema),
    )
    with pytest.raises(ArtifactGoneError, match=rf"^schema \({tmp_path}/schema\): expected its f"):
        launch(component, path=path, pipeline_root=tmp_path / "root")


@both_paths
def test_the_other_split_of_the_same_examples_must_be_there(tmp_path, path):
    splits = {"train": pa.table(ROWS), "eval": pa.table(ROWS)}
    channel = as_channel(examples_artifact(tmp_path / "examples", splits))
    shutil.rmtree(tmp_path / "examples" / "Split-train")
    component = DriftReport(channel, split="eval", baseline_split="train")
    with pytest.raises(ArtifactGoneError, match=r"^examples, span 0, split train .*no such"):
        launch(component, path=path, pipeline_root=tmp_path / "root")


def test_in_a_notebook_a_found_baseline_that_is_gone_is_no_baseline(tmp_path):
    import inspect

    from tfx.orchestration.experimental.interactive import interactive_context

    context = interactive_context.InteractiveContext(
        pipeline_name="cells", pipeline_root=str(tmp_path / "root")
    )
    run = inspect.unwrap(interactive_context.InteractiveContext.run)
    pattern = example_gen_pb2.Input.Split(name="train", pattern="span-{SPAN}/*")
    for span in (1, 2):
        parquet_file(tmp_path / "data" / f"span-{span}" / "a.parquet", pa.table(ROWS))
        example_gen = ParquetExampleGen(
            str(tmp_path / "data"), input_config=example_gen_pb2.Input(splits=[pattern])
        )
        resolver = Resolver(
            strategy_class=PreviousSpanStrategy,
            current=example_gen.outputs["examples"],
            baseline=Channel(
                type=standard_artifacts.Examples, producer_component_id="ParquetExampleGen"
            ),
        )
        drift = DriftReport(
            examples=example_gen.outputs["examples"], baseline=resolver.outputs["baseline"]
        )
        run(context, example_gen)
        if span == 2:
            [baseline] = run(context, resolver).component.outputs["baseline"].get()
            shutil.rmtree(baseline.uri)
            run(context, drift)
    [report] = drift.outputs["report"].get()
    assert report.get_string_custom_property("verdict") == "NO_BASELINE"
    assert report.get_string_custom_property("lost_baseline_uri") == baseline.uri
    document = json.loads(pathlib.Path(report.uri, "drift_report.json").read_text())
    assert document["reasons"] == [
        f"the files of the baseline, span 1, split train ({baseline.uri}), are gone: "
        f"{baseline.uri}: no such folder"
    ]


def test_a_component_that_runs_again_in_a_notebook_knows_nothing_of_the_loss_before(tmp_path):
    current = examples_artifact(tmp_path / "2", {"train": pa.table(ROWS)}, span=2)
    baseline = examples_artifact(tmp_path / "1", {"train": pa.table(ROWS)}, span=1)
    drift = DriftReport(examples=as_channel(current), baseline=as_channel(baseline))
    drift.exec_properties["baseline_pinned"] = 0  # As if a Resolver had found it.
    verdicts = []
    with FakeMetadata() as store:
        for name in ("gone", "restored"):
            (tmp_path / ("1" if name == "gone" else "away")).rename(
                tmp_path / ("away" if name == "gone" else "1")
            )
            result = launch(drift, path="notebook", store=store, pipeline_root=tmp_path / name)
            verdicts.append(result.outputs["report"][0].custom_properties["verdict"])
            recorded = result.execution.properties | result.execution.custom_properties
            assert ("lost_baseline" in recorded) == (name == "gone")
    assert verdicts == ["NO_BASELINE", "OK"]


@both_paths
def test_a_schema_that_is_gone_stops_a_training_before_it_begins(tmp_path, path):
    from tfx_wine_ext import WarmStartTrainer

    schema = schema_artifact(tmp_path / "schema", 'feature { name: "x" type: FLOAT }')
    shutil.rmtree(tmp_path / "schema")
    splits = {"train": pa.table(ROWS), "eval": pa.table(ROWS)}
    base = standard_artifacts.Model()
    base.uri = str(tmp_path / "model")
    component = WarmStartTrainer(
        examples=as_channel(examples_artifact(tmp_path / "examples", splits)),
        run_fn="tests.components.warm_run_fn.run_fn",
        schema=as_channel(schema),
        base_model=as_channel(base),
    )
    with pytest.raises(ArtifactGoneError, match=rf"^schema \({tmp_path}/schema\): expected its f"):
        launch(component, path=path, pipeline_root=tmp_path / "root")
