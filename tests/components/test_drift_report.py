"""DriftReport as its users run it: driver, executor and publisher, by both launch paths."""

from __future__ import annotations

import gzip
import json
import logging
import os
import pathlib
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from examples.wine_quality.data import load
from tfx_wine_ext.artifacts.properties import properties_of
from tfx_wine_ext.components.drift_report import DriftReport
from tfx_wine_ext.components.parquet_example_gen import ParquetExampleGen
from tfx_wine_ext.drift import DriftConfig
from tfx_wine_ext.executors.drift_report import DriftDetectedError, DriftReportExecutor
from tfx_wine_ext.resolvers.baseline_examples import PreviousSpanStrategy
from tfx_wine_ext.sources.shard_files import LostRowsError
from tfx_wine_ext.testing import (
    FakeMetadata,
    SqliteMetadata,
    as_channel,
    examples_artifact,
    launch,
    parquet_file,
    read_examples,
    schema_artifact,
    statistics_artifact,
)
from tfx_wine_ext.types import artifacts

pytestmark = pytest.mark.e2e
both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])

BEFORE = {"x": [i / 10 for i in range(100)], "kind": ["a", "b"] * 50}
AFTER = {"x": [i / 10 + 5 for i in range(100)], "kind": ["a", "b"] * 50}


def examples(folder, rows, **more):
    return as_channel(examples_artifact(folder, {"train": pa.table(rows)}, **more))


def statistics(folder, rows, **more):
    return as_channel(statistics_artifact(folder, {"train": pa.table(rows)}, **more))


def document_of(result):
    folder = pathlib.Path(result.outputs["report"][0].uri)
    return json.loads((folder / "drift_report.json").read_text())


def verdicts(result):
    return {each["name"]: each["verdict"] for each in document_of(result)["features"]}


@pytest.mark.parametrize(
    ("store", "path"),
    [(FakeMetadata, "ir"), (FakeMetadata, "notebook"), (SqliteMetadata, "ir")],
    ids=["ir", "notebook", "ir, store in a file"],
)
def test_all_that_is_recorded_is_the_same_by_both_paths(tmp_path, store, path):
    current = examples(tmp_path / "current", AFTER, span=2)
    baseline = examples(tmp_path / "baseline", BEFORE, span=1)
    arguments = [tmp_path / "metadata.sqlite"] if store is SqliteMetadata else []
    with store(*arguments) as metadata:
        component = DriftReport(examples=current, baseline=baseline, mode="report")
        result = launch(component, path=path, store=metadata, pipeline_root=tmp_path / "root")

    [report], [anomalies], [blessing] = (
        result.outputs[key] for key in ("report", "anomalies", "blessing")
    )
    assert {key: each[0].custom_properties["span"] for key, each in result.inputs.items()} == {
        "examples": 2,
        "baseline": 1,
    }
    ours = {"name", "producer_component", "tfx_version", "is_external"}
    assert {k: v for k, v in report.custom_properties.items() if k not in ours} == {
        "verdict": "DRIFT",
        "blessed": 0,
        "decision": f"Comparing span 2, split train ({tmp_path}/current) with "
        f"span 1, split train ({tmp_path}/baseline)",
        "method": "exact",
        "share_drifted": 0.5,
        "features": 2,
        "features_drifted": 1,
        "features_warned": 0,
        "rows": 100,
        "span": 2,
        "baseline_rows": 100,
        "baseline_span": 1,
        "worst_1": "x",
        "worst_1_verdict": "DRIFT",
        "worst_1_metric": "wasserstein",
        # 5 of a standard deviation of 2.8866
        "worst_1_score": pytest.approx(1.7321, abs=1e-4),
        "worst_1_threshold": 0.1,
    }
    assert {k: v for k, v in blessing.custom_properties.items() if k not in ours} == {
        "verdict": "DRIFT",
        "blessed": 0,
    }
    assert (report.type, anomalies.type, blessing.type) == (
        "tfx_wine_ext.ExampleDriftReport",
        "ExampleAnomalies",
        "tfx_wine_ext.DriftBlessing",
    )
    assert anomalies.properties == {"split_names": '["train"]', "span": 2}
    files = {
        str(file.relative_to(artifact.uri))
        for artifact in (report, anomalies, blessing)
        for file in pathlib.Path(artifact.uri).rglob("*")
        if file.is_file()
    }
    assert files == {
        "drift_report.html",
        "drift_report.json",
        "Split-train/SchemaDiff.pb",
        "NOT_BLESSED",
    }
    current_uri, baseline_uri = (result.inputs[key][0].uri for key in ("examples", "baseline"))
    recorded = {**result.execution.properties, **result.execution.custom_properties}
    assert recorded["decision"] == (
        f"Comparing span 2, split train ({current_uri}) with span 1, split train ({baseline_uri})"
    )
    assert json.loads(recorded["drift_config"]) == DriftConfig().to_dict()
    document = document_of(result)
    assert (document["baseline"]["name"], document["current"]["rows"]) == (
        "span 1, split train",
        100,
    )


