"""The whole pipeline, as a person runs it; on the sample where there are no real data."""

from __future__ import annotations

import json
import pathlib
import re
import shlex
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv

from examples.wine_quality import run
from examples.wine_quality.data import WineData, load
from tfx_wine_ext.history import history_document, what_moved
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

WINE = load(download=False)
COMPONENTS = [
    "LatestBlessedModel",
    "ParquetExampleGen",
    "PreviousSpan",
    "StatisticsGen",
    "SchemaGen",
    "DriftReport",
    "ExampleValidator",
    "Transform",
    "Trainer",
    "Evaluator",
    "Pusher",
]
# What differs most between red and white, and which way the red wines have it.
WORST = ("chlorides", "up")

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("data", [WINE], ids=[WINE.source])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """One folder with a space in its name for all runs: later ones find what earlier ones left."""
    return tmp_path_factory.mktemp("wine quality")


@pytest.fixture
def csv_file(folder: pathlib.Path) -> Callable[[pa.Table], str]:
    """Writes a table where `--data` can point to, and returns the path."""

    def write(table: pa.Table) -> str:
        path = folder / "wine-quality.csv"
        csv.write_csv(table, path)
        return str(path)

    return write


def run_pipeline(folder: pathlib.Path, *arguments: str) -> dict[str, Any]:
    """Runs the pipeline and returns its summary."""
    status = run.main(["--output", str(folder / "output"), *arguments])
    assert status == 0
    summary: dict[str, Any] = json.loads((folder / "output" / "summary.json").read_text())
    return summary


