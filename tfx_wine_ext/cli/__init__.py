"""The command line, ``tfx-wine-ext``: one tool, with a subcommand for each task.

A subcommand is a module of this package with two functions: `add_parser`, which declares its
arguments, and `run`, which does the work and returns the exit status. Slow imports happen in `run`,
so that ``--help`` appears at once.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Sequence

from tfx_wine_ext import __version__
from tfx_wine_ext.cli import diff, doctor, drift, history, ingest, lineage, runs, show, specs
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.parser import Parser
from tfx_wine_ext.cli.process import Ended, ended_by_signals, prepare_streams, printing, say
from tfx_wine_ext.files.local import RemoteError
from tfx_wine_ext.masking import masked_addresses
from tfx_wine_ext.printable import printable

PROGRAM = "tfx-wine-ext"
ERROR_STATUS = 2
INTERRUPTED_STATUS = 130  # The status that shells report for a program that Ctrl-C ended.


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line.

    Example:
        >>> build_parser().parse_args(["drift", "a.csv", "b.csv"]).baseline
        'a.csv'
    """
    parser = Parser(
        prog=PROGRAM,
        description="Compare data, convert data, and inspect the runs of TFX pipelines.",
        epilog=f"'{PROGRAM} COMMAND --help' shows the options of a command, with examples.",
    )
    parser.add_argument(
        "--traceback",
        action="store_true",
        help="after an error, also show the Python traceback, for a bug report",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (drift, ingest, runs, show, diff, history, lineage, specs, doctor):
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: The arguments. Default: None, the arguments of the process.

    Returns:
        The exit status: 0 if all is well, 1 if a check failed (drift: the data drifted; doctor:
        something is broken), 2 if there was an error, which has been printed as one line on
        stderr; 130, 143 or 129 if Ctrl-C, SIGTERM or SIGHUP ended it. Whatever the error, no file
        is left half-written.

    Raises:
        SystemExit: with the status 0, after ``--help`` and ``--version``.

    Example:
        >>> import contextlib
        >>> with contextlib.redirect_stderr(sys.stdout):
        ...     main(["drift", "no-such-file", "other.csv"])
        tfx-wine-ext: error: no-such-file: expected a file, a folder or a pattern that matches, \
found nothing there; check the path
        2
    """
    prepare_streams()
    # Some addresses are read by TensorFlow, which has much to say when it is loaded.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        with ended_by_signals():
            options = None
            with printing():
                options = build_parser().parse_args(arguments)
            if options is None:  # The user asked for help and has got it.
                return 0
            _check_values(options, arguments)
            status: int = options.run(options)
            return status
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except Ended as ended:
        return ended.status
    except Exception as error:  # Python itself would exit with 1, the status that means drift.
        # Looked up in the raw arguments, since parsing them may be what failed.
        if arguments[:1] == ["--traceback"]:
            lines = masked_addresses(traceback.format_exc()).splitlines()
            say("\n".join(map(printable, lines)))
        say(f"{PROGRAM}: error: {printable(_cut(masked_addresses(_message(error))))}")
        return ERROR_STATUS


def _check_values(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    """Refuses empty texts: they come from a shell variable that is not set."""
    given = {text.partition("=")[0] for text in arguments}
    for name, value in vars(options).items():
        if value == "" or (isinstance(value, list) and "" in value):
            option = f"--{name.replace('_', '-')}"
            raise CommandError(
                f"{option if option in given else name}: expected a value, found an empty text; "
                "is a variable of the shell not set?"
            )


def _message(error: Exception) -> str:
    """Says in one line what happened, and what to do about it."""
    text = " ".join(str(error).split())
    if isinstance(error, (CommandError, RemoteError)):
        return text
    if isinstance(error, MemoryError):
        return (
            "there is not enough memory for this"
            + (f" ({text})" if text else "")
            + "; run it where there is more, or on less data"
        )
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}; {_OF_THE_MACHINE[error.errno]}"
    kind = type(error).__name__
    return (
        f"{kind}{f': {text}' if text else ''}; this is a defect of {PROGRAM}: please report it, "
        f"with what {PROGRAM} --traceback ... prints"
    )


def _cut(text: str) -> str:
    """Cuts a long message in the middle, so that it fits on a screen whatever the data hold."""
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN * 3 // 4]} ... {text[-400:]}"


_MOST_SHOWN = 4_000

# Failures of the system: no program can foresee them, and reporting them as bugs will not help.
_OF_THE_MACHINE = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some space, or write elsewhere",
    errno.EFBIG: "write elsewhere, or raise the limit (ulimit -f)",
    errno.EROFS: "write elsewhere",
    errno.EMFILE: "raise the limit (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "run it where there is more memory",
    errno.EIO: "check the disk",
    errno.EACCES: "ask for the permission, or name another path",
    errno.EPERM: "ask for the permission, or name another path",
}
