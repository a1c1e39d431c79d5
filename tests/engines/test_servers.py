from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from engines.checks import EngineError
from engines.servers import HOST, free_port, listens, server


def serve(port: int) -> list[str]:
    return [sys.executable, "-m", "http.server", "--bind", HOST, str(port)]


def test_a_server_answers_within_the_block_and_not_after_an_error_in_it(
    tmp_path: pathlib.Path,
) -> None:
    port = free_port()

    def use() -> None:
        with server(serve(port), tmp_path / "new" / "log", lambda: listens(port)):
            assert listens(port)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert not listens(port)


def test_a_server_that_ends_is_an_error_with_its_last_words(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no disk')"]
    started = server(command, tmp_path / "log", lambda: False)
    with pytest.raises(EngineError, match=r"ended with status 1; the end of .*log:\nno disk"):
        started.__enter__()


def test_a_server_that_does_not_answer_is_stopped_with_its_children(
    tmp_path: pathlib.Path,
) -> None:
    child = tmp_path / "child"
    script = (
        "import os, signal, subprocess, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        f"open({str(child)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid))\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", script]
    started = server(command, tmp_path / "log", lambda: False, seconds=1)
    with pytest.raises(EngineError, match="does not answer"):
        started.__enter__()
    pid = int(child.read_text())
    for _ in range(50):
        if not pathlib.Path(f"/proc/{pid}").exists() or "Z" in state(pid):
            return
        time.sleep(0.1)
    raise AssertionError(f"{pid} still runs")


def state(pid: int) -> str:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_target_that_is_interrupted_stops_its_server(
    tmp_path: pathlib.Path, checkout: pathlib.Path, number: signal.Signals
) -> None:
    port = free_port()
    script = (
        "import sys, time, signal, pathlib\n"
        # A shell has the programs that it runs in the background ignore SIGINT.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from engines import servers\n"
        "servers.end_by_signals()\n"
        f"with servers.server({serve(port)!r}, pathlib.Path({str(tmp_path)!r}, 'log'),\n"
        f"                    lambda: servers.listens({port})):\n"
        "    print('up', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.send_signal(number)
    process.wait(30)
    assert not listens(port)


def test_a_second_interrupt_kills_a_server_that_takes_its_time_to_end(
    tmp_path: pathlib.Path, checkout: pathlib.Path
) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    script = (
        "import pathlib, signal, sys, time\n"
        "from engines import servers\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"log = pathlib.Path({str(tmp_path)!r}, 'log')\n"
        f"command = [sys.executable, '-c', {deaf!r}]\n"
        "with servers.server(command, log, lambda: True) as process:\n"
        "    time.sleep(0.5); print(process.pid, flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert process.wait(5) != 0
    assert not pathlib.Path(f"/proc/{pid}").exists() or state(pid) == "Z"
