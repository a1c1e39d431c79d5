"""What a command owes to the process that it runs in: its standard streams, and its signals."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any, NoReturn

from tfx_wine_ext.cli.errors import CommandError

# What asks a program to end. Ctrl-C is taken as well, although Python raises KeyboardInterrupt for
# it: if that comes while `exec` runs a text, as dataclasses and templates do, Python kills the
# process at its end, even if the exception was caught.
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
# Seconds after which a signal whose exception Python has swallowed is sent again.
_AGAIN = 0.01


class Ended(BaseException):
    """A signal asks the process to end; what has been begun is cleaned up on the way out.

    Not an `Exception`, so that nothing goes on after it.

    Attributes:
        number: The signal's.
        status: What shells report of a program that the signal ended: 128 and its number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.status = 128 + number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raises `Ended` in the block where SIGINT, SIGTERM or SIGHUP would have ended the process.

    A signal that is ignored (as under ``nohup``) or that somebody else handles is left alone. Once
    one has come, more of them do not disturb the cleaning up.
    """
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    before: dict[int, Any] = {}
    timers: list[threading.Timer] = []
    print_unraisable = sys.unraisablehook

    def end(number: int, frame: types.FrameType | None) -> NoReturn:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise Ended(number)

    def send_again(unraisable: sys.UnraisableHookArgs) -> None:
        """Serves the signals that come in a destructor or in the callback of a weak reference.

        Python drops the exceptions of both, and the work would go on as if there had been none.
        """
        error = unraisable.exc_value
        if not isinstance(error, Ended):
            print_unraisable(unraisable)
            return
        for each in before:
            signal.signal(each, end)
        # To the main thread: in another one the signal would not end a call that waits.
        main_thread = threading.main_thread().ident
        timers.append(threading.Timer(_AGAIN, signal.pthread_kill, [main_thread, error.number]))
        timers[-1].daemon = True
        timers[-1].start()

    try:
        for number in numbers:
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                # Only possible in the main thread.
                with contextlib.suppress(ValueError):
                    signal.signal(number, end)
                    before[number] = handler
        sys.unraisablehook = send_again
        yield
    finally:
        sys.unraisablehook = print_unraisable
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


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
