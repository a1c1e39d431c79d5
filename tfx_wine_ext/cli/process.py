"""How a command handles the standard streams and the signals of its process."""

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

# The signals that ask a program to end. Ctrl-C is among them although Python raises
# KeyboardInterrupt for it: if that is raised while `exec` runs a text, as in dataclasses and
# templates, Python kills the process at its end, even if the exception was caught.
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
# Seconds after which a signal is repeated: the first wait, and the longest wait.
_AGAIN, _MOST_AGAIN = 0.05, 1.0


class Ended(BaseException):
    """A signal asked the process to end; unfinished work is cleaned up on the way out.

    It is not an `Exception`, so that no handler catches it and continues.

    Attributes:
        status: The status that shells report for a program that the signal ended: 128 plus its
            number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raises `Ended` in the block when SIGINT, SIGTERM or SIGHUP would end the process.

    A signal that is ignored (as under ``nohup``) or that has another handler is left alone. After
    the first signal, further signals do not disturb the cleanup.

    An exception that a signal handler raises can get lost: Python drops exceptions in destructors
    and in callbacks of weak references, and Arrow drops exceptions while it imports pandas. The
    work would then continue to its end. So the signal is repeated until the block is left, and
    ignored while an `Ended` is being handled.
    """
    before: dict[int, Any] = {}
    left = threading.Event()
    print_unraisable, print_uncaught = sys.unraisablehook, sys.excepthook

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
            # Sent to the main thread: in another thread, the signal would not interrupt a blocking
            # call.
            signal.pthread_kill(main_thread, ended[0])
            wait = min(2 * wait, _MOST_AGAIN)

    def pass_over(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, Ended):
            print_unraisable(unraisable)

    def pass_over_dropped(
        kind: type[BaseException], error: BaseException, traceback: types.TracebackType | None
    ) -> None:
        # Cython prints an exception that it drops as if nobody had caught it.
        if not isinstance(error, Ended):
            print_uncaught(kind, error, traceback)

    ended: list[int] = []
    main_thread = threading.main_thread().ident or 0
    repeater = threading.Thread(target=repeat, daemon=True)
    try:
        for number in (getattr(signal, name) for name in _ENDING if hasattr(signal, name)):
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                # Handlers can be set only in the main thread.
                with contextlib.suppress(ValueError):
                    signal.signal(number, end)
                    before[number] = handler
        sys.unraisablehook, sys.excepthook = pass_over, pass_over_dropped
        yield
    finally:
        left.set()
        if repeater.is_alive():
            # Otherwise a last signal would reach the previous handler.
            repeater.join()
        sys.unraisablehook, sys.excepthook = print_unraisable, print_uncaught
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_ending(error: BaseException | None) -> bool:
    """Whether an exception is an `Ended`, or was raised while one was being handled."""
    while error is not None:
        if isinstance(error, Ended):
            return True
        error = error.__context__
    return False


def prepare_streams() -> None:
    """Makes the standard streams safe to use, whatever state the parent left them in.

    A stream that the parent has closed is replaced. Otherwise the next opened file would get its
    number, and messages would be written into that file. Writing to a closed standard output is an
    error, as with a full one. A character that the terminal cannot show is escaped.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None and not _is_open(number):
            # For the output, a file that cannot be written to: losing output silently would be
            # wrong.
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
    """Surrounds the printing of the answer: its reader may leave, and the output may be full.

    A reader that stops early (``| head``) is no error and does not change the exit status.

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
    """Discards buffered output: Python flushes stdout when it exits, and would complain."""
    # In a test or a notebook, stdout may have no descriptor.
    with contextlib.suppress(OSError, ValueError):
        number = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
    with contextlib.suppress(OSError):
        sys.stdout.flush()


def say(text: str) -> None:
    """Prints a line on standard error; ignores a failure, since there is no other output for it."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
