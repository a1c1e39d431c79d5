"""What every command shows in the same way: tables, text from data, and a bar while it reads."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console

VERDICT_STYLES = {"DRIFT": "bold red", "INCONCLUSIVE": "magenta", "WARN": "yellow", "OK": "green"}
# Where nobody says how wide the terminal is: enough for a log, whose lines nobody wants folded.
LOG_WIDTH = 120
# Short work needs no bar, which would only flicker.
BAR_AFTER_SECONDS = 0.5


class Cell(NamedTuple):
    """A cell of a table in a style of rich, such as ``bold red``."""

    text: str
    style: str = ""


def console_for_stdout() -> Console:
    """Returns a console on standard output, in colours if it is a terminal."""
    from rich.console import Console

    class StdoutConsole(Console):
        def on_broken_pipe(self) -> None:
            # Rich would end the program with the status 1, which is drift's.
            raise BrokenPipeError

    return StdoutConsole(width=None if sys.stdout.isatty() else LOG_WIDTH)


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Cell | list[str]]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Prints a table.

    Args:
        headings: Of the columns.
        rows: Of each row its cells, a list being one of several lines; what could move the cursor
            is made visible.
        right: The headings of columns that are flush right, as numbers are.
        whole: The headings of columns that are not folded.
        console: Where to; None: standard output.
    """
    import rich.box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(
            Text(printable(heading)),
            overflow="fold",
            justify="right" if heading in right else "left",
            no_wrap=heading in whole,
        )
    for row in rows:
        table.add_row(
            *(
                Text("\n".join(map(printable, cell)))
                if isinstance(cell, list)
                else Text(printable(cell.text), cell.style)
                if isinstance(cell, Cell)
                else Text(printable(cell))
                for cell in row
            )
        )
    (console or console_for_stdout()).print(table)


def print_line(text: str, console: Console | None = None) -> None:
    """Prints a line of text, which is not folded, and in which nothing is an instruction."""
    if console is None:
        print(printable(text))
        return
    from rich.text import Text

    console.print(Text(printable(text)), soft_wrap=True)


def printable(text: str) -> str:
    r"""Returns text that cannot move the cursor or change colours: it may come from data.

    Example:
        >>> printable("caf\u00e9 \x1b[31m\n")
        'café \\x1b[31m\\n'
    """
    if text.isprintable():
        return text
    return "".join(c if is_visible(c) else c.encode("unicode_escape").decode("ascii") for c in text)


def is_visible(character: str) -> bool:
    r"""Tells whether a character shows as itself and leaves its neighbours where they are.

    None of these does: controls, marks that turn the direction of text or have no width, separators
    of lines, spaces other than the plain one, halves of pairs, characters for private use.

    Example:
        >>> [is_visible(c) for c in "é \u202e\u2028\x9b"]
        [True, True, False, False, False]
    """
    return character.isprintable()


@contextlib.contextmanager
def reading(
    size: int, *, shown: bool = True, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """Shows a bar on stderr while files are read, if that is a terminal and it takes long.

    Args:
        size: Bytes of all files.
        shown: Whether to show anything at all.
        console: Where to; None: stderr.

    Yields:
        A function that is to be told how many bytes have been read.
    """
    if not shown or (console is None and not sys.stderr.isatty()):
        yield lambda done: None
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    started = time.monotonic()
    bar = Progress(
        "reading",
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("reading", total=size)

    def show(done: int) -> None:
        if not bar.live.is_started and time.monotonic() - started >= BAR_AFTER_SECONDS:
            bar.start()
        bar.update(task, completed=done)

    try:
        yield show
    finally:
        bar.stop()
