"""A store with relative URIs is read alike from every folder; what is not there is said."""

from __future__ import annotations

import os
import shutil

import pytest

from benchmarks.stores import TfxStore, drift_document, wine_run
from tests.lineage.conftest import ramp
from tfx_wine_ext.files.tolerant import SoftFiles, Unread
from tfx_wine_ext.history import history_document, what_moved
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

DRIFTED = drift_document({"x": ramp(0.0)}, {"x": ramp(9.0)})


def run_pipeline(folder, monkeypatch, value=0.5):
    """A pipeline that was run in a folder, with the paths of the guides; the second run stopped."""
    (folder / "build").mkdir(parents=True)
    monkeypatch.chdir(folder)
    store = TfxStore(folder / "build", root="build/pipeline")
    ids = wine_run(store, "monday", 1, {}, metrics={"r2": value}, document=DRIFTED)
    wine_run(store, "tuesday", 2, ids, document=DRIFTED, mode="fail")
    return store


@pytest.fixture
def wine(tmp_path, monkeypatch):
    return run_pipeline(tmp_path / "wine", monkeypatch)


def read(path):
    return runs(Snapshot.read(open_store(path)))


def test_from_every_folder_it_is_the_same(wine, tmp_path, monkeypatch):
    expected = read("build/metadata.db")
    assert expected[0].metrics["r2"].value == 0.5
    assert expected[1].components[-1].error == "1 of 1 feature drifted"
    assert expected[0].unread == expected[1].unread == ()
    assert expected[0].drift.report == "build/pipeline/DriftReport/report/4/drift_report.html"
    for folder in ("wine/build", ".", "/"):
        monkeypatch.chdir(tmp_path / folder)
        found = read(os.path.relpath(wine.path))
        assert found[0].metrics == expected[0].metrics
        assert found[0].drift.scores == expected[0].drift.scores
        assert found[0].drift.report == f"{tmp_path}/wine/{expected[0].drift.report}"
        assert [each.unread for each in found] == [(), ()]
        assert found[1].components[-1] == expected[1].components[-1]
        moved = what_moved(*found)
        assert (moved["sentences"], moved["unread"]) == (what_moved(*expected)["sentences"], [])


def test_a_store_that_was_moved_away_is_read_in_the_folder_of_its_pipeline(wine, tmp_path):
    shutil.move(wine.path, tmp_path / "copy.db")
    assert read(tmp_path / "copy.db") == read(tmp_path / "copy.db")
    assert read(tmp_path / "copy.db")[0].metrics["r2"].value == 0.5


def test_of_two_projects_side_by_side_the_stores_own_is_read(tmp_path, monkeypatch):
    mine = run_pipeline(tmp_path / "mine", monkeypatch, 0.5)
    run_pipeline(tmp_path / "other", monkeypatch, 0.25)
    # The current folder is the other one's.
    found = read(mine.path)
    assert found[0].metrics["r2"].value == 0.5
    evaluation = "build/pipeline/Evaluator/evaluation/8"
    folders = (str(tmp_path / "mine"), str(tmp_path / "other"))
    assert Unread(evaluation, "ambiguous", None, folders) in found[0].unread
    # One that is gone is not read from the other project.
    shutil.rmtree(tmp_path / "mine" / evaluation)
    found = read(mine.path)
    assert found[0].metrics == {}
    assert [each.problem for each in found[0].unread if each.path == evaluation] == ["missing"]


def test_a_link_to_the_same_files_is_not_ambiguous(wine, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path / "wine")
    monkeypatch.chdir(tmp_path / "link")
    assert read(wine.path)[0].unread == ()


def test_what_is_nowhere_is_missing_and_nothing_is_claimed(wine, tmp_path, monkeypatch):
    shutil.move(wine.path, tmp_path / "copy.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = read(tmp_path / "copy.db")
    searched = (str(tmp_path), *map(str, tmp_path.parents[:-1]), str(tmp_path / "elsewhere"))
    assert found[0].unread == tuple(
        Unread(f"build/pipeline/{path}", "missing", None, searched)
        for path in ("DriftReport/report/4", "Evaluator/evaluation/8", "Checks/found/5")
    )
    document = history_document(found, "wine", "copy.db")
    assert document["correlation_note"] == (
        "No metric is known: the evaluation of 1 run could not be read."
    )
    assert len(document["unread"]) == 6  # With the statistics of both.
    [failed] = [text for text in document["moved"][0]["sentences"] if "failed" in text]
    assert failed == (
        "DriftReport failed: the store does not say why, and its folder "
        "build/pipeline/DriftReport is not there."
    )


def test_no_metric_was_measured_is_said_where_that_is_known(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    store.component("Gen", "a.CsvExampleGen", outputs={"examples": ("Examples", {})})
    document = history_document(read(store.path), "wine", "metadata.db")
    assert document["correlation_note"] == "No metric was measured."
    assert document["unread"] == []


def test_a_file_that_cannot_be_read_is_told_from_one_that_is_not_there(wine):
    config = "build/pipeline/Evaluator/evaluation/8/metrics-00000-of-00001.tfrecord"
    os.remove(config)
    os.mkfifo(config)
    [unread] = read(wine.path)[0].unread
    assert (unread.path, unread.problem) == (config, "unreadable")
    assert unread.why == "expected a regular file, found a pipe"


@pytest.mark.parametrize("name", ["a b", "100%25", "100%", "wörter", "#1", "what?"])
def test_a_file_uri_is_a_path(tmp_path, monkeypatch, name):
    from urllib.parse import quote

    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_bytes(b"x")
    files = SoftFiles()
    for uri in (f"file://{folder}", f"file://{quote(str(folder))}", str(folder), f"file:{folder}"):
        assert files.read(uri, "file") == b"x"
        assert files.names(uri) == ["file"]
        assert files.existing(uri) == str(folder)
    assert files.take_unread() == ()


def test_an_artifact_without_a_uri_has_no_files():
    files = SoftFiles()
    assert (files.read("", "etc/passwd"), files.names(""), files.existing("")) == (None, [], None)
    assert files.take_unread() == (Unread("", "missing"),)


@pytest.mark.e2e
def test_a_file_system_that_nobody_knows_is_said_to_be_unreadable():
    files = SoftFiles()
    assert files.read("nosuch://server/a", "file") is None
    assert files.names("nosuch://server/b") == []
    assert [(each.path, each.problem) for each in files.take_unread()] == [
        ("nosuch://server/a/file", "unreadable"),
        ("nosuch://server/b", "unreadable"),
    ]
