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
from typing import Any

from tfx_wine_ext.cli.errors import CommandError

# What asks a program to end. Ctrl-C is taken as well, although Python raises KeyboardInterrupt for
# it: if that comes while `exec` runs a text, as dataclasses and templates do, Python kills the
# process at its end, even if the exception was caught.
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
# Seconds after which a signal is repeated: the first time, and the longest.
_AGAIN, _MOST_AGAIN = 0.05, 1.0


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
    """Raises `Ended` in the block where SIGINT, SIGTERM or SIGHUP would have ended the process.

    A signal that is ignored (as under ``nohup``) or that somebody else handles is left alone. Once
    one has come, more of them do not disturb the cleaning up.

    An exception that is raised wherever a signal comes can get lost: Python drops those of
    destructors and of weak references' callbacks, and Arrow drops what is raised while it imports
    pandas. The work would then go on to its end. So the signal is repeated until the block is left,
    and passed over while an `Ended` is being handled.
    """
    before: dict[int, Any] = {}
    left = threading.Event()
    print_unraisable = sys.unraisablehook

    def end(number: int, frame: types.FrameType | None) -> None:
        if left.is_set() or _is_ending(sys.exc_info()[1]):
            return
        if not repeater.is_alive():
            repeater.start()
        ended.append(number)
        raise Ended(ended[0])

    def repeat() -> None:
        wait = _AGAIN
        while not left.wait(wait):
            # To the main thread: in another one the signal would not end a call that waits.
            signal.pthread_kill(main_thread, ended[0])
            wait = min(2 * wait, _MOST_AGAIN)

    def pass_over(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, Ended):
            print_unraisable(unraisable)

    ended: list[int] = []
    main_thread = threading.main_thread().ident or 0
    repeater = threading.Thread(target=repeat, daemon=True)
    try:
        for number in (getattr(signal, name) for name in _ENDING if hasattr(signal, name)):
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                # Only possible in the main thread.
                with contextlib.suppress(ValueError):
                    signal.signal(number, end)
                    before[number] = handler
        sys.unraisablehook = pass_over
        yield
    finally:
        left.set()
        if repeater.is_alive():
            # Else a last signal would find the handler of before.
            repeater.join()
        sys.unraisablehook = print_unraisable
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_ending(error: BaseException | None) -> bool:
    """Whether an exception is, or came up while there was, an `Ended`."""
    while error is not None:
        if isinstance(error, Ended):
            return True
        error = error.__context__
    return False


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