def test_anomalies_are_read_by_tfx_own_tools(tmp_path):
    import tensorflow_data_validation as tfdv

    current = examples(tmp_path / "current", {**AFTER, "kind": ["a", "new"] * 50})
    baseline = examples(tmp_path / "baseline", BEFORE)
    component = DriftReport(examples=current, baseline=baseline, mode="report")
    result = launch(component, pipeline_root=tmp_path / "root")

    uri = pathlib.Path(result.outputs["anomalies"][0].uri)
    binary = (uri / "Split-train" / "SchemaDiff.pb").read_bytes()
    anomalies = anomalies_pb2.Anomalies.FromString(binary)
    assert {name: info.severity for name, info in anomalies.anomaly_info.items()} == {
        "x": anomalies_pb2.AnomalyInfo.ERROR,
        "kind": anomalies_pb2.AnomalyInfo.ERROR,
    }
    kind = anomalies.anomaly_info["kind"]
    assert kind.short_description == "Drift: psi, js, chi_square, l_infinity, unseen_mass"
    assert [reason.type for reason in kind.reason] == [
        anomalies_pb2.AnomalyInfo.UNKNOWN_TYPE,
        anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
        anomalies_pb2.AnomalyInfo.UNKNOWN_TYPE,
        anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH,
        anomalies_pb2.AnomalyInfo.UNKNOWN_TYPE,
    ]
    frame = tfdv.utils.display_util.get_anomalies_dataframe(anomalies)
    assert sorted(frame.index) == ["'kind'", "'x'"]


@both_paths
def test_without_a_baseline_the_verdict_is_that_there_is_none(tmp_path, path):
    component = DriftReport(examples=examples(tmp_path / "current", BEFORE, span=1), mode="fail")
    result = launch(component, path=path, pipeline_root=tmp_path / "root")

    properties = result.outputs["report"][0].custom_properties
    assert (properties["verdict"], properties["blessed"], properties["rows"]) == (
        "NO_BASELINE",
        1,
        100,
    )
    assert "baseline_rows" not in properties
    assert result.outputs["blessing"][0].custom_properties["blessed"] == 1
    recorded = {**result.execution.properties, **result.execution.custom_properties}
    assert recorded["decision"].startswith("No baseline for span 1, split train (")


def test_a_baseline_that_no_resolver_finds_is_none_in_a_pipeline(tmp_path):
    from tfx.dsl.components.common.resolver import Resolver
    from tfx.orchestration import pipeline as pipeline_lib
    from tfx.orchestration.local import local_dag_runner

    from tfx_wine_ext import ParquetExampleGen, PreviousSpanStrategy
    from tfx_wine_ext.testing import parquet_file

    def run(metadata, span):
        """Runs example_gen >> previous span >> drift report, as a user's pipeline does."""
        rows = AFTER if span == 3 else BEFORE
        parquet_file(tmp_path / "data" / f"span-{span}" / "a.parquet", pa.table(rows))
        pattern = example_gen_pb2.Input.Split(name="train", pattern="span-{SPAN}/*")
        example_gen = ParquetExampleGen(
            str(tmp_path / "data"), input_config=example_gen_pb2.Input(splits=[pattern])
        )
        previous = Resolver(
            strategy_class=PreviousSpanStrategy,
            current=example_gen.outputs["examples"],
            baseline=Channel(
                type=standard_artifacts.Examples, producer_component_id="ParquetExampleGen"
            ),
        ).with_id("PreviousSpan")
        drift = DriftReport(
            examples=example_gen.outputs["examples"],
            baseline=previous.outputs["baseline"],
            mode="fail",
        )
        pipeline = pipeline_lib.Pipeline(
            pipeline_name="spans",
            pipeline_root=str(tmp_path / "root"),
            components=[example_gen, previous, drift],
            metadata_connection_config=metadata.connection_config,
        )
        local_dag_runner.LocalDagRunner().run(pipeline)

    with SqliteMetadata(tmp_path / "metadata.sqlite") as metadata:
        run(metadata, 1)
        run(metadata, 2)
        with pytest.raises(DriftDetectedError, match="span 3, split train drifted from span 2"):
            run(metadata, 3)
        reports = metadata.artifacts("tfx_wine_ext.ExampleDriftReport")
        executions = metadata.executions("tfx_wine_ext.components.drift_report.DriftReport")

    assert [
        (r.custom_properties["verdict"], r.custom_properties.get("baseline_span")) for r in reports
    ] == [("NO_BASELINE", None), ("OK", 1)]
    assert [execution.state for execution in executions] == ["COMPLETE", "COMPLETE", "FAILED"]


@both_paths
def test_fail_stops_with_the_worst_features_and_publishes_nothing(tmp_path, path):
    root = tmp_path / "root"
    with FakeMetadata() as metadata:
        component = DriftReport(
            examples=examples(tmp_path / "current", AFTER, span=2),
            baseline=examples(tmp_path / "baseline", BEFORE, span=1),
            mode="fail",
        )
        with pytest.raises(
            DriftDetectedError,
            match=r"^span 2, split train drifted from span 1, split train: .*"
            r"\. Worst: x \(wasserstein 1\.73, limit 0\.1\)\. The report is in .*/stopped/",
        ):
            launch(component, path=path, store=metadata, pipeline_root=root)
        live = [
            each
            for each in metadata.artifacts("tfx_wine_ext.ExampleDriftReport")
            if each.state == "LIVE"
        ]

    assert live == []
    [kept] = root.rglob("stopped/*/drift_report.json")
    assert json.loads(kept.read_text())["verdict"] == "DRIFT"
    assert "<html" in kept.with_name("drift_report.html").read_text()


