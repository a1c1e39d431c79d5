"""Four spans of wine, one after the other: `python -m examples.wine_quality.story`."""

from __future__ import annotations

import argparse
import posixpath
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from examples.wine_quality.console import (
    command,
    console,
    first,
    loading,
    new_log,
    noise_to_file,
    say,
    say_command,
    say_error,
    say_places,
    short,
    transferred,
    warn_of_sample,
)
from examples.wine_quality.data import WineData, WineDataError, cut, load, write_spans
from examples.wine_quality.output_lock import LOCK_FILE, OutputFolderError, OutputLock
from tfx_wine_ext.progress import ComponentEnded, ComponentStarted, Event, observe_progress
from tfx_wine_ext.progress.live_line import LiveLine, duration, ticking
from tfx_wine_ext.progress.show import count

if TYPE_CHECKING:
    from examples.wine_quality.local_run import Output
    from tfx_wine_ext.lineage.runs import Run

_DESCRIPTION = """\
Sends four spans through the wine pipeline, as if each were a delivery: the white wines in three
parts, in the order of their file, then the red wines. Training continues from one model to the
next: its variables are restored, or remapped where the new data have other means. The red wines
are not the data that the model was made for: the drift gate must stop the pipeline before anything
is trained on them. The story prints what happened and writes a page with the history of all runs.
"""
_EPILOG = """\
The exit status is 0 if the story ended as it should: three models were trained, the gate stopped
the red wines, and no model was trained on them. It is 2 if the arguments are wrong or another run
is using OUTPUT, and 1 otherwise. What an earlier story left in OUTPUT is removed first.
"""
WHITE_PARTS = 3
GATE = "DriftReport"
# On a narrower terminal, the words in the cells of the table would be broken.
TABLE_WIDTH = 80
_STORE = "metadata.db"
# SQLite's journal remains if a story was killed.
_MADE = ("data", "history.html", "logs", _STORE, f"{_STORE}-journal", "pipeline", "serving")


@dataclass(frozen=True)
class Span:
    """A delivery of wine.

    Attributes:
        name: What a person calls it.
        table: Its rows.
    """

    name: str
    table: pa.Table


class SpanProgress:
    """An observer that shows which component of a span runs, and how long all of them took.

    Args:
        line: Shows the running component and prints the others.
        name: The span.
        total: Number of components.
    """

    def __init__(self, line: LiveLine, name: str, total: int) -> None:
        """Starts the clock."""
        self._line = line
        self._name = name
        self._total = total
        self._ended = 0
        self._started = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Handles an event."""
        if isinstance(event, ComponentStarted):
            number, started = count(self._ended + 1, self._total), time.monotonic()
            # What changes comes first: the end is cut off where the terminal is narrow.
            self._line.show(
                lambda: (
                    f"{number} {event.component} ... {duration(time.monotonic() - started)}"
                    f"   {self._name}"
                )
            )
        elif isinstance(event, ComponentEnded):
            self._ended += 1

    def close(self, outcome: str) -> None:
        """Says how long all of it took, and how it ended."""
        seconds = time.monotonic() - self._started
        self._line.show(None)
        self._line.print(f"{self._name:<34} {seconds:5.1f} s  {outcome}")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.wine_quality.story",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/story"),
        help="folder of all results (%(default)s)",
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="a folder with wine-quality.csv and winequality-red.csv; without it they are looked "
        "for in the places that `python -m examples.wine_quality.run --help` lists",
    )
    parser.add_argument(
        "--model",
        choices=("dnn", "trees"),
        default="dnn",
        help="a Keras network, or boosted trees (%(default)s)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the story once.

    Args:
        arguments: The command line; default that of the process.

    Returns:
        The exit status.
    """
    started = time.monotonic()
    options = parse_arguments(arguments)
    try:
        check_own(options.output)
        lock = OutputLock(options.output)
    except (FileExistsError, OutputFolderError) as error:
        say_error(error)
        return 1 if isinstance(error, FileExistsError) else 2
    with lock:
        try:
            return _main(options, started)
        except KeyboardInterrupt:
            say(console(sys.stdout), "interrupted", "bold red")
            return 130


