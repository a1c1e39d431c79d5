"""``tfx-wine-ext runs``: the runs of a pipeline, one per line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.cli.answer import add_json_option, answering
from tfx_wine_ext.cli.parser import whole_number
from tfx_wine_ext.cli.store_options import STORE_HELP, add_store_options, chosen_metric, read_runs
from tfx_wine_ext.cli.terminal import Cell, print_line, print_table
from tfx_wine_ext.report.words.text import span_text

if TYPE_CHECKING:
    from tfx_wine_ext.lineage.records import Drift, Examples, Model, Run

DEFAULT_LAST = 20

_EPILOG = f"""
The column "model" says whether training continued from an earlier model (warm,
with the number of warm starts so far) or started from scratch (cold). Unknown
values are left empty. A run without a recorded end is RUNNING if its process is
alive, DIED if it is not, and RUNNING? if that cannot be told, for instance on
another machine.
{STORE_HELP}
examples:
  tfx-wine-ext runs --store build/wine/metadata.db
  tfx-wine-ext runs --last 5 --metric mean_squared_error
  tfx-wine-ext runs --last 0 --json | jq '.runs[] | select(.state == "FAILED")'

exit status: 0 (even if runs have failed), 2 error.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "runs",
        help="list the runs of a pipeline",
        description="Lists the runs of a pipeline, newest first.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--last",
        metavar="N",
        type=whole_number(0, "a number of runs, or 0 for all"),
        default=DEFAULT_LAST,
        help="show only the N newest runs; 0 for all (default: %(default)s)",
    )
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help="the metric to show (default: the one that the newest model shown was judged by)",
    )
    add_json_option(parser)
    add_store_options(parser)


def run(options: argparse.Namespace) -> int:
    """Reads the store and prints the runs.

    Returns:
        0.

    Raises:
        CommandError: The store cannot be read, or has no such metric.
    """
    from tfx_wine_ext.lineage.snapshot import newest as newest_runs

    with answering(options.json) as answer:
        last = newest_runs(options.last) if options.last else None
        runs, pipeline, store, files = read_runs(options, last)
        if options.metric and not any(options.metric in run.metrics for run in runs):
            # An older run may have it.
            runs, pipeline, store, files = read_runs(options, before=files)
        metric = chosen_metric(runs, options.metric, files)
        newest = runs[::-1][: options.last or None]
        total = max((run.number for run in runs), default=0)
        document = {
            "pipeline": pipeline,
            "store": store,
            "metric": metric,
            "total": total,
            "runs": [run.to_dict() for run in newest],
        }
        answer(document, lambda: _print(newest, metric, total, f"{pipeline} in {store}"))
    return 0


def _print(newest: Sequence[Run], metric: str | None, total: int, source: str) -> None:
    from tfx_wine_ext.cli.run_tables import print_unread, state_cell, utc, yes_no
    from tfx_wine_ext.report.words.glossary import metric_label
    from tfx_wine_ext.report.words.text import count

    print_unread(file for run in newest for file in run.unread)
    heading = "metric" if metric is None else metric_label(metric)
    print_table(
        (
            "run",
            "started (UTC)",
            "state",
            "span",
            "rows",
            "drift",
            "model",
            heading,
            "blessed",
            "pushed",
        ),
        [
            (
                str(run.number),
                utc(run.started),
                state_cell(run),
                *_data(run.examples),
                _drift(run.drift),
                _model(run.model),
                _metric(run, metric),
                yes_no(run.blessed),
                Cell("yes", "green") if run.pushed else "",
            )
            for run in newest
        ],
        right=("run", "span", "rows", heading),
    )
    left = total - len(newest)
    more = f", and {left:,} older: --last 0 shows all" if left else ""
    print_line(f"{count(len(newest), 'run')} of {source}{more}")


def _data(examples: Examples | None) -> tuple[str, str]:
    if examples is None:
        return "", ""
    span, rows = examples.span, examples.rows
    shown = "" if span is None else span_text(span, examples.span_date)
    return shown, f"{sum(rows.values()):,}" if rows else ""


def _drift(drift: Drift | None) -> Cell:
    from tfx_wine_ext.cli.run_tables import verdict_cell
    from tfx_wine_ext.report.words.features import tally

    if drift is None:
        return Cell("")
    shares = tally(drift.verdict, drift.features_drifted, drift.features_warned, drift.features)
    return verdict_cell(drift.verdict, f" {shares}".rstrip())


def _model(model: Model | None) -> Cell:
    if model is None:
        return Cell("")
    if model.warm is None:
        return Cell("trained")
    return Cell(f"warm {model.generation}") if model.warm else Cell("cold", "dim")


def _metric(run: Run, metric: str | None) -> str:
    from tfx_wine_ext.report.words.text import number

    value = run.metrics.get(metric or "")
    return "" if value is None else number(value.value)