@both_paths
@pytest.mark.parametrize(("mode", "warnings"), [("warn", 1), ("report", 0)])
def test_warn_says_so_in_the_log_and_goes_on_and_report_is_silent(
    tmp_path, path, mode, warnings, caplog
):
    component = DriftReport(
        examples=examples(tmp_path / "current", AFTER, span=2),
        baseline=examples(tmp_path / "baseline", BEFORE, span=1),
        mode=mode,
    )
    with caplog.at_level(logging.WARNING):
        result = launch(component, path=path, pipeline_root=tmp_path / "root")

    assert result.outputs["report"][0].custom_properties["verdict"] == "DRIFT"
    said = [r for r in caplog.records if "drifted from span 1" in r.getMessage()]
    assert [record.levelname for record in said] == ["WARNING"] * warnings


def test_a_condition_on_the_blessing_holds_back_what_comes_after(tmp_path):
    from tfx.components.statistics_gen.component import StatisticsGen
    from tfx.dsl.experimental.conditionals import conditional
    from tfx.orchestration import pipeline as pipeline_lib
    from tfx.orchestration.local import local_dag_runner

    from tfx_wine_ext import ParquetExampleGen
    from tfx_wine_ext.testing import parquet_file

    def run(metadata, eval_rows):
        folder = tmp_path / "data"
        parquet_file(folder / "train.parquet", pa.table(BEFORE))
        parquet_file(folder / "eval.parquet", pa.table(eval_rows))
        splits = [
            example_gen_pb2.Input.Split(name=name, pattern=f"{name}.parquet")
            for name in ("train", "eval")
        ]
        example_gen = ParquetExampleGen(
            str(folder), input_config=example_gen_pb2.Input(splits=splits)
        )
        channel = example_gen.outputs["examples"]
        drift = DriftReport(channel, split="eval", baseline_split="train", mode="report")
        blessing = drift.outputs["blessing"].future()[0]
        with conditional.Cond(blessing.custom_property("blessed") == 1):
            statistics_gen = StatisticsGen(examples=channel)
        pipeline = pipeline_lib.Pipeline(
            pipeline_name="gate",
            pipeline_root=str(tmp_path / "root"),
            components=[example_gen, drift, statistics_gen],
            metadata_connection_config=metadata.connection_config,
        )
        local_dag_runner.LocalDagRunner().run(pipeline)
        return len(metadata.artifacts("ExampleStatistics"))

    with SqliteMetadata(tmp_path / "metadata.sqlite") as metadata:
        assert [run(metadata, BEFORE), run(metadata, AFTER)] == [1, 1]
        verdicts = [
            artifact.custom_properties["verdict"]
            for artifact in metadata.artifacts("tfx_wine_ext.DriftBlessing")
        ]
    assert verdicts == ["OK", "DRIFT"]


@both_paths
def test_both_payloads_are_read_and_give_the_same_report(tmp_path, path):
    scores = {}
    for payload in ("FORMAT_TF_EXAMPLE", "FORMAT_PARQUET"):
        component = DriftReport(
            examples=examples(tmp_path / payload / "current", AFTER, payload_format=payload),
            baseline=examples(tmp_path / payload / "baseline", BEFORE, payload_format=payload),
        )
        result = launch(component, path=path, pipeline_root=tmp_path / payload / "root")
        scores[payload] = {
            (feature["name"], name): pytest.approx(metric["value"], rel=1e-6)
            for feature in document_of(result)["features"]
            for name, metric in feature["metrics"].items()
        }
    assert scores["FORMAT_TF_EXAMPLE"].keys() == scores["FORMAT_PARQUET"].keys()
    assert {k: v.expected for k, v in scores["FORMAT_TF_EXAMPLE"].items()} == scores[
        "FORMAT_PARQUET"
    ]


@both_paths
def test_two_splits_of_one_span_show_the_skew_between_them(tmp_path, path):
    splits = {"train": pa.table(BEFORE), "eval": pa.table(AFTER)}
    channel = as_channel(examples_artifact(tmp_path / "examples", splits))
    component = DriftReport(channel, split="eval", baseline_split="train")
    result = launch(component, path=path, pipeline_root=tmp_path / "root")

    assert verdicts(result) == {"x": "DRIFT", "kind": "OK"}
    assert result.outputs["anomalies"][0].properties["split_names"] == '["eval"]'
    assert list(result.inputs) == ["examples"]


