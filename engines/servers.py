"""Starts servers, waits until they answer, and stops them whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from engines.checks import EngineError

HOST = "127.0.0.1"
STOP_SECONDS = 10.0
_TAIL_BYTES = 3000


def free_port() -> int:
    """Returns a port of 127.0.0.1 that nothing listens to."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Tells whether something listens to a port of 127.0.0.1.

    Example:
        >>> listens(free_port())
        False
    """
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def server(
    command: Sequence[str | os.PathLike[str]],
    log: Path,
    ready: Callable[[], bool],
    *,
    seconds: float = 60.0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server, in a process group of its own, as long as the block; then stops the group.

    Args:
        command: The command; it must stay in the foreground.
        log: What the server writes to stdout and stderr. Its folder is created.
        ready: Tells whether the server answers; asked until it does.
        seconds: How long it may take.
        cwd: Its working folder; default this one.
        env: Its environment; default this one.

    Yields:
        The process.

    Raises:
        EngineError: It ended, or does not answer in time. The message has the end of its log.

    Example:
        >>> import sys, tempfile
        >>> port = free_port()
        >>> command = [sys.executable, "-m", "http.server", "--bind", HOST, str(port)]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with server(command, Path(folder, "log"), lambda: listens(port)):
        ...         print(listens(port))
        ...     print(listens(port))
        True
        False
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,  # Ctrl-C reaches this process only, which then stops the group.
        )
    try:
        _await(process, command, log, ready, seconds)
        yield process
    finally:
        stop(process)


def end_by_signals() -> None:
    """Has `kill` and a closed terminal unwind this process as Ctrl-C does, which stops servers."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)


def _leave(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stops a server and its group: asked first, then killed; at once if Ctrl-C comes again."""
    try:
        _send(process, signal.SIGTERM)
    finally:
        _send(process, signal.SIGKILL)


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)


def _await(
    process: subprocess.Popen[bytes],
    command: Sequence[str | os.PathLike[str]],
    log: Path,
    ready: Callable[[], bool],
    seconds: float,
) -> None:
    until = time.monotonic() + seconds
    while not ready():
        status = process.poll()
        if status is not None or time.monotonic() > until:
            happened = "does not answer" if status is None else f"ended with status {status}"
            raise EngineError(f"{command[0]} {happened}; the end of {log}:\n{tail(log)}")
        time.sleep(0.1)


def tail(log: Path) -> str:
    """Returns the end of a text file, "" if there is none."""
    with contextlib.suppress(FileNotFoundError):
        return log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
    return ""
