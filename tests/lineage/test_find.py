"""An artifact is found by the path that a person has in hand."""

from __future__ import annotations

import os
import pathlib

import pytest

from benchmarks.stores import PUSHER, TRAINER, TfxStore, wine_run, write
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage.find import ArtifactNotFoundError, find_artifact
from tfx_wine_ext.lineage.runs import files_of
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store


class Found:
    """A store that is asked for artifacts."""

    def __init__(self, path: str) -> None:
        self.snapshot = Snapshot.read(open_store(path))

    def __call__(self, asked: object) -> int:
        return find_artifact(self.snapshot, str(asked), files_of(self.snapshot)).id


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A pipeline of relative paths with two pushed models; the current folder is its."""
    folder = tmp_path / "project"
    (folder / "build").mkdir(parents=True)
    monkeypatch.chdir(folder)
    store = TfxStore(folder / "build", root="build/pipeline")
    store.run("monday")
    ids = {}
    for version in ("1795614296", "1795614311"):
        model = store.component("Trainer", TRAINER, outputs={"model": ("Model", {})})["model"]
        write(f"{store.uri(model)}/Format-Serving/saved_model.pb", b"")
        serving = {"pushed": 1, "pushed_destination": f"serving/{version}"}
        pushed = store.component(
            "Pusher",
            PUSHER,
            inputs={"model": [model]},
            outputs={"pushed_model": ("PushedModel", serving)},
        )["pushed_model"]
        write(f"serving/{version}/variables/variables.index", b"")
        ids[version] = model, pushed
    return store, ids


ONE, TWO = "1795614296", "1795614311"


def test_a_pushed_folder_is_the_pushed_model(project, tmp_path, monkeypatch):
    store, ids = project
    found = Found(store.path)
    pushed = ids[ONE][1]
    for asked in (
        f"serving/{ONE}",
        f"serving/{ONE}/",
        f"./serving//{ONE}",
        f"serving/{TWO}/../{ONE}",
        f"serving/{ONE}/variables",
        f"serving/{ONE}/variables/variables.index",
        tmp_path / "project/serving" / ONE,
        f"file://{tmp_path}/project/serving/{ONE}",
    ):
        assert found(asked) == pushed
    assert found(f"serving/{TWO}") == ids[TWO][1]
    monkeypatch.chdir("serving")
    assert found(ONE) == pushed  # It is no number of an artifact, and a path.
    assert found(f"./{ONE}") == pushed
    monkeypatch.chdir(ONE)
    assert found(".") == pushed
    assert found("variables") == pushed


def test_a_file_in_an_artifact_is_of_it(project, tmp_path):
    store, ids = project
    found = Found(store.path)
    model = ids[ONE][0]
    uri = store.uri(model)
    for asked in (uri, f"{uri}/", f"{uri}/Format-Serving/saved_model.pb", f"{uri}/gone/too"):
        assert found(asked) == model
        assert found(tmp_path / "project" / asked) == model


def test_from_another_folder_both_ways_lead_there(project, tmp_path, monkeypatch):
    store, ids = project
    monkeypatch.chdir(tmp_path)
    found = Found("project/build/metadata.db")
    assert found(f"project/serving/{ONE}") == ids[ONE][1]
    assert found(f"serving/{ONE}") == ids[ONE][1]  # As the store has it.
    assert found(store.uri(ids[TWO][0])) == ids[TWO][0]


def test_links_are_followed(project, tmp_path):
    store, ids = project
    (tmp_path / "production").symlink_to(tmp_path / "project/serving")
    (tmp_path / "current").symlink_to(f"production/{TWO}")
    found = Found(store.path)
    assert found(tmp_path / "production" / ONE) == ids[ONE][1]
    assert found(tmp_path / "current") == ids[TWO][1]
    assert found(tmp_path / "current/variables") == ids[TWO][1]


def test_a_link_in_the_stores_own_uri_is_followed_too(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    store = TfxStore(tmp_path, root=f"{tmp_path}/alias/root")
    store.run("monday")
    [model] = store.component("Trainer", TRAINER, outputs={"model": ("Model", {})}).values()
    os.makedirs(store.uri(model))
    assert Found(store.path)(store.uri(model).replace("alias", "real")) == model


@pytest.mark.parametrize("root", ["gs://wine/pipeline", "s3://a b/100%", "hdfs://node:9000/x"])
def test_a_remote_uri_is_found_without_asking_its_server(tmp_path, root):
    store = TfxStore(tmp_path, root=root)
    store.run("monday")
    serving = {"pushed": 1, "pushed_destination": "gs://serving/7"}
    [model] = store.component("Trainer", TRAINER, outputs={"m": ("PushedModel", serving)}).values()
    found = Found(store.path)
    for asked in (f"{root}/Trainer/m/1", f"{root}/Trainer/m/1/", f"{root}/Trainer/m/1/a/b"):
        assert found(asked) == model
    assert found("gs://serving/7/saved_model.pb") == model
    with pytest.raises(ArtifactNotFoundError, match="found a folder above PushedModel 1"):
        found(f"{root}/Trainer")


def test_the_nearest_of_two_that_enclose_a_path_is_meant(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    outer = store.component("Trainer", TRAINER, outputs={"model": ("Model", {})})["model"]
    inner = {"pushed": 1, "pushed_destination": f"{store.uri(outer)}/serving/1"}
    pushed = store.component("Pusher", PUSHER, outputs={"pushed": ("PushedModel", inner)})["pushed"]
    found = Found(store.path)
    assert found(f"{store.uri(outer)}/serving/1/x") == pushed
    assert found(f"{store.uri(outer)}/serving/2") == outer


def test_of_several_at_one_place_all_are_named(tmp_path):
    store = TfxStore(tmp_path)
    store.run("monday")
    serving = {"pushed": 1, "pushed_destination": "/serving/7"}
    for _ in range(2):
        store.component("Pusher", PUSHER, outputs={"pushed": ("PushedModel", serving)})
    with pytest.raises(ArtifactNotFoundError) as caught:
        Found(store.path)("/serving/7/variables")
    assert caught.value.candidates == (1, 2)
    assert str(caught.value) == (
        "'/serving/7/variables': expected the number, URI or path of an artifact, found that it is "
        "of PushedModel 1, /serving/7; PushedModel 2, /serving/7; give a number"
    )


def test_a_folder_above_names_what_is_in_it(project):
    store, ids = project
    with pytest.raises(ArtifactNotFoundError) as caught:
        Found(store.path)("serving")
    assert caught.value.candidates == (ids[TWO][1], ids[ONE][1])
    assert f"found a folder above PushedModel {ids[TWO][1]}, serving/{TWO}; " in str(caught.value)


def test_a_report_that_stopped_its_run_is_none_and_says_so(five):
    stopped = next(run for run in five.runs if run.state == "FAILED").drift
    with pytest.raises(ArtifactNotFoundError, match="the report by which DriftReport stopped"):
        find_artifact(five.snapshot, stopped.report, SoftFiles())


def test_the_same_place_below_another_root_is_named_and_not_taken(five):
    uri = five.store.uri(five.ids[0]["model"])
    tail = uri.rpartition("root/")[2]
    with pytest.raises(
        ArtifactNotFoundError, match="lies elsewhere and ends alike: Model"
    ) as caught:
        find_artifact(five.snapshot, f"/moved/{tail}", SoftFiles())
    assert caught.value.candidates == (five.ids[0]["model"],)


@pytest.mark.parametrize("asked", ["", ".", "/", "..", "²", "-1", "9" * 30, "a\0b", "\ud800", "~"])
def test_what_is_no_artifact_is_one_error(tmp_path, asked, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    store = TfxStore(tmp_path / "empty")
    wine_run(store, "monday", 1, {}, files=False)
    with pytest.raises(ArtifactNotFoundError, match="expected the number, URI or path of an art"):
        Found(store.path)(asked)
    assert pathlib.Path.cwd() == tmp_path / "empty"