@both_paths
def test_statistics_alone_give_a_coarse_report_with_its_error(tmp_path, path):
    component = DriftReport(
        statistics=statistics(tmp_path / "current", AFTER, span=2),
        baseline_statistics=statistics(tmp_path / "baseline", BEFORE, span=1),
    )
    result = launch(component, path=path, pipeline_root=tmp_path / "root")

    document = document_of(result)
    assert (document["method"], document["verdict"]) == ("coarse", "DRIFT")
    assert (document["current"]["rows"], document["current"]["span"]) == (100, 2)
    ks = document["features"][[f["name"] for f in document["features"]].index("x")]["metrics"]["ks"]
    assert ks["value"] - ks["error"] <= 0.5 <= ks["value"] + ks["error"]


@both_paths
def test_a_schema_says_which_integers_are_codes_and_which_features_are_no_data(tmp_path, path):
    rows = {"code": [1, 2] * 50, "old": [1.0] * 100}
    later = {"code": [2, 3] * 50, "old": [2.0] * 100}
    schema = schema_artifact(
        tmp_path / "schema",
        """
        feature { name: "code" type: INT int_domain { is_categorical: true } }
        feature { name: "old" type: FLOAT lifecycle_stage: DEPRECATED }
        """,
    )
    component = DriftReport(
        examples=examples(tmp_path / "current", later),
        baseline=examples(tmp_path / "baseline", rows),
        schema=as_channel(schema),
    )
    result = launch(component, path=path, pipeline_root=tmp_path / "root")

    [feature] = document_of(result)["features"]
    assert (feature["name"], feature["kind"]) == ("code", "categorical")


@both_paths
def test_an_equal_launch_is_taken_from_the_cache_and_other_thresholds_are_not(tmp_path, path):
    current = examples(tmp_path / "current", AFTER)
    baseline = examples(tmp_path / "baseline", BEFORE)

    def run(**config):
        component = DriftReport(examples=current, baseline=baseline, config=config)
        where = {"path": path, "store": store, "pipeline_root": tmp_path / "root"}
        return launch(component, enable_cache=True, **where).cached

    with FakeMetadata() as store:
        assert [run(), run(), run(share=0.9)] == [False, True, False]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            {"split": "test"},
            r"split: expected a split of examples \(.*\), which has train; found 'test'",
        ),
        (
            {"baseline_split": "test"},
            r"baseline_split: expected a split of baseline \(.*\), which has train; found 'test'",
        ),
        (
            {"config": {"critical": ["y"]}},
            "critical of the drift config names 'y', which neither side has",
        ),
    ],
    ids=["split", "baseline split", "unknown feature"],
)
@both_paths
def test_what_does_not_fit_the_data_is_refused_by_name(tmp_path, path, change, error):
    component = DriftReport(
        examples=examples(tmp_path / "current", AFTER),
        baseline=examples(tmp_path / "baseline", BEFORE),
        **change,
    )
    with pytest.raises(ValueError, match=error):
        launch(component, path=path, pipeline_root=tmp_path / "root")


@both_paths
def test_a_truncated_file_is_named_and_nothing_is_published(tmp_path, path):
    artifact = examples_artifact(tmp_path / "current", {"train": pa.table(AFTER)})
    [file] = pathlib.Path(artifact.uri, "Split-train").iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    with FakeMetadata() as store:
        with pytest.raises(ValueError, match=rf"^{file}: .*truncated"):
            launch(
                DriftReport(examples=as_channel(artifact)),
                path=path,
                store=store,
                pipeline_root=tmp_path / "root",
            )
        states = {each.state for each in store.artifacts("tfx_wine_ext.ExampleDriftReport")}
    assert states <= {"UNKNOWN"}


@pytest.mark.parametrize("runner", ["in_memory", "multi_processing"])
def test_several_files_give_the_same_report_on_one_worker_or_two(tmp_path, runner):
    def many(folder, rows):
        artifact = examples_artifact(folder / "one", {"train": pa.table(rows)})
        split = pathlib.Path(artifact.uri, "Split-train")
        other = examples_artifact(folder / "two", {"train": pa.table(rows)})
        [file] = pathlib.Path(other.uri, "Split-train").iterdir()
        file.rename(split / "another.gz")
        return as_channel(artifact)

    component = DriftReport(
        examples=many(tmp_path / "current", AFTER), baseline=many(tmp_path / "baseline", BEFORE)
    )
    options = ["--direct_num_workers=2", f"--direct_running_mode={runner}"]
    result = launch(component, pipeline_root=tmp_path / "root", beam_pipeline_args=options)

    document = document_of(result)
    assert (document["baseline"]["rows"], document["current"]["rows"]) == (200, 200)
    assert verdicts(result) == {"x": "DRIFT", "kind": "OK"}
    assert list(pathlib.Path(result.outputs["report"][0].uri).iterdir()) != []
    assert not list(tmp_path.rglob(".tasks"))


@both_paths
def test_the_classifier_finds_a_change_of_correlations_alone(tmp_path, path):
    random = np.random.default_rng(1)
    x, noise = random.normal(size=1000), random.normal(size=1000)
    component = DriftReport(
        examples=examples(tmp_path / "current", {"x": x, "y": x}),
        baseline=examples(tmp_path / "baseline", {"x": x, "y": noise}),
        config={"classifier": True},
    )
    result = launch(component, path=path, pipeline_root=tmp_path / "root")

    document = document_of(result)
    assert verdicts(result) == {"x": "OK", "y": "OK"}
    assert (document["verdict"], document["multivariate"]["verdict"]) == ("DRIFT", "DRIFT")
    auc = result.outputs["report"][0].custom_properties["classifier_auc"]
    assert auc == pytest.approx(document["multivariate"]["auc"], rel=1e-5)
    assert auc > 0.9


