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
from tfx_wine_ext.cli.terminal import is_visible, printable

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
        parser: Where to.
        rows: What a line of the table is.
    """
    parser.add_argument(
        "--csv",
        metavar="FILE",
        help=f"write a table as CSV, {rows}; '-' for standard output, instead of the text",
    )


def check_outputs(options: argparse.Namespace) -> None:
    """Refuses outputs that would go to the same place, and a page on standard output.

    Args:
        options: The command's, with ``html``, ``json`` and ``csv``.

    Raises:
        CommandError: They cannot be written like this.
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
    """Refuses ``--html``, ``--json`` and ``--csv`` where they would replace a file that is read.

    Args:
        options: The command's.
        inputs: Paths of what is read.

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

    What is no visible character, or none that the encoding has, is escaped; it is the same JSON.

    Args:
        document: Without NaN and infinities.
        encoding: What the text must be possible to write in.

    Example:
        >>> json_text({"name": "a\x9b31m\u202e"})
        '{\n  "name": "a\\u009b31m\\u202e"\n}\n'
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:  # A path may be no text at all.
        return json.dumps(document, indent=2, allow_nan=False) + "\n"
    # What JSON itself leaves as it is stands within texts only, apart from its own line breaks.
    return "\n".join(map(_shown, text.split("\n"))) + "\n"


def _shown(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if is_visible(c) else json.dumps(c)[1:-1] for c in line)


@contextlib.contextmanager
def answering(
    path: str | None,
) -> Iterator[Callable[[Mapping[str, Any], Callable[[], None]], None]]:
    """Opens what the answer goes to, before the work.

    Args:
        path: What ``--json`` says: None, ``-``, or a file.

    Yields:
        A function of the document and of another that prints it for people, which writes and
        prints what is asked for.

    Raises:
        CommandError: The file cannot be written, or is likely none: ``show --json RUN`` asks for
            the run RUN, and not for a file of its name.
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
