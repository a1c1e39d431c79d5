"""Output that all commands share: tables, lines, and a progress bar."""

from __future__ import annotations

import contextlib
import operator
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tfx_wine_ext.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

VERDICT_STYLES = {"DRIFT": "bold red", "INCONCLUSIVE": "magenta", "WARN": "yellow", "OK": "green"}
# The width if the terminal's is unknown: enough for a log, whose lines should not be folded.
LOG_WIDTH = 120
# For short work, a bar would only flicker.
BAR_AFTER_SECONDS = 0.5


class Cell(NamedTuple):
    """A cell of a table with a style of rich, such as ``bold red``."""

    text: str
    style: str = ""


def console_for_stdout() -> Console:
    """Returns a console on standard output, in colours if it is a terminal."""
    from rich.console import Console

    class StdoutConsole(Console):
        def on_broken_pipe(self) -> None:
            # Rich would exit with status 1, which means drift.
            raise BrokenPipeError

    return StdoutConsole(width=None if sys.stdout.isatty() else LOG_WIDTH)


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Cell | list[str]]],
    *,
    right: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Prints a table that is at most as wide as the console; lines are broken between words.

    Args:
        headings: The headings of the columns.
        rows: The cells of each row; a list is a cell of several lines. Characters that could move
            the cursor are made visible.
        right: The headings of right-aligned columns, such as numbers.
        console: Where to print. Default: None, standard output.
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
    lines = [
        max(cell_len(line) for text in column for line in text.split("\n")) for column in texts
    ]
    words = [
        max(cell_len(word) for text in column for word in text.split() or [""]) for column in texts
    ]

    def broken(widths: Sequence[int]) -> tuple[int, int]:
        return sum(map(operator.lt, widths, words)), sum(map(operator.lt, widths, lines))

    # One space at each end. Three between columns, or one if three would break more cells.
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
    """Returns column widths that break no word, or only the longest words if room is short.

    Args:
        lines: The length of each column's longest line.
        words: The length of each column's longest word.
        room: The largest sum of the widths.

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
    # Columns that need little more get it; the columns that need more share the rest.
    lacking = sorted(columns, key=lambda i: lines[i] - words[i])
    for done, i in enumerate(lacking, start=1):
        lacks = max(0, lines[i] - widths[i])
        more = lacks if lacks <= left else max(0, left) // (len(columns) - done + 1)
        widths[i] += more
        left -= more
    return widths


def print_line(text: str, console: Console | None = None) -> None:
    """Prints a line of text without folding it and without interpreting markup."""
    if console is None:
        print(printable(text))
        return
    from rich.text import Text

    console.print(Text(printable(text)), soft_wrap=True)


@contextlib.contextmanager
def reading(
    size: int, *, shown: bool = True, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """Shows a bar on stderr while files are read, if stderr is a terminal and reading takes long.

    Args:
        size: The size of all files in bytes.
        shown: Whether to show anything at all.
        console: Where to show it. Default: None, stderr.

    Yields:
        A function to call with the number of bytes read.
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
