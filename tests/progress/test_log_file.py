"""What goes to the file, and what to the person."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from tfx_wine_ext.progress.log_file import output_to_file
print("before")
try:
    with output_to_file("new folder/log") as (stdout, stderr):
        print("by Python")
        print("by Python, an error", file=sys.stderr)
        os.write(2, b"by C++\\n")
        os.system("echo by a child")
        print("to the person", file=stdout)
        print("to the person, an error", file=stderr)
        if sys.argv[1] == "raise":
            raise RuntimeError("stopped")
finally:
    print("after")
"""


@pytest.mark.parametrize(("how", "status"), [("return", 0), ("raise", 1)])
def test_everything_goes_to_the_file_but_what_is_said_to_the_person(
    tmp_path: pathlib.Path, checkout: pathlib.Path, how: str, status: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status
    assert done.stdout == "before\nto the person\nafter\n"
    assert done.stderr.startswith("to the person, an error\n")
    assert ("RuntimeError: stopped" in done.stderr) is (how == "raise")
    log = (tmp_path / "new folder" / "log").read_text()
    assert sorted(log.splitlines()) == [
        "by C++",
        "by Python",
        "by Python, an error",
        "by a child",
    ]


def test_a_second_run_appends_and_no_descriptor_stays_open(tmp_path: pathlib.Path) -> None:
    from tfx_wine_ext.progress.log_file import output_to_file

    before = os.listdir("/proc/self/fd")
    for text in ("first\n", "second\n"):
        with output_to_file(tmp_path / "log"):
            os.write(1, text.encode())
    assert (tmp_path / "log").read_text() == "first\nsecond\n"
    assert os.listdir("/proc/self/fd") == before


def test_a_file_that_cannot_be_written_is_an_error_and_changes_nothing(
    tmp_path: pathlib.Path,
) -> None:
    from tfx_wine_ext.progress.log_file import output_to_file

    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), output_to_file(tmp_path / "file" / "log"):
        pytest.fail("nothing is run without a log")


def test_an_error_of_the_block_is_raised_whatever_its_type(tmp_path: pathlib.Path) -> None:
    from tfx_wine_ext.progress.log_file import output_to_file

    with pytest.raises(OSError, match="of the pipeline"), output_to_file(tmp_path / "log"):
        raise OSError("of the pipeline")
