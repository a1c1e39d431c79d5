"""How a command gives its answer: as text for people, as JSON or CSV for programs."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.output_file import OutputFile, same_file
from tfx_wine_ext.cli.process import printing
from tfx_wine_ext.printable import printable

STDOUT = "-"


def add_json_option(parser: argparse._ActionsContainer) -> None:
    """Declares ``--json``."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        nargs="?",
        const=STDOUT,
        help="write the result as JSON: to FILE, or without FILE (or with '-') to standard output "
        "instead of the text",
    )


def add_csv_option(parser: argparse._ActionsContainer, rows: str) -> None:
    """Declares ``--csv``.

    Args:
        parser: The parser to add the option to.
        rows: What one line of the table stands for, for the help text.
    """
    parser.add_argument(
        "--csv",
        metavar="FILE",
        help=f"write a table as CSV, {rows}; '-' for standard output, instead of the text",
    )


def check_outputs(options: argparse.Namespace) -> None:
    """Refuses outputs that would go to the same place, and a page on standard output.

    Args:
        options: The command's options, with ``html``, ``json`` and ``csv``.

    Raises:
        CommandError: The outputs cannot be written like this.
    """
    given = {f"--{name}": getattr(options, name) for name in ("html", "json", "csv")}
    given = {option: path for option, path in given.items() if path is not None}
    if given.get("--html") == STDOUT:
        raise CommandError(
            "--html: expected a file, found '-'; only --json and --csv can go to standard output"
        )
    for (one, path), (other, other_path) in itertools.combinations(given.items(), 2):
        if path == other_path == STDOUT:
            raise CommandError(
                f"{one} and {other}: expected one of them on standard output, found both; name a "
                "file for one"
            )
        if STDOUT not in (path, other_path) and same_file(path, other_path):
            raise CommandError(f"{one} and {other}: expected two files, found {path} twice")


def keep_inputs(options: argparse.Namespace, inputs: Iterable[str]) -> None:
    """Refuses ``--html``, ``--json`` and ``--csv`` if they would replace a file that is read.

    Args:
        options: The command's options.
        inputs: The paths of the files that are read.

    Raises:
        CommandError: One of them names such a file.
    """
    outputs = {f"--{name}": getattr(options, name, None) for name in ("html", "json", "csv")}
    files = {option: path for option, path in outputs.items() if path not in (None, STDOUT)}
    read = {os.path.realpath(path) for path in inputs} if files else set()
    for option, path in files.items():
        if os.path.isfile(path) and os.path.realpath(path) in read:
            raise CommandError(
                f"{option} {path}: expected a file to write, found one that is read; name another"
            )


def json_text(document: Mapping[str, Any], encoding: str = "utf-8") -> str:
    r"""Returns a document as JSON text, for people too: nothing in it moves a terminal's cursor.

    Characters that are invisible or missing from the encoding are escaped; the JSON means the same.

    Args:
        document: Without NaN and infinities.
        encoding: The encoding that must be able to represent the text.

    Example:
        >>> json_text({"name": "a\x9b31m\u202e"})
        '{\n  "name": "a\\u009b31m\\u202e"\n}\n'
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:  # A path may not be valid text.
        return json.dumps(document, indent=2, allow_nan=False) + "\n"
    # Apart from line breaks, characters that JSON does not escape occur only within strings.
    return "\n".join(map(_shown, text.split("\n"))) + "\n"


def _shown(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


@contextlib.contextmanager
def answering(
    path: str | None,
) -> Iterator[Callable[[Mapping[str, Any], Callable[[], None]], None]]:
    """Opens the destination of the answer before the work starts.

    Args:
        path: The value of ``--json``: None, ``-``, or a file.

    Yields:
        A function that writes and prints what was asked for. It takes the document, and a function
        that prints the document for people.

    Raises:
        CommandError: The file cannot be written, or was probably not meant as one. In ``show --json
            RUN``, RUN is a run, not a file.
    """
    if path not in (None, STDOUT) and not (os.sep in path or path.endswith(".json")):
        raise CommandError(
            f"--json {path}: expected a name that ends in .json or has a folder, or nothing; for "
            f"standard output put --json last, for this file say ./{path}"
        )
    with contextlib.ExitStack() as stack:
        file = None if path in (None, STDOUT) else stack.enter_context(OutputFile(path))

        def answer(document: Mapping[str, Any], show: Callable[[], None]) -> None:
            if file:
                file.write(json_text(document))
            with printing():
                if path == STDOUT:
                    sys.stdout.write(json_text(document, sys.stdout.encoding or "utf-8"))
                else:
                    show()

        yield answer


def print_csv(text: str) -> None:
    """Writes a table to standard output; on a terminal nothing in it moves the cursor."""
    if sys.stdout.isatty():
        text = "\n".join(map(printable, text.split("\r\n")))
    sys.stdout.write(text)
