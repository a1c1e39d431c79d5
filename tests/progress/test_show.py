"""The words about components, and the lines that are shown of a whole run."""

from __future__ import annotations

import io
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from tests.progress.screens import terminal
from tfx_wine_ext.progress import (
    Anomalies,
    Blessing,
    ComponentEnded,
    ComponentStarted,
    DriftFound,
    ModelStart,
    Pushed,
    Result,
    RowsRead,
    RowsWritten,
    State,
)
from tfx_wine_ext.progress.live_line import LiveLine
from tfx_wine_ext.progress.show import ComponentLines, count, ended, words


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (RowsWritten({"train": 3262, "eval": 1636}), "3,262 train, 1,636 eval rows"),
        (DriftFound("NO_BASELINE", None, 12, 0, 0), "nothing to compare with"),
        (DriftFound("OK", 1, 12, 0, 0), "OK from span 1: 0 of 12 features"),
        (DriftFound("WARN", 1, 12, 0, 1), "WARN from span 1: 1 of 12 features"),
        (DriftFound("WARN", 1, 12, 0, 0), "WARN from span 1"),
        (DriftFound("DRIFT", None, 12, 10, 1), "DRIFT: 10 of 12 features"),
        (Anomalies(()), "no anomalies"),
        (Anomalies(("train", "eval")), "anomalies in train, eval"),
        (ModelStart(True), "warm start"),
        (ModelStart(False), "cold start"),
        (Blessing("ModelBlessing", True), "blessed"),
        (Blessing("ModelBlessing", False), "not blessed"),
        (Blessing("InfraBlessing", True), "infra blessed"),
        (Blessing("InfraBlessing", False), "infra not blessed"),
        (Pushed("serving/1"), "pushed"),
        (Pushed(None), "not pushed"),
    ],
)
def test_what_a_component_found_is_said_in_words(result: Result, said: str) -> None:
    assert words(result) == said


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (State.COMPLETE, "Pusher                   1.2 s  pushed"),
        (State.CACHED, "Pusher                   1.2 s  from cache: pushed"),
        (
            State.SKIPPED,
            "Pusher                   1.2 s  skipped: a condition or an input is missing",
        ),
        (State.CANCELED, "Pusher                   1.2 s  interrupted"),
    ],
)
def test_each_way_to_end_has_its_line(state: State, line: str) -> None:
    has_result = state in (State.COMPLETE, State.CACHED)
    results = (Pushed("serving/1"),) if has_result else ()
    assert ended(ComponentEnded("p", "r", "Pusher", state, 1.23, results=results)) == line


@pytest.mark.e2e
def test_a_failure_is_one_line_without_passwords_and_control_characters() -> None:
    error = ArithmeticError("mysql://me:secret@db/x:\n  two is \x1b[31mnot three")
    end = ComponentEnded("p", "r", "Broken", State.FAILED, 1.23, error=error)
    assert ended(end) == (
        "Broken failed after 1.2 s: ArithmeticError: mysql://me:***@db/x: two is \\x1b[31mnot three"
    )
    long = ended(ComponentEnded("p", "r", "B", State.FAILED, 1.0, error=ValueError("x" * 9000)))
    assert len(long) < 700
    assert long.endswith("xxx [...]")


def test_a_failure_without_an_error_says_what_is_known() -> None:
    end = ComponentEnded("p", "r", "Refused", State.FAILED, 0.0)
    assert ended(end) == (
        "Refused failed after 0.0 s: its inputs could not be resolved; the log says why"
    )


def test_numbers_of_components_stand_below_each_other() -> None:
    assert [count(9, 11), count(10, 11), count(3, 7), count(3, None)] == [
        "[ 9/11]",
        "[10/11]",
        "[3/7]",
        "[3]",
    ]


def test_the_running_component_is_shown_with_its_seconds_and_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with terminal(80) as (stream, screen):
        line = LiveLine(stream, interval=0.02)
        lines = ComponentLines(line, total=2)
        lines(ComponentStarted("p", "r", "ParquetExampleGen"))
        screen.wait_for("[1/2] ParquetExampleGen ... 1 s\r")
        lines(RowsRead("ParquetExampleGen", 1500, 6000))
        screen.wait_for(" s, 1,500 of 6,000 rows\r")
        lines(ComponentEnded("p", "r", "ParquetExampleGen", State.COMPLETE, 0.4))
        lines(ComponentStarted("p", "r", "Trainer"))
        lines.close()
        assert screen.lines() == ["[1/2] ParquetExampleGen        0.4 s"]


def test_of_components_that_run_at_the_same_time_one_is_shown_and_the_others_counted() -> None:
    lines = ComponentLines(LiveLine(io.StringIO()))
    for component in ("StatisticsGen", "SchemaGen", "DriftReport"):
        lines(ComponentStarted("p", "r", component))
    lines(ComponentEnded("p", "r", "DriftReport", State.COMPLETE, 0.4))
    assert re.fullmatch(r"\[2\] SchemaGen \.\.\. \d s \(and 1 more\)", lines._now())
    lines.close()


