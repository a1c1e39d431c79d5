"""How a command gives its answer: as text for people, and as a JSON document for programs."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.output_file import OutputFile, same_file
from tfx_wine_ext.cli.process import printing
from tfx_wine_ext.cli.terminal import is_visible

STDOUT = "-"


def add_json_option(parser: argparse._ActionsContainer) -> None:
    """Declares ``--json``."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        nargs="?",
        const=STDOUT,
        help="write the answer as JSON; without FILE or with '-' to standard output, in place of "
        "what is printed",
    )


def check_html(html: str | None, json_: str | None) -> None:
    """Refuses a page that would go to standard output, or into the file of the JSON document.

    Args:
        html: What ``--html`` says.
        json_: What ``--json`` says.

    Raises:
        CommandError: They cannot be written so.
    """
    if html == STDOUT:
        raise CommandError("--html: expected a file, found '-'; only --json goes to stdout")
    if html and json_ and same_file(html, json_):
        raise CommandError(f"--html and --json: expected two files, found {html} twice")


def keep_inputs(options: argparse.Namespace, inputs: Iterable[str]) -> None:
    """Refuses ``--html`` and ``--json`` where they would replace a file that is read.

    Args:
        options: The command's.
        inputs: Paths of what is read.

    Raises:
        CommandError: One of them names such a file.
    """
    outputs = {f"--{name}": getattr(options, name, None) for name in ("html", "json")}
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
