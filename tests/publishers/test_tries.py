"""A node that Airflow tries again in the same run: each try is an execution of its own."""

from __future__ import annotations

import os
import pathlib
import signal
import sys

import pytest

from tests.publishers.tried import Tried, fails, ready, try_once
from tfx_wine_ext import DriftReport, ParquetExampleGen
from tfx_wine_ext.lineage.runs import Run, runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.publishers.tries import TryReplacedError, TryRunningError
from tfx_wine_ext.testing import SqliteMetadata, parquet_file

pytestmark = pytest.mark.e2e


@pytest.fixture
def store(tmp_path: pathlib.Path):
    with SqliteMetadata(tmp_path / "metadata.db") as opened:
        yield opened


def only_run(store) -> Run:
    [run] = runs(Snapshot.read(store.store))
    return run


def tries(store) -> list[tuple[str, str | None]]:
    return [(each.state, each.error) for each in only_run(store).components]


def live(store) -> list[str]:
    """The folders of what has been published."""
    return [artifact.uri for artifact in store.store.get_artifacts() if artifact.state == 2]


def test_a_try_that_failed_stays_in_its_run_beside_the_one_that_succeeded(store, tmp_path):
    with pytest.raises(ValueError, match="no rows"):
        try_once(Tried(), store, tmp_path, fails)
    assert (only_run(store).state, live(store)) == ("FAILED", [])
    try_once(Tried(), store, tmp_path, ready)

    assert tries(store) == [("FAILED", "ValueError: no rows"), ("COMPLETE", None)]
    assert only_run(store).state == "COMPLETE"
    [folder] = live(store)
    # Not in the folder that the first try has left half full.
    assert os.listdir(folder) == ["made"]


def test_a_task_that_succeeded_and_is_cleared_makes_new_outputs_beside_the_old_ones(
    store, tmp_path
):
    first = try_once(Tried(), store, tmp_path, ready)
    second = try_once(Tried(), store, tmp_path, ready)
    assert tries(store) == [("COMPLETE", None), ("COMPLETE", None)]
    [[old], [new]] = first.output_dict["examples"], second.output_dict["examples"]
    assert (old.id, old.uri) != (new.id, new.uri)
    assert live(store) == [old.uri, new.uri]
    assert only_run(store).examples.id == new.id


def test_a_driver_that_failed_is_tried_again(store, tmp_path):
    parquet_file(tmp_path / "data" / "a.parquet", [{"x": 1.0}, {"x": 2.0}])
    with pytest.raises(FileNotFoundError, match="expected Parquet files, found none"):
        try_once(ParquetExampleGen(str(tmp_path / "gone")), store, tmp_path)
    try_once(ParquetExampleGen(str(tmp_path / "data")), store, tmp_path)
    [first, second] = tries(store)
    assert (first[0], second) == ("FAILED", ("COMPLETE", None))
    assert "gone" in first[1]


def hang_forever(folder: str, told: int) -> None:
    pathlib.Path(folder, "half").write_text("")
    os.write(told, b"at work")
    signal.pause()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells by /proc")
def test_a_try_is_refused_while_another_runs_and_works_when_that_was_killed(store, tmp_path):
    reads, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            try_once(Tried(), store, tmp_path, lambda folder: hang_forever(folder, told))
        finally:
            os._exit(1)
    try:
        assert os.read(reads, 7) == b"at work"
        with pytest.raises(
            TryRunningError, match=rf"Tried: expected one try at a time.*found process {child} on "
        ):
            try_once(Tried(), store, tmp_path, ready)
        [running] = only_run(store).components
        assert (running.state, running.process) == ("RUNNING", "alive")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    [killed] = only_run(store).components
    assert (killed.state, killed.process) == ("RUNNING", "ended")
    try_once(Tried(), store, tmp_path, ready)

    [lost, done] = tries(store)
    assert lost[0] == "FAILED"
    assert f"found none by process {child} on " in lost[1]
    assert done == ("COMPLETE", None)
    assert only_run(store).state == "COMPLETE"
    [folder] = live(store)
    assert os.listdir(folder) == ["made"]


def test_a_try_that_was_thought_dead_publishes_nothing(store, tmp_path):
    def is_overtaken(folder: str) -> None:
        ready(folder)
        # As from another machine, of whose processes nothing is known here.
        try_once(Tried(), store, tmp_path, ready)

    with pytest.raises(TryReplacedError, match="execution 1: expected to be the last try"):
        try_once(Tried(), store, tmp_path, is_overtaken)
    [lost, done] = tries(store)
    assert (lost[0], done) == ("FAILED", ("COMPLETE", None))
    assert [pathlib.Path(folder).name for folder in live(store)] == ["2"]


def test_one_run_of_another_id_knows_nothing_of_the_first(store, tmp_path):
    with pytest.raises(ValueError, match="no rows"):
        try_once(Tried(), store, tmp_path, fails, run="a")
    try_once(Tried(), store, tmp_path, ready, run="b")
    assert [run.state for run in runs(Snapshot.read(store.store))] == ["FAILED", "COMPLETE"]


def test_components_of_equal_outputs_run_side_by_side_and_again(store, tmp_path):
    parquet_file(tmp_path / "data" / "a.parquet", [{"x": float(x)} for x in range(50)])
    example_gen = ParquetExampleGen(str(tmp_path / "data"))
    try_once(example_gen, store, tmp_path)
    retried = try_once(ParquetExampleGen(str(tmp_path / "data")), store, tmp_path)
    for name in ("One", "Two", "One"):
        report = DriftReport(examples=example_gen.outputs["examples"]).with_id(name)
        launched = try_once(report, store, tmp_path)
        # TFX's own lookup of the input finds what the last try has made.
        [read] = launched.input_dict["examples"]
        assert read.id == retried.output_dict["examples"][0].id

    names = [artifact.name for artifact in store.store.get_artifacts()]
    assert len(names) == len(set(names)) == 2 + 3 * 3
    assert all(":manual__2026-01-01T10:00:00+00:00:" in name for name in names)
    assert [each.id for each in only_run(store).components[-3:]] == ["One", "Two", "One"]
