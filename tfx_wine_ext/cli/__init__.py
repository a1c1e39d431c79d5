"""The command line, ``tfx-wine-ext``: one tool, with a subcommand for each task.

A subcommand is a module of this package with two functions: `add_parser`, which declares its
arguments, and `run`, which does the work and returns the exit status. What is slow to import is
imported in `run`, so that ``--help`` comes at once.
"""

from __future__ import annotations

import argparse
import io
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from tfx_wine_ext import __version__
from tfx_wine_ext.cli import diff, doctor, drift, history, ingest, lineage, runs, show, specs
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.terminal import printable

PROGRAM = "tfx-wine-ext"
ERROR_STATUS = 2
INTERRUPTED_STATUS = 130  # What shells report of a program that Ctrl-C ended.


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and exceptions that `main` prints."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message}; see {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line.

    Example:
        >>> build_parser().parse_args(["drift", "a.csv", "b.csv"]).baseline
        'a.csv'
    """
    parser = _Parser(
        prog=PROGRAM,
        description="Tools beside a TFX pipeline.",
        epilog=f"'{PROGRAM} COMMAND --help' tells all of a command, with examples.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (drift, ingest, runs, show, diff, history, lineage, specs, doctor):
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: The arguments; None: those of the process.

    Returns:
        The exit status: 0 if all is well, 1 if a check failed (drift: the data
        drifted; doctor: something is broken), 2 if there was an error,
        which has been printed as one line on stderr.

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
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a character must not end the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = build_parser().parse_args(argv)
        status: int = options.run(options)
        return status
    except CommandError as error:
        print(f"{PROGRAM}: error: {printable(str(error))}", file=sys.stderr)
        return ERROR_STATUS
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except Exception:
        # Python's own status for an exception is 1, which is drift's.
        traceback.print_exc()
        print(f"{PROGRAM}: error: this is a defect of {PROGRAM}; please report it", file=sys.stderr)
        return ERROR_STATUS
