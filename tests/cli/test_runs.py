import os
import pathlib
import subprocess
import sys

import pytest

TABLE = """\

 run   started (UTC)         state      span   rows   drift         model      r2   bl\
essed   pushed
 ─────────────────────────────────────────────────────────────────────────────────────────\
──────────
   5   2023-11-14 22:13:57   FAILED        4    154   DRIFT 1/2
   4   2023-11-14 22:13:48   COMPLETE      3    153   OK 0/2        warm 3    0.5   ye\
s       yes
   3   2023-11-14 22:13:39   COMPLETE      2    152   DRIFT 1/2     warm 2   0.75   ye\
s       yes
   2   2023-11-14 22:13:30   COMPLETE      2    152   DRIFT 1/2     warm 1   0.25   no
   1   2023-11-14 22:13:21   COMPLETE      1    151   NO_BASELINE   cold      0.5   ye\
s       yes

5 runs of wine in STORE/metadata.db
"""


def test_the_runs_are_listed_the_newest_first(on_store):
    assert on_store("runs") == (0, TABLE, "")


def test_another_metric_can_be_shown(on_store):
    status, out, _ = on_store("runs --metric mse --last 3")
    assert status == 0
    assert " mse " in out
    assert out.endswith("3 runs of wine in STORE/metadata.db, and 2 older: --last 0 shows all\n")


def test_the_document_has_the_runs_whole(document_of, five):
    document = document_of("runs --last 2")
    assert document == {
        "pipeline": "wine",
        "store": five.store.path,
        "metric": "r2",
        "total": 5,
        "runs": [five.runs[4].to_dict(), five.runs[3].to_dict()],
    }
    assert [run["number"] for run in document_of("runs --last 0")["runs"]] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "runs --last -1",
            "argument --last: expected a number of runs, or 0 for all, found '-1'; see "
            "tfx-wine-ext runs --help",
        ),
        ("runs --metric R2", "--metric: no run has 'R2'; did you mean 'r2'?"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(on_store, arguments, message):
    assert on_store(arguments) == (2, "", f"tfx-wine-ext: error: {message}\n")


def test_output_that_nobody_reads_to_its_end_changes_nothing(five):
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    command = [sys.executable, "-m", "tfx_wine_ext.cli", "runs", "--store", five.store.path]
    for extra in ([], ["--json"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([*command, *extra], stdout=write_end, stderr=subprocess.PIPE, env=env)
        os.close(write_end)
        assert (done.returncode, done.stderr) == (0, b"")


def test_an_output_that_knows_only_ascii_gets_ascii(five):
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    env["PYTHONPATH"] = str(pathlib.Path(__file__).parents[2])
    command = [sys.executable, "-m", "tfx_wine_ext.cli", "lineage", "1", "--store"]
    done = subprocess.run([*command, five.store.path], capture_output=True, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2514\\u2500\\u2500 ParquetExampleGen" in done.stdout
