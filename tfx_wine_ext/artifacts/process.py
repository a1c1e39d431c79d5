"""The process that ran a component, and whether it still exists.

In the metadata store an execution stays RUNNING until its end is recorded, which a killed process
cannot do. So the driver records its process with the run, and readers on the same machine can check
whether that process still exists.
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
    """The identity of a process, distinct from all others of a machine since it was booted.

    Attributes:
        pid: Its process id.
        host: Name of the machine, for people.
        boot: The machine's boot id, which its containers share; "" if unknown.
        namespace: The namespace of its process id; each container has its own.
        started: Start time in the kernel's ticks since `boot`, which distinguishes reused process
            ids. None if unknown.

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
        """Reads what `to_json` wrote; None if it is invalid."""
        try:
            fields = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(fields, dict):
            return None
        pid, started = fields.get("pid"), fields.get("started")
        # `os.kill` interprets 0 and negative numbers as groups of processes.
        if type(pid) is not int or not 0 < pid < 2**31:
            return None
        host, boot, namespace = (
            field if isinstance(field, str) else ""
            for field in (fields.get("host"), fields.get("boot"), fields.get("namespace"))
        )
        return cls(pid, host, boot, namespace, started if type(started) is int else None)

    def state(self) -> str | None:
        """Returns `ALIVE` or `ENDED`; None if it cannot be determined, as on another machine."""
        here = this_process()
        if not self.boot or (self.boot, self.namespace) != (here.boot, here.namespace):
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return ENDED
        except OSError:
            pass  # It exists and belongs to another user.
        current = _stat(str(self.pid))
        if current is None or self.started is None:
            return None
        state, started = current
        return ENDED if started != self.started or state in _NO_LONGER_RUNNING else ALIVE


def this_process() -> Process:
    """Returns the process that calls this.

    Example:
        >>> this_process().pid == os.getpid()
        True
    """
    current = _stat("self")
    return Process(
        pid=os.getpid(),
        host=socket.gethostname(),
        boot=_read(lambda: Path("/proc/sys/kernel/random/boot_id").read_text().strip()),
        namespace=_read(lambda: os.readlink("/proc/self/ns/pid")),
        started=current[1] if current else None,
    )


def _read(read: Callable[[], str]) -> str:
    """Returns the content of a kernel file; "" if it does not exist."""
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
