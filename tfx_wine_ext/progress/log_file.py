"""Sends the output of a process to a file, so that a person sees the progress and nothing else."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def output_to_file(log: str | os.PathLike[str]) -> Iterator[tuple[TextIO, TextIO]]:
    r"""Appends everything that is written to stdout and stderr to a file, whoever writes it.

    Python's logging, C++ code (TensorFlow, gRPC) and child processes all write to the file
    descriptors 1 and 2. These are redirected, and restored at the end. Where one of them was closed
    before, it leads to /dev/null afterwards.

    Args:
        log: The file. Its folder is created.

    Yields:
        What was stdout and stderr before: the only way to reach a person inside the block.

    Raises:
        OSError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with output_to_file(f"{folder}/log") as (stdout, stderr):
        ...         status = os.system("echo from a child process")
        ...     Path(folder, "log").read_text()
        'from a child process\n'
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    _open_closed_descriptors()
    with path.open("ab") as stream, contextlib.ExitStack() as stack:
        _flush()
        # Closed last, so that the descriptors are restored when they are.
        saved = []
        for descriptor in (1, 2):
            saved.append(os.dup(descriptor))
            stack.callback(os.close, saved[-1])
        # What a person sees must not fail over a character that their terminal has not.
        before = []
        for copy in saved:
            before.append(open(copy, "w", closefd=False, errors="replace"))  # noqa: SIM115
            stack.callback(_close, before[-1])
        try:
            for descriptor in (1, 2):
                os.dup2(stream.fileno(), descriptor)
            yield before[0], before[1]
        finally:
            _flush()
            for descriptor, copy in zip((1, 2), saved):
                os.dup2(copy, descriptor)


def _close(stream: TextIO) -> None:
    with contextlib.suppress(OSError):  # Its reader may be gone.
        stream.close()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # The stream may be closed, its reader gone, or the disk full: the work goes on.
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


def _open_closed_descriptors() -> None:
    """Opens those that the parent has closed: a file opened later would get their number."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # It gets the lowest number that is free.