@both_paths
@pytest.mark.parametrize("make", [examples, statistics], ids=["examples", "statistics"])
@pytest.mark.parametrize(
    ("before", "after", "config", "message"),
    [
        (BEFORE, AFTER, {"ignore": ["x", "kind"]}, "no column that is left to compare; ignore of"),
        ({"y": BEFORE["x"]}, AFTER, {}, "no column in common: the baseline has y, the current"),
        (BEFORE, {"x": pa.array([], pa.float64())}, {}, "the current data have no rows"),
        (BEFORE, AFTER, {"ignore": ["idd"]}, "ignore of the drift config names 'idd', which neit"),
        (BEFORE, AFTER, {"categorical": ["idd"]}, "categorical of the drift config names 'idd'"),
        (BEFORE, AFTER, {"critical": ["idd"]}, "critical of the drift config names 'idd', which"),
        (BEFORE, AFTER, {"features": {"idd": {"ks": 1}}}, "features of the drift config names 'id"),
        (BEFORE, AFTER, {"critical": ["x"], "ignore": ["x"]}, "names 'x', which ignore names as"),
    ],
)
def test_a_gate_that_compares_nothing_blesses_nothing(
    tmp_path, path, make, before, after, config, message
):
    current, baseline = make(tmp_path / "current", after), make(tmp_path / "baseline", before)
    sides = {"examples": current, "baseline": baseline}
    if make is statistics:
        sides = {"statistics": current, "baseline_statistics": baseline}
    component = DriftReport(**sides, config=config, mode="report")
    with pytest.raises(Exception, match=message):
        launch(component, path=path, pipeline_root=tmp_path / "root")
    assert not list((tmp_path / "root").rglob("BLESSED"))
    assert not list((tmp_path / "root").rglob("drift_report.json"))


def test_a_name_that_only_the_schema_knows_is_passed_over(tmp_path):
    schema = """
        feature { name: "later" type: INT lifecycle_stage: PLANNED }
        feature { name: "code" type: INT int_domain { is_categorical: true } }
    """
    component = DriftReport(
        examples=examples(tmp_path / "current", BEFORE),
        baseline=examples(tmp_path / "baseline", BEFORE),
        schema=as_channel(schema_artifact(tmp_path / "schema", schema)),
        config={"ignore": ["kind"]},
    )
    result = launch(component, pipeline_root=tmp_path / "root")
    assert verdicts(result) == {"x": "OK"}


@both_paths
@pytest.mark.parametrize("classifier", [False, True])
def test_a_table_and_the_examples_made_of_it_are_the_same_data(tmp_path, path, classifier):
    rng = np.random.default_rng(1)
    rows = {
        "decimal": rng.choice([0.1, 0.2, 0.3, 0.7], 500),
        "computed": rng.choice([0.1, 0.2, 0.3, 0.7], 500) * 1.1 / 1.1,
        "normal": rng.standard_normal(500),
        "large": 2**60 + rng.integers(0, 9, 500),
        "code": rng.choice([0.1, 0.2], 500),
    }
    component = DriftReport(
        examples=examples(tmp_path / "current", rows),
        baseline=examples(tmp_path / "baseline", rows, payload_format="FORMAT_PARQUET"),
        config={"categorical": ["code"], "classifier": classifier},
    )
    document = document_of(launch(component, path=path, pipeline_root=tmp_path / "root"))
    assert (document["verdict"], document["reasons"]) == ("OK", [])
    values = {
        metric["value"]
        for feature in document["features"]
        for metric in feature["metrics"].values()
    }
    assert values == {0.0}
    if classifier:
        assert document["multivariate"]["auc"] < 0.55


def test_the_classifier_needs_rows(tmp_path):
    with pytest.raises(ValueError, match="config: the classifier needs rows: expected examples"):
        DriftReport(
            statistics=Channel(type=standard_artifacts.ExampleStatistics),
            config={"classifier": True},
        )


def test_a_notebook_shows_the_page_in_a_frame(tmp_path, monkeypatch):
    import IPython.display
    from tfx.orchestration.experimental.interactive import visualizations

    component = DriftReport(examples=examples(tmp_path / "current", BEFORE))
    result = launch(component, path="notebook", pipeline_root=tmp_path / "root")
    report = result.outputs["report"][0].to_tfx()

    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    visualizations.get_registry().get_visualization("tfx_wine_ext.ExampleDriftReport").display(
        report
    )
    [html] = shown
    assert html.data.startswith('<iframe title="drift report" sandbox="allow-scripts"')
    assert "First data seen" in html.data


WINE = load(download=False)


