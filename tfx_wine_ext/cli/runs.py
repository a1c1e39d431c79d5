"""``tfx-wine-ext runs``: the runs of a pipeline, one per line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.cli.answer import add_json_option, answering
from tfx_wine_ext.cli.parser import whole_number
from tfx_wine_ext.cli.store_options import STORE_HELP, add_store_options, chosen_metric, read_runs
from tfx_wine_ext.cli.terminal import Cell, print_line, print_table
from tfx_wine_ext.report.words.text import span_text

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
    with answering(options.json) as answer:
        found, pipeline, store = read_runs(options, options.last or None)
        if options.metric and not any(options.metric in each.metrics for each in found):
            found, pipeline, store = read_runs(options)  # An older run may have it.
        metric = chosen_metric(found, options.metric)
        newest = found[::-1][: options.last or None]
        document = {
            "pipeline": pipeline,
            "store": store,
            "metric": metric,
            "total": max((each.number for each in found), default=0),
            "runs": [each.to_dict() for each in newest],
        }
        answer(document, lambda: _print(document))
    return 0


def _print(document: Mapping[str, Any]) -> None:
    from tfx_wine_ext.cli.run_tables import print_unread, state_cell, utc, yes_no
    from tfx_wine_ext.report.words.glossary import metric_label
    from tfx_wine_ext.report.words.text import count

    print_unread(each for run in document["runs"] for each in run["unread"])
    metric = document["metric"]
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
                str(each["number"]),
                utc(each["started"]),
                state_cell(each),
                *_data(each["examples"]),
                _drift(each["drift"]),
                _model(each["model"]),
                _metric(each, metric),
                yes_no(each["blessed"]),
                Cell("yes", "green") if each["pushed"] else "",
            )
            for each in document["runs"]
        ],
        right=("run", "span", "rows", heading),
    )
    left = document["total"] - len(document["runs"])
    more = f", and {left:,} older: --last 0 shows all" if left else ""
    print_line(
        f"{count(len(document['runs']), 'run')} of {document['pipeline']} in "
        f"{document['store']}{more}"
    )


def _data(examples: Mapping[str, Any] | None) -> tuple[str, str]:
    if examples is None:
        return "", ""
    span, rows = examples["span"], examples["rows"]
    shown = "" if span is None else span_text(span, examples.get("span_date"))
    return shown, f"{sum(rows.values()):,}" if rows else ""


def _drift(drift: Mapping[str, Any] | None) -> Cell:
    from tfx_wine_ext.cli.run_tables import verdict_cell
    from tfx_wine_ext.report.words.features import tally

    if drift is None:
        return Cell("")
    keys = ("verdict", "features_drifted", "features_warned", "features")
    return verdict_cell(drift["verdict"], f" {tally(*map(drift.get, keys))}".rstrip())


def _model(model: Mapping[str, Any] | None) -> Cell:
    if model is None:
        return Cell("")
    if model["warm"] is None:
        return Cell("trained")
    return Cell(f"warm {model['generation']}") if model["warm"] else Cell("cold", "dim")


def _metric(run: Mapping[str, Any], metric: str | None) -> str:
    from tfx_wine_ext.report.words.text import number

    found = run["metrics"].get(metric)
    return "" if found is None else number(found["value"])
