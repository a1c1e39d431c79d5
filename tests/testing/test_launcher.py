"""Tests of tfx_wine_ext.testing.launcher, with components of TFX and with one of our own."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tfx.components.example_gen.csv_example_gen.component import CsvExampleGen
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.experimental.interactive.interactive_context import InteractiveContext
from tfx.orchestration.metadata import Metadata
from tfx.types import channel, standard_artifacts

from tfx_wine_ext.testing import (
    FakeMetadata,
    LaunchError,
    SqliteMetadata,
    as_channel,
    examples_artifact,
    launch,
    read_examples,
    schema_artifact,
    statistics_artifact,
)

from .row_counter import RowCounter

both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])


@pytest.fixture
def fake():
    with FakeMetadata() as metadata:
        yield metadata


@pytest.fixture
def examples(tmp_path):
    splits = {"train": [{"x": 1.0}, {"x": 2.0}], "eval": [{"x": 3.0}]}
    return examples_artifact(tmp_path / "examples", splits, span=5)


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "settings.txt"
    path.write_text("count", encoding="utf-8")
    return path


@pytest.mark.e2e
@both_paths
def test_csv_example_gen_statistics_gen_and_schema_gen_run_in_a_row(tmp_path, path, fake):
    folder = tmp_path / "csv"
    folder.mkdir()
    rows = "".join(f"{i},{i / 2}\n" for i in range(30))
    (folder / "a.csv").write_text("whole,half\n" + rows, encoding="utf-8")
    where = {"path": path, "store": fake, "pipeline_root": tmp_path / "root"}

    ingested = launch(CsvExampleGen(input_base=str(folder)), **where)

    [examples] = ingested.outputs["examples"]
    splits = json.loads(examples.properties["split_names"])
    assert splits == ["train", "eval"]
    read = [row for split in splits for row in read_examples(examples, split)]
    assert sorted(row["whole"][0] for row in read) == list(range(30))
    # What the driver of an ExampleGen decides: the span, and a fingerprint of the files.
    assert examples.custom_properties["span"] == 0
    assert examples.custom_properties["input_fingerprint"].startswith("split:single_split")

    counted = launch(StatisticsGen(examples=as_channel(examples)), **where)

    [statistics] = counted.outputs["statistics"]
    train = stats_artifact_utils.load_statistics(statistics.to_tfx(), "train")
    counted_rows = train.get_default_slice_or_die().proto().num_examples
    assert counted_rows == len(read_examples(examples, "train"))
    # Statistics of this run's examples, by what the store says: lineage is unbroken.
    assert [record.id for record in counted.inputs["examples"]] == [examples.id]

    inferred = launch(SchemaGen(statistics=as_channel(statistics)), **where)

    [schema] = inferred.outputs["schema"]
    assert 'name: "half"' in Path(schema.uri, "schema.pbtxt").read_text(encoding="utf-8")
    assert [(e.type.rsplit(".")[-1], e.state) for e in fake.executions()] == [
        ("CsvExampleGen", "COMPLETE"),
        ("StatisticsGen", "COMPLETE"),
        ("SchemaGen", "COMPLETE"),
    ]


@both_paths
def test_driver_executor_and_publisher_all_run(tmp_path, path, examples, settings, fake):
    component = RowCounter(as_channel(examples), settings, factor=10)

    result = launch(component, path=path, store=fake, pipeline_root=tmp_path / "root")

    assert (result.component_id, result.path, result.cached) == ("RowCounter", path, False)
    assert (result.execution.type, result.execution.state) == (
        f"{RowCounter.__module__}.RowCounter",
        "COMPLETE",
    )
    assert list(result.outputs) == ["count"]
    [count] = result.outputs["count"]
    assert (count.type, count.state) == ("RowCount", "LIVE")
    assert count.properties == {
        "rows": 30,
        "mean": 15.0,
        "rows_per_split": {"train": 2, "eval": 1},
    }
    assert count.custom_properties["unit"] == "row"
    assert Path(count.uri).is_relative_to(tmp_path / "root")
    assert Path(count.uri, "rows.txt").read_text(encoding="utf-8") == "{'train': 2, 'eval': 1}"
    assert [(e.type, e.path, e.artifact.uri) for e in result.execution.events] == [
        ("INPUT", ("examples", 0), examples.uri),
        ("OUTPUT", ("count", 0), count.uri),
    ]
    assert result.inputs["examples"][0].properties["span"] == 5
    assert fake.executions() == [result.execution]
    assert fake.artifacts() == [*result.inputs["examples"], count]


def test_execution_properties_of_the_executor_are_recorded_by_the_ir_path(
    tmp_path, examples, settings
):
    result = launch(RowCounter(as_channel(examples), settings), pipeline_root=tmp_path / "root")

    assert result.execution.custom_properties["counted"] == 3
    assert result.execution.custom_properties["factor"] == 1
    assert len(result.execution.custom_properties["fingerprint"]) == 64


def test_execution_properties_of_the_driver_only_are_recorded_by_the_notebook_path(
    tmp_path, examples, settings
):
    result = launch(
        RowCounter(as_channel(examples), settings),
        path="notebook",
        pipeline_root=tmp_path / "root",
    )

    recorded = {**result.execution.properties, **result.execution.custom_properties}
    assert "counted" not in recorded
    assert recorded["factor"] == "1"
    assert len(recorded["fingerprint"]) == 64


@both_paths
def test_the_second_launch_uses_the_cache_if_told_to(tmp_path, path, examples, settings, fake):
    def launch_again(enable_cache: bool):
        return launch(
            RowCounter(as_channel(examples), settings),
            path=path,
            store=fake,
            enable_cache=enable_cache,
            pipeline_root=tmp_path / "root",
        )

    first, second, third = launch_again(True), launch_again(True), launch_again(False)

    assert [r.cached for r in (first, second, third)] == [False, True, False]
    assert second.outputs == first.outputs
    assert third.outputs["count"][0].id != first.outputs["count"][0].id
    assert [e.state for e in fake.executions()] == ["COMPLETE", "CACHED", "COMPLETE"]


@both_paths
def test_a_driver_that_sees_changed_data_prevents_the_use_of_the_cache(
    tmp_path, path, examples, settings, fake
):
    where = {"path": path, "store": fake, "pipeline_root": tmp_path, "enable_cache": True}
    launch(RowCounter(as_channel(examples), settings), **where)
    settings.write_text("count, please", encoding="utf-8")

    assert not launch(RowCounter(as_channel(examples), settings), **where).cached


@both_paths
def test_artifacts_built_anew_at_the_same_place_are_found_in_the_cache(
    tmp_path, path, examples, settings, fake
):
    where = {"path": path, "store": fake, "pipeline_root": tmp_path, "enable_cache": True}
    launch(RowCounter(as_channel(examples), settings), **where)
    same = standard_artifacts.Examples()
    same.uri, same.span, same.splits = examples.uri, 5, ["train", "eval"]
    same.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    same.set_int_custom_property("span", 5)

    assert launch(RowCounter(as_channel(same), settings), **where).cached


def test_both_paths_can_share_a_store(tmp_path, examples, settings, fake):
    for path in ("ir", "notebook", "ir"):
        launch(
            RowCounter(as_channel(examples), settings),
            path=path,
            store=fake,
            pipeline_root=tmp_path,
        )

    assert [e.state for e in fake.executions()] == ["COMPLETE"] * 3
    assert len(fake.artifacts("Examples")) == 1


@both_paths
def test_several_artifacts_of_one_input_keep_their_order(tmp_path, path, fake):
    spans = [
        examples_artifact(tmp_path / f"{span}", {"train": [{"x": span}]}, span=span)
        for span in (2, 1)
    ]

    # StatisticsGen wants one artifact, so that its refusal shows that it got both.
    with pytest.raises(ValueError, match=r"expected list length of one but got 2"):
        launch(
            StatisticsGen(examples=as_channel(*spans)),
            path=path,
            store=fake,
            pipeline_root=tmp_path / "root",
        )

    [execution] = fake.executions()
    inputs = [event for event in execution.events if event.type == "INPUT"]
    assert [(e.path, e.artifact.properties["span"]) for e in inputs] == [
        (("examples", 0), 2),
        (("examples", 1), 1),
    ]


@pytest.mark.parametrize(("path", "state"), [("ir", "FAILED"), ("notebook", "RUNNING")])
def test_what_an_executor_raises_is_raised_and_its_execution_is_in_the_store(
    tmp_path, path, state, examples, settings, fake
):
    settings.write_text("raise", encoding="utf-8")

    with pytest.raises(ZeroDivisionError, match="the settings say: raise"):
        launch(
            RowCounter(as_channel(examples), settings),
            path=path,
            store=fake,
            pipeline_root=tmp_path / "root",
        )

    [execution] = fake.executions()
    assert execution.state == state
    assert [a.state for a in fake.artifacts("RowCount")] == ([] if path == "ir" else ["UNKNOWN"])


def test_an_error_that_an_executor_returns_is_raised_and_recorded(
    tmp_path, examples, settings, fake
):
    settings.write_text("return an error", encoding="utf-8")

    with pytest.raises(Exception, match="error code 3 and error message the settings say: return"):
        launch(
            RowCounter(as_channel(examples), settings), store=fake, pipeline_root=tmp_path / "root"
        )

    [execution] = fake.executions()
    assert execution.state == "FAILED"
    recorded = json.loads(execution.custom_properties["__execution_result__"])
    assert recorded["resultMessage"] == "the settings say: return an error"


@both_paths
def test_what_a_driver_raises_is_raised_and_no_executor_runs(tmp_path, path, examples, fake):
    with pytest.raises(FileNotFoundError, match="settings: no file"):
        launch(
            RowCounter(as_channel(examples), tmp_path / "none.txt"),
            path=path,
            store=fake,
            pipeline_root=tmp_path / "root",
        )

    assert [execution.state for execution in fake.executions()] == (
        ["RUNNING"] if path == "ir" else []
    )
    assert fake.artifacts("RowCount") == []


def test_an_input_that_tfx_cannot_resolve_is_a_launch_error(
    tmp_path, examples, settings, fake, monkeypatch
):
    # LocalDagRunner records this and goes on; the launch must not look like a success.
    monkeypatch.setattr(FakeMetadata, "register", lambda self, artifact: 99)

    with pytest.raises(LaunchError, match=r"RowCounter: TFX failed before the driver: .*\[99\]"):
        launch(RowCounter(as_channel(examples), settings), store=fake, pipeline_root=tmp_path)


@both_paths
def test_metadata_can_go_to_a_file(tmp_path, path, examples, settings):
    file = tmp_path / "metadata.sqlite"
    with SqliteMetadata(file) as metadata:
        result = launch(
            RowCounter(as_channel(examples), settings),
            path=path,
            store=metadata,
            pipeline_root=tmp_path / "root",
        )

    with SqliteMetadata(file) as metadata:
        assert metadata.executions() == [result.execution]


@both_paths
def test_nothing_is_left_changed_by_a_launch(tmp_path, path, examples, settings):
    def what_a_launch_might_patch():
        return dict(vars(builtins)), dict(vars(Metadata)), dict(vars(InteractiveContext))

    before = what_a_launch_might_patch()

    launch(RowCounter(as_channel(examples), settings), path=path, pipeline_root=tmp_path)

    assert what_a_launch_might_patch() == before


@both_paths
def test_an_input_without_artifacts_is_an_error_that_names_it(tmp_path, path, settings):
    component = RowCounter(channel.Channel(type=standard_artifacts.Examples), settings)

    with pytest.raises(ValueError, match=r"RowCounter: input 'examples': expected a channel of"):
        launch(component, path=path, pipeline_root=tmp_path)


@both_paths
def test_the_output_of_a_component_that_was_not_launched_is_an_error(tmp_path, path, settings):
    component = RowCounter(CsvExampleGen(input_base="/none").outputs["examples"], settings)

    with pytest.raises(ValueError, match=r"Give as_channel\(artifact\)"):
        launch(component, path=path, pipeline_root=tmp_path)


@both_paths
def test_the_output_of_a_component_that_a_notebook_ran_can_be_given_as_it_is(
    tmp_path, path, examples, settings, fake
):
    first = RowCounter(as_channel(examples), settings)
    where = {"store": fake, "pipeline_root": tmp_path / "root"}
    outputs = launch(first, path="notebook", **where).outputs

    second = RowCounter(as_channel(examples), settings, previous=first.outputs["count"]).with_id(
        "Second"
    )
    result = launch(second, path=path, **where)

    assert result.inputs["previous"] == outputs["count"]


def test_another_path_is_an_error(tmp_path, examples, settings):
    with pytest.raises(ValueError, match=r"path: expected one of ir, notebook, found 'airflow'"):
        launch(RowCounter(as_channel(examples), settings), path="airflow", pipeline_root=tmp_path)


def test_an_importer_is_not_a_component(tmp_path):
    importer = Importer(source_uri="/x", artifact_type=standard_artifacts.Model)

    with pytest.raises(TypeError, match=r"component: expected a TFX component, found Importer"):
        launch(importer, pipeline_root=tmp_path)


@pytest.mark.e2e
def test_statistics_of_parquet_examples_are_those_of_the_same_rows(tmp_path):
    table = pa.table({"x": pa.array([1.0, None, 3.0])})
    examples = examples_artifact(tmp_path / "e", {"train": table}, payload_format="FORMAT_PARQUET")
    schema = schema_artifact(
        tmp_path / "s", 'feature { name: "x" type: FLOAT value_count { min: 1 max: 1 } }'
    )

    result = launch(
        StatisticsGen(examples=as_channel(examples), schema=as_channel(schema)),
        pipeline_root=tmp_path / "root",
    )

    assert sorted(result.inputs) == ["examples", "schema"]
    [statistics] = result.outputs["statistics"]
    view = stats_artifact_utils.load_statistics(statistics.to_tfx(), "train")
    x = view.get_default_slice_or_die().get_feature(tfdv.FeaturePath(["x"])).numeric_statistics()
    assert (x.common_stats.num_non_missing, x.common_stats.num_missing) == (2, 1)
    assert (x.min, x.max) == (1.0, 3.0)


@pytest.mark.e2e
def test_a_built_statistics_artifact_is_that_of_statistics_gen(tmp_path):
    rows = [{"x": 1.0, "t": "a"}, {"t": "b"}]
    examples = examples_artifact(tmp_path / "e", {"train": rows})
    built = statistics_artifact(tmp_path / "s", {"train": rows})

    result = launch(StatisticsGen(examples=as_channel(examples)), pipeline_root=tmp_path / "root")

    [statistics] = result.outputs["statistics"]
    by_component, by_builder = (
        stats_artifact_utils.load_statistics(artifact, "train").proto()
        for artifact in (statistics.to_tfx(), built)
    )
    assert features_by_name(by_builder) == features_by_name(by_component)


def features_by_name(statistics):
    [dataset] = statistics.datasets
    return {feature.path.step[0]: feature for feature in dataset.features}
