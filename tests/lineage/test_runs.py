"""Runs are read whole, whatever they lack."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import traceback

import pytest

from benchmarks.stores import (
    CSV,
    DRIFT,
    EVALUATOR,
    PARQUET,
    PUSHER,
    RESOLVER,
    STATISTICS,
    TRAINER,
    TRANSFORM,
    WARM_TRAINER,
    TfxStore,
    drift_document,
    wine_run,
    write,
    write_drift,
    write_evaluation,
    write_statistics,
)
from tests.lineage.conftest import Five, ramp
from tfx_wine_ext.artifacts.process import Process, this_process
from tfx_wine_ext.files.tolerant import Unread
from tfx_wine_ext.lineage.runs import Run, find_run, runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store


def read(store: TfxStore) -> list[Run]:
    return runs(Snapshot.read(open_store(store.path)))


def test_a_whole_run_is_read(five: Five):
    ids, root = five.ids[1], five.store.root
    components = [
        ("LatestBlessedModel", RESOLVER),
        ("ParquetExampleGen", PARQUET),
        ("StatisticsGen", STATISTICS),
        ("DriftReport", DRIFT),
        ("Checks", "tfx.components.example_validator.component.ExampleValidator"),
        ("Transform", TRANSFORM),
        ("WarmStartTrainer", WARM_TRAINER),
        ("Evaluator", EVALUATOR),
        ("Pusher", PUSHER),
    ]
    assert five.runs[1].to_dict() == {
        "run": "2026-01-02T00:00:00",
        "number": 2,
        "pipeline": "wine",
        "started": "2023-11-14T22:13:30+00:00",
        "finished": "2023-11-14T22:13:38.500000+00:00",
        "state": "COMPLETE",
        "components": [
            {
                "id": id_,
                "type": type_,
                "execution": number,
                "state": "COMPLETE",
                "started": f"2023-11-14T22:13:{20 + number}+00:00",
                "seconds": 0.5,
                "error": None,
                "process": None,
            }
            for number, (id_, type_) in enumerate(components, 10)
        ],
        "examples": {
            "id": ids["examples"],
            "uri": f"{root}/ParquetExampleGen/examples/11",
            "span": 2,
            "version": None,
            "rows": {"train": 102, "eval": 50},
            "content_fingerprint": "content-2",
            "schema_fingerprint": "schema-1",
            "anomalies": 1,
            "span_date": None,
            "source": None,
        },
        "statistics": {
            "id": ids["statistics"],
            "uri": f"{root}/StatisticsGen/statistics/12",
            "path": f"{root}/StatisticsGen/statistics/12",
        },
        "drift": {
            "id": ids["report"],
            "uri": f"{root}/DriftReport/report/13",
            "report": f"{root}/DriftReport/report/13/drift_report.html",
            "verdict": "DRIFT",
            "blessed": False,
            "baseline_id": five.ids[0]["examples"],
            "baseline_span": 1,
            "baseline_span_date": None,
            "features": 2,
            "features_drifted": 1,
            "features_warned": 0,
            "share_drifted": 0.5,
            "reasons": ["1 of 2 features drifted"],
            "reason_kinds": ["share"],
            "scores": [
                {
                    "feature": "alcohol",
                    "verdict": "DRIFT",
                    "metric": "wasserstein",
                    "score": pytest.approx(1.7320724586),
                    "threshold": 0.1,
                    "direction": "up",
                    "before": pytest.approx(4.975),
                    "after": pytest.approx(9.975),
                    "time": None,
                    "by_chance": False,
                },
                {
                    "feature": "pH",
                    "verdict": "OK",
                    "metric": "missing_rate",
                    "score": 0.0,
                    "threshold": 0.05,
                    "direction": None,
                    "before": pytest.approx(4.975),
                    "after": pytest.approx(4.975),
                    "time": None,
                    "by_chance": True,
                },
            ],
            "lost_baseline": None,
        },
        "model": {
            "id": ids["model"],
            "uri": f"{root}/WarmStartTrainer/model/16",
            "kind": "wine.trees.run_fn",
            "warm": True,
            "reason": "Warm start.",
            "base_model_id": five.ids[0]["model"],
            "generation": 1,
            "steps": 200,
            "total_steps": 400,
            "hyperparameters": {"num_trees": 300},
            "logs": f"{root}/WarmStartTrainer/model_run/16",
        },
        "metrics": {
            "r2": {"value": 0.25, "lower": None, "upper": None},
            "mse": {"value": 0.75, "lower": None, "upper": None},
        },
        "baseline_metrics": {
            "r2": {"value": 0.125, "lower": None, "upper": None},
            "mse": {"value": 0.875, "lower": None, "upper": None},
        },
        "baseline_model_id": five.ids[0]["model"],
        "evaluation": {
            "id": ids["evaluation"],
            "uri": f"{root}/Evaluator/evaluation/17",
            "path": f"{root}/Evaluator/evaluation/17",
        },
        "blessed": False,
        "pushed": None,
        "parameters": {
            "ParquetExampleGen": {"input_base": "/data"},
            "StatisticsGen": {"exclude_splits": "[]"},
            "DriftReport": {"drift_config": "{}", "mode": "warn", "skew": 0},
            "Checks": {},
            "Transform": {},
            "WarmStartTrainer": {
                "custom_config": '{"num_trees": 300}',
                "run_fn": "wine.trees.run_fn",
            },
            "Evaluator": {},
            "Pusher": {},
        },
        "process": None,
        "unread": [],
    }


def test_a_first_run_starts_cold_and_has_no_baseline(five: Five):
    run = five.runs[0]
    assert (run.model.warm, run.model.base_model_id, run.model.generation) == (False, None, 0)
    assert (run.drift.verdict, run.drift.baseline_id) == ("NO_BASELINE", None)
    assert (run.blessed, run.pushed) == (True, "/serving/1")


def test_what_came_from_the_cache_is_read_from_where_it_was_made(five: Five):
    before, run = five.runs[1], five.runs[2]
    assert [c.id for c in run.components if c.state == "CACHED"] == [
        "ParquetExampleGen",
        "StatisticsGen",
        "DriftReport",
        "Checks",
    ]
    assert (run.examples, run.drift) == (before.examples, before.drift)
    assert run.model.id != before.model.id
    assert run.state == "COMPLETE"


def test_a_run_that_the_gate_stopped_says_why(five: Five):
    run = five.runs[4]
    assert run.state == "FAILED"
    failed = run.components[-1]
    assert (failed.id, failed.state) == ("DriftReport", "FAILED")
    assert failed.error == "1 of 2 features drifted"
    folder = f"{five.store.root}/DriftReport/stopped/{failed.execution}"
    drift = run.drift
    assert (drift.id, drift.uri, drift.report) == (None, folder, f"{folder}/drift_report.html")
    assert (drift.verdict, drift.blessed, drift.features_drifted) == ("DRIFT", False, 1)
    assert drift.baseline_id == five.ids[3]["examples"]
    assert drift.scores[0].feature == "alcohol"
    assert (run.model, run.metrics, run.blessed, run.pushed) == (None, {}, None, None)


def test_a_stopped_run_whose_report_is_gone_is_only_failed(tmp_path):
    store = TfxStore(tmp_path)
    document = drift_document({"x": ramp(0.0)}, {"x": ramp(9.0)})
    wine_run(store, "monday", 1, {}, document=document, mode="fail", files=False)
    [run] = read(store)
    assert (run.state, run.drift, run.components[-1].error) == ("FAILED", None, None)


def test_a_stopped_notebook_is_read_from_the_folder_beside_the_output_that_it_registered(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday", legacy=True)
    store.component(
        "DriftReport",
        DRIFT,
        outputs={"report": ("ExampleDriftReport", {})},
        properties={"mode": "fail", "drift_config": "{}"},
        state="RUNNING",
    )
    document = drift_document({"x": ramp(0.0)}, {"x": ramp(9.0)})
    write_drift(f"{store.root}/DriftReport/stopped/1", document)
    [run] = read(store)
    # TFX leaves it as RUNNING for ever.
    assert (run.state, run.components[0].state, run.drift.id, run.drift.verdict) == (
        "FAILED",
        "FAILED",
        None,
        "DRIFT",
    )


@pytest.mark.parametrize(
    ("error", "verdict"),
    [("DriftDetectedError: x drifted", "DRIFT"), ("ValueError: split: no such split", None)],
)
def test_a_report_of_an_older_store_is_not_taken_for_that_of_another_failure(
    tmp_path, error, verdict
):
    store = TfxStore(tmp_path)
    store.run("monday")
    store.component(
        "DriftReport",
        DRIFT,
        outputs={"report": ("ExampleDriftReport", {})},
        properties={
            "mode": "fail",
            "drift_config": "{}",
            "__execution_result__": json.dumps({"resultMessage": error}),
        },
        state="FAILED",
    )
    document = drift_document({"x": ramp(0.0)}, {"x": ramp(9.0)})
    write_drift(f"{store.root}/DriftReport/stopped/1", document)
    [run] = read(store)
    assert (run.drift and run.drift.verdict) == verdict
    assert run.components[0].error == ("1 of 1 feature drifted" if verdict else error)


def test_files_that_are_gone_leave_what_the_store_knows(tmp_path):
    store = TfxStore(tmp_path)
    document = drift_document({"x": ramp(0.0)}, {"x": ramp(9.0)})
    ids = wine_run(store, "monday", 1, {}, document=document)
    with_files = read(store)[0]
    shutil.rmtree(store.root)
    [run] = read(store)
    assert run.examples.rows == {"train": 101, "eval": 50}
    assert run.examples.anomalies is None
    assert (run.drift.verdict, run.drift.features, run.drift.features_drifted) == ("DRIFT", 1, 1)
    assert (run.drift.report, run.drift.reasons, run.drift.scores) == (None, (), ())
    assert (run.metrics, run.evaluation) == ({}, with_files.evaluation)
    assert (run.model.id, run.model.logs) == (ids["model"], None)
    assert run.unread == tuple(
        Unread(store.uri(ids[name]), "missing") for name in ("report", "evaluation", "found")
    )
    json.dumps(run.to_dict(), allow_nan=False)


def test_files_that_are_broken_are_as_good_as_gone(tmp_path):
    store = TfxStore(tmp_path)
    document = drift_document({"x": ramp(0.0)}, {"x": ramp(9.0)})
    ids = wine_run(store, "monday", 1, {}, document=document)
    write(f"{store.uri(ids['report'])}/drift_report.json", "{}")
    write(f"{store.uri(ids['evaluation'])}/metrics-00000-of-00001.tfrecord", b"x" * 40)
    write(f"{store.uri(ids['found'])}/Split-train/SchemaDiff.pb", b"\xff\xff")
    [run] = read(store)
    assert (run.drift.verdict, run.drift.reasons, run.metrics) == ("DRIFT", (), {})
    assert run.examples.anomalies is None
    assert {(each.path, each.problem): each.why for each in run.unread} == {
        (
            f"{store.uri(ids['report'])}/drift_report.json",
            "unreadable",
        ): "format_version: expected 1, found null",
        (
            f"{store.uri(ids['evaluation'])}/metrics-00000-of-00001.tfrecord",
            "unreadable",
        ): "record 1: the checksum of its length is wrong",
        (
            f"{store.uri(ids['found'])}/Split-train/SchemaDiff.pb",
            "unreadable",
        ): "expected a message Anomalies, found other bytes",
    }


def plain_run(store: TfxStore, name: str, span: int, values: list[float]) -> dict[str, int]:
    """A run of TFX's own components."""
    store.run(name)
    ids = store.component(
        "CsvExampleGen",
        CSV,
        outputs={
            "examples": (
                "Examples",
                {
                    "split_names": '["train", "eval"]',
                    "span": span,
                    "version": 0,
                    "input_fingerprint": f"split:single_split,xor_checksum:{span}",
                },
            )
        },
        properties={"input_base": "/data", "span": span, "version": None or 0},
    )
    ids |= store.component(
        "StatisticsGen",
        STATISTICS,
        inputs={"examples": [ids["examples"]]},
        outputs={"statistics": ("ExampleStatistics", {})},
    )
    write_statistics(store.uri(ids["statistics"]), {"train": {"x": values}, "eval": {"x": [1, 2]}})
    ids |= store.component(
        "Trainer",
        TRAINER,
        inputs={"examples": [ids["examples"]]},
        outputs={"model": ("Model", {}), "model_run": ("ModelRun", {})},
        properties={"module_path": "trainer@/wheels/x.whl", "custom_config": "null"},
    )
    return ids


