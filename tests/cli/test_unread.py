"""Wherever a command is called: what could not be read is said first, and in the document."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmarks.stores import TfxStore, drift_document, wine_run
from tests.lineage.conftest import ramp
from tfx_wine_ext.cli import main

MISSING = (
    "Note: 3 files that the store names are not there, so what they hold is not shown: "
    "build/pipeline/DriftReport/report/4, build/pipeline/Evaluator/evaluation/8, "
    "build/pipeline/Checks/found/5. Relative paths were looked for in {0}, in the folders above it "
    "and in the current folder. They were deleted, or the command has to be called in the folder "
    "in which the pipeline ran.\n"
)


@pytest.fixture
def away(tmp_path, monkeypatch):
    """A store that was copied away from its pipeline; the current folder is another one."""
    (tmp_path / "wine").mkdir()
    monkeypatch.chdir(tmp_path / "wine")
    store = TfxStore(tmp_path / "wine", root="build/pipeline")
    document = drift_document({"x": ramp(0.0)}, {"x": ramp(9.0)})
    before = wine_run(store, "monday", 1, {}, document=document)
    wine_run(store, "tuesday", 2, before, document=document, blessed=False)
    for folder in ("copies", "elsewhere"):
        (tmp_path / folder).mkdir()
    shutil.copy(store.path, tmp_path / "copies/metadata.db")
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("TFX_WINE_EXT_STORE", str(tmp_path / "copies/metadata.db"))
    return tmp_path


@pytest.mark.parametrize("command", ["show 1", "runs --last 0", "diff", "lineage 1"])
def test_what_is_missing_comes_first(away, capsys, command):
    assert main(command.split()) == 0
    first = capsys.readouterr().out.splitlines()[0]
    if command == "show 1":
        assert f"{first}\n" == MISSING.format(away / "copies")
    elif command == "lineage 1":
        assert first == (
            "Note: the files of 1 of 1 artifacts are not there: build/pipeline/ParquetExampleGen/"
            "examples/2. What the store knows of them is below."
        )
    else:
        number = 6 if command.startswith("runs") else 8  # And the statistics of both.
        assert first.startswith(
            f"Note: {number} files that the store names are not there, so what they "
        )


def test_the_page_says_it_before_its_headline(away, capsys):
    assert main(["history", "--html", "history.html"]) == 0
    assert capsys.readouterr().out.startswith("Note: 8 files that the store names are not there")
    page = (away / "elsewhere/history.html").read_text(encoding="utf-8")
    note = page.index("8 files that the store names are not there")
    assert note < page.index("<h1>")
    assert "No metric was measured" not in page
    assert "No metric is known: the evaluation of 2 runs could not be read." in page


def test_the_documents_have_it_under_a_key_of_its_own(away, capsys):
    def document(command):
        assert main([*command.split(), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    unread = document("show 1")["unread"]
    assert [each["path"].partition("/")[2] for each in unread] == [
        "pipeline/DriftReport/report/4",
        "pipeline/Evaluator/evaluation/8",
        "pipeline/Checks/found/5",
    ]
    assert {each["problem"] for each in unread} == {"missing"}
    assert document("runs")["runs"][1]["unread"] == unread
    assert document("lineage 1")["missing"] == [1]
    assert document("diff")["unread"][:3] == unread
    assert document("history")["unread"][:3] == unread


def test_where_all_is_there_nothing_is_said(away, capsys, monkeypatch):
    monkeypatch.chdir(away / "wine")
    for command in ("show 1", "runs", "diff", "lineage 1"):
        assert main(command.split()) == 0
        assert "Note:" not in capsys.readouterr().out


def test_an_unknown_metric_is_not_said_to_be_measured_nowhere(away, capsys):
    assert main(["runs", "--metric", "auc"]) == 2
    assert capsys.readouterr().err == (
        "tfx-wine-ext: error: --metric: no run has 'auc'; the evaluations of 2 runs could not be "
        "read\n"
    )
