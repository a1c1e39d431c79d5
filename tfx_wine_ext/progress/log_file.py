"""Redirects the output of a process to a file, so that people see only the progress."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tfx_wine_ext.files.choose import has_scheme
from tfx_wine_ext.masking import masked_addresses


@contextlib.contextmanager
def output_to_file(log: str | os.PathLike[str]) -> Iterator[tuple[TextIO, TextIO]]:
    r"""Appends everything that any code writes to stdout and stderr to a file.

    Python's logging, C++ code (TensorFlow, gRPC) and child processes all write to the file
    descriptors 1 and 2. These are redirected, and restored at the end. If one of them was closed
    before, it leads to /dev/null afterwards.

    Args:
        log: The file. Its folder is created.

    Yields:
        The previous stdout and stderr: the only way to reach a person inside the block.

    Raises:
        OSError: The file cannot be written.
        ValueError: It is an address, such as ``s3://...``.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with output_to_file(f"{folder}/log") as (stdout, stderr):
        ...         status = os.system("echo from a child process")
        ...     Path(folder, "log").read_text()
        'from a child process\n'
    """
    if has_scheme(os.fspath(log)):  # Else a folder called s3: would be made here.
        raise ValueError(
            f"log: expected a path on this machine, found {masked_addresses(str(log))}"
        )
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    _open_closed_descriptors()
    with path.open("ab") as stream, contextlib.ExitStack() as stack:
        _flush()
        # Closed last, after the descriptors have been restored.
        saved = []
        for descriptor in (1, 2):
            saved.append(os.dup(descriptor))
            stack.callback(os.close, saved[-1])
        # A character that the terminal lacks must not cause an error.
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
    with contextlib.suppress(OSError):  # The reader may be gone.
        stream.close()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # The stream may be closed, its reader gone, or the disk full: the work continues.
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


def _open_closed_descriptors() -> None:
    """Opens descriptors that the parent closed: a file opened later would get their numbers."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The new descriptor gets the lowest free number.
