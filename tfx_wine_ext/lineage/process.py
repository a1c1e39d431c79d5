"""Which process ran a component, and whether that process is still there.

The metadata store says RUNNING of an execution until somebody writes that it has ended. A process
that was killed writes nothing. So the driver leaves beside the run which process it is in, and
whoever reads the store on the same machine can look whether that process is still there.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

ALIVE, ENDED = "alive", "ended"

# Fields of /proc/PID/stat, counted behind the name of the program, which may have spaces in it.
# Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
_STATE, _START_TIME = 0, 19
_NO_LONGER_RUNNING = ("Z", "X", "x")


@dataclasses.dataclass(frozen=True)
class Process:
    """A process, as it can be told from all others of this machine, since it was last started.

    Attributes:
        pid: Its number.
        host: Name of the machine, for people.
        boot: Identity of the machine's start, which containers on it share; "" if not known.
        namespace: The processes that its number counts among: each container has its own.
        started: When it was started, in the kernel's ticks since `boot`; numbers are used again,
            but not at the same time. None if not known.

    Example:
        >>> Process.from_json(this_process().to_json()).state() in (ALIVE, None)
        True
        >>> Process.from_json("[]") is None
        True
    """

    pid: int
    host: str
    boot: str
    namespace: str
    started: int | None

    def to_json(self) -> str:
        """The process as JSON text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: object) -> Process | None:
        """Reads what `to_json` wrote; None if it is something else."""
        try:
            found = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            return None
        pid, started = found.get("pid"), found.get("started")
        # `os.kill` knows 0 and negative numbers as groups of processes.
        if type(pid) is not int or not 0 < pid < 2**31:
            return None
        host, boot, namespace = (
            each if isinstance(each, str) else ""
            for each in (found.get("host"), found.get("boot"), found.get("namespace"))
        )
        return cls(pid, host, boot, namespace, started if type(started) is int else None)

    def state(self) -> str | None:
        """Returns `ALIVE` or `ENDED`; None where that cannot be told, as on another machine."""
        here = this_process()
        if not self.boot or (self.boot, self.namespace) != (here.boot, here.namespace):
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return ENDED
        except OSError:
            pass  # It is there, and of another user.
        found = _stat(str(self.pid))
        if found is None or self.started is None:
            return None
        state, started = found
        return ENDED if started != self.started or state in _NO_LONGER_RUNNING else ALIVE


def this_process() -> Process:
    """Returns the process that calls this.

    Example:
        >>> this_process().pid == os.getpid()
        True
    """
    found = _stat("self")
    return Process(
        pid=os.getpid(),
        host=socket.gethostname(),
        boot=_read(lambda: Path("/proc/sys/kernel/random/boot_id").read_text().strip()),
        namespace=_read(lambda: os.readlink("/proc/self/ns/pid")),
        started=found[1] if found else None,
    )


def _read(read: Callable[[], str]) -> str:
    """Returns what the kernel says; "" where it is not Linux, or does not say."""
    try:
        return read()
    except OSError:
        return ""


def _stat(process: str) -> tuple[str, int] | None:
    """Returns state and start time of a process."""
    text = _read(lambda: Path(f"/proc/{process}/stat").read_text(errors="replace"))
    fields = text.rpartition(")")[2].split()
    try:
        return fields[_STATE], int(fields[_START_TIME])
    except (IndexError, ValueError):
        return None
