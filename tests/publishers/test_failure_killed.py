"""A run that is killed by kill -9, in a process of its own, is told from one that is running."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys

import pytest

from tests.publishers import killed
from tfx_wine_ext.cli import main
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store
from tfx_wine_ext.testing import parquet_file

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells by /proc"),
]


def read(folder):
    return runs(Snapshot.read(open_store(folder / "metadata.db")))


@pytest.mark.parametrize(
    ("which", "component"), [("ours", "ParquetExampleGen"), ("stock", "Waiting")]
)
def test_a_killed_run_has_died_and_the_next_one_is_a_run_like_any_other(
    tmp_path: pathlib.Path, checkout: pathlib.Path, capsys, which, component
):
    parquet_file(tmp_path / "data" / "a.parquet", [{"x": 1}, {"x": 2}])
    with subprocess.Popen(
        [sys.executable, "-m", "tests.publishers.killed", str(tmp_path), which],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "at work\n":
                break
        [alive] = read(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    [died] = read(tmp_path)

    assert (alive.state, alive.process) == ("RUNNING", "alive")
    assert (died.state, died.process, died.finished) == ("RUNNING", "ended", None)
    last = died.components[-1]
    assert (last.id, last.state, last.process) == (component, "RUNNING", "ended")
    assert main(["runs", "--store", str(tmp_path / "metadata.db")]) == 0
    assert " DIED " in capsys.readouterr().out
    assert main(["show", "--store", str(tmp_path / "metadata.db"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["process"] == "ended"

    killed.run(str(tmp_path), stock=False)

    first, second = read(tmp_path)
    assert (first.number, first.process) == (1, "ended")
    # Without a cache there is nothing of the first run that the second could take for its own.
    assert (second.number, second.state, second.process) == (2, "COMPLETE", None)
    assert sum(second.examples.rows.values()) == 2