def _main(options: argparse.Namespace, started: float) -> int:
    """Runs the story once, in a folder that no other run is using."""
    log = new_log(options.output)
    try:
        with ticking(sys.stdout, "looking for the wine data ...", elsewhere=False):
            white, red = load_both(options.data)
        spans = deliveries(white.table, red.table)
        start_afresh(options.output)
        write_spans([span.table for span in spans], options.output / "data")
    except (WineDataError, FileExistsError) as error:
        say_error(error)
        return 1
    with noise_to_file(log) as terminal:
        for data in (white, red):
            say(terminal, f"data    {short(data.path)} ({data.table.num_rows:,} rows)")
        say_places(terminal, options.output, log)
        warn_of_sample(terminal, white, red)
        output, runs = run_all(terminal, spans, options, log)
        page = write_history(runs, output, options.output)
        terminal.print(table(runs, spans, terminal.width))
        say_what_was_transferred(terminal, runs)
        say_where(terminal, runs, options.output, page)
        wrong = what_went_wrong(runs)
        for sentence in wrong:
            say(terminal, f"{sentence} The log has the details: {log}", "bold red")
        say(terminal, f"{time.monotonic() - started:.0f} s in all")
    return 1 if wrong else 0


def load_both(folder: str | None) -> tuple[WineData, WineData]:
    """Finds the white and the red wines.

    Raises:
        WineDataError: As for `load`, or one file is named for both.
    """
    white, red = load(folder, kind="white"), load(folder, kind="red")
    if white.source == "real" and white.path == red.path:
        raise WineDataError(
            f"{white.path}: expected a folder with the white and the red wines, found one file for "
            "both. Name the folder with --data or $WINE_QUALITY_DATA."
        )
    return white, red


def deliveries(white: pa.Table, red: pa.Table) -> list[Span]:
    """Returns the spans in the order in which they are delivered.

    The order of the file comes closest to an order in time: neighbours in it are alike, and each
    part differs a little from the previous one, as deliveries do. In random order the parts would
    differ by chance only.
    """
    parts = [
        Span(f"white wine, part {number} of {WHITE_PARTS}", part)
        for number, part in enumerate(cut(white, WHITE_PARTS), start=1)
    ]
    return [*parts, Span("red wine", red)]


def check_own(output: Path) -> None:
    """Checks that a folder, if it exists, holds only what an earlier story left.

    Raises:
        FileExistsError: The folder holds something else.
    """
    if not output.is_dir():
        return
    strange = sorted({path.name for path in output.iterdir()} - {*_MADE, LOCK_FILE})
    if strange:
        raise FileExistsError(
            f"--output {output}: expected a new folder or one of an earlier story, found "
            f"{', '.join(strange[:3])} in it. Name another folder."
        )


def start_afresh(output: Path) -> None:
    """Removes what an earlier story left: a store that knows the spans would change the story.

    Raises:
        FileExistsError: The folder holds something else.
    """
    check_own(output)
    for name in _MADE:
        path = output / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def run_all(
    terminal: Console, spans: Sequence[Span], options: argparse.Namespace, log: Path
) -> tuple[Output, list[Run]]:
    """Runs the pipeline on each span, until one fails, and returns these runs."""
    with loading(terminal):
        from examples.wine_quality import pipeline  # noqa: F401 (imports TFX)
        from examples.wine_quality.local_run import Output, run_locally

    output = Output(options.output.absolute())
    ids: list[str] = []
    with LiveLine(terminal.file) as line:
        for number, span in enumerate(spans, start=1):
            made = output.pipeline(
                model=options.model, span=number, drift_mode="fail", warm_start=True
            )
            progress = SpanProgress(line, f"span {number}: {span.name}", len(made.components))
            with observe_progress(progress):
                ended = run_locally(made, log)
            ids += [ended.run] if ended.run is not None else []
            if ended.error is not None:
                progress.close(f"stopped by {ended.failed}")
                say(terminal, f"{ended.failed}: {first(ended.error)}")
                break
            progress.close("ran to its end")
    return output, output.runs_of(ids)


def write_history(runs: Sequence[Run], output: Output, folder: Path) -> Path:
    """Writes the page of the story's runs, and returns its path."""
    from tfx_wine_ext.history import history_document
    from tfx_wine_ext.lineage.store import store_name
    from tfx_wine_ext.report.history_page import render_history_page

    document = history_document(runs, runs[-1].pipeline, store_name(output.store))
    page = folder / "history.html"
    page.write_text(render_history_page(document), encoding="utf-8")
    return page