def test_the_first_run_pushes_a_model_and_says_how_good_it_is(
    data: WineData,
    folder: pathlib.Path,
    csv_file: Callable[[pa.Table], str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    summary = run_pipeline(folder, "--data", csv_file(data.table))

    seconds = summary.pop("seconds")
    assert list(seconds) == ["imports", *COMPONENTS, "total"]
    assert seconds["total"] == pytest.approx(sum(list(seconds.values())[:-1]), abs=5)
    metrics = summary.pop("r2"), summary.pop("mse")
    pushed = pathlib.Path(summary.pop("pushed"))
    logs = pathlib.Path(summary.pop("logs"))
    assert sorted(path.name for path in logs.iterdir()) == ["train", "validation"]
    rows = summary.pop("rows")
    report = pathlib.Path(summary["drift"].pop("report"))
    assert "First data seen" in report.read_text()
    assert summary == {
        "data_source": "real",  # a file that is named is taken for real
        "data_path": str(folder / "wine-quality.csv"),
        "model": "dnn",
        "anomalies": 0,
        "drift": {
            "verdict": "NO_BASELINE",
            "baseline_span": None,
            "features": 12,
            "features_drifted": 0,
            "features_warned": 0,
        },
        "tune": None,
        "warm_start": None,
        "blessed": True,
        "cached": [],
    }
    assert sorted(rows) == ["eval", "train"]
    assert sum(rows.values()) == 4898
    if data.source == "real":
        assert rows == {"train": 3262, "eval": 1636}
        # As docs/model-choice.md says; other processors train the network a little otherwise.
        assert metrics == (pytest.approx(0.362, abs=0.03), pytest.approx(0.513, abs=0.03))
    else:
        assert metrics[0] == pytest.approx(0.362, abs=0.04)  # as on the real data
    assert pushed.parent == folder / "output" / "serving"
    assert sorted(path.name for path in pushed.iterdir() if path.suffix == ".pb") == [
        "fingerprint.pb",
        "saved_model.pb",
    ]
    shown, noise = capfd.readouterr()
    assert noise == ""
    assert shown.count("\n") < 40
    assert "[11/11] Pusher" in shown
    assert re.search(r"^\[10/11\] Evaluator +\d+\.\d s  blessed$", shown, re.MULTILINE)
    assert f"{metrics[0]:.4f}" in shown
    # On a line of its own, whole, and quoted: the path has a space in it.
    [copied] = [line for line in shown.splitlines() if "tensorboard" in line]
    assert shlex.split(copied)[1:] == ["--logdir", str(logs.parent)]
    assert f"drift report    {report}" in shown.splitlines()
    assert f"pushed model    {pushed}" in shown.splitlines()


def test_the_second_run_on_the_same_data_takes_the_work_from_the_cache(
    data: WineData, folder: pathlib.Path, csv_file: Callable[[pa.Table], str]
) -> None:
    summary = run_pipeline(folder, "--data", csv_file(data.table))

    # The evaluation is a new one: now there is a model in production to compare with.
    assert sorted(summary["cached"]) == sorted(
        set(COMPONENTS) - {"LatestBlessedModel", "PreviousSpan", "Evaluator", "Pusher"}
    )
    assert summary["blessed"] is True


def test_changed_data_are_not_taken_from_the_cache(
    data: WineData, folder: pathlib.Path, csv_file: Callable[[pa.Table], str]
) -> None:
    alcohol = data.table["alcohol"].to_pylist()
    alcohol[17] += 0.25  # one value of one row
    index = data.table.column_names.index("alcohol")
    changed = data.table.set_column(index, "alcohol", pa.array(alcohol))

    summary = run_pipeline(folder, "--data", csv_file(changed))

    assert summary["cached"] == []
    assert sum(summary["rows"].values()) == 4898


def test_a_tuned_network_on_the_second_of_two_spans_is_evaluated_against_the_one_before(
    data: WineData,
    folder: pathlib.Path,
    csv_file: Callable[[pa.Table], str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    options = ("--tune", "--spans", "2", "--r2-margin", "1")
    summary = run_pipeline(folder, "--data", csv_file(data.table), *options)

    snapshot = Snapshot.read(open_store(folder / "output" / "metadata.db"))
    [trainer] = [each for each in runs(snapshot)[-1].components if each.id == "Trainer"]
    inputs = {link.key for link in snapshot.inputs[trainer.execution]}
    assert inputs == {"examples", "hyperparameters", "schema", "transform_graph"}
    assert summary["model"] == "dnn"
    assert "Tuner" in summary["seconds"]
    tune = summary["tune"]
    assert tune["trials"] == 6
    assert 0 < tune["r2"] < 1
    assert sorted(tune["best"]) == ["dropout", "layers", "learning_rate", "units"]
    shown = " ".join(capfd.readouterr().out.split())
    assert f"best of 6 trials, R2 {tune['r2']:.4f} on held-out rows" in shown
    assert sum(summary["rows"].values()) == 2449
    assert summary["r2"] > 0.1


def test_red_wine_after_white_wine_is_held_back_by_the_gate(
    data: WineData,
    folder: pathlib.Path,
    csv_file: Callable[[pa.Table], str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    output = ["--output", str(folder / "gate")]
    red = load(kind="red", download=False).table
    white_then_red = pa.concat_tables([data.table.slice(0, red.num_rows), red])
    spans = ["--data", csv_file(white_then_red), "--spans", "2", "--drift", "fail"]

    # Trees are trained faster, and no model is looked at here.
    assert run.main([*output, *spans, "--span", "1", "--model", "trees"]) == 0
    assert run.main([*output, *spans, "--span", "2"]) == 1

    shown = capfd.readouterr().out
    failure = r"DriftReport failed after \d\.\d s: DriftDetectedError: span 2, split train drifted"
    assert re.search(failure, shown)
    assert f"Worst: {WORST[0]} (" in shown
    assert "Transform" not in shown[shown.index("DriftReport failed") :]
    [kept] = (folder / "gate").rglob("stopped/*/drift_report.html")
    assert "The data have drifted" in kept.read_text()


def test_the_trees_of_three_spans_in_a_row_continue_each_other(
    data: WineData, folder: pathlib.Path, csv_file: Callable[[pa.Table], str]
) -> None:
    summaries = []
    for span in ("1", "2", "3"):
        output = folder / "warm trees"
        # Small spans: that a model is blessed is not what this is about.
        gate = ["--min-r2", "0", "--r2-margin", "1"]
        spans = ["--data", csv_file(data.table), "--spans", "3", "--span", span]
        options = ["--output", str(output), "--model", "trees", "--warm-start", *gate, *spans]
        assert run.main(options) == 0
        summaries.append(json.loads((output / "summary.json").read_text()))

    starts = [summary["warm_start"] for summary in summaries]
    assert [(start["warm"], start["generation"]) for start in starts] == [
        (False, 0),
        (True, 1),
        (True, 2),
    ]
    assert starts[0]["reason"] == "Cold start: there is no blessed model yet."
    assert all(start["reason"].startswith("Warm start from model ") for start in starts[1:])
    taken = [start["steps"] for start in starts]
    assert [start["total_steps"] for start in starts] == [
        sum(taken[: number + 1]) for number in range(3)
    ]
    assert [start["variables"]["remapped"] for start in starts] == [0, 1, 1]
    assert all(start["verification"].startswith("Verified: ") for start in starts[1:])
    assert all(summary["blessed"] for summary in summaries)


def test_the_history_of_these_runs_is_read_from_their_store(
    data: WineData, folder: pathlib.Path
) -> None:
    output = folder / "warm trees"
    found = runs(Snapshot.read(open_store(output / "metadata.db")))
    document = history_document(found, "wine_quality", "metadata.db")

    assert [run.state for run in found] == ["COMPLETE"] * 3
    assert [run.examples.span for run in found if run.examples] == [1, 2, 3]
    last, summary = document["runs"][-1], json.loads((output / "summary.json").read_text())
    assert last["examples"]["rows"] == summary["rows"]
    assert last["examples"]["anomalies"] == summary["anomalies"]
    drift = {key: last["drift"][key] for key in summary["drift"]}
    assert drift == summary["drift"]
    assert len(last["drift"]["scores"]) == 12
    start = summary["warm_start"]
    for key in ("warm", "reason", "generation", "steps", "total_steps"):
        assert last["model"][key] == start[key]
    assert last["model"]["base_model_id"] == document["runs"][1]["model"]["id"]
    metrics = {name: metric["value"] for name, metric in last["metrics"].items()}
    assert metrics["squared_pearson_correlation"] == summary["r2"]
    assert metrics["mean_squared_error"] == summary["mse"]
    assert (last["blessed"], last["pushed"]) == (summary["blessed"], summary["pushed"])
    assert document["metric"] == "squared_pearson_correlation"
    assert [step["source"] for step in document["moved"]] == ["drift report"] * 2


def test_the_history_says_why_the_gate_held_a_span_back(
    data: WineData, folder: pathlib.Path
) -> None:
    first, second = runs(Snapshot.read(open_store(folder / "gate" / "metadata.db")))

    assert (first.state, second.state) == ("COMPLETE", "FAILED")
    assert second.drift is not None
    assert (second.drift.id, second.drift.verdict) == (None, "DRIFT")
    assert (second.drift.scores[0].feature, second.drift.scores[0].direction) == WORST
    error = second.components[-1].error
    assert error is not None
    assert error == "; ".join(second.drift.reasons)
    assert what_moved(first, second)["sentences"][0] == f"DriftReport failed: {error}."


def test_a_model_below_the_bar_is_neither_blessed_nor_pushed(
    data: WineData, folder: pathlib.Path, csv_file: Callable[[pa.Table], str]
) -> None:
    summary = run_pipeline(folder, "--data", csv_file(data.table), "--min-r2", "0.99")

    assert (summary["blessed"], summary["pushed"]) == (False, None)


def test_a_model_that_falls_behind_the_one_in_production_by_the_margin_is_not_blessed(
    data: WineData, folder: pathlib.Path, csv_file: Callable[[pa.Table], str]
) -> None:
    # A margin below zero asks for so much more: by half of all variance no model is better.
    summary = run_pipeline(folder, "--data", csv_file(data.table), "--r2-margin", "-0.5")

    assert summary["r2"] > 0.3
    assert (summary["blessed"], summary["pushed"]) == (False, None)


def test_a_failing_component_is_named_with_the_cause_and_the_log(
    data: WineData,
    folder: pathlib.Path,
    csv_file: Callable[[pa.Table], str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    schema = folder / "schema.pbtxt"
    schema.write_text("this is no schema")
    arguments = ["--output", str(folder / "failed"), "--data", csv_file(data.table)]

    status = run.main([*arguments, "--schema", str(schema)])

    assert status == 1
    shown = capfd.readouterr().out
    assert re.search(r"ImportSchemaGen failed after \d\.\d s: ParseError: ", shown)
    [log] = (folder / "failed" / "logs").iterdir()
    assert shown.splitlines()[-1] == f"The log has the details: {log}"
    assert "Traceback" in log.read_text()
