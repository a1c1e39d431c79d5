"""How a command gives its answer: as text for people, and as a JSON document for programs."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.output_file import OutputFile, same_file

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


def json_text(document: Mapping[str, Any], encoding: str = "utf-8") -> str:
    """Returns a document as JSON text, for people too.

    Args:
        document: Without NaN and infinities.
        encoding: What the text must be possible to write in; what is not is escaped.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:  # A path may be no text at all.
        text = json.dumps(document, indent=2, allow_nan=False)
    return f"{text}\n"


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
            with readers_may_leave():
                if path == STDOUT:
                    sys.stdout.write(json_text(document, sys.stdout.encoding or "utf-8"))
                else:
                    show()

        yield answer


@contextlib.contextmanager
def readers_may_leave() -> Iterator[None]:
    """Lets what is printed be cut short (``| head``) without an error or another exit status."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more at its end, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
