"""Measures seconds and memory of work in a separate process, for the benchmarks.

The process imports what it needs, prints the line `BEGIN`, works, and prints `END`, a space and the
seconds that it took. Its parent samples the memory of the whole process tree (the sum of the
resident sets, which counts pages shared by two processes twice).
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

import psutil

# A sample takes a millisecond: often enough to see a peak, seldom enough not to slow anything.
SAMPLE_SECONDS = 0.05


@dataclasses.dataclass(frozen=True)
class Measured:
    """The measurements of one process.

    Attributes:
        seconds: Time from `BEGIN` to `END`, as the process reports it.
        peak: Peak memory of the process tree in that time, in MB.
        above: The rise above the peak before `BEGIN`, in MB.
    """

    seconds: float
    peak: float
    above: float


def measure(command: Sequence[str], environment: Mapping[str, str] = {}) -> Measured:
    """Runs a command that follows this module's protocol.

    Args:
        command: Program and arguments.
        environment: Additional environment variables.

    Raises:
        RuntimeError: It fails, or does not print its lines.
    """
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    peak = {"before": 0.0, "work": 0.0}
    phase = ["before"]

    def sample() -> None:
        while process.poll() is None:
            peak[phase[0]] = max(peak[phase[0]], tree_megabytes(process.pid))
            time.sleep(SAMPLE_SECONDS)

    errors: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    threads = [
        threading.Thread(target=sample),
        threading.Thread(target=lambda: errors.extend(process.stderr or [])),
    ]
    for thread in threads:
        thread.start()
    seconds = None
    for line in process.stdout:
        if line.startswith("BEGIN"):
            phase[0] = "work"
        elif line.startswith("END"):
            seconds = float(line.split()[1])
    for thread in threads:
        thread.join()
    if process.wait() or seconds is None:
        raise RuntimeError(f"{' '.join(command)} failed:\n{''.join(errors[-20:])}")
    return Measured(seconds, peak["work"], peak["work"] - peak["before"])


def tree_megabytes(pid: int) -> float:
    """Returns the resident set size of a process and all that it started, in MB."""
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return sum(process.memory_info().rss for process in tree) / 1e6
    except psutil.Error:  # one of them has just ended
        return 0.0
