"""One run at a time works on a folder, by real processes."""

from __future__ import annotations

import errno
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from examples.wine_quality import run, story
from examples.wine_quality.output_lock import (
    OutputFolderError,
    OutputInUseError,
    OutputLock,
    hold,
)

HOLD = (
    "import sys, pathlib; from examples.wine_quality.output_lock import OutputLock\n"
    "lock = OutputLock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(checkout: pathlib.Path, tmp_path: pathlib.Path):
    """Another process that works on the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_that_is_in_use_is_refused_with_who_uses_it_and_what_to_do(holder, tmp_path):
    with pytest.raises(OutputInUseError) as refused:
        OutputLock(tmp_path)
    message = str(refused.value)
    assert message.startswith(
        f"--output {tmp_path}: expected a folder that no other run is using, found it in use by "
        f"process {holder.pid}, since {time.strftime('%Y-')}"
    )
    assert message.endswith(" Wait for it to end, or name another folder with --output.")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_run_leaves_locks_nobody_out(holder, tmp_path, how):
    holder.send_signal(how)
    holder.wait()
    with OutputLock(tmp_path):
        assert f"process {os.getpid()}, since " in (tmp_path / ".lock").read_text()
    assert (tmp_path / ".lock").read_text() == ""
    OutputLock(tmp_path).close()


@pytest.mark.parametrize("command", [run, story])
def test_the_second_run_ends_at_once_and_touches_nothing(holder, tmp_path, command, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "metadata.db").write_text("the first one's store")

    assert command.main(["--output", str(tmp_path)]) == 2

    message = " ".join(capsys.readouterr().err.split())
    assert f"found it in use by process {holder.pid}, since" in message
    assert (tmp_path / "metadata.db").read_text() == "the first one's store"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "data", "metadata.db"]


def test_a_name_with_markup_is_shown_as_it_is(tmp_path, capsys):
    folder = tmp_path / "[red]x"
    with OutputLock(folder):
        assert run.main(["--output", str(folder)]) == 2
    assert str(folder) in capsys.readouterr().err.replace("\n", "")


@pytest.mark.parametrize("command", [run, story])
def test_an_output_that_cannot_be_a_folder_is_refused_with_the_reason(tmp_path, command, capsys):
    (tmp_path / "file").write_text("")
    assert command.main(["--output", str(tmp_path / "file")]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "expected a folder that can be written to, found: File exists. Name another" in message


def test_a_file_system_that_is_read_only_is_told():
    with pytest.raises(OutputFolderError, match=r"--output /proc/x: .* can be written to, found: "):
        OutputLock(pathlib.Path("/proc/x"))


def test_a_file_system_without_locks_is_told_and_used_with_a_mocked_flock(
    tmp_path, monkeypatch, capsys
):
    def flock(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with OutputLock(tmp_path):
        pass
    assert "its file system has no locks (No locks available)" in capsys.readouterr().err


def test_rubbish_in_the_lock_file_is_passed_over(holder, tmp_path):
    (tmp_path / ".lock").write_bytes(b"\x1b[31m\xff\x00" + b"x" * 10**6)
    with pytest.raises(OutputInUseError) as refused:
        OutputLock(tmp_path)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 2000


def test_a_notebook_holds_its_folder_and_may_run_its_cell_again(tmp_path):
    from examples.wine_quality.local_run import Output

    (tmp_path / "pipeline" / "x").mkdir(parents=True)
    (tmp_path / "metadata.db").touch()
    for _ in range(2):
        hold(tmp_path)
        Output(tmp_path).clear()
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    with pytest.raises(OutputInUseError, match=f"process {os.getpid()}, since"):
        OutputLock(tmp_path)