def table(runs: Sequence[Run], spans: Sequence[Span], width: int = TABLE_WIDTH) -> Table:
    """Returns a table of the runs: a line for each, or a block for each on a narrow terminal.

    Args:
        runs: The runs.
        spans: The span of each run.
        width: Columns of the terminal.
    """
    headings = ("run", "span", "drift", "start", "R2", "blessed", "pushed")
    rows = [
        (
            str(run.number),
            span.name,
            _drift(run),
            _start(run),
            _r2(run),
            _blessed(run),
            posixpath.basename(run.pushed) if run.pushed else "no",
        )
        for run, span in zip(runs, spans)
    ]
    wide = width >= TABLE_WIDTH
    shown = Table(title="the story", title_justify="left", show_header=wide)
    shown.caption = (
        "R2 on the span's own eval split; in brackets, that of the model in production there"
    )
    for heading in headings if wide else ("", ""):
        shown.add_column(heading, overflow="fold", no_wrap=heading in ("run", "pushed"))
    for row in rows:
        if wide:
            shown.add_row(*row)
        else:
            for heading, cell in zip(headings, row):
                shown.add_row(heading, cell, end_section=heading == headings[-1])
    return shown


def say_what_was_transferred(terminal: Console, runs: Sequence[Run]) -> None:
    """Prints a line for each run that began with the variables of an earlier model."""
    from examples.wine_quality.local_run import start_of

    for run in runs:
        start = start_of(run)
        if start is not None and start.warm:
            told = transferred(start.counts(), start.verification)
            say(terminal, f"run {run.number} continues run {run.number - 1}'s model; {told}")


def say_where(terminal: Console, runs: Sequence[Run], output: Path, page: Path) -> None:
    """Prints where to find more."""
    say(terminal, f"all runs    {short(str(page))}")
    gate = runs[-1].drift
    if gate is not None and gate.report:
        say(terminal, f"last gate   {short(gate.report)}")
    store = short(str(output / _STORE))
    say_command(
        terminal, "the runs, on the terminal", command("tfx-wine-ext"), "runs", "--store", store
    )
    logs = next((run.model.logs for run in runs if run.model and run.model.logs), None)
    if logs:
        folder = short(posixpath.dirname(logs))
        say_command(terminal, "losses of all runs", command("tensorboard"), "--logdir", folder)


def what_went_wrong(runs: Sequence[Run]) -> list[str]:
    """Returns sentences about how the story differs from the expected one."""
    wrong = [
        f"Run {run.number} should have trained and evaluated a model; it is {run.state}."
        for run in runs[:WHITE_PARTS]
        if run.state != "COMPLETE" or run.model is None or run.blessed is None
    ]
    if len(runs) != WHITE_PARTS + 1:
        return [*wrong, f"There should be {WHITE_PARTS + 1} runs; there are {len(runs)}."]
    last = runs[-1]
    failed = [component.id for component in last.components if component.state == "FAILED"]
    if failed != [GATE] or last.drift is None or last.drift.verdict != "DRIFT":
        wrong.append(f"The gate ({GATE}) should have stopped the red wine; failed: {failed}.")
    if last.model is not None or last.pushed is not None:
        wrong.append("No model should have been trained on the red wine; one was.")
    return wrong


def _drift(run: Run) -> str:
    if run.drift is None:
        return "not compared"
    if run.drift.lost_baseline is not None:
        return "baseline gone"
    if run.drift.verdict == "NO_BASELINE":
        return "nothing before"
    from tfx_wine_ext.report.words.features import tally

    drift = run.drift
    counts = tally(drift.verdict, drift.features_drifted, drift.features_warned, drift.features)
    return ", ".join(filter(None, (drift.verdict, counts.replace("/", " of "))))


def _start(run: Run) -> str:
    if run.model is None:
        return "not trained"
    return f"warm, from run {run.number - 1}" if run.model.warm else "cold"


def _r2(run: Run) -> str:
    """Returns R2 of the new model and of the one in production, both on the new span.

    R2 depends on the span. Only both models on the same rows show whether the new one is better;
    the Evaluator compares them in the same way.
    """
    from examples.wine_quality.local_run import R2, metric

    r2 = metric(run.metrics, R2)
    if r2 is None:
        return ""
    before = metric(run.baseline_metrics, R2)
    return f"{r2:.3f}" if before is None else f"{r2:.3f} ({before:.3f})"


def _blessed(run: Run) -> str:
    """Says whether the Evaluator accepted the model, and if not, which of its limits it missed."""
    from examples.wine_quality.local_run import R2, metric
    from examples.wine_quality.pipeline import MIN_R2

    if run.blessed is None:
        return "not evaluated"
    if run.blessed:
        return "yes"
    r2 = metric(run.metrics, R2)
    if r2 is None or r2 < MIN_R2:
        return f"no: R2 is below {MIN_R2}"
    return "no: worse than the model in production"


if __name__ == "__main__":
    sys.exit(main())