def test_a_run_of_plain_tfx_components_is_read_from_standard_properties_and_files(tmp_path):
    store = TfxStore(tmp_path)
    ids = plain_run(store, "monday", 7, ramp(0.0))
    [run] = read(store)
    assert run.examples.rows == {"eval": 2, "train": 200}
    assert (run.examples.span, run.examples.version) == (7, 0)
    assert run.examples.content_fingerprint == "split:single_split,xor_checksum:7"
    assert (run.examples.schema_fingerprint, run.examples.anomalies) == (None, None)
    assert run.statistics.id == ids["statistics"]
    assert (run.model.kind, run.model.warm) == ("trainer@/wheels/x.whl", None)
    assert (run.model.reason, run.model.generation, run.model.hyperparameters) == (None,) * 3
    assert (run.drift, run.evaluation, run.blessed, run.pushed) == (None,) * 4


def test_the_hyperparameters_of_a_tuner_are_read_from_their_file(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    [best] = store.component(
        "Tuner", "tfx.Tuner", outputs={"best": ("HyperParameters", {})}
    ).values()
    write(
        f"{store.uri(best)}/best_hyperparameters.txt",
        json.dumps({"space": [], "values": {"units": 64}}),
    )
    store.component(
        "Trainer",
        TRAINER,
        inputs={"hyperparameters": [best]},
        outputs={"model": ("Model", {})},
        properties={"custom_config": '{"other": 1}'},
    )
    [run] = read(store)
    assert run.model.hyperparameters == {"units": 64}


def test_a_trainer_without_warm_start_has_the_base_model_of_its_input(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    [old] = store.component("Trainer", TRAINER, outputs={"model": ("Model", {})}).values()
    store.run("tuesday")
    store.component(
        "Trainer", TRAINER, inputs={"base_model": [old]}, outputs={"model": ("Model", {})}
    )
    assert [run.model.base_model_id for run in read(store)] == [None, old]


def test_of_several_models_the_pushed_one_is_the_runs(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    models = [
        store.component(name, TRAINER, outputs={"model": ("Model", {})})["model"]
        for name in ("Trainer.a", "Trainer.b", "Trainer.c")
    ]
    store.component(
        "Pusher",
        PUSHER,
        inputs={"model": [models[1]]},
        outputs={"pushed_model": ("PushedModel", {"pushed": 1, "pushed_destination": "/b"})},
    )
    [run] = read(store)
    assert (run.model.id, run.pushed) == (models[1], "/b")
    store.run("tuesday")
    for name in ("Trainer.a", "Trainer.b"):
        last = store.component(name, TRAINER, outputs={"model": ("Model", {})})["model"]
    assert read(store)[1].model.id == last


def test_the_evaluation_of_the_runs_own_model_is_the_runs(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    [old] = store.component("Trainer", TRAINER, outputs={"model": ("Model", {})}).values()
    store.run("tuesday")
    [new] = store.component("Trainer", TRAINER, outputs={"model": ("Model", {})}).values()
    for name, model, value in (("Evaluator.old", old, 0.25), ("Evaluator.new", new, 0.75)):
        made = store.component(
            name,
            EVALUATOR,
            inputs={"model": [model]},
            outputs={
                "evaluation": ("ModelEvaluation", {}),
                "blessing": ("ModelBlessing", {"blessed": int(value > 0.5)}),
            },
        )
        write_evaluation(store.uri(made["evaluation"]), {"r2": value})
    run = read(store)[1]
    assert (run.metrics["r2"].value, run.blessed, run.model.id) == (0.75, True, new)


def test_examples_that_another_run_made_are_found_upstream(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    [examples] = store.component(
        "Gen", CSV, outputs={"examples": ("Examples", {"span": 3})}
    ).values()
    [transformed] = store.component(
        "Transform",
        TRANSFORM,
        inputs={"examples": [examples]},
        outputs={"examples": ("Examples", {})},
    ).values()
    store.run("tuesday")
    store.component(
        "Trainer", TRAINER, inputs={"examples": [transformed]}, outputs={"model": ("Model", {})}
    )
    assert [run.examples.id for run in read(store)] == [examples, examples]


def test_a_run_that_only_compares_and_evaluates_is_about_what_it_was_given(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    old, new = (
        store.component(name, CSV, outputs={"examples": ("Examples", {})})["examples"]
        for name in ("Gen.old", "Gen.new")
    )
    store.run("tuesday")
    store.component(
        "DriftReport",
        DRIFT,
        inputs={"baseline": [old], "examples": [new]},
        properties={"drift_config": "{}"},
    )
    models = {
        examples: store.component(
            f"Trainer.{examples}",
            TRAINER,
            inputs={"examples": [examples]},
            outputs={"model": ("Model", {})},
        )["model"]
        for examples in (old, new)
    }
    store.run("wednesday")
    store.component(
        "Evaluator", EVALUATOR, inputs={"baseline_model": [models[old]], "model": [models[new]]}
    )
    assert [run.examples.id for run in read(store)] == [old, new, new]


def test_statistics_are_those_of_the_data_and_not_of_what_transform_made_of_them(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    [examples] = store.component("Gen", CSV, outputs={"examples": ("Examples", {})}).values()
    transformed = store.component(
        "Transform",
        TRANSFORM,
        inputs={"examples": [examples]},
        outputs={
            "pre_transform_stats": ("ExampleStatistics", {}),
            "transform_graph": ("TransformGraph", {}),
            "transformed_examples": ("Examples", {}),
        },
    )
    of_transformed = {"examples": [transformed["transformed_examples"]]}
    made = {"statistics": ("ExampleStatistics", {})}
    store.component("Stats.transformed", STATISTICS, inputs=of_transformed, outputs=made)
    assert read(store)[0].statistics is None
    store.run("tuesday")
    [statistics] = store.component(
        "Stats", STATISTICS, inputs={"examples": [examples]}, outputs=made
    ).values()
    assert [run.statistics.id for run in read(store)] == [statistics, statistics]


def test_of_several_example_gens_the_first_is_the_runs(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    first = store.component("Gen.red", CSV, outputs={"examples": ("Examples", {})})
    store.component("Gen.white", CSV, outputs={"examples": ("Examples", {})})
    [run] = read(store)
    assert run.examples.id == first["examples"]
    assert [component.id for component in run.components] == ["Gen.red", "Gen.white"]


@pytest.mark.parametrize("kind", ["tfx_wine_ext.ExampleDriftReport", "ExampleDriftReport"])
def test_a_drift_report_between_splits_counts_only_if_there_is_no_other(tmp_path, kind):
    store = TfxStore(tmp_path)
    store.run("monday")
    [examples] = store.component("Gen", CSV, outputs={"examples": ("Examples", {})}).values()

    def report(name: str, skew: int) -> int:
        made = store.component(
            name,
            DRIFT,
            inputs={"examples": [examples]},
            outputs={"report": (kind, {"verdict": "OK"})},  # Older stores have the other name.
            properties={"drift_config": "{}", "skew": skew},
        )
        return made["report"]

    skewed = report("DriftReport.skew", 1)
    assert read(store)[0].drift.id == skewed
    other = report("DriftReport", 0)
    assert read(store)[0].drift.id == other


def test_the_error_that_tfx_recorded_is_the_last_line_of_its_message(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    message = "Traceback (most recent call last):\n  File x\nValueError: no such column\n"
    store.component(
        "Gen",
        CSV,
        state="FAILED",
        properties={"__execution_result__": json.dumps({"resultMessage": message, "code": 3})},
    )
    [run] = read(store)
    assert (run.state, run.components[0].error) == ("FAILED", "ValueError: no such column")
    assert run.parameters == {"Gen": {}}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["COMPLETE", "CACHED"], "COMPLETE"),
        (["CACHED", "CACHED"], "CACHED"),
        (["CACHED", "RUNNING"], "RUNNING"),
        (["COMPLETE", "NEW"], "RUNNING"),
        (["FAILED", "RUNNING"], "FAILED"),
        (["COMPLETE", "CANCELED"], "CANCELED"),
    ],
)
def test_the_state_of_a_run_is_that_of_its_components(tmp_path, states, expected):
    store = TfxStore(tmp_path)
    store.run("monday")
    store.component("Latest", RESOLVER)
    for number, state in enumerate(states):
        store.component(f"Gen.{number}", CSV, state=state)
    [run] = read(store)
    assert run.state == expected
    assert (run.finished is None) == (expected == "RUNNING")


def test_of_a_component_that_was_tried_again_the_last_time_counts(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    store.component("Gen", CSV, state="FAILED")
    store.component("Gen", CSV)
    [run] = read(store)
    assert (run.state, len(run.components)) == ("COMPLETE", 2)


def test_the_cells_of_a_notebook_are_one_run_until_one_is_run_again(tmp_path):
    store = TfxStore(tmp_path)

    def cell(time: str, component: str, state: str = "COMPLETE") -> None:
        store.run(f"2026-01-01T{time}:00.123456", legacy=True)
        store.component(component, f"a.{component}", state=state)

    cell("10:00", "Gen")
    cell("10:01", "Trainer", "RUNNING")
    cell("10:02", "Trainer")
    cell("10:03", "Evaluator")
    cell("10:04", "Trainer")
    cell("10:05", "Evaluator")
    found = [(run.run[11:16], run.number, [c.id for c in run.components]) for run in read(store)]
    assert found == [
        ("10:00", 1, ["Gen", "Trainer", "Trainer", "Evaluator"]),
        ("10:04", 2, ["Trainer", "Evaluator"]),
    ]


def test_runs_of_airflow_keep_their_components_together(tmp_path):
    store = TfxStore(tmp_path)
    for name in ("monday", "tuesday"):
        store.run(name, legacy=True)
        store.component("Gen", CSV)
        store.component("Trainer", TRAINER)
    assert [(run.run, len(run.components)) for run in read(store)] == [
        ("monday", 2),
        ("tuesday", 2),
    ]


def test_runs_of_airflow_in_which_only_one_component_ran_are_several(tmp_path):
    store = TfxStore(tmp_path)
    for name in ("manual__2026-01-01T10:00:00+00:00", "manual__2026-01-02T10:00:00+00:00"):
        store.run(name, legacy=True)
        store.component("Gen", CSV, state="FAILED")
    assert [(run.number, run.state) for run in read(store)] == [(1, "FAILED"), (2, "FAILED")]


@pytest.mark.parametrize(
    ("states", "state", "errors", "made_by"),
    [
        (["FAILED", "COMPLETE"], "COMPLETE", ["ValueError: no rows", None], 1),
        (["COMPLETE", "COMPLETE"], "COMPLETE", [None, None], 1),
        (["COMPLETE", "FAILED"], "FAILED", [None, "ValueError: no rows"], 0),
        (["COMPLETE", "RUNNING"], "RUNNING", [None, None], 0),
    ],
)
def test_a_component_that_was_tried_again_is_in_its_run_twice_and_the_last_success_counts(
    tmp_path, states, state, errors, made_by
):
    store = TfxStore(tmp_path)
    store.run("scheduled__2026-01-01T00:00:00+00:00", legacy=True)
    failed = {"__execution_result__": json.dumps({"resultMessage": "ValueError: no rows"})}
    made = [
        store.component(
            "Gen",
            CSV,
            outputs={"examples": ("Examples", {})},
            state=each,
            properties=failed if each == "FAILED" else {},
        )["examples"]
        for each in states
    ]
    [run] = read(store)
    assert (run.state, [each.error for each in run.components]) == (state, errors)
    assert run.examples.id == made[made_by]


def test_each_pipeline_has_numbers_of_its_own(tmp_path):
    for number, name in enumerate(("one", "two", "one")):
        store = TfxStore(tmp_path, pipeline=name)
        store.run(f"{name} {number}")
        store.component("Gen", CSV)
    snapshot = Snapshot.read(open_store(store.path))
    assert [(run.pipeline, run.number) for run in runs(snapshot)] == [
        ("one", 1),
        ("two", 1),
        ("one", 2),
    ]
    assert [run.number for run in runs(snapshot, "one")] == [1, 2]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2026-01-02T00:00:00", 2),
        ("2026-01-03", 3),
        ("1", 1),
        ("-1", 5),
        ("-5", 1),
        ("latest", 5),
        ("005", 5),
    ],
)
def test_a_run_is_found_by_id_prefix_number_or_as_the_latest(five: Five, text, number):
    assert find_run(five.runs, text).number == number


def test_many_digits_are_a_number_unless_an_id_begins_with_them(five: Five):
    many = [
        dataclasses.replace(five.runs[0], run=f"run-{number}", number=number)
        for number in range(1, 2030)
    ]
    assert find_run(many, "2026").run == "run-2026"
    assert find_run([*many[:2025], dataclasses.replace(many[0], run="2026-01")], "2026").number == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026", r"run '2026': expected one run, found 5: 2026-01-01T00:00:00, .*: give more"),
        ("6", r"run '6': expected an id .* a number from 1 to 5 .*; found no such run among 2026"),
        ("0", "found no such run"),
        ("-6", "found no such run"),
        ("x", "found no such run"),
        ("", "found no such run"),
    ],
)
def test_a_run_that_is_not_there_or_not_the_only_one_is_an_error(five: Five, text, message):
    with pytest.raises(ValueError, match=message):
        find_run(five.runs, text)


def processes(store: TfxStore, **found: str | Process) -> None:
    """Leaves beside the run which process ran which node, as the drivers do."""
    [context] = store.store.get_contexts_by_type("run" if store.legacy else "pipeline_run")
    for node, process in found.items():
        text = process if isinstance(process, str) else process.to_json()
        context.custom_properties[f"tfx_wine_ext_process:{node}"].string_value = text
    store.store.put_contexts([context])


HERE = this_process()
KILLED = dataclasses.replace(HERE, started=(HERE.started or 0) - 1)
ELSEWHERE = dataclasses.replace(HERE, boot="another machine")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells by /proc")


@linux
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("process", "known"), [(HERE, "alive"), (KILLED, "ended"), (ELSEWHERE, None), ("rubbish", None)]
)
def test_a_run_whose_process_ended_is_told_from_one_that_runs(tmp_path, legacy, process, known):
    store = TfxStore(tmp_path)
    store.run("monday", legacy=legacy)
    store.component("Gen", PARQUET, state="RUNNING")
    processes(store, Gen=process)
    [run] = read(store)
    assert (run.state, run.process, run.finished) == ("RUNNING", known, None)
    assert (run.components[0].state, run.components[0].process) == ("RUNNING", known)


@linux
def test_a_component_that_does_not_record_its_process_is_in_that_of_the_others(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    store.component("Gen", PARQUET)
    store.component("Trainer", TRAINER, state="RUNNING")
    processes(store, Gen=KILLED)
    [run] = read(store)
    assert run.process == "ended"
    assert [each.process for each in run.components] == [None, "ended"]


@linux
@pytest.mark.parametrize(
    ("legacy", "found"),
    [(True, {"Gen": KILLED}), (False, {"Gen": KILLED, "Drift": HERE}), (False, {})],
    ids=["Airflow", "two processes", "none"],
)
def test_what_is_not_known_of_a_process_is_not_said(tmp_path, legacy, found):
    """Each task of Airflow is a process; and of several processes nobody knows which one it was."""
    store = TfxStore(tmp_path)
    store.run("monday", legacy=legacy)
    for node in found:
        store.component(node, PARQUET)
    store.component("Trainer", TRAINER, state="RUNNING")
    processes(store, **found)
    assert [run.process for run in read(store)][-1] is None


@linux
def test_a_run_that_ended_has_no_process(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    store.component("Gen", PARQUET)
    processes(store, Gen=KILLED)
    [run] = read(store)
    assert (run.state, run.process, run.components[0].process) == ("COMPLETE", None, None)


def test_the_error_of_an_earlier_try_is_none_of_one_that_succeeded(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    result = json.dumps({"resultMessage": "ValueError: no", "code": 2})
    store.component("Gen", PARQUET, properties={"__execution_result__": result})
    [run] = read(store)
    assert (run.state, run.components[0].error) == ("COMPLETE", None)


def test_of_a_chain_of_errors_the_one_that_began_it_is_the_error(tmp_path):
    try:
        try:
            raise ValueError("baseline: expected a channel")
        except ValueError as error:
            raise RuntimeError("Internal error occurred during evaluating op_1") from error
    except RuntimeError:
        message = traceback.format_exc()
    store = TfxStore(tmp_path)
    store.run("monday")
    result = json.dumps({"resultMessage": message})
    store.component("Latest", RESOLVER, state="FAILED", properties={"__execution_result__": result})
    [run] = read(store)
    assert run.components[0].error == "ValueError: baseline: expected a channel"