def test_wines_and_the_examples_made_of_them_are_the_same_data(tmp_path):
    component = DriftReport(
        examples=as_channel(examples_artifact(tmp_path / "examples", {"train": WINE.table})),
        baseline=as_channel(
            examples_artifact(
                tmp_path / "parquet",
                {"train": WINE.table},
                payload_format="FORMAT_PARQUET",
            )
        ),
    )
    document = document_of(launch(component, pipeline_root=tmp_path / "root"))
    values = [
        metric["value"]
        for feature in document["features"]
        for metric in feature["metrics"].values()
    ]
    assert (document["verdict"], len(document["features"]), max(values)) == ("OK", 12, 0.0)


@pytest.mark.skipif(WINE.source != "real", reason="the real wine data are not on this machine")
@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (
            "first half, second half",
            {
                "fixed_acidity": ("DRIFT", "wasserstein", 0.5674),
                "alcohol": ("DRIFT", "wasserstein", 0.5124),
                "density": ("DRIFT", "wasserstein", 0.4901),
                "total_sulfur_dioxide": ("DRIFT", "wasserstein", 0.3458),
                "citric_acid": ("DRIFT", "wasserstein", 0.2811),
                "pH": ("DRIFT", "wasserstein", 0.2644),
                "quality": ("DRIFT", "wasserstein", 0.1523),
                "chlorides": ("DRIFT", "wasserstein", 0.1461),
                "residual_sugar": ("OK", "js", 0.0774),
                "sulphates": ("OK", "js", 0.0638),
                "volatile_acidity": ("OK", "js", 0.0620),
                "free_sulfur_dioxide": ("OK", "wasserstein", 0.0538),
            },
        ),
        (
            "white, red",
            {
                "volatile_acidity": ("DRIFT", "wasserstein", 2.4764),
                "total_sulfur_dioxide": ("DRIFT", "wasserstein", 2.1625),
                "chlorides": ("DRIFT", "wasserstein", 1.9087),
                "fixed_acidity": ("DRIFT", "wasserstein", 1.7361),
                "sulphates": ("DRIFT", "wasserstein", 1.4749),
                "free_sulfur_dioxide": ("DRIFT", "wasserstein", 1.1428),
                "residual_sugar": ("DRIFT", "psi", 2.5815),
                "density": ("DRIFT", "wasserstein", 0.9159),
                "pH": ("DRIFT", "wasserstein", 0.8137),
                "citric_acid": ("DRIFT", "wasserstein", 0.7470),
                "quality": ("DRIFT", "wasserstein", 0.2731),
                "alcohol": ("DRIFT", "js", 0.1811),
            },
        ),
    ],
)
def test_the_real_wines(tmp_path, sides, expected):
    from tfx_wine_ext.drift.load import load_document
    from tfx_wine_ext.drift.ranking import deciding_metric, severity

    white, half = WINE.table, WINE.table.num_rows // 2
    red = pathlib.Path(WINE.path).with_name("winequality-red.csv")
    before, after = (
        (white, load(str(red)).table)
        if sides == "white, red"
        else (white.slice(0, half), white.slice(half))
    )
    component = DriftReport(
        examples=as_channel(examples_artifact(tmp_path / "after", {"train": after})),
        baseline=as_channel(examples_artifact(tmp_path / "before", {"train": before})),
    )
    document = load_document(document_of(launch(component, pipeline_root=tmp_path / "root")))

    assert (document.verdict, document.method) == ("DRIFT", "exact")
    found = {}
    for feature in sorted(document.features, key=severity):
        metric = deciding_metric(feature)
        value = feature.metrics[metric].value
        # Examples hold float32: the scores of the doubles in the file differ in the sixth digit.
        found[feature.name] = (feature.verdict, metric, pytest.approx(value, abs=2e-4))
    assert expected == found
    assert list(expected) == list(found)


# Files that are not as they were written.


def three_shards(folder, store, payload="FORMAT_TF_EXAMPLE"):
    """Ingests 300 rows into three shards of one split, by ParquetExampleGen."""
    parquet_file(folder / "data" / "a.parquet", pa.table({"x": range(300)}), row_group_size=100)
    pattern = example_gen_pb2.Input.Split(name="train", pattern="*.parquet")
    component = ParquetExampleGen(
        str(folder / "data"),
        input_config=example_gen_pb2.Input(splits=[pattern]),
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(
                splits=[example_gen_pb2.SplitConfig.Split(name="train", hash_buckets=1)]
            )
        ),
        output_data_format=example_gen_pb2.PayloadFormat.Value(payload),
        num_shards=3,
    )
    result = launch(component, store=store, pipeline_root=folder / "root")
    [artifact] = result.outputs["examples"]
    return artifact, sorted((pathlib.Path(artifact.uri) / "Split-train").iterdir())


def of_two(path):
    """Adds a shard of another run, of two shards."""
    shutil.copy(path, str(path).replace("00001-of-00003", "00001-of-00002"))


