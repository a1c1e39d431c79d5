"""What every command shows in the same way: tables, text from data, and a bar while it reads."""

from __future__ import annotations

import contextlib
import operator
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
    console: Console | None = None,
) -> None:
    """Prints a table, as wide as the console at most: lines are broken between words.

    Args:
        headings: Of the columns.
        rows: Of each row its cells, a list being one of several lines; what could move the cursor
            is made visible.
        right: The headings of columns that are flush right, as numbers are.
        console: Where to; None: standard output.
    """
    import rich.box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    console = console or console_for_stdout()
    cells = [
        [
            Text("\n".join(map(printable, cell)))
            if isinstance(cell, list)
            else Text(printable(cell.text), cell.style)
            if isinstance(cell, Cell)
            else Text(printable(cell))
            for cell in row
        ]
        for row in rows
    ]
    texts = [
        [heading, *(row[i].plain for row in cells)]
        for i, heading in enumerate(map(printable, headings))
    ]
    lines = [max(cell_len(line) for text in each for line in text.split("\n")) for each in texts]
    words = [
        max(cell_len(word) for text in each for word in text.split() or [""]) for each in texts
    ]

    def broken(widths: Sequence[int]) -> tuple[int, int]:
        return sum(map(operator.lt, widths, words)), sum(map(operator.lt, widths, lines))

    # A space at each end, and between columns one, or three unless that breaks more of them.
    room = console.width - 1 - len(texts)
    narrow, wide = (fitted(lines, words, room - 2 * n) for n in (0, len(texts) - 1))
    roomy = broken(wide) <= broken(narrow)

    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, padding=(0, int(roomy)))
    for heading, width in zip(headings, wide if roomy else narrow):
        table.add_column(
            Text(printable(heading)),
            overflow="fold",
            justify="right" if heading in right else "left",
            width=width,
        )
    for row in cells:
        table.add_row(*row)
    console.print(table)


def fitted(lines: Sequence[int], words: Sequence[int], room: int) -> list[int]:
    """Returns widths of columns that break no word, or only the longest where there is no room.

    Args:
        lines: The width of each column's longest line.
        words: That of its longest word.
        room: What the widths may sum up to.

    Example:
        >>> fitted([6, 20, 50], [4, 10, 10], 40)
        [6, 20, 14]
        >>> fitted([6, 20, 50], [4, 10, 50], 40)
        [4, 10, 26]
    """
    widths = [max(1, min(word, room)) for word in words]
    columns = range(len(widths))
    for _ in range(sum(widths) - max(room, len(widths))):
        widths[max(columns, key=widths.__getitem__)] -= 1
    left = room - sum(widths)
    # Columns that lack little get it; what is left then is shared by those that lack more.
    lacking = sorted(columns, key=lambda i: lines[i] - words[i])
    for done, i in enumerate(lacking, start=1):
        lacks = max(0, lines[i] - widths[i])
        more = lacks if lacks <= left else max(0, left) // (len(columns) - done + 1)
        widths[i] += more
        left -= more
    return widths


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
