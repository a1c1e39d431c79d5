"""What the command line shows of a drift report: a sentence, a table, and a bar while it reads."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.drift.ranking import limit_of, nearness, severity

if TYPE_CHECKING:
    from rich.console import Console

Document = Mapping[str, Any]

STYLES = {"DRIFT": "bold red", "INCONCLUSIVE": "magenta", "WARN": "yellow", "OK": "green"}
MOST_FEATURES = 50
MOST_METRICS = 3
# Where nobody says how wide the terminal is: enough for a log, whose lines nobody wants folded.
LOG_WIDTH = 120
# Short work needs no bar, which would only flicker.
BAR_AFTER_SECONDS = 0.5


def sentence(document: Document) -> str:
    """Says in one sentence what was compared, the verdict, and why.

    Args:
        document: The report document.

    Example:
        >>> side = {"name": "a.csv", "rows": 3262}
        >>> sentence({"verdict": "WARN", "reasons": ["1 of 12 features drifted or came near it"],
        ...           "baseline": side, "current": {"name": "b.csv", "rows": 1}})
        'WARN from a.csv (3,262 rows) to b.csv (1 row): 1 of 12 features drifted or came near it.'
    """
    sides = " to ".join(
        f"{printable(side['name'])} ({side['rows']:,} row{'' if side['rows'] == 1 else 's'})"
        for side in (document["baseline"], document["current"])
    )
    reasons = "; ".join(map(printable, document["reasons"])) or "no feature drifted"
    return f"{document['verdict']} from {sides}: {reasons}."


def print_features(document: Document, console: Console | None = None) -> None:
    """Prints a table of the features, worst first, with the metrics that decided.

    Args:
        document: The report document.
        console: Where to; None: standard output, in colours if it is a terminal.
    """
    import rich.box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if console is None:
        console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH)
    features = sorted(document["features"], key=severity)
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("feature", "kind", "verdict", "why"):
        table.add_column(heading, overflow="fold")
    for feature in features[:MOST_FEATURES]:
        verdict = feature["verdict"]
        table.add_row(
            Text(printable(feature["name"])),
            feature["kind"],
            Text(verdict, STYLES[verdict]),
            Text(_why(feature), "dim" if verdict == "OK" else ""),
        )
    console.print(table)
    if len(features) > MOST_FEATURES:
        console.print(
            f"... and {len(features) - MOST_FEATURES:,} more features, none of them worse: "
            "--json and --html have all of them\n",
            markup=False,
            soft_wrap=True,
            highlight=False,
        )


def _why(feature: Document) -> str:
    """Says what decided about a feature; of one that is OK, what came nearest to a limit."""
    metrics = sorted(
        feature["metrics"].items(),
        key=lambda item: -nearness(item[1]["value"], item[1]["threshold"]),
    )
    if feature["verdict"] == "OK":
        metrics = metrics[:1]
    else:
        metrics = [item for item in metrics if item[1]["verdict"] == feature["verdict"]]
    if not metrics:
        return "; ".join(map(printable, feature["reasons"]))
    return ", ".join(_metric(name, metric) for name, metric in metrics[:MOST_METRICS])


def _metric(name: str, metric: Document) -> str:
    level = limit_of(metric)
    limit = "no limit" if level is None else f"limit {level:g}"
    error = f" ± {metric['error']:.2g}" if metric["error"] else ""
    return f"{name} {metric['value']:.3g}{error} ({limit})"


def printable(text: str) -> str:
    r"""Returns text that cannot move the cursor or change colours: it may come from data.

    Example:
        >>> printable("caf\u00e9 \x1b[31m\n")
        'café \\x1b[31m\\n'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


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