DAMAGE = {
    "deleted": (os.unlink, "expected 3 files .*, found 2: data_.*-00001-of-00003.* is missing"),
    "emptied": (lambda path: path.write_bytes(b""), "00001-of-00003.*0 bytes"),
    "without a record": (
        lambda path: path.write_bytes(gzip.compress(b"")),
        "expected 300 examples in split train, as the artifact's property rows_train says, found "
        "200; its files were cut or replaced: copy the artifact again",
    ),
    "of another run": (of_two, "expected the files of one run, .*-of-00002 and -of-00003"),
    "a whole split": (
        lambda path: [os.unlink(each) for each in path.parent.iterdir()],
        "expected its files, found a folder without files: .*Split-train; restore the folder",
    ),
    "a folder": (
        lambda path: shutil.rmtree(path.parent),
        "expected its files, found no such folder: .*Split-train; restore the folder",
    ),
    "a pipe": (
        lambda path: (os.unlink(path), os.mkfifo(path)),
        "00001-of-00003.*expected a regular file, found a pipe|is a pipe, not a regular file",
    ),
}


@pytest.mark.parametrize("side", ["examples", "baseline"])
@pytest.mark.parametrize("payload", ["FORMAT_TF_EXAMPLE", "FORMAT_PARQUET"])
def test_a_shard_that_is_lost_is_an_error_that_names_the_folder(tmp_path, side, payload):
    with FakeMetadata() as store:
        artifact, [_, path, _] = three_shards(tmp_path, store, payload)
        whole = tmp_path / "whole"
        shutil.copytree(artifact.uri, whole)
        sound = examples(tmp_path / "sound", {"x": range(300)})
        sides = {"examples": sound, "baseline": sound, side: as_channel(artifact)}
        assert len(read_examples(artifact, "train")) == 300
        for name, (damage, message) in DAMAGE.items():
            if name == "without a record" and payload == "FORMAT_PARQUET":
                continue
            shutil.rmtree(artifact.uri)
            shutil.copytree(whole, artifact.uri)
            damage(path)
            root = tmp_path / name
            with pytest.raises(ValueError, match=message) as caught:
                launch(DriftReport(**sides), store=store, pipeline_root=root)
            assert artifact.uri in str(caught.value)
            if name != "a pipe":
                with pytest.raises(ValueError, match=f"0 bytes|expected .*, found|{message}"):
                    read_examples(artifact, "train")
        shutil.rmtree(artifact.uri)
        shutil.copytree(whole, artifact.uri)
        (path.parent / "beam-temp-data-1f").mkdir()
        (path.parent / "beam-temp-data-1f" / "x").write_bytes(b"cut")
        result = launch(DriftReport(**sides), store=store, pipeline_root=tmp_path / "root")
    assert document_of(result)["verdict"] == "OK"


def test_rows_that_a_parquet_shard_lost_are_missed(tmp_path):
    with FakeMetadata() as store:
        artifact, [path, *_] = three_shards(tmp_path, store, "FORMAT_PARQUET")
        import pyarrow.parquet as pq

        pq.write_table(pq.read_table(path).slice(1), path)
        with pytest.raises(LostRowsError, match=r"expected 300 examples .*, found 299") as caught:
            launch(DriftReport(as_channel(artifact)), store=store, pipeline_root=tmp_path / "root")
    assert caught.value.path == str(path.parent)


def test_a_split_that_never_had_a_row_is_no_loss_and_nothing_to_compare(tmp_path):
    none = pa.table({"x": pa.array([], pa.int64())})
    with FakeMetadata() as store:
        parquet_file(tmp_path / "data" / "a.parquet", none)
        pattern = example_gen_pb2.Input.Split(name="train", pattern="*.parquet")
        component = ParquetExampleGen(
            str(tmp_path / "data"), input_config=example_gen_pb2.Input(splits=[pattern])
        )
        made = launch(component, store=store, pipeline_root=tmp_path / "root")
        channel = as_channel(made.outputs["examples"][0])
        with pytest.raises(ValueError, match="the current data have no rows, so that there is"):
            launch(DriftReport(channel), store=store, pipeline_root=tmp_path / "root")


