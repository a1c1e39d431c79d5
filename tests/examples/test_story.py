"""The story as a person runs it, and how it says that it went otherwise."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from examples.wine_quality import story
from examples.wine_quality.data import SAMPLE_WARNING, WineDataError, load
from examples.wine_quality.local_run import R2, metric
from tfx_wine_ext.lineage.runs import Component, Drift, Model, Run, runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

WHITE = load(kind="white", download=False)
RED = load(kind="red", download=False)


# --- without TFX ---------------------------------------------------------------------------------


def test_help_needs_no_tfx(shown_help: Callable[[str], str]) -> None:
    shown = shown_help("story")
    for option in ("--output", "--data", "--model"):
        assert f"  {option}" in shown
    assert shown.endswith("[]\n")
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_the_red_wines_come_last_and_the_white_ones_in_the_order_of_their_file() -> None:
    white = pa.table({"quality": [1, 2, 3, 4]})
    found = story.deliveries(white, pa.table({"quality": [9]}))
    assert [(span.name, span.table["quality"].to_pylist()) for span in found] == [
        ("white wine, part 1 of 3", [1]),
        ("white wine, part 2 of 3", [2]),
        ("white wine, part 3 of 3", [3, 4]),
        ("red wine", [9]),
    ]


def test_a_file_that_is_named_for_both_kinds_is_refused(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "wine.csv"
    names = ",".join(WHITE.table.column_names)
    file.write_text(f"{names}\n" + ",".join(["1"] * 12) + "\n")
    with pytest.raises(WineDataError, match=r"found one file for both\. Name the folder with"):
        story.load_both(str(file))


def test_a_folder_of_something_else_is_left_alone(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "thesis.tex").write_text("mine")

    assert story.main(["--output", str(tmp_path)]) == 1

    message = " ".join(capsys.readouterr().err.split())
    assert "expected a new folder or one of an earlier story, found thesis.tex in it" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "thesis.tex"]


def a_run(number: int, state: str = "COMPLETE", failed: str | None = None) -> Run:
    """A run that trained a model, or one that a component stopped."""
    end = "2026-01-01T00:00:00+00:00"
    model = Model(number, "", None, True, None, None, 0, 1, 1, None, None)
    stopped = Component(failed or "", "", 1, "FAILED", end, 1.0, "because")
    drift = Drift(1, "", None, "DRIFT", False, 1, 3, 12, 10, 0.8, (), ())
    return Run(
        run=str(number),
        number=number,
        pipeline="wine_quality",
        started=end,
        finished=end,
        state=state,
        components=(stopped,) if failed else (),
        examples=None,
        statistics=None,
        drift=drift if failed else None,
        model=None if failed else model,
        metrics={},
        baseline_metrics={},
        baseline_model_id=None,
        evaluation=None,
        blessed=None if failed else True,
        pushed=None,
        parameters={},
    )


GOOD = [a_run(1), a_run(2), a_run(3), a_run(4, "FAILED", "DriftReport")]


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (GOOD, []),
        (GOOD[:3], ["There should be 4 runs; there are 3."]),
        (
            [GOOD[0], a_run(2, "FAILED", "Transform")],
            [
                "Run 2 should have trained and evaluated a model; it is FAILED.",
                "There should be 4 runs; there are 2.",
            ],
        ),
        (
            [*GOOD[:3], a_run(4)],
            [
                "The gate (DriftReport) should have stopped the red wine; failed: [].",
                "No model should have been trained on the red wine; one was.",
            ],
        ),
        (
            [*GOOD[:3], a_run(4, "FAILED", "SchemaGen")],
            ["The gate (DriftReport) should have stopped the red wine; failed: ['SchemaGen']."],
        ),
        (
            [*GOOD[:3], dataclasses.replace(GOOD[3], model=GOOD[2].model)],
            ["No model should have been trained on the red wine; one was."],
        ),
    ],
)
def test_a_story_that_ends_otherwise_is_told_so(found: Sequence[Run], wrong: list[str]) -> None:
    assert story.what_went_wrong(found) == wrong


# --- all of it -----------------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.skipif(
    WHITE.source != "real" or RED.source != "real", reason="the real wine data are not there"
)
def test_the_gate_closes_on_the_red_wine_and_nothing_is_trained_on_it(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a story"
    for name, wine in (("wine-quality.csv", WHITE), ("winequality-red.csv", RED)):
        (tmp_path / name).write_bytes(pathlib.Path(wine.path).read_bytes())

    assert story.main(["--output", str(folder), "--data", str(tmp_path)]) == 0

    found = runs(Snapshot.read(open_store(folder / "metadata.db")))
    assert [(run.state, run.drift and run.drift.verdict) for run in found] == [
        ("COMPLETE", "NO_BASELINE"),
        ("COMPLETE", "WARN"),
        ("COMPLETE", "WARN"),
        ("FAILED", "DRIFT"),
    ]
    assert [run.model and run.model.generation for run in found] == [0, 1, 2, None]
    assert [run.blessed for run in found] == [True, True, True, None]
    assert len(list((folder / "pipeline" / "WarmStartTrainer" / "model").iterdir())) == 3
    assert len(list((folder / "serving").iterdir())) == 3
    shown, noise = capfd.readouterr()
    assert noise == ""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines()]
    rows = [row for row in rows if len(row) == 7]
    assert [row[:4] for row in rows] == [
        ["1", "white wine, part 1 of 3", "nothing before", "cold"],
        ["2", "white wine, part 2 of 3", "WARN, 1 of 12", "warm, from run 1"],
        ["3", "white wine, part 3 of 3", "WARN, 1 of 12", "warm, from run 2"],
        ["4", "red wine", "DRIFT, 10 of 12", "not trained"],
    ]
    assert [row[5] for row in rows] == ["yes", "yes", "yes", "not evaluated"]
    for row in rows[1:3]:
        new, in_production = map(float, re.findall(r"0\.\d{3}", row[4]))
        assert new > in_production  # on the same rows the continued model is better
    page = (folder / "history.html").read_text(encoding="utf-8")
    assert "Run 4 was stopped by the drift gate" in page
    gate = found[-1].drift
    assert gate is not None
    assert gate.report is not None
    assert "The data have drifted" in pathlib.Path(gate.report).read_text(encoding="utf-8")
    # The first layer sees other means and deviations; the other layers are as they were.
    assert re.findall(r"^run (\d) continues .*; variables: (.*?)\. Verified: ", shown, re.M) == [
        ("2", "4 restored, 2 remapped"),
        ("3", "4 restored, 2 remapped"),
    ]
    for said in ("history.html", "tfx-wine-ext runs --store", "tensorboard --logdir"):
        assert said in shown
    assert json.loads((pathlib.Path(gate.report).parent / "drift_report.json").read_text())


@pytest.mark.e2e
def test_without_the_real_wines_the_story_is_the_same_and_one_line_says_that_it_is_a_sample(
    tmp_path: pathlib.Path, checkout: pathlib.Path
) -> None:
    # A checkout with no data in it or beside it, on a machine that reaches no address.
    shutil.copytree(checkout / "examples", tmp_path / "checkout" / "examples")
    no_network = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "all")}
    environment = {
        **{name: value for name, value in os.environ.items() if name.lower() != "no_proxy"},
        **no_network,
        "PYTHONPATH": f"{tmp_path / 'checkout'}{os.pathsep}{checkout}",
        "WINE_QUALITY_DATA": "",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    folder = tmp_path / "checkout" / "build" / "story"

    done = subprocess.run(
        [sys.executable, "-m", "examples.wine_quality.story"],
        cwd=tmp_path / "checkout",
        env=environment,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines.count(SAMPLE_WARNING) == 1
    assert not [line for line in lines if "Cannot download" in line]
    [log] = (folder / "logs").iterdir()
    assert log.read_text().count("Cannot download the wine data from https://") == 3
    found = runs(Snapshot.read(open_store(folder / "metadata.db")))
    assert [(run.state, run.drift and run.drift.verdict) for run in found] == [
        ("COMPLETE", "NO_BASELINE"),
        ("COMPLETE", "WARN"),
        ("COMPLETE", "WARN"),
        ("FAILED", "DRIFT"),
    ]
    assert [run.model and run.model.generation for run in found] == [0, 1, 2, None]
    assert [run.blessed for run in found] == [True, True, True, None]
    assert len(list((folder / "serving").iterdir())) == 3
    for run in found[1:3]:
        # On the same rows the continued model is better, as on the real data.
        new, before = metric(run.metrics, R2), metric(run.baseline_metrics, R2)
        assert new is not None
        assert before is not None
        assert new > before