SMALL = """
import sys
from pathlib import Path
from tests.progress.small_pipelines import Broken, Judge, Push, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx_wine_ext import show_progress
judge, push, broken = Judge(), Push(), Broken()
push.add_upstream_node(judge)
broken.add_upstream_node(push)
with show_progress(total=3, log="logs/run.log"):
    print("said by the pipeline")
    LocalDagRunner().run(pipeline(Path(), judge, push, broken))
"""


@pytest.mark.e2e
def test_a_person_sees_the_components_and_a_file_gets_everything_else(
    tmp_path: pathlib.Path, checkout: pathlib.Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )
    progress, traceback = done.stderr[done.stderr.index("[1/3]") :].split("Traceback", 1)
    lines = [re.sub(r" +\d+\.\d s", " 0 s", line) for line in progress.splitlines()]
    assert lines[:2] == ["[1/3] Judge 0 s  infra not blessed; blessed", "[2/3] Push 0 s  pushed"]
    assert lines[2].startswith("[3/3] Broken failed after 0 s: ArithmeticError: ")
    assert len(lines) == 3
    assert "ArithmeticError: mysql://me:***@db/x: two is \\x1b[31mnot three" in progress
    # The error itself is the caller's, and comes out as always.
    assert "ArithmeticError" in traceback
    assert (done.returncode, done.stdout) == (1, "")
    assert "said by the pipeline" in (tmp_path / "logs" / "run.log").read_text()


TICKING = """
import sys, time
from tfx_wine_ext.progress import ComponentStarted
from tfx_wine_ext.progress.live_line import LiveLine
from tfx_wine_ext.progress.show import ComponentLines
lines = ComponentLines(LiveLine(sys.stderr), total=3)
try:
    lines(ComponentStarted("p", "r", "Trainer"))
    time.sleep(60)
finally:
    lines.close()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_in_the_middle_of_a_tick_leaves_the_terminal_as_it_was(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import termios

    monkeypatch.setenv("TERM", "xterm")
    with terminal(80) as (stream, screen):
        before = termios.tcgetattr(stream.fileno())
        child = subprocess.Popen(
            [sys.executable, "-c", TICKING],
            stderr=stream.fileno(),
            # Python 3.13 colours a traceback.
            env={**os.environ, "PYTHON_COLORS": "0"},
            # A parent that ignores it, such as a job in the background of a shell, hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        screen.wait_for("Trainer ... 1 s")
        child.send_signal(number)
        assert child.wait(60) != 0
        assert termios.tcgetattr(stream.fileno()) == before
        written = screen.read()
        # Neither hidden nor moved: no sequence but the one that erases to the end of the line.
        assert set(part[:2] for part in written.split("\x1b")[1:]) <= {"[K"}
        if number == signal.SIGINT:
            assert screen.lines()[0].startswith("Traceback")


CLOSED = """
import os, sys
from tfx_wine_ext.progress import ComponentEnded, ComponentStarted, State, launches, show_progress
launches._install = lambda: None  # There is no pipeline here, so TFX need not be loaded.
exec(sys.argv[1])
with show_progress(log=sys.argv[2] or None):
    launches._tell(ComponentStarted("p", "r", "A"))
    launches._tell(ComponentEnded("p", "r", "A", State.COMPLETE, 0.4))
    os.system("echo by a child")
with open("ran", "w") as ran:
    ran.write("to the end")
"""


@pytest.mark.parametrize("log", ["", "log"])
@pytest.mark.parametrize(
    ("shell", "before"),
    [
        ("2>&-", ""),
        (">&-", ""),
        ("<&- >&- 2>&-", ""),
        ("", "sys.stderr.close()"),
        ("", "sys.stdout.close()"),
        ("", "sys.stdout = sys.stderr = None"),
        (">/dev/full", "sys.stdout.write('unwritten')"),
        ("2>/dev/full", ""),
    ],
)
def test_a_pipeline_runs_whatever_became_of_the_standard_streams(
    tmp_path: pathlib.Path, checkout: pathlib.Path, shell: str, before: str, log: str
) -> None:
    subprocess.run(
        ["sh", "-c", f'"$@" {shell}', "sh", sys.executable, "-c", CLOSED, before, log],
        cwd=tmp_path,
        # Without a buffer, writing fails at once, and not where the buffer is flushed.
        env={**os.environ, "PYTHONPATH": str(checkout), "PYTHONUNBUFFERED": ""},
        capture_output=True,
    )
    assert (tmp_path / "ran").read_text() == "to the end"
    assert not log or "by a child\n" in (tmp_path / log).read_text()


def test_names_cannot_move_the_cursor_and_each_run_is_counted_from_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with terminal(80) as (stream, screen):
        lines = ComponentLines(LiveLine(stream), total=1)
        for run in ("first", "second"):
            lines(ComponentStarted("p", run, "A\n\x1b[2J"))
            rows = RowsWritten({"\x1b[31m": 1})
            lines(ComponentEnded("p", run, "A\n\x1b[2J", State.COMPLETE, 0.4, results=(rows,)))
        lines.close()
        line = "[1/1] A\\n\\x1b[2J                   0.4 s  1 \\x1b[31m rows"
        assert screen.lines() == [line, line]