class Runs:
    """Pickled, it makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_what_lies_in_its_future_folder_is_neither_run_nor_believed(tmp_path):
    with FakeMetadata() as store:
        component = DriftReport(
            examples=examples(tmp_path / "current", AFTER, span=2),
            baseline=examples(tmp_path / "baseline", BEFORE, span=1),
        )
        # The number of the execution, and so the folder, can be guessed.
        for number in range(1, 9):
            planted = tmp_path / "root" / "DriftReport" / "report" / str(number) / ".tasks"
            planted.mkdir(parents=True)
            for name in ("00000", "00001", "00000.error", "00001.error"):
                (planted / name).write_bytes(pickle.dumps(Runs(tmp_path / "made")))
        result = launch(component, store=store, pipeline_root=tmp_path / "root")
    assert verdicts(result) == {"x": "DRIFT", "kind": "OK"}
    assert not (tmp_path / "made").exists()
    report = pathlib.Path(result.outputs["report"][0].uri)
    assert report.parent == tmp_path / "root" / "DriftReport" / "report"
    assert not (report / ".tasks").exists()


def test_statistics_that_cannot_be_read_are_refused_by_path(tmp_path):
    current = statistics_artifact(tmp_path / "current", {"train": pa.table(AFTER)})
    path = pathlib.Path(current.uri) / "Split-train" / "FeatureStats.pb"
    whole = path.read_bytes()
    for name, content in {
        "no protobuf": b"\xff" * 40,
        "text": b"datasets { num_examples: 3 }",
        "half": whole[: len(whole) // 2],
        "nothing": b"",
    }.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"FeatureStats\.pb: expected statistics of"):
            launch(DriftReport(statistics=as_channel(current)), pipeline_root=tmp_path / name)
    path.unlink()
    with pytest.raises(ValueError, match=r"found a folder without files: .*/Split-train; "):
        launch(DriftReport(statistics=as_channel(current)), pipeline_root=tmp_path / "gone")


def alone(tmp_path, current, baseline, **parameters):
    """Runs the executor as Kubeflow does: no driver, no store, no ids."""
    component = DriftReport(
        examples=as_channel(current), baseline=as_channel(*baseline), **parameters
    )
    made = {
        "report": [artifacts.ExampleDriftReport()],
        "anomalies": [standard_artifacts.ExampleAnomalies()],
        "blessing": [artifacts.DriftBlessing()],
    }
    for key, [artifact] in made.items():
        artifact.uri = str(tmp_path / "out" / key)
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=[], tmp_dir=str(tmp_path / "tmp"), unique_id="1"
    )
    inputs = {"examples": [current], "baseline": list(baseline)}
    output = DriftReportExecutor(context).Do(inputs, made, dict(component.exec_properties))
    document = json.loads((tmp_path / "out" / "report" / "drift_report.json").read_text())
    decided = output.execution_properties["decision"].string_value
    assert properties_of(made["report"][0])["decision"] == decided
    return document, decided


def test_where_no_driver_ran_the_executor_chooses_the_previous_span_and_says_so(tmp_path):
    current = examples_artifact(tmp_path / "3", {"train": pa.table(AFTER)}, span=3)
    earlier = [
        examples_artifact(tmp_path / f"{span}", {"train": pa.table(rows)}, span=span)
        for span, rows in ((2, BEFORE), (1, AFTER))
    ]
    document, decided = alone(tmp_path, current, earlier)
    assert (document["verdict"], document["baseline"]["span"]) == ("DRIFT", 2)
    assert decided == (
        f"Comparing span 3, split train ({tmp_path}/3) with span 2, split train ({tmp_path}/2)"
    )


def test_where_no_driver_ran_data_are_not_compared_with_themselves_either(tmp_path):
    current = examples_artifact(tmp_path / "3", {"train": pa.table(AFTER)}, span=3)
    document, decided = alone(tmp_path, current, [current])
    assert (document["verdict"], document["baseline"]) == ("NO_BASELINE", None)
    [reason] = document["reasons"]
    assert reason == (
        f"span 3, split train ({tmp_path}/3), which was found as the baseline, is the current data "
        "themselves"
    )
    assert document["reason_facts"] == [
        {
            "type": "BaselineUnfit",
            "name": "span 3, split train",
            "uri": f"{tmp_path}/3",
            "fault": "current",
        }
    ]
    assert decided == f"No baseline for span 3, split train ({tmp_path}/3): {reason}"
    page = (tmp_path / "out" / "report" / "drift_report.html").read_text()
    assert "Not compared: what was found as the baseline is none." in page


@both_paths
def test_of_what_latest_artifact_strategy_finds_the_previous_span_is_compared(tmp_path, path):
    found = [
        examples_artifact(tmp_path / f"{span}", {"train": pa.table(BEFORE)}, span=span)
        for span in (1, 3, 2)
    ]
    with FakeMetadata() as store:
        component = DriftReport(
            examples=examples(tmp_path / "current", AFTER, span=3), baseline=as_channel(*found)
        )
        result = launch(component, path=path, store=store, pipeline_root=tmp_path / "root")
    document = document_of(result)
    assert (document["verdict"], document["baseline"]["span"]) == ("DRIFT", 2)


@pytest.mark.parametrize(
    ("strategy", "chooses"), [(LatestArtifactStrategy, 1), (PreviousSpanStrategy, 0)]
)
def test_only_what_latest_artifact_strategy_finds_is_chosen_from(strategy, chooses):
    current, found = (Channel(type=standard_artifacts.Examples) for _ in range(2))
    resolver = Resolver(strategy_class=strategy, current=current, baseline=found)
    component = DriftReport(examples=current, baseline=resolver.outputs["baseline"])
    assert component.exec_properties["choose_baseline"] == chooses
    assert component.exec_properties["baseline_pinned"] == 0


@pytest.mark.parametrize(("named", "chooses"), [(None, 1), ("Serving", 1), ("Training", 2)])
def test_what_latest_artifact_strategy_finds_of_another_component_is_chosen_by_the_author(
    tmp_path, named, chooses
):
    current = ParquetExampleGen(str(tmp_path)).with_id("Serving").outputs["examples"]
    resolver = Resolver(
        strategy_class=LatestArtifactStrategy,
        baseline=Channel(type=standard_artifacts.Examples, producer_component_id=named),
    )
    component = DriftReport(examples=current, baseline=resolver.outputs["baseline"])
    assert component.exec_properties["choose_baseline"] == chooses
