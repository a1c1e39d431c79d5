"""Whether a process is still there, by real processes."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys

import pytest

from tfx_wine_ext.artifacts.process import ALIVE, ENDED, Process, this_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells by /proc")


@pytest.fixture
def child():
    """A process that has said which one it is."""
    script = (
        "import sys; from tfx_wine_ext.artifacts.process import this_process\n"
        "print(this_process().to_json(), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process, Process.from_json(process.stdout.readline())
    process.kill()
    process.communicate()


def test_a_process_is_alive_until_it_is_killed_and_ended_before_anybody_has_reaped_it(child):
    process, recorded = child
    assert recorded.pid == process.pid
    assert recorded.state() == ALIVE
    process.send_signal(signal.SIGKILL)
    # It is a zombie until its parent asks for its status; wait for that without asking.
    while recorded.state() == ALIVE:
        pass
    assert recorded.state() == ENDED
    process.wait()
    assert recorded.state() == ENDED


def test_a_number_that_is_used_again_is_another_process():
    here = this_process()
    assert here.state() == ALIVE
    assert dataclasses.replace(here, started=here.started - 1).state() == ENDED


@pytest.mark.parametrize(
    "change",
    [{"boot": "another"}, {"boot": ""}, {"namespace": "pid:[1]"}, {"started": None}],
    ids=str,
)
def test_of_another_machine_start_or_container_nothing_is_said(change):
    assert dataclasses.replace(this_process(), **change).state() is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "null",
        "{",
        "[" * 100_000,
        '{"pid": "7"}',
        '{"pid": 0}',
        '{"pid": -1}',
        '{"pid": true}',
        '{"pid": 1e400}',
        json.dumps({"pid": 2**31}),
    ],
    ids=lambda text: str(text)[:20],
)
def test_what_is_no_process_is_none(text):
    assert Process.from_json(text) is None


def test_odd_fields_are_taken_for_unknown():
    found = Process.from_json('{"pid": 1, "boot": [], "host": {}, "started": "x"}')
    assert found == Process(1, "", "", "", None)
    assert found.state() is None
