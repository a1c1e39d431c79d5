"""What a command owes to the process that it runs in: its standard streams, and its signals."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import types
from collections.abc import Iterator
from typing import NoReturn

from tfx_wine_ext.cli.errors import CommandError

# What asks a program to end, beside Ctrl-C, which Python turns into KeyboardInterrupt by itself.
_ENDING = ("SIGTERM", "SIGHUP")


class Ended(BaseException):
    """A signal asks the process to end; what has been begun is cleaned up on the way out.

    Not an `Exception`, so that nothing goes on after it.

    Attributes:
        status: What shells report of a program that the signal ended: 128 and its number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raises `Ended` in the block where SIGTERM or SIGHUP would have ended the process at once.

    A signal that is ignored (as under ``nohup``) or that somebody else handles is left alone. Once
    one has come, more of them do not disturb the cleaning up.
    """
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]

    def end(number: int, frame: types.FrameType | None) -> NoReturn:
        for each in taken:
            signal.signal(each, signal.SIG_IGN)
        raise Ended(number)

    taken = []
    try:
        for number in numbers:
            if signal.getsignal(number) is signal.SIG_DFL:
                # Only possible in the main thread.
                with contextlib.suppress(ValueError):
                    signal.signal(number, end)
                    taken.append(number)
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def prepare_streams() -> None:
    """Makes the standard streams safe to use, whatever the parent has made of them.

    A stream that the parent has closed is replaced: its number would else be given to the next file
    that is opened, and messages be written into that. What is written to a closed standard output
    is an error, as on a full one. A character that the terminal cannot show is escaped.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None and not _is_open(number):
            # For the output, a file that cannot be written to: what is lost must not be in silence.
            mode = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            descriptor = os.open(os.devnull, mode)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            mode_of_text = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(number, mode_of_text, closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Surrounds what prints the answer: its reader may leave, and the output may be full.

    A reader who has seen enough (``| head``) is no error, and the exit status stays as it is.

    Raises:
        CommandError: Standard output cannot be written to, for instance because a disk is full.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        if error.filename is not None or error.errno not in _OUTPUT_ERRORS:
            raise
        _discard_output()
        raise CommandError(f"standard output: cannot be written ({error.strerror})") from error


_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EAGAIN)


def _discard_output() -> None:
    """Lets what is still buffered go nowhere: Python flushes stdout at its end, and complains."""
    # Under a test, or in a notebook, stdout may have no descriptor.
    with contextlib.suppress(OSError, ValueError):
        number = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
    with contextlib.suppress(OSError):
        sys.stdout.flush()


def say(text: str) -> None:
    """Prints a line on standard error; where that cannot be written to, there is nobody to tell."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
