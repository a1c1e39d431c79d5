"""Stores that TFX itself wrote, with its own components: by LocalDagRunner and in a notebook."""

from __future__ import annotations

import csv

import pytest

from tfx_wine_ext.history import history_document
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

pytestmark = pytest.mark.e2e


def write_csv(folder, start):
    folder.mkdir(exist_ok=True)
    with open(folder / "wine.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["alcohol", "colour"])
        writer.writerows([start + index / 50, ["red", "white"][index % 2]] for index in range(600))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Three runs of CsvExampleGen, StatisticsGen and SchemaGen: new, changed, from the cache."""
    from tfx.components.example_gen.csv_example_gen.component import CsvExampleGen
    from tfx.components.schema_gen.component import SchemaGen
    from tfx.components.statistics_gen.component import StatisticsGen
    from tfx.orchestration import metadata, pipeline
    from tfx.orchestration.local import local_dag_runner

    folder = tmp_path_factory.mktemp("plain")
    for start in (0.0, 20.0, None):
        if start is not None:
            write_csv(folder / "data", start)
        gen = CsvExampleGen(input_base=str(folder / "data"))
        statistics = StatisticsGen(examples=gen.outputs["examples"])
        schema = SchemaGen(statistics=statistics.outputs["statistics"])
        made = pipeline.Pipeline(
            pipeline_name="plain.tfx",
            pipeline_root=str(folder / "root"),
            components=[gen, statistics, schema],
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(folder / "metadata.db")
            ),
        )
        local_dag_runner.LocalDagRunner().run(made)
    return folder


def test_runs_of_plain_tfx_are_read(plain):
    found = runs(Snapshot.read(open_store(plain / "metadata.db")))
    assert [(run.number, run.pipeline, run.state) for run in found] == [
        (1, "plain.tfx", "COMPLETE"),
        (2, "plain.tfx", "COMPLETE"),
        (3, "plain.tfx", "CACHED"),
    ]
    assert [component.id for component in found[0].components] == [
        "CsvExampleGen",
        "StatisticsGen",
        "SchemaGen",
    ]
    rows = found[0].examples.rows
    assert sorted(rows) == ["eval", "train"]
    assert sum(rows.values()) == 600
    assert found[0].examples.span == 0
    assert found[0].examples.content_fingerprint.startswith("split:single_split,num_files:1,")
    assert found[2].examples == found[1].examples
    assert found[0].parameters["CsvExampleGen"]["input_base"] == str(plain / "data")


def test_what_moved_between_them_is_read_from_the_statistics(plain):
    found = runs(Snapshot.read(open_store(plain / "metadata.db")))
    document = history_document(found, "plain.tfx", "metadata.db")
    first, second = document["moved"]
    assert (first["source"], first["data_changed"]) == ("statistics", True)
    alcohol = first["features"][0]
    assert (alcohol["feature"], alcohol["verdict"], alcohol["direction"]) == (
        "alcohol",
        "DRIFT",
        "up",
    )
    assert alcohol["after"] - alcohol["before"] == pytest.approx(20, abs=0.5)
    assert (second["source"], second["data_changed"]) == (None, False)
    [by_feature] = [f for f in document["features"] if f["name"] == "alcohol"]
    assert by_feature["verdicts"] == [None, "DRIFT", None]


def test_the_components_of_a_notebook_are_one_run(tmp_path):
    from tfx.components.statistics_gen.component import StatisticsGen

    from tfx_wine_ext.components.drift_report import DriftReport
    from tfx_wine_ext.executors.drift_report import DriftDetectedError
    from tfx_wine_ext.testing import SqliteMetadata, as_channel, examples_artifact, launch

    before, after = (
        examples_artifact(
            str(tmp_path / f"examples-{start}"),
            {"train": [{"alcohol": start + index / 50} for index in range(300)]},
        )
        for start in (0.0, 9.0)
    )
    with SqliteMetadata(tmp_path / "metadata.db") as store:
        common = {"pipeline_root": tmp_path / "root", "path": "notebook", "store": store}
        launch(StatisticsGen(examples=as_channel(after)), pipeline_name="cells", **common)
        with pytest.raises(DriftDetectedError):
            launch(
                DriftReport(examples=as_channel(after), baseline=as_channel(before), mode="fail"),
                pipeline_name="cells",
                **common,
            )

    [run] = runs(Snapshot.read(open_store(tmp_path / "metadata.db")))

    assert [(c.id, c.state) for c in run.components] == [
        ("StatisticsGen", "COMPLETE"),
        # TFX leaves it as RUNNING where a notebook's component fails; the report tells.
        ("DriftReport", "FAILED"),
    ]
    assert run.examples.rows == {"train": 300}
    assert run.examples.uri == after.uri
    assert (run.drift.verdict, run.drift.blessed) == ("DRIFT", False)
    assert run.drift.report.endswith("/drift_report.html")
    assert [(s.feature, s.direction) for s in run.drift.scores] == [("alcohol", "up")]
    assert run.components[1].error == "; ".join(run.drift.reasons)
    assert run.drift.baseline_id != run.examples.id
