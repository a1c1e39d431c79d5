"""``tfx-wine-ext history``: all runs of a pipeline on one page."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.cli.answer import (
    STDOUT,
    add_csv_option,
    add_json_option,
    answering,
    check_outputs,
    print_csv,
)
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.output_file import OutputFile
from tfx_wine_ext.cli.parser import whole_number
from tfx_wine_ext.cli.store_options import (
    STORE_HELP,
    add_store_options,
    chosen_metric,
    read_runs,
    value_errors,
)
from tfx_wine_ext.cli.terminal import print_line

if TYPE_CHECKING:
    from tfx_wine_ext.lineage.records import History

_EPILOG = f"""
The page shows every run: its data and their drift, its model and metrics, and
what changed from run to run. It is a single file that works offline.
{STORE_HELP}
examples:
  tfx-wine-ext history --html history.html --store build/wine/metadata.db
  tfx-wine-ext history --html history.html --last 30
  tfx-wine-ext history --csv runs.csv
  tfx-wine-ext history --json | jq '.correlations[:3]'

exit status: 0 written, 2 error.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "history",
        help="write a page of all runs and what changed between them",
        description="Writes the history of a pipeline as an HTML page, as JSON or as CSV.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    output = parser.add_argument_group("output (at least one is needed)")
    output.add_argument("--html", metavar="FILE", help="write the page")
    add_json_option(output)
    add_csv_option(output, "one line per run")
    what = parser.add_argument_group("what is shown")
    what.add_argument(
        "--last",
        metavar="N",
        type=whole_number(0, "a number of runs, or 0 for all"),
        default=0,
        help="only the N newest runs; 0 for all (default: %(default)s)",
    )
    what.add_argument(
        "--metric",
        metavar="NAME",
        help="the metric to compare with drift (default: the one that the newest model was judged "
        "by)",
    )
    add_store_options(parser)


def run(options: argparse.Namespace) -> int:
    """Reads the store and writes the history.

    Returns:
        0.

    Raises:
        CommandError: The store cannot be read, has no such metric, or a file cannot be written.
    """
    if not (options.html or options.json or options.csv):
        raise CommandError("--html, --json and --csv: expected one of them at least, found none")
    check_outputs(options)
    from tfx_wine_ext.cli.csv_table import history_csv
    from tfx_wine_ext.cli.run_tables import print_unread
    from tfx_wine_ext.report.words.text import count

    with answering(options.json) as answer, contextlib.ExitStack() as stack:
        html, csv = (
            stack.enter_context(OutputFile(path)) if path not in (None, STDOUT) else None
            for path in (options.html, options.csv)
        )
        history = _history(options)
        if html:
            from tfx_wine_ext.report.history_page import render_history_page

            html.write(render_history_page(history))
        if csv:
            csv.write(history_csv(history.runs))

        runs = f"{count(len(history.runs), 'run')} of {history.pipeline}"
        written = [name for name in (options.html, options.json, options.csv) if name]

        def show() -> None:
            print_unread(history.unread, beside=options.csv == STDOUT)
            if options.csv == STDOUT:
                print_csv(history_csv(history.runs))
                return
            print_line(f"{' and '.join(written)}: {runs}")

        answer(history.to_dict(), show)
    return 0


def _history(options: argparse.Namespace) -> History:
    from tfx_wine_ext.history import history
    from tfx_wine_ext.lineage.snapshot import newest

    last = newest(options.last) if options.last else None
    runs, pipeline, store, files = read_runs(options, last)
    is_known = options.metric is None or any(options.metric in run.metrics for run in runs)
    if options.last and not is_known:
        raise CommandError(
            f"--metric: none of the {len(runs)} newest runs has {options.metric!r}; take more "
            "(--last), or another metric"
        )
    metric = chosen_metric(runs, options.metric, files)
    with value_errors():
        return history(runs, pipeline, store, metric, files)
